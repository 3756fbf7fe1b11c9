/* yubin audit … */
#include "ctl/ctl.h"

static const struct ctl_option_row list_options[] = {
    { "--tenant", "NAME", "what was done to a tenant and all it has" },
    { "--by", "NAME", "what this user did" },
    { "--since", "TIME", "from then on, 2027-01-31 or '2027-01-31 18:00'" },
    { "--until", "TIME", "before then" },
    { "--limit", "N", "at most so many, the latest (100)" },
    { "--after", "CURSOR", "those before, where a list with the same options ended" },
    { "--all", NULL, "all of them, the latest first" },
    { NULL, NULL, NULL },
};

static int
audit_list(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    const struct yb_admin_audit f = { .object = ctl_word(c, 0),
                                      .tenant = ctl_option(c, "--tenant"),
                                      .actor = ctl_option(c, "--by"),
                                      .since = ctl_option(c, "--since"),
                                      .until = ctl_option(c, "--until"),
                                      .latest_first = ctl_has(c, "--all") };

    return yb_admin_audit_list(c->tx, &f, page, out, err);
}

/* clang-format off */
const struct ctl_command ctl_audit_commands[] = {
    { "audit", "list", "[NAME]", "who changed what, by which way (of an address, a domain, a tenant, a node; all), oldest first",
      .options = list_options, .columns = "at by client action object before after", .turned = true, .run = ctl_list, .list = audit_list },
    { .noun = NULL },
};
/* clang-format on */
