/*
 * What FETCH says of a message from the index alone: UID, FLAGS, MODSEQ, RFC822.SIZE, INTERNALDATE. It is
 * written by hand, for this is what a hundred thousand lines cost.
 */
#ifndef IMAPD_FROMINDEX_H
#define IMAPD_FROMINDEX_H

#include "imapd/parse.h"
#include "imapd/session.h"

/* Flags as text, for the common case of many messages with the same. Zeroed: none yet. */
struct imapd_fromindex {
    uint32_t flags, keywords, set;
    bool recent;
    struct yb_buf *text;
};

/* "* 1 FETCH (UID 7 FLAGS (\Seen) …", without an end: those of `items` that the index knows. */
void imapd_fromindex_put(struct imapd_fromindex *f, struct imapd_cmd *c, uint32_t seq,
                         const struct yb_record *r, unsigned items);
/* Frees what it kept. */
void imapd_fromindex_end(struct imapd_fromindex *f);

#endif
