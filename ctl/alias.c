/* yubin alias … */
#include "ctl/ctl.h"

static const struct ctl_option_row page_options[] = { CTL_SEARCH_OPTION,
                                                      CTL_PAGE_OPTIONS,
                                                      { NULL, NULL, NULL } };

static struct yb_admin_alias
alias_of(struct ctl *c)
{
    size_t n = c->n_words - 1;
    struct yb_str *targets = yb_arena_alloc(c->arena, n + 1, sizeof(*targets));

    for (size_t i = 0; i < n; i++)
        targets[i] = ctl_word(c, i + 1);
    return (struct yb_admin_alias){ .values = ctl_values(c),
                                    .targets = n > 0 ? targets : NULL,
                                    .n_targets = n };
}

static int
alias_add(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_alias v = alias_of(c);

    return yb_admin_alias_add(c->tx, ctl_word(c, 0), &v, out, err);
}

static int
alias_set(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_alias v = alias_of(c);

    return yb_admin_alias_set(c->tx, ctl_word(c, 0), &v, out, err);
}

static int
alias_show(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_alias_show(c->tx, ctl_word(c, 0), out, err);
}

static int
alias_list(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    return yb_admin_alias_list(c->tx, c->n_words > 0 ? ctl_word(c, 0) : YB_STR(""), page, out, err);
}

static int
alias_delete(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_alias_delete(c->tx, ctl_word(c, 0), out, err);
}

/* clang-format off */
const struct ctl_command ctl_alias_commands[] = {
    { "alias", "add", "ADDRESS TARGET...", "an address that leads to others, here or elsewhere",
      .fields = &yb_admin_alias_fields, .run = alias_add },
    { "alias", "list", "[DOMAIN]", "all aliases, or a domain's",
      .options = page_options, .columns = "address tenant enabled targets", .run = ctl_list, .list = alias_list },
    { "alias", "show", "ADDRESS", "one alias",
      .run = alias_show },
    { "alias", "set", "ADDRESS [TARGET...]", "other targets in place of all it has, other options",
      .fields = &yb_admin_alias_fields, .run = alias_set },
    { "alias", "delete", "ADDRESS", "the address is unknown again",
      .run = alias_delete },
    { .noun = NULL },
};
/* clang-format on */
