/* A table indexed by the id itself, which is random; who meets another in a slot takes it over. */
#include "lib/receive/refused.h"

#include <pthread.h>

#define SLOTS 4096
#define KEEP_MS 7200000
/* The first of the notes that nobody can ask about: longer than the first wait of most senders. */
#define LATE_PART 6
/* What delivery adds to a message, and senders round off. */
#define ADDED 4096

struct note {
    struct yb_account_id account;
    uint64_t octets; /* FULL: the smallest that did not fit */
    bool late;
    int64_t kept_ms, ends_ms;
    struct yb_err why;
};

struct yb_refused {
    pthread_mutex_t lock;
    int64_t keep_ms;
    struct note notes[SLOTS];
};

struct yb_refused *
yb_refused_new(int64_t keep_ms)
{
    struct yb_refused *r = yb_alloc(1, sizeof(*r));

    pthread_mutex_init(&r->lock, NULL);
    r->keep_ms = keep_ms == 0 ? KEEP_MS : keep_ms;
    return r;
}

void
yb_refused_free(struct yb_refused **r)
{
    if (*r == NULL)
        return;
    pthread_mutex_destroy(&(*r)->lock);
    yb_free(*r);
    *r = NULL;
}

static struct note *
note_of(struct yb_refused *r, struct yb_account_id account)
{
    return &r->notes[((size_t)account.v[0] << 8 | account.v[1]) % SLOTS];
}

static bool
is_live(const struct note *e, struct yb_account_id account, int64_t now_ms)
{
    return e->ends_ms > now_ms && yb_account_id_eq(e->account, account);
}

/* One that begins when the last has just ended goes on where that was: nothing was mended. */
static int64_t
late_ms(const struct yb_refused *r, const struct note *e, struct yb_account_id account,
        int64_t now_ms)
{
    int64_t first = r->keep_ms / LATE_PART;

    if (!e->late || !yb_account_id_eq(e->account, account) || e->ends_ms + r->keep_ms <= now_ms)
        return first;
    return e->kept_ms * 2 < r->keep_ms ? e->kept_ms * 2 : r->keep_ms;
}

void
yb_refused_note(struct yb_refused *r, struct yb_account_id account, uint64_t octets, bool late,
                const struct yb_err *why, int64_t now_ms)
{
    struct note *e = note_of(r, account);
    bool full = why->kind == YB_ERR_FULL;

    pthread_mutex_lock(&r->lock);
    if (full && is_live(e, account, now_ms) && e->why.kind == YB_ERR_FULL && e->octets < octets)
        octets = e->octets;
    late = late && !full; /* room is counted, and so can be asked for */
    e->kept_ms = late ? late_ms(r, e, account, now_ms) : r->keep_ms;
    e->ends_ms = now_ms + e->kept_ms;
    e->account = account;
    e->octets = octets;
    e->late = late;
    e->why = *why;
    pthread_mutex_unlock(&r->lock);
}

static bool
would_fit(const struct note *e, uint64_t octets)
{
    return e->why.kind == YB_ERR_FULL && octets != 0 && octets < e->octets &&
           e->octets - octets > ADDED;
}

enum yb_refused_verdict
yb_refused_look(struct yb_refused *r, struct yb_account_id account, uint64_t *octets,
                struct yb_err *why, int64_t now_ms)
{
    const struct note *e = note_of(r, account);
    enum yb_refused_verdict verdict = YB_REFUSED_NOTHING;

    pthread_mutex_lock(&r->lock);
    if (is_live(e, account, now_ms) && !would_fit(e, *octets)) {
        verdict = e->late ? YB_REFUSED_STANDS : YB_REFUSED_ASK;
        *why = e->why;
        if (*octets == 0)
            *octets = e->octets;
    }
    pthread_mutex_unlock(&r->lock);
    return verdict;
}

void
yb_refused_forget(struct yb_refused *r, struct yb_account_id account)
{
    struct note *e = note_of(r, account);

    pthread_mutex_lock(&r->lock);
    if (yb_account_id_eq(e->account, account))
        memset(e, 0, sizeof(*e));
    pthread_mutex_unlock(&r->lock);
}
