/* Which of the queue a filter means, and what is no filter. */
#include "relayd/filter.h"

#include <check.h>
#include <stdlib.h>

#define NOW INT64_C(1700000000000)
#define A "0123456789abcdef0123456789abcdef"
#define B "fedcba9876543210fedcba9876543210"

static struct yb_arena *arena, *scratch;

static void
make(void)
{
    arena = yb_arena_new(4096);
    scratch = yb_arena_new(256);
}

static void
unmake(void)
{
    yb_arena_free(&arena);
    yb_arena_free(&scratch);
}

/* --- reading --- */

static const struct {
    const char *json;
    const char *says; /* NULL: it is a filter */
} forms[] = {
    { "{}", NULL },
    { "{\"message\":\"12\",\"limit\":5,\"after\":\"12.3\",\"by\":\"root:ann\",\"older\":0}", NULL },
    { "", "one JSON object" },
    { "[]", "one JSON object" },
    { "{\"state\":\"held\",\"state\":\"held\"}", "one JSON object" },
    { "{\"state\":\"held\"} x", "one JSON object" },
    { "{\"colour\":\"red\"}", "colour" },
    { "{\"State\":\"held\"}", "State" },
    { "{\"state\":\"HELD\"}", "state: write waiting or held" },
    { "{\"state\":\"\"}", "state" },
    { "{\"state\":1}", "state: write a text" },
    { "{\"state\":null}", "state" },
    { "{\"reason\":\"none\"}", "reason" },
    { "{\"reason\":\"\"}", "reason" },
    { "{\"message\":\"" A "0\"}", "message" },
    { "{\"message\":\"-1\"}", "message" },
    { "{\"message\":\"12 \"}", "message" },
    { "{\"message\":12}", "message" },
    { "{\"delivery\":\"12\"}", "delivery" },
    { "{\"tenant\":\"acme\"}", "tenant" },
    { "{\"account\":\"a@b.test\"}", "account" },
    { "{\"sender\":\"a\"}", "sender" },
    { "{\"sender\":\"\"}", "sender" },
    { "{\"sender\":\"@\"}", "sender" },
    { "{\"sender\":\"a@b c\"}", "sender" },
    { "{\"sender\":\"a@b.test> SIZE=1\"}", "sender" },
    { "{\"sender\":\"@c,@d:a@b.test\"}", "sender" },
    { "{\"recipient\":\"<>\"}", "recipient" },
    { "{\"recipient\":\"postmaster\"}", "recipient" },
    { "{\"domain\":\"a@b.test\"}", "domain" },
    { "{\"domain\":\"\"}", "domain" },
    { "{\"older\":\"1h\"}", "older: write a number" },
    { "{\"older\":-1}", "older" },
    { "{\"older\":9223372036854775807}", "older" },
    { "{\"older\":1.5}", "older" },
    { "{\"limit\":0}", "limit" },
    { "{\"limit\":\"5\"}", "limit" },
    { "{\"after\":\"12\"}", "after" },
    { "{\"after\":\"12.\"}", "after" },
    { "{\"after\":\"12.4294967296\"}", "after" },
    { "{\"after\":\"12.0.0\"}", "after" },
    { "{\"by\":\"a\\nb\"}", "by" },
    { "{\"by\":\"\"}", "by" },
    { "{\"by\":\"\\u0000\"}", "one JSON object" },
};

START_TEST(test_forms)
{
    struct relayd_filter f;
    struct yb_err err = { 0 };
    int rc = relayd_filter_parse(yb_str_from(forms[_i].json), arena, scratch, &f, &err);

    ck_assert_msg((rc == 0) == (forms[_i].says == NULL), "%s: %d", forms[_i].json, rc);
    if (rc < 0) {
        ck_assert_int_eq(err.kind, YB_ERR_SYNTAX);
        ck_assert_msg(strstr(err.text, forms[_i].says) != NULL, "%s: %s", forms[_i].json, err.text);
    }
}
END_TEST

START_TEST(test_page)
{
    struct relayd_filter f;
    struct yb_err err = { 0 };

    ck_assert_int_eq(relayd_filter_parse(YB_STR("{}"), arena, scratch, &f, &err), 0);
    ck_assert_uint_eq(f.limit, RELAYD_FILTER_ROWS);
    ck_assert(f.after.m == 0 && f.after.n == 0 && f.by.n == 0);
    ck_assert_int_eq(
        relayd_filter_parse(
            YB_STR("{\"limit\":1000000,\"after\":\"18.4294967295\",\"by\":\"root:ann\"}"), arena,
            scratch, &f, &err),
        0);
    ck_assert_uint_eq(f.limit, RELAYD_FILTER_ROWS_MAX);
    ck_assert(f.after.m == 18 && f.after.n == UINT32_MAX);
    ck_assert(yb_str_eq(f.by, YB_STR("root:ann")));
}
END_TEST

/* --- fitting --- */

/* Three recipients: one waits, from nobody; one is held; one waits for lmtpd, with odd names. */
static struct relayd_message messages[] = {
    { .m = 12, .sender = YB_STR_INIT(""), .arrived_ms = NOW - 60000 },
    { .m = 13, .sender = YB_STR_INIT("Ann..x@Far.example"), .arrived_ms = NOW - 3600000 },
    { .m = 14, .sender = YB_STR_INIT("\"two words\"@far.example"), .arrived_ms = NOW },
};
static struct relayd_recipient recipients[] = {
    { .state = RELAYD_WAITING, .address = YB_STR_INIT("ben@one.test") },
    { .state = RELAYD_HELD, .reason = RELAYD_ACCOUNT_GONE, .address = YB_STR_INIT("Ben@two.test") },
    { .state = RELAYD_WAITING, .address = YB_STR_INIT("\303\234do@xn--bcher-kva.test") },
};
static const struct relayd_row rows[] = {
    { &messages[0], &recipients[0], false, RELAYD_NO_SITE },
    { &messages[1], &recipients[1], false, RELAYD_SITE_LMTPD },
    { &messages[2], &recipients[2], true, RELAYD_SITE_LMTPD },
};

static const struct {
    const char *json;
    const char *fit; /* '1' for each row that does */
} fits[] = {
    { "{}", "111" },
    { "{\"message\":\"13\"}", "010" },
    { "{\"message\":\"" A "\"}", "101" },
    { "{\"message\":\"" B "\"}", "010" },
    { "{\"delivery\":\"" B "\"}", "010" },
    { "{\"tenant\":\"" A "\"}", "100" },
    { "{\"account\":\"" B "\"}", "011" },
    { "{\"sender\":\"<>\"}", "100" },
    { "{\"sender\":\"ann..x@FAR.example\"}", "010" },
    { "{\"sender\":\"@far.example\"}", "011" },
    { "{\"sender\":\"@example\"}", "000" },
    { "{\"sender\":\"\\\"Two words\\\"@far.example\"}", "001" },
    { "{\"sender\":\"\\\"two\\\\ words\\\"@far.example\"}", "001" },
    { "{\"sender\":\"\\\"ann..x\\\"@far.example\"}", "010" },
    { "{\"recipient\":\"BEN@one.test\"}", "100" },
    { "{\"recipient\":\"ben@two.test.\"}", "010" },
    { "{\"recipient\":\"en@one.test\"}", "000" },
    { "{\"recipient\":\"\303\274do@b\303\274cher.test\"}", "001" },
    { "{\"recipient\":\"u\314\210do@b\303\274cher.test\"}", "001" },
    { "{\"recipient\":\"@two.test\"}", "010" },
    { "{\"domain\":\"B\303\234CHER.test\"}", "001" },
    { "{\"domain\":\"one.test\"}", "100" },
    { "{\"domain\":\"test\"}", "000" },
    { "{\"state\":\"waiting\"}", "101" },
    { "{\"state\":\"held\"}", "010" },
    { "{\"reason\":\"account-gone\"}", "010" },
    { "{\"reason\":\"operator\"}", "000" },
    { "{\"reason\":\"lmtpd-away\"}", "001" },
    { "{\"reason\":\"directory-away\"}", "000" },
    { "{\"older\":0}", "111" },
    { "{\"older\":60}", "110" },
    { "{\"older\":61}", "010" },
    { "{\"older\":3601}", "000" },
    { "{\"state\":\"waiting\",\"domain\":\"two.test\"}", "000" },
    { "{\"state\":\"held\",\"domain\":\"two.test\",\"sender\":\"@far.example\"}", "010" },
    { "{\"after\":\"14.0\",\"limit\":1}", "111" }, /* pages are the walker's */
};

START_TEST(test_fits)
{
    struct relayd_filter f;
    struct yb_err err = { 0 };

    for (size_t i = 0; i < YB_COUNT(rows); i++) {
        const char *id = i == 1 ? B : A;

        ck_assert(yb_message_id_parse(yb_str_from(id), &messages[i].mid));
        ck_assert(yb_delivery_id_parse(yb_str_from(id), &recipients[i].delivery));
        ck_assert(yb_tenant_id_parse(yb_str_from(i == 0 ? A : B), &recipients[i].tenant));
        ck_assert(yb_account_id_parse(yb_str_from(i == 0 ? A : B), &recipients[i].account));
    }
    ck_assert_msg(relayd_filter_parse(yb_str_from(fits[_i].json), arena, scratch, &f, &err) == 0,
                  "%s: %s", fits[_i].json, err.text);
    for (size_t i = 0; i < YB_COUNT(rows); i++)
        ck_assert_msg(relayd_filter_fits(&f, &rows[i], NOW) == (fits[_i].fit[i] == '1'),
                      "%s: row %zu", fits[_i].json, i);
}
END_TEST

START_TEST(test_words)
{
    ck_assert_str_eq(relayd_state_word(RELAYD_WAITING), "waiting");
    ck_assert_str_eq(relayd_state_word(RELAYD_HELD), "held");
    ck_assert_ptr_null(relayd_why_word(&rows[0]));
    ck_assert_str_eq(relayd_why_word(&rows[1]), "account-gone");
    ck_assert_str_eq(relayd_why_word(&rows[2]), "lmtpd-away");
    for (int i = RELAYD_OPERATOR; i < RELAYD_REASONS; i++) { /* each has one, and is found by it */
        struct relayd_recipient r = { .state = RELAYD_HELD, .reason = (enum relayd_reason)i };
        const struct relayd_row row = { &messages[0], &r, false, RELAYD_NO_SITE };
        struct yb_str json = yb_arena_printf(arena, "{\"reason\":\"%s\"}", relayd_why_word(&row));
        struct relayd_filter f;
        struct yb_err err = { 0 };

        ck_assert_msg(relayd_filter_parse(json, arena, scratch, &f, &err) == 0, "%s", err.text);
        ck_assert(relayd_filter_fits(&f, &row, NOW) && f.reason == r.reason);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("filter");
    TCase *tc = tcase_create("filter");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, make, unmake);
    tcase_add_loop_test(tc, test_forms, 0, (int)YB_COUNT(forms));
    tcase_add_test(tc, test_page);
    tcase_add_loop_test(tc, test_fits, 0, (int)YB_COUNT(fits));
    tcase_add_test(tc, test_words);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
