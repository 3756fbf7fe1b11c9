#include "lib/mime/content.h"

#include "lib/base/buf.h"
#include "lib/base/id.h"

static bool
is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Passes white space and comments; an open comment goes to the end. */
static void
skip_cfws(struct yb_str *s)
{
    size_t i = 0, depth = 0;

    for (; i < s->n; i++) {
        char c = s->p[i];

        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (c == '\\' && depth > 0)
            i++;
        else if (depth == 0 && !is_white(c))
            break;
    }
    *s = yb_str_skip(*s, i);
}

/* A byte of a token: no space, control or tspecial (RFC 2045 §5.1). Bytes above 127 pass. */
static bool
is_token_byte(char c)
{
    return (unsigned char)c > ' ' && c != 127 && memchr("()<>@,;:\\\"/[]?=", c, 15) == NULL;
}

static struct yb_str
take_token(struct yb_str *s)
{
    size_t n = 0;
    struct yb_str token;

    while (n < s->n && is_token_byte(s->p[n]))
        n++;
    token = yb_str_head(*s, n);
    *s = yb_str_skip(*s, n);
    return token;
}

static bool
take_char(struct yb_str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = yb_str_skip(*s, 1);
    return true;
}

/* The inside of a quoted string behind its first quote; one that does not end goes to the end. */
static struct yb_str
take_quoted(struct yb_str *s, struct yb_arena *arena)
{
    size_t end = 0, n = 0;
    bool plain = true;
    struct yb_str inside;
    char *p;

    while (end < s->n && s->p[end] != '"') {
        plain = plain && s->p[end] != '\\' && s->p[end] != '\r' && s->p[end] != '\n';
        end += s->p[end] == '\\' ? 2 : 1;
    }
    inside = yb_str_head(*s, end);
    *s = yb_str_skip(*s, end + 1);
    if (plain)
        return inside;
    p = yb_arena_alloc(arena, inside.n + 1, 1);
    for (size_t i = 0; i < inside.n; i++) {
        if (inside.p[i] == '\\' && i + 1 < inside.n)
            i++;
        if (inside.p[i] != '\r' && inside.p[i] != '\n')
            p[n++] = inside.p[i];
    }
    return yb_str(p, n);
}

/* Up to the next ';' or comment, without the space before it. */
static struct yb_str
take_unquoted(struct yb_str *s)
{
    size_t n = 0;
    struct yb_str text;

    while (n < s->n && s->p[n] != ';' && s->p[n] != '(')
        n++;
    text = yb_str_head(*s, n);
    *s = yb_str_skip(*s, n);
    while (text.n > 0 && is_white(text.p[text.n - 1]))
        text.n--;
    return text;
}

/* To behind the next ';' outside of quotes and comments; false at the end. */
static bool
next_param(struct yb_str *s, struct yb_arena *arena)
{
    for (;;) {
        skip_cfws(s);
        if (s->n == 0)
            return false;
        if (take_char(s, ';'))
            return true;
        if (take_char(s, '"'))
            (void)take_quoted(s, arena);
        else
            *s = yb_str_skip(*s, 1);
    }
}

static void
take_params(struct yb_str s, struct yb_arena *arena, struct yb_mime_content *out)
{
    struct yb_mime_param **tail = &out->params;

    for (size_t n = 0; n < YB_MIME_PARAMS_MAX && next_param(&s, arena);) {
        struct yb_str name, value;

        skip_cfws(&s);
        name = take_token(&s);
        skip_cfws(&s);
        if (name.n == 0 || !take_char(&s, '='))
            continue;
        skip_cfws(&s);
        value = take_char(&s, '"') ? take_quoted(&s, arena) : take_unquoted(&s);
        *tail = yb_arena_alloc(arena, 1, sizeof(**tail));
        **tail = (struct yb_mime_param){ name, value, NULL };
        tail = &(*tail)->next;
        n++;
    }
}

/* --- continuations (RFC 2231 §3, §4) --- */

/* A parameter's name in pieces: "filename*2*" is filename, section 2, encoded. */
struct section {
    struct yb_mime_param *param; /* NULL: taken already */
    struct yb_str name;
    uint64_t number; /* NO_SECTION: it is no section of anything */
    bool encoded;
};

#define NO_SECTION UINT64_MAX

static struct section
section_of(struct yb_mime_param *p)
{
    struct section s = { .param = p, .name = p->name, .number = NO_SECTION };
    size_t star;

    s.encoded = s.name.n > 1 && s.name.p[s.name.n - 1] == '*';
    s.name.n -= s.encoded;
    star = yb_str_rfind(s.name, '*');
    if (star == s.name.n || star == 0 || star + 1 == s.name.n ||
        (s.name.p[star + 1] == '0' && star + 2 < s.name.n) ||
        !yb_str_u64(yb_str_skip(s.name, star + 1), YB_MIME_PARAMS_MAX, &s.number))
        return s;
    s.name = yb_str_head(s.name, star);
    return s;
}

/* The next section, looked for from behind the one before on: senders write them in order. n: none. */
static size_t
section_find(const struct section *sections, size_t n, size_t from, struct yb_str name,
             uint64_t number)
{
    for (size_t k = 1; k <= n; k++) {
        const struct section *s = &sections[(from + k) % n];

        if (s->number == number && s->param != NULL && yb_str_eqi(s->name, name))
            return (from + k) % n;
    }
    return n;
}

/* The octets of attribute-char (RFC 2231 §7), which need no encoding. */
static bool
is_attribute_char(char c)
{
    return is_token_byte(c) && (unsigned char)c < 127 && c != '*' && c != '\'' && c != '%';
}

static void
put_section(struct yb_buf *b, struct yb_str value, bool encode)
{
    if (!encode) {
        yb_buf_add(b, value);
        return;
    }
    for (size_t i = 0; i < value.n; i++) {
        if (is_attribute_char(value.p[i]))
            yb_buf_add_c(b, value.p[i]);
        else
            yb_buf_printf(b, "%%%02X", (unsigned char)value.p[i]);
    }
}

/* Makes one parameter of the section numbered 0 at `first` and of those that follow it. */
static void
join_sections(struct section *sections, size_t n, size_t first, struct yb_arena *arena)
{
    struct section *head = &sections[first];
    struct yb_mime_param *p = head->param;
    size_t taken[YB_MIME_PARAMS_MAX], k = 0, size = 2;
    bool encoded = false;
    struct yb_buf *b;

    for (size_t at = first; at < n; at = section_find(sections, n, at, head->name, k)) {
        taken[k++] = at;
        size += 3 * sections[at].param->value.n;
        encoded |= sections[at].encoded;
    }
    b = yb_buf_new(size);
    if (encoded && !head->encoded)
        yb_buf_add(b, YB_STR("''")); /* neither charset nor language */
    for (size_t i = 0; i < k; i++)
        put_section(b, sections[taken[i]].param->value, encoded && !sections[taken[i]].encoded);
    p->value = yb_arena_dup(arena, yb_buf_view(b));
    p->name = encoded ? yb_arena_printf(arena, "%.*s*", YB_STR_ARG(head->name)) : head->name;
    for (size_t i = 1; i < k; i++) {
        sections[taken[i]].param->name = yb_str(NULL, 0); /* to be left out */
        sections[taken[i]].param = NULL;
    }
    yb_buf_free(&b);
}

static void
join_params(struct yb_arena *arena, struct yb_mime_content *out)
{
    struct section sections[YB_MIME_PARAMS_MAX];
    struct yb_mime_param **at = &out->params;
    size_t n = 0;

    for (struct yb_mime_param *p = out->params; p != NULL; p = p->next) {
        if (yb_str_find(p->name, '*') < p->name.n)
            sections[n++] = section_of(p);
    }
    for (size_t i = 0; i < n; i++) {
        if (sections[i].number == 0 && sections[i].param != NULL)
            join_sections(sections, n, i, arena);
    }
    while (*at != NULL && n > 0) {
        if ((*at)->name.p == NULL)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}

bool
yb_mime_content_type(struct yb_str value, struct yb_arena *arena, struct yb_mime_content *out)
{
    struct yb_str s = value, type, subtype;

    *out = (struct yb_mime_content){ 0 };
    skip_cfws(&s);
    type = take_token(&s);
    skip_cfws(&s);
    if (type.n == 0 || !take_char(&s, '/'))
        return false;
    skip_cfws(&s);
    subtype = take_token(&s);
    if (subtype.n == 0)
        return false;
    out->type = type;
    out->subtype = subtype;
    take_params(s, arena, out);
    join_params(arena, out);
    return true;
}

bool
yb_mime_disposition(struct yb_str value, struct yb_arena *arena, struct yb_mime_content *out)
{
    struct yb_str s = value, type;

    *out = (struct yb_mime_content){ 0 };
    skip_cfws(&s);
    type = take_token(&s);
    if (type.n == 0)
        return false;
    out->type = type;
    take_params(s, arena, out);
    join_params(arena, out);
    return true;
}

/* Behind the charset and the language of an encoded value (RFC 2231 §4), decoded. */
static struct yb_str
decode_value(struct yb_str value, struct yb_arena *arena)
{
    size_t charset = yb_str_find(value, '\'');
    size_t language = charset + 1 + yb_str_find(yb_str_skip(value, charset + 1), '\'');
    char *p;
    size_t n = 0;

    if (language < value.n)
        value = yb_str_skip(value, language + 1);
    p = yb_arena_alloc(arena, value.n + 1, 1);
    for (size_t i = 0; i < value.n; i++) {
        uint8_t octet;

        if (value.p[i] == '%' && yb_unhex(yb_str_head(yb_str_skip(value, i + 1), 2), &octet, 1)) {
            p[n++] = (char)octet;
            i += 2;
        } else {
            p[n++] = value.p[i];
        }
    }
    return yb_str(p, n);
}

struct yb_str
yb_mime_param_find(const struct yb_mime_content *content, struct yb_str name,
                   struct yb_arena *arena)
{
    const struct yb_mime_param *encoded = NULL;

    for (const struct yb_mime_param *p = content->params; p != NULL; p = p->next) {
        if (yb_str_eqi(p->name, name))
            return p->value;
        if (encoded == NULL && p->name.n == name.n + 1 && p->name.p[name.n] == '*' &&
            yb_str_eqi(yb_str_head(p->name, name.n), name))
            encoded = p;
    }
    return encoded == NULL ? yb_str(NULL, 0) : decode_value(encoded->value, arena);
}

struct yb_str
yb_mime_word(struct yb_str value)
{
    skip_cfws(&value);
    return take_token(&value);
}
