/*
 * A comparison of folders and records under way: what rebuild.c and merge.c share.
 */
#ifndef YB_STORE_MERGE_H
#define YB_STORE_MERGE_H

#include "lib/store/scan.h"
#include "lib/store/truth.h"

struct yb_compare {
    struct yb_mailbox *m;
    enum yb_compare_why why;
    bool fresh; /* a mailbox that begins */
    bool valid; /* the records of the index count */
    bool check_sizes;
    bool renamed; /* we changed the folders ourselves */
    struct yb_scan scan;
    size_t n_ours, n_foreign;
    struct yb_index_slot *old;
    size_t n_old;
    struct yb_index_slot *out; /* the records as they shall be */
    bool *changed;             /* which of them are to be written */
    size_t n_out;
    uint64_t modseq; /* of the changes at hand: the first, and from group to group one more */
    uint64_t first_modseq, last_modseq;
    size_t n_expected; /* records that will change, before foreign ones */
    size_t n_group;    /* records that have `modseq` */
    uint32_t keywords; /* letters seen */
    uint32_t sets;     /* the highest set of keywords seen */
    uint64_t lost;
    struct yb_index_head before;
    int64_t cur_mtime, new_mtime;
};

/* A file in new/ has no flags in its name; one that has them belongs into cur/. */
bool yb_found_into_new(const struct yb_found *f);
/* How many MODSEQs n changes use up; one at least. */
size_t yb_compare_groups(size_t n);
/* After an unclean stop: files whose size is not S= are moved aside. */
int yb_compare_sizes(struct yb_compare *c, struct yb_err *err) YB_MUST_USE;
/* Second names go, names that are not as we write them are written so. */
int yb_compare_straighten(struct yb_compare *c, struct yb_err *err) YB_MUST_USE;
/* Records and files with UIDs, both in UID order, become the new records. */
void yb_compare_merge(struct yb_compare *c);
/* Foreign files get UIDs from this one on, our form of name, and records behind the others. */
int yb_compare_adopt(struct yb_compare *c, uint32_t first_uid, struct yb_err *err) YB_MUST_USE;

#endif
