/*
 * Provisioning: tenants, domains, accounts, aliases, retirements, nodes. One function a verb,
 * shared by `yubin` (role yubin_operator, all rows) and the REST interface (role yubin_admin, the
 * rows of one tenant). Each call is one transaction. Things are named by people's names (a tenant's
 * name, a domain, an address); what is shown comes back as JSON made by the database: an object, or
 * a list.
 *
 * Errors: YB_PERM 5.1.x with a sentence for the operator (no such thing, exists already, over a
 * limit, not well-formed), YB_TEMP 4.3.0 when the database is away.
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
    struct yb_node_id node; /* home of new accounts where none is named; zero: the only live node */
    int64_t deadline_ms;    /* of a statement; 0: 30 s */
};

/* Opens nothing yet. Copies *conf. */
struct yb_admin *yb_admin_new(const struct yb_admin_conf *conf) YB_MUST_USE;
void yb_admin_free(struct yb_admin **a);

/*
 * Values to set, as text. `p` NULL: not given (add: the default; set: left as it is). Empty: none
 * (no limit, no contact, no catch-all).
 */
struct yb_admin_tenant {
    struct yb_str contact, max_domains, max_accounts, max_bytes;
};
struct yb_admin_domain {
    struct yb_str contact, catch_all, separator, subdomains, full_days, max_accounts, max_bytes;
};
struct yb_admin_account {
    struct yb_str name, quota_bytes, home_node, keep_copy, imap, pop3, submission;
    struct yb_str verifier; /* of lib/cred; add and set */
};
struct yb_admin_alias {
    const struct yb_str *targets; /* NULL: not given */
    size_t n_targets;
    struct yb_str enabled, expires_at, note;
};
struct yb_admin_retirement {
    struct yb_str kind; /* "deleted", "moved", "forward", "forward_tell" */
    struct yb_str new_address, expires_at;
};
#define YB_ADMIN_PAGE 10000 /* rows of a list when nobody says how many */
/* A piece of a long list: names after `after`, at most `limit` (0: YB_ADMIN_PAGE). */
struct yb_admin_page {
    struct yb_str after;
    unsigned limit;
};

/*
 * *out is new (json_decref()). Where addresses are set that mail is sent on to (contact, catch-all,
 * targets), its member `warnings` has a sentence for each that takes no mail, and a loop is refused;
 * where an address goes, one for each that still leads to it (*out may be nothing else, or NULL).
 * `suspend` with an empty reason lifts it.
 */
int yb_admin_tenant_add(struct yb_admin *a, struct yb_str name, const struct yb_admin_tenant *v,
                        json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_tenant_set(struct yb_admin *a, struct yb_str name, const struct yb_admin_tenant *v,
                        json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_tenant_suspend(struct yb_admin *a, struct yb_str name, struct yb_str reason,
                            json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_tenant_show(struct yb_admin *a, struct yb_str name, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
int yb_admin_tenant_list(struct yb_admin *a, const struct yb_admin_page *page, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
/* Only without domains. */
int yb_admin_tenant_delete(struct yb_admin *a, struct yb_str name, struct yb_err *err) YB_MUST_USE;

/* A domain of the tenant, served at once. The other verbs name it by its own name. */
int yb_admin_domain_add(struct yb_admin *a, struct yb_str tenant, struct yb_str name,
                        const struct yb_admin_domain *v, json_t **out,
                        struct yb_err *err) YB_MUST_USE;
int yb_admin_domain_set(struct yb_admin *a, struct yb_str name, const struct yb_admin_domain *v,
                        json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_domain_suspend(struct yb_admin *a, struct yb_str name, struct yb_str reason,
                            json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_domain_show(struct yb_admin *a, struct yb_str name, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
/* `tenant` may be empty: all. */
int yb_admin_domain_list(struct yb_admin *a, struct yb_str tenant, const struct yb_admin_page *page,
                         json_t **out, struct yb_err *err) YB_MUST_USE;
/* Only without accounts; aliases, retirements and domain aliases go with it. */
int yb_admin_domain_delete(struct yb_admin *a, struct yb_str name, struct yb_err *err) YB_MUST_USE;
int yb_admin_domain_alias(struct yb_admin *a, struct yb_str name, struct yb_str alias, bool add,
                          json_t **out, struct yb_err *err) YB_MUST_USE;

/* A mailbox of a domain that is there. Its home is v->home_node, else the conf's; without a verifier
 * nobody can log in until `set` gives one. */
int yb_admin_account_add(struct yb_admin *a, struct yb_str address,
                         const struct yb_admin_account *v, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
int yb_admin_account_set(struct yb_admin *a, struct yb_str address,
                         const struct yb_admin_account *v, json_t **out,
                         struct yb_err *err) YB_MUST_USE;
int yb_admin_account_suspend(struct yb_admin *a, struct yb_str address, struct yb_str reason,
                             json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_account_show(struct yb_admin *a, struct yb_str address, json_t **out,
                          struct yb_err *err) YB_MUST_USE;
/* `domain` may be empty: all. */
int yb_admin_account_list(struct yb_admin *a, struct yb_str domain,
                          const struct yb_admin_page *page, json_t **out,
                          struct yb_err *err) YB_MUST_USE;
/* The row goes at once; *out has the account's id, whose mail `yubin store remove` removes. */
int yb_admin_account_delete(struct yb_admin *a, struct yb_str address, json_t **out,
                            struct yb_err *err) YB_MUST_USE;
/* True in *lives when an account with this id exists. */
int yb_admin_account_lives(struct yb_admin *a, struct yb_account_id id, bool *lives,
                           struct yb_err *err) YB_MUST_USE;
/* A new app password; its text is in *out and nowhere else. */
int yb_admin_account_app_password(struct yb_admin *a, struct yb_str address, struct yb_str label,
                                  json_t **out, struct yb_err *err) YB_MUST_USE;
/* Removes the app passwords of this label; `label` empty: all. */
int yb_admin_account_app_revoke(struct yb_admin *a, struct yb_str address, struct yb_str label,
                                json_t **out, struct yb_err *err) YB_MUST_USE;
/* Adds or removes one forward; one address (or "@domain" of the same tenant) it may send as. */
int yb_admin_account_forward(struct yb_admin *a, struct yb_str address, struct yb_str target,
                             bool add, json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_account_may_send(struct yb_admin *a, struct yb_str address, struct yb_str as, bool add,
                              json_t **out, struct yb_err *err) YB_MUST_USE;

/* An address that stands for v->targets, which may be elsewhere. */
int yb_admin_alias_add(struct yb_admin *a, struct yb_str address, const struct yb_admin_alias *v,
                       json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_alias_set(struct yb_admin *a, struct yb_str address, const struct yb_admin_alias *v,
                       json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_alias_show(struct yb_admin *a, struct yb_str address, json_t **out,
                        struct yb_err *err) YB_MUST_USE;
int yb_admin_alias_list(struct yb_admin *a, struct yb_str domain, const struct yb_admin_page *page,
                        json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_alias_delete(struct yb_admin *a, struct yb_str address, json_t **out,
                          struct yb_err *err) YB_MUST_USE;

/* An address that is (or was) an account's or an alias's; `restore` ends the retirement. */
int yb_admin_retire(struct yb_admin *a, struct yb_str address, const struct yb_admin_retirement *v,
                    json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_restore(struct yb_admin *a, struct yb_str address, struct yb_err *err) YB_MUST_USE;
int yb_admin_retired_list(struct yb_admin *a, struct yb_str domain,
                          const struct yb_admin_page *page, json_t **out,
                          struct yb_err *err) YB_MUST_USE;

/* What `yubin store check` found out of mailboxes of a node, at most 10 000 at once. */
struct yb_usage_report;
int yb_admin_usage(struct yb_admin *a, struct yb_node_id node, const struct yb_usage_report *usage,
                   size_t n, struct yb_err *err) YB_MUST_USE;

/* A machine: the id that `yubin node init` made, a name for people, the host others reach it by. */
int yb_admin_node_add(struct yb_admin *a, struct yb_node_id id, struct yb_str name,
                      struct yb_str host, json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_node_set(struct yb_admin *a, struct yb_str name, struct yb_str host,
                      struct yb_str state, json_t **out, struct yb_err *err) YB_MUST_USE;
int yb_admin_node_store(struct yb_admin *a, struct yb_node_id id, struct yb_str store_id,
                        struct yb_err *err) YB_MUST_USE;
int yb_admin_node_show(struct yb_admin *a, struct yb_str name, json_t **out,
                       struct yb_err *err) YB_MUST_USE;
int yb_admin_node_list(struct yb_admin *a, json_t **out, struct yb_err *err) YB_MUST_USE;

/*
 * Many accounts from JSON Lines, in one transaction: all or none. A line is an object:
 *   {"address": "u@d", "password": "…" | "verifier": "…", "name": "…", "quota": 1073741824,
 *    "keep_copy": true, "forwards": ["x@y"]}
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
int yb_admin_account_import(struct yb_admin *a, int fd, struct yb_admin_import *import,
                            struct yb_err *err) YB_MUST_USE;

#endif
