#include "lib/base/str.h"

bool
yb_str_eqi(struct yb_str a, struct yb_str b)
{
    return a.n == b.n && yb_str_starts_i(a, b);
}

int
yb_str_cmp(struct yb_str a, struct yb_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

bool
yb_str_starts(struct yb_str s, struct yb_str prefix)
{
    return s.n >= prefix.n && yb_str_eq(yb_str(s.p, prefix.n), prefix);
}

bool
yb_str_starts_i(struct yb_str s, struct yb_str prefix)
{
    if (s.n < prefix.n)
        return false;
    for (size_t i = 0; i < prefix.n; i++) {
        if (yb_lower(s.p[i]) != yb_lower(prefix.p[i]))
            return false;
    }
    return true;
}

bool
yb_str_ends_i(struct yb_str s, struct yb_str suffix)
{
    return s.n >= suffix.n && yb_str_eqi(yb_str_skip(s, s.n - suffix.n), suffix);
}

size_t
yb_str_find(struct yb_str s, char c)
{
    const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

    return at == NULL ? s.n : (size_t)(at - s.p);
}

size_t
yb_str_rfind(struct yb_str s, char c)
{
    const char *at = s.n == 0 ? NULL : memrchr(s.p, c, s.n);

    return at == NULL ? s.n : (size_t)(at - s.p);
}

size_t
yb_str_find_str(struct yb_str s, struct yb_str needle)
{
    const char *at;

    if (needle.n == 0)
        return 0;
    at = s.n < needle.n ? NULL : memmem(s.p, s.n, needle.p, needle.n);
    return at == NULL ? s.n : (size_t)(at - s.p);
}

struct yb_str
yb_str_trim(struct yb_str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = yb_str(s.p + 1, s.n - 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

struct yb_str
yb_str_word(struct yb_str *s)
{
    struct yb_str word = yb_str_head(*s, yb_str_find(*s, ' '));

    *s = yb_str_skip(*s, word.n);
    while (s->n > 0 && s->p[0] == ' ')
        *s = yb_str_skip(*s, 1);
    return word;
}

bool
yb_str_split(struct yb_str *s, char sep, struct yb_str *part)
{
    size_t at;

    if (s->p == NULL) {
        *part = yb_str(NULL, 0);
        return false;
    }
    at = yb_str_find(*s, sep);
    *part = yb_str_head(*s, at);
    *s = at < s->n ? yb_str(s->p + at + 1, s->n - at - 1) : yb_str(NULL, 0);
    return true;
}

bool
yb_str_u64(struct yb_str s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!yb_is_digit(s.p[i]) || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    if (v > max)
        return false;
    *out = v;
    return true;
}

bool
yb_str_copy(struct yb_str s, char *out, size_t size)
{
    if (s.n >= size || yb_str_find(s, '\0') < s.n)
        return false;
    if (s.n > 0)
        memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

size_t
yb_str_put_ascii(struct yb_str s, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < 0x80)
            out[n++] = s.p[i];
        else if (c >= 0xc0 || i == 0 || ((unsigned char)s.p[i - 1] & 0x80) == 0)
            out[n++] = '?'; /* what begins a character, or stands where none was begun */
    }
    return n;
}

bool
yb_str_eq_secret(struct yb_str a, struct yb_str b)
{
    unsigned char differ = 0;

    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        differ = (unsigned char)(differ | ((unsigned char)a.p[i] ^ (unsigned char)b.p[i]));
    return differ == 0;
}

bool
yb_str_ascii(struct yb_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\0' || (s.p[i] & 0x80) != 0)
            return false;
    }
    return true;
}

size_t
yb_utf8_size(struct yb_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t size = p[0] < 0x80   ? 1
                  : p[0] < 0xc2 ? 0
                  : p[0] < 0xe0 ? 2
                  : p[0] < 0xf0 ? 3
                  : p[0] < 0xf5 ? 4
                                : 0;

    for (size_t i = 1; i < size && i < s.n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if (size < 3 || s.n < 2)
        return size;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return size;
}

/* Eight bytes at a time: texts are mostly ASCII, and search looks at all of them. */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

size_t
yb_ascii_run(struct yb_str s)
{
    size_t n = 0;
    uint64_t eight;

    for (; s.n - n >= sizeof(eight); n += sizeof(eight)) {
        memcpy(&eight, s.p + n, sizeof(eight));
        if ((eight & EACH(0x80)) != 0)
            break;
    }
    while (n < s.n && ((unsigned char)s.p[n] & 0x80) == 0)
        n++;
    return n;
}

void
yb_lower_bytes(char *to, const char *from, size_t n)
{
    uint64_t eight;

    for (; n >= sizeof(eight); n -= sizeof(eight), from += sizeof(eight), to += sizeof(eight)) {
        uint64_t low, reach_a, pass_z;

        memcpy(&eight, from, sizeof(eight));
        low = eight & EACH(0x7f); /* so that no sum carries into the next byte */
        reach_a = low + EACH(0x80 - 'A');
        pass_z = low + EACH(0x7f - 'Z');
        eight |= ((reach_a ^ pass_z) & ~eight & EACH(0x80)) >> 2; /* 0x80 becomes 0x20 */
        memcpy(to, &eight, sizeof(eight));
    }
    while (n-- > 0)
        *to++ = yb_lower(*from++);
}

bool
yb_str_utf8(struct yb_str s)
{
    while (s = yb_str_skip(s, yb_ascii_run(s)), s.n > 0) {
        size_t size = yb_utf8_size(s);

        if (size == 0 || size > s.n)
            return false;
        s = yb_str_skip(s, size);
    }
    return true;
}
