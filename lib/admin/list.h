/* Inside lib/admin: lists in pages. A page begins behind a key, and ends with the key of its last row. */
#ifndef YB_ADMIN_LIST_H
#define YB_ADMIN_LIST_H

#include "lib/admin/verb.h"

/*
 * A statement of a list. It answers a row for each that it meets: the two parts of its key, as text, and
 * its card as JSON, or NULL where it does not fit what was asked for. `takes` has a letter for each of its
 * parameters, in their order:
 *
 *   a b   the key behind which it begins ("": at the beginning)     n   rows, at most (integer)
 *   f     whose: a domain's or a tenant's name                      t   a part of a name
 *   l h   addresses from, and up to                                 w x words from, and up to
 *   o     what else was looked for (text[])
 *   S U A T O P   of the audit: since, until, actor, tenant, object as said, as it is written in rows
 */
struct yb_admin_step {
    const struct yb_db_statement *st; /* NULL: there is none */
    const char *takes;
};
enum { YB_ADMIN_WHOLE, YB_ADMIN_BEGIN, YB_ADMIN_WORDS, YB_ADMIN_PHASES };
struct yb_admin_listing {
    const char *name; /* in cursors */
    /* Without and with `f`; without `q`, and with it one after the other. */
    struct yb_admin_step steps[2][YB_ADMIN_PHASES];
    /* Is there what `f` names? Answers JSON, false also where who asks may not see it. */
    const struct yb_db_statement *there;
    const char *whose; /* what `f` names: "domain" */
    bool numbers;      /* the two parts of its key are */
    /* It goes by an index of lower(), which is not leakproof and so no index below a policy: before the
     * REST interface asks it, it needs another. */
    bool command_line_only;
};
enum yb_admin_list_id {
    YB_ADMIN_TENANTS,
    YB_ADMIN_DOMAINS,
    YB_ADMIN_ACCOUNTS,
    YB_ADMIN_ALIASES,
    YB_ADMIN_RETIRED,
    YB_ADMIN_NODES,
    YB_ADMIN_AUDIT,
    YB_ADMIN_AUDIT_BY,
    YB_ADMIN_AUDIT_OF,
    YB_ADMIN_AUDIT_OBJECT,
    YB_ADMIN_LISTINGS
};
extern const struct yb_admin_listing yb_admin_listings[YB_ADMIN_LISTINGS];

/* What is asked for: by the letters above; `p` NULL is NULL. `others` is o. */
struct yb_admin_wanted {
    struct yb_str v[128];
    struct yb_terms_list {
        const struct yb_str *v;
        size_t n;
    } others[YB_ADMIN_PHASES];
    bool no_words; /* it is an address: words are not looked for */
};

/* Before a list's statements are planned: index by index, since what a policy or a prefix leaves is not
 * known to the planner, and an average tenant's rows would be sorted (set for this transaction). */
extern const struct yb_db_statement yb_admin_list_plans;

/* A page of it; *out is an array, page->next where the next one begins. Of a domain or tenant that is not
 * there, or not for who asks, it is refused. */
int yb_admin_list(struct yb_admin_tx *tx, enum yb_admin_list_id id,
                  const struct yb_admin_wanted *wanted, struct yb_admin_page *page, json_t **out,
                  struct yb_err *err) YB_MUST_USE;
/* A page of things that have addresses, all or a domain's; of names. */
int yb_admin_list_addresses(struct yb_admin_tx *tx, enum yb_admin_list_id id, struct yb_str domain,
                            struct yb_admin_page *page, json_t **out,
                            struct yb_err *err) YB_MUST_USE;
int yb_admin_list_names(struct yb_admin_tx *tx, enum yb_admin_list_id id, struct yb_str of,
                        struct yb_admin_page *page, json_t **out, struct yb_err *err) YB_MUST_USE;
/* A card, as JSON of the database, as it is shown. New, or NULL with *err. */
json_t *yb_admin_shown(struct yb_str card, const char *statement, struct yb_err *err) YB_MUST_USE;

#endif
