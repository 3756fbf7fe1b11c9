#include "imapd/set.h"

#include <stdlib.h>

static int
range_order(const void *a, const void *b)
{
    const struct imapd_range *x = a, *y = b;

    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

void
imapd_set_resolve(struct imapd_set *s, uint32_t star)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        uint32_t a = s->v[i].lo == IMAPD_STAR ? star : s->v[i].lo;
        uint32_t b = s->v[i].hi == IMAPD_STAR ? star : s->v[i].hi;

        s->v[i] = a < b ? (struct imapd_range){ a, b } : (struct imapd_range){ b, a };
    }
    qsort(s->v, s->n, sizeof(s->v[0]), range_order);
    for (size_t i = 0; i < s->n; i++) {
        if (n > 0 && (s->v[i].lo <= s->v[n - 1].hi || s->v[i].lo - 1 == s->v[n - 1].hi)) {
            if (s->v[i].hi > s->v[n - 1].hi)
                s->v[n - 1].hi = s->v[i].hi;
        } else {
            s->v[n++] = s->v[i];
        }
    }
    s->n = n;
}

bool
imapd_set_has(const struct imapd_set *s, uint32_t number)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (number > s->v[mid].hi)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && number >= s->v[lo].lo;
}

uint32_t
imapd_set_largest(const struct imapd_set *s)
{
    uint32_t largest = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].lo > largest)
            largest = s->v[i].lo;
        if (s->v[i].hi > largest)
            largest = s->v[i].hi;
    }
    return largest;
}

static void
writer_flush(struct imapd_set_writer *w)
{
    if (w->lo == 0)
        return;
    if (w->any)
        yb_buf_add_c(w->out, ',');
    yb_buf_add_u64(w->out, w->lo);
    if (w->hi > w->lo) {
        yb_buf_add_c(w->out, ':');
        yb_buf_add_u64(w->out, w->hi);
    }
    w->any = true;
    w->lo = 0;
}

void
imapd_set_add(struct imapd_set_writer *w, uint32_t number)
{
    if (w->lo != 0 && number == w->hi + 1) {
        w->hi = number;
        return;
    }
    writer_flush(w);
    w->lo = number;
    w->hi = number;
}

void
imapd_set_end(struct imapd_set_writer *w)
{
    writer_flush(w);
}
