/*
 * A message as a POP3 answer (RFC 1939 §3): CRLF at the end of each line, a dot before every line that
 * begins with one, and "." CRLF at the end; for TOP, only the header and the first lines. Pure functions that are fed
 * the message piece by piece.
 */
#ifndef POP3D_STUFF_H
#define POP3D_STUFF_H

#include "lib/base/str.h"

struct pop3d_stuffer {
    bool dotted; /* the dot of this line is sent */
    char last;   /* of the message so far; begins as LF: a line starts */
};
#define POP3D_STUFFER_INIT                                                                         \
    {                                                                                              \
        .dotted = false, .last = '\n'                                                              \
    }

/*
 * The next bytes to send of *rest, which is shortened by what they stand for; false when it is used
 * up. A bare LF is a line end, too: it goes out as CRLF. A bare CR is none, and stays.
 */
bool pop3d_stuff_next(struct pop3d_stuffer *s, struct yb_str *rest, struct yb_str *out);
/* What ends the answer. */
struct yb_str pop3d_stuff_end(const struct pop3d_stuffer *s);

struct pop3d_top {
    uint64_t lines; /* of the body, still to come */
    bool in_body;
    bool blank; /* the line so far is empty, or a lone CR */
    bool done;  /* nothing more of the message is wanted */
};
#define POP3D_TOP_INIT(n)                                                                          \
    {                                                                                              \
        .lines = (n), .blank = true                                                                \
    }

/* How many bytes of this piece belong to the answer. */
size_t pop3d_top_take(struct pop3d_top *t, struct yb_str piece);

#endif
