/* What is refused: each thing that is wrong, with its kind, its field and a sentence. */
#include "lib/admin/verb.h"

#include <stdarg.h>
#include <stdio.h>

#define SENTENCE 240 /* as long as an error's text */

const struct yb_admin_refusal *
yb_admin_refusals(const struct yb_admin_tx *tx, size_t *n)
{
    *n = tx->n_refusals;
    return tx->refusals;
}

/* The status that a protocol or a log would show for it (RFC 3463). */
static const char *
status_of(enum yb_err_kind kind)
{
    switch ((unsigned)kind) {
    case YB_ERR_NOT_FOUND:
        return "5.1.1";
    case YB_ERR_CANNOT:
        return "5.4.6";
    case YB_ERR_SYNTAX:
    case YB_ERR_VALUE:
        return "5.5.4";
    default:
        return "5.3.0";
    }
}

/* It may hold what somebody wrote, and be cut off: as text for terminals and JSON. */
static void
make_plain(char *text)
{
    size_t n = strlen(text);

    for (size_t cut = 0; cut < 4 && cut < n && !yb_str_utf8(yb_str_from(text)); cut++)
        if (n == SENTENCE - 1) /* a character was cut through */
            text[n - 1 - cut] = '\0';
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = '?';
    }
    for (char *p = text; *p != '\0' && !yb_str_utf8(yb_str_from(text)); p++) {
        if ((*p & 0x80) != 0)
            *p = '?';
    }
}

int
yb_admin_refuse(struct yb_admin_tx *tx, enum yb_err_kind kind, const char *field,
                struct yb_err *err, const char *fmt, ...)
{
    struct yb_admin_refusal *old = tx->refusals;
    char text[SENTENCE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    make_plain(text);
    if (err != NULL && (tx->n_refusals == 0 || err->class == YB_OK))
        yb_err_as(err, kind, YB_PERM, status_of(kind), "%s", text);
    if (tx->n_refusals == tx->room) {
        tx->room = tx->room == 0 ? 8 : 2 * tx->room;
        tx->refusals = yb_arena_alloc(tx->arena, tx->room, sizeof(*old));
        if (tx->n_refusals > 0)
            memcpy(tx->refusals, old, tx->n_refusals * sizeof(*old));
    }
    tx->refusals[tx->n_refusals++] =
        (struct yb_admin_refusal){ kind, field, yb_arena_dup(tx->arena, yb_str_from(text)) };
    return -1;
}

int
yb_admin_refuse_value(struct yb_admin_tx *tx, const char *field, struct yb_str written,
                      const struct yb_err *why, struct yb_err *err)
{
    return yb_admin_refuse(tx, YB_ERR_VALUE, field, err, "%.*s: %s", YB_STR_ARG(written),
                           why->text);
}

int
yb_admin_no_such(struct yb_admin_tx *tx, const char *what, struct yb_err *err)
{
    return yb_admin_refuse(tx, YB_ERR_NOT_FOUND, NULL, err, "There is no such %s", what);
}

/* clang-format off */
static const struct {
    const char *constraint;
    enum yb_err_kind kind;
    const char *field, *text;
} constraints[] = {
    { "tenants_name_key",                  YB_ERR_EXISTS,    "name",         "There is a tenant of this name already" },
    { "tenants_name_check",                YB_ERR_VALUE,     "name",         "A tenant needs a name" },
    { "domains_name_key",                  YB_ERR_EXISTS,    "name",         "This domain is hosted already" },
    { "domains_tenant_id_fkey",            YB_ERR_IN_USE,    NULL,           "The tenant still has domains: delete them first" },
    { "domain_aliases_pkey",               YB_ERR_EXISTS,    "name",         "There is a domain alias of this name already" },
    { "hosted_names_pkey",                 YB_ERR_EXISTS,    "name",         "This name is a domain or a domain alias already" },
    { "accounts_domain_id_local_key",      YB_ERR_EXISTS,    "address",      "There is an account of this address already" },
    { "accounts_tenant_id_domain_id_fkey", YB_ERR_IN_USE,    NULL,           "The domain still has accounts: delete them first" },
    { "accounts_domain_fkey",              YB_ERR_IN_USE,    NULL,           "The domain still has accounts: delete them first" },
    { "accounts_home_node_fkey",           YB_ERR_NOT_FOUND, "home_node",    "There is no such node" },
    { "aliases_domain_id_local_key",       YB_ERR_EXISTS,    "address",      "There is an alias of this address already" },
    { "nodes_pkey",                        YB_ERR_EXISTS,    "node_id",      "This node is in the database already" },
    { "nodes_name_key",                    YB_ERR_EXISTS,    "name",         "There is a node of this name already" },
    { "nodes_store_id_key",                YB_ERR_EXISTS,    "store_id",     "Another node has this store" },
    { "stores_name_key",                   YB_ERR_EXISTS,    "name",         "There is a store of this name already" },
    { "stores_name_check",                 YB_ERR_VALUE,     "name",         "A store's name has 1 to 200 octets" },
    { "stores_weight_check",               YB_ERR_VALUE,     "weight",       "A store's weight is 0 to 10000" },
    { "nodes_state_check",                 YB_ERR_VALUE,     "state",        "A node's state is live, leaving or gone" },
    { "retirements_check",                 YB_ERR_VALUE,     "new_address",  "`moved` and `forward` need a new address, `deleted` has none" },
    { "retirements_kind_check",            YB_ERR_VALUE,     "kind",         "A retirement is deleted, moved, forward or forward_tell" },
    { "tenants_max_bytes_check",           YB_ERR_VALUE,     "max_bytes",    "A pool holds more than 0 bytes; none for no limit" },
    { "domains_max_bytes_check",           YB_ERR_VALUE,     "max_bytes",    "A pool holds more than 0 bytes; none for no limit" },
    { "mail_address_check",                YB_ERR_VALUE,     NULL,           "A contact, catch-all or target is an address, local@domain" },
};
/* clang-format on */

int
yb_admin_refuse_statement(struct yb_admin_tx *tx, const struct yb_err *why, struct yb_err *err)
{
    const char *constraint = yb_db_constraint(tx->c);

    if (why->class != YB_PERM) {
        if (err != NULL)
            *err = *why;
        return -1;
    }
    for (size_t i = 0; i < YB_COUNT(constraints); i++) {
        if (strcmp(constraints[i].constraint, constraint) == 0)
            return yb_admin_refuse(tx, constraints[i].kind, constraints[i].field, err, "%s",
                                   constraints[i].text);
    }
    /* A trigger's own sentence, or the database's: the operator may read both. */
    return yb_admin_refuse(tx, why->kind, NULL, err, "%s", why->text);
}
