#include "pop3d/stuff.h"

/* How much of `rest` goes out as it is: up to a bare LF, or behind the line end before a dot. */
static size_t
run_size(const struct pop3d_stuffer *s, struct yb_str rest)
{
    size_t n = 0;

    while (n < rest.n) {
        size_t end = n + yb_str_find(yb_str_skip(rest, n), '\n');

        if (end == rest.n || (end > 0 ? rest.p[end - 1] : s->last) != '\r')
            return end;
        n = end + 1;
        if (n < rest.n && rest.p[n] == '.')
            return n;
    }
    return n;
}

bool
pop3d_stuff_next(struct pop3d_stuffer *s, struct yb_str *rest, struct yb_str *out)
{
    size_t n;

    if (rest->n == 0)
        return false;
    if (s->last == '\n' && rest->p[0] == '.' && !s->dotted) {
        s->dotted = true;
        *out = YB_STR(".");
        return true;
    }
    s->dotted = false;
    n = run_size(s, *rest);
    *out = n > 0 ? yb_str_head(*rest, n) : YB_STR("\r\n");
    n = n > 0 ? n : 1; /* a bare LF */
    s->last = rest->p[n - 1];
    *rest = yb_str_skip(*rest, n);
    return true;
}

struct yb_str
pop3d_stuff_end(const struct pop3d_stuffer *s)
{
    return s->last == '\n' ? YB_STR(".\r\n") : YB_STR("\r\n.\r\n");
}

/* One line end was met. */
static void
end_line(struct pop3d_top *t)
{
    if (t->in_body)
        t->lines--;
    else if (t->blank)
        t->in_body = true;
    t->done = t->in_body && t->lines == 0;
    t->blank = true;
}

size_t
pop3d_top_take(struct pop3d_top *t, struct yb_str piece)
{
    size_t at = 0;

    while (at < piece.n && !t->done) {
        struct yb_str rest = yb_str_skip(piece, at);
        size_t end = yb_str_find(rest, '\n');

        if (end > 1 || (end == 1 && rest.p[0] != '\r'))
            t->blank = false;
        at += end < rest.n ? end + 1 : rest.n;
        if (end < rest.n)
            end_line(t);
    }
    return at;
}
