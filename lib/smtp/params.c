/* Command arguments. */
#include "lib/smtp/params.h"

/* "FROM:" in any case, and the spaces some put behind it. */
static bool
take_keyword(struct yb_str *arg, struct yb_str keyword)
{
    if (!yb_str_starts_i(*arg, keyword))
        return false;
    *arg = yb_str_skip(*arg, keyword.n);
    while (arg->n > 0 && arg->p[0] == ' ')
        *arg = yb_str_skip(*arg, 1);
    return true;
}

/* esmtp-keyword and esmtp-value of RFC 5321 §4.1.2; a value may be UTF-8 (RFC 6531 §3.3). */
static bool
keyword_valid(struct yb_str k)
{
    if (k.n == 0 || k.p[0] == '-')
        return false;
    for (size_t i = 0; i < k.n; i++) {
        if (!yb_is_alpha(k.p[i]) && !yb_is_digit(k.p[i]) && k.p[i] != '-')
            return false;
    }
    return true;
}

static bool
value_valid(struct yb_str v)
{
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];

        if (c <= 32 || c == '=' || c == 127)
            return false;
    }
    return v.n > 0 && yb_str_utf8(v);
}

/*
 * Cuts the next parameter off *s: 1, 0 at the end, -1 for what is none. value->p is NULL without
 * "=". A space must stand before it; spaces at the very end are tolerated (RFC 5321 §4.1.1).
 */
static int
next_param(struct yb_str *s, struct yb_str *key, struct yb_str *value)
{
    struct yb_str word;
    size_t eq;

    if (s->n == 0)
        return 0;
    if (s->p[0] != ' ')
        return -1;
    while (s->n > 0 && s->p[0] == ' ')
        *s = yb_str_skip(*s, 1);
    if (s->n == 0)
        return 0;
    word = yb_str_head(*s, yb_str_find(*s, ' '));
    *s = yb_str_skip(*s, word.n);
    eq = yb_str_find(word, '=');
    *key = yb_str_head(word, eq);
    *value = yb_str(NULL, 0);
    if (eq < word.n) {
        *value = yb_str_skip(word, eq + 1);
        if (!value_valid(*value))
            return -1;
    }
    return keyword_valid(*key) ? 1 : -1;
}

static int
bad_param(struct yb_str key, struct yb_err *err)
{
    return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "Bad parameter %.*s",
                     YB_STR_ARG(yb_str_head(key, 40)));
}

/* What reading a parameter of LMTP said. */
static int
lmtp_param(enum yb_lmtp_param p, struct yb_str key, struct yb_err *err)
{
    if (p == YB_PARAM_BAD)
        return bad_param(key, err);
    if (p == YB_PARAM_UNKNOWN)
        return yb_err_set(err, YB_PERM, "5.3.3", "Parameter %.*s not known",
                          YB_STR_ARG(yb_str_head(key, 40)));
    return 0;
}

static int
mail_size(struct yb_smtp_mail_args *a, struct yb_str key, struct yb_str value, struct yb_err *err)
{
    /* RFC 1870 §4: up to 20 digits. What passes 64 bits is more than anybody takes. */
    if (a->has_size || value.n == 0 || value.n > 20)
        return bad_param(key, err);
    for (size_t i = 0; i < value.n; i++) {
        if (!yb_is_digit(value.p[i]))
            return bad_param(key, err);
    }
    if (!yb_str_u64(value, UINT64_MAX, &a->size))
        a->size = UINT64_MAX;
    a->has_size = true;
    return 0;
}

enum { SEEN_BODY = 1, SEEN_UTF8 = 2, SEEN_AUTH = 4 };

static int
mail_param(struct yb_smtp_mail_args *a, unsigned allow, unsigned *seen, struct yb_str key,
           struct yb_str value, struct yb_err *err)
{
    unsigned bit = 0;

    if (yb_str_eqi(key, YB_STR("SIZE")))
        return mail_size(a, key, value, err);
    if (yb_str_eqi(key, YB_STR("BODY"))) {
        bit = SEEN_BODY;
        a->body_8bit = yb_str_eqi(value, YB_STR("8BITMIME"));
        if (!a->body_8bit && !yb_str_eqi(value, YB_STR("7BIT")))
            return bad_param(key, err);
    } else if (yb_str_eqi(key, YB_STR("SMTPUTF8")) && value.p == NULL) {
        bit = SEEN_UTF8;
        a->utf8 = true;
    } else if ((allow & YB_PARAMS_AUTH) != 0 && yb_str_eqi(key, YB_STR("AUTH")) &&
               (yb_str_eq(value, YB_STR("<>")) || (value.n > 0 && yb_lmtp_is_xtext(value)))) {
        bit = SEEN_AUTH;
    }
    if (bit != 0) {
        if ((*seen & bit) != 0)
            return bad_param(key, err);
        *seen |= bit;
        return 0;
    }
    if ((allow & YB_PARAMS_LMTP) != 0)
        return lmtp_param(yb_lmtp_mail_read(&a->x, key, value), key, err);
    return lmtp_param(YB_PARAM_UNKNOWN, key, err);
}

/*
 * What stood between < and >, without a source route, which nobody follows, and without the final
 * dot of a domain, which is not part of an address (RFC 5321 §2.3.5) and would come back in
 * Return-Path and Delivered-To.
 */
static struct yb_str
path_text(const struct yb_address *a, struct yb_str path, struct yb_str rest,
          struct yb_arena *arena)
{
    struct yb_str text = yb_str(path.p + 1, path.n - rest.n - 2);

    if (a->routed)
        return yb_address_write(a, arena);
    if (a->domain.n > 0 && text.p[text.n - 1] == '.')
        text.n--;
    return text;
}

int
yb_smtp_mail_parse(struct yb_str arg, unsigned allow, struct yb_arena *arena,
                   struct yb_smtp_mail_args *out, struct yb_err *err)
{
    struct yb_str rest, key, value;
    unsigned seen = 0;
    int more;

    memset(out, 0, sizeof(*out));
    if (!take_keyword(&arg, YB_STR("FROM:")))
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "Syntax: MAIL FROM:<address>");
    if (yb_path_parse(
            arg, (allow & YB_PARAMS_ODD_SENDER) != 0 ? YB_PATH_REVERSE_FOREIGN : YB_PATH_REVERSE,
            true, arena, &out->from, &rest, err) < 0)
        return -1;
    out->text = path_text(&out->from, arg, rest, arena);
    while ((more = next_param(&rest, &key, &value)) > 0) {
        if (mail_param(out, allow, &seen, key, value, err) < 0)
            return -1;
    }
    if (more < 0)
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "Syntax error in parameters");
    if (out->from.utf8 && !out->utf8)
        return yb_err_set(err, YB_PERM, "5.6.7", "Address is not ASCII and SMTPUTF8 is missing");
    return 0;
}

int
yb_smtp_rcpt_parse(struct yb_str arg, unsigned allow, bool utf8, struct yb_arena *arena,
                   struct yb_smtp_rcpt_args *out, struct yb_err *err)
{
    struct yb_str rest, key, value;
    int more;

    memset(out, 0, sizeof(*out));
    if (!take_keyword(&arg, YB_STR("TO:")))
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "Syntax: RCPT TO:<address>");
    if (yb_path_parse(arg,
                      (allow & YB_PARAMS_ODD_RCPT) != 0 ? YB_PATH_FORWARD_FOREIGN : YB_PATH_FORWARD,
                      utf8, arena, &out->to, &rest, err) < 0)
        return -1;
    out->text = path_text(&out->to, arg, rest, arena);
    while ((more = next_param(&rest, &key, &value)) > 0) {
        enum yb_lmtp_param p = (allow & YB_PARAMS_LMTP) != 0
                                   ? yb_lmtp_rcpt_read(&out->x, key, value)
                                   : YB_PARAM_UNKNOWN;

        if (lmtp_param(p, key, err) < 0)
            return -1;
    }
    if (more < 0)
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "Syntax error in parameters");
    return 0;
}

/* The index of the '>' that ends the path beginning at s.p[0] == '<', outside quotes; *at tells
 * whether an '@' stood outside quotes. s.n when there is none. */
static size_t
path_end(struct yb_str s, bool *at)
{
    bool quoted = false;
    size_t i = 1;

    *at = false;
    for (; i < s.n && (quoted || s.p[i] != '>'); i++) {
        if (s.p[i] == '"')
            quoted = !quoted;
        else if (quoted && s.p[i] == '\\')
            i++;
        else if (!quoted && s.p[i] == '@')
            *at = true;
    }
    return i < s.n ? i : s.n;
}

struct yb_str
yb_smtp_path_complete(struct yb_str arg, struct yb_str domain, struct yb_arena *arena)
{
    size_t begin = yb_str_find(arg, '<'), end;
    struct yb_str path = yb_str_skip(arg, begin);
    bool has_domain;
    char *out;

    if (domain.n == 0 || path.n == 0)
        return arg;
    end = path_end(path, &has_domain);
    if (end == path.n || end == 1 || has_domain ||
        yb_str_eqi(yb_str(path.p + 1, end - 1), YB_STR("postmaster")))
        return arg;
    /* Not by printf: the line may hold a NUL, which the parser is to see. */
    out = yb_arena_alloc(arena, arg.n + domain.n + 1, 1);
    memcpy(out, arg.p, begin + end);
    out[begin + end] = '@';
    memcpy(out + begin + end + 1, domain.p, domain.n);
    memcpy(out + begin + end + 1 + domain.n, path.p + end, path.n - end);
    return yb_str(out, arg.n + domain.n + 1);
}

bool
yb_smtp_bdat_parse(struct yb_str arg, uint64_t *n, bool *last)
{
    struct yb_str word = yb_str_word(&arg);

    *last = false;
    if (arg.n > 0) {
        struct yb_str second = yb_str_word(&arg);

        if (arg.n > 0 || !yb_str_eqi(second, YB_STR("LAST")))
            return false;
        *last = true;
    }
    return yb_str_u64(word, INT64_MAX, n);
}

bool
yb_smtp_auth_parse(struct yb_str arg, struct yb_str *mechanism, struct yb_str *initial)
{
    *mechanism = yb_str_word(&arg);
    *initial = yb_str(NULL, 0);
    if (arg.n > 0) {
        *initial = yb_str_word(&arg);
        if (arg.n > 0)
            return false;
    }
    /* sasl-mech of RFC 4422 §3.1 */
    if (mechanism->n == 0 || mechanism->n > 20)
        return false;
    for (size_t i = 0; i < mechanism->n; i++) {
        char c = mechanism->p[i];

        if (!yb_is_alpha(c) && !yb_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

struct yb_str
yb_smtp_helo_text(struct yb_str name, bool utf8, struct yb_arena *arena)
{
    char *p;

    name = yb_str_head(name, YB_SMTP_HELO_MAX);
    utf8 = utf8 && yb_str_utf8(name);
    p = yb_arena_alloc(arena, name.n + 1, 1);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool high = (unsigned char)c > 127;
        bool fits = high ? utf8
                         : yb_is_alpha(c) || yb_is_digit(c) ||
                               (c != '\0' && memchr("-._:[]", c, 6) != NULL);

        p[i] = fits ? c : '?';
    }
    return yb_str(p, name.n);
}
