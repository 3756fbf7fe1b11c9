/*
 * The map: which node each store is at home on, and how nodes are reached, held whole (yb_map() of
 * schema/ says the form). For lib/directory alone. Thread safe.
 *
 * It is *good* while changes of it are heard of, else asked for again at its next use, and kept while
 * there is no answer. An answer counts only if it was asked for later than what is held: one may
 * overtake another, and what was asked for later has seen as much at least.
 */
#ifndef YB_DIRECTORY_PLACES_H
#define YB_DIRECTORY_PLACES_H

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/directory/directory.h"

struct yb_places;

struct yb_places *yb_places_new(void) YB_MUST_USE;
void yb_places_free(struct yb_places **p);

/* The number of a question, before it is asked; goes with its answer. */
uint64_t yb_places_ask(struct yb_places *p);
/* -1: the answer cannot be read (YB_BUG), and what is held stays. */
int yb_places_take(struct yb_places *p, uint64_t asked, struct yb_str text,
                   struct yb_err *err) YB_MUST_USE;
/* Changes are heard of from now on, or may be missed. */
void yb_places_heard(struct yb_places *p, bool heard);

enum yb_places_found {
    YB_PLACES_NONE,    /* there is no map */
    YB_PLACES_UNKNOWN, /* it has no such store */
    YB_PLACES_FOUND    /* node and host of *out are set */
};
/* *again: ask anew first; true for one of those who come within rest_ms, and for all while there is no
 * map. */
enum yb_places_found yb_places_find(struct yb_places *p, struct yb_store_id store, int64_t rest_ms,
                                    struct yb_home *out, bool *again);

#endif
