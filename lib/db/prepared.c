#include "lib/db/prepared.h"

#define FIRST_SIZE 32 /* a daemon asks few questions: most never need more */

/* Where it is, or where it would be put. */
static size_t
slot_of(const struct yb_db_prepared *t, const struct yb_db_statement *st)
{
    uint64_t mixed = (uint64_t)(uintptr_t)st * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(mixed >> 32) & (t->size - 1);

    while (t->slots[i].st != NULL && t->slots[i].st != st)
        i = (i + 1) & (t->size - 1);
    return i;
}

bool
yb_db_prepared_use(struct yb_db_prepared *t, const struct yb_db_statement *st)
{
    size_t i;

    if (t->size == 0)
        return false;
    i = slot_of(t, st);
    if (t->slots[i].st == NULL)
        return false;
    t->slots[i].used = ++t->uses;
    return true;
}

const struct yb_db_statement *
yb_db_prepared_spare(const struct yb_db_prepared *t)
{
    const struct yb_db_prepared_slot *oldest = NULL;

    if (t->n < YB_DB_PREPARED_MOST)
        return NULL;
    for (size_t i = 0; i < t->size; i++) {
        if (t->slots[i].st != NULL && (oldest == NULL || t->slots[i].used < oldest->used))
            oldest = &t->slots[i];
    }
    return oldest->st;
}

static void
grow(struct yb_db_prepared *t)
{
    struct yb_db_prepared old = *t;

    t->size = old.size == 0 ? FIRST_SIZE : 2 * old.size;
    t->slots = yb_alloc(t->size, sizeof(*t->slots));
    for (size_t i = 0; i < old.size; i++) {
        if (old.slots[i].st != NULL)
            t->slots[slot_of(t, old.slots[i].st)] = old.slots[i];
    }
    yb_free(old.slots);
}

void
yb_db_prepared_add(struct yb_db_prepared *t, const struct yb_db_statement *st)
{
    size_t i;

    if (2 * (t->n + 1) > t->size)
        grow(t);
    i = slot_of(t, st);
    yb_assert(t->slots[i].st == NULL);
    t->slots[i] = (struct yb_db_prepared_slot){ st, ++t->uses };
    t->n++;
}

void
yb_db_prepared_remove(struct yb_db_prepared *t, const struct yb_db_statement *st)
{
    size_t mask = t->size - 1, i = slot_of(t, st);

    yb_assert(t->slots[i].st == st);
    t->slots[i].st = NULL;
    t->n--;
    /* Those behind it may have been put there only because its place was taken. */
    for (i = (i + 1) & mask; t->slots[i].st != NULL; i = (i + 1) & mask) {
        struct yb_db_prepared_slot moved = t->slots[i];

        t->slots[i].st = NULL;
        t->slots[slot_of(t, moved.st)] = moved;
    }
}

void
yb_db_prepared_free(struct yb_db_prepared *t)
{
    yb_free(t->slots);
    *t = (struct yb_db_prepared){ 0 };
}
