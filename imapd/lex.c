#include "imapd/lex.h"

#include "lib/mime/date.h"
#include "lib/store/store.h"

#include "imapd/utf7.h"

#define SET_MAX 16384 /* ranges; a line of 64 KiB cannot hold many more */

bool
imapd_lex_wrong(struct imapd_lex *l, const char *why)
{
    if (l->why == NULL)
        l->why = why;
    return false;
}

int
imapd_lex_err(const struct imapd_lex *l, struct yb_err *err)
{
    return yb_err_as(err, l->cannot ? YB_ERR_CANNOT : YB_ERR_SYNTAX, YB_PERM,
                     l->cannot ? "5.2.0" : "5.5.4", "%s",
                     l->why != NULL ? l->why : "The arguments are wrong");
}

char
imapd_lex_peek(const struct imapd_lex *l)
{
    return l->at < l->in.n ? l->in.p[l->at] : '\0';
}

bool
imapd_lex_char(struct imapd_lex *l, char c)
{
    if (l->at >= l->in.n || l->in.p[l->at] != c)
        return false;
    l->at++;
    return true;
}

/* --- characters (RFC 3501 §9) --- */

static bool
is_atom_char(char c)
{
    switch (c) {
    case '(':
    case ')':
    case '{':
    case ' ':
    case '%':
    case '*':
    case '"':
    case '\\':
    case ']':
        return false;
    default:
        return c > ' ' && c < 127;
    }
}

static bool
is_astring_char(char c)
{
    return is_atom_char(c) || c == ']';
}

static bool
is_tag_char(char c)
{
    return is_astring_char(c) && c != '+';
}

static bool
is_pattern_char(char c)
{
    return is_astring_char(c) || c == '%' || c == '*';
}

static bool
is_name_char(char c)
{
    return yb_is_alpha(c) || yb_is_digit(c) || c == '.' || c == '-' || c == '+';
}

/* What was read since then. */
static struct yb_str
since(const struct imapd_lex *l, size_t from)
{
    return yb_str_head(yb_str_skip(l->in, from), l->at - from);
}

static bool
lex_run(struct imapd_lex *l, bool (*is)(char), struct yb_str *out, const char *why)
{
    size_t from = l->at;

    while (l->at < l->in.n && is(l->in.p[l->at]))
        l->at++;
    *out = since(l, from);
    return out->n > 0 || imapd_lex_wrong(l, why);
}

bool
imapd_lex_word(struct imapd_lex *l, struct yb_str word)
{
    struct yb_str rest = yb_str_skip(l->in, l->at);

    if (!yb_str_starts_i(rest, word))
        return false;
    if (rest.n > word.n && is_name_char(rest.p[word.n]))
        return false;
    l->at += word.n;
    return true;
}

bool
imapd_lex_space(struct imapd_lex *l)
{
    return imapd_lex_char(l, ' ') || imapd_lex_wrong(l, "A space is missing");
}

bool
imapd_lex_open(struct imapd_lex *l)
{
    return imapd_lex_char(l, '(') || imapd_lex_wrong(l, "An opening parenthesis is missing");
}

bool
imapd_lex_list_next(struct imapd_lex *l, bool *more)
{
    *more = imapd_lex_char(l, ' ');
    return *more || imapd_lex_char(l, ')') ||
           imapd_lex_wrong(l, "A closing parenthesis is missing");
}

bool
imapd_lex_end(struct imapd_lex *l)
{
    return l->at == l->in.n || imapd_lex_wrong(l, "Something follows the command");
}

bool
imapd_lex_tag(struct imapd_lex *l, struct yb_str *out)
{
    return lex_run(l, is_tag_char, out, "A tag is missing");
}

bool
imapd_lex_atom(struct imapd_lex *l, struct yb_str *out)
{
    return lex_run(l, is_atom_char, out, "An atom is missing");
}

bool
imapd_lex_name(struct imapd_lex *l, struct yb_str *out)
{
    return lex_run(l, is_name_char, out, "A name is missing");
}

/* --- numbers --- */

static bool
lex_u64(struct imapd_lex *l, uint64_t max, uint64_t *out)
{
    size_t from = l->at;

    while (l->at < l->in.n && yb_is_digit(l->in.p[l->at]))
        l->at++;
    if (l->at == from)
        return imapd_lex_wrong(l, "A number is missing");
    return yb_str_u64(since(l, from), max, out) || imapd_lex_wrong(l, "A number is too large");
}

bool
imapd_lex_number(struct imapd_lex *l, uint32_t *out)
{
    uint64_t v;

    if (!lex_u64(l, UINT32_MAX, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

bool
imapd_lex_nz_number(struct imapd_lex *l, uint32_t *out)
{
    return imapd_lex_number(l, out) && (*out > 0 || imapd_lex_wrong(l, "A number is zero"));
}

bool
imapd_lex_modseq(struct imapd_lex *l, bool zero, uint64_t *out)
{
    return lex_u64(l, INT64_MAX, out) &&
           (*out > 0 || zero || imapd_lex_wrong(l, "A mod-sequence is zero"));
}

static bool
lex_set_number(struct imapd_lex *l, uint32_t *out)
{
    *out = IMAPD_STAR;
    return imapd_lex_char(l, '*') || imapd_lex_nz_number(l, out);
}

bool
imapd_lex_set(struct imapd_lex *l, struct imapd_set *out)
{
    size_t room = 1;

    for (size_t i = l->at; i < l->in.n && l->in.p[i] != ' '; i++)
        room += l->in.p[i] == ',';
    if (room > SET_MAX)
        return imapd_lex_wrong(l, "A set has too many parts");
    out->v = yb_arena_alloc(l->arena, room, sizeof(out->v[0]));
    out->n = 0;
    do {
        struct imapd_range *r = &out->v[out->n++];

        if (!lex_set_number(l, &r->lo))
            return false;
        r->hi = r->lo;
        if (imapd_lex_char(l, ':') && !lex_set_number(l, &r->hi))
            return false;
    } while (imapd_lex_char(l, ','));
    return true;
}

/* --- strings --- */

bool
imapd_lex_literal_head(struct imapd_lex *l, uint64_t *size, bool *nonsync)
{
    if (!imapd_lex_char(l, '{'))
        return imapd_lex_wrong(l, "A literal is missing");
    /* More than RFC 3501's 32 bits, so that what is far too large is refused as a literal and not
     * taken for a line. */
    if (!lex_u64(l, INT64_MAX, size))
        return false;
    *nonsync = imapd_lex_char(l, '+');
    return imapd_lex_char(l, '}') || imapd_lex_wrong(l, "A literal is malformed");
}

static bool
lex_literal(struct imapd_lex *l, struct yb_str *out)
{
    uint64_t size;
    bool nonsync;

    if (!imapd_lex_literal_head(l, &size, &nonsync))
        return false;
    if (!imapd_lex_char(l, '\r') || !imapd_lex_char(l, '\n') || size > l->in.n - l->at)
        return imapd_lex_wrong(l, "A literal is malformed");
    *out = yb_str(l->in.p + l->at, (size_t)size);
    l->at += (size_t)size;
    return true;
}

static bool
lex_quoted(struct imapd_lex *l, struct yb_str *out)
{
    size_t from = ++l->at;
    char *to;
    size_t n = 0, escapes = 0;

    for (; l->at < l->in.n && l->in.p[l->at] != '"'; l->at++) {
        if (l->in.p[l->at] == '\r' || l->in.p[l->at] == '\n')
            return imapd_lex_wrong(l, "A quoted string holds a line end");
        if (l->in.p[l->at] != '\\')
            continue;
        escapes++;
        l->at++;
        if (l->at >= l->in.n || (l->in.p[l->at] != '"' && l->in.p[l->at] != '\\'))
            return imapd_lex_wrong(l, "A quoted string holds a wrong escape");
    }
    if (l->at >= l->in.n)
        return imapd_lex_wrong(l, "A quoted string is not closed");
    *out = yb_str(l->in.p + from, l->at - from);
    l->at++;
    if (escapes == 0)
        return true;
    to = yb_arena_alloc(l->arena, out->n, 1);
    for (size_t i = 0; i < out->n; i++) {
        if (out->p[i] == '\\')
            i++;
        to[n++] = out->p[i];
    }
    *out = yb_str(to, n);
    return true;
}

bool
imapd_lex_string(struct imapd_lex *l, struct yb_str *out)
{
    switch (imapd_lex_peek(l)) {
    case '"':
        return lex_quoted(l, out);
    case '{':
        return lex_literal(l, out);
    default:
        return imapd_lex_wrong(l, "A string is missing");
    }
}

static bool
lex_string_or_run(struct imapd_lex *l, bool (*is)(char), struct yb_str *out)
{
    char c = imapd_lex_peek(l);

    if (c == '"' || c == '{')
        return imapd_lex_string(l, out);
    return lex_run(l, is, out, "A string is missing");
}

bool
imapd_lex_astring(struct imapd_lex *l, struct yb_str *out)
{
    return lex_string_or_run(l, is_astring_char, out);
}

bool
imapd_lex_pattern(struct imapd_lex *l, struct yb_str *out)
{
    return lex_string_or_run(l, is_pattern_char, out);
}

bool
imapd_lex_nstring(struct imapd_lex *l, struct yb_str *out)
{
    if (imapd_lex_word(l, YB_STR("NIL"))) {
        *out = yb_str(NULL, 0);
        return true;
    }
    return imapd_lex_string(l, out);
}

bool
imapd_lex_mailbox(struct imapd_lex *l, struct yb_str *out)
{
    struct yb_str raw;

    if (!imapd_lex_astring(l, &raw))
        return false;
    if (yb_str_eqi(raw, YB_STR("INBOX"))) {
        *out = YB_STR("INBOX");
        return true;
    }
    if (imapd_utf7_decode(raw, l->arena, out))
        return true;
    l->cannot = true;
    return imapd_lex_wrong(l, "The mailbox name is not modified UTF-7");
}

/* --- flags --- */

/* clang-format off */
static const struct { struct yb_str name; uint32_t flag; } system_flags[] = {
    { YB_STR_INIT("\\Seen"),     YB_FLAG_SEEN },
    { YB_STR_INIT("\\Answered"), YB_FLAG_ANSWERED },
    { YB_STR_INIT("\\Flagged"),  YB_FLAG_FLAGGED },
    { YB_STR_INIT("\\Deleted"),  YB_FLAG_DELETED },
    { YB_STR_INIT("\\Draft"),    YB_FLAG_DRAFT },
    { YB_STR_INIT("$Forwarded"), YB_FLAG_PASSED },
};
/* clang-format on */

uint32_t
imapd_flag_named(struct yb_str name)
{
    for (size_t i = 0; i < YB_COUNT(system_flags); i++) {
        if (yb_str_eqi(name, system_flags[i].name))
            return system_flags[i].flag;
    }
    return 0;
}

/* `lenient`: what can be no flag here is left out. */
static bool
lex_flag(struct imapd_lex *l, bool lenient, struct imapd_flags *out)
{
    struct yb_str name;
    size_t from = l->at;
    bool system = imapd_lex_char(l, '\\');
    uint32_t flag;

    if (!imapd_lex_atom(l, &name))
        return false;
    name = since(l, from);
    flag = imapd_flag_named(name);
    out->flags |= flag;
    /* \Recent is ours alone to set (§2.3.2); clients that copy flags send it back. */
    if (flag != 0 || yb_str_eqi(name, YB_STR("\\Recent")))
        return true;
    if (lenient && (system || name.n > IMAPD_KEYWORD_MAX))
        return true;
    if (system)
        return imapd_lex_wrong(l, "There is no such system flag");
    if (name.n > IMAPD_KEYWORD_MAX)
        return imapd_lex_wrong(l, "A keyword is too long");
    out->keywords[out->n_keywords++] = name;
    return true;
}

bool
imapd_lex_flags(struct imapd_lex *l, bool bare, struct imapd_flags *out)
{
    bool list = imapd_lex_char(l, '('), more = true;
    size_t room = 1;

    if (!list && !bare)
        return imapd_lex_wrong(l, "A list of flags is missing");
    for (size_t i = l->at; i < l->in.n && l->in.p[i] != ')'; i++)
        room += l->in.p[i] == ' ';
    *out =
        (struct imapd_flags){ .keywords = yb_arena_alloc(l->arena, room, sizeof(struct yb_str)) };
    if (list && imapd_lex_char(l, ')'))
        return true;
    while (more) {
        if (!lex_flag(l, !bare, out))
            return false;
        if (list && !imapd_lex_list_next(l, &more))
            return false;
        if (!list)
            more = imapd_lex_char(l, ' ');
    }
    return true;
}

/* --- dates --- */

bool
imapd_lex_date(struct imapd_lex *l, int64_t *day)
{
    bool quoted = imapd_lex_char(l, '"');
    struct yb_str text;

    if (!lex_run(l, is_name_char, &text, "A date is missing"))
        return false;
    if (quoted && !imapd_lex_char(l, '"'))
        return imapd_lex_wrong(l, "A date is malformed");
    return yb_search_date_parse(text, day) || imapd_lex_wrong(l, "A date is malformed");
}

bool
imapd_lex_date_time(struct imapd_lex *l, int64_t *seconds)
{
    struct yb_str text;
    struct yb_date date;

    if (!imapd_lex_string(l, &text))
        return false;
    if (!yb_internal_date_parse(text, &date))
        return imapd_lex_wrong(l, "A date is malformed");
    *seconds = date.utc;
    return true;
}
