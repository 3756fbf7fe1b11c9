/* The object behind struct yb_directory, for lib/directory alone. */
#ifndef YB_DIRECTORY_INSIDE_H
#define YB_DIRECTORY_INSIDE_H

#include "lib/directory/places.h"
#include "lib/directory/step.h"

struct yb_db_listener;

struct yb_directory {
    struct yb_db *db;
    struct yb_cache *cache;
    struct yb_places *places;
    struct yb_db_listener *listener;
    struct yb_node_id node;
    enum yb_directory_warm warm;
    struct yb_notice_key key; /* of notices; the listener's thread */
    uint64_t map_asked;       /* the number of its last question about the map, likewise */
    struct yb_str map;        /* what it was answered, likewise; ours */
    int64_t notice_ms, stale_ms;
    void (*changed)(void *arg, const struct yb_directory_change *what); /* may be NULL */
    void *changed_arg;
    char *conninfo, *application;
    char *postmaster; /* "local@domain" or "" */
};

/* --- resolve.c --- */
/* yb_directory_resolve() of an address with a domain, whatever its local part means. */
int yb_resolve_address(struct yb_directory *d, struct yb_str local, struct yb_str domain,
                       struct yb_arena *arena, struct yb_resolution *out,
                       struct yb_err *err) YB_MUST_USE;
struct yb_str yb_address_join(struct yb_arena *arena, struct yb_str local, struct yb_str domain);
/* "local@domain" taken apart; addresses in rows hold one '@'. */
void yb_address_split(struct yb_str address, struct yb_str *local, struct yb_str *domain);
/*
 * Whose mailboxes an address leads to, for the question who may send as it: over-quota and
 * suspended ones count, forwards are not followed (who is forwarded to is not who sends).
 * *may: `account` is among them, and the address belongs to `tenant`.
 */
int yb_resolve_owns(struct yb_directory *d, struct yb_account_id account,
                    struct yb_tenant_id tenant, struct yb_str local, struct yb_str domain,
                    struct yb_arena *arena, bool *may, struct yb_err *err) YB_MUST_USE;

#endif
