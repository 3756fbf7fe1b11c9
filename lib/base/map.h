/*
 * Hash map from bytes to a pointer, open addressing, keyed hash (SipHash-like, random key per map)
 * so that strangers cannot choose collisions. Copies its keys. Not thread safe: its owner locks.
 */
#ifndef YB_BASE_MAP_H
#define YB_BASE_MAP_H

#include "lib/base/str.h"

struct yb_map;

/* An empty map with a random key of its own. */
struct yb_map *yb_map_new(void) YB_MUST_USE;
/* Frees the map, not the values. */
void yb_map_free(struct yb_map **m);
/* NULL when absent. */
void *yb_map_get(const struct yb_map *m, struct yb_str key);
/* Sets (value must not be NULL); returns the value it replaces, or NULL. */
void *yb_map_put(struct yb_map *m, struct yb_str key, void *value);
/* Removes; returns the value, or NULL when it was absent. */
void *yb_map_remove(struct yb_map *m, struct yb_str key);
size_t yb_map_count(const struct yb_map *m);
/* Walks in no order: start with *at = 0; false at the end. The map must not change meanwhile. */
bool yb_map_next(const struct yb_map *m, size_t *at, struct yb_str *key, void **value);
/* The keyed 64-bit hash used inside, with a given 128-bit key. */
uint64_t yb_siphash(const uint64_t key[2], struct yb_str s);

#endif
