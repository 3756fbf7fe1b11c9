#include "lib/net/fair.h"

/* A job costs at least what it takes to give it a worker. */
#define CHARGE_MIN_US 1
/*
 * So far a key can fall behind the others: a tenant whose jobs all waited for a dead destination
 * for half a minute each is not shut out for as long as that was together. Over jobs that are
 * shorter than this, the shares are exact.
 */
#define DEBT_MAX_US 10000000
/* A job's time counts so much in the average of its key: 1/8. */
#define AVERAGE_OF 8
/* Resting keys looked at after each job: one more than a job can add. */
#define SWEEP 2
/* Keys that have half of the workers while one is free to choose: 2 at most, of 5 workers and 2. */
#define FULL_MAX 2

struct yb_fair {
    uint64_t key;
    unsigned running;
    struct yb_job *head, *tail;  /* waiting */
    int64_t vtime;               /* what was charged */
    int64_t average;             /* of its jobs, times AVERAGE_OF */
    uint64_t arrival;            /* among keys of the same vtime */
    size_t place;                /* in the heap, while a job waits */
    struct yb_fair *chain;       /* of its bucket, or of the spare ones */
    struct yb_fair *prev, *next; /* of `rest` */
};

/* --- the heap --- */

static bool
is_before(const struct yb_fair *a, const struct yb_fair *b)
{
    return a->vtime < b->vtime || (a->vtime == b->vtime && a->arrival < b->arrival);
}

static void
put(struct yb_fairs *s, size_t place, struct yb_fair *f)
{
    s->heap[place] = f;
    f->place = place;
}

/* Where it belongs after its vtime or arrival changed. */
static void
settle(struct yb_fairs *s, struct yb_fair *f)
{
    size_t at = f->place;

    while (at > 0 && is_before(f, s->heap[(at - 1) / 2])) {
        put(s, at, s->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < s->n_heap && is_before(s->heap[child + 1], s->heap[child]))
            child++;
        if (child >= s->n_heap || !is_before(s->heap[child], f))
            break;
        put(s, at, s->heap[child]);
        at = child;
    }
    put(s, at, f);
}

static void
heap_add(struct yb_fairs *s, struct yb_fair *f)
{
    if (s->n_heap == s->heap_size) {
        s->heap_size = s->heap_size == 0 ? 64 : s->heap_size * 2;
        s->heap = yb_realloc(s->heap, s->heap_size, sizeof(s->heap[0]));
    }
    f->arrival = s->arrivals++;
    put(s, s->n_heap++, f);
    settle(s, f);
}

static void
heap_remove(struct yb_fairs *s, struct yb_fair *f)
{
    struct yb_fair *last = s->heap[--s->n_heap];

    if (last == f)
        return;
    put(s, f->place, last);
    settle(s, last);
}

/* --- keys --- */

static struct yb_fair **
bucket_of(struct yb_fairs *s, uint64_t key)
{
    return &s->buckets[(key * 0x9e3779b97f4a7c15u) >> 54]; /* the upper 10 bits: YB_FAIR_BUCKETS */
}

static struct yb_fair *
fair_get(struct yb_fairs *s, uint64_t key)
{
    struct yb_fair **at = bucket_of(s, key), *f;

    for (f = *at; f != NULL; f = f->chain)
        if (f->key == key)
            return f;
    f = s->spare;
    if (f != NULL)
        s->spare = f->chain;
    else
        f = yb_alloc(1, sizeof(*f));
    *f = (struct yb_fair){ .key = key, .vtime = s->now, .chain = *at };
    *at = f;
    return f;
}

static void
fair_drop(struct yb_fairs *s, struct yb_fair *f)
{
    struct yb_fair **at = bucket_of(s, f->key);

    while (*at != f)
        at = &(*at)->chain;
    *at = f->chain;
    f->chain = s->spare;
    s->spare = f;
}

static bool
is_used(const struct yb_fair *f)
{
    return f->running > 0 || f->head != NULL;
}

/* --- resting --- */

static void
rest_add(struct yb_fairs *s, struct yb_fair *f)
{
    f->next = NULL;
    f->prev = s->rest_last;
    if (f->prev != NULL)
        f->prev->next = f;
    else
        s->rest_first = f;
    s->rest_last = f;
}

static void
rest_remove(struct yb_fairs *s, struct yb_fair *f)
{
    if (f->prev != NULL)
        f->prev->next = f->next;
    else if (s->rest_first == f)
        s->rest_first = f->next;
    else
        return; /* it did not rest */
    if (f->next != NULL)
        f->next->prev = f->prev;
    else
        s->rest_last = f->prev;
    f->prev = f->next = NULL;
}

/* Those whose debt has passed are forgotten; each is looked at again and again, a few at a time. */
static void
sweep(struct yb_fairs *s)
{
    for (int k = 0; k < SWEEP && s->rest_first != NULL; k++) {
        struct yb_fair *f = s->rest_first;

        rest_remove(s, f);
        if (f->vtime > s->now)
            rest_add(s, f);
        else
            fair_drop(s, f);
    }
}

/* --- time --- */

/* Returns what was really charged: a debt has its bound. */
static int64_t
charge(struct yb_fairs *s, struct yb_fair *f, int64_t us)
{
    int64_t before = f->vtime, most = s->now + DEBT_MAX_US;

    f->vtime += us;
    if (f->vtime > most)
        f->vtime = most;
    if (f->vtime > s->latest)
        s->latest = f->vtime;
    return f->vtime - before;
}

static void
advance(struct yb_fairs *s, int64_t to)
{
    if (to > s->now)
        s->now = to;
}

/*
 * What a worker did, in equal parts for all who use them: so the common time passes any debt, even
 * while nobody is taken but keys that were never seen before and begin there.
 */
static void
share(struct yb_fairs *s, int64_t us)
{
    int64_t n = (int64_t)s->n_used;

    s->unshared += us;
    s->now += s->unshared / n;
    s->unshared %= n;
}

/* --- jobs --- */

void
yb_fairs_push(struct yb_fairs *s, struct yb_job *job)
{
    struct yb_fair *f = fair_get(s, job->key);

    job->next = NULL;
    if (f->head != NULL) {
        f->tail->next = job;
    } else {
        if (!is_used(f)) {
            rest_remove(s, f);
            s->n_used++;
        }
        if (f->vtime < s->now)
            f->vtime = s->now; /* what was not asked for is not owed */
        f->head = job;
        heap_add(s, f);
    }
    f->tail = job;
}

/*
 * Up to half of the workers for anybody. Beyond that only while nobody else waits, and only as long
 * as an eighth stays idle: a handler cannot be taken back from a key that blocks in it.
 */
static bool
may_run(const struct yb_fairs *s, const struct yb_fair *f, size_t idle)
{
    unsigned half = s->workers > 1 ? s->workers / 2 : 1;
    unsigned reserve = s->workers > 8 ? s->workers / 8 : 1;

    return f->running < half || (s->n_heap == 1 && idle >= reserve);
}

/* The first in the heap's order that may run: behind one that may not, its children are next. */
static struct yb_fair *
first_ready(const struct yb_fairs *s, size_t idle)
{
    size_t edge[FULL_MAX + 1] = { 0 }, n = s->n_heap > 0 ? 1 : 0;

    while (n > 0) {
        size_t best = 0, at;

        for (size_t k = 1; k < n; k++)
            if (is_before(s->heap[edge[k]], s->heap[edge[best]]))
                best = k;
        at = edge[best];
        if (may_run(s, s->heap[at], idle))
            return s->heap[at];
        edge[best] = edge[--n];
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < s->n_heap; child++) {
            yb_assert(n < YB_COUNT(edge));
            edge[n++] = child;
        }
    }
    return NULL;
}

bool
yb_fairs_ready(const struct yb_fairs *s, size_t idle)
{
    return first_ready(s, idle) != NULL;
}

struct yb_job *
yb_fairs_take(struct yb_fairs *s, size_t idle, struct yb_turn *turn)
{
    struct yb_fair *f = first_ready(s, idle);
    struct yb_job *job;
    int64_t expected;

    if (f == NULL)
        return NULL;
    job = f->head;
    f->head = job->next;
    job->next = NULL;
    f->running++;
    advance(s, f->vtime);
    expected = f->average / AVERAGE_OF;
    turn->fair = f;
    turn->charged = charge(s, f, expected > CHARGE_MIN_US ? expected : CHARGE_MIN_US);
    if (f->head == NULL)
        heap_remove(s, f);
    else
        settle(s, f);
    return job;
}

void
yb_fairs_ended(struct yb_fairs *s, const struct yb_turn *turn, int64_t spent_us)
{
    struct yb_fair *f = turn->fair;
    int64_t spent = spent_us > CHARGE_MIN_US ? spent_us : CHARGE_MIN_US;

    share(s, spent);
    f->average += f->average == 0 ? spent * AVERAGE_OF : spent - f->average / AVERAGE_OF;
    charge(s, f, spent - turn->charged);
    f->running--;
    if (f->head != NULL) {
        settle(s, f);
    } else if (f->running == 0) {
        s->n_used--;
        rest_add(s, f);
    }
    sweep(s);
}

/* When nobody waits, nobody is held up by another's debt: all begin anew, as equals. */
void
yb_fairs_idle(struct yb_fairs *s)
{
    if (s->n_heap == 0)
        advance(s, s->latest);
}

/* --- the end --- */

static void
chain_free(struct yb_fair *f)
{
    while (f != NULL) {
        struct yb_fair *next = f->chain;

        yb_free(f);
        f = next;
    }
}

void
yb_fairs_release(struct yb_fairs *s)
{
    chain_free(s->spare);
    for (size_t k = 0; k < YB_FAIR_BUCKETS; k++)
        chain_free(s->buckets[k]);
    yb_free(s->heap);
}
