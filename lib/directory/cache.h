/*
 * The coherent cache of lib/directory, for lib/directory alone. It knows nothing of what it keeps:
 * immutable, reference-counted values under byte keys, asked for by a callback.
 *
 * How it stays coherent. Every notice of a change takes the next number of one counter and writes
 * it into the slot of what changed (an address, a domain, a tenant, everything). A lookup reads the counter
 * *before* it asks the database, and its answer carries that number; it counts only as long as no
 * slot it depends on holds a greater one. So an answer that was read before a change, but arrives
 * after the notice, is void at birth; nothing is searched for or removed when a notice comes.
 *
 * An answer is *changed* (a notice came, or its own end): asked again, never served. It is *stale*
 * (older than stale_ms, or changes may have been missed since): asked again, and served all the
 * same if it is positive and the database cannot be asked.
 *
 * Anybody in the database can send notices, also about nothing. So a key that was asked for again
 * because of one is not asked for by another before notice_ms have passed: the first counts at
 * once, those that follow at the end of that time. However many come, they cost one question a key
 * and notice_ms.
 *
 * Slots are found by the hash that the notice carries (notice.h). Answers keep theirs, computed
 * once under the key of the time; under another key they are changed by whatever comes.
 */
#ifndef YB_DIRECTORY_CACHE_H
#define YB_DIRECTORY_CACHE_H

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/directory/directory.h"
#include "lib/directory/notice.h"

#include <stdatomic.h>

struct yb_cache;

/* Slots of domains and of addresses that an answer depends on: a name with all that it could be below
 * of, and the domain that serves it; the address, and the same in that domain. */
#define YB_CACHE_DOMAINS 8
#define YB_CACHE_ADDRESSES 2

/* Whose an answer is: which notices about a tenant concern it. */
enum yb_cache_owner {
    YB_CACHE_NOBODY, /* no notice about a tenant alone: a name that is not hosted; ids */
    YB_CACHE_TENANT, /* those about this one */
    YB_CACHE_UNKNOWN /* those about any: the answer does not tell */
};

struct yb_cache_value {
    atomic_uint refs;
    bool positive; /* leads to somebody; may be served when the database is away */
    bool names;    /* depends on which names are hosted besides its own */
    bool deep;     /* and on more of them than it has slots for: on each */
    uint8_t n_domains, n_addresses;
    enum yb_cache_owner owner;
    int64_t until; /* seconds since 1970 after which it is void; 0: none */
    uint32_t domains[YB_CACHE_DOMAINS], addresses[YB_CACHE_ADDRESSES], tenant;
    /* Set by the cache: */
    uint64_t seen;       /* the counter before asking */
    uint64_t key_no;     /* the notice key before asking */
    int64_t quiet_ms;    /* no notice counts before */
    uint64_t generation; /* of the listening connection; 0: none */
    int64_t at_ms;
    size_t size;                       /* of `data` */
    _Alignas(max_align_t) char data[]; /* the asker's struct, then its bytes */
};

/* Keeps at most about `bytes`, longest unused out first; what is older than stale_ms is stale. */
struct yb_cache *yb_cache_new(size_t bytes, int64_t stale_ms, int64_t notice_ms) YB_MUST_USE;
/* No lookup may be under way, no value held. */
void yb_cache_free(struct yb_cache **c);

/* A value with `size` zeroed bytes of data and one reference. */
struct yb_cache_value *yb_cache_value_new(size_t size) YB_MUST_USE;
/* Drops a reference and sets *v to NULL. Values may hold secrets: the last one wipes. */
void yb_cache_value_drop(struct yb_cache_value **v);
/* Adds what the value depends on; local and domain in key form. */
void yb_cache_depend(struct yb_cache *c, struct yb_cache_value *v, struct yb_str local,
                     struct yb_str domain);
/* On all names above `domain`, up to and without `end` (a domain above it; empty: to the top). */
void yb_cache_depend_above(struct yb_cache *c, struct yb_cache_value *v, struct yb_str domain,
                           struct yb_str end);
void yb_cache_depend_tenant(struct yb_cache *c, struct yb_cache_value *v,
                            struct yb_tenant_id tenant);

/*
 * Asks for the keys at `which` (indexes into the keys of the lookup): new values, one reference
 * each, into out[0 … n). All or nothing.
 */
struct yb_cache_asker {
    int (*ask)(void *arg, const size_t *which, size_t n, struct yb_cache_value **out,
               struct yb_err *err);
    void *arg;
};

/*
 * Looks n keys up, asking once for all that are not known or not good any more; a key that another
 * thread is asking for is waited for instead. out gets one reference each. -1 (and no values): at
 * least one is neither known nor could be asked for.
 */
int yb_cache_get(struct yb_cache *c, const struct yb_str *keys, size_t n,
                 const struct yb_cache_asker *asker, struct yb_cache_value **out,
                 struct yb_err *err) YB_MUST_USE;

/* The key of the notices that come. By another one than before everything is stale. One thread. */
void yb_cache_key(struct yb_cache *c, const struct yb_notice_key *key);
/* Notices are heard from now on; everything from before is stale. */
void yb_cache_up(struct yb_cache *c);
/* Notices may be missed from now on. */
void yb_cache_down(struct yb_cache *c);
/* By the hashes of notice.h. */
void yb_cache_changed_address(struct yb_cache *c, uint64_t hash);
void yb_cache_changed_domain(struct yb_cache *c, uint64_t hash);
void yb_cache_changed_tenant(struct yb_cache *c, uint64_t hash);
void yb_cache_changed_names(struct yb_cache *c);
void yb_cache_changed_all(struct yb_cache *c);

/* The key that notices carry hashes by now. */
struct yb_notice_key yb_cache_key_now(struct yb_cache *c);

/* What it holds now, and how lookups were answered since the start. */
void yb_cache_stats(struct yb_cache *c, struct yb_directory_stats *out);

#endif
