#include "lib/store/name.h"

#include "lib/store/store.h"

static const struct {
    char letter;
    uint32_t flag;
} letters[] = {
    /* in the order Maildir wants them in a name */
    { 'D', YB_FLAG_DRAFT },    { 'F', YB_FLAG_FLAGGED }, { 'P', YB_FLAG_PASSED },
    { 'R', YB_FLAG_ANSWERED }, { 'S', YB_FLAG_SEEN },    { 'T', YB_FLAG_DELETED },
};

static char *
put_u64(char *p, uint64_t v)
{
    char digits[20];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

static char *
put_i64(char *p, int64_t v)
{
    if (v >= 0)
        return put_u64(p, (uint64_t)v);
    *p++ = '-';
    return put_u64(p, 0 - (uint64_t)v);
}

static char *
put_text(char *p, const char *text)
{
    while (*text != '\0')
        *p++ = *text++;
    return p;
}

static char *
put_flags(char *p, uint32_t flags, uint32_t keywords)
{
    p = put_text(p, ":2,");
    for (size_t i = 0; i < YB_COUNT(letters); i++) {
        if ((flags & letters[i].flag) != 0)
            *p++ = letters[i].letter;
    }
    for (unsigned k = 0; k < 26; k++) {
        if ((keywords & 1u << k) != 0)
            *p++ = (char)('a' + k);
    }
    return p;
}

/* RFC 4648 in lower case, without padding. */
static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";
#define BASE32_ID ((8 * YB_ID_BYTES + 4) / 5)

static char *
put_base32(char *p, const uint8_t *bytes)
{
    unsigned bits = 0, held = 0;

    for (size_t i = 0; i < YB_ID_BYTES; i++) {
        held = (held << 8 | bytes[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5)
            *p++ = base32[held >> (bits - 5) & 31];
    }
    *p++ = base32[held << (5 - bits) & 31];
    return p;
}

size_t
yb_name_format(const struct yb_name *name, bool in_new, char out[YB_NAME_MAX])
{
    char *p = put_i64(out, name->time);

    *p++ = '.';
    yb_hex(name->id.v, YB_ID_BYTES, p);
    p += 2 * YB_ID_BYTES;
    *p++ = '.';
    yb_hex(name->node.v, YB_NODE_ID_BYTES, p);
    p = put_text(p + 2 * YB_NODE_ID_BYTES, ",S=");
    p = put_u64(p, name->size);
    p = put_text(p, ",I=");
    p = put_u64(p, name->uidvalidity);
    *p++ = '.';
    p = put_u64(p, name->uid);
    if (name->internal_date != name->time)
        p = put_i64(put_text(p, ",D="), name->internal_date);
    if (!yb_delivery_id_is_zero(name->email))
        p = put_base32(put_text(p, ",E="), name->email.v);
    if (name->set != 0)
        p = put_u64(put_text(p, ",K="), name->set);
    if (!in_new)
        p = put_flags(p, name->flags, name->keywords);
    *p = '\0';
    return (size_t)(p - out);
}

/* --- reading: each take_ cuts what it read off *s --- */

static bool
take_text(struct yb_str *s, struct yb_str text)
{
    if (!yb_str_starts(*s, text))
        return false;
    *s = yb_str_skip(*s, text.n);
    return true;
}

/* Digits in the one form put_u64() writes: no leading zeros. */
static bool
take_u64(struct yb_str *s, uint64_t max, uint64_t *out)
{
    size_t n = 0;

    while (n < s->n && yb_is_digit(s->p[n]))
        n++;
    if (n == 0 || n > 20 || (n > 1 && s->p[0] == '0') || !yb_str_u64(yb_str_head(*s, n), max, out))
        return false;
    *s = yb_str_skip(*s, n);
    return true;
}

static bool
take_time(struct yb_str *s, int64_t *out)
{
    bool minus = take_text(s, YB_STR("-"));
    uint64_t v;

    if (!take_u64(s, INT64_MAX, &v) || (minus && v == 0))
        return false;
    *out = minus ? -(int64_t)v : (int64_t)v;
    return true;
}

static bool
take_hex(struct yb_str *s, uint8_t *out, size_t n)
{
    if (s->n < 2 * n || !yb_unhex(yb_str_head(*s, 2 * n), out, n))
        return false;
    for (size_t i = 0; i < 2 * n; i++) {
        if (s->p[i] >= 'A' && s->p[i] <= 'F')
            return false;
    }
    *s = yb_str_skip(*s, 2 * n);
    return true;
}

/* "I=<uidvalidity>.<uid>", neither zero. */
static bool
take_uid(struct yb_str *s, struct yb_name *name)
{
    uint64_t validity, uid;

    if (!take_text(s, YB_STR(",I=")) || !take_u64(s, UINT32_MAX, &validity) ||
        !take_text(s, YB_STR(".")) || !take_u64(s, UINT32_MAX, &uid) || validity == 0 || uid == 0)
        return false;
    name->uidvalidity = (uint32_t)validity;
    name->uid = (uint32_t)uid;
    return true;
}

/* In the one form put_base32() writes: the last character has two bits to spare. */
static bool
take_base32(struct yb_str *s, uint8_t *out)
{
    unsigned bits = 0, held = 0;
    size_t n = 0;

    if (s->n < BASE32_ID)
        return false;
    for (size_t i = 0; i < BASE32_ID; i++) {
        const char *at = s->p[i] == '\0' ? NULL : strchr(base32, s->p[i]);

        if (at == NULL)
            return false;
        held = (held << 5 | (unsigned)(at - base32)) & 0xfff;
        for (bits += 5; bits >= 8 && n < YB_ID_BYTES; bits -= 8)
            out[n++] = (uint8_t)(held >> (bits - 8));
    }
    *s = yb_str_skip(*s, BASE32_ID);
    return (held & ((1u << bits) - 1)) == 0;
}

/* What may follow I=, each once and in this order. */
static bool
take_more(struct yb_str *s, struct yb_name *name)
{
    uint64_t set;

    if (take_text(s, YB_STR(",D=")) && !take_time(s, &name->internal_date))
        return false;
    if (take_text(s, YB_STR(",E=")) &&
        (!take_base32(s, name->email.v) || yb_delivery_id_is_zero(name->email)))
        return false;
    if (take_text(s, YB_STR(",K="))) {
        if (!take_u64(s, UINT32_MAX, &set) || set == 0)
            return false;
        name->set = (uint32_t)set;
    }
    return true;
}

bool
yb_name_parse(struct yb_str s, struct yb_name *name)
{
    struct yb_str whole = s;

    *name = (struct yb_name){ 0 };
    if (!take_time(&s, &name->time) || !take_text(&s, YB_STR(".")) ||
        !take_hex(&s, name->id.v, YB_ID_BYTES) || !take_text(&s, YB_STR(".")) ||
        !take_hex(&s, name->node.v, YB_NODE_ID_BYTES) || !take_text(&s, YB_STR(",S=")) ||
        !take_u64(&s, INT64_MAX, &name->size) || !take_uid(&s, name))
        return false;
    name->internal_date = name->time;
    if (!take_more(&s, name))
        return false;
    if (s.n > 0 && !yb_str_starts(s, YB_STR(":2,")))
        return false;
    yb_name_flags(whole, &name->flags, &name->keywords);
    return true;
}

void
yb_name_flags(struct yb_str s, uint32_t *flags, uint32_t *keywords)
{
    size_t at = yb_str_rfind(s, ':');

    *flags = *keywords = 0;
    s = yb_str_skip(s, at);
    if (!yb_str_starts(s, YB_STR(":2,")))
        return;
    for (size_t i = 3; i < s.n; i++) {
        if (s.p[i] >= 'a' && s.p[i] <= 'z')
            *keywords |= 1u << (s.p[i] - 'a');
        for (size_t k = 0; k < YB_COUNT(letters); k++)
            *flags |= s.p[i] == letters[k].letter ? letters[k].flag : 0;
    }
}
