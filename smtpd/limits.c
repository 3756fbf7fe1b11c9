/*
 * A sliding window by two counters: this window's, and the last one's weighed by how much of it the
 * last `window_ms` still cover. Exact enough for thresholds, and eight bytes a limit.
 */
#include "smtpd/limits.h"

#include "lib/base/id.h"
#include "lib/base/map.h"

#include <pthread.h>

#define NETWORKS 65536
#define WAYS 8
#define LOCKS 64

struct entry {
    uint64_t network;
    int64_t window;        /* number of the window `now` counts */
    int64_t blocked_until; /* 0: not */
    struct {
        uint32_t now, last;
    } count[SMTPD_LIMITS];
    bool used;
};

struct smtpd_limits {
    struct smtpd_limits_conf conf;
    uint64_t key[2]; /* a stranger must not be able to choose whom it pushes out */
    size_t n_sets;
    pthread_mutex_t locks[LOCKS];
    struct entry *sets; /* n_sets * WAYS */
};

struct smtpd_limits *
smtpd_limits_new(const struct smtpd_limits_conf *conf)
{
    struct smtpd_limits *l = yb_alloc(1, sizeof(*l));
    size_t networks = conf->networks == 0 ? NETWORKS : conf->networks;

    l->conf = *conf;
    yb_random(l->key, sizeof(l->key));
    l->n_sets = (networks + WAYS - 1) / WAYS;
    l->sets = yb_alloc(l->n_sets * WAYS, sizeof(*l->sets));
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&l->locks[i], NULL);
    return l;
}

void
smtpd_limits_free(struct smtpd_limits **l)
{
    if (*l == NULL)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&(*l)->locks[i]);
    yb_free((*l)->sets);
    yb_free(*l);
    *l = NULL;
}

static size_t
set_of(const struct smtpd_limits *l, uint64_t network)
{
    return (size_t)(yb_siphash(l->key, yb_str((const char *)&network, sizeof(network))) %
                    l->n_sets);
}

/* The network's entry, or NULL. The set is locked. */
static struct entry *
find(struct smtpd_limits *l, size_t set, uint64_t network)
{
    for (size_t i = 0; i < WAYS; i++) {
        struct entry *e = &l->sets[set * WAYS + i];

        if (e->used && e->network == network)
            return e;
    }
    return NULL;
}

/* A free entry of the set, or the one that matters least: not blocked, then quiet longest. */
static struct entry *
claim(struct smtpd_limits *l, size_t set, uint64_t network, int64_t now_ms)
{
    struct entry *best = &l->sets[set * WAYS];

    for (size_t i = 0; i < WAYS; i++) {
        struct entry *e = &l->sets[set * WAYS + i];
        bool e_blocked = e->blocked_until > now_ms, best_blocked = best->blocked_until > now_ms;

        if (!e->used) {
            best = e;
            break;
        }
        if (e_blocked != best_blocked ? best_blocked : e->window < best->window)
            best = e;
    }
    *best = (struct entry){ .network = network, .used = true };
    best->window = now_ms / l->conf.window_ms;
    return best;
}

/* Brings the counters to the window of `now_ms`. */
static void
slide(struct entry *e, int64_t window)
{
    if (window == e->window)
        return;
    for (size_t i = 0; i < SMTPD_LIMITS; i++) {
        e->count[i].last = window == e->window + 1 ? e->count[i].now : 0;
        e->count[i].now = 0;
    }
    e->window = window;
}

enum smtpd_limit_state
smtpd_limits_count(struct smtpd_limits *l, uint64_t network, enum smtpd_limit kind, int64_t now_ms)
{
    size_t set = set_of(l, network);
    pthread_mutex_t *lock = &l->locks[set % LOCKS];
    int64_t inside = now_ms % l->conf.window_ms;
    enum smtpd_limit_state state = SMTPD_WITHIN;
    uint64_t sum;
    struct entry *e;

    pthread_mutex_lock(lock);
    e = find(l, set, network);
    if (e != NULL && e->blocked_until > now_ms) {
        state = SMTPD_BLOCKED;
    } else if (l->conf.most[kind] > 0) {
        if (e == NULL)
            e = claim(l, set, network, now_ms);
        slide(e, now_ms / l->conf.window_ms);
        e->count[kind].now++;
        sum = e->count[kind].now + (uint64_t)e->count[kind].last *
                                       (uint64_t)(l->conf.window_ms - inside) /
                                       (uint64_t)l->conf.window_ms;
        if (sum > l->conf.most[kind]) {
            e->blocked_until = now_ms + l->conf.block_ms;
            /* What was counted is paid for by the block: the network begins anew behind it. */
            memset(e->count, 0, sizeof(e->count));
            state = SMTPD_BEGINS;
        }
    }
    pthread_mutex_unlock(lock);
    return state;
}

bool
smtpd_limits_blocked(struct smtpd_limits *l, uint64_t network, int64_t now_ms)
{
    size_t set = set_of(l, network);
    pthread_mutex_t *lock = &l->locks[set % LOCKS];
    struct entry *e;
    bool blocked;

    pthread_mutex_lock(lock);
    e = find(l, set, network);
    blocked = e != NULL && e->blocked_until > now_ms;
    pthread_mutex_unlock(lock);
    return blocked;
}
