/*
 * Which statements one connection has prepared, and when each was used last; for lib/db alone. It
 * only keeps the books: what is added or removed here was done at the server before.
 */
#ifndef YB_DB_PREPARED_H
#define YB_DB_PREPARED_H

#include "lib/db/db.h"

struct yb_db_prepared_slot {
    const struct yb_db_statement *st; /* NULL: empty */
    uint64_t used;
};

/* Hashed by the statement's address, open addressing, at most half full; all zeros when empty. */
struct yb_db_prepared {
    struct yb_db_prepared_slot *slots;
    size_t n, size; /* size is a power of two */
    uint64_t uses;
};

/* Is it prepared? Then it counts as used now. */
bool yb_db_prepared_use(struct yb_db_prepared *t, const struct yb_db_statement *st);
/* The one unused for longest, when there are YB_DB_PREPARED_MOST; else NULL. */
const struct yb_db_statement *yb_db_prepared_spare(const struct yb_db_prepared *t);
/* It must not be there; it counts as used now. */
void yb_db_prepared_add(struct yb_db_prepared *t, const struct yb_db_statement *st);
/* It must be there. */
void yb_db_prepared_remove(struct yb_db_prepared *t, const struct yb_db_statement *st);
/* Makes it empty and gives its memory back. */
void yb_db_prepared_free(struct yb_db_prepared *t);

#endif
