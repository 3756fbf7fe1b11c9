#include "lib/mime/address.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <unicase.h>
#include <uninorm.h>

#define LABEL_MAX 63
#define NAME_MAX_OCTETS 253 /* 255 in a DNS message: two lengths more than dots */

/* What is left to parse, and the rules of this path. */
struct scan {
    struct yb_str left;
    bool utf8, forward, foreign;
    struct yb_arena *arena;
    struct yb_err *err;
};

static int
scan_error(const struct scan *sc, const char *why)
{
    return yb_err_set(sc->err, YB_PERM, sc->forward ? "5.1.3" : "5.1.7", "%s", why);
}

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
is_high(char c)
{
    return ((unsigned char)c & 0x80) != 0;
}

static bool
has_high(struct yb_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_high(s.p[i]))
            return true;
    }
    return false;
}

bool
yb_is_atext(char c)
{
    return yb_is_alpha(c) || yb_is_digit(c) ||
           (c != '\0' && memchr("!#$%&'*+-/=?^_`{|}~", c, 19) != NULL);
}

static bool
is_domain_byte(char c)
{
    return yb_is_alpha(c) || yb_is_digit(c) || c == '-' || c == '_' || c == '.' || is_high(c);
}

/* The longest run of domain bytes; the names themselves are judged by yb_domain_normal(). */
static struct yb_str
take_domain_text(struct scan *sc)
{
    size_t n = 0;
    struct yb_str text;

    while (n < sc->left.n && is_domain_byte(sc->left.p[n]))
        n++;
    text = yb_str_head(sc->left, n);
    sc->left = yb_str_skip(sc->left, n);
    return text;
}

/* Labels of letters, digits and inner hyphens; of a foreign one see enum yb_path_kind. */
static bool
name_is_valid(struct yb_str name, bool foreign)
{
    struct yb_str rest = name, label;
    bool digits = false;

    if (name.n == 0 || name.n > NAME_MAX_OCTETS)
        return false;
    while (yb_str_split(&rest, '.', &label)) {
        if (label.n == 0 || label.n > LABEL_MAX ||
            (!foreign && (label.p[0] == '-' || label.p[label.n - 1] == '-')))
            return false;
        digits = true;
        for (size_t i = 0; i < label.n; i++) {
            if (!yb_is_alpha(label.p[i]) && !yb_is_digit(label.p[i]) && label.p[i] != '-' &&
                !(foreign && label.p[i] == '_'))
                return false;
            digits = digits && yb_is_digit(label.p[i]);
        }
    }
    return !digits;
}

static struct yb_str
lower_copy(struct yb_str s, struct yb_arena *arena)
{
    char *p = yb_arena_alloc(arena, s.n + 1, 1);

    for (size_t i = 0; i < s.n; i++)
        p[i] = yb_lower(s.p[i]);
    return yb_str(p, s.n);
}

/*
 * U-labels to A-labels; false when libidn2 does not take the name. Its flag for the rules of ASCII
 * is not asked for: it drops what breaks them ("b_ü" becomes "bü", another name) where
 * name_is_valid() refuses it.
 */
static bool
name_to_ascii(struct yb_str name, struct yb_arena *arena, struct yb_str *out)
{
    struct yb_str copy = yb_arena_dup(arena, name);
    uint8_t *ascii = NULL;
    bool ok;

    ok = yb_str_utf8(name) && yb_str_find(name, '\0') == name.n &&
         idn2_lookup_u8((const uint8_t *)copy.p, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) ==
             IDN2_OK;
    if (ok)
        *out = yb_arena_dup(arena, yb_str_from((const char *)ascii));
    idn2_free(ascii);
    return ok;
}

static struct yb_str
without_final_dot(struct yb_str name)
{
    return yb_str_head(name, name.n - (name.n > 0 && name.p[name.n - 1] == '.'));
}

static int
domain_normal(struct yb_str domain, bool foreign, struct yb_arena *arena, struct yb_str *out,
              struct yb_err *err)
{
    struct yb_str name = without_final_dot(domain);
    bool cut = name.n < domain.n;

    if (domain.n > YB_DOMAIN_MAX)
        return yb_err_as(err, YB_ERR_DOMAIN, YB_PERM, "5.1.2", "Domain name too long");
    if (has_high(name)) {
        if (!name_to_ascii(name, arena, &name))
            return yb_err_as(err, YB_ERR_DOMAIN, YB_PERM, "5.1.2", "Invalid domain name");
        if (!cut) /* UTS #46 has dots of its own: an ideographic one is written, too */
            name = without_final_dot(name);
    }
    if (!name_is_valid(name, foreign))
        return yb_err_as(err, YB_ERR_DOMAIN, YB_PERM, "5.1.2", "Invalid domain name");
    *out = lower_copy(name, arena);
    return 0;
}

int
yb_domain_normal(struct yb_str domain, struct yb_arena *arena, struct yb_str *out,
                 struct yb_err *err)
{
    return domain_normal(domain, false, arena, out, err);
}

/* "192.0.2.1" and "IPv6:2001:db8::1" (§4.1.3) in the form inet_ntop() gives; no other tag exists.
 */
static int
take_literal(struct scan *sc, struct yb_str *domain)
{
    size_t end = yb_str_find(sc->left, ']');
    struct yb_str inner = yb_str_skip(yb_str_head(sc->left, end), 1);
    bool v6 = yb_str_starts_i(inner, YB_STR("IPv6:"));
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    int family = v6 ? AF_INET6 : AF_INET;

    if (v6)
        inner = yb_str_skip(inner, 5);
    if (end == sc->left.n || !yb_str_copy(inner, text, sizeof(text)) ||
        inet_pton(family, text, bytes) != 1)
        return scan_error(sc, "Invalid address literal");
    inet_ntop(family, bytes, text, sizeof(text));
    *domain = yb_arena_printf(sc->arena, "[%s%s]", v6 ? "IPv6:" : "", text);
    sc->left = yb_str_skip(sc->left, end + 1);
    return 0;
}

/* Quoted-string of §4.1.2: printable ASCII and spaces, any of it behind a backslash. */
static bool
take_quoted(struct scan *sc, struct yb_str *local)
{
    struct yb_str s = sc->left;
    char *to = yb_arena_alloc(sc->arena, s.n, 1);
    size_t n = 0;

    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i];

        if (c == '"') {
            *local = yb_str(to, n);
            sc->left = yb_str_skip(s, i + 1);
            return true;
        }
        if (c == '\\') {
            if (++i == s.n || is_high(s.p[i]))
                return false;
            c = s.p[i];
        }
        if (!is_high(c) && (c < ' ' || c > '~'))
            return false;
        to[n++] = c;
    }
    return false;
}

static bool
is_atom_byte(char c)
{
    return yb_is_atext(c) || is_high(c);
}

/* Length of the dot-string at the start of s: atoms with single dots between them; 0 for none. */
static size_t
dot_string(struct yb_str s)
{
    size_t n = 0;

    while (n < s.n && (is_atom_byte(s.p[n]) || (s.p[n] == '.' && n > 0 && s.p[n - 1] != '.')))
        n++;
    return n > 0 && s.p[n - 1] == '.' ? 0 : n;
}

/* The same with dots anywhere. */
static size_t
atoms_and_dots(struct yb_str s)
{
    bool atom = false;
    size_t n = 0;

    for (; n < s.n && (is_atom_byte(s.p[n]) || s.p[n] == '.'); n++)
        atom = atom || s.p[n] != '.';
    return atom ? n : 0;
}

static int
take_local(struct scan *sc, struct yb_address *a)
{
    struct yb_str written = sc->left;
    size_t n;

    if (at_char(sc, '"')) {
        a->quoted = true;
        if (!take_quoted(sc, &a->local))
            return scan_error(sc, "Invalid quoted local part");
    } else {
        n = dot_string(sc->left);
        if (sc->foreign && n < atoms_and_dots(sc->left)) {
            n = atoms_and_dots(sc->left);
            a->odd_local = true;
        }
        if (n == 0)
            return scan_error(sc, "Invalid local part");
        a->local = yb_str_head(sc->left, n);
        sc->left = yb_str_skip(sc->left, n);
    }
    if (sc->forward && written.n - sc->left.n > YB_LOCAL_MAX)
        return scan_error(sc, "Local part too long");
    a->percent = yb_str_find(a->local, '%') < a->local.n;
    a->bang = yb_str_find(a->local, '!') < a->local.n;
    a->at = yb_str_find(a->local, '@') < a->local.n;
    a->utf8 = has_high(a->local);
    return 0;
}

static int
take_domain(struct scan *sc, struct yb_address *a)
{
    struct yb_str text;

    if (at_char(sc, '[')) {
        a->literal = true;
        return take_literal(sc, &a->domain);
    }
    text = take_domain_text(sc);
    a->utf8 = a->utf8 || has_high(text);
    if (domain_normal(text, false, sc->arena, &a->domain, NULL) == 0)
        return 0;
    a->odd_domain = sc->foreign && domain_normal(text, true, sc->arena, &a->domain, NULL) == 0;
    return a->odd_domain ? 0 : scan_error(sc, "Invalid domain in address");
}

/* A-d-l ":" of §4.1.2, recognised so that the caller can say why it refuses; not kept. */
static int
take_route(struct scan *sc)
{
    do {
        struct yb_str name, ignored;

        if (!take_char(sc, '@'))
            return scan_error(sc, "Invalid source route");
        name = take_domain_text(sc);
        if (yb_domain_normal(name, sc->arena, &ignored, NULL) < 0)
            return scan_error(sc, "Invalid source route");
    } while (take_char(sc, ','));
    return take_char(sc, ':') ? 0 : scan_error(sc, "Invalid source route");
}

/* Bytes above 127 are well-formed UTF-8 and allowed, or the whole is refused. */
static int
check_bytes(const struct scan *sc, struct yb_str path)
{
    if (!has_high(path))
        return 0;
    if (!sc->utf8)
        return yb_err_set(sc->err, YB_PERM, "5.6.7", "Non-ASCII address without SMTPUTF8");
    return yb_str_utf8(path) ? 0 : scan_error(sc, "Address is not well-formed UTF-8");
}

static int
take_mailbox(struct scan *sc, struct yb_address *a)
{
    if (take_local(sc, a) < 0)
        return -1;
    if (take_char(sc, '@'))
        return take_domain(sc, a);
    if (!sc->forward || a->quoted || !yb_str_eqi(a->local, YB_STR("postmaster")))
        return scan_error(sc, "Address without domain");
    a->no_domain = true;
    return 0;
}

/* What stands between < and >, with the >. */
static int
take_path(struct scan *sc, struct yb_address *a)
{
    if (take_char(sc, '>')) {
        a->null = true;
        return sc->forward ? scan_error(sc, "Recipient address is empty") : 0;
    }
    if (at_char(sc, '@')) {
        a->routed = true;
        if (take_route(sc) < 0)
            return -1;
    }
    if (take_mailbox(sc, a) < 0)
        return -1;
    return take_char(sc, '>') ? 0 : scan_error(sc, "Address does not end in >");
}

int
yb_path_parse(struct yb_str in, enum yb_path_kind kind, bool utf8, struct yb_arena *arena,
              struct yb_address *out, struct yb_str *rest, struct yb_err *err)
{
    struct scan sc = { .left = in,
                       .utf8 = utf8,
                       .forward = kind == YB_PATH_FORWARD || kind == YB_PATH_FORWARD_FOREIGN,
                       .foreign =
                           kind == YB_PATH_REVERSE_FOREIGN || kind == YB_PATH_FORWARD_FOREIGN,
                       .arena = arena,
                       .err = err };
    struct yb_str path;

    *out = (struct yb_address){ 0 };
    if (!take_char(&sc, '<'))
        return scan_error(&sc, "Address must be written in < and >");
    if (take_path(&sc, out) < 0)
        return -1;
    path = yb_str_head(in, in.n - sc.left.n);
    if (path.n > YB_PATH_MAX)
        return scan_error(&sc, "Path too long");
    if (check_bytes(&sc, path) < 0)
        return -1;
    if (sc.left.n > 0 && sc.left.p[0] != ' ')
        return scan_error(&sc, "Garbage after address");
    *rest = sc.left;
    return 0;
}

int
yb_address_parse(struct yb_str in, struct yb_arena *arena, struct yb_address *out,
                 struct yb_err *err)
{
    struct scan sc = { .left = in, .utf8 = true, .forward = true, .arena = arena, .err = err };

    *out = (struct yb_address){ 0 };
    if (in.n > YB_PATH_MAX - 2)
        return scan_error(&sc, "Address too long");
    if (check_bytes(&sc, in) < 0 || take_mailbox(&sc, out) < 0)
        return -1;
    if (out->no_domain)
        return scan_error(&sc, "Address without domain");
    return sc.left.n == 0 ? 0 : scan_error(&sc, "Garbage after address");
}

struct yb_str
yb_address_write(const struct yb_address *a, struct yb_arena *arena)
{
    bool quote = !a->null && (a->local.n == 0 || dot_string(a->local) != a->local.n);
    char *p = yb_arena_alloc(arena, 2 * a->local.n + a->domain.n + 4, 1);
    size_t n = 0;

    if (quote)
        p[n++] = '"';
    for (size_t i = 0; i < a->local.n; i++) {
        if (quote && (a->local.p[i] == '"' || a->local.p[i] == '\\'))
            p[n++] = '\\';
        p[n++] = a->local.p[i];
    }
    if (quote)
        p[n++] = '"';
    if (a->domain.n > 0) {
        p[n++] = '@';
        memcpy(p + n, a->domain.p, a->domain.n);
        n += a->domain.n;
    }
    return yb_str(p, n);
}

struct yb_str
yb_address_fold(struct yb_str local, struct yb_arena *arena)
{
    struct yb_str folded;
    uint8_t *p;
    size_t n;

    if (!has_high(local) || !yb_str_utf8(local))
        return lower_copy(local, arena);
    p = u8_casefold((const uint8_t *)local.p, local.n, NULL, UNINORM_NFC, NULL, &n);
    if (p == NULL)
        return lower_copy(local, arena);
    folded = yb_arena_dup(arena, yb_str((const char *)p, n));
    yb_free(p);
    return folded;
}
