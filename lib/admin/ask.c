#include "lib/admin/ask.h"

#include "lib/mime/address.h"

#define DEADLINE_MS 30000

struct yb_admin *
yb_admin_new(const struct yb_admin_conf *conf)
{
    struct yb_admin *a = yb_alloc(1, sizeof(*a));

    a->node = conf->node;
    a->deadline_ms = conf->deadline_ms == 0 ? DEADLINE_MS : conf->deadline_ms;
    a->db = yb_db_new(&(struct yb_db_conf){
        .conninfo = conf->conninfo, .application = conf->application, .connections = 4 });
    return a;
}

void
yb_admin_free(struct yb_admin **a)
{
    if (*a == NULL)
        return;
    yb_db_free(&(*a)->db);
    yb_free(*a);
    *a = NULL;
}

int
yb_admin_about(struct yb_str name, struct yb_err *err)
{
    const struct yb_err why = *err;

    return yb_err_as(err, why.kind, why.class, why.status, "%.*s: %s", YB_STR_ARG(name), why.text);
}

int
yb_admin_name_parse(struct yb_str address, struct yb_arena *arena, struct yb_admin_name *out,
                    struct yb_err *err)
{
    struct yb_address a;

    if (yb_address_parse(address, arena, &a, err) < 0)
        return yb_admin_about(address, err);
    if (a.literal)
        return yb_err_set(err, YB_PERM, "5.1.3", "%.*s has no domain name", YB_STR_ARG(address));
    if (a.percent || a.bang || a.at)
        return yb_err_set(err, YB_PERM, "5.1.3",
                          "%.*s: a local part cannot hold %%, ! or @ (they are routing syntax)",
                          YB_STR_ARG(address));
    out->local = yb_address_fold(a.local, arena);
    out->written = a.local;
    out->domain = a.domain;
    return 0;
}

int
yb_admin_target(struct yb_str address, struct yb_arena *arena, struct yb_str *written,
                struct yb_str *key, struct yb_err *err)
{
    struct yb_address a;

    if (yb_address_parse(address, arena, &a, err) < 0)
        return yb_admin_about(address, err);
    if (a.literal || a.domain.n == 0)
        return yb_err_set(err, YB_PERM, "5.1.3", "%.*s has no domain name", YB_STR_ARG(address));
    if (a.at)
        return yb_err_set(err, YB_PERM, "5.1.3", "%.*s: a target's local part cannot hold @",
                          YB_STR_ARG(address));
    *written = yb_arena_printf(arena, "%.*s@%.*s", YB_STR_ARG(a.local), YB_STR_ARG(a.domain));
    a.local = yb_address_fold(a.local, arena);
    *key = yb_arena_printf(arena, "%.*s@%.*s", YB_STR_ARG(a.local), YB_STR_ARG(a.domain));
    return 0;
}

int
yb_admin_contact(struct yb_str *address, struct yb_arena *arena, struct yb_err *err)
{
    struct yb_str key;

    return address->n == 0 ? 0 : yb_admin_target(*address, arena, address, &key, err);
}

void
yb_admin_add(struct yb_db_params *p, struct yb_str value)
{
    if (value.p == NULL)
        yb_db_add_null(p);
    else
        yb_db_add_text(p, value);
}

int
yb_admin_page_params(const struct yb_admin_page *page, struct yb_str domain, struct yb_arena *arena,
                     struct yb_db_params *p, struct yb_err *err)
{
    struct yb_admin_name after = { YB_STR_INIT(""), YB_STR_INIT(""), YB_STR_INIT("") };

    if (page->after.n > 0 && yb_admin_name_parse(page->after, arena, &after, err) < 0)
        return -1;
    if (domain.n > 0 && yb_domain_normal(domain, arena, &domain, err) < 0)
        return yb_admin_about(domain, err);
    yb_db_add_text(p, after.local);
    yb_db_add_text(p, after.domain);
    yb_db_add_i32(p, (int32_t)(page->limit == 0 ? YB_ADMIN_PAGE : page->limit));
    yb_db_add_text(p, domain.n == 0 ? YB_STR("") : domain);
    return 0;
}

void
yb_admin_explain(const struct yb_db_conn *c, struct yb_err *err)
{
    static const struct {
        const char *constraint, *text;
    } rows[] = {
        { "tenants_name_key", "There is a tenant of this name already" },
        { "tenants_name_check", "A tenant needs a name" },
        { "domains_name_key", "This domain is hosted already" },
        { "domains_tenant_id_fkey", "The tenant still has domains: delete them first" },
        { "domains_separator_check", "The separator is one of + - = _ . # ~ /, or none" },
        { "domains_subdomains_check", "subdomains is none, one or any" },
        { "domain_aliases_pkey", "There is a domain alias of this name already" },
        { "accounts_domain_id_local_key", "There is an account of this address already" },
        { "accounts_tenant_id_domain_id_fkey", "The domain still has accounts: delete them first" },
        { "accounts_home_node_fkey", "There is no such node: see `yubin node list`" },
        { "aliases_domain_id_local_key", "There is an alias of this address already" },
        { "nodes_pkey", "This node is in the database already" },
        { "nodes_name_key", "There is a node of this name already" },
        { "nodes_store_id_key", "Another node has this store" },
        { "nodes_state_check", "A node's state is live, leaving or gone" },
        { "retirements_check", "`moved` and `forward` need a new address, `deleted` has none" },
        { "retirements_kind_check", "A retirement is deleted, moved, forward or forward_tell" },
        { "tenants_max_bytes_check", "A pool holds more than 0 bytes; none for no limit" },
        { "domains_max_bytes_check", "A pool holds more than 0 bytes; none for no limit" },
        { "tenants_max_domains_check", "Limits are not negative" },
        { "tenants_max_accounts_check", "Limits are not negative" },
        { "domains_max_accounts_check", "Limits are not negative" },
        { "domains_full_days_check", "Limits are not negative" },
        { "accounts_quota_bytes_check", "Limits are not negative" },
        { "mail_address_check", "A contact, catch-all or target is an address, local@domain" },
    };
    const char *constraint = yb_db_constraint(c);

    for (size_t i = 0; i < YB_COUNT(rows); i++) {
        if (strcmp(rows[i].constraint, constraint) == 0) {
            yb_err_as(err, err->kind, YB_PERM, "5.1.0", "%s", rows[i].text);
            return;
        }
    }
    /* The operator may read the database's own sentence. */
    if (err->class == YB_PERM && err->internal)
        yb_err_as(err, err->kind, YB_PERM, "5.5.4", "%s", err->text);
}

int
yb_admin_begin(struct yb_admin *a, struct yb_db_conn **c, struct yb_err *err)
{
    if (yb_db_begin(a->db, c, err) < 0)
        return -1;
    yb_db_set_deadline(*c, a->deadline_ms);
    return 0;
}

static int
no_such(const char *what, struct yb_err *err)
{
    return yb_err_set(err, YB_PERM, "5.1.1", "There is no such %s", what);
}

int
yb_admin_change(struct yb_db_conn *c, const struct yb_db_statement *st, struct yb_db_params *p,
                const char *what, struct yb_err *err)
{
    struct yb_db_result *r = NULL;
    int rc = yb_db_run(c, st, p, &r, err);

    if (rc < 0)
        yb_admin_explain(c, err);
    else if (what != NULL && yb_db_affected(r) == 0)
        rc = no_such(what, err);
    yb_db_result_free(&r);
    yb_db_params_free(p);
    return rc;
}

/* Rows hold addresses without quotes; what is shown can be given back as it is. */
static json_t *
written_address(const json_t *text, struct yb_arena *arena)
{
    struct yb_str s = yb_str(json_string_value(text), json_string_length(text));
    size_t at = yb_str_rfind(s, '@');
    const struct yb_address a = { .local = yb_str_head(s, at), .domain = yb_str_skip(s, at + 1) };

    if (a.local.n == 0 || a.domain.n == 0) /* "@domain" of a sender right */
        return json_stringn(s.p, s.n);
    s = yb_address_write(&a, arena);
    return json_stringn(s.p, s.n);
}

/* A row as it is shown. Keys of look-ups are in the views to be asked by only. */
static void
show_row(json_t *o, struct yb_arena *arena)
{
    static const char *const addresses[] = { "address", "new_address", "catch_all",  "contact",
                                             "targets", "forwards",    "may_send_as" };
    json_t *one;
    size_t k;

    json_object_del(o, "local_key");
    for (size_t i = 0; i < YB_COUNT(addresses); i++) {
        json_t *v = json_object_get(o, addresses[i]);

        if (json_is_string(v))
            json_object_set_new(o, addresses[i], written_address(v, arena));
        json_array_foreach(v, k, one) json_array_set_new(v, k, written_address(one, arena));
    }
    yb_arena_reset(arena);
}

static void
show_rows(json_t *v)
{
    struct yb_arena *arena = yb_arena_new(1024);
    json_t *o;
    size_t i;

    if (json_is_object(v))
        show_row(v, arena);
    json_array_foreach(v, i, o) show_row(o, arena);
    yb_arena_free(&arena);
}

int
yb_admin_card(struct yb_db_conn *c, const struct yb_db_statement *st, struct yb_db_params *p,
              const char *what, json_t **out, struct yb_err *err)
{
    struct yb_db_result *r = NULL;
    json_error_t why;
    int rc = yb_db_run(c, st, p, &r, err);

    if (rc < 0) {
        yb_admin_explain(c, err);
    } else if (yb_db_rows(r) == 0 || yb_db_is_null(r, 0, 0)) {
        rc = no_such(what, err);
    } else {
        struct yb_str text = yb_db_str(r, 0, 0);

        *out = json_loadb(text.p, text.n, JSON_DECODE_ANY, &why);
        if (*out == NULL)
            rc = yb_err_inside(err, YB_BUG, "4.3.0", "%s: not JSON: %s", st->name, why.text);
        else
            show_rows(*out);
    }
    yb_db_result_free(&r);
    yb_db_params_free(p);
    return rc;
}

int
yb_admin_end(struct yb_db_conn **c, int rc, json_t **out, struct yb_err *err)
{
    if (rc == 0)
        rc = yb_db_commit(c, err);
    else if (*c != NULL)
        yb_db_rollback(c);
    if (rc < 0 && out != NULL) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

int
yb_admin_ask(struct yb_admin *a, const struct yb_db_statement *change, struct yb_db_params *p,
             const struct yb_db_statement *card, struct yb_db_params *q, const char *what,
             json_t **out, struct yb_err *err)
{
    struct yb_db_conn *c = NULL;
    int rc = yb_admin_begin(a, &c, err);

    if (out != NULL)
        *out = NULL;
    if (rc == 0 && change != NULL)
        rc = yb_admin_change(c, change, p, what, err);
    if (rc == 0 && card != NULL)
        rc = yb_admin_card(c, card, q, what, out, err);
    if (p != NULL)
        yb_db_params_free(p);
    if (q != NULL)
        yb_db_params_free(q);
    return yb_admin_end(&c, rc, out, err);
}
