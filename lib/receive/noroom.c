/* A table indexed by the id itself, which is random; who meets another in a slot takes it over. */
#include "lib/receive/noroom.h"

#include <pthread.h>

#define SLOTS 4096
#define KEEP_MS 7200000
/* What delivery adds to a message, and senders round off. */
#define ADDED 4096

struct note {
    struct yb_account_id account;
    uint64_t octets; /* the smallest that did not fit */
    int64_t ends_ms;
};

struct yb_noroom {
    pthread_mutex_t lock;
    int64_t keep_ms;
    struct note notes[SLOTS];
};

struct yb_noroom *
yb_noroom_new(int64_t keep_ms)
{
    struct yb_noroom *n = yb_alloc(1, sizeof(*n));

    pthread_mutex_init(&n->lock, NULL);
    n->keep_ms = keep_ms == 0 ? KEEP_MS : keep_ms;
    return n;
}

void
yb_noroom_free(struct yb_noroom **n)
{
    if (*n == NULL)
        return;
    pthread_mutex_destroy(&(*n)->lock);
    yb_free(*n);
    *n = NULL;
}

static struct note *
note_of(struct yb_noroom *n, struct yb_account_id account)
{
    return &n->notes[((size_t)account.v[0] << 8 | account.v[1]) % SLOTS];
}

static bool
is_live(const struct note *e, struct yb_account_id account, int64_t now_ms)
{
    return e->ends_ms > now_ms && yb_account_id_eq(e->account, account);
}

void
yb_noroom_note(struct yb_noroom *n, struct yb_account_id account, uint64_t octets, int64_t now_ms)
{
    struct note *e = note_of(n, account);

    pthread_mutex_lock(&n->lock);
    if (!is_live(e, account, now_ms) || octets < e->octets)
        e->octets = octets;
    e->account = account;
    e->ends_ms = now_ms + n->keep_ms;
    pthread_mutex_unlock(&n->lock);
}

bool
yb_noroom_for(struct yb_noroom *n, struct yb_account_id account, uint64_t octets, int64_t now_ms)
{
    const struct note *e = note_of(n, account);
    bool known;

    pthread_mutex_lock(&n->lock);
    known = is_live(e, account, now_ms) &&
            (octets == 0 || octets >= e->octets || e->octets - octets <= ADDED);
    pthread_mutex_unlock(&n->lock);
    return known;
}
