/*
 * What IMAP's ENVELOPE tells of a message's header (RFC 3501 §7.4.2). Pure functions; strings point
 * into the header or the arena.
 */
#ifndef YB_MIME_ENVELOPE_H
#define YB_MIME_ENVELOPE_H

#include "lib/mime/addresses.h"

enum yb_mime_envelope_text {
    YB_MIME_DATE,
    YB_MIME_SUBJECT,
    YB_MIME_IN_REPLY_TO,
    YB_MIME_MESSAGE_ID,
    YB_MIME_ENVELOPE_TEXTS
};

enum yb_mime_envelope_list {
    YB_MIME_FROM,
    YB_MIME_SENDER,   /* From's when there is none or an empty one */
    YB_MIME_REPLY_TO, /* likewise */
    YB_MIME_TO,
    YB_MIME_CC,
    YB_MIME_BCC,
    YB_MIME_ENVELOPE_LISTS
};

struct yb_mime_envelope {
    struct yb_str
        texts[YB_MIME_ENVELOPE_TEXTS]; /* unfolded, encoded words as they are; p == NULL: absent */
    struct yb_mime_address *lists[YB_MIME_ENVELOPE_LISTS]; /* NULL: nobody */
};

/* Is this the name of a field that an envelope is made from? */
bool yb_mime_envelope_has(struct yb_str name);

/* Of texts the first field counts; of address lists repeated fields are joined in their order,
 * until there are YB_MIME_ADDRESSES_MAX addresses. */
void yb_mime_envelope_parse(struct yb_str header, struct yb_arena *arena,
                            struct yb_mime_envelope *out);

#endif
