#include "lib/daemon/notes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS 1088 /* as many workers as may be configured, and some */
#define WORDS (YB_NOTE_SIZE / sizeof(uint64_t))

enum { SLOT_FREE, SLOT_CLAIMED, SLOT_HELD };

/* A cache line each: workers do not disturb one another. */
struct slot {
    _Alignas(64) _Atomic uint32_t state;
    struct yb_note note;
};

/* `state` is 0 when empty, else the verdict below a number that is another one for each use of the
 * entry: whoever reads the same state before and after the words has read one note. */
struct entry {
    _Atomic uint32_t state;
    _Atomic uint64_t words[WORDS];
};

struct shared {
    _Atomic uint32_t n_known; /* 0: no need to look */
    struct entry known[YB_NOTES_KNOWN];
    struct slot slots[SLOTS];
};

struct known {
    struct yb_note note;
    enum yb_verdict verdict; /* YB_NOTE_CLEAR: empty */
    bool written;            /* condemned: and written down */
    unsigned cut_off;        /* how often what the verdict asks for was */
    uint64_t since;
};

struct yb_notes {
    struct shared *shared;
    struct known known[YB_NOTES_KNOWN];
    uint64_t clock; /* counts what happens, for `since` */
    struct yb_note remembered[YB_NOTES_KNOWN];
    size_t n_remembered;
    uint32_t uses;
};

/* --- the child --- */

/* Where a thread looks first for a free slot, so that threads seldom meet. */
static size_t
first_slot(void)
{
    uint64_t self = (uint64_t)(uintptr_t)pthread_self();

    return (size_t)((self * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % SLOTS;
}

int
yb_notes_begin(struct yb_notes *n, const struct yb_note *note)
{
    size_t first = first_slot();

    for (size_t k = 0; n != NULL && k < SLOTS; k++) {
        struct slot *s = &n->shared->slots[(first + k) % SLOTS];
        uint32_t none = SLOT_FREE;

        if (!atomic_compare_exchange_strong_explicit(&s->state, &none, SLOT_CLAIMED,
                                                     memory_order_acquire, memory_order_relaxed))
            continue;
        s->note = *note;
        atomic_store_explicit(&s->state, SLOT_HELD, memory_order_release);
        atomic_signal_fence(memory_order_seq_cst); /* the work begins behind it */
        return (int)((first + k) % SLOTS);
    }
    return -1;
}

void
yb_notes_end(struct yb_notes *n, int slot)
{
    if (slot >= 0)
        atomic_store_explicit(&n->shared->slots[slot].state, SLOT_FREE, memory_order_release);
}

void
yb_notes_remember(struct yb_notes *n, const struct yb_note *notes, size_t count)
{
    yb_assert(count <= YB_NOTES_KNOWN);
    memcpy(n->remembered, notes, count * sizeof(*notes));
    n->n_remembered = count;
}

static bool
is_remembered(const struct yb_notes *n, const struct yb_note *note)
{
    for (size_t i = 0; i < n->n_remembered; i++)
        if (memcmp(n->remembered[i].v, note->v, sizeof(note->v)) == 0)
            return true;
    return false;
}

static void
to_words(const struct yb_note *note, uint64_t words[WORDS])
{
    memcpy(words, note->v, sizeof(note->v));
}

static bool
entry_is(const struct entry *e, uint32_t state, const uint64_t words[WORDS])
{
    for (size_t i = 0; i < WORDS; i++)
        if (atomic_load_explicit(&e->words[i], memory_order_acquire) != words[i])
            return false;
    return atomic_load_explicit(&e->state, memory_order_relaxed) == state;
}

enum yb_verdict
yb_notes_verdict(const struct yb_notes *n, const struct yb_note *note)
{
    uint64_t words[WORDS];

    if (n == NULL)
        return YB_NOTE_CLEAR;
    if (is_remembered(n, note))
        return YB_NOTE_CONDEMNED;
    if (atomic_load_explicit(&n->shared->n_known, memory_order_acquire) == 0)
        return YB_NOTE_CLEAR;
    to_words(note, words);
    for (size_t i = 0; i < YB_NOTES_KNOWN; i++) {
        const struct entry *e = &n->shared->known[i];
        uint32_t state = atomic_load_explicit(&e->state, memory_order_acquire);

        if (state != 0 && entry_is(e, state, words))
            return (state & 1) != 0 ? YB_NOTE_CONDEMNED : YB_NOTE_SUSPECT;
    }
    return YB_NOTE_CLEAR;
}

/* --- the parent --- */

struct yb_notes *
yb_notes_new(void)
{
    struct yb_notes *n;
    void *shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED)
        return NULL;
    n = yb_alloc(1, sizeof(*n));
    n->shared = shared;
    return n;
}

void
yb_notes_free(struct yb_notes **n)
{
    if (*n == NULL)
        return;
    munmap((*n)->shared, sizeof(struct shared));
    yb_free(*n);
    *n = NULL;
}

static void
publish(struct yb_notes *n, size_t i)
{
    const struct known *k = &n->known[i];
    struct entry *e = &n->shared->known[i];
    uint64_t words[WORDS];

    atomic_store_explicit(&e->state, 0, memory_order_relaxed);
    if (k->verdict == YB_NOTE_CLEAR)
        return;
    to_words(&k->note, words);
    for (size_t w = 0; w < WORDS; w++)
        atomic_store_explicit(&e->words[w], words[w], memory_order_release); /* not before that */
    n->uses++;
    atomic_store_explicit(&e->state,
                          (n->uses << 2 | 2u) + (k->verdict == YB_NOTE_CONDEMNED ? 1u : 0u),
                          memory_order_release);
}

static void
publish_count(struct yb_notes *n)
{
    uint32_t count = 0;

    for (size_t i = 0; i < YB_NOTES_KNOWN; i++)
        count += n->known[i].verdict != YB_NOTE_CLEAR;
    atomic_store_explicit(&n->shared->n_known, count, memory_order_release);
}

static struct known *
find(struct yb_notes *n, const struct yb_note *note)
{
    for (size_t i = 0; i < YB_NOTES_KNOWN; i++)
        if (n->known[i].verdict != YB_NOTE_CLEAR &&
            memcmp(n->known[i].note.v, note->v, sizeof(note->v)) == 0)
            return &n->known[i];
    return NULL;
}

/* A place for one more: an empty one, else that of the oldest condemned; there are more places than
 * suspects. */
static struct known *
find_room(struct yb_notes *n)
{
    struct known *oldest = NULL;

    for (size_t i = 0; i < YB_NOTES_KNOWN; i++) {
        struct known *k = &n->known[i];

        if (k->verdict == YB_NOTE_CLEAR)
            return k;
        if (k->verdict == YB_NOTE_CONDEMNED && (oldest == NULL || k->since < oldest->since))
            oldest = k;
    }
    return oldest;
}

static size_t
count_suspects(const struct yb_notes *n)
{
    size_t count = 0;

    for (size_t i = 0; i < YB_NOTES_KNOWN; i++)
        count += n->known[i].verdict == YB_NOTE_SUSPECT;
    return count;
}

size_t
yb_notes_take(struct yb_notes *n)
{
    size_t suspects = count_suspects(n), found = 0;

    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &n->shared->slots[i];
        struct yb_note note = s->note;

        if (atomic_load(&s->state) == SLOT_HELD && suspects + found < YB_NOTES_SUSPECTS &&
            find(n, &note) == NULL) {
            *find_room(n) =
                (struct known){ .note = note, .verdict = YB_NOTE_SUSPECT, .since = n->clock++ };
            found++;
        }
        atomic_store(&s->state, SLOT_FREE);
    }
    for (size_t i = 0; i < YB_NOTES_KNOWN; i++)
        publish(n, i);
    publish_count(n);
    return found;
}

enum yb_note_task
yb_notes_next(const struct yb_notes *n, struct yb_note *note)
{
    const struct known *next = NULL;

    for (size_t i = 0; n != NULL && i < YB_NOTES_KNOWN; i++) {
        const struct known *k = &n->known[i];

        if ((k->verdict == YB_NOTE_SUSPECT || (k->verdict == YB_NOTE_CONDEMNED && !k->written)) &&
            (next == NULL || k->since < next->since))
            next = k;
    }
    if (next == NULL)
        return YB_NOTE_IDLE;
    *note = next->note;
    return next->verdict == YB_NOTE_SUSPECT ? YB_NOTE_TRY : YB_NOTE_CONDEMN;
}

void
yb_notes_judge(struct yb_notes *n, const struct yb_note *note, enum yb_verdict verdict)
{
    struct known *k = find(n, note);

    if (k == NULL)
        return;
    k->verdict = verdict;
    k->cut_off = 0;
    publish(n, (size_t)(k - n->known));
    publish_count(n);
}

void
yb_notes_written(struct yb_notes *n, const struct yb_note *note)
{
    struct known *k = find(n, note);

    if (k != NULL)
        k->written = true;
}

void
yb_notes_postpone(struct yb_notes *n, const struct yb_note *note)
{
    struct known *k = find(n, note);

    if (k != NULL)
        k->since = n->clock++;
}

unsigned
yb_notes_cut_off(struct yb_notes *n, const struct yb_note *note)
{
    struct known *k = find(n, note);

    return k == NULL ? 0 : ++k->cut_off;
}
