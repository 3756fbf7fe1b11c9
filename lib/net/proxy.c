#include "lib/net/proxy.h"

#include <arpa/inet.h>

static const char signature[12] = {
    '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'
};

static unsigned
get16(const char *p)
{
    return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

size_t
yb_proxy_size(struct yb_str head)
{
    size_t size;

    if (head.n < YB_PROXY_HEAD || memcmp(head.p, signature, sizeof(signature)) != 0)
        return 0;
    size = YB_PROXY_HEAD + get16(head.p + 14);
    return size <= YB_PROXY_MAX ? size : 0;
}

static void
addr_v4(union yb_addr *a, const char *ip, const char *port)
{
    memset(a, 0, sizeof(*a));
    a->v4.sin_family = AF_INET;
    memcpy(&a->v4.sin_addr, ip, 4);
    memcpy(&a->v4.sin_port, port, 2);
}

static void
addr_v6(union yb_addr *a, const char *ip, const char *port)
{
    memset(a, 0, sizeof(*a));
    a->v6.sin6_family = AF_INET6;
    memcpy(&a->v6.sin6_addr, ip, 16);
    memcpy(&a->v6.sin6_port, port, 2);
}

bool
yb_proxy_parse(struct yb_str header, union yb_addr *peer, union yb_addr *local, bool *given)
{
    size_t size = yb_proxy_size(header);
    const char *a = header.p + YB_PROXY_HEAD;
    unsigned version, family;

    *given = false;
    if (size == 0 || size != header.n)
        return false;
    version = (unsigned char)header.p[12];
    family = (unsigned char)header.p[13];
    if (version == 0x20) /* LOCAL */
        return true;
    if (version != 0x21)
        return false;
    switch (family) {
    case 0x11: /* TCP over IPv4 */
        if (size < YB_PROXY_HEAD + 12)
            return false;
        addr_v4(peer, a, a + 8);
        addr_v4(local, a + 4, a + 10);
        *given = true;
        return true;
    case 0x21: /* TCP over IPv6 */
        if (size < YB_PROXY_HEAD + 36)
            return false;
        addr_v6(peer, a, a + 32);
        addr_v6(local, a + 16, a + 34);
        *given = true;
        return true;
    default: /* UNSPEC, UDP, unix: a receiver uses the real addresses */
        return family >> 4 <= 3 && (family & 15) <= 2;
    }
}

bool
yb_cidr_parse(struct yb_str text, struct yb_cidr *out)
{
    size_t slash = yb_str_find(text, '/');
    char ip[INET6_ADDRSTRLEN];
    uint64_t bits;
    unsigned size;

    memset(out, 0, sizeof(*out));
    if (!yb_str_copy(yb_str_head(text, slash), ip, sizeof(ip)))
        return false;
    if (inet_pton(AF_INET, ip, out->bytes) != 1) {
        if (inet_pton(AF_INET6, ip, out->bytes) != 1)
            return false;
        out->v6 = true;
    }
    size = out->v6 ? 128 : 32;
    bits = size;
    if (slash < text.n && !yb_str_u64(yb_str_skip(text, slash + 1), size, &bits))
        return false;
    out->bits = (unsigned)bits;
    for (unsigned k = out->bits; k < size; k++)
        if (out->bytes[k / 8] >> (7 - k % 8) & 1)
            return false;
    return true;
}

int
yb_cidr_list(struct yb_str text, struct yb_cidr **list, size_t *n, struct yb_err *err)
{
    struct yb_str rest = text, part;

    *list = NULL;
    *n = 0;
    if (yb_str_trim(text).n == 0)
        return 0;
    while (yb_str_split(&rest, ',', &part)) {
        part = yb_str_trim(part);
        *list = yb_realloc(*list, *n + 1, sizeof(**list));
        if (!yb_cidr_parse(part, &(*list)[*n])) {
            yb_free(*list);
            *list = NULL;
            *n = 0;
            return yb_err_set(err, YB_PERM, "5.3.5", "not a network: \"%.*s\"", YB_STR_ARG(part));
        }
        (*n)++;
    }
    return 0;
}

static bool
cidr_match(const struct yb_cidr *c, const uint8_t *bytes, bool v6)
{
    unsigned whole = c->bits / 8, rest = c->bits % 8;

    if (c->v6 != v6 || memcmp(c->bytes, bytes, whole) != 0)
        return false;
    return rest == 0 || ((c->bytes[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

bool
yb_cidr_has(const struct yb_cidr *list, size_t n, const union yb_addr *addr)
{
    const uint8_t *bytes;
    bool v6 = false;

    if (addr->any.sa_family == AF_INET) {
        bytes = (const uint8_t *)&addr->v4.sin_addr;
    } else if (addr->any.sa_family == AF_INET6) {
        v6 = !IN6_IS_ADDR_V4MAPPED(&addr->v6.sin6_addr);
        bytes = addr->v6.sin6_addr.s6_addr + (v6 ? 0 : 12);
    } else {
        return false;
    }
    for (size_t k = 0; k < n; k++)
        if (cidr_match(&list[k], bytes, v6))
            return true;
    return false;
}
