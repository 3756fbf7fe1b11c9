#include "lib/mime/convert.h"

#include <errno.h>

int
yb_convert_open(struct yb_convert *c, const char *from)
{
    *c = (struct yb_convert){ .utf8 = from == NULL, .unit = 1 };
    if (c->utf8)
        return 0;
    c->cd = iconv_open("UTF-8", from);
    return c->cd == (iconv_t)-1 ? -1 : 0;
}

void
yb_convert_close(struct yb_convert *c)
{
    if (!c->utf8)
        iconv_close(c->cd);
}

/* The well-formed beginning of *in goes to `out`; returns as convert() does. */
static int
convert_utf8(struct yb_str *in, struct yb_buf *out, struct yb_err *err)
{
    size_t n = 0, size = 1;

    while ((n += yb_ascii_run(yb_str_skip(*in, n))) < in->n &&
           (size = yb_utf8_size(yb_str_skip(*in, n))) > 0 && size <= in->n - n)
        n += size;
    if (yb_buf_append(out, yb_str_head(*in, n), err) < 0)
        return -1;
    *in = yb_str_skip(*in, n);
    return size == 0;
}

/* Converts as much of *in as possible; what is left begins with an incomplete sequence (returns 0)
 * or an ill-formed one (1). -1: the buffer is full. */
static int
convert(struct yb_convert *c, struct yb_str *in, struct yb_buf *out, struct yb_err *err)
{
    char text[4096];

    if (c->utf8)
        return convert_utf8(in, out, err);
    for (;;) {
        /* iconv() takes char ** but does not write to the input */
        char *from = (char *)(uintptr_t)in->p, *to = text;
        size_t n_from = in->n, n_to = sizeof(text);
        size_t rc = iconv(c->cd, &from, &n_from, &to, &n_to);
        int why = rc == (size_t)-1 ? errno : 0;

        if (yb_buf_append(out, yb_str(text, sizeof(text) - n_to), err) < 0)
            return -1;
        *in = yb_str_skip(*in, in->n - n_from);
        if (why != E2BIG)
            return why == EILSEQ;
    }
}

/* What is ill-formed becomes U+FFFD. */
static int
replace(const struct yb_convert *c, struct yb_str *in, struct yb_buf *out, struct yb_err *err)
{
    *in = yb_str_skip(*in, c->unit);
    return yb_buf_append(out, YB_REPLACEMENT, err);
}

/*
 * What waits gets byte after byte of the new piece until it is a sequence or none. Returns 0 with
 * *in past what was used, or -1.
 */
static int
complete_waiting(struct yb_convert *c, struct yb_str *in, struct yb_buf *out, struct yb_err *err)
{
    while (c->n_waiting > 0 && in->n > 0) {
        struct yb_str left;
        int rc;

        c->waiting[c->n_waiting++] = in->p[0];
        *in = yb_str_skip(*in, 1);
        left = yb_str(c->waiting, c->n_waiting);
        while ((rc = convert(c, &left, out, err)) == 1 ||
               (rc == 0 && left.n == YB_CONVERT_WAITING)) {
            if (replace(c, &left, out, err) < 0)
                return -1;
        }
        if (rc < 0)
            return -1;
        memmove(c->waiting, left.p, left.n);
        c->n_waiting = left.n;
    }
    return 0;
}

int
yb_convert_feed(struct yb_convert *c, struct yb_str in, struct yb_buf *out, struct yb_err *err)
{
    int rc;

    if (complete_waiting(c, &in, out, err) < 0)
        return -1;
    if (in.n == 0)
        return 0;
    while ((rc = convert(c, &in, out, err)) == 1 || (rc == 0 && in.n >= YB_CONVERT_WAITING)) {
        if (replace(c, &in, out, err) < 0)
            return -1;
    }
    if (rc < 0)
        return -1;
    if (in.n > 0)
        memcpy(c->waiting, in.p, in.n);
    c->n_waiting = in.n;
    return 0;
}

int
yb_convert_end(struct yb_convert *c, struct yb_buf *out, struct yb_err *err)
{
    char text[64], *to = text;
    size_t n_to = sizeof(text);

    if (c->n_waiting > 0 && yb_buf_append(out, YB_REPLACEMENT, err) < 0)
        return -1;
    c->n_waiting = 0;
    if (c->utf8)
        return 0;
    iconv(c->cd, NULL, NULL, &to,
          &n_to); /* what a stateful charset holds back, and its first state */
    return yb_buf_append(out, yb_str(text, sizeof(text) - n_to), err);
}
