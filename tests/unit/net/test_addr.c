/* Addresses and networks as values. */
#include "lib/net/addr.h"

#include <check.h>
#include <stdlib.h>

/* A socket's address as the kernel gives it: v6 sockets give IPv4 clients mapped. */
static struct yb_ip
of(const char *text)
{
    union yb_addr a = { .any = { .sa_family = AF_UNSPEC } };
    char *end;

    if (strcmp(text, "unix") == 0) {
        a.any.sa_family = AF_UNIX;
    } else if (strcmp(text, "none") != 0 && strchr(text, ':') == NULL) {
        a.v4.sin_family = AF_INET;
        a.v4.sin_port = htons(25);
        for (size_t i = 0; i < 4; i++, text = end + 1)
            ((uint8_t *)&a.v4.sin_addr)[i] = (uint8_t)strtoul(text, &end, 10);
    } else if (strcmp(text, "none") != 0) {
        struct yb_network n; /* keeps a mapped address as it is written */

        a.v6.sin6_family = AF_INET6;
        a.v6.sin6_port = htons(25);
        a.v6.sin6_scope_id = 2;
        ck_assert(yb_network_parse(yb_str_from(text), &n) && n.ip.kind == YB_IP_V6);
        memcpy(&a.v6.sin6_addr, n.ip.v, 16);
    }
    return yb_ip_of(&a.any);
}

static const struct {
    const char *from;
    enum yb_ip_kind kind;
    const char *text, *literal, *network;
} forms[] = {
    { "192.0.2.1", YB_IP_V4, "192.0.2.1", "[192.0.2.1]", "192.0.2.0/24" },
    { "::ffff:192.0.2.1", YB_IP_V4, "192.0.2.1", "[192.0.2.1]", "192.0.2.0/24" },
    { "0.0.0.0", YB_IP_V4, "0.0.0.0", "[0.0.0.0]", "0.0.0.0/24" },
    { "255.255.255.255", YB_IP_V4, "255.255.255.255", "[255.255.255.255]", "255.255.255.0/24" },
    { "2001:DB8:0:1:2:3:4:5", YB_IP_V6, "2001:db8:0:1:2:3:4:5", "[IPv6:2001:db8:0:1:2:3:4:5]",
      "2001:db8:0:1::/64" },
    { "::1", YB_IP_V6, "::1", "[IPv6:::1]", "::/64" },
    { "::192.0.2.1", YB_IP_V6, "::192.0.2.1", "[IPv6:::192.0.2.1]", "::/64" },
    { "::fffe:192.0.2.1", YB_IP_V6, "::fffe:c000:201", "[IPv6:::fffe:c000:201]", "::/64" },
    { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", YB_IP_V6,
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "[IPv6:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]",
      "ffff:ffff:ffff:ffff::/64" },
    { "unix", YB_IP_UNIX, "unix", "[unix]", "unix" },
    { "none", YB_IP_NONE, "unknown", "[unknown]", "unknown" },
};

START_TEST(test_forms)
{
    struct yb_ip ip = of(forms[_i].from), again;
    struct yb_network n = yb_network_of(ip), parsed;
    bool is_ip = ip.kind == YB_IP_V4 || ip.kind == YB_IP_V6;
    char text[YB_IP_TEXT], literal[YB_IP_LITERAL], network[YB_NETWORK_TEXT];

    ck_assert_int_eq(ip.kind, forms[_i].kind);
    ck_assert_str_eq(yb_ip_text(ip, text), forms[_i].text);
    ck_assert_str_eq(yb_ip_literal(ip, literal), forms[_i].literal);
    ck_assert_str_eq(yb_network_text(&n, network), forms[_i].network);
    ck_assert(yb_network_has(&n, ip));
    /* What was printed is read again as the same value; what is no IP address is never read. */
    ck_assert_int_eq(yb_ip_parse(yb_str_from(text), &again), is_ip);
    ck_assert(!is_ip || yb_ip_eq(ip, again));
    ck_assert_int_eq(yb_network_parse(yb_str_from(network), &parsed), is_ip);
    ck_assert(!is_ip || yb_network_eq(&n, &parsed));
    ck_assert(!is_ip || (yb_ip_parse(yb_str_from(forms[_i].from), &again) && yb_ip_eq(ip, again)));
}
END_TEST

static const char *const no_ip[] = {
    "",      "192.0.2", "192.0.2.1.", "192.0.2.256", "192.0.2.1/24", "2001:db8:", "2001:db8::x",
    "[::1]", " ::1",    "fe80::1%2",  "192.0.2.01"
};

START_TEST(test_no_ip)
{
    struct yb_ip ip = { .kind = YB_IP_UNIX };

    ck_assert_msg(!yb_ip_parse(yb_str_from(no_ip[_i]), &ip), "%s", no_ip[_i]);
    ck_assert(ip.kind == YB_IP_UNIX); /* left alone */
    ck_assert(!yb_ip_parse(yb_str("::1\0", 4), &ip));
    ck_assert(yb_ip_of(NULL).kind == YB_IP_NONE);
}
END_TEST

/* The first and last address of a client's network, and the ones beside them. */
static const struct {
    const char *one, *other;
    bool same;
} pairs[] = {
    { "192.0.2.0", "192.0.2.255", true },
    { "192.0.2.0", "192.0.1.255", false },
    { "192.0.2.255", "192.0.3.0", false },
    { "192.0.2.7", "::ffff:192.0.2.200", true },
    { "192.0.2.7", "::192.0.2.7", false },
    { "2001:db8:0:1::", "2001:db8:0:1:ffff:ffff:ffff:ffff", true },
    { "2001:db8:0:1::", "2001:db8::ffff:ffff:ffff:ffff", false },
    { "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:2::", false },
    { "::1", "::2", true },
    { "0.0.0.0", "::", false },
    { "unix", "unix", true },
    { "unix", "none", false },
    { "unix", "::1", false },
    { "unix", "0.0.0.0", false },
    { "none", "::1", false },
    { "none", "0.0.0.0", false },
};

/* Equal in one way, equal in all: as values, as keys, as hashes, as numbers, as text. */
START_TEST(test_client_network)
{
    static const uint64_t secret[2] = { 1, 2 };
    struct yb_ip one = of(pairs[_i].one), other = of(pairs[_i].other);
    struct yb_network a = yb_network_of(one), b = yb_network_of(other);
    char text_a[YB_NETWORK_TEXT], text_b[YB_NETWORK_TEXT];
    bool same = pairs[_i].same;

    ck_assert_msg(yb_network_eq(&a, &b) == same, "%s %s", pairs[_i].one, pairs[_i].other);
    ck_assert_int_eq(yb_str_eq(yb_network_key(&a), yb_network_key(&b)), same);
    ck_assert_uint_eq(yb_network_key(&a).n, yb_network_key(&b).n);
    ck_assert_int_eq(yb_network_hash(&a, secret) == yb_network_hash(&b, secret), same);
    ck_assert_int_eq(yb_network_number(&a) == yb_network_number(&b), same);
    ck_assert_int_eq(yb_network_has(&a, other), same);
    ck_assert_int_eq(strcmp(yb_network_text(&a, text_a), yb_network_text(&b, text_b)) == 0, same);
}
END_TEST

static const struct {
    const char *network, *ip;
    bool parses, has;
} networks[] = {
    { "192.0.2.0/23", "192.0.3.255", true, true },
    { "192.0.2.0/23", "192.0.4.0", true, false },
    { "192.0.2.1/32", "192.0.2.1", true, true },
    { "192.0.2.1/31", "192.0.2.1", false, false },
    { "0.0.0.0/0", "255.255.255.255", true, true },
    { "0.0.0.0/0", "unix", true, false },
    { "::/0", "unix", true, false },
    { "::/0", "none", true, false },
    { "::/0", "192.0.2.1", true, false },
    { "2001:db8::/127", "2001:db8::1", true, true },
    { "2001:db8::/127", "2001:db8::2", true, false },
    { "2001:db8::1/128", "2001:db8::1", true, true },
    { "2001:db8::1/127", "2001:db8::1", false, false },
    { "2001:db8::/129", "::", false, false },
    { "192.0.2.0/24", "::ffff:192.0.2.9", true, true },
    { "::ffff:192.0.2.0/120", "::ffff:192.0.2.9", true, false }, /* there are no such clients */
    { "unix", "unix", false, false },
    { "192.0.2.0/-1", "192.0.2.0", false, false },
    { "192.0.2.0/24 ", "192.0.2.0", false, false },
};

START_TEST(test_network)
{
    struct yb_network n = { .bits = 77 };

    ck_assert_msg(yb_network_parse(yb_str_from(networks[_i].network), &n) == networks[_i].parses,
                  "%s", networks[_i].network);
    if (networks[_i].parses)
        ck_assert_int_eq(yb_network_has(&n, of(networks[_i].ip)), networks[_i].has);
    else
        ck_assert_uint_eq(n.bits, 77); /* left alone */
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("addr");
    TCase *tc = tcase_create("addr");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tc, test_forms, 0, YB_COUNT(forms));
    tcase_add_loop_test(tc, test_no_ip, 0, YB_COUNT(no_ip));
    tcase_add_loop_test(tc, test_client_network, 0, YB_COUNT(pairs));
    tcase_add_loop_test(tc, test_network, 0, YB_COUNT(networks));
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
