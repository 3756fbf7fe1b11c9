/* SASLprep (RFC 4013) over libunistring's NFKC. */
#include "lib/cred/cred.h"

#include <stdlib.h>
#include <uninorm.h>
#include <unistr.h>

struct range {
    ucs4_t from, to;
};

/* RFC 3454 table C.1.2: becomes a space. */
static const struct range spaces[] = {
    { 0x00a0, 0x00a0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200b },
    { 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 },
};

/* RFC 3454 table B.1: goes away. (U+200B is in both tables; RFC 4013 §2.1 maps spaces first.) */
static const struct range nothing[] = {
    { 0x00ad, 0x00ad }, { 0x034f, 0x034f }, { 0x1806, 0x1806 }, { 0x180b, 0x180d },
    { 0x200c, 0x200d }, { 0x2060, 0x2060 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
};

/* RFC 4013 §2.3: tables C.2.1 to C.9 of RFC 3454 (the spaces of C.1.2 are gone by then). */
static const struct range prohibited[] = {
    { 0x0000, 0x001f },   { 0x007f, 0x009f },   { 0x0340, 0x0341 },   { 0x06dd, 0x06dd },
    { 0x070f, 0x070f },   { 0x180e, 0x180e },   { 0x200c, 0x200f },   { 0x2028, 0x202e },
    { 0x2060, 0x2063 },   { 0x206a, 0x206f },   { 0x2ff0, 0x2ffb },   { 0xd800, 0xf8ff },
    { 0xfdd0, 0xfdef },   { 0xfeff, 0xfeff },   { 0xfff9, 0xffff },   { 0x1d173, 0x1d17a },
    { 0x1fffe, 0x1ffff }, { 0x2fffe, 0x2ffff }, { 0x3fffe, 0x3ffff }, { 0x4fffe, 0x4ffff },
    { 0x5fffe, 0x5ffff }, { 0x6fffe, 0x6ffff }, { 0x7fffe, 0x7ffff }, { 0x8fffe, 0x8ffff },
    { 0x9fffe, 0x9ffff }, { 0xafffe, 0xaffff }, { 0xbfffe, 0xbffff }, { 0xcfffe, 0xcffff },
    { 0xdfffe, 0xdffff }, { 0xe0001, 0xe0001 }, { 0xe0020, 0xe007f }, { 0xefffe, 0x10ffff },
};

static bool
in_table(const struct range *table, size_t n, ucs4_t c)
{
    for (size_t i = 0; i < n && table[i].from <= c; i++)
        if (c <= table[i].to)
            return true;
    return false;
}

/* The mappings of RFC 4013 §2.1; `to` has room for 4 bytes a character. False: not UTF-8. */
static bool
map(struct yb_str s, uint8_t *to, size_t *n)
{
    const uint8_t *p = (const uint8_t *)s.p;

    *n = 0;
    for (size_t left = s.n; left > 0;) {
        ucs4_t c;
        int taken = u8_mbtoucr(&c, p, left);

        if (taken <= 0)
            return false;
        p += taken;
        left -= (size_t)taken;
        if (in_table(spaces, YB_COUNT(spaces), c))
            c = ' ';
        else if (in_table(nothing, YB_COUNT(nothing), c))
            continue;
        *n += (size_t)u8_uctomb(to + *n, c, 4);
    }
    return true;
}

static bool
is_allowed(const uint8_t *p, size_t n)
{
    while (n > 0) {
        ucs4_t c;
        int taken = u8_mbtoucr(&c, p, n);

        if (taken <= 0 || in_table(prohibited, YB_COUNT(prohibited), c))
            return false;
        p += taken;
        n -= (size_t)taken;
    }
    return true;
}

/* Printable ASCII, the usual case, is prepared as it is. */
static bool
is_plain(struct yb_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    return true;
}

bool
yb_cred_prepare(struct yb_str password, char *out, size_t *n)
{
    uint8_t mapped[4 * YB_CRED_PASSWORD];
    size_t n_mapped, room = YB_CRED_PREPARED;
    bool ok;

    if (password.n == 0 || password.n > YB_CRED_PASSWORD)
        return false;
    if (is_plain(password)) {
        memcpy(out, password.p, password.n);
        *n = password.n;
        return true;
    }
    ok = map(password, mapped, &n_mapped) && n_mapped > 0;
    if (ok) {
        /* libunistring writes into `out` when the result fits, else it allocates. */
        uint8_t *made = u8_normalize(UNINORM_NFKC, mapped, n_mapped, (uint8_t *)out, &room);

        ok = made == (uint8_t *)out && room > 0 && is_allowed(made, room);
        if (made != NULL && made != (uint8_t *)out) {
            explicit_bzero(made, room);
            free(made);
        }
    }
    if (ok)
        *n = room;
    explicit_bzero(mapped, sizeof(mapped));
    return ok;
}
