/*
 * Provisioning: tenants, domains, accounts, aliases, retirements, nodes. One function a verb, shared
 * by `yubin` and whatever else changes what is hosted. A verb works in a transaction that somebody
 * began (struct yb_admin_tx), and leaves there one row for the audit: who, what, before and after; none
 * where nothing is otherwise than before.
 * Things are named by people's names (a tenant's name, a domain, an address); what is shown comes
 * back as JSON made by the database: an object, or a list.
 *
 * Errors: YB_PERM with a kind and a sentence for people, and all that is wrong in
 * yb_admin_refusals(); YB_TEMP 4.3.0 when the database is away, YB_ERR_CONFLICT when the same again
 * may work. After an error the transaction can only be rolled back.
 */
#ifndef YB_ADMIN_ADMIN_H
#define YB_ADMIN_ADMIN_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/id.h"

#include <jansson.h>

struct yb_admin;

struct yb_admin_conf {
    const char *conninfo; /* libpq, with the role */
    const char *application;
    int64_t deadline_ms; /* of a statement; 0: 30 s */
};

/*
 * Makes the words by which accounts and aliases are found that have none: statements of before wrote them.
 * In batches, on a connection of a member of yubin_owner, after the migrations; `told` hears of each.
 */
int yb_admin_fill_words(const char *conninfo,
                        void (*told)(void *arg, const char *what, uint64_t rows), void *arg,
                        struct yb_err *err) YB_MUST_USE;

/* Opens nothing yet. Copies *conf. */
struct yb_admin *yb_admin_new(const struct yb_admin_conf *conf) YB_MUST_USE;
void yb_admin_free(struct yb_admin **a);

/* Who asks. */
struct yb_admin_actor {
    struct yb_str name;   /* the system user, as he says */
    struct yb_str client; /* address he asks from, as text; empty: this machine */
};
#define YB_ADMIN_ACTOR 64 /* octets of a name; what is more is cut off */

struct yb_admin_tx;
/* The transaction signed for this actor, or -1. */
int yb_admin_begin(struct yb_admin *a, const struct yb_admin_actor *actor, struct yb_admin_tx **tx,
                   struct yb_err *err) YB_MUST_USE;
/* Writes the audit and ends it; *tx is NULL then. -1: nothing was changed; but if the connection is
 * lost in that moment (YB_TEMP) nobody knows. */
int yb_admin_commit(struct yb_admin_tx **tx, struct yb_err *err) YB_MUST_USE;
void yb_admin_rollback(struct yb_admin_tx **tx);

/* One thing that is wrong with what was asked. */
struct yb_admin_refusal {
    enum yb_err_kind kind;
    const char *field; /* by its name in a card ("quota_bytes"), or NULL: the whole */
    struct yb_str sentence;
};
/* What the last verb was refused for, in order; lives as long as the transaction. */
const struct yb_admin_refusal *yb_admin_refusals(const struct yb_admin_tx *tx, size_t *n);
/* The same as a problem document (RFC 9457): type, title, status, code, detail, errors; new. `tx` may
 * be NULL: what *err says. */
json_t *yb_admin_problem(const struct yb_admin_tx *tx, const struct yb_err *err);

/* How people write a value, and what is looked at before the database is asked. */
enum yb_admin_type {
    YB_ADMIN_TEXT,    /* UTF-8 without controls */
    YB_ADMIN_COUNT,   /* 0 to 2147483647 */
    YB_ADMIN_SIZE,    /* octets: 1048576, 512M, 2G */
    YB_ADMIN_YES_NO,  /* yes, no; on, off; true, false */
    YB_ADMIN_ADDRESS, /* local@domain */
    YB_ADMIN_CHOICE,  /* one of a few words */
    YB_ADMIN_TIME     /* 2027-01-31, or with time of day and zone, as PostgreSQL reads it */
};

/* What can be set of a thing, one row each: cards, options and statements are made of it. */
struct yb_admin_field {
    const char *name;   /* in cards */
    const char *column; /* of the thing's table */
    const char *option; /* on a command line, behind "--" */
    enum yb_admin_type type;
    const char *none;         /* what "none" is to the column ("": NULL); NULL: it has no none */
    const char *choices;      /* of YB_ADMIN_CHOICE, between blanks */
    const char *value, *help; /* for people */
};
#define YB_ADMIN_FIELDS 12 /* of a thing, at most */
struct yb_admin_fields {
    size_t n;
    struct yb_admin_field v[YB_ADMIN_FIELDS];
};
extern const struct yb_admin_fields yb_admin_tenant_fields, yb_admin_domain_fields,
    yb_admin_account_fields, yb_admin_alias_fields, yb_admin_store_fields;

/* Values as people write them, in the order of the fields. `p` NULL: not given (add: the default; set:
 * left as it is); empty is "none". */
struct yb_admin_values {
    struct yb_str v[YB_ADMIN_FIELDS];
};

struct yb_admin_account {
    struct yb_admin_values values;
    /* Of add only: a store by its name, or by the node it is at home on (hex); neither: placement. */
    struct yb_str store, home_node;
    struct yb_str verifier; /* of lib/cred; `p` NULL: not given, empty: none */
};
struct yb_admin_alias {
    struct yb_admin_values values;
    const struct yb_str *targets; /* NULL: not given */
    size_t n_targets;
};
struct yb_admin_retirement {
    struct yb_str kind; /* "deleted", "moved", "forward", "forward_tell" */
    struct yb_str new_address, expires_at;
};
#define YB_ADMIN_PAGE 10000 /* rows of a list when nobody says how many */
/*
 * A page of a long list: at most `limit` rows (0: YB_ADMIN_PAGE) behind a cursor. One that is not of this
 * list and the same `q` and filters is refused (YB_ERR_SYNTAX). A page may be shorter than it could be, and
 * even be empty: the end is where there is no next one. Of a domain or a tenant that is not there, or is
 * not to be seen by who asks, it is refused (YB_ERR_NOT_FOUND).
 *
 * `q` is looked for: accounts and aliases whose address begins so, then those of whom a word does (of the
 * display name, or a later part of the local part), in the order of words; several words, with blanks
 * between them, all have to fit. Retired addresses by how they begin, tenants and domains by any part of
 * the name.
 */
struct yb_admin_page {
    struct yb_str after; /* a cursor; empty: from the beginning */
    struct yb_str q;     /* empty: all */
    unsigned limit;
    struct yb_str
        next; /* out: the cursor behind this page, in the transaction's memory; empty: the end */
};

/*
 * *out is new (json_decref()), and NULL after an error. Where addresses are set that mail is sent on to (contact, catch-all,
 * targets), its member `warnings` has a sentence for each that takes no mail, and a loop is refused;
 * where an address goes, one for each that still leads to it (*out may be nothing else, or NULL).
 * `suspend` with an empty reason lifts it.
 */
int yb_admin_tenant_add(struct yb_admin_tx *tx, struct yb_str name, const struct yb_admin_values *v,
                        json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_tenant_set(struct yb_admin_tx *tx, struct yb_str name, const struct yb_admin_values *v,
                        json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_tenant_suspend(struct yb_admin_tx *tx, struct yb_str name, struct yb_str reason,
                            json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_tenant_show(struct yb_admin_tx *tx, struct yb_str name, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
int yb_admin_tenant_list(struct yb_admin_tx *tx, struct yb_admin_page *page, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
/* Only without domains. */
int yb_admin_tenant_delete(struct yb_admin_tx *tx, struct yb_str name,
                           struct yb_err *err) YB_MUST_USE;

/* A domain of the tenant, served at once. The other verbs name it by its own name. */
int yb_admin_domain_add(struct yb_admin_tx *tx, struct yb_str tenant, struct yb_str name,
                        const struct yb_admin_values *v, json_t **out,
                        struct yb_err *err) YB_MUST_USE;
int yb_admin_domain_set(struct yb_admin_tx *tx, struct yb_str name, const struct yb_admin_values *v,
                        json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_domain_suspend(struct yb_admin_tx *tx, struct yb_str name, struct yb_str reason,
                            json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_domain_show(struct yb_admin_tx *tx, struct yb_str name, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
/* `tenant` may be empty: all. */
int yb_admin_domain_list(struct yb_admin_tx *tx, struct yb_str tenant, struct yb_admin_page *page,
                         json_t **out, struct yb_err *err) YB_MUST_USE;
/* Only without accounts; aliases, retirements and domain aliases go with it. */
int yb_admin_domain_delete(struct yb_admin_tx *tx, struct yb_str name,
                           struct yb_err *err) YB_MUST_USE;
int yb_admin_domain_alias(struct yb_admin_tx *tx, struct yb_str name, struct yb_str alias, bool add,
                          json_t **out, struct yb_err *err) YB_MUST_USE;

/* A mailbox of a domain that is there. Without a verifier nobody can log in until `set` gives one. */
int yb_admin_account_add(struct yb_admin_tx *tx, struct yb_str address,
                         const struct yb_admin_account *v, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
int yb_admin_account_set(struct yb_admin_tx *tx, struct yb_str address,
                         const struct yb_admin_account *v, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
int yb_admin_account_suspend(struct yb_admin_tx *tx, struct yb_str address, struct yb_str reason,
                             json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_account_show(struct yb_admin_tx *tx, struct yb_str address, json_t **out,
                          struct yb_err *err) YB_MUST_USE;
/* `domain` may be empty: all. */
int yb_admin_account_list(struct yb_admin_tx *tx, struct yb_str domain, struct yb_admin_page *page,
                          json_t **out, struct yb_err *err) YB_MUST_USE;
/* The row goes at once; *out has the account's id, whose mail `yubin store remove` removes. */
int yb_admin_account_delete(struct yb_admin_tx *tx, struct yb_str address, json_t **out,
                            struct yb_err *err) YB_MUST_USE;
/* True in *lives when an account with this id exists. */
int yb_admin_account_lives(struct yb_admin_tx *tx, struct yb_account_id id, bool *lives,
                           struct yb_err *err) YB_MUST_USE;
/* A new app password; its text is in *out and nowhere else. */
int yb_admin_account_app_password(struct yb_admin_tx *tx, struct yb_str address,
                                  struct yb_str label, json_t **out,
                                  struct yb_err *err) YB_MUST_USE;
/* Removes the app passwords of this label; `label` empty: all. */
int yb_admin_account_app_revoke(struct yb_admin_tx *tx, struct yb_str address, struct yb_str label,
                                json_t **out, struct yb_err *err) YB_MUST_USE;
/* Adds or removes one forward; one address (or "@domain" of the same tenant) it may send as. */
int yb_admin_account_forward(struct yb_admin_tx *tx, struct yb_str address, struct yb_str target,
                             bool add, json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_account_may_send(struct yb_admin_tx *tx, struct yb_str address, struct yb_str as,
                              bool add, json_t **out, struct yb_err *err) YB_MUST_USE;

/* An address that stands for v->targets, which may be elsewhere. */
int yb_admin_alias_add(struct yb_admin_tx *tx, struct yb_str address,
                       const struct yb_admin_alias *v, json_t **out,
                       struct yb_err *err) YB_MUST_USE;
int yb_admin_alias_set(struct yb_admin_tx *tx, struct yb_str address,
                       const struct yb_admin_alias *v, json_t **out,
                       struct yb_err *err) YB_MUST_USE;
int yb_admin_alias_show(struct yb_admin_tx *tx, struct yb_str address, json_t **out,
                        struct yb_err *err) YB_MUST_USE;
int yb_admin_alias_list(struct yb_admin_tx *tx, struct yb_str domain, struct yb_admin_page *page,
                        json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_alias_delete(struct yb_admin_tx *tx, struct yb_str address, json_t **out,
                          struct yb_err *err) YB_MUST_USE;

/* An address that is (or was) an account's or an alias's; `restore` ends the retirement. */
int yb_admin_retire(struct yb_admin_tx *tx, struct yb_str address,
                    const struct yb_admin_retirement *v, json_t **out,
                    struct yb_err *err) YB_MUST_USE;
int yb_admin_restore(struct yb_admin_tx *tx, struct yb_str address, struct yb_err *err) YB_MUST_USE;
int yb_admin_retired_list(struct yb_admin_tx *tx, struct yb_str domain, struct yb_admin_page *page,
                          json_t **out, struct yb_err *err) YB_MUST_USE;

/* Whose settings: at most one is given; none: the platform's. */
struct yb_admin_settings_of {
    struct yb_str tenant, domain, account; /* `p` NULL: not given */
};
struct yb_admin_setting {
    struct yb_str key, value; /* as it is written (lib/settings) */
};
/*
 * Settings by their rows of lib/settings, several in one row of the audit; those that are columns of
 * accounts, too. `lock` NULL leaves a lock as it is. *out is a list of what counts there now, whichever
 * level it is from: key, value, from, locked, counts.
 */
int yb_admin_setting_set(struct yb_admin_tx *tx, const struct yb_admin_settings_of *of,
                         const struct yb_admin_setting *v, size_t n, const bool *lock, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
int yb_admin_setting_unset(struct yb_admin_tx *tx, const struct yb_admin_settings_of *of,
                           const struct yb_str *keys, size_t n, json_t **out,
                           struct yb_err *err) YB_MUST_USE;
/* What is set there itself, and whether it counts; or `all` that counts there. */
int yb_admin_setting_list(struct yb_admin_tx *tx, const struct yb_admin_settings_of *of, bool all,
                          json_t **out, struct yb_err *err) YB_MUST_USE;
/* One setting of an account at each level from above: level, of, value, locked, counts, why. */
int yb_admin_setting_explain(struct yb_admin_tx *tx, struct yb_str key, struct yb_str account,
                             json_t **out, struct yb_err *err) YB_MUST_USE;

/* A row of the audit for a deed outside the database ("store.remove"): written before it is done. */
void yb_admin_deed(struct yb_admin_tx *tx, const char *action, struct yb_str object);
/* The same with more to tell. */
struct yb_admin_outside {
    const char *action; /* "queue.hold"; a literal */
    struct yb_str object;
    const struct yb_tenant_id *tenant;   /* whose it is; NULL: nobody's, or the account's */
    const struct yb_account_id *account; /* NULL: no account's */
    bool read;                           /* somebody looked, and changed nothing */
    json_t *after;                       /* what to tell of it; taken over; NULL: nothing */
};
void yb_admin_deed_outside(struct yb_admin_tx *tx, const struct yb_admin_outside *deed);
/* Rows of the audit, the latest that these leave (`p` NULL: all): the oldest of them first, or the latest.
 * The page behind it has those before. page->q is not looked at; its limit is 100 if it is 0. */
struct yb_admin_audit {
    struct yb_str object; /* an address, a domain, a tenant, a node, by name */
    struct yb_str tenant, actor;
    struct yb_str since, until; /* times, as PostgreSQL reads them; until is not in it */
    bool latest_first;
};
int yb_admin_audit_list(struct yb_admin_tx *tx, const struct yb_admin_audit *f,
                        struct yb_admin_page *page, json_t **out, struct yb_err *err) YB_MUST_USE;

/* What `yubin store check` found out of mailboxes of a store at home on a node, at most 10 000 at once. */
struct yb_usage_report;
int yb_admin_usage(struct yb_admin_tx *tx, struct yb_store_id store, struct yb_node_id node,
                   const struct yb_usage_report *usage, size_t n, struct yb_err *err) YB_MUST_USE;

/* A machine: the id that `yubin node init` made, a name for people, the host others reach it by, and the
 * id of the store that it has (empty: none yet). */
int yb_admin_node_add(struct yb_admin_tx *tx, struct yb_node_id id, struct yb_str name,
                      struct yb_str host, struct yb_str store_id, json_t **out,
                      struct yb_err *err) YB_MUST_USE;
int yb_admin_node_set(struct yb_admin_tx *tx, struct yb_str name, struct yb_str host,
                      struct yb_str state, json_t **out, struct yb_err *err) YB_MUST_USE;
/* The node has this store now; it had none, or one without accounts. */
int yb_admin_node_store(struct yb_admin_tx *tx, struct yb_node_id id, struct yb_str store_id,
                        struct yb_err *err) YB_MUST_USE;
/* The id of the store that it has; empty: none. In the transaction's memory. */
int yb_admin_node_store_of(struct yb_admin_tx *tx, struct yb_node_id id, struct yb_str *store_id,
                           struct yb_err *err) YB_MUST_USE;
int yb_admin_node_show(struct yb_admin_tx *tx, struct yb_str name, json_t **out,
                       struct yb_err *err) YB_MUST_USE;
int yb_admin_node_list(struct yb_admin_tx *tx, struct yb_admin_page *page, json_t **out,
                       struct yb_err *err) YB_MUST_USE;

/* Where mail lies. Made by the verbs of nodes; `gone` only without accounts. */
int yb_admin_store_set(struct yb_admin_tx *tx, struct yb_str name, const struct yb_admin_values *v,
                       json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_store_show(struct yb_admin_tx *tx, struct yb_str name, json_t **out,
                        struct yb_err *err) YB_MUST_USE;
int yb_admin_store_list(struct yb_admin_tx *tx, json_t **out, struct yb_err *err) YB_MUST_USE;

/*
 * Many accounts from JSON Lines, in one transaction of its own: all or none (passwords are hashed
 * before it begins). A line is an object:
 *   {"address": "u@d", "password": "…" | "verifier": "…", "name": "…", "quota": 1073741824,
 *    "keep_copy": true, "forwards": ["x@y"], "store": "name"}
 * Only the address is required. `problem` is called for every line that cannot be taken, before
 * anything is changed; `progress` now and then (hashing passwords takes time).
 */
struct yb_admin_import {
    void (*problem)(void *arg, size_t line, const char *text);
    void (*progress)(void *arg, const char *what, size_t done, size_t of);
    void *arg;
    size_t accounts;      /* out */
    size_t without_scram; /* out: imported hashes that cannot use SCRAM until the next login */
};
int yb_admin_account_import(struct yb_admin *a, const struct yb_admin_actor *actor, int fd,
                            struct yb_admin_import *import, struct yb_err *err) YB_MUST_USE;

#endif
