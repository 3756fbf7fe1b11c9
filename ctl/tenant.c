/* yubin tenant …, yubin domain … */
#include "ctl/ctl.h"

static const struct ctl_option tenant_options[] = {
    { "--contact", "ADDRESS", "whom to write to (none)" },
    { "--max-domains", "N", "domains it may have (none: no limit)" },
    { "--max-accounts", "N", "accounts it may have (none: no limit)" },
    { "--max-bytes", "SIZE", "all mailboxes together (none: no limit)" },
    { NULL, NULL, NULL },
};
static const struct ctl_option domain_options[] = {
    { "--contact", "ADDRESS", "gets postmaster@, abuse@, hostmaster@ (none: the operator)" },
    { "--catch-all", "ADDRESS", "gets what no other address takes (none)" },
    { "--separator", "C", "of sub-addresses, user+detail (+; none)" },
    { "--subdomains", "WORD", "user@x.domain too: none, one (level), any (none)" },
    { "--full-days", "N", "days a full mailbox answers 452 before 552 (3)" },
    { "--max-accounts", "N", "accounts it may have (none: no limit)" },
    { "--max-bytes", "SIZE", "all mailboxes together (none: no limit)" },
    { NULL, NULL, NULL },
};
static const struct ctl_option reason_options[] = {
    { "--reason", "TEXT", "told to the users who log in" },
    { NULL, NULL, NULL },
};
static const struct ctl_option page_options[] = { CTL_PAGE_OPTIONS, { NULL, NULL, NULL } };

static int
tenant_values(struct ctl *c, struct yb_admin_tenant *v, struct yb_err *err)
{
    *v = (struct yb_admin_tenant){
        .contact = ctl_or_none(c, "--contact"),
        .max_domains = ctl_or_none(c, "--max-domains"),
        .max_accounts = ctl_or_none(c, "--max-accounts"),
    };
    return ctl_size(c, "--max-bytes", &v->max_bytes, err);
}

static int
tenant_add(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_tenant v;

    if (tenant_values(c, &v, err) < 0)
        return -1;
    return yb_admin_tenant_add(c->admin, ctl_word(c, 0), &v, out, err);
}

static int
tenant_set(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_tenant v;

    if (tenant_values(c, &v, err) < 0)
        return -1;
    return yb_admin_tenant_set(c->admin, ctl_word(c, 0), &v, out, err);
}

static int
tenant_show(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_tenant_show(c->admin, ctl_word(c, 0), out, err);
}

static int
tenant_list(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_page page;

    if (ctl_page(c, &page, err) < 0)
        return -1;
    return yb_admin_tenant_list(c->admin, &page, out, err);
}

static int
tenant_delete(struct ctl *c, json_t **out YB_UNUSED, struct yb_err *err)
{
    return yb_admin_tenant_delete(c->admin, ctl_word(c, 0), err);
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
    return yb_admin_tenant_suspend(c->admin, ctl_word(c, 0), reason(c), out, err);
}

static int
tenant_resume(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_tenant_suspend(c->admin, ctl_word(c, 0), YB_STR(""), out, err);
}

static int
domain_values(struct ctl *c, struct yb_admin_domain *v, struct yb_err *err)
{
    *v = (struct yb_admin_domain){
        .contact = ctl_or_none(c, "--contact"),
        .catch_all = ctl_or_none(c, "--catch-all"),
        .separator = ctl_or_none(c, "--separator"),
        .subdomains = ctl_option(c, "--subdomains"),
        .full_days = ctl_option(c, "--full-days"),
        .max_accounts = ctl_or_none(c, "--max-accounts"),
    };
    return ctl_size(c, "--max-bytes", &v->max_bytes, err);
}

static int
domain_add(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_domain v;

    if (domain_values(c, &v, err) < 0)
        return -1;
    return yb_admin_domain_add(c->admin, ctl_word(c, 0), ctl_word(c, 1), &v, out, err);
}

static int
domain_set(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_domain v;

    if (domain_values(c, &v, err) < 0)
        return -1;
    return yb_admin_domain_set(c->admin, ctl_word(c, 0), &v, out, err);
}

static int
domain_show(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_show(c->admin, ctl_word(c, 0), out, err);
}

static int
domain_list(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_page page;

    if (ctl_page(c, &page, err) < 0)
        return -1;
    return yb_admin_domain_list(c->admin, c->n_words > 0 ? ctl_word(c, 0) : YB_STR(""), &page, out,
                                err);
}

static int
domain_delete(struct ctl *c, json_t **out YB_UNUSED, struct yb_err *err)
{
    return yb_admin_domain_delete(c->admin, ctl_word(c, 0), err);
}

static int
domain_suspend(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_suspend(c->admin, ctl_word(c, 0), reason(c), out, err);
}

static int
domain_resume(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_suspend(c->admin, ctl_word(c, 0), YB_STR(""), out, err);
}

static int
domain_alias(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_alias(c->admin, ctl_word(c, 0), ctl_word(c, 1), true, out, err);
}

static int
domain_unalias(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_domain_alias(c->admin, ctl_word(c, 0), ctl_word(c, 1), false, out, err);
}

#define TENANT_COLUMNS "name domains accounts bytes suspended"
#define DOMAIN_COLUMNS "name tenant accounts bytes aliases suspended"

/* clang-format off */
const struct ctl_command ctl_tenant_commands[] = {
    { "tenant", "add",     "NAME", 1, 1, "a new customer", tenant_options, NULL, false, tenant_add },
    { "tenant", "list",    "", 0, 0, "all customers", page_options, TENANT_COLUMNS, false, tenant_list },
    { "tenant", "show",    "NAME", 1, 1, "one customer", NULL, NULL, false, tenant_show },
    { "tenant", "set",     "NAME", 1, 1, "changes what the options say", tenant_options, NULL, false, tenant_set },
    { "tenant", "suspend", "NAME", 1, 1, "mail waits at the senders (450), logins are refused", reason_options, NULL, false, tenant_suspend },
    { "tenant", "resume",  "NAME", 1, 1, "ends a suspension", NULL, NULL, false, tenant_resume },
    { "tenant", "delete",  "NAME", 1, 1, "a customer without domains", NULL, NULL, false, tenant_delete },
    { "domain", "add",     "TENANT DOMAIN", 2, 2, "hosts a domain for a customer, at once", domain_options, NULL, false, domain_add },
    { "domain", "list",    "[TENANT]", 0, 1, "all domains, or a customer's", page_options, DOMAIN_COLUMNS, false, domain_list },
    { "domain", "show",    "DOMAIN", 1, 1, "one domain", NULL, NULL, false, domain_show },
    { "domain", "set",     "DOMAIN", 1, 1, "changes what the options say", domain_options, NULL, false, domain_set },
    { "domain", "alias",   "DOMAIN NAME", 2, 2, "another name for all its addresses", NULL, NULL, false, domain_alias },
    { "domain", "unalias", "DOMAIN NAME", 2, 2, "takes such a name away", NULL, NULL, false, domain_unalias },
    { "domain", "suspend", "DOMAIN", 1, 1, "mail waits at the senders (450), logins are refused", reason_options, NULL, false, domain_suspend },
    { "domain", "resume",  "DOMAIN", 1, 1, "ends a suspension", NULL, NULL, false, domain_resume },
    { "domain", "delete",  "DOMAIN", 1, 1, "a domain without accounts, with its aliases", NULL, NULL, false, domain_delete },
    { NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, false, NULL },
};
/* clang-format on */
