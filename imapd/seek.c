#include "imapd/seek.h"

#include "imapd/text.h"

#include "lib/base/clock.h"
#include "lib/mime/charset.h"
#include "lib/mime/content.h"
#include "lib/mime/header.h"
#include "lib/mime/transfer.h"

#define SCRATCH 16384
#define DECODED_MAX ((size_t)16 << 20) /* of a window: far more than any decoder makes of it */
#define CONTENT_MAX 4096               /* of a part's Content-Type that its charset is taken from */
#define FOLD_PIECE ((size_t)8 << 10)   /* of characters that become eighteen each, 20 ms of work */
/* Between two looks at the clock: octets compared, and lines of headers. */
#define COMPARED_A_LOOK ((size_t)1 << 20)
#define STEPS_A_LOOK 64

/* Where in the message: what comes next is a line of a part's header, a piece of its text, … */
enum place { AT_FIELDS, AT_TREE, AT_TEXT, AT_TEXT_END };

struct imapd_seek {
    struct imapd_needle *needles;
    size_t n, longest;
    bool wants_text; /* a needle is looked for in every field of the header */
    struct imapd_message *m;
    size_t left; /* needles not found yet */
    enum imapd_seek_stage stage;
    enum place place;
    uint32_t part;

    /* AT_FIELDS */
    struct imapd_lines lines;
    struct yb_buf *field; /* its lines so far; none while fields are passed over */
    struct yb_arena *scratch;
    char type[CONTENT_MAX], encoding[CONTENT_MAX]; /* of the part: values, p == NULL: none */
    struct yb_str type_value, encoding_value;

    /* AT_TEXT */
    uint64_t at;
    bool last; /* all of the text is read */
    struct yb_transfer transfer;
    struct yb_str charset_name;
    struct yb_charset *charset;
    struct yb_buf *raw, *utf8, *folded;

    /* What the needles are compared with now, and how far that is. */
    struct yb_str text;
    size_t name_n; /* a field of the message's own header: octets of its name; 0: anything else */
    bool comparing;
    size_t next, compared;
};

struct imapd_seek *
imapd_seek_new(struct imapd_needle *needles, size_t n, struct yb_budget *budget)
{
    struct imapd_seek *s = yb_alloc(1, sizeof(*s));

    s->needles = needles;
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        if (needles[i].text.n > s->longest)
            s->longest = needles[i].text.n;
        s->wants_text |= needles[i].where == IMAPD_SEEK_TEXT;
    }
    s->scratch = yb_arena_new_charged(SCRATCH, budget);
    s->field = yb_buf_new_charged(IMAPD_SEEK_FIELD_MAX, budget);
    s->raw = yb_buf_new_charged(DECODED_MAX, budget);
    s->utf8 = yb_buf_new_charged(DECODED_MAX, budget);
    s->folded = yb_buf_new_charged(DECODED_MAX, budget);
    return s;
}

void
imapd_seek_free(struct imapd_seek **s)
{
    if (*s == NULL)
        return;
    yb_charset_close(&(*s)->charset);
    yb_arena_free(&(*s)->scratch);
    yb_buf_free(&(*s)->field);
    yb_buf_free(&(*s)->raw);
    yb_buf_free(&(*s)->utf8);
    yb_buf_free(&(*s)->folded);
    yb_free(*s);
    *s = NULL;
}

static void
fields_begin(struct imapd_seek *s, uint64_t from, uint64_t to)
{
    s->place = AT_FIELDS;
    s->lines = (struct imapd_lines){ .at = from, .end = to };
    s->type_value = s->encoding_value = yb_str(NULL, 0);
    yb_buf_clear(s->field);
}

void
imapd_seek_begin(struct imapd_seek *s, struct imapd_message *m)
{
    s->m = m;
    s->stage = IMAPD_SOUGHT_NOTHING;
    s->part = 0;
    s->comparing = false;
    s->left = s->n;
    for (size_t i = 0; i < s->n; i++) {
        s->needles[i].found = s->needles[i].where != IMAPD_SEEK_FIELD && s->needles[i].text.n == 0;
        s->left -= s->needles[i].found;
    }
    fields_begin(s, 0, 0);
}

enum imapd_seek_stage
imapd_seek_stage_of(const struct imapd_seek *s)
{
    return s->stage;
}

/* --- comparing --- */

static bool
contains(struct yb_str text, struct yb_str needle)
{
    return needle.n == 0 || yb_str_find_str(text, needle) < text.n;
}

static bool
matches(const struct imapd_seek *s, const struct imapd_needle *needle)
{
    if (s->name_n == 0)
        return needle->where != IMAPD_SEEK_FIELD && contains(s->text, needle->text);
    if (needle->where == IMAPD_SEEK_FIELD)
        return yb_str_eqi(yb_str_head(s->text, s->name_n), needle->field) &&
               contains(yb_str_skip(s->text, s->name_n + 2), needle->squeezed);
    return needle->where == IMAPD_SEEK_TEXT && contains(s->text, needle->squeezed);
}

static void
compare_begin(struct imapd_seek *s, struct yb_str text, size_t name_n)
{
    s->text = text;
    s->name_n = name_n;
    s->comparing = true;
    s->next = 0;
}

/* 1: the slice is over. */
static int
compare(struct imapd_seek *s)
{
    while (s->next < s->n) {
        struct imapd_needle *needle = &s->needles[s->next++];

        if (!needle->found && matches(s, needle)) {
            needle->found = true;
            s->left--;
        }
        s->compared += s->text.n + 64;
        if (s->compared < COMPARED_A_LOOK)
            continue;
        s->compared = 0;
        if (yb_clock_ms() >= s->m->until)
            return 1;
    }
    s->comparing = false;
    return 0;
}

/* --- header fields --- */

/* Is anything asked of the field that begins with this line? */
static bool
is_wanted(const struct imapd_seek *s, struct yb_str line)
{
    struct yb_str name = yb_header_name(line);

    if (name.n == 0)
        return false;
    if (s->part > 0 || s->wants_text || yb_str_starts_i(name, YB_STR("Content-")))
        return true;
    for (size_t i = 0; i < s->n; i++) {
        if (s->needles[i].where == IMAPD_SEEK_FIELD && yb_str_eqi(s->needles[i].field, name))
            return true;
    }
    return false;
}

static void
note_value(struct yb_str value, char room[CONTENT_MAX], struct yb_str *out)
{
    if (out->p != NULL)
        return; /* the first counts */
    *out = yb_str(room, value.n < CONTENT_MAX ? value.n : CONTENT_MAX);
    memcpy(room, value.p, out->n);
}

/* The field is whole: "name: value" is what texts are looked for in. In the message's own header
 * runs of spaces are one, as its folding left them. */
static void
field_take(struct imapd_seek *s)
{
    struct yb_str left = yb_buf_view(s->field), text;
    struct yb_header h;

    yb_arena_reset(s->scratch);
    (void)yb_header_next(&left, &h);
    if (yb_str_eqi(h.name, YB_STR("Content-Type")))
        note_value(h.value, s->type, &s->type_value);
    else if (yb_str_eqi(h.name, YB_STR("Content-Transfer-Encoding")))
        note_value(h.value, s->encoding, &s->encoding_value);
    text = imapd_text_header(h.value, s->scratch);
    text = yb_arena_printf(s->scratch, "%.*s: %.*s",
                           YB_STR_ARG(imapd_text_needle(h.name, s->scratch)), YB_STR_ARG(text));
    if (s->part == 0)
        text = imapd_text_squeeze(text, s->scratch);
    compare_begin(s, text, s->part == 0 ? h.name.n : 0);
    yb_buf_clear(s->field);
}

/* One more line, or piece of a line, of a header. */
static int
fields_step(struct imapd_seek *s, struct yb_err *err)
{
    struct imapd_lines before;
    struct imapd_line line;
    struct yb_str room;
    int rc = 0;

    if (s->part == 0 && s->lines.end == 0) {
        rc = imapd_message_header(s->m, err);
        s->lines.end = s->m->header_size;
    }
    before = s->lines;
    if (rc != 0 || (rc = imapd_message_line(s->m, &s->lines, &line, err)) != 0)
        return rc;
    if (line.begins && (line.text.n == 0 || (line.text.p[0] != ' ' && line.text.p[0] != '\t'))) {
        if (yb_buf_size(s->field) > 0) {
            s->lines = before; /* this line is looked at when the field before it is done */
            field_take(s);
            return 0;
        }
        if (line.text.n == 0) {
            if (s->part == 0)
                s->stage = IMAPD_SOUGHT_HEADER;
            s->place = AT_TREE;
            return 0;
        }
        if (!is_wanted(s, line.text))
            return 0;
    } else if (yb_buf_size(s->field) == 0) {
        return 0; /* goes on a field that nobody asks for */
    }
    room = yb_str_head(line.text, IMAPD_SEEK_FIELD_MAX - yb_buf_size(s->field));
    yb_buf_add(s->field, room);
    return 0;
}

/* --- texts --- */

/* Behind a part's header: its text, if it is one, or what comes next. */
static int
text_begin(struct imapd_seek *s, struct yb_err *err)
{
    const struct yb_mime_part *part;
    struct yb_mime_content content = { 0 };
    int rc = imapd_message_tree(s->m, err);

    if (rc != 0)
        return rc;
    s->place = AT_TEXT_END;
    part = &s->m->parsed.tree.parts[s->part];
    yb_arena_reset(s->scratch);
    if (part->kind != YB_MIME_LEAF ||
        (s->type_value.p != NULL && yb_mime_content_type(s->type_value, s->scratch, &content) &&
         !yb_str_eqi(content.type, YB_STR("text"))))
        return 0;
    s->place = AT_TEXT;
    s->at = part->body;
    s->charset_name = yb_mime_param_find(&content, YB_STR("charset"), s->scratch);
    s->transfer =
        yb_transfer_begin(s->encoding_value.p == NULL ? YB_TRANSFER_IDENTITY
                                                      : yb_transfer_kind_of(s->encoding_value));
    yb_charset_close(&s->charset);
    s->last = false;
    yb_buf_clear(s->utf8);
    yb_buf_clear(s->folded);
    return 0;
}

/* Transfer encoding and charset of a piece, behind what waits in utf8. An unknown charset is looked
 * at as the octets it has; plain ASCII needs no conversion. */
static int
text_decode(struct imapd_seek *s, struct yb_str piece, bool last, struct yb_err *err)
{
    if (s->transfer.kind != YB_TRANSFER_IDENTITY) {
        yb_buf_clear(s->raw);
        if (yb_transfer_feed(&s->transfer, piece, s->raw, err) < 0 ||
            (last && yb_transfer_end(&s->transfer, s->raw, err) < 0))
            return -1;
        piece = yb_buf_view(s->raw);
    }
    if (s->charset == NULL && !yb_charset_is_plain(s->charset_name, piece))
        s->charset = yb_charset_open(s->charset_name);
    if (s->charset == NULL)
        return yb_buf_append(s->utf8, piece, err);
    if (yb_charset_feed(s->charset, piece, s->utf8, err) < 0)
        return -1;
    return last ? yb_charset_end(s->charset, s->utf8, err) : 0;
}

/*
 * How much of what was decoded is folded next: a piece, cut where no later character can join with
 * what is before, that is before one of ASCII. A piece without any is cut between two characters. 0:
 * more has to be read first.
 */
static size_t
fold_piece(struct yb_str utf8, bool last)
{
    size_t n = utf8.n < FOLD_PIECE ? utf8.n : FOLD_PIECE;

    if (last && n == utf8.n)
        return n;
    for (size_t k = n; k > 1; k--) {
        if (((unsigned char)utf8.p[k - 1] & 0x80) == 0)
            return k - 1;
    }
    if (utf8.n < FOLD_PIECE)
        return 0;
    for (size_t k = n; k > n - 4; k--) {
        if (k == utf8.n || ((unsigned char)utf8.p[k] & 0xc0) != 0x80)
            return k;
    }
    return n; /* these are no characters */
}

/* One more window of a text. */
static int
text_read(struct imapd_seek *s, struct yb_err *err)
{
    uint64_t end = s->m->parsed.tree.parts[s->part].end;
    struct yb_str piece;

    if (imapd_message_read(s->m, s->at, &piece, err) < 0)
        return -1;
    piece = yb_str_head(piece, end > s->at ? end - s->at : 0);
    s->at += piece.n;
    s->last = piece.n == 0 || s->at >= end;
    return text_decode(s, piece, s->last, err);
}

/* One more piece of a text. What is behind the last place where a needle could begin stays for the
 * next one. */
static int
text_step(struct imapd_seek *s, struct yb_err *err)
{
    size_t keep = s->longest > 0 ? s->longest - 1 : 0;
    size_t n = fold_piece(yb_buf_view(s->utf8), s->last);

    if (n == 0 && !s->last)
        return text_read(s, err);
    if (n == 0) {
        s->place = AT_TEXT_END;
        return 0;
    }
    if (yb_buf_size(s->folded) > keep)
        yb_buf_consume(s->folded, yb_buf_size(s->folded) - keep);
    if (yb_text_fold(yb_str_head(yb_buf_view(s->utf8), n), s->folded, err) < 0)
        return -1;
    yb_buf_consume(s->utf8, n);
    compare_begin(s, yb_buf_view(s->folded), 0);
    return 0;
}

static void
next_part(struct imapd_seek *s)
{
    const struct yb_mime_tree *tree = &s->m->parsed.tree;

    if (++s->part == tree->n)
        s->stage = IMAPD_SOUGHT_ALL;
    else
        fields_begin(s, tree->parts[s->part].header, tree->parts[s->part].body);
}

static int
step(struct imapd_seek *s, struct yb_err *err)
{
    switch (s->place) {
    case AT_FIELDS:
        return fields_step(s, err);
    case AT_TREE:
        return text_begin(s, err);
    case AT_TEXT:
        return text_step(s, err);
    case AT_TEXT_END:
        next_part(s);
        return 0;
    }
    return 0;
}

int
imapd_seek_run(struct imapd_seek *s, enum imapd_seek_stage stage, struct yb_err *err)
{
    for (unsigned k = 1; s->stage < stage || s->comparing; k++) {
        int rc;

        if (s->comparing && compare(s) != 0)
            return 1;
        if (s->left == 0 || s->m->condemned)
            s->stage = IMAPD_SOUGHT_ALL;
        if (s->stage >= stage)
            return 0;
        rc = step(s, err);
        if (rc != 0)
            return rc;
        if ((k % STEPS_A_LOOK == 0 || s->place == AT_TEXT) && yb_clock_ms() >= s->m->until)
            return 1;
    }
    return 0;
}
