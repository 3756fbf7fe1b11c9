/*
 * PROXY protocol version 2 (the binary one) as spoken by a load balancer in front of us, and the
 * lists of networks that may speak it. Pure functions over bytes.
 */
#ifndef YB_NET_PROXY_H
#define YB_NET_PROXY_H

#include "lib/base/err.h"
#include "lib/net/addr.h"

/* Signature, version, family and length; then so many bytes as the length says. */
#define YB_PROXY_HEAD 16
/* Longest header taken: addresses and a few kilobytes of TLVs, which are skipped. */
#define YB_PROXY_MAX 4096

/* Size of the whole header from its first YB_PROXY_HEAD bytes; 0 when it is none or too long. */
size_t yb_proxy_size(struct yb_str head);
/*
 * Reads a whole header. True with the client's address in *peer and ours in *local; *given is false
 * for LOCAL (the balancer itself) and families other than TCP over IPv4 and IPv6: then the socket's
 * addresses hold and *peer, *local are left alone.
 */
bool yb_proxy_parse(struct yb_str header, union yb_addr *peer, union yb_addr *local,
                    bool *given) YB_MUST_USE;

/* An entry of such a list, as yb_network_parse() takes it. */
struct yb_cidr {
    struct yb_network network;
};
bool yb_cidr_parse(struct yb_str text, struct yb_cidr *out) YB_MUST_USE;
/* Comma list, spaces allowed; *list is for yb_free(). Empty text gives no element. */
int yb_cidr_list(struct yb_str text, struct yb_cidr **list, size_t *n,
                 struct yb_err *err) YB_MUST_USE;
/* Whether one of them holds the address; what is no IP address is in none. */
bool yb_cidr_has(const struct yb_cidr *list, size_t n, const union yb_addr *addr);
bool yb_cidr_has_ip(const struct yb_cidr *list, size_t n, struct yb_ip ip);

#endif
