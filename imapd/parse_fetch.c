/* FETCH and STORE. */
#include "imapd/parse.h"

#include "lib/base/buf.h"

/* --- sections: BODY[1.2.HEADER.FIELDS (a b)]<0.100> --- */

/* clang-format off */
static const struct { struct yb_str name; enum imapd_text text; } texts[] = {
    { YB_STR_INIT("HEADER"),            IMAPD_TEXT_HEADER },
    { YB_STR_INIT("HEADER.FIELDS"),     IMAPD_TEXT_FIELDS },
    { YB_STR_INIT("HEADER.FIELDS.NOT"), IMAPD_TEXT_FIELDS_NOT },
    { YB_STR_INIT("TEXT"),              IMAPD_TEXT_TEXT },
    { YB_STR_INIT("MIME"),              IMAPD_TEXT_MIME },
};
/* clang-format on */

static bool
parse_part(struct imapd_lex *l, struct imapd_section *s)
{
    uint32_t *part = yb_arena_alloc(l->arena, IMAPD_SECTION_DEPTH, sizeof(*part));

    s->part = part;
    while (yb_is_digit(imapd_lex_peek(l))) {
        if (s->n_part == IMAPD_SECTION_DEPTH)
            return imapd_lex_wrong(l, "A section is too deep");
        if (!imapd_lex_nz_number(l, &part[s->n_part++]))
            return false;
        if (!imapd_lex_char(l, '.'))
            return true;
    }
    /* "1." asks for a name behind the dot. */
    return yb_is_alpha(imapd_lex_peek(l)) || imapd_lex_wrong(l, "A section is malformed");
}

static bool
parse_fields(struct imapd_lex *l, struct imapd_section *s)
{
    struct yb_str *fields;
    size_t room = 1;
    bool more = true;

    if (!imapd_lex_space(l) || !imapd_lex_open(l))
        return false;
    for (size_t i = l->at; i < l->in.n && l->in.p[i] != ']'; i++)
        room += l->in.p[i] == ' ';
    if (room > IMAPD_FIELDS_MAX)
        return imapd_lex_wrong(l, "Too many header fields");
    fields = yb_arena_alloc(l->arena, room, sizeof(*fields));
    s->fields = fields;
    while (more) {
        if (s->n_fields == room)
            return imapd_lex_wrong(l, "Too many header fields");
        if (!imapd_lex_astring(l, &fields[s->n_fields++]) || !imapd_lex_list_next(l, &more))
            return false;
    }
    return true;
}

static bool
parse_section_text(struct imapd_lex *l, struct imapd_section *s)
{
    struct yb_str name;
    size_t i = 0;

    if (!imapd_lex_name(l, &name))
        return false;
    while (i < YB_COUNT(texts) && !yb_str_eqi(name, texts[i].name))
        i++;
    if (i == YB_COUNT(texts))
        return imapd_lex_wrong(l, "A section is unknown");
    s->text = texts[i].text;
    if (s->text == IMAPD_TEXT_MIME && s->n_part == 0)
        return imapd_lex_wrong(l, "MIME needs a part's number");
    if (s->text == IMAPD_TEXT_FIELDS || s->text == IMAPD_TEXT_FIELDS_NOT)
        return parse_fields(l, s);
    return true;
}

static void
label_field(struct yb_buf *b, struct yb_str field)
{
    bool atom = field.n > 0;

    for (size_t i = 0; i < field.n; i++)
        atom = atom && (yb_is_alpha(field.p[i]) || yb_is_digit(field.p[i]) || field.p[i] == '-');
    if (atom) {
        yb_buf_add(b, field);
        return;
    }
    yb_buf_add_c(b, '"');
    for (size_t i = 0; i < field.n; i++) {
        if (field.p[i] == '"' || field.p[i] == '\\')
            yb_buf_add_c(b, '\\');
        /* Such a byte is in no field's name, and may not be in an answer's. */
        yb_buf_add_c(b, field.p[i] < ' ' || field.p[i] == 127 ? '?' : field.p[i]);
    }
    yb_buf_add_c(b, '"');
}

static void
section_label(struct imapd_lex *l, struct imapd_section *s)
{
    struct yb_buf *b = yb_buf_new(4 * l->in.n + 4096);
    const char *between = "";

    yb_buf_add(b, YB_STR("BODY["));
    for (size_t i = 0; i < s->n_part; i++) {
        if (i > 0)
            yb_buf_add_c(b, '.');
        yb_buf_add_u64(b, s->part[i]);
    }
    if (s->text != IMAPD_TEXT_ALL && s->n_part > 0)
        yb_buf_add_c(b, '.');
    for (size_t i = 0; i < YB_COUNT(texts); i++) {
        if (s->text != IMAPD_TEXT_ALL && texts[i].text == s->text)
            yb_buf_add(b, texts[i].name);
    }
    if (s->n_fields > 0)
        yb_buf_add(b, YB_STR(" ("));
    for (size_t i = 0; i < s->n_fields; i++) {
        yb_buf_add(b, yb_str_from(between));
        label_field(b, s->fields[i]);
        between = " ";
    }
    yb_buf_add(b, s->n_fields > 0 ? YB_STR(")]") : YB_STR("]"));
    if (s->partial) {
        yb_buf_add_c(b, '<');
        yb_buf_add_u64(b, s->offset);
        yb_buf_add_c(b, '>');
    }
    s->label = yb_arena_dup(l->arena, yb_buf_view(b));
    yb_buf_free(&b);
}

/* Behind the '['. */
static bool
parse_section(struct imapd_lex *l, struct imapd_section *s)
{
    if (yb_is_digit(imapd_lex_peek(l)) && !parse_part(l, s))
        return false;
    if (yb_is_alpha(imapd_lex_peek(l)) && !parse_section_text(l, s))
        return false;
    if (!imapd_lex_char(l, ']'))
        return imapd_lex_wrong(l, "A section is not closed");
    if (imapd_lex_char(l, '<')) {
        s->partial = true;
        if (!imapd_lex_number(l, &s->offset) || !imapd_lex_char(l, '.') ||
            !imapd_lex_nz_number(l, &s->length) || !imapd_lex_char(l, '>'))
            return imapd_lex_wrong(l, "A partial is malformed");
    }
    section_label(l, s);
    return true;
}

/* --- items --- */

enum item_kind { ITEM_MASK, ITEM_MACRO, ITEM_BODY, ITEM_BODY_PEEK, ITEM_RFC822 };

#define FAST (IMAPD_FETCH_FLAGS | IMAPD_FETCH_DATE | IMAPD_FETCH_SIZE)

/* clang-format off */
static const struct item {
    struct yb_str name;
    enum item_kind kind;
    unsigned mask;
    enum imapd_text text; /* of RFC822… */
    bool peek;
} items[] = {
    { YB_STR_INIT("UID"),           ITEM_MASK,      IMAPD_FETCH_UID,           0,                  false },
    { YB_STR_INIT("FLAGS"),         ITEM_MASK,      IMAPD_FETCH_FLAGS,         0,                  false },
    { YB_STR_INIT("INTERNALDATE"),  ITEM_MASK,      IMAPD_FETCH_DATE,          0,                  false },
    { YB_STR_INIT("RFC822.SIZE"),   ITEM_MASK,      IMAPD_FETCH_SIZE,          0,                  false },
    { YB_STR_INIT("MODSEQ"),        ITEM_MASK,      IMAPD_FETCH_MODSEQ,        0,                  false },
    { YB_STR_INIT("ENVELOPE"),      ITEM_MASK,      IMAPD_FETCH_ENVELOPE,      0,                  false },
    { YB_STR_INIT("BODYSTRUCTURE"), ITEM_MASK,      IMAPD_FETCH_BODYSTRUCTURE, 0,                  false },
    { YB_STR_INIT("FAST"),          ITEM_MACRO,     FAST,                      0,                  false },
    { YB_STR_INIT("ALL"),           ITEM_MACRO,     FAST | IMAPD_FETCH_ENVELOPE, 0,                false },
    { YB_STR_INIT("FULL"),          ITEM_MACRO,     FAST | IMAPD_FETCH_ENVELOPE | IMAPD_FETCH_BODY, 0, false },
    { YB_STR_INIT("BODY"),          ITEM_BODY,      IMAPD_FETCH_BODY,          0,                  false },
    { YB_STR_INIT("BODY.PEEK"),     ITEM_BODY_PEEK, 0,                         0,                  true },
    { YB_STR_INIT("RFC822"),        ITEM_RFC822,    0,                         IMAPD_TEXT_ALL,     false },
    { YB_STR_INIT("RFC822.HEADER"), ITEM_RFC822,    0,                         IMAPD_TEXT_HEADER,  true },
    { YB_STR_INIT("RFC822.TEXT"),   ITEM_RFC822,    0,                         IMAPD_TEXT_TEXT,    false },
};
/* clang-format on */

static bool
fetch_add_section(struct imapd_lex *l, struct imapd_fetch *f, bool peek, struct imapd_section **out)
{
    if (f->sections == NULL)
        f->sections = yb_arena_alloc(l->arena, IMAPD_SECTIONS_MAX, sizeof(*f->sections));
    if (f->n_sections == IMAPD_SECTIONS_MAX)
        return imapd_lex_wrong(l, "Too many sections");
    *out = &f->sections[f->n_sections++];
    f->sets_seen |= !peek;
    return true;
}

static bool
parse_item(struct imapd_lex *l, bool in_list, struct imapd_fetch *f)
{
    struct imapd_section *s;
    const struct item *item = items;
    struct yb_str name;

    if (!imapd_lex_name(l, &name))
        return false;
    while (item < items + YB_COUNT(items) && !yb_str_eqi(name, item->name))
        item++;
    if (item == items + YB_COUNT(items))
        return imapd_lex_wrong(l, "There is no such item to fetch");
    switch (item->kind) {
    case ITEM_MACRO:
        if (in_list)
            return imapd_lex_wrong(l, "ALL, FAST and FULL stand alone");
        break;
    case ITEM_BODY:
        if (!imapd_lex_char(l, '['))
            break;
        return fetch_add_section(l, f, false, &s) && parse_section(l, s);
    case ITEM_BODY_PEEK:
        if (!imapd_lex_char(l, '['))
            return imapd_lex_wrong(l, "BODY.PEEK needs a section");
        return fetch_add_section(l, f, true, &s) && parse_section(l, s);
    case ITEM_RFC822:
        if (!fetch_add_section(l, f, item->peek, &s))
            return false;
        *s = (struct imapd_section){ .text = item->text, .label = item->name };
        return true;
    case ITEM_MASK:
        break;
    }
    f->items |= item->mask;
    return true;
}

static bool
parse_fetch_modifiers(struct imapd_lex *l, struct imapd_fetch *f)
{
    if (!imapd_lex_open(l))
        return false;
    if (!imapd_lex_word(l, YB_STR("CHANGEDSINCE")))
        return imapd_lex_wrong(l, "There is no such modifier");
    f->has_changed_since = true;
    f->items |= IMAPD_FETCH_MODSEQ; /* RFC 7162 §3.1.4.1 */
    return imapd_lex_space(l) && imapd_lex_modseq(l, true, &f->changed_since) &&
           (imapd_lex_char(l, ')') || imapd_lex_wrong(l, "A closing parenthesis is missing"));
}

bool
imapd_parse_fetch(struct imapd_lex *l, struct imapd_fetch *out)
{
    bool more = true;

    *out = (struct imapd_fetch){ 0 };
    if (!imapd_lex_set(l, &out->set) || !imapd_lex_space(l))
        return false;
    if (!imapd_lex_char(l, '(')) {
        if (!parse_item(l, false, out))
            return false;
    } else {
        while (more) {
            if (!parse_item(l, true, out) || !imapd_lex_list_next(l, &more))
                return false;
        }
    }
    if (imapd_lex_char(l, ' ') && !parse_fetch_modifiers(l, out))
        return false;
    return imapd_lex_end(l);
}

/* --- STORE --- */

bool
imapd_parse_store(struct imapd_lex *l, struct imapd_store *out)
{
    *out = (struct imapd_store){ .op = '=' };
    if (!imapd_lex_set(l, &out->set) || !imapd_lex_space(l))
        return false;
    if (imapd_lex_char(l, '(')) {
        out->has_unchanged_since = true;
        if (!imapd_lex_word(l, YB_STR("UNCHANGEDSINCE")))
            return imapd_lex_wrong(l, "There is no such modifier");
        if (!imapd_lex_space(l) || !imapd_lex_modseq(l, true, &out->unchanged_since))
            return false;
        if (!imapd_lex_char(l, ')') || !imapd_lex_char(l, ' '))
            return imapd_lex_wrong(l, "A modifier is malformed");
    }
    if (imapd_lex_char(l, '+'))
        out->op = '+';
    else if (imapd_lex_char(l, '-'))
        out->op = '-';
    if (imapd_lex_word(l, YB_STR("FLAGS.SILENT")))
        out->silent = true;
    else if (!imapd_lex_word(l, YB_STR("FLAGS")))
        return imapd_lex_wrong(l, "STORE changes FLAGS only");
    return imapd_lex_space(l) && imapd_lex_flags(l, true, &out->flags) && imapd_lex_end(l);
}
