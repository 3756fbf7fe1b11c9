#include "lib/auth/limit.h"

#include "lib/base/map.h"
#include "lib/net/addr.h"

#include <pthread.h>
#include <sys/queue.h>

/* One account as tried from one network. */
struct pair {
    TAILQ_ENTRY(pair) link; /* by the time of the first wrong password */
    char *key;
    size_t n_key;
    int64_t ends_ms;
    unsigned n;       /* different wrong passwords */
    uint64_t wrong[]; /* beginnings of their tokens */
};

struct yb_auth_limit {
    struct yb_auth_limit_conf conf;
    pthread_mutex_t lock;
    struct yb_map *by_key;
    TAILQ_HEAD(pairs, pair) pairs;
};

struct yb_auth_limit *
yb_auth_limit_new(const struct yb_auth_limit_conf *conf)
{
    struct yb_auth_limit *l = yb_alloc(1, sizeof(*l));

    yb_assert(conf->attempts > 0 && conf->size > 0);
    l->conf = *conf;
    yb_assert(pthread_mutex_init(&l->lock, NULL) == 0);
    l->by_key = yb_map_new();
    TAILQ_INIT(&l->pairs);
    return l;
}

static void
drop(struct yb_auth_limit *l, struct pair *p)
{
    TAILQ_REMOVE(&l->pairs, p, link);
    yb_map_remove(l->by_key, yb_str(p->key, p->n_key));
    yb_free(p->key);
    yb_free(p);
}

void
yb_auth_limit_free(struct yb_auth_limit **l)
{
    struct pair *p;

    if (*l == NULL)
        return;
    while ((p = TAILQ_FIRST(&(*l)->pairs)) != NULL)
        drop(*l, p);
    yb_map_free(&(*l)->by_key);
    pthread_mutex_destroy(&(*l)->lock);
    yb_free(*l);
    *l = NULL;
}

struct yb_str
yb_auth_limit_key(struct yb_str name, const struct sockaddr *peer, char out[YB_AUTH_LIMIT_KEY])
{
    struct yb_network network = yb_network_of(yb_ip_of(peer));
    /* "-" for nowhere: what unknown users are shown is made of that key, and stays what it was. */
    struct yb_str from = peer == NULL ? YB_STR("-") : yb_network_key(&network);
    struct yb_str who = yb_str_head(name, YB_AUTH_LIMIT_KEY - sizeof(network));

    memcpy(out, from.p, from.n); /* fixed lengths by their first byte: no two pairs share a key */
    for (size_t i = 0; i < who.n; i++)
        out[from.n + i] = yb_lower(who.p[i]);
    return yb_str(out, from.n + who.n);
}

/* The living pair of this key, or NULL. */
static struct pair *
find(struct yb_auth_limit *l, struct yb_str key, int64_t now_ms)
{
    struct pair *p;

    while ((p = TAILQ_FIRST(&l->pairs)) != NULL && p->ends_ms <= now_ms)
        drop(l, p);
    return yb_map_get(l->by_key, key);
}

static uint64_t
beginning(const struct yb_auth_token *t)
{
    uint64_t v;

    memcpy(&v, t->v, sizeof(v));
    return v;
}

static bool
is_known(const struct pair *p, const struct yb_auth_token *t)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->wrong[i] == beginning(t))
            return true;
    return false;
}

enum yb_auth_limit_state
yb_auth_limit_look(struct yb_auth_limit *l, struct yb_str key, const struct yb_auth_token *t,
                   int64_t now_ms)
{
    enum yb_auth_limit_state state = YB_AUTH_LIMIT_OPEN;
    const struct pair *p;

    pthread_mutex_lock(&l->lock);
    p = find(l, key, now_ms);
    if (p != NULL && p->n >= l->conf.attempts)
        state = YB_AUTH_LIMIT_BLOCKED;
    else if (p != NULL && t != NULL && is_known(p, t))
        state = YB_AUTH_LIMIT_KNOWN;
    pthread_mutex_unlock(&l->lock);
    return state;
}

static struct pair *
make(struct yb_auth_limit *l, struct yb_str key, int64_t now_ms)
{
    struct pair *p = yb_alloc(1, sizeof(*p) + l->conf.attempts * sizeof(p->wrong[0]));

    if (yb_map_count(l->by_key) >= l->conf.size)
        drop(l, TAILQ_FIRST(&l->pairs));
    p->key = yb_dup(key.p, key.n);
    p->n_key = key.n;
    p->ends_ms = now_ms + l->conf.window_ms;
    yb_map_put(l->by_key, key, p);
    TAILQ_INSERT_TAIL(&l->pairs, p, link);
    return p;
}

enum yb_auth_limit_state
yb_auth_limit_wrong(struct yb_auth_limit *l, struct yb_str key, const struct yb_auth_token *t,
                    int64_t now_ms)
{
    enum yb_auth_limit_state state = YB_AUTH_LIMIT_OPEN;
    struct pair *p;

    pthread_mutex_lock(&l->lock);
    p = find(l, key, now_ms);
    if (p == NULL)
        p = make(l, key, now_ms);
    if (p->n >= l->conf.attempts)
        state = YB_AUTH_LIMIT_BLOCKED;
    else if (!is_known(p, t))
        p->wrong[p->n++] = beginning(t);
    pthread_mutex_unlock(&l->lock);
    return state;
}
