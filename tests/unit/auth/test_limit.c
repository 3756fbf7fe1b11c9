/* The bounded tables behind a login: remembered passwords, and wrong passwords. */
#include "lib/auth/limit.h"

#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>

static struct yb_auth_token
token(const char *word)
{
    return yb_auth_token_of(YB_STR("key"), YB_STR("alice"), YB_STR("verifier"), yb_str_from(word));
}

START_TEST(test_token)
{
    struct yb_auth_token t = yb_auth_token_of(YB_STR("k"), YB_STR("ab"), YB_STR("c"), YB_STR("d"));
    struct yb_auth_token others[] = {
        yb_auth_token_of(YB_STR("l"), YB_STR("ab"), YB_STR("c"), YB_STR("d")),
        yb_auth_token_of(YB_STR("k"), YB_STR("a"), YB_STR("bc"), YB_STR("d")),
        yb_auth_token_of(YB_STR("k"), YB_STR("ab"), YB_STR("cd"), YB_STR("")),
        yb_auth_token_of(YB_STR("k"), YB_STR("ab"), YB_STR("c"), YB_STR("e")),
    };

    for (size_t i = 0; i < YB_COUNT(others); i++)
        ck_assert_int_ne(memcmp(&t, &others[i], sizeof(t)), 0);
}
END_TEST

START_TEST(test_cache)
{
    struct yb_auth_cache *c = yb_auth_cache_new(2, 100);
    struct yb_auth_token one = token("1"), two = token("2"), three = token("3");

    yb_auth_cache_put(c, &one, 0);
    yb_auth_cache_put(c, &two, 50);
    ck_assert(yb_auth_cache_has(c, &one, 99));
    ck_assert(!yb_auth_cache_has(c, &one, 100));
    ck_assert(yb_auth_cache_has(c, &two, 100));
    yb_auth_cache_put(c, &two, 110); /* again: it is younger now */
    yb_auth_cache_put(c, &one, 120);
    yb_auth_cache_put(c, &three, 130); /* full: the oldest goes */
    ck_assert_uint_eq(yb_auth_cache_count(c), 2);
    ck_assert(!yb_auth_cache_has(c, &two, 131));
    ck_assert(yb_auth_cache_has(c, &one, 131));
    ck_assert(yb_auth_cache_has(c, &three, 131));
    yb_auth_cache_free(&c);
    ck_assert_ptr_null(c);
}
END_TEST

START_TEST(test_limit)
{
    struct yb_auth_limit *l = yb_auth_limit_new(&(struct yb_auth_limit_conf){ 3, 100, 2 });
    struct yb_auth_token t[] = { token("1"), token("2"), token("3"), token("4") };
    struct yb_str a = YB_STR("a"), b = YB_STR("b"), c = YB_STR("c");

    ck_assert_int_eq(yb_auth_limit_wrong(l, a, &t[0], 0), YB_AUTH_LIMIT_OPEN);
    ck_assert_int_eq(yb_auth_limit_wrong(l, a, &t[0], 1), YB_AUTH_LIMIT_OPEN);
    ck_assert_int_eq(yb_auth_limit_wrong(l, a, &t[1], 2), YB_AUTH_LIMIT_OPEN);
    ck_assert_int_eq(yb_auth_limit_look(l, a, &t[1], 3), YB_AUTH_LIMIT_KNOWN);
    ck_assert_int_eq(yb_auth_limit_look(l, a, &t[2], 3), YB_AUTH_LIMIT_OPEN);
    ck_assert_int_eq(yb_auth_limit_wrong(l, a, &t[2], 4), YB_AUTH_LIMIT_OPEN);
    ck_assert_int_eq(yb_auth_limit_look(l, a, &t[2], 5), YB_AUTH_LIMIT_BLOCKED);
    ck_assert_int_eq(yb_auth_limit_wrong(l, a, &t[3], 5), YB_AUTH_LIMIT_BLOCKED);
    ck_assert_int_eq(yb_auth_limit_look(l, b, NULL, 5), YB_AUTH_LIMIT_OPEN);
    ck_assert_int_eq(yb_auth_limit_look(l, a, NULL, 99), YB_AUTH_LIMIT_BLOCKED);
    ck_assert_int_eq(yb_auth_limit_look(l, a, NULL, 100), YB_AUTH_LIMIT_OPEN);
    /* Bounded: the third pair takes the place of the first. */
    ck_assert_int_eq(yb_auth_limit_wrong(l, a, &t[0], 200), YB_AUTH_LIMIT_OPEN);
    ck_assert_int_eq(yb_auth_limit_wrong(l, b, &t[0], 201), YB_AUTH_LIMIT_OPEN);
    ck_assert_int_eq(yb_auth_limit_wrong(l, c, &t[0], 202), YB_AUTH_LIMIT_OPEN);
    ck_assert_int_eq(yb_auth_limit_look(l, a, &t[0], 203), YB_AUTH_LIMIT_OPEN);
    ck_assert_int_eq(yb_auth_limit_look(l, b, &t[0], 203), YB_AUTH_LIMIT_KNOWN);
    yb_auth_limit_free(&l);
    ck_assert_ptr_null(l);
}
END_TEST

/* Same network, same key; a mapped IPv4 address is an IPv4 address. */
START_TEST(test_key)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    char one[YB_AUTH_LIMIT_KEY], two[YB_AUTH_LIMIT_KEY];
    struct yb_str first = yb_auth_limit_key(YB_STR("U@d.test"), (struct sockaddr *)&v4, one);

    v4.sin_addr.s_addr = htonl(0xc00002fe);
    ck_assert(yb_str_eq(first, yb_auth_limit_key(YB_STR("u@D.test"), (struct sockaddr *)&v4, two)));
    v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(v6.sin6_addr.s6_addr + 12, &v4.sin_addr, 4);
    ck_assert(yb_str_eq(first, yb_auth_limit_key(YB_STR("u@d.test"), (struct sockaddr *)&v6, two)));
    v4.sin_addr.s_addr = htonl(0xc0000301);
    ck_assert(
        !yb_str_eq(first, yb_auth_limit_key(YB_STR("u@d.test"), (struct sockaddr *)&v4, two)));
    ck_assert(!yb_str_eq(first, yb_auth_limit_key(YB_STR("u@d.test"), NULL, two)));
    v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
    first = yb_auth_limit_key(YB_STR("u@d.test"), (struct sockaddr *)&v6, one);
    v6.sin6_addr.s6_addr[15] = 1;
    ck_assert(yb_str_eq(first, yb_auth_limit_key(YB_STR("u@d.test"), (struct sockaddr *)&v6, two)));
    v6.sin6_addr.s6_addr[7] = 1;
    ck_assert(
        !yb_str_eq(first, yb_auth_limit_key(YB_STR("u@d.test"), (struct sockaddr *)&v6, two)));
}
END_TEST

/* What unknown users are shown (their salt) is made of the key of nowhere, so that it never changes
 * from one build to the next. */
START_TEST(test_key_of_nowhere)
{
    char out[YB_AUTH_LIMIT_KEY];

    ck_assert(yb_str_eq(yb_auth_limit_key(YB_STR("U@d.test"), NULL, out), YB_STR("-u@d.test")));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("limit");
    TCase *tc = tcase_create("limit");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, test_token);
    tcase_add_test(tc, test_cache);
    tcase_add_test(tc, test_limit);
    tcase_add_test(tc, test_key);
    tcase_add_test(tc, test_key_of_nowhere);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
