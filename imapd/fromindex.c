#include "imapd/fromindex.h"

#include "imapd/sync.h"

#define FLAGS_MOST ((size_t)256 << 10) /* all keywords that a mailbox can have */

static char *
put_str(char *p, struct yb_str s)
{
    memcpy(p, s.p, s.n);
    return p + s.n;
}

static char *
put_number(char *p, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    return put_str(p, yb_str(digits + at, sizeof(digits) - at));
}

static struct yb_str
flags_text(struct imapd_fromindex *f, struct imapd_cmd *c, const struct yb_record *r)
{
    const struct yb_keywords *keywords = imapd_told_keywords(c);
    bool recent = yb_view_is_recent(&c->s->view, r->uid);

    if (f->text != NULL && r->flags == f->flags && r->keywords == f->keywords &&
        r->keyword_set == f->set && recent == f->recent)
        return yb_buf_view(f->text);
    if (f->text == NULL)
        f->text = yb_buf_new(FLAGS_MOST);
    yb_buf_clear(f->text);
    imapd_put_flags(f->text, r, keywords, recent);
    f->flags = r->flags;
    f->keywords = r->keywords;
    f->set = r->keyword_set;
    f->recent = recent;
    return yb_buf_view(f->text);
}

void
imapd_fromindex_put(struct imapd_fromindex *f, struct imapd_cmd *c, uint32_t seq,
                    const struct yb_record *r, unsigned items)
{
    struct yb_str flags = (items & IMAPD_FETCH_FLAGS) != 0 ? flags_text(f, c, r) : YB_STR("");
    char *start = yb_buf_room(c->out, 256 + flags.n), *p = start;
    struct yb_str between = YB_STR("");

    if (start == NULL)
        return;
    p = put_str(p, YB_STR("* "));
    p = put_number(p, seq);
    p = put_str(p, YB_STR(" FETCH ("));
    if ((items & IMAPD_FETCH_UID) != 0) {
        p = put_number(put_str(p, YB_STR("UID ")), r->uid);
        between = YB_STR(" ");
    }
    if ((items & IMAPD_FETCH_FLAGS) != 0) {
        p = put_str(put_str(put_str(p, between), YB_STR("FLAGS ")), flags);
        between = YB_STR(" ");
    }
    if ((items & IMAPD_FETCH_MODSEQ) != 0) {
        p = put_number(put_str(put_str(p, between), YB_STR("MODSEQ (")), r->modseq);
        *p++ = ')';
        between = YB_STR(" ");
    }
    if ((items & IMAPD_FETCH_SIZE) != 0)
        p = put_number(put_str(put_str(p, between), YB_STR("RFC822.SIZE ")), r->size);
    yb_buf_wrote(c->out, (size_t)(p - start));
    if ((items & IMAPD_FETCH_DATE) != 0) {
        yb_buf_add(c->out, (items & IMAPD_FETCH_SIZE) != 0 ? YB_STR(" ") : between);
        yb_buf_add(c->out, YB_STR("INTERNALDATE "));
        imapd_put_date(c->out, (struct yb_date){ .utc = r->internal_date,
                                                 .offset = yb_zone_offset(atomic_load(&c->s->zone),
                                                                          r->internal_date) });
    }
}

void
imapd_fromindex_end(struct imapd_fromindex *f)
{
    yb_buf_free(&f->text);
}
