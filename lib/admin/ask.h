/* Inside lib/admin: how a verb becomes statements, and addresses their key forms. */
#ifndef YB_ADMIN_ASK_H
#define YB_ADMIN_ASK_H

#include "lib/admin/admin.h"
#include "lib/db/db.h"

struct yb_admin {
    struct yb_db *db;
    struct yb_node_id node;
    int64_t deadline_ms;
};

/* Puts `name` before the sentence in *err: which one of many it is about. Returns -1. */
int yb_admin_about(struct yb_str name, struct yb_err *err);

/* An address as it is looked up and as it is written; in the arena. */
struct yb_admin_name {
    struct yb_str local, written, domain;
};
/* `local@domain`, provisioned here: no `%`, `!`, `@`, no literal. */
int yb_admin_name_parse(struct yb_str address, struct yb_arena *arena, struct yb_admin_name *out,
                        struct yb_err *err) YB_MUST_USE;
/* An address mail is sent on to: as it is written, and its key form. */
int yb_admin_target(struct yb_str address, struct yb_arena *arena, struct yb_str *written,
                    struct yb_str *key, struct yb_err *err) YB_MUST_USE;

/* The same for a contact or a catch-all, which may be empty or not given: *address as it is kept. */
int yb_admin_contact(struct yb_str *address, struct yb_arena *arena,
                     struct yb_err *err) YB_MUST_USE;

/* Hex of the home node for new accounts: this node, or the only live one. */
int yb_admin_home(struct yb_admin *a, struct yb_db_conn *c, struct yb_arena *arena,
                  struct yb_str *home, struct yb_err *err) YB_MUST_USE;
/* The parameters of a list of addresses: local part and domain after which it begins, how many, and
 * the domain it is limited to ("" = all). */
int yb_admin_page_params(const struct yb_admin_page *page, struct yb_str domain,
                         struct yb_arena *arena, struct yb_db_params *p,
                         struct yb_err *err) YB_MUST_USE;

/* Text, or NULL when it was not given. */
void yb_admin_add(struct yb_db_params *p, struct yb_str value);

/*
 * One transaction: `change` (may be NULL), then `card`, whose first column is JSON. `change` that
 * touches no row, and a card that is not there, are "no such <what>". *out may be NULL. Both sets
 * of parameters are freed.
 */
int yb_admin_ask(struct yb_admin *a, const struct yb_db_statement *change, struct yb_db_params *p,
                 const struct yb_db_statement *card, struct yb_db_params *q, const char *what,
                 json_t **out, struct yb_err *err) YB_MUST_USE;
/* The same steps one by one, for verbs of several statements. */
int yb_admin_begin(struct yb_admin *a, struct yb_db_conn **c, struct yb_err *err) YB_MUST_USE;
/* `what` NULL: touching no row is fine. */
int yb_admin_change(struct yb_db_conn *c, const struct yb_db_statement *st, struct yb_db_params *p,
                    const char *what, struct yb_err *err) YB_MUST_USE;
int yb_admin_card(struct yb_db_conn *c, const struct yb_db_statement *st, struct yb_db_params *p,
                  const char *what, json_t **out, struct yb_err *err) YB_MUST_USE;
/* Commits when rc is 0, else rolls back; returns the result of both. */
int yb_admin_end(struct yb_db_conn **c, int rc, json_t **out, struct yb_err *err) YB_MUST_USE;

/*
 * After a change: what is wrong with where these addresses (key forms) lead, one sentence each in the
 * member `warnings` of *out. `from` (`p` NULL: nobody) is who leads there. -1, YB_PERM 5.4.6: they
 * lead back and nowhere else. Of other tenants an administrator learns nothing by it.
 */
int yb_admin_look(struct yb_db_conn *c, struct yb_str from, const struct yb_str *keys, size_t n,
                  json_t **out, struct yb_err *err) YB_MUST_USE;
/* An address goes: who still leads to it, likewise. */
int yb_admin_led(struct yb_db_conn *c, const struct yb_admin_name *n, json_t **out,
                 struct yb_err *err) YB_MUST_USE;

/* Puts the sentence for a broken constraint into *err, where there is one. */
void yb_admin_explain(const struct yb_db_conn *c, struct yb_err *err);

#endif
