/* yubin tenant …, yubin domain … */
#include "ctl/ctl.h"

static const struct ctl_option_row reason_options[] = {
    { "--reason", "TEXT", "told to the users who log in" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row page_options[] = { CTL_SEARCH_OPTION,
                                                      CTL_PAGE_OPTIONS,
                                                      { NULL, NULL, NULL } };

static int
tenant_add(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_values v = ctl_values(c);

    return yb_admin_tenant_add(c->tx, ctl_word(c, 0), &v, out, err);
}

static int
tenant_set(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_values v = ctl_values(c);

    return yb_admin_tenant_set(c->tx, ctl_word(c, 0), &v, out, err);
}

static int
tenant_show(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_tenant_show(c->tx, ctl_word(c, 0), out, err);
}

static int
tenant_list(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    return yb_admin_tenant_list(c->tx, page, out, err);
}

static int
tenant_delete(struct ctl *c, json_t **out YB_UNUSED, struct yb_err *err)
{
    return yb_admin_tenant_delete(c->tx, ctl_word(c, 0), err);
}

/* The reason for a suspension; one is always told. */
static struct yb_str
reason(const struct ctl *c)
{
    struct yb_str r = ctl_option(c, "--reason");

    return r.n > 0 ? r : YB_STR("please ask your provider");
}

static int
tenant_suspend(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_tenant_suspend(c->tx, ctl_word(c, 0), reason(c), out, err);
}

static int
tenant_resume(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_tenant_suspend(c->tx, ctl_word(c, 0), YB_STR(""), out, err);
}

static int
domain_add(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_values v = ctl_values(c);

    return yb_admin_domain_add(c->tx, ctl_word(c, 0), ctl_word(c, 1), &v, out, err);
}

static int
domain_set(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_values v = ctl_values(c);

    return yb_admin_domain_set(c->tx, ctl_word(c, 0), &v, out, err);
}

static int
domain_show(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_show(c->tx, ctl_word(c, 0), out, err);
}

static int
domain_list(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_list(c->tx, c->n_words > 0 ? ctl_word(c, 0) : YB_STR(""), page, out,
                                err);
}

static int
domain_delete(struct ctl *c, json_t **out YB_UNUSED, struct yb_err *err)
{
    return yb_admin_domain_delete(c->tx, ctl_word(c, 0), err);
}

static int
domain_suspend(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_suspend(c->tx, ctl_word(c, 0), reason(c), out, err);
}

static int
domain_resume(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_suspend(c->tx, ctl_word(c, 0), YB_STR(""), out, err);
}

static int
domain_alias(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_alias(c->tx, ctl_word(c, 0), ctl_word(c, 1), true, out, err);
}

static int
domain_unalias(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_alias(c->tx, ctl_word(c, 0), ctl_word(c, 1), false, out, err);
}

#define TENANT_COLUMNS "name domains accounts bytes suspended"
#define DOMAIN_COLUMNS "name tenant accounts bytes aliases suspended"

/* clang-format off */
const struct ctl_command ctl_tenant_commands[] = {
    { "tenant", "add", "NAME", "a new customer",
      .fields = &yb_admin_tenant_fields, .run = tenant_add },
    { "tenant", "list", "", "all customers",
      .options = page_options, .columns = TENANT_COLUMNS, .run = ctl_list, .list = tenant_list },
    { "tenant", "show", "NAME", "one customer",
      .run = tenant_show },
    { "tenant", "set", "NAME", "changes what the options say",
      .fields = &yb_admin_tenant_fields, .run = tenant_set },
    { "tenant", "suspend", "NAME", "mail waits at the senders (450), logins are refused",
      .options = reason_options, .run = tenant_suspend },
    { "tenant", "resume", "NAME", "ends a suspension",
      .run = tenant_resume },
    { "tenant", "delete", "NAME", "a customer without domains",
      .run = tenant_delete },
    { "domain", "add", "TENANT DOMAIN", "hosts a domain for a customer, at once",
      .fields = &yb_admin_domain_fields, .run = domain_add },
    { "domain", "list", "[TENANT]", "all domains, or a customer's",
      .options = page_options, .columns = DOMAIN_COLUMNS, .run = ctl_list, .list = domain_list },
    { "domain", "show", "DOMAIN", "one domain",
      .run = domain_show },
    { "domain", "set", "DOMAIN", "changes what the options say",
      .fields = &yb_admin_domain_fields, .run = domain_set },
    { "domain", "alias", "DOMAIN NAME", "another name for all its addresses",
      .run = domain_alias },
    { "domain", "unalias", "DOMAIN NAME", "takes such a name away",
      .run = domain_unalias },
    { "domain", "suspend", "DOMAIN", "mail waits at the senders (450), logins are refused",
      .options = reason_options, .run = domain_suspend },
    { "domain", "resume", "DOMAIN", "ends a suspension",
      .run = domain_resume },
    { "domain", "delete", "DOMAIN", "a domain without accounts, with its aliases",
      .run = domain_delete },
    { .noun = NULL },
};
/* clang-format on */
