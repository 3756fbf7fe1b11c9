/*
 * Open addressing with linear probing and removal by shifting back; a slot is an id and a number: of
 * `done`, or QUEUED. The hash has a random key, for ids come from other processes.
 */
#include "relayd/known.h"

#include "lib/base/map.h"

#include <string.h>

#define QUEUED UINT64_MAX
#define FREE 0
#define FIRST_SLOTS 1024
/* Times are kept in so many steps of `keep_ms`. */
#define STEPS 64

struct slot {
    struct yb_delivery_id id;
    uint64_t s; /* FREE, QUEUED, or the number in `done` */
};

struct relayd_known {
    struct slot *slots;
    size_t n_slots, used;
    uint64_t hash_key[2];
    int64_t keep_ms;
    uint64_t most;
    uint64_t first, last; /* of `done`: numbers after `first`, up to `last` */
    struct {
        int64_t ms;
        uint64_t s;
    } step[STEPS + 1]; /* rows up to `s` were appended at `ms` or before, oldest first */
    size_t n_steps;
    struct slot *undo; /* slots as they were; FREE: the id had none */
    size_t n_undo, undo_room;
    uint64_t marked_first, marked_last;
    bool marked; /* until then nothing is written down to be undone */
};

struct relayd_known *
relayd_known_new(int64_t keep_ms, uint64_t most)
{
    struct relayd_known *k = yb_alloc(1, sizeof(*k));

    k->n_slots = FIRST_SLOTS;
    k->slots = yb_alloc(k->n_slots, sizeof(*k->slots));
    yb_random(k->hash_key, sizeof(k->hash_key));
    k->keep_ms = keep_ms;
    k->most = most;
    return k;
}

void
relayd_known_free(struct relayd_known **k)
{
    if (*k == NULL)
        return;
    yb_free((*k)->slots);
    yb_free((*k)->undo);
    yb_free(*k);
    *k = NULL;
}

static size_t
home_of(const struct relayd_known *k, struct yb_delivery_id id)
{
    return (size_t)yb_siphash(k->hash_key, yb_str((const char *)id.v, sizeof(id.v))) &
           (k->n_slots - 1);
}

/* The slot that has the id, or the free one where it would stand. */
static size_t
slot_of(const struct relayd_known *k, struct yb_delivery_id id)
{
    size_t at = home_of(k, id);

    while (k->slots[at].s != FREE && !yb_delivery_id_eq(k->slots[at].id, id))
        at = (at + 1) & (k->n_slots - 1);
    return at;
}

static void
grow(struct relayd_known *k)
{
    struct slot *old = k->slots;
    size_t n = k->n_slots;

    k->n_slots = 2 * n;
    k->slots = yb_alloc(k->n_slots, sizeof(*k->slots));
    for (size_t i = 0; i < n; i++) {
        if (old[i].s != FREE)
            k->slots[slot_of(k, old[i].id)] = old[i];
    }
    yb_free(old);
}

static void
take_out(struct relayd_known *k, size_t at)
{
    size_t next = at;

    for (;;) {
        size_t home;

        next = (next + 1) & (k->n_slots - 1);
        if (k->slots[next].s == FREE)
            break;
        home = home_of(k, k->slots[next].id);
        /* It may move back when its home does not lie between the gap and itself. */
        if (((next - home) & (k->n_slots - 1)) >= ((next - at) & (k->n_slots - 1))) {
            k->slots[at] = k->slots[next];
            at = next;
        }
    }
    k->slots[at].s = FREE;
    k->used--;
}

/* FREE takes it out. Returns what was there. */
static uint64_t
set(struct relayd_known *k, struct yb_delivery_id id, uint64_t s)
{
    size_t at;
    uint64_t was;

    if (s != FREE && (k->used + 1) * 4 > k->n_slots * 3)
        grow(k);
    at = slot_of(k, id);
    was = k->slots[at].s;
    if (s == FREE) {
        if (was != FREE)
            take_out(k, at);
        return was;
    }
    if (was == FREE)
        k->used++;
    k->slots[at] = (struct slot){ id, s };
    return was;
}

static void
change(struct relayd_known *k, struct yb_delivery_id id, uint64_t s)
{
    uint64_t was = set(k, id, s);

    if (!k->marked)
        return;
    if (k->n_undo == k->undo_room) {
        k->undo_room = k->undo_room == 0 ? 64 : 2 * k->undo_room;
        k->undo = yb_realloc(k->undo, k->undo_room, sizeof(*k->undo));
    }
    k->undo[k->n_undo++] = (struct slot){ id, was };
}

bool
relayd_known_has(const struct relayd_known *k, struct yb_delivery_id id)
{
    return k->slots[slot_of(k, id)].s != FREE;
}

void
relayd_known_queued(struct relayd_known *k, struct yb_delivery_id id)
{
    change(k, id, QUEUED);
}

/* The last step takes what comes within a STEPSth of the time; else there is a new one. When they are
 * used up the two oldest become one, with the later time: kept longer, never shorter. */
static void
note_time(struct relayd_known *k, uint64_t s, int64_t now_ms)
{
    if (k->n_steps > 0 && now_ms - k->step[k->n_steps - 1].ms < k->keep_ms / STEPS) {
        k->step[k->n_steps - 1].s = s;
        return;
    }
    if (k->n_steps == YB_COUNT(k->step)) {
        memmove(&k->step[0], &k->step[1], (k->n_steps - 1) * sizeof(k->step[0]));
        k->n_steps--;
    }
    k->step[k->n_steps].ms = now_ms + k->keep_ms / STEPS;
    k->step[k->n_steps].s = s;
    k->n_steps++;
}

void
relayd_known_done(struct relayd_known *k, struct yb_delivery_id id, uint64_t s, int64_t now_ms)
{
    if (k->last == 0)
        k->first = s - 1;
    yb_assert(s > k->last);
    k->last = s;
    change(k, id, s);
    note_time(k, s, now_ms);
}

void
relayd_known_forget(struct relayd_known *k, struct yb_delivery_id id, uint64_t s)
{
    if (k->slots[slot_of(k, id)].s == s)
        change(k, id, FREE);
    if (s > k->first)
        k->first = s;
}

uint64_t
relayd_known_next(const struct relayd_known *k)
{
    return k->last + 1;
}

uint64_t
relayd_known_due(const struct relayd_known *k, int64_t now_ms)
{
    uint64_t upto = k->last > k->most ? k->last - k->most : 0;

    for (size_t i = 0; i < k->n_steps && k->step[i].ms + k->keep_ms <= now_ms; i++)
        upto = k->step[i].s > upto ? k->step[i].s : upto;
    if (upto > k->last)
        upto = k->last;
    return upto > k->first ? upto : 0;
}

int64_t
relayd_known_due_ms(const struct relayd_known *k)
{
    for (size_t i = 0; i < k->n_steps; i++) {
        if (k->step[i].s > k->first)
            return k->step[i].ms + k->keep_ms;
    }
    return -1;
}

uint64_t
relayd_known_done_count(const struct relayd_known *k)
{
    return k->last - k->first;
}

void
relayd_known_mark(struct relayd_known *k)
{
    k->marked = true;
    k->n_undo = 0;
    k->marked_first = k->first;
    k->marked_last = k->last;
}

void
relayd_known_undo(struct relayd_known *k)
{
    while (k->n_undo > 0) {
        struct slot was = k->undo[--k->n_undo];

        set(k, was.id, was.s);
    }
    k->first = k->marked_first;
    k->last = k->marked_last;
    for (size_t i = 0; i < k->n_steps; i++)
        k->step[i].s = k->step[i].s > k->last ? k->last : k->step[i].s;
}
