/*
 * struct yb_str: bytes to read, pointer and length, not NUL-terminated, owned by somebody else.
 * Pure functions; NUL is an ordinary byte.
 */
#ifndef YB_BASE_STR_H
#define YB_BASE_STR_H

#include "lib/base/base.h"

#include <string.h>

struct yb_str {
    const char *p;
    size_t n;
};

/* A literal as a yb_str; S() is its constant form for tables. */
#define YB_STR(literal) ((struct yb_str){ "" literal, sizeof(literal) - 1 })
#define YB_STR_INIT(literal)                                                                       \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
/* printf("%.*s", YB_STR_ARG(s)) */
#define YB_STR_ARG(s) (int)((s).n > 0x7fffffff ? 0x7fffffff : (s).n), (s).n > 0 ? (s).p : ""

static inline struct yb_str
yb_str(const char *p, size_t n)
{
    return (struct yb_str){ p, n };
}

static inline struct yb_str
yb_str_from(const char *cstr)
{
    return (struct yb_str){ cstr, cstr == NULL ? 0 : strlen(cstr) };
}

static inline bool
yb_str_eq(struct yb_str a, struct yb_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The bytes from `from` on; empty when there are fewer. */
static inline struct yb_str
yb_str_skip(struct yb_str s, size_t from)
{
    if (s.n == 0) /* p may be NULL: not even 0 may be added to it */
        return s;
    return from >= s.n ? yb_str(s.p + s.n, 0) : yb_str(s.p + from, s.n - from);
}

/* The first n bytes, or all when there are fewer. */
static inline struct yb_str
yb_str_head(struct yb_str s, size_t n)
{
    return yb_str(s.p, n < s.n ? n : s.n);
}

static inline char
yb_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline char
yb_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static inline bool
yb_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool
yb_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Equal but for the case of ASCII letters. */
bool yb_str_eqi(struct yb_str a, struct yb_str b);
/* memcmp order, the shorter first among equals: <0, 0, >0. */
int yb_str_cmp(struct yb_str a, struct yb_str b);
bool yb_str_starts(struct yb_str s, struct yb_str prefix);
bool yb_str_starts_i(struct yb_str s, struct yb_str prefix);
bool yb_str_ends_i(struct yb_str s, struct yb_str suffix);
/* Index of the first (last) `c`, or s.n when there is none. */
size_t yb_str_find(struct yb_str s, char c);
size_t yb_str_rfind(struct yb_str s, char c);
/* Index of the first `needle`, or s.n. */
size_t yb_str_find_str(struct yb_str s, struct yb_str needle);
/* Without spaces and tabs at both ends. */
struct yb_str yb_str_trim(struct yb_str s);
/* Cuts the first word (up to a space) off *s, with the spaces behind it, and returns it. */
struct yb_str yb_str_word(struct yb_str *s);
/* Cuts up to the first `sep` off *s and returns it; false (and *part empty) when *s was used up.
 * "a,,b" gives "a", "", "b"; begin with a copy, the end is told by s->p == NULL. */
bool yb_str_split(struct yb_str *s, char sep, struct yb_str *part);
/* Decimal digits only, no sign, no spaces, at most `max`. False leaves *out alone. */
bool yb_str_u64(struct yb_str s, uint64_t max, uint64_t *out) YB_MUST_USE;
/* Copies into a C string of `size` bytes; false when it does not fit or holds a NUL. */
bool yb_str_copy(struct yb_str s, char *out, size_t size) YB_MUST_USE;
/* Copies, with one '?' for each character that is not ASCII, for protocols that take nothing else. The
 * number of bytes, which is at most s.n. */
size_t yb_str_put_ascii(struct yb_str s, char *out);
/* Constant time in the bytes (not in the length). */
bool yb_str_eq_secret(struct yb_str a, struct yb_str b);
/* Bytes of the UTF-8 character at the start of s (not empty); 0 when it is not well-formed. More
 * than s.n when s ends within it and is well-formed so far. */
size_t yb_utf8_size(struct yb_str s);
/* Length of the run of bytes below 128 that `s` begins with. */
size_t yb_ascii_run(struct yb_str s);
/* Lower-cases n bytes; those that are not A to Z stay. `to` may be `from`. */
void yb_lower_bytes(char *to, const char *from, size_t n);
/* True when s is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool yb_str_utf8(struct yb_str s);
/* True when every byte is ASCII (1-127). */
bool yb_str_ascii(struct yb_str s);

#endif
