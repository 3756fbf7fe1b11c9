/* Names as they are looked up, and statements that answer JSON. */
#include "lib/admin/list.h"
#include "lib/admin/verb.h"

#include "lib/mime/address.h"

/* --- names --- */

int
yb_admin_name_parse(struct yb_str address, struct yb_arena *arena, struct yb_admin_name *out,
                    struct yb_err *err)
{
    struct yb_address a;

    if (yb_address_parse(address, arena, &a, err) < 0)
        return -1;
    if (a.literal)
        return yb_err_as(err, YB_ERR_VALUE, YB_PERM, "5.1.3", "the address has no domain name");
    if (a.percent || a.bang || a.at)
        return yb_err_as(err, YB_ERR_VALUE, YB_PERM, "5.1.3",
                         "a local part cannot hold %%, ! or @ (they are routing syntax)");
    out->local = yb_address_fold(a.local, arena);
    out->written = a.local;
    out->domain = a.domain;
    return 0;
}

int
yb_admin_take_name(struct yb_admin_tx *tx, struct yb_str address, const char *field,
                   struct yb_admin_name *out, struct yb_err *err)
{
    struct yb_err why = { 0 };

    if (yb_admin_name_parse(address, tx->arena, out, &why) < 0)
        return yb_admin_refuse_value(tx, field, address, &why, err);
    return 0;
}

int
yb_admin_target_parse(struct yb_str address, struct yb_arena *arena, struct yb_str *written,
                      struct yb_str *key, struct yb_err *err)
{
    struct yb_address a;

    if (yb_address_parse(address, arena, &a, err) < 0)
        return -1;
    if (a.literal || a.domain.n == 0)
        return yb_err_as(err, YB_ERR_VALUE, YB_PERM, "5.1.3", "the address has no domain name");
    if (a.at)
        return yb_err_as(err, YB_ERR_VALUE, YB_PERM, "5.1.3",
                         "a target's local part cannot hold @");
    *written = yb_arena_printf(arena, "%.*s@%.*s", YB_STR_ARG(a.local), YB_STR_ARG(a.domain));
    a.local = yb_address_fold(a.local, arena);
    *key = yb_arena_printf(arena, "%.*s@%.*s", YB_STR_ARG(a.local), YB_STR_ARG(a.domain));
    return 0;
}

int
yb_admin_target(struct yb_admin_tx *tx, struct yb_str address, const char *field,
                struct yb_str *written, struct yb_str *key, struct yb_err *err)
{
    struct yb_err why = { 0 };

    if (yb_admin_target_parse(address, tx->arena, written, key, &why) < 0)
        return yb_admin_refuse_value(tx, field, address, &why, err);
    return 0;
}

int
yb_admin_domain(struct yb_admin_tx *tx, struct yb_str written, const char *field,
                struct yb_str *name, struct yb_err *err)
{
    struct yb_err why = { 0 };

    if (yb_domain_normal(written, tx->arena, name, &why) < 0)
        return yb_admin_refuse_value(tx, field, written, &why, err);
    return 0;
}

/* --- statements --- */

void
yb_admin_add(struct yb_db_params *p, struct yb_str value)
{
    if (value.p == NULL)
        yb_db_add_null(p);
    else
        yb_db_add_text(p, value);
}

void
yb_admin_add_id(struct yb_db_params *p, bool has, const uint8_t id[YB_ID_BYTES])
{
    if (has)
        yb_db_add_bytes(p, id, YB_ID_BYTES);
    else
        yb_db_add_null(p);
}

int
yb_admin_change(struct yb_admin_tx *tx, const struct yb_db_statement *st, struct yb_db_params *p,
                const char *what, struct yb_err *err)
{
    struct yb_db_result *r = NULL;
    struct yb_err why = { 0 };
    int rc = yb_db_run(tx->c, st, p, &r, &why);

    if (rc < 0)
        yb_admin_refuse_statement(tx, &why, err);
    else if (what != NULL && yb_db_affected(r) == 0)
        rc = yb_admin_no_such(tx, what, err);
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
    json_object_del(o, "address_key");
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

json_t *
yb_admin_shown(struct yb_str card, const char *statement, struct yb_err *err)
{
    json_error_t why;
    json_t *v = json_loadb(card.p, card.n, JSON_DECODE_ANY, &why);

    if (v == NULL)
        yb_err_inside(err, YB_BUG, "4.3.0", "%s: not JSON: %s", statement, why.text);
    else
        show_rows(v);
    return v;
}

int
yb_admin_ask(struct yb_admin_tx *tx, const struct yb_db_statement *st, struct yb_db_params *p,
             const char *what, json_t **out, struct yb_err *err)
{
    struct yb_db_result *r = NULL;
    struct yb_err failed = { 0 };
    int rc = yb_db_run(tx->c, st, p, &r, &failed);

    *out = NULL;
    if (rc < 0) {
        yb_admin_refuse_statement(tx, &failed, err);
    } else if (yb_db_rows(r) == 0 || yb_db_is_null(r, 0, 0)) {
        rc = yb_admin_no_such(tx, what, err);
    } else {
        *out = yb_admin_shown(yb_db_str(r, 0, 0), st->name, err);
        rc = *out == NULL ? -1 : 0;
    }
    yb_db_result_free(&r);
    yb_db_params_free(p);
    return rc;
}
