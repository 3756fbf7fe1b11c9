#include "imapd/fields.h"

#include "lib/base/clock.h"
#include "lib/mime/header.h"

#include "imapd/answer.h"

#define KEPT 16384      /* octets picked out at once */
#define LINES_A_LOOK 64 /* between two looks at the clock */

static bool
is_named(const struct imapd_section *s, struct yb_str name)
{
    for (size_t i = 0; i < s->n_fields; i++) {
        if (yb_str_eqi(s->fields[i], name))
            return true;
    }
    return false;
}

void
imapd_fields_begin(struct imapd_fields *f, const struct imapd_section *s, uint64_t start,
                   uint64_t end)
{
    struct yb_buf *kept = f->kept != NULL ? f->kept : yb_buf_new(KEPT);

    yb_buf_clear(kept);
    *f = (struct imapd_fields){ .section = s,
                                .lines = { .at = start, .end = end },
                                .start = start,
                                .counting = true,
                                .kept = kept };
}

/* Octets of a field that was asked for. */
static void
take(struct imapd_cmd *c, struct imapd_fields *f, struct yb_str text)
{
    uint64_t at = f->n;

    f->n += text.n;
    if (f->counting) {
        yb_buf_add(f->kept, text);
        return;
    }
    if (f->n > f->to)
        text = yb_str_head(text, f->to > at ? (size_t)(f->to - at) : 0);
    if (at < f->from)
        text = yb_str_skip(text, f->from - at < text.n ? (size_t)(f->from - at) : text.n);
    yb_buf_add(c->out, text);
}

/* Goes on through the header: 0 at its end, 1 when the slice is over or the piece is full. */
static int
walk(struct imapd_fields *f, struct imapd_cmd *c, struct imapd_message *m, size_t sent,
     struct yb_err *err)
{
    const struct imapd_section *s = f->section;
    struct imapd_line line;

    for (unsigned k = 1;; k++) {
        if (imapd_message_line(m, &f->lines, &line, err) < 0)
            return -1;
        if (line.text.n == 0)
            return 0;
        if (line.begins && line.text.p[0] != ' ' && line.text.p[0] != '\t') {
            struct yb_str name = yb_header_name(line.text);

            f->wanted = name.n > 0 && is_named(s, name) == (s->text == IMAPD_TEXT_FIELDS);
        }
        if (f->wanted)
            take(c, f, line.text);
        if (sent + yb_buf_size(c->out) >= YB_OUT_PIECE ||
            (k % LINES_A_LOOK == 0 && yb_clock_ms() >= c->until))
            return 1;
    }
}

int
imapd_fields_step(struct imapd_fields *f, struct imapd_cmd *c, struct imapd_message *m, size_t sent,
                  struct yb_err *err)
{
    const struct imapd_section *s = f->section;
    int rc = walk(f, c, m, sent, err);

    if (rc != 0)
        return rc;
    take(c, f, YB_STR("\r\n"));
    if (!f->counting)
        return 0;
    f->from = s->partial && s->offset < f->n ? s->offset : s->partial ? f->n : 0;
    f->to = s->partial && f->n - f->from > s->length ? f->from + s->length : f->n;
    imapd_put_literal_head(c->out, f->to - f->from);
    if (yb_buf_overflowed(f->kept)) { /* once more, from the file */
        f->lines = (struct imapd_lines){ .at = f->start, .end = f->lines.end };
        f->counting = f->wanted = false;
        f->n = 0;
        return imapd_fields_step(f, c, m, sent, err);
    }
    yb_buf_add(c->out, yb_str_head(yb_str_skip(yb_buf_view(f->kept), (size_t)f->from),
                                   (size_t)(f->to - f->from)));
    return 0;
}

void
imapd_fields_end(struct imapd_fields *f)
{
    yb_buf_free(&f->kept);
}
