#include "lib/net/addr.h"

#include "lib/base/map.h"

#include <arpa/inet.h>
#include <stdio.h>

static unsigned
width(const struct yb_ip *ip)
{
    return ip->kind == YB_IP_V4 ? 32 : ip->kind == YB_IP_V6 ? 128 : 0;
}

static struct yb_ip
from_v4(const void *octets)
{
    struct yb_ip ip = { .kind = YB_IP_V4 };

    memcpy(ip.v, octets, 4);
    return ip;
}

static struct yb_ip
from_v6(const struct in6_addr *a)
{
    struct yb_ip ip = { .kind = YB_IP_V6 };

    if (IN6_IS_ADDR_V4MAPPED(a))
        return from_v4(a->s6_addr + 12);
    memcpy(ip.v, a->s6_addr, sizeof(ip.v));
    return ip;
}

struct yb_ip
yb_ip_of(const struct sockaddr *sa)
{
    if (sa == NULL)
        return (struct yb_ip){ .kind = YB_IP_NONE };
    if (sa->sa_family == AF_INET)
        return from_v4(&((const struct sockaddr_in *)(const void *)sa)->sin_addr);
    if (sa->sa_family == AF_INET6)
        return from_v6(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
    return (struct yb_ip){ .kind = sa->sa_family == AF_UNIX ? YB_IP_UNIX : YB_IP_NONE };
}

bool
yb_ip_parse(struct yb_str text, struct yb_ip *out)
{
    char ip[YB_IP_TEXT];
    struct in_addr v4;
    struct in6_addr v6;

    if (!yb_str_copy(text, ip, sizeof(ip)))
        return false;
    if (inet_pton(AF_INET, ip, &v4) == 1)
        *out = from_v4(&v4);
    else if (inet_pton(AF_INET6, ip, &v6) == 1)
        *out = from_v6(&v6);
    else
        return false;
    return true;
}

const char *
yb_ip_text(struct yb_ip ip, char out[YB_IP_TEXT])
{
    if (width(&ip) > 0) /* has room for every address, so cannot fail */
        return inet_ntop(ip.kind == YB_IP_V4 ? AF_INET : AF_INET6, ip.v, out, YB_IP_TEXT);
    (void)snprintf(out, YB_IP_TEXT, "%s", ip.kind == YB_IP_UNIX ? "unix" : "unknown");
    return out;
}

const char *
yb_ip_literal(struct yb_ip ip, char out[YB_IP_LITERAL])
{
    char text[YB_IP_TEXT];

    (void)snprintf(out, YB_IP_LITERAL, ip.kind == YB_IP_V6 ? "[IPv6:%s]" : "[%s]",
                   yb_ip_text(ip, text));
    return out;
}

bool
yb_ip_eq(struct yb_ip a, struct yb_ip b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

struct yb_network
yb_network_of(struct yb_ip client)
{
    struct yb_network n = { .ip = client };

    if (client.kind == YB_IP_V4)
        n.bits = YB_NETWORK_V4;
    else if (client.kind == YB_IP_V6)
        n.bits = YB_NETWORK_V6;
    memset(n.ip.v + n.bits / 8, 0, sizeof(n.ip.v) - n.bits / 8);
    return n;
}

/* As it is written: from_v6() would make another prefix of a mapped one. */
static bool
parse_written(struct yb_str text, struct yb_ip *ip)
{
    char copy[YB_IP_TEXT];

    *ip = (struct yb_ip){ .kind = YB_IP_V4 };
    if (!yb_str_copy(text, copy, sizeof(copy)))
        return false;
    if (inet_pton(AF_INET, copy, ip->v) == 1)
        return true;
    ip->kind = YB_IP_V6;
    return inet_pton(AF_INET6, copy, ip->v) == 1;
}

bool
yb_network_parse(struct yb_str text, struct yb_network *out)
{
    size_t slash = yb_str_find(text, '/');
    struct yb_network n;
    uint64_t bits;

    if (!parse_written(yb_str_head(text, slash), &n.ip))
        return false;
    bits = width(&n.ip);
    if (slash < text.n && !yb_str_u64(yb_str_skip(text, slash + 1), bits, &bits))
        return false;
    n.bits = (uint8_t)bits;
    for (unsigned k = n.bits; k < width(&n.ip); k++)
        if (n.ip.v[k / 8] >> (7 - k % 8) & 1)
            return false;
    *out = n;
    return true;
}

const char *
yb_network_text(const struct yb_network *n, char out[YB_NETWORK_TEXT])
{
    char text[YB_IP_TEXT];

    yb_ip_text(n->ip, text);
    if (width(&n->ip) > 0)
        (void)snprintf(out, YB_NETWORK_TEXT, "%s/%u", text, n->bits);
    else
        (void)snprintf(out, YB_NETWORK_TEXT, "%s", text);
    return out;
}

bool
yb_network_eq(const struct yb_network *a, const struct yb_network *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

bool
yb_network_has(const struct yb_network *n, struct yb_ip ip)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;

    if (n->ip.kind != ip.kind || memcmp(n->ip.v, ip.v, whole) != 0)
        return false;
    return rest == 0 || ((n->ip.v[whole] ^ ip.v[whole]) >> (8 - rest)) == 0;
}

_Static_assert(sizeof(struct yb_network) == 18, "octets only: no padding that could differ");

struct yb_str
yb_network_key(const struct yb_network *n)
{
    return yb_str((const char *)n, sizeof(*n));
}

uint64_t
yb_network_hash(const struct yb_network *n, const uint64_t key[2])
{
    return yb_siphash(key, yb_network_key(n));
}

uint64_t
yb_network_number(const struct yb_network *n)
{
    size_t octets = n->ip.kind == YB_IP_V6 ? YB_NETWORK_V6 / 8 : YB_NETWORK_V4 / 8;
    uint64_t number = 0;

    for (size_t i = 0; i < octets; i++)
        number = number << 8 | n->ip.v[i];
    switch ((enum yb_ip_kind)n->ip.kind) {
    case YB_IP_V6:
        break;
    case YB_IP_V4:
        number |= (uint64_t)1 << 32;
        break;
    case YB_IP_UNIX:
        number = (uint64_t)2 << 32;
        break;
    case YB_IP_NONE:
        number = (uint64_t)3 << 32;
    }
    return number;
}
