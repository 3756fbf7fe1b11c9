#include "lib/mime/addresses.h"

#include "lib/mime/header.h"

/* Stands in scan.out for white space between two parts of a phrase; controls never get there. */
#define GAP '\0'

/*
 * Every string given out is made of bytes taken from the input in order (a GAP stands for at least
 * one byte of white space or comment), so one block of the input's size holds them all.
 */
struct scan {
    struct yb_str left;
    char *out;
    size_t n_out;
    struct yb_str comment; /* the last one of this member, with its parentheses; n == 0: none */
    struct yb_arena *arena;
    struct yb_mime_addresses *list;
    struct yb_mime_address **tail;
    bool in_group;
};

/* Words and dots: a phrase ("John Q. Public"), a local part or a domain. */
struct words {
    size_t start, n;   /* in scan.out */
    bool any, quoted;  /* a word at all; one of them a quoted string */
    bool spaced;       /* spaces or comments between its parts */
    bool space_behind; /* and behind the last one */
    bool dotted;       /* word and dot take turns, beginning and ending with a word */
};

static bool
at_char(const struct scan *sc, char c)
{
    return sc->left.n > 0 && sc->left.p[0] == c;
}

static bool
take_char(struct scan *sc, char c)
{
    if (!at_char(sc, c))
        return false;
    sc->left = yb_str_skip(sc->left, 1);
    return true;
}

static bool
is_control(char c)
{
    return (unsigned char)c < ' ' || c == 127;
}

static bool
is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
put(struct scan *sc, char c)
{
    sc->out[sc->n_out++] = c;
}

/* Passes a comment (nested ones too); open to the end it is broken. */
static void
skip_comment(struct scan *sc)
{
    struct yb_str s = sc->left;
    size_t i = 0, depth = 0;

    do {
        char c = s.p[i];

        if (c == '(')
            depth++;
        else if (c == ')')
            depth--;
        else if (c == '\\')
            i++;
        else if (c == '@' || c == '<' || c == '>')
            sc->list->obscure = true;
        i++;
    } while (depth > 0 && i < s.n);
    i = i > s.n ? s.n : i;
    if (depth > 0)
        sc->list->broken = true;
    sc->comment = yb_str_head(s, i);
    sc->left = yb_str_skip(s, i);
}

/* Passes spaces and comments, and controls, which have no place here. True if there were any. */
static bool
skip_cfws(struct scan *sc)
{
    size_t before = sc->left.n;

    while (sc->left.n > 0) {
        char c = sc->left.p[0];

        if (c == '(') {
            skip_comment(sc);
        } else if (is_white(c)) {
            sc->left = yb_str_skip(sc->left, 1);
        } else if (is_control(c)) {
            sc->list->broken = true;
            sc->left = yb_str_skip(sc->left, 1);
        } else {
            break;
        }
    }
    return sc->left.n < before;
}

/* A byte that may stand in an unquoted word; see take_atom() for the ones that should not. */
static bool
is_word_byte(char c)
{
    return !is_control(c) && c != ' ' && memchr("()<>:;@,.\"", c, 10) == NULL;
}

/* An atom. Brackets and backslashes are no atom bytes, but people write "[list] name <a@b>". */
static void
take_atom(struct scan *sc)
{
    size_t n = 0;

    for (; n < sc->left.n && is_word_byte(sc->left.p[n]); n++) {
        char c = sc->left.p[n];

        if (!yb_is_atext(c) && ((unsigned char)c & 0x80) == 0)
            sc->list->broken = true;
        put(sc, c);
    }
    sc->left = yb_str_skip(sc->left, n);
}

/* A quoted string, its content to `out`; folding inside it loses only the line end. */
static void
take_quoted(struct scan *sc)
{
    struct yb_str s = sc->left;
    size_t i = 1;

    for (; i < s.n && s.p[i] != '"'; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n)
            i++;
        if (s.p[i] == '\r' || s.p[i] == '\n')
            continue;
        if (is_control(s.p[i]) && s.p[i] != '\t')
            sc->list->broken = true;
        else
            put(sc, s.p[i]);
    }
    if (i >= s.n)
        sc->list->broken = true;
    sc->left = yb_str_skip(s, i + 1);
}

/* Words and dots up to the next other special, spaces and comments behind them included. */
static struct words
take_words(struct scan *sc)
{
    struct words w = { .start = sc->n_out, .dotted = true };
    bool after_word = false;

    while (sc->left.n > 0) {
        bool dot = at_char(sc, '.'), quoted = at_char(sc, '"');

        if (!dot && !quoted && !is_word_byte(sc->left.p[0]))
            break;
        w.dotted = w.dotted && dot == after_word;
        w.quoted = w.quoted || quoted;
        w.any = w.any || !dot;
        if (w.space_behind) {
            w.spaced = true;
            put(sc, GAP);
        }
        if (quoted)
            take_quoted(sc);
        else if (dot && take_char(sc, '.'))
            put(sc, '.');
        else
            take_atom(sc);
        after_word = !dot;
        w.space_behind = skip_cfws(sc);
    }
    w.dotted = w.dotted && after_word;
    w.n = sc->n_out - w.start;
    return w;
}

/* The words as people read them: one space for every gap. */
static struct yb_str
words_phrase(const struct scan *sc, const struct words *w)
{
    char *p = sc->out + w->start;

    for (size_t i = 0; i < w->n; i++)
        p[i] = p[i] == GAP ? ' ' : p[i];
    return yb_str(p, w->n);
}

/* The words as a name: gaps dropped. Words that are not joined by dots are broken, and only what
 * stands before the first gap is given. */
static struct yb_str
words_joined(struct scan *sc, const struct words *w)
{
    char *p = sc->out + w->start;
    size_t n = 0;

    if (!w->dotted) {
        sc->list->broken = true;
        return yb_str_head(yb_str(p, w->n), yb_str_find(yb_str(p, w->n), GAP));
    }
    for (size_t i = 0; i < w->n; i++) {
        if (p[i] != GAP)
            p[n++] = p[i];
    }
    return yb_str(p, n);
}

/* A new member at the end of the list, or NULL when there are too many. */
static struct yb_mime_address *
list_add(struct scan *sc, enum yb_mime_address_kind kind)
{
    struct yb_mime_address *a;

    if (sc->list->n == YB_MIME_ADDRESSES_MAX) {
        sc->list->broken = true;
        sc->left = yb_str_skip(sc->left, sc->left.n);
        return NULL;
    }
    a = yb_arena_alloc(sc->arena, 1, sizeof(*a));
    a->kind = kind;
    *sc->tail = a;
    sc->tail = &a->next;
    sc->list->n++;
    return a;
}

/* "[192.0.2.1]" with its brackets; without the closing one it is broken. */
static struct yb_str
take_literal(struct scan *sc)
{
    size_t start = sc->n_out, end = yb_str_find(sc->left, ']');
    struct yb_str text = yb_str_head(sc->left, end + 1);

    if (end == sc->left.n)
        sc->list->broken = true;
    for (size_t i = 0; i < text.n; i++) {
        if (!is_control(text.p[i]))
            put(sc, text.p[i]);
    }
    sc->left = yb_str_skip(sc->left, text.n);
    return yb_str(sc->out + start, sc->n_out - start);
}

/* `@domain` behind the local part `w`; at the '@'. */
static void
take_addr_spec(struct scan *sc, const struct words *w, struct yb_mime_address *a)
{
    struct words domain;

    a->local = words_joined(sc, w);
    a->quoted = w->quoted;
    sc->left = yb_str_skip(sc->left, 1);
    if (skip_cfws(sc) || w->spaced || w->space_behind)
        sc->list->obscure = true;
    if (at_char(sc, '[')) {
        a->domain = take_literal(sc);
        return;
    }
    domain = take_words(sc);
    a->domain = words_joined(sc, &domain);
    sc->list->broken = sc->list->broken || domain.quoted;
    sc->list->obscure = sc->list->obscure || domain.spaced;
}

/* obs-route "@a,@b:" at its '@'. */
static struct yb_str
take_route(struct scan *sc)
{
    size_t start = sc->n_out;

    sc->list->obscure = true;
    while (skip_cfws(sc), !take_char(sc, ':')) {
        if (sc->left.n == 0 || memchr("<>;\"", sc->left.p[0], 4) != NULL) {
            sc->list->broken = true;
            break;
        }
        put(sc, sc->left.p[0]);
        sc->left = yb_str_skip(sc->left, 1);
    }
    return yb_str(sc->out + start, sc->n_out - start);
}

/* angle-addr behind its '<'. */
static void
take_angle(struct scan *sc, struct yb_mime_address *a)
{
    struct words w;

    (void)skip_cfws(sc);
    if (at_char(sc, '@'))
        a->route = take_route(sc);
    (void)skip_cfws(sc);
    w = take_words(sc);
    if (at_char(sc, '@')) {
        take_addr_spec(sc, &w, a);
    } else {
        a->local = words_phrase(sc, &w);
        a->no_domain = sc->list->broken = true;
    }
    (void)skip_cfws(sc);
    if (!take_char(sc, '>'))
        sc->list->broken = true;
}

/* The inside of a comment, as a display name. */
static struct yb_str
comment_text(struct scan *sc)
{
    struct yb_str s = yb_str_head(yb_str_skip(sc->comment, 1), sc->comment.n - 2);
    size_t start = sc->n_out;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n)
            i++;
        if (!is_control(s.p[i]))
            put(sc, s.p[i]);
    }
    return yb_str_trim(yb_str(sc->out + start, sc->n_out - start));
}

/* A mailbox, or the head of a group. */
static void
take_member(struct scan *sc)
{
    struct words w = take_words(sc);
    struct yb_mime_address *a;

    if (w.any && !sc->in_group && at_char(sc, ':')) {
        a = list_add(sc, YB_MIME_GROUP_START);
        sc->left = yb_str_skip(sc->left, 1);
        sc->in_group = true;
        if (a != NULL)
            a->name = words_phrase(sc, &w);
        return;
    }
    if (!w.any && w.n == 0 && !at_char(sc, '<')) {
        sc->list->broken = true; /* a special that begins nothing; the caller goes on behind it */
        return;
    }
    a = list_add(sc, YB_MIME_MAILBOX);
    if (a == NULL)
        return;
    if (at_char(sc, '@')) {
        take_addr_spec(sc, &w, a);
    } else if (take_char(sc, '<')) {
        if (w.n > 0)
            a->name = words_phrase(sc, &w);
        sc->list->broken = sc->list->broken || (w.n > 0 && !w.any);
        take_angle(sc, a);
    } else {
        a->local = words_phrase(sc, &w);
        a->no_domain = sc->list->broken = true;
    }
    (void)skip_cfws(sc);
    if (a->name.p == NULL && sc->comment.n > 2)
        a->name = comment_text(sc);
}

/* To the next separator; what is passed was broken. */
static void
skip_garbage(struct scan *sc)
{
    size_t keep = sc->n_out;

    while (sc->left.n > 0 && !at_char(sc, ',') && !at_char(sc, ';')) {
        sc->list->broken = true;
        if (at_char(sc, '"'))
            take_quoted(sc);
        else if (at_char(sc, '('))
            skip_comment(sc);
        else
            sc->left = yb_str_skip(sc->left, 1);
        sc->n_out = keep;
    }
}

void
yb_mime_addresses_parse(struct yb_str value, struct yb_arena *arena, struct yb_mime_addresses *out)
{
    struct scan sc = { .left = value, .arena = arena, .list = out, .tail = &out->first };

    *out = (struct yb_mime_addresses){ 0 };
    sc.out = yb_arena_alloc(arena, value.n + 1, 1);
    for (;;) {
        bool group_head;

        sc.comment.n = 0;
        (void)skip_cfws(&sc);
        if (take_char(&sc, ','))
            continue;
        if (sc.left.n == 0)
            break;
        if (take_char(&sc, ';')) {
            out->broken = out->broken || !sc.in_group;
            if (sc.in_group)
                (void)list_add(&sc, YB_MIME_GROUP_END);
            sc.in_group = false;
            continue;
        }
        group_head = !sc.in_group;
        take_member(&sc);
        group_head = group_head && sc.in_group;
        if (!group_head)
            skip_garbage(&sc);
    }
    if (sc.in_group) {
        out->broken = true;
        (void)list_add(&sc, YB_MIME_GROUP_END);
    }
    yb_assert(sc.n_out <= value.n + 1);
}

static int
refuse(struct yb_err *err, struct yb_str name, const char *why)
{
    return yb_err_set(err, YB_PERM, "5.6.0", "Header field %.*s %s", YB_STR_ARG(name), why);
}

/* A line end is CRLF and nothing else is one, to the end of the header: then all programs see the
 * same lines. */
static bool
header_is_plain(struct yb_str header)
{
    for (size_t i = 0; i < header.n; i++) {
        char c = header.p[i];

        if (c == '\0' || (c == '\n' && (i == 0 || header.p[i - 1] != '\r')) ||
            (c == '\r' && (i + 1 == header.n || header.p[i + 1] != '\n')))
            return false;
    }
    return true;
}

/* More fields of one name, and more or longer lists in them, are an attack, not a message: this is
 * who wrote it, not to whom. */
#define MAX_FIELDS 100
#define MAX_ADDRESSES 1000
#define MAX_OCTETS 65536

static bool
is_ascii_mailbox(const struct yb_mime_address *m)
{
    return m->kind == YB_MIME_MAILBOX && yb_str_ascii(m->local) && yb_str_ascii(m->domain);
}

/* Before the local part that ends at value.p[at] == '@' comes what ends a word in any character
 * set: nothing, or white space, a comma or '<' that does not follow a high byte. */
static bool
begins_plainly(struct yb_str value, size_t at)
{
    while (at > 0 && (yb_is_atext(value.p[at - 1]) || value.p[at - 1] == '.'))
        at--;
    return at == 0 ||
           ((is_white(value.p[at - 1]) || value.p[at - 1] == ',' || value.p[at - 1] == '<') &&
            (at == 1 || ((unsigned char)value.p[at - 2] & 0x80) == 0));
}

/*
 * May whose address it is be told of a value that is no UTF-8? Programs take it for some character
 * set of their own, and a byte behind a high one may be the second half of a character ('@', '[',
 * '\\' in Shift_JIS and its kin; with careless programs any): what is a quote or a comment depends
 * on the reader. Addresses do not where every '@' is that of an address that was found, each is
 * ASCII, and none can have another beginning: whatever the rest is taken for, no reader finds one
 * that is not in the list.
 */
static bool
is_certain(struct yb_str value, const struct yb_mime_addresses *list)
{
    size_t left = list->n;

    for (const struct yb_mime_address *m = list->first; m != NULL; m = m->next) {
        if (!is_ascii_mailbox(m))
            return false;
    }
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '@' && (left-- == 0 || !begins_plainly(value, i)))
            return false;
    }
    return left == 0;
}

/* The addresses of one field go behind those already there. */
static int
field_collect(const struct yb_header *h, struct yb_arena *arena, struct yb_address_list *out,
              struct yb_err *err)
{
    struct yb_mime_addresses list;
    struct yb_address *all;

    if (++out->fields > MAX_FIELDS)
        return refuse(err, h->name, "is there too often");
    if (h->value.n > MAX_OCTETS)
        return refuse(err, h->name, "is too long");
    if (h->space_before_colon)
        return refuse(err, h->name, "is not well-formed");
    yb_mime_addresses_parse(h->value, arena, &list);
    if (list.broken)
        return refuse(err, h->name, "is not an address list");
    if (list.obscure)
        return refuse(err, h->name, "uses obsolete forms that programs read differently");
    if (!yb_str_utf8(h->value) && !is_certain(h->value, &list))
        return refuse(err, h->name, "is no UTF-8, and programs could read other addresses in it");
    if (out->n + list.n > MAX_ADDRESSES)
        return refuse(err, h->name, "holds too many addresses");
    all = yb_arena_alloc(arena, out->n + list.n, sizeof(*all));
    if (out->n > 0)
        memcpy(all, out->addresses, out->n * sizeof(*all));
    out->addresses = all;
    for (const struct yb_mime_address *m = list.first; m != NULL; m = m->next) {
        struct yb_address a = { .local = m->local, .domain = m->domain };

        if (m->kind != YB_MIME_MAILBOX)
            continue;
        if (yb_address_parse(yb_address_write(&a, arena), arena, &a, NULL) < 0)
            return refuse(err, h->name, "holds an invalid address");
        a.quoted = m->quoted;
        out->addresses[out->n++] = a;
    }
    return 0;
}

int
yb_mime_field_addresses(struct yb_str header, struct yb_str name, struct yb_arena *arena,
                        struct yb_address_list *out, struct yb_err *err)
{
    struct yb_str left = header;
    struct yb_header h;

    *out = (struct yb_address_list){ 0 };
    if (!header_is_plain(yb_str_head(header, yb_header_size(header))))
        return yb_err_set(err, YB_PERM, "5.6.0", "The header has a bare CR or LF, or a NUL");
    while (yb_header_next(&left, &h)) {
        if (h.name.n == 0)
            return yb_err_set(err, YB_PERM, "5.6.0", "The header has a line that is no field");
        if (yb_str_eqi(h.name, name) && field_collect(&h, arena, out, err) < 0)
            return -1;
    }
    return 0;
}

int
yb_mime_from_addresses(struct yb_str header, struct yb_arena *arena, struct yb_address_list *out,
                       struct yb_err *err)
{
    if (yb_mime_field_addresses(header, YB_STR("From"), arena, out, err) < 0)
        return -1;
    if (out->n == 0)
        return yb_err_set(err, YB_PERM, "5.6.0", "The message has no From address");
    return 0;
}
