#include "lib/mime/transfer.h"

#include "lib/base/id.h"
#include "lib/mime/content.h"

/* Bytes that held state can add to what a piece decodes to. */
#define SLACK (YB_TRANSFER_HELD + 8)

enum yb_transfer_kind
yb_transfer_kind_of(struct yb_str value)
{
    static const struct {
        struct yb_str name;
        enum yb_transfer_kind kind;
    } names[] = {
        { YB_STR_INIT("7bit"), YB_TRANSFER_IDENTITY },
        { YB_STR_INIT("8bit"), YB_TRANSFER_IDENTITY },
        { YB_STR_INIT("binary"), YB_TRANSFER_IDENTITY },
        { YB_STR_INIT("base64"), YB_TRANSFER_BASE64 },
        { YB_STR_INIT("quoted-printable"), YB_TRANSFER_QUOTED_PRINTABLE },
    };
    struct yb_str word = yb_mime_word(value);

    for (size_t i = 0; i < YB_COUNT(names); i++) {
        if (yb_str_eqi(word, names[i].name))
            return names[i].kind;
    }
    return word.n == 0 ? YB_TRANSFER_IDENTITY : YB_TRANSFER_UNKNOWN;
}

struct yb_transfer
yb_transfer_begin(enum yb_transfer_kind kind)
{
    return (struct yb_transfer){ .kind = kind };
}

static int
base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (yb_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* '=' ends a group of four, so that pieces encoded apart and joined decode too. */
static size_t
base64_feed(struct yb_transfer *t, struct yb_str in, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        int v = base64_value(in.p[i]);

        if (in.p[i] == '=')
            t->n_bits = 0;
        if (v < 0)
            continue;
        t->bits = t->bits << 6 | (uint32_t)v;
        t->n_bits += 6;
        if (t->n_bits >= 8) {
            t->n_bits -= 8;
            to[n++] = (char)(t->bits >> t->n_bits & 0xff);
        }
    }
    return n;
}

static size_t
held_put(struct yb_transfer *t, char *to)
{
    size_t n = t->n_held;

    memcpy(to, t->held, n);
    t->n_held = 0;
    return n;
}

/* Keeps a space back; those that do not fit any more go out first. */
static size_t
held_add(struct yb_transfer *t, char c, char *to)
{
    size_t n = t->n_held == YB_TRANSFER_HELD ? held_put(t, to) : 0;

    t->held[t->n_held++] = c;
    return n;
}

/* '=' was followed by something that makes no sense: all of it stands for itself. */
static size_t
equals_put(struct yb_transfer *t, char *to)
{
    size_t n = 0;

    to[n++] = '=';
    if (t->digit != '\0')
        to[n++] = t->digit;
    n += held_put(t, to + n);
    if (t->after_cr)
        to[n++] = '\r';
    t->after_equals = t->after_cr = false;
    t->digit = '\0';
    return n;
}

/* A byte behind '='. Sets *used when it belongs to the escape; else it is to be read as usual. */
static size_t
equals_byte(struct yb_transfer *t, char c, char *to, bool *used)
{
    bool fresh = t->digit == '\0' && !t->after_cr;
    char pair[2] = { t->digit == '\0' ? '0' : t->digit, c };
    uint8_t byte;

    *used = true;
    if (c == '\n' && t->digit == '\0') { /* soft line break, with the spaces behind '=' */
        t->after_equals = t->after_cr = false;
        t->n_held = 0;
        return 0;
    }
    if (fresh && c == '\r') {
        t->after_cr = true;
        return 0;
    }
    if (fresh && (c == ' ' || c == '\t') && t->n_held < YB_TRANSFER_HELD)
        return held_add(t, c, to);
    if (t->n_held == 0 && !t->after_cr && yb_unhex(yb_str(pair, 2), &byte, 1)) {
        if (t->digit == '\0') {
            t->digit = c;
            return 0;
        }
        t->after_equals = false;
        t->digit = '\0';
        to[0] = (char)byte;
        return 1;
    }
    *used = false;
    return equals_put(t, to);
}

/* An ordinary byte: spaces wait for what follows them, for at the end of a line they are not the
 * sender's (RFC 2045 §6.7 rule 3). */
static size_t
plain_byte(struct yb_transfer *t, char c, char *to)
{
    size_t n = 0;

    if (c == ' ' || c == '\t')
        return held_add(t, c, to);
    if (c == '=') {
        n = held_put(t, to);
        t->after_equals = true;
        return n;
    }
    if (c == '\r' || c == '\n')
        t->n_held = 0;
    n = held_put(t, to);
    to[n++] = c;
    return n;
}

static size_t
quoted_feed(struct yb_transfer *t, struct yb_str in, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        bool used = false;

        if (t->after_equals)
            n += equals_byte(t, in.p[i], to + n, &used);
        if (!used)
            n += plain_byte(t, in.p[i], to + n);
    }
    return n;
}

static size_t
identity_feed(struct yb_str in, char *to)
{
    if (in.n > 0)
        memcpy(to, in.p, in.n);
    return in.n;
}

int
yb_transfer_feed(struct yb_transfer *t, struct yb_str in, struct yb_buf *out, struct yb_err *err)
{
    /* in steps, so that a limit is met where it is and not where the slack would be */
    while (in.n > 0) {
        struct yb_str step = yb_str_head(in, 4096);
        char decoded[4096 + SLACK];
        size_t n = t->kind == YB_TRANSFER_BASE64             ? base64_feed(t, step, decoded)
                   : t->kind == YB_TRANSFER_QUOTED_PRINTABLE ? quoted_feed(t, step, decoded)
                                                             : identity_feed(step, decoded);

        if (yb_buf_append(out, yb_str(decoded, n), err) < 0)
            return -1;
        in = yb_str_skip(in, step.n);
    }
    return 0;
}

int
yb_transfer_end(struct yb_transfer *t, struct yb_buf *out, struct yb_err *err)
{
    char rest[SLACK];
    size_t n = 0;

    if (t->after_equals && (t->digit != '\0' || t->after_cr))
        n = equals_put(t, rest);
    t->n_held = 0; /* the end of the body ends its last line */
    t->after_equals = false;
    return yb_buf_append(out, yb_str(rest, n), err);
}
