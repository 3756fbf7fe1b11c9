/*
 * Sets of message numbers or UIDs: "1,3:5,9:*" as parsed (lex.h), resolved against a mailbox, and
 * written again for COPYUID, ESEARCH and MODIFIED. Pure.
 */
#ifndef IMAPD_SET_H
#define IMAPD_SET_H

#include "lib/base/buf.h"

#define IMAPD_STAR 0u /* '*' in a set that is not resolved yet */

struct imapd_range {
    uint32_t lo, hi;
};

struct imapd_set {
    struct imapd_range *v;
    size_t n;
};

/* Puts `star` for '*', turns ranges the right way round, sorts and joins them, in place. */
void imapd_set_resolve(struct imapd_set *s, uint32_t star);
/* Of a resolved set. */
bool imapd_set_has(const struct imapd_set *s, uint32_t number);
/* The largest number written in a set that is not resolved, '*' apart. */
uint32_t imapd_set_largest(const struct imapd_set *s);

/* Writes ascending numbers as a set: add() each, then end(). Begins as { .out = buffer }. */
struct imapd_set_writer {
    struct yb_buf *out;
    uint32_t lo, hi; /* the range not written yet; none while lo is 0 */
    bool any;
};
void imapd_set_add(struct imapd_set_writer *w, uint32_t number);
void imapd_set_end(struct imapd_set_writer *w);

#endif
