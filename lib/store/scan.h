/*
 * What lies in cur/ and new/ of a mailbox, read off the names: the truth that the index is compared
 * with. Under the account lock.
 */
#ifndef YB_STORE_SCAN_H
#define YB_STORE_SCAN_H

#include "lib/base/arena.h"
#include "lib/store/index.h"
#include "lib/store/name.h"

struct yb_found {
    struct yb_name name;
    const char *text; /* the name on disk when it is not the one we would write; else NULL */
    bool in_new;
    bool ours; /* the name is of our form and its UID counts here */
    bool drop; /* a second name of the same file, or gone */
};

struct yb_scan {
    int cur_fd, new_fd;
    uint32_t uidvalidity, uid_ceiling;
    const struct yb_index_slot *known; /* records by UID: of files with one UID, theirs stays */
    size_t n_known;

    struct yb_arena *arena; /* holds the texts */
    struct yb_found *v;
    size_t n, room;
};

/* Reads both folders: the caller has set what is above `arena`. A name is ours when its UIDVALIDITY
 * is this and its UID below the ceiling. */
int yb_scan_read(struct yb_scan *scan, struct yb_err *err) YB_MUST_USE;
/* The highest UIDVALIDITY in names of our form: one that was given before, whoever forgot it. */
uint32_t yb_scan_validity(int cur_fd, int new_fd);
void yb_scan_free(struct yb_scan *scan);
/* Ours first by UID, then the foreign ones oldest first. Returns how many are ours; of several
 * files with one UID the first stays, another name of the same file is dropped, the rest turn
 * foreign. */
size_t yb_scan_order(struct yb_scan *scan);
/* The name on disk. */
const char *yb_found_text(const struct yb_found *f, char buf[YB_NAME_MAX]);
int yb_found_fd(const struct yb_scan *scan, const struct yb_found *f);

#endif
