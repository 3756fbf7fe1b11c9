/*
 * Addresses and networks of clients as values: plain octets, copied and compared, hashed, printed
 * and parsed in one way wherever somebody is counted, charged, limited, logged or named in a trace
 * field. yb_ip_of() is the only way from a socket's address to such a value, so that what an IPv4
 * client of an IPv6 socket is, or a peer on a unix socket, is decided once: the first is an IPv4
 * client, the second is of no IP network and shares a network with nobody who is. Pure functions.
 */
#ifndef YB_NET_ADDR_H
#define YB_NET_ADDR_H

#include "lib/base/str.h"

#include <netinet/in.h>

/* A socket's address with room for the two families we serve; a unix socket has only its family
 * set. What the kernel and PROXY v2 give; to compare or print it, make a value of it. */
union yb_addr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

enum yb_ip_kind {
    YB_IP_NONE, /* nobody knows */
    YB_IP_UNIX, /* the other end of a unix socket: a process of this node */
    YB_IP_V4,
    YB_IP_V6
};

/* Octets in network order, zeros behind those that the kind has. All zeros is YB_IP_NONE. */
struct yb_ip {
    uint8_t kind; /* enum yb_ip_kind */
    uint8_t v[16];
};

/* The address of a socket, without its port; an IPv4 address mapped into IPv6 is that IPv4 address.
 * NULL and other families than AF_INET, AF_INET6 and AF_UNIX give YB_IP_NONE. */
struct yb_ip yb_ip_of(const struct sockaddr *sa);
/* "192.0.2.1", "2001:db8::1"; "::ffff:192.0.2.1" is the IPv4 address. False leaves *out alone. */
bool yb_ip_parse(struct yb_str text, struct yb_ip *out) YB_MUST_USE;
/* What yb_ip_parse() takes, in its shortest form; "unix" or "unknown" for what is no IP address.
 * Returns `out`. */
#define YB_IP_TEXT INET6_ADDRSTRLEN
const char *yb_ip_text(struct yb_ip ip, char out[YB_IP_TEXT]);
/* The same as an address literal of RFC 5321 §4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]". */
#define YB_IP_LITERAL (YB_IP_TEXT + sizeof("[IPv6:]") - 1)
const char *yb_ip_literal(struct yb_ip ip, char out[YB_IP_LITERAL]);
/* The same kind and the same octets; two of YB_IP_NONE, or of YB_IP_UNIX, are equal. */
bool yb_ip_eq(struct yb_ip a, struct yb_ip b);

/* The addresses that begin with the same `bits` bits; those behind are zero. What is no IP address
 * is a network of its own, with 0 bits. */
struct yb_network {
    struct yb_ip ip;
    uint8_t bits;
};

/* A client's network: what it can change of its address at no cost is left out. */
#define YB_NETWORK_V4 24
#define YB_NETWORK_V6 64
struct yb_network yb_network_of(struct yb_ip client);
/* "192.0.2.0/24", "2001:db8::/32", or one address. Bits behind the prefix must be zero. A prefix
 * of mapped addresses stays what is written and holds nobody, as there are no such clients. */
bool yb_network_parse(struct yb_str text, struct yb_network *out) YB_MUST_USE;
/* What yb_network_parse() takes, always with its length; "unix", "unknown". Returns `out`. */
#define YB_NETWORK_TEXT (YB_IP_TEXT + sizeof("/128") - 1)
const char *yb_network_text(const struct yb_network *n, char out[YB_NETWORK_TEXT]);
/* The same prefix of the same length. */
bool yb_network_eq(const struct yb_network *a, const struct yb_network *b);
/* Whether `ip` is one of its addresses; an IPv4 address is in no IPv6 network. */
bool yb_network_has(const struct yb_network *n, struct yb_ip ip);
/* As the key of a map: equal networks have equal bytes, of the same length as any other. Valid as
 * long as *n. */
struct yb_str yb_network_key(const struct yb_network *n);
/* A hash with a secret key, so that strangers cannot choose whom they share it with. */
uint64_t yb_network_hash(const struct yb_network *n, const uint64_t key[2]);
/*
 * A client's network (yb_network_of()) as one number, for fixed tables of counters: no two networks
 * that clients can come from share one. (IPv6 addresses that begin with eight zero bits are
 * reserved, RFC 4291 §2.4, but for ::1; the other kinds are numbered in there.)
 */
uint64_t yb_network_number(const struct yb_network *n);

#endif
