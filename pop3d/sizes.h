/*
 * Sizes as POP3 counts them: each line ends by CRLF (RFC 1939 §3), so a message with bare LFs, or
 * whose last line does not end, is larger than its file. Only a look at all of its octets tells by how
 * much; what was found is remembered beside the mailbox (lib/store, memo), so that each message is
 * looked at once, at the first login that sees it. Pure functions.
 */
#ifndef POP3D_SIZES_H
#define POP3D_SIZES_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

/* Fed with a message, piece by piece. */
struct pop3d_counter {
    uint64_t bare; /* LFs without a CR before them */
    char last;     /* 0: nothing came yet */
};
void pop3d_counter_feed(struct pop3d_counter *c, struct yb_str piece);
/* Octets that are added on its way to the client, stuffed dots and the end not counted. */
uint64_t pop3d_counter_extra(const struct pop3d_counter *c);

/* What is known: of all messages up to a UID, those that become larger. */
struct pop3d_extra {
    uint64_t uid, octets;
};
struct pop3d_sizes {
    uint32_t upto;         /* later UIDs were not looked at */
    struct pop3d_extra *v; /* ascending */
    size_t n, room;
};
void pop3d_sizes_free(struct pop3d_sizes *s);
/* UIDs must come in ascending order. */
void pop3d_sizes_add(struct pop3d_sizes *s, uint32_t uid, uint64_t octets);
uint64_t pop3d_sizes_extra(const struct pop3d_sizes *s, uint32_t uid);

/* As octets for the memo. False (and *s empty): of another UIDVALIDITY, or none of ours. */
void pop3d_sizes_encode(const struct pop3d_sizes *s, uint32_t uidvalidity, struct yb_buf *out);
bool pop3d_sizes_decode(struct yb_str bytes, uint32_t uidvalidity,
                        struct pop3d_sizes *s) YB_MUST_USE;

#endif
