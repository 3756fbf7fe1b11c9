#include "lib/net/proxy.h"

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
    return yb_network_parse(text, &out->network);
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

bool
yb_cidr_has(const struct yb_cidr *list, size_t n, const union yb_addr *addr)
{
    return yb_cidr_has_ip(list, n, yb_ip_of(&addr->any));
}

bool
yb_cidr_has_ip(const struct yb_cidr *list, size_t n, struct yb_ip ip)
{
    for (size_t k = 0; k < n; k++)
        if (yb_network_has(&list[k].network, ip))
            return true;
    return false;
}
