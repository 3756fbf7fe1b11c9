/* Modified UTF-7: base64 of UTF-16BE between '&' and '-', with ',' for '/' and without padding. */
#include "imapd/utf7.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int
digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (yb_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == ',' ? 63 : -1;
}

static size_t
utf8_put(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* One character of `s` from *at on; what is not UTF-8 is U+FFFD, a byte at a time. */
static uint32_t
utf8_get(struct yb_str s, size_t *at)
{
    unsigned char c = (unsigned char)s.p[*at];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
    uint32_t code = n == 1 ? c : n == 2 ? c & 0x1fu : n == 3 ? c & 0x0fu : c & 0x07u;

    if (n == 0 || n > s.n - *at || !yb_str_utf8(yb_str(s.p + *at, n))) {
        (*at)++;
        return 0xfffd;
    }
    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)s.p[*at + i] & 0x3fu);
    *at += n;
    return code;
}

/* The base64 part of a shift (without '&' and '-') as UTF-8; false when it is not whole UTF-16. */
static bool
shift_decode(struct yb_str in, char *to, size_t *size)
{
    uint32_t bits = 0, high = 0;
    unsigned n_bits = 0;
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        int v = digit_value(in.p[i]);
        uint32_t unit;

        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        n_bits += 6;
        if (n_bits < 16)
            continue;
        n_bits -= 16;
        unit = bits >> n_bits & 0xffff;
        bits &= (1u << n_bits) - 1;
        if (high != 0) {
            if (unit < 0xdc00 || unit > 0xdfff)
                return false;
            n += utf8_put(to + n, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
            high = 0;
        } else if (unit >= 0xd800 && unit <= 0xdbff) {
            high = unit;
        } else if (unit >= 0xdc00 && unit <= 0xdfff) {
            return false;
        } else {
            n += utf8_put(to + n, unit);
        }
    }
    *size = n;
    return high == 0 && n_bits < 6 && bits == 0;
}

bool
imapd_utf7_decode(struct yb_str in, struct yb_arena *arena, struct yb_str *out)
{
    /* Eight base64 digits are three UTF-16 units: at most nine bytes of UTF-8. */
    char *to = yb_arena_alloc(arena, in.n + in.n / 8 + 4, 1);
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        struct yb_str shift = yb_str_skip(in, i + 1);
        size_t size = 0;

        if (in.p[i] < ' ' || in.p[i] > '~')
            return false;
        if (in.p[i] != '&') {
            to[n++] = in.p[i];
            continue;
        }
        shift.n = yb_str_find(shift, '-');
        if (i + 1 + shift.n >= in.n)
            return false;
        if (shift.n == 0)
            to[n++] = '&';
        else if (!shift_decode(shift, to + n, &size))
            return false;
        n += size;
        i += shift.n + 1;
    }
    /* Canonical is what our own encoder writes. */
    if (!yb_str_eq(imapd_utf7_encode(yb_str(to, n), arena), in))
        return false;
    *out = yb_str(to, n);
    return true;
}

struct shift {
    char *to;
    size_t n;
    uint32_t bits;
    unsigned n_bits;
    bool open;
};

static void
shift_unit(struct shift *s, uint32_t unit)
{
    if (!s->open)
        s->to[s->n++] = '&';
    s->open = true;
    s->bits = s->bits << 16 | unit;
    s->n_bits += 16;
    while (s->n_bits >= 6) {
        s->n_bits -= 6;
        s->to[s->n++] = digits[s->bits >> s->n_bits & 0x3f];
    }
    s->bits &= (1u << s->n_bits) - 1;
}

static void
shift_close(struct shift *s)
{
    if (!s->open)
        return;
    if (s->n_bits > 0)
        s->to[s->n++] = digits[s->bits << (6 - s->n_bits) & 0x3f];
    s->to[s->n++] = '-';
    s->bits = 0;
    s->n_bits = 0;
    s->open = false;
}

struct yb_str
imapd_utf7_encode(struct yb_str utf8, struct yb_arena *arena)
{
    /* The worst is a single odd byte between ASCII: "&//0-" for one. */
    struct shift s = { .to = yb_arena_alloc(arena, utf8.n * 5 + 1, 1) };

    for (size_t at = 0; at < utf8.n;) {
        uint32_t code = utf8_get(utf8, &at);

        if (code >= ' ' && code <= '~') {
            shift_close(&s);
            s.to[s.n++] = (char)code;
            if (code == '&')
                s.to[s.n++] = '-';
        } else if (code >= 0x10000) {
            shift_unit(&s, 0xd800 + ((code - 0x10000) >> 10));
            shift_unit(&s, 0xdc00 + ((code - 0x10000) & 0x3ff));
        } else {
            shift_unit(&s, code);
        }
    }
    shift_close(&s);
    return yb_str(s.to, s.n);
}
