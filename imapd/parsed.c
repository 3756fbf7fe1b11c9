/*
 * version, number of parts, limited, has_sent (32 bits each), sent_day (64); the lengths of the
 * texts (32, ABSENT for none); the parts; the texts. Little-endian.
 */
#include "imapd/parsed.h"

#include "lib/base/buf.h"
#include "lib/mime/addresses.h"
#include "lib/mime/date.h"
#include "lib/mime/header.h"

#include "imapd/structure.h"
#include "imapd/text.h"

/* Raised whenever lib/mime or what is here reads a message differently: what older programs kept is
 * then made anew. */
#define VERSION 0x33494279u /* "yBI3" */
#define ABSENT UINT32_MAX
#define TEXTS (3 + IMAPD_SEARCHED)
#define HEAD_SIZE (4 * 4 + 8 + 4 * TEXTS)
#define PART_SIZE (3 * 8 + 4 * 4)
/* ENVELOPE and structure of a hostile message: bigger ones are not answered truly but "NIL". They
 * are made of at most YB_MIME_FIELDS_MAX octets, 20 000 addresses and 10 000 parts. */
#define TEXT_MAX ((size_t)8 << 20)
#define SCRATCH 4096

static const struct yb_str searched_names[IMAPD_SEARCHED] = {
    [IMAPD_SEARCHED_FROM] = YB_STR_INIT("From"),       [IMAPD_SEARCHED_TO] = YB_STR_INIT("To"),
    [IMAPD_SEARCHED_CC] = YB_STR_INIT("Cc"),           [IMAPD_SEARCHED_BCC] = YB_STR_INIT("Bcc"),
    [IMAPD_SEARCHED_SUBJECT] = YB_STR_INIT("Subject"),
};

enum imapd_searched
imapd_searched_field(struct yb_str name)
{
    unsigned i = 0;

    while (i < IMAPD_SEARCHED && !yb_str_eqi(name, searched_names[i]))
        i++;
    return (enum imapd_searched)i;
}

/* --- making --- */

/* A line end keeps a text from being found across two fields. */
static void
add_searched(struct yb_buf **to, struct yb_str text, struct yb_arena *scratch)
{
    if (*to == NULL)
        *to = yb_buf_new(TEXT_MAX);
    else
        yb_buf_add_c(*to, '\n');
    yb_buf_add(*to, imapd_text_squeeze(text, scratch));
}

/* FROM and the like search the envelope's addresses (RFC 3501 §6.4.4): those that the field writes
 * with comments, spaces or quotes inside are added as the envelope has them. */
static void
add_addresses(struct yb_buf **to, struct yb_str value, struct yb_arena *scratch)
{
    struct yb_mime_addresses list;
    struct yb_buf *b;
    bool quoted = false;

    yb_mime_addresses_parse(value, scratch, &list);
    for (const struct yb_mime_address *a = list.first; a != NULL; a = a->next)
        quoted |= a->quoted;
    if (!list.obscure && !quoted)
        return;
    b = yb_buf_new(2 * value.n + 16);
    for (const struct yb_mime_address *a = list.first; a != NULL; a = a->next) {
        if (a->kind != YB_MIME_MAILBOX)
            continue;
        yb_buf_add(b, a->local);
        yb_buf_add_c(b, '@');
        yb_buf_add(b, a->domain);
        yb_buf_add_c(b, ' ');
    }
    add_searched(to, imapd_text_header(yb_buf_view(b), scratch), scratch);
    yb_buf_free(&b);
}

static struct yb_str
text_of(const struct yb_buf *b, struct yb_arena *arena)
{
    return yb_buf_overflowed(b) ? YB_STR("NIL") : yb_arena_dup(arena, yb_buf_view(b));
}

struct imapd_making {
    const struct yb_mime_tree *tree;
    struct yb_arena *arena, *scratch;
    struct yb_buf *text;
    unsigned stage;       /* the answers, then the header */
    struct yb_str header; /* what of it was not looked at */
    struct yb_buf *searched[IMAPD_SEARCHED];
    struct imapd_parsed made;
};

struct imapd_making *
imapd_making_new(const struct yb_mime_tree *tree, struct yb_arena *arena)
{
    struct imapd_making *m = yb_alloc(1, sizeof(*m));

    m->made.tree = *tree;
    m->tree = &m->made.tree;
    m->arena = arena;
    m->scratch = yb_arena_new(SCRATCH);
    m->text = yb_buf_new(TEXT_MAX);
    m->header = tree->parts[0].kept;
    return m;
}

void
imapd_making_free(struct imapd_making **making)
{
    struct imapd_making *m = *making;

    if (m == NULL)
        return;
    for (unsigned i = 0; i < IMAPD_SEARCHED; i++)
        yb_buf_free(&m->searched[i]);
    yb_buf_free(&m->text);
    yb_arena_free(&m->scratch);
    yb_free(m);
    *making = NULL;
}

static void
make_answer(struct imapd_making *m)
{
    yb_buf_clear(m->text);
    if (m->stage == 0) {
        imapd_put_envelope(m->text, m->header, m->scratch);
        m->made.envelope = text_of(m->text, m->arena);
    } else {
        imapd_put_structure(m->text, m->tree, 0, m->stage == 2, m->scratch);
        *(m->stage == 2 ? &m->made.structure : &m->made.body) = text_of(m->text, m->arena);
    }
    m->stage++;
}

static void
look_at_field(struct imapd_making *m, const struct yb_header *h)
{
    enum imapd_searched which = imapd_searched_field(h->name);
    struct yb_str value = yb_str_head(h->value, IMAPD_SEARCHED_MAX);
    struct yb_date date;

    if (!m->made.has_sent && yb_str_eqi(h->name, YB_STR("Date")) &&
        yb_date_parse(h->value, &date)) {
        m->made.has_sent = true;
        m->made.sent_day = yb_date_day(date);
    }
    if (which == IMAPD_SEARCHED)
        return;
    add_searched(&m->searched[which], imapd_text_header(value, m->scratch), m->scratch);
    if (which != IMAPD_SEARCHED_SUBJECT)
        add_addresses(&m->searched[which], value, m->scratch);
}

bool
imapd_making_step(struct imapd_making **making, struct imapd_parsed *out)
{
    struct imapd_making *m = *making;
    struct yb_header h;

    yb_arena_reset(m->scratch);
    if (m->stage < 3) {
        make_answer(m);
        return true;
    }
    if (yb_header_next(&m->header, &h)) {
        look_at_field(m, &h);
        return true;
    }
    for (unsigned i = 0; i < IMAPD_SEARCHED; i++) {
        if (m->searched[i] != NULL)
            m->made.searched[i] = yb_arena_dup(m->arena, yb_buf_view(m->searched[i]));
    }
    *out = m->made;
    imapd_making_free(making);
    return false;
}

void
imapd_parsed_make(const struct yb_mime_tree *tree, struct yb_arena *arena, struct imapd_parsed *out)
{
    struct imapd_making *m = imapd_making_new(tree, arena);

    while (imapd_making_step(&m, out))
        continue;
}

/* --- encoding --- */

static char *
put32(char *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        *p++ = (char)(v >> (8 * i) & 0xff);
    return p;
}

static char *
put64(char *p, uint64_t v)
{
    return put32(put32(p, (uint32_t)v), (uint32_t)(v >> 32));
}

static const char *
get32(const char *p, uint32_t *v)
{
    *v = 0;
    for (unsigned i = 0; i < 4; i++)
        *v |= (uint32_t)(unsigned char)*p++ << (8 * i);
    return p;
}

static const char *
get64(const char *p, uint64_t *v)
{
    uint32_t low, high;

    p = get32(get32(p, &low), &high);
    *v = low | (uint64_t)high << 32;
    return p;
}

/* The texts of one, in the order of the encoding. */
static void
list_texts(struct imapd_parsed *p, struct yb_str *texts[TEXTS])
{
    texts[0] = &p->envelope;
    texts[1] = &p->body;
    texts[2] = &p->structure;
    for (unsigned i = 0; i < IMAPD_SEARCHED; i++)
        texts[3 + i] = &p->searched[i];
}

struct yb_str
imapd_parsed_encode(const struct imapd_parsed *p, struct yb_arena *arena)
{
    struct imapd_parsed copy = *p;
    struct yb_str *texts[TEXTS];
    size_t size = HEAD_SIZE + (size_t)p->tree.n * PART_SIZE;
    char *start, *to;

    list_texts(&copy, texts);
    for (size_t i = 0; i < TEXTS; i++)
        size += texts[i]->n;
    start = to = yb_arena_alloc(arena, size, 1);
    to = put32(to, VERSION);
    to = put32(to, p->tree.n);
    to = put32(to, p->tree.limited);
    to = put32(to, p->has_sent);
    to = put64(to, (uint64_t)p->sent_day);
    for (size_t i = 0; i < TEXTS; i++)
        to = put32(to, texts[i]->p == NULL ? ABSENT : (uint32_t)texts[i]->n);
    for (uint32_t i = 0; i < p->tree.n; i++) {
        const struct yb_mime_part *part = &p->tree.parts[i];

        to = put64(to, part->header);
        to = put64(to, part->body);
        to = put64(to, part->end);
        to = put32(to, part->parent);
        to = put32(to, part->first_child);
        to = put32(to, part->next);
        to = put32(to, part->kind);
    }
    for (size_t i = 0; i < TEXTS; i++) {
        if (texts[i]->n > 0)
            memcpy(to, texts[i]->p, texts[i]->n);
        to += texts[i]->n;
    }
    return yb_str(start, size);
}

/* Links may only lead on, so that no walk goes round in circles. */
static bool
link_ok(uint32_t link, uint32_t from, uint32_t n)
{
    return link == YB_MIME_NO_PART || (link > from && link < n);
}

static bool
decode_parts(const char *p, uint32_t n, struct yb_arena *arena, struct imapd_parsed *out)
{
    out->tree.parts = yb_arena_alloc(arena, n, sizeof(*out->tree.parts));
    out->tree.n = n;
    for (uint32_t i = 0; i < n; i++) {
        struct yb_mime_part *part = &out->tree.parts[i];
        uint32_t kind;

        p = get64(p, &part->header);
        p = get64(p, &part->body);
        p = get64(p, &part->end);
        p = get32(p, &part->parent);
        p = get32(p, &part->first_child);
        p = get32(p, &part->next);
        p = get32(p, &kind);
        if (kind > YB_MIME_MESSAGE || !link_ok(part->first_child, i, n) ||
            !link_ok(part->next, i, n) || part->header > part->body || part->body > part->end ||
            (i == 0 ? part->parent != YB_MIME_NO_PART : part->parent >= i) ||
            (kind != YB_MIME_LEAF && part->first_child == YB_MIME_NO_PART))
            return false;
        part->kind = (enum yb_mime_kind)kind;
    }
    return true;
}

bool
imapd_parsed_decode(struct yb_str bytes, struct yb_arena *arena, struct imapd_parsed *out)
{
    uint32_t version, n, limited, has_sent, lengths[TEXTS];
    struct yb_str *texts[TEXTS];
    const char *p = bytes.p;
    uint64_t sent, left;

    *out = (struct imapd_parsed){ 0 };
    if (bytes.n < HEAD_SIZE)
        return false;
    p = get32(get32(get32(get32(p, &version), &n), &limited), &has_sent);
    p = get64(p, &sent);
    for (size_t i = 0; i < TEXTS; i++)
        p = get32(p, &lengths[i]);
    left = bytes.n - HEAD_SIZE;
    if (version != VERSION || n == 0 || n > YB_MIME_PARTS_MAX || (uint64_t)n * PART_SIZE > left)
        return false;
    if (!decode_parts(p, n, arena, out))
        return false;
    p += (size_t)n * PART_SIZE;
    left -= (uint64_t)n * PART_SIZE;
    out->tree.limited = limited != 0;
    out->has_sent = has_sent != 0;
    out->sent_day = (int64_t)sent;
    list_texts(out, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        if (lengths[i] == ABSENT)
            continue;
        if (lengths[i] > left)
            return false;
        *texts[i] = yb_str(p, lengths[i]);
        p += lengths[i];
        left -= lengths[i];
    }
    return left == 0 && out->envelope.p != NULL && out->body.p != NULL && out->structure.p != NULL;
}
