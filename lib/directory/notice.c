#include "lib/directory/notice.h"

#include "lib/base/id.h"

#include <openssl/evp.h>

/* Bytes that can separate a sub-address (the CHECK on domains.separator). */
#define SEPARATORS "+-=_.#~/"
/* A kind, a domain, a space, a local part: longer names are in no directory. */
#define NAME_MAX_BYTES 512

/* The first n bytes of sha256(key || name). */
static void
digest(const struct yb_notice_key *k, struct yb_str name, uint8_t *out, size_t n)
{
    uint8_t text[YB_NOTICE_KEY + NAME_MAX_BYTES], sum[32];

    yb_assert(name.n <= NAME_MAX_BYTES && n <= sizeof(sum));
    memcpy(text, k->v, YB_NOTICE_KEY);
    memcpy(text + YB_NOTICE_KEY, name.p, name.n);
    yb_assert(EVP_Digest(text, YB_NOTICE_KEY + name.n, sum, NULL, EVP_sha256(), NULL) == 1);
    memcpy(out, sum, n);
}

int
yb_notice_key_read(struct yb_str text, struct yb_notice_key *out, struct yb_err *err)
{
    if (!yb_str_starts(text, YB_STR("\\x")) ||
        !yb_unhex(yb_str_skip(text, 2), out->v, sizeof(out->v)))
        return yb_err_inside(err, YB_TEMP, "4.3.0", "the database has no key for notices");
    digest(out, YB_STR("i"), out->id, sizeof(out->id));
    return 0;
}

static uint64_t
number(const uint8_t v[8])
{
    uint64_t n = 0;

    for (size_t i = 0; i < 8; i++)
        n = n << 8 | v[i];
    return n;
}

/* kind, domain (or tenant) and, of an address, " " and its base. */
static uint64_t
hash(const struct yb_notice_key *k, char kind, struct yb_str domain, struct yb_str base)
{
    char name[NAME_MAX_BYTES];
    uint8_t sum[8];
    size_t n = 1 + domain.n;

    yb_assert(n + 1 + base.n <= sizeof(name));
    name[0] = kind;
    memcpy(name + 1, domain.p, domain.n);
    if (kind == 'a') {
        name[n++] = ' ';
        memcpy(name + n, base.p, base.n);
        n += base.n;
    }
    digest(k, yb_str(name, n), sum, sizeof(sum));
    return number(sum);
}

uint64_t
yb_notice_domain(const struct yb_notice_key *k, struct yb_str domain)
{
    return hash(k, 'd', domain, yb_str(NULL, 0));
}

uint64_t
yb_notice_address(const struct yb_notice_key *k, struct yb_str local, struct yb_str domain)
{
    size_t base = local.n > 0 ? 1 : 0;

    while (base < local.n && strchr(SEPARATORS, local.p[base]) == NULL)
        base++;
    return hash(k, 'a', domain, yb_str_head(local, base));
}

/* As PostgreSQL writes a uuid. */
uint64_t
yb_notice_tenant(const struct yb_notice_key *k, struct yb_tenant_id tenant)
{
    char hex[YB_ID_TEXT], text[36];
    size_t n = 0;

    yb_tenant_id_text(tenant, hex);
    for (size_t i = 0; i < 2 * YB_ID_BYTES; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            text[n++] = '-';
        text[n++] = hex[i];
    }
    return hash(k, 't', yb_str(text, n), yb_str(NULL, 0));
}

enum yb_notice_kind
yb_notice_parse(const struct yb_notice_key *k, struct yb_str payload, uint64_t *out)
{
    uint8_t id[4], sum[8];

    if (yb_str_eq(payload, YB_STR("names")))
        return YB_NOTICE_NAMES;
    if (payload.n != 2 + 8 + 1 + 16 ||
        (payload.p[0] != 'a' && payload.p[0] != 'd' && payload.p[0] != 't') ||
        payload.p[1] != ' ' || !yb_unhex(yb_str(payload.p + 2, 8), id, sizeof(id)) ||
        payload.p[10] != ' ' || !yb_unhex(yb_str_skip(payload, 11), sum, sizeof(sum)))
        return YB_NOTICE_ALL;
    if (memcmp(id, k->id, sizeof(id)) != 0)
        return YB_NOTICE_UNKNOWN;
    *out = number(sum);
    return payload.p[0] == 'a'   ? YB_NOTICE_ADDRESS
           : payload.p[0] == 'd' ? YB_NOTICE_DOMAIN
                                 : YB_NOTICE_TENANT;
}
