#include "lib/auth/cache.h"

#include "lib/base/map.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <sys/queue.h>

struct entry {
    TAILQ_ENTRY(entry) link; /* in the order they were put, which is the order they end */
    struct yb_auth_token token;
    int64_t ends_ms;
};

struct yb_auth_cache {
    pthread_mutex_t lock;
    struct yb_map *by_token;
    TAILQ_HEAD(entries, entry) entries;
    size_t size;
    int64_t ttl_ms;
};

static struct yb_str
bytes(const struct yb_auth_token *t)
{
    return yb_str((const char *)t->v, sizeof(t->v));
}

struct yb_auth_cache *
yb_auth_cache_new(size_t size, int64_t ttl_ms)
{
    struct yb_auth_cache *c = yb_alloc(1, sizeof(*c));

    yb_assert(pthread_mutex_init(&c->lock, NULL) == 0);
    c->by_token = yb_map_new();
    TAILQ_INIT(&c->entries);
    c->size = size;
    c->ttl_ms = ttl_ms;
    return c;
}

static void
drop(struct yb_auth_cache *c, struct entry *e)
{
    TAILQ_REMOVE(&c->entries, e, link);
    yb_map_remove(c->by_token, bytes(&e->token));
    yb_free(e);
}

void
yb_auth_cache_free(struct yb_auth_cache **c)
{
    struct entry *e;

    if (*c == NULL)
        return;
    while ((e = TAILQ_FIRST(&(*c)->entries)) != NULL)
        drop(*c, e);
    yb_map_free(&(*c)->by_token);
    pthread_mutex_destroy(&(*c)->lock);
    yb_free(*c);
    *c = NULL;
}

/* Takes away what has ended. */
static void
expire(struct yb_auth_cache *c, int64_t now_ms)
{
    struct entry *e;

    while ((e = TAILQ_FIRST(&c->entries)) != NULL && e->ends_ms <= now_ms)
        drop(c, e);
}

bool
yb_auth_cache_has(struct yb_auth_cache *c, const struct yb_auth_token *t, int64_t now_ms)
{
    bool has;

    pthread_mutex_lock(&c->lock);
    expire(c, now_ms);
    has = yb_map_get(c->by_token, bytes(t)) != NULL;
    pthread_mutex_unlock(&c->lock);
    return has;
}

void
yb_auth_cache_put(struct yb_auth_cache *c, const struct yb_auth_token *t, int64_t now_ms)
{
    struct entry *e;

    pthread_mutex_lock(&c->lock);
    expire(c, now_ms);
    e = yb_map_get(c->by_token, bytes(t));
    if (e != NULL)
        drop(c, e);
    if (yb_map_count(c->by_token) >= c->size && !TAILQ_EMPTY(&c->entries))
        drop(c, TAILQ_FIRST(&c->entries));
    e = yb_alloc(1, sizeof(*e));
    e->token = *t;
    e->ends_ms = now_ms + c->ttl_ms;
    yb_map_put(c->by_token, bytes(t), e);
    TAILQ_INSERT_TAIL(&c->entries, e, link);
    pthread_mutex_unlock(&c->lock);
}

size_t
yb_auth_cache_count(struct yb_auth_cache *c)
{
    size_t n;

    pthread_mutex_lock(&c->lock);
    n = yb_map_count(c->by_token);
    pthread_mutex_unlock(&c->lock);
    return n;
}

/* Each part with its length before it, so that no two triples give the same bytes. */
static void
add(EVP_MAC_CTX *mac, struct yb_str part)
{
    uint64_t n = part.n;

    yb_assert(EVP_MAC_update(mac, (const uint8_t *)&n, sizeof(n)) == 1 &&
              EVP_MAC_update(mac, (const uint8_t *)part.p, part.n) == 1);
}

struct yb_auth_token
yb_auth_token_of(struct yb_str key, struct yb_str whose, struct yb_str verifier,
                 struct yb_str password)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                            OSSL_PARAM_construct_end() };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    struct yb_auth_token t;
    size_t n = 0;

    yb_assert(mac != NULL && EVP_MAC_init(mac, (const uint8_t *)key.p, key.n, params) == 1);
    add(mac, whose);
    add(mac, verifier);
    add(mac, password);
    yb_assert(EVP_MAC_final(mac, t.v, &n, sizeof(t.v)) == 1 && n == sizeof(t.v));
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    return t;
}
