/* Inside lib/admin: how a verb becomes statements, refusals and a row of the audit. */
#ifndef YB_ADMIN_VERB_H
#define YB_ADMIN_VERB_H

#include "lib/admin/admin.h"
#include "lib/base/str.h"
#include "lib/db/db.h"

/* --- what can be changed --- */

/*
 * A sort of thing. It is named by two texts (an address: key form of the local part, and domain;
 * else a name and ""). `ids` locks its row and answers tenant, domain, own id and its name for
 * people; `card` answers one JSON object.
 */
struct yb_admin_kind {
    const char *what;                                    /* "There is no such …" */
    const struct yb_db_statement *ids, *ids_gone, *card; /* ids_gone: `ids` before it is removed */
    const struct yb_admin_fields *fields;                /* NULL: nothing is set by values */
    const char *table, *key; /* where, and by which column it is found by its own id */
    bool account;            /* which is an account's */
};
extern const struct yb_admin_kind yb_admin_tenant_kind, yb_admin_domain_kind, yb_admin_account_kind,
    yb_admin_alias_kind, yb_admin_retired_kind, yb_admin_node_kind, yb_admin_store_kind;
#define YB_ADMIN_SETS 5 /* kinds with fields */

struct yb_admin {
    struct yb_db *db;
    int64_t deadline_ms;
    struct yb_db_statement sets[YB_ADMIN_SETS]; /* by fields.c */
};

/* One thing in a transaction, and what becomes of it. In the transaction's memory. */
struct yb_admin_subject {
    const struct yb_admin_kind *kind;
    struct yb_str key[2];
    bool has_tenant, has_domain, has_id;
    uint8_t tenant[YB_ID_BYTES], domain[YB_ID_BYTES], id[YB_ID_BYTES];
    struct yb_str name;     /* for people */
    json_t *before, *after; /* cards; NULL: was or is not there */
    json_t *secrets;        /* members that changed and are not told: "(changed)" */
    const char *action;     /* "account.set"; NULL: nothing for the audit */
    bool read;              /* it was only looked at */
    struct yb_admin_subject *next;
};

struct yb_admin_tx {
    struct yb_admin *a;
    struct yb_db_conn *c;
    struct yb_arena *arena;
    struct yb_admin_refusal *refusals;
    size_t n_refusals, room;
    struct yb_admin_subject *subjects, **last;
};

/* --- refusals: each adds one to the transaction's, sets *err to the first of the verb, and returns -1 --- */

int yb_admin_refuse(struct yb_admin_tx *tx, enum yb_err_kind kind, const char *field,
                    struct yb_err *err, const char *fmt, ...) YB_PRINTF(5, 6);
/* What `why`, of another room, says of a value, with what was written before the sentence. */
int yb_admin_refuse_value(struct yb_admin_tx *tx, const char *field, struct yb_str written,
                          const struct yb_err *why, struct yb_err *err);
/* A statement that failed, and why: the database's constraint as a sentence, where there is one. */
int yb_admin_refuse_statement(struct yb_admin_tx *tx, const struct yb_err *why, struct yb_err *err);
int yb_admin_no_such(struct yb_admin_tx *tx, const char *what, struct yb_err *err);

/* --- names --- */

/* An address as it is looked up and as it is written; in the transaction's memory. */
struct yb_admin_name {
    struct yb_str local, written, domain;
};
/* `local@domain`, provisioned here: no `%`, `!`, `@`, no literal. The first form needs no transaction. */
int yb_admin_name_parse(struct yb_str address, struct yb_arena *arena, struct yb_admin_name *out,
                        struct yb_err *err) YB_MUST_USE;
int yb_admin_take_name(struct yb_admin_tx *tx, struct yb_str address, const char *field,
                       struct yb_admin_name *out, struct yb_err *err) YB_MUST_USE;
/* An address mail is sent on to: as it is written, and its key form. */
int yb_admin_target_parse(struct yb_str address, struct yb_arena *arena, struct yb_str *written,
                          struct yb_str *key, struct yb_err *err) YB_MUST_USE;
int yb_admin_target(struct yb_admin_tx *tx, struct yb_str address, const char *field,
                    struct yb_str *written, struct yb_str *key, struct yb_err *err) YB_MUST_USE;
/* The key form of a domain's name as somebody writes it. */
int yb_admin_domain(struct yb_admin_tx *tx, struct yb_str written, const char *field,
                    struct yb_str *name, struct yb_err *err) YB_MUST_USE;

/* --- statements --- */

/* Text, or NULL when it was not given. */
void yb_admin_add(struct yb_db_params *p, struct yb_str value);
/* An id, or NULL. */
void yb_admin_add_id(struct yb_db_params *p, bool has, const uint8_t id[YB_ID_BYTES]);
/* Runs a change; frees the parameters. `what` not NULL: to touch no row is "no such <what>". */
int yb_admin_change(struct yb_admin_tx *tx, const struct yb_db_statement *st,
                    struct yb_db_params *p, const char *what, struct yb_err *err) YB_MUST_USE;
/* Runs a question whose first column is JSON; frees the parameters. No row is "no such <what>". */
int yb_admin_ask(struct yb_admin_tx *tx, const struct yb_db_statement *st, struct yb_db_params *p,
                 const char *what, json_t **out, struct yb_err *err) YB_MUST_USE;
/* --- a thing, from being found to its row in the audit --- */

/* Finds and locks it: NULL, and *err, when it is not there. */
struct yb_admin_subject *yb_admin_find(struct yb_admin_tx *tx, const struct yb_admin_kind *kind,
                                       struct yb_str key, struct yb_str key2, struct yb_err *err);
/* Finds it by another statement that answers the same, and looks at nothing else: no verb changes it. */
struct yb_admin_subject *yb_admin_see(struct yb_admin_tx *tx, const struct yb_admin_kind *kind,
                                      const struct yb_db_statement *ids, struct yb_str key,
                                      struct yb_str key2, struct yb_err *err);
/* Finds and locks it for its removal. */
struct yb_admin_subject *yb_admin_find_last(struct yb_admin_tx *tx,
                                            const struct yb_admin_kind *kind, struct yb_str key,
                                            struct yb_str key2, struct yb_err *err);
struct yb_admin_subject *yb_admin_find_address(struct yb_admin_tx *tx,
                                               const struct yb_admin_kind *kind,
                                               struct yb_str address, struct yb_err *err);
/* The same for one that was made just now: it had no card before. */
struct yb_admin_subject *yb_admin_made(struct yb_admin_tx *tx, const struct yb_admin_kind *kind,
                                       struct yb_str key, struct yb_str key2, struct yb_err *err);
/* `st` with the thing's own id, its tenant's, and n texts more ($1::uuid, $2::uuid, $3 …). */
int yb_admin_run(struct yb_admin_tx *tx, const struct yb_admin_subject *s,
                 const struct yb_db_statement *st, const struct yb_str *texts, size_t n,
                 const char *what, struct yb_err *err) YB_MUST_USE;
/* Sets what is given; all that is wrong with it is told at once. */
int yb_admin_set(struct yb_admin_tx *tx, const struct yb_admin_subject *s,
                 const struct yb_admin_values *v, struct yb_err *err) YB_MUST_USE;
/* A member of which only that it changed is kept. */
void yb_admin_secret(struct yb_admin_subject *s, const char *member);
/* The verb is done: `action` for the audit, and the thing's card in *out (new; NULL: not wanted). */
int yb_admin_done(struct yb_admin_tx *tx, struct yb_admin_subject *s, const char *action,
                  json_t **out, struct yb_err *err) YB_MUST_USE;
/* The same where the thing is no more. */
void yb_admin_gone(struct yb_admin_subject *s, const char *action);
/* A row for what is no thing with a card (an import). Takes `after` over. */
void yb_admin_note(struct yb_admin_tx *tx, const char *action, json_t *after);
/* Writes a row for each of the above that is a change: not where a card is what it was. */
int yb_admin_audit_write(struct yb_admin_tx *tx, struct yb_err *err) YB_MUST_USE;

/* The id of a live store for new accounts: of this name or, without one, at home on this node (hex); *id
 * is empty where neither is given, which leaves it to placement. */
int yb_admin_store_find(struct yb_admin_tx *tx, struct yb_str name, struct yb_str node,
                        struct yb_str *id, struct yb_err *err) YB_MUST_USE;

/* --- values (fields.c) --- */

/* A time as it is written: *out is empty for "none" and never; `p` NULL stays. 1: it was refused; -1. */
int yb_admin_time(struct yb_admin_tx *tx, struct yb_str v, const char *field, struct yb_str *out,
                  struct yb_err *err) YB_MUST_USE;
/* Is it a text that may be shown in a line? */
int yb_admin_text(struct yb_admin_tx *tx, struct yb_str v, const char *field,
                  struct yb_err *err) YB_MUST_USE;
/* Is it a name for a store or a node (`what`), which settings and options name it by? */
int yb_admin_place(struct yb_admin_tx *tx, struct yb_str v, const char *what,
                   struct yb_err *err) YB_MUST_USE;
/* Statements that set values, for all kinds with fields; and back. */
void yb_admin_sets_make(struct yb_admin *a);
void yb_admin_sets_free(struct yb_admin *a);

/* --- where addresses lead --- */

/*
 * After a change: what is wrong with where these addresses (key forms) lead, one sentence each in the
 * member `warnings` of *out. `from` (`p` NULL: nobody) is who leads there. -1, kind CANNOT: they
 * lead back and nowhere else. Of other tenants an administrator learns nothing by it.
 */
int yb_admin_look(struct yb_admin_tx *tx, struct yb_str from, const struct yb_str *keys, size_t n,
                  const char *field, json_t **out, struct yb_err *err) YB_MUST_USE;
/* An address goes: who still leads to it, likewise. */
int yb_admin_led(struct yb_admin_tx *tx, const struct yb_admin_subject *s, json_t **out,
                 struct yb_err *err) YB_MUST_USE;

#endif
