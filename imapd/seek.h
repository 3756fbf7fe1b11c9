/*
 * Looks for texts in a message: in its header, and in what is behind it. The message is gone through
 * once for all texts, piece by piece: each piece is decoded and folded (lib/mime) into a buffer of
 * bounded size, and every text that was not found yet is looked for in it. It works in slices, as the
 * message does.
 */
#ifndef IMAPD_SEEK_H
#define IMAPD_SEEK_H

#include "imapd/message.h"

enum imapd_seek_where {
    IMAPD_SEEK_FIELD, /* in the values of one field of the header */
    IMAPD_SEEK_TEXT,  /* anywhere */
    IMAPD_SEEK_BODY   /* behind the header: texts, and headers of parts and of messages inside */
};

struct imapd_needle {
    enum imapd_seek_where where;
    struct yb_str field; /* of IMAPD_SEEK_FIELD */
    struct yb_str text;  /* folded; an empty one is everywhere, and in every field of the name */
    struct yb_str squeezed;
    bool found; /* in this message */
};

/* Longer header fields are looked at up to here. */
#define IMAPD_SEEK_FIELD_MAX ((size_t)64 << 10)

/* What is behind: nothing, the header, everything. */
enum imapd_seek_stage { IMAPD_SOUGHT_NOTHING, IMAPD_SOUGHT_HEADER, IMAPD_SOUGHT_ALL };

struct imapd_seek;

/* For many messages, one after the other. The needles, which the caller owns, stay the same. */
struct imapd_seek *imapd_seek_new(struct imapd_needle *needles, size_t n,
                                  struct yb_budget *budget) YB_MUST_USE;
void imapd_seek_free(struct imapd_seek **s);
/* Nothing is found yet in this message. */
void imapd_seek_begin(struct imapd_seek *s, struct imapd_message *m);
enum imapd_seek_stage imapd_seek_stage_of(const struct imapd_seek *s);
/* Goes on until that stage. 1: the slice is over; -1: the message cannot be read. */
int imapd_seek_run(struct imapd_seek *s, enum imapd_seek_stage stage,
                   struct yb_err *err) YB_MUST_USE;

#endif
