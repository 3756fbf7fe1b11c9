/* The memo: version, UIDVALIDITY, the UID looked at last, a spare word (32 bits each); then the UID and
 * the octets of each message that becomes larger (64 bits each). Little-endian. */
#include "pop3d/sizes.h"

#define VERSION 1u
#define HEAD 16

void
pop3d_counter_feed(struct pop3d_counter *c, struct yb_str piece)
{
    const char *at = piece.p, *end = piece.p + piece.n, *lf;

    while (at < end && (lf = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        c->bare += (lf > piece.p ? lf[-1] : c->last) != '\r';
        at = lf + 1;
    }
    if (piece.n > 0)
        c->last = piece.p[piece.n - 1];
}

uint64_t
pop3d_counter_extra(const struct pop3d_counter *c)
{
    return c->bare + (c->last != '\0' && c->last != '\n' ? 2 : 0);
}

void
pop3d_sizes_free(struct pop3d_sizes *s)
{
    yb_free(s->v);
    *s = (struct pop3d_sizes){ 0 };
}

void
pop3d_sizes_add(struct pop3d_sizes *s, uint32_t uid, uint64_t octets)
{
    yb_assert(s->n == 0 || s->v[s->n - 1].uid < uid);
    if (s->n == s->room) {
        struct pop3d_extra *more;

        s->room = s->room == 0 ? 16 : 2 * s->room;
        more = yb_alloc(s->room, sizeof(*more));
        if (s->n > 0)
            memcpy(more, s->v, s->n * sizeof(*more));
        yb_free(s->v);
        s->v = more;
    }
    s->v[s->n++] = (struct pop3d_extra){ uid, octets };
}

uint64_t
pop3d_sizes_extra(const struct pop3d_sizes *s, uint32_t uid)
{
    size_t from = 0, to = s->n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (s->v[middle].uid == uid)
            return s->v[middle].octets;
        if (s->v[middle].uid < uid)
            from = middle + 1;
        else
            to = middle;
    }
    return 0;
}

void
pop3d_sizes_encode(const struct pop3d_sizes *s, uint32_t uidvalidity, struct yb_buf *out)
{
    uint32_t head[HEAD / 4] = { VERSION, uidvalidity, s->upto, 0 };

    yb_buf_add(out, yb_str((const char *)head, sizeof(head)));
    if (s->n > 0)
        yb_buf_add(out, yb_str((const char *)s->v, s->n * sizeof(*s->v)));
}

bool
pop3d_sizes_decode(struct yb_str bytes, uint32_t uidvalidity, struct pop3d_sizes *s)
{
    uint32_t head[HEAD / 4];
    uint64_t before = 0;

    *s = (struct pop3d_sizes){ 0 };
    if (bytes.n < HEAD || (bytes.n - HEAD) % sizeof(*s->v) != 0)
        return false;
    memcpy(head, bytes.p, HEAD);
    if (head[0] != VERSION || head[1] != uidvalidity)
        return false;
    s->upto = head[2];
    s->n = s->room = (bytes.n - HEAD) / sizeof(*s->v);
    if (s->n == 0)
        return true;
    s->v = yb_alloc(s->n, sizeof(*s->v));
    memcpy(s->v, bytes.p + HEAD, s->n * sizeof(*s->v));
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].uid <= before || s->v[i].uid > s->upto || s->v[i].octets > UINT32_MAX + 2ull) {
            pop3d_sizes_free(s);
            return false;
        }
        before = s->v[i].uid;
    }
    return true;
}
