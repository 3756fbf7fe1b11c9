#include "lib/base/map.h"

#include "lib/base/id.h"

struct entry {
    uint64_t hash;
    char *key; /* NULL: free slot */
    size_t n;
    void *value; /* NULL with a key: removed */
};

struct yb_map {
    struct entry *slots;
    size_t size, count, used; /* used counts removed slots too */
    uint64_t secret[2];
};

/* From the first key on: open accounts and mailboxes have maps, and most of them stay empty. */
#define MIN_SIZE 8

static inline uint64_t
rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static inline void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein): one round a word, three at the end. */
uint64_t
yb_siphash(const uint64_t key[2], struct yb_str s)
{
    uint64_t v[4] = { 0x736f6d6570736575u ^ key[0], 0x646f72616e646f6du ^ key[1],
                      0x6c7967656e657261u ^ key[0], 0x7465646279746573u ^ key[1] };
    uint64_t word, tail = (uint64_t)s.n << 56;
    size_t i = 0;

    for (; i + 8 <= s.n; i += 8) {
        memcpy(&word, s.p + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t k = 0; i + k < s.n; k++)
        tail |= (uint64_t)(unsigned char)s.p[i + k] << (8 * k);
    v[3] ^= tail;
    sip_round(v);
    v[0] ^= tail;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct yb_map *
yb_map_new(void)
{
    struct yb_map *m = yb_alloc(1, sizeof(*m));

    yb_random(m->secret, sizeof(m->secret));
    return m;
}

void
yb_map_free(struct yb_map **m)
{
    if (*m == NULL)
        return;
    for (size_t i = 0; i < (*m)->size; i++)
        yb_free((*m)->slots[i].key);
    yb_free((*m)->slots);
    yb_free(*m);
    *m = NULL;
}

/* The slot that holds the key, or the free slot where the search ends. There are slots. */
static struct entry *
map_find(const struct yb_map *m, struct yb_str key, uint64_t hash)
{
    for (size_t i = hash & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
        struct entry *e = &m->slots[i];

        if (e->key == NULL || (e->hash == hash && yb_str_eq(yb_str(e->key, e->n), key)))
            return e;
    }
}

/* Makes room: drops removed slots, doubles when more than a third is in use, so that the next time
 * is at least a sixth of the size away. (A quarter would double full tables twice: some hold a key a
 * session.) */
static void
map_rehash(struct yb_map *m)
{
    struct entry *old = m->slots;
    size_t old_size = m->size;

    if (m->size == 0)
        m->size = MIN_SIZE;
    while (m->size < (m->count + 1) * 3)
        m->size *= 2;
    m->slots = yb_alloc(m->size, sizeof(*m->slots));
    m->used = m->count;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].key != NULL && old[i].value != NULL)
            *map_find(m, yb_str(old[i].key, old[i].n), old[i].hash) = old[i];
        else
            yb_free(old[i].key);
    }
    yb_free(old);
}

void *
yb_map_get(const struct yb_map *m, struct yb_str key)
{
    return m->size == 0 ? NULL : map_find(m, key, yb_siphash(m->secret, key))->value;
}

void *
yb_map_put(struct yb_map *m, struct yb_str key, void *value)
{
    uint64_t hash = yb_siphash(m->secret, key);
    struct entry *e;
    void *old;

    yb_assert(value != NULL);
    if ((m->used + 1) * 2 > m->size)
        map_rehash(m);
    e = map_find(m, key, hash);
    if (e->key == NULL) {
        *e = (struct entry){ .hash = hash, .key = yb_dup(key.p, key.n), .n = key.n };
        m->used++;
    }
    old = e->value;
    e->value = value;
    m->count += old == NULL;
    return old;
}

void *
yb_map_remove(struct yb_map *m, struct yb_str key)
{
    struct entry *e;
    void *old;

    if (m->size == 0)
        return NULL;
    e = map_find(m, key, yb_siphash(m->secret, key));
    old = e->value;
    e->value = NULL;
    m->count -= old != NULL;
    return old;
}

size_t
yb_map_count(const struct yb_map *m)
{
    return m->count;
}

bool
yb_map_next(const struct yb_map *m, size_t *at, struct yb_str *key, void **value)
{
    for (; *at < m->size; (*at)++) {
        const struct entry *e = &m->slots[*at];

        if (e->key != NULL && e->value != NULL) {
            *key = yb_str(e->key, e->n);
            *value = e->value;
            (*at)++;
            return true;
        }
    }
    return false;
}
