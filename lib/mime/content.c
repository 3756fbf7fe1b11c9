#include "lib/mime/content.h"

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
    return true;
}

struct yb_str
yb_mime_param_find(const struct yb_mime_content *content, struct yb_str name)
{
    for (const struct yb_mime_param *p = content->params; p != NULL; p = p->next) {
        if (yb_str_eqi(p->name, name))
            return p->value;
    }
    return yb_str(NULL, 0);
}

struct yb_str
yb_mime_word(struct yb_str value)
{
    skip_cfws(&value);
    return take_token(&value);
}
