/* yubin audit … */
#include "ctl/ctl.h"

#define LIST_LIMIT 100

static const struct ctl_option_row list_options[] = {
    { "--tenant", "NAME", "what was done to a tenant and all it has" },
    { "--by", "NAME", "what this user did" },
    { "--since", "TIME", "from then on, 2027-01-31 or '2027-01-31 18:00'" },
    { "--until", "TIME", "before then" },
    { "--limit", "N", "at most so many, the latest (100)" },
    { NULL, NULL, NULL },
};

static int
audit_list(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_audit f = { .object = ctl_word(c, 0),
                                .tenant = ctl_option(c, "--tenant"),
                                .actor = ctl_option(c, "--by"),
                                .since = ctl_option(c, "--since"),
                                .until = ctl_option(c, "--until") };
    size_t shown;

    if (ctl_latest(c, LIST_LIMIT, &shown, err) < 0)
        return -1;
    f.limit = (unsigned)shown + 1; /* and one by which it is known that there are more */
    if (yb_admin_audit_list(c->tx, &f, out, err) < 0)
        return -1;
    if (json_array_size(*out) > shown) {
        json_array_remove(*out, 0);
        ctl_tell_latest(shown);
    }
    return 0;
}

/* clang-format off */
const struct ctl_command ctl_audit_commands[] = {
    { "audit", "list", "[NAME]", "who changed what, by which way (of an address, a domain, a tenant, a node; all), oldest first",
      .options = list_options, .columns = "at by client action object before after", .run = audit_list },
    { .noun = NULL },
};
/* clang-format on */
