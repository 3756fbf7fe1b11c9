#include "lib/directory/cache.h"

#include "lib/base/clock.h"
#include "lib/base/map.h"

#include <pthread.h>

#define SHARDS 64
/* Of each: those who share one are asked again for each other's changes. */
#define SLOTS 65536
/* Used entries that one eviction passes over. */
#define SPARED 16

/* Somebody is asking for a key. Held by the asker, by the entry, and by each who waits. */
struct flight {
    unsigned refs; /* under the shard's lock */
    bool done;
    int rc;
    struct yb_err err;
    struct yb_cache_value *value;
};

enum { POSITIVE, NEGATIVE, LISTS };

struct entry {
    struct entry *chain;         /* next of the bucket */
    struct entry *newer, *older; /* neighbours in the list */
    uint64_t hash;
    struct yb_cache_value *value; /* NULL: being asked for the first time */
    struct flight *flight;        /* NULL: nobody asks */
    bool used;                    /* since it was last looked at for eviction */
    unsigned list;
    size_t key_size;
    char key[];
};

/* Newest first. Positive answers have their own room, so that a flood of unknown addresses cannot
 * push the customers out. */
struct list {
    struct entry *newest, *oldest;
    size_t bytes, limit, n;
};

struct shard {
    pthread_mutex_t lock;
    pthread_cond_t landed; /* a flight is done */
    struct entry **buckets;
    size_t n_buckets; /* a power of two */
    struct list lists[LISTS];
};

struct yb_cache {
    uint64_t secret[2];
    int64_t stale_ms, notice_ms;
    pthread_mutex_t key_lock;
    struct yb_notice_key key;      /* under its lock */
    atomic_uint_least64_t key_no;  /* grows with each other key */
    atomic_uint_least64_t counter; /* of changes */
    atomic_uint_least64_t all, any_name, any_domain, any_tenant;
    atomic_uint_least64_t domains[SLOTS], addresses[SLOTS], tenants[SLOTS];
    atomic_uint_least64_t generation; /* of the listening connection; odd while it is up */
    atomic_uint_least64_t hits, misses, stale_served, failed, evicted;
    struct shard shards[SHARDS];
};

struct yb_cache *
yb_cache_new(size_t bytes, int64_t stale_ms, int64_t notice_ms)
{
    struct yb_cache *c = yb_alloc(1, sizeof(*c));
    size_t each = bytes / SHARDS, n = 16;

    yb_random(c->secret, sizeof(c->secret));
    c->stale_ms = stale_ms;
    c->notice_ms = notice_ms;
    pthread_mutex_init(&c->key_lock, NULL);
    while (n * 512 < each)
        n *= 2;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &c->shards[i];

        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->landed, NULL);
        s->n_buckets = n;
        s->buckets = yb_alloc(n, sizeof(struct entry *));
        s->lists[NEGATIVE].limit = each / 4;
        s->lists[POSITIVE].limit = each - each / 4;
    }
    return c;
}

struct yb_cache_value *
yb_cache_value_new(size_t size)
{
    struct yb_cache_value *v = yb_alloc(1, sizeof(*v) + size);

    atomic_init(&v->refs, 1);
    v->size = size;
    return v;
}

static struct yb_cache_value *
value_hold(struct yb_cache_value *v)
{
    if (v != NULL)
        atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void
yb_cache_value_drop(struct yb_cache_value **v)
{
    struct yb_cache_value *old = *v;

    *v = NULL;
    if (old == NULL || atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) != 1)
        return;
    explicit_bzero(old->data, old->size);
    yb_free(old);
}

/*
 * The slot of an address is that of its base: what stands before the first byte that could separate
 * a sub-address. So a notice about `u` reaches what was answered for `u+x` as well, whatever the
 * domain's separator is; `john.a` and `john.b` share a slot, which costs a question now and then.
 */
static uint32_t
slot_of(uint64_t hash)
{
    return (uint32_t)(hash % SLOTS);
}

struct yb_notice_key
yb_cache_key_now(struct yb_cache *c)
{
    struct yb_notice_key key;

    pthread_mutex_lock(&c->key_lock);
    key = c->key;
    pthread_mutex_unlock(&c->key_lock);
    return key;
}

static void
depend_domain(const struct yb_notice_key *key, struct yb_cache_value *v, struct yb_str domain)
{
    if (v->n_domains == YB_CACHE_DOMAINS)
        v->deep = true;
    else
        v->domains[v->n_domains++] = slot_of(yb_notice_domain(key, domain));
}

void
yb_cache_depend(struct yb_cache *c, struct yb_cache_value *v, struct yb_str local,
                struct yb_str domain)
{
    struct yb_notice_key key = yb_cache_key_now(c);

    yb_assert(v->n_addresses < YB_CACHE_ADDRESSES);
    v->addresses[v->n_addresses++] = slot_of(yb_notice_address(&key, local, domain));
    depend_domain(&key, v, domain);
}

void
yb_cache_depend_above(struct yb_cache *c, struct yb_cache_value *v, struct yb_str domain,
                      struct yb_str end)
{
    struct yb_notice_key key = yb_cache_key_now(c);

    v->names = true;
    for (;;) {
        domain = yb_str_skip(domain, yb_str_find(domain, '.') + 1);
        if (domain.n <= end.n)
            break;
        depend_domain(&key, v, domain);
    }
}

void
yb_cache_depend_tenant(struct yb_cache *c, struct yb_cache_value *v, struct yb_tenant_id tenant)
{
    struct yb_notice_key key = yb_cache_key_now(c);

    v->owner = YB_CACHE_TENANT;
    v->tenant = slot_of(yb_notice_tenant(&key, tenant));
}

/* A notice came that concerns it, whether it counts already or not. */
static bool
value_noticed(struct yb_cache *c, const struct yb_cache_value *v)
{
    /* By the hashes of another key nothing can be told from anything. */
    if (v->key_no != atomic_load(&c->key_no))
        return atomic_load(&c->counter) > v->seen;
    if (atomic_load(&c->all) > v->seen || (v->names && atomic_load(&c->any_name) > v->seen) ||
        (v->deep && atomic_load(&c->any_domain) > v->seen) ||
        (v->owner == YB_CACHE_TENANT && atomic_load(&c->tenants[v->tenant]) > v->seen) ||
        (v->owner == YB_CACHE_UNKNOWN && atomic_load(&c->any_tenant) > v->seen))
        return true;
    for (unsigned i = 0; i < v->n_domains; i++) {
        if (atomic_load(&c->domains[v->domains[i]]) > v->seen)
            return true;
    }
    for (unsigned i = 0; i < v->n_addresses; i++) {
        if (atomic_load(&c->addresses[v->addresses[i]]) > v->seen)
            return true;
    }
    return false;
}

/* A notice came that concerns it, or it is over. */
static bool
value_changed(struct yb_cache *c, const struct yb_cache_value *v)
{
    return (value_noticed(c, v) && yb_clock_ms() >= v->quiet_ms) ||
           (v->until != 0 && yb_clock_now() >= v->until);
}

static bool
value_fresh(struct yb_cache *c, const struct yb_cache_value *v)
{
    uint64_t generation = atomic_load(&c->generation);

    return generation % 2 == 1 && v->generation == generation &&
           yb_clock_ms() - v->at_ms < c->stale_ms && !value_changed(c, v);
}

static struct shard *
shard_of(struct yb_cache *c, uint64_t hash)
{
    return &c->shards[hash >> 58];
}

static struct entry *
entry_find(const struct shard *s, uint64_t hash, struct yb_str key)
{
    struct entry *e = s->buckets[hash & (s->n_buckets - 1)];

    while (e != NULL &&
           (e->hash != hash || e->key_size != key.n || memcmp(e->key, key.p, key.n) != 0))
        e = e->chain;
    return e;
}

static size_t
entry_bytes(const struct entry *e)
{
    return sizeof(*e) + e->key_size + sizeof(*e->value) + e->value->size + 32;
}

static void
list_add(struct shard *s, struct entry *e)
{
    struct list *l;

    e->list = e->value->positive ? POSITIVE : NEGATIVE;
    l = &s->lists[e->list];
    e->older = l->newest;
    e->newer = NULL;
    if (l->newest != NULL)
        l->newest->newer = e;
    else
        l->oldest = e;
    l->newest = e;
    l->bytes += entry_bytes(e);
    l->n++;
}

static void
list_remove(struct shard *s, struct entry *e)
{
    struct list *l = &s->lists[e->list];

    if (e->newer != NULL)
        e->newer->older = e->older;
    else
        l->newest = e->older;
    if (e->older != NULL)
        e->older->newer = e->newer;
    else
        l->oldest = e->newer;
    l->bytes -= entry_bytes(e);
    l->n--;
}

/* Takes the entry, which is in no list, out of its bucket. */
static void
entry_free(struct shard *s, struct entry *e)
{
    struct entry **at = &s->buckets[e->hash & (s->n_buckets - 1)];

    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    yb_cache_value_drop(&e->value);
    yb_free(e);
}

static struct entry *
entry_new(struct shard *s, uint64_t hash, struct yb_str key)
{
    struct entry *e = yb_alloc(1, sizeof(*e) + key.n);
    struct entry **at = &s->buckets[hash & (s->n_buckets - 1)];

    e->hash = hash;
    e->key_size = key.n;
    memcpy(e->key, key.p, key.n);
    e->chain = *at;
    *at = e;
    return e;
}

/* The oldest go; a few that were used since they were last looked at are spared once. */
static void
list_evict(struct yb_cache *c, struct shard *s, struct list *l)
{
    size_t looks = l->n + SPARED;

    for (size_t looked = 0; l->bytes > l->limit && l->oldest != NULL && looked < looks; looked++) {
        struct entry *e = l->oldest;

        list_remove(s, e);
        if (e->flight != NULL || (e->used && looked < SPARED)) {
            e->used = false;
            list_add(s, e);
            continue;
        }
        entry_free(s, e);
        atomic_fetch_add_explicit(&c->evicted, 1, memory_order_relaxed);
    }
}

void
yb_cache_free(struct yb_cache **c)
{
    if (*c == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &(*c)->shards[i];

        for (unsigned k = 0; k < LISTS; k++) {
            while (s->lists[k].oldest != NULL) {
                struct entry *e = s->lists[k].oldest;

                list_remove(s, e);
                entry_free(s, e);
            }
        }
        pthread_cond_destroy(&s->landed);
        pthread_mutex_destroy(&s->lock);
        yb_free(s->buckets);
    }
    pthread_mutex_destroy(&(*c)->key_lock);
    explicit_bzero(&(*c)->key, sizeof((*c)->key));
    yb_free(*c);
    *c = NULL;
}

/* The shard's lock is held. */
static void
flight_drop(struct flight *f)
{
    if (--f->refs > 0)
        return;
    yb_cache_value_drop(&f->value);
    yb_free(f);
}

/* One key of a lookup. */
struct want {
    uint64_t hash;
    struct flight *flight; /* asked for now, by us or by another thread */
    bool ours, joined;
    int64_t quiet_ms;             /* of what will be known */
    struct yb_cache_value *stale; /* what was known before */
};

/* A fresh value at once, or a flight: one that is under way or, `ours`, a new one. */
static struct yb_cache_value *
want_begin(struct yb_cache *c, struct yb_str key, struct want *w)
{
    struct shard *s = shard_of(c, w->hash);
    struct yb_cache_value *v = NULL;
    struct entry *e;

    pthread_mutex_lock(&s->lock);
    e = entry_find(s, w->hash, key);
    if (e != NULL && e->value != NULL && value_fresh(c, e->value)) {
        e->used = true;
        v = value_hold(e->value);
    } else {
        if (e == NULL)
            e = entry_new(s, w->hash, key);
        w->ours = e->flight == NULL;
        w->joined = !w->ours;
        if (w->ours) {
            e->flight = yb_alloc(1, sizeof(*e->flight));
            e->flight->refs = 1;
        }
        w->flight = e->flight;
        w->flight->refs++;
        w->stale = value_hold(e->value);
        if (e->value != NULL)
            w->quiet_ms =
                value_noticed(c, e->value) ? yb_clock_ms() + c->notice_ms : e->value->quiet_ms;
    }
    pthread_mutex_unlock(&s->lock);
    return v;
}

/* Our flight is over: the value (taken over) or the error goes to all who wait, and into the
 * entry. */
static void
want_land(struct yb_cache *c, struct yb_str key, struct want *w, struct yb_cache_value *v,
          const struct yb_err *err)
{
    struct shard *s = shard_of(c, w->hash);
    struct entry *e;

    pthread_mutex_lock(&s->lock);
    e = entry_find(s, w->hash, key);
    yb_assert(e != NULL && e->flight == w->flight);
    e->flight = NULL;
    w->flight->done = true;
    if (v != NULL) {
        w->flight->value = value_hold(v);
        if (e->value != NULL) {
            list_remove(s, e);
            yb_cache_value_drop(&e->value);
        }
        e->value = v;
        list_add(s, e);
        list_evict(c, s, &s->lists[e->list]);
    } else {
        w->flight->rc = -1;
        w->flight->err = *err;
        if (e->value == NULL)
            entry_free(s, e);
    }
    pthread_cond_broadcast(&s->landed);
    flight_drop(w->flight); /* the entry's */
    pthread_mutex_unlock(&s->lock);
}

/* Waits for the flight to land: its value, or what was known before if that may still be served,
 * or NULL with *err. */
static struct yb_cache_value *
want_end(struct yb_cache *c, struct want *w, struct yb_err *err)
{
    struct shard *s = shard_of(c, w->hash);
    struct yb_cache_value *v;

    pthread_mutex_lock(&s->lock);
    while (!w->flight->done)
        pthread_cond_wait(&s->landed, &s->lock);
    v = value_hold(w->flight->value);
    if (v == NULL && err != NULL)
        *err = w->flight->err;
    flight_drop(w->flight);
    pthread_mutex_unlock(&s->lock);
    w->flight = NULL;
    if (v == NULL && w->stale != NULL && w->stale->positive && !value_changed(c, w->stale)) {
        v = w->stale;
        w->stale = NULL;
        atomic_fetch_add_explicit(&c->stale_served, 1, memory_order_relaxed);
    }
    yb_cache_value_drop(&w->stale);
    return v;
}

/* Asks for the keys whose flights are ours, and lands them. */
static void
wants_ask(struct yb_cache *c, const struct yb_str *keys, size_t n, struct want *wants,
          const struct yb_cache_asker *asker)
{
    uint64_t generation = atomic_load(&c->generation), seen = atomic_load(&c->counter);
    uint64_t key_no = atomic_load(&c->key_no);
    struct yb_cache_value **values = yb_alloc(n, sizeof(*values));
    size_t *which = yb_alloc(n, sizeof(*which)), asked = 0;
    struct yb_err err = { 0 };

    for (size_t i = 0; i < n; i++) {
        if (wants[i].flight != NULL && wants[i].ours)
            which[asked++] = i;
    }
    if (asked > 0 && asker->ask(asker->arg, which, asked, values, &err) < 0)
        memset(values, 0, n * sizeof(struct yb_cache_value *));
    for (size_t i = 0; i < asked; i++) {
        if (values[i] != NULL) {
            values[i]->seen = seen;
            values[i]->key_no = key_no;
            values[i]->quiet_ms = wants[which[i]].quiet_ms;
            values[i]->generation = generation % 2 == 1 ? generation : 0;
            values[i]->at_ms = yb_clock_ms();
        }
        want_land(c, keys[which[i]], &wants[which[i]], values[i], &err);
    }
    yb_free(values);
    yb_free(which);
}

/* Asks or waits for what is not known at once. -1: something could not be had. */
static int
cache_miss(struct yb_cache *c, const struct yb_str *keys, size_t n, struct want *wants,
           const struct yb_cache_asker *asker, struct yb_cache_value **out, struct yb_err *err)
{
    int rc = 0;

    wants_ask(c, keys, n, wants, asker);
    for (size_t i = 0; i < n; i++) {
        if (wants[i].flight == NULL)
            continue;
        atomic_fetch_add_explicit(&c->misses, 1, memory_order_relaxed);
        out[i] = want_end(c, &wants[i], err);
        if (out[i] == NULL)
            rc = -1;
    }
    return rc;
}

int
yb_cache_get(struct yb_cache *c, const struct yb_str *keys, size_t n,
             const struct yb_cache_asker *asker, struct yb_cache_value **out, struct yb_err *err)
{
    struct want one = { 0 }, *wants = n == 1 ? &one : yb_alloc(n, sizeof(*wants));
    size_t known = 0;
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        wants[i].hash = yb_siphash(c->secret, keys[i]);
        out[i] = want_begin(c, keys[i], &wants[i]);
        known += out[i] != NULL;
    }
    atomic_fetch_add_explicit(&c->hits, known, memory_order_relaxed);
    if (known < n)
        rc = cache_miss(c, keys, n, wants, asker, out, err);
    /* An answer that another thread had asked for before a change that we may know of already. */
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (wants[i].joined && value_changed(c, out[i])) {
            wants[i].joined = false;
            yb_cache_value_drop(&out[i]);
            out[i] = want_begin(c, keys[i], &wants[i]);
            rc = out[i] != NULL ? 0 : cache_miss(c, keys, n, wants, asker, out, err);
        }
    }
    if (rc < 0) {
        atomic_fetch_add_explicit(&c->failed, 1, memory_order_relaxed);
        for (size_t i = 0; i < n; i++)
            yb_cache_value_drop(&out[i]);
    }
    if (n != 1)
        yb_free(wants);
    return rc;
}

void
yb_cache_key(struct yb_cache *c, const struct yb_notice_key *key)
{
    bool other;

    pthread_mutex_lock(&c->key_lock);
    other = memcmp(&c->key, key, sizeof(*key)) != 0;
    c->key = *key;
    pthread_mutex_unlock(&c->key_lock);
    /* After the key: who reads the new number has computed, or will, by the new key. */
    if (other) {
        atomic_fetch_add(&c->key_no, 1);
        if (atomic_load(&c->generation) % 2 == 1)
            atomic_fetch_add(&c->generation, 2);
    }
}

void
yb_cache_up(struct yb_cache *c)
{
    uint64_t generation = atomic_load(&c->generation);

    atomic_store(&c->generation, generation + (generation % 2 == 1 ? 2 : 1));
}

void
yb_cache_down(struct yb_cache *c)
{
    uint64_t generation = atomic_load(&c->generation);

    atomic_store(&c->generation, generation + generation % 2);
}

void
yb_cache_changed_address(struct yb_cache *c, uint64_t hash)
{
    uint64_t now = atomic_fetch_add(&c->counter, 1) + 1;

    atomic_store(&c->addresses[slot_of(hash)], now);
}

void
yb_cache_changed_domain(struct yb_cache *c, uint64_t hash)
{
    uint64_t now = atomic_fetch_add(&c->counter, 1) + 1;

    atomic_store(&c->domains[slot_of(hash)], now);
    atomic_store(&c->any_domain, now);
}

void
yb_cache_changed_tenant(struct yb_cache *c, uint64_t hash)
{
    uint64_t now = atomic_fetch_add(&c->counter, 1) + 1;

    atomic_store(&c->tenants[slot_of(hash)], now);
    atomic_store(&c->any_tenant, now);
}

void
yb_cache_changed_names(struct yb_cache *c)
{
    uint64_t now = atomic_fetch_add(&c->counter, 1) + 1;

    atomic_store(&c->any_name, now);
}

void
yb_cache_changed_all(struct yb_cache *c)
{
    uint64_t now = atomic_fetch_add(&c->counter, 1) + 1;

    atomic_store(&c->all, now);
}

void
yb_cache_stats(struct yb_cache *c, struct yb_directory_stats *out)
{
    *out = (struct yb_directory_stats){
        .listening = atomic_load(&c->generation) % 2 == 1,
        .hits = atomic_load(&c->hits),
        .misses = atomic_load(&c->misses),
        .stale_served = atomic_load(&c->stale_served),
        .failed = atomic_load(&c->failed),
        .evicted = atomic_load(&c->evicted),
    };
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &c->shards[i];

        pthread_mutex_lock(&s->lock);
        for (unsigned k = 0; k < LISTS; k++) {
            out->entries += s->lists[k].n;
            out->bytes += s->lists[k].bytes;
        }
        pthread_mutex_unlock(&s->lock);
    }
}
