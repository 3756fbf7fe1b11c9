/* yubin alias … */
#include "ctl/ctl.h"

static const struct ctl_option_row alias_options[] = {
    { "--enabled", "YES|NO", "no: it answers 550, and nothing else takes its mail" },
    { "--until", "TIME", "ends by itself, 2027-01-31 (none)" },
    { "--note", "TEXT", "for whoever looks at it next (none)" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row page_options[] = { CTL_PAGE_OPTIONS, { NULL, NULL, NULL } };

static int
values(struct ctl *c, struct yb_admin_alias *v, struct yb_err *err)
{
    size_t n = c->n_words - 1;
    struct yb_str *targets = yb_arena_alloc(c->arena, n, sizeof(*targets));

    for (size_t i = 0; i < n; i++)
        targets[i] = ctl_word(c, i + 1);
    *v = (struct yb_admin_alias){
        .targets = n > 0 ? targets : NULL,
        .n_targets = n,
        .expires_at = ctl_or_none(c, "--until"),
        .note = ctl_or_none(c, "--note"),
    };
    return ctl_yes_no(c, "--enabled", &v->enabled, err);
}

static int
alias_add(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_alias v;

    return values(c, &v, err) < 0 ? -1 : yb_admin_alias_add(c->admin, ctl_word(c, 0), &v, out, err);
}

static int
alias_set(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_alias v;

    return values(c, &v, err) < 0 ? -1 : yb_admin_alias_set(c->admin, ctl_word(c, 0), &v, out, err);
}

static int
alias_show(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_alias_show(c->admin, ctl_word(c, 0), out, err);
}

static int
alias_list(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_page page;

    if (ctl_page(c, &page, err) < 0)
        return -1;
    return yb_admin_alias_list(c->admin, c->n_words > 0 ? ctl_word(c, 0) : YB_STR(""), &page, out,
                               err);
}

static int
alias_delete(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_alias_delete(c->admin, ctl_word(c, 0), out, err);
}

/* clang-format off */
const struct ctl_command ctl_alias_commands[] = {
    { "alias", "add", "ADDRESS TARGET...", "an address that leads to others, here or elsewhere",
      .options = alias_options, .run = alias_add },
    { "alias", "list", "[DOMAIN]", "all aliases, or a domain's",
      .options = page_options, .columns = "address tenant enabled targets", .run = alias_list },
    { "alias", "show", "ADDRESS", "one alias",
      .run = alias_show },
    { "alias", "set", "ADDRESS [TARGET...]", "other targets in place of all it has, other options",
      .options = alias_options, .run = alias_set },
    { "alias", "delete", "ADDRESS", "the address is unknown again",
      .run = alias_delete },
    { .noun = NULL },
};
/* clang-format on */
