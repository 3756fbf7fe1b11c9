/* The commands of the control socket over a queue that is made up: pages, bounds of answers, parts of orders. */
#include "relayd/control.h"

#include "lib/daemon/control.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- a queue: recipient i is number i % per of message i / per + 1 --- */

struct relayd_run {
    size_t n, per;
    struct yb_str text; /* everybody's last answer */
    size_t asked;       /* rows that were shown */
    unsigned *ordered;  /* how often each recipient was */
    bool full;          /* the disk takes nothing */
    char what[100];
};
struct relayd_queue {
    struct yb_msgbuf_pool *pool;
    struct yb_str head;
    size_t size; /* of the body: octets 'a', 'b', … of its places */
};

static struct relayd_run run;
static struct relayd_queue queue;
static const struct relayd_control control = { &run, &queue };

static void
row_show(size_t i, bool (*each)(void *arg, const struct relayd_row *row), void *arg, bool *answer)
{
    struct relayd_message m = { .m = i / run.per + 1,
                                .mid = { { (uint8_t)(i / run.per % 250 + 1) } },
                                .sender = YB_STR_INIT("a@far.example"),
                                .size = 1000,
                                .arrived_ms = INT64_C(1700000000000),
                                .n = run.per };
    char address[40];
    struct relayd_recipient r = { .n = (uint32_t)(i % run.per),
                                  .state = RELAYD_WAITING,
                                  .code = run.text.n > 0 ? 452 : 0,
                                  .status = YB_STR_INIT("4.2.2"),
                                  .text = run.text,
                                  .next_ms = INT64_C(1700000300000) };
    const struct relayd_row row = { &m, &r, i == 1, i == 2 ? RELAYD_SITE_LMTPD : RELAYD_NO_SITE };

    snprintf(address, sizeof(address), "r%zu@one.test", i);
    r.address = yb_str_from(address);
    run.asked++;
    *answer = each(arg, &row);
}

bool
relayd_run_each(struct relayd_run *r, struct relayd_cursor *from,
                bool (*each)(void *arg, const struct relayd_row *row), void *arg)
{
    size_t i = from->m == 0 ? 0 : (size_t)(from->m - 1) * r->per + from->n;
    bool go_on = true;

    for (; i < r->n && go_on; i++)
        row_show(i, each, arg, &go_on);
    *from = (struct relayd_cursor){ i / r->per + 1, (uint32_t)(i % r->per) };
    return i < r->n;
}

int
relayd_run_order(struct relayd_run *r, enum relayd_order order, struct yb_str what,
                 bool (*match)(void *arg, const struct relayd_row *row), void *arg,
                 struct relayd_run_ordered *out, struct yb_err *err)
{
    ck_assert_int_eq(order, RELAYD_ORDER_HOLD);
    snprintf(r->what, sizeof(r->what), "%.*s", YB_STR_ARG(what));
    if (r->full)
        return yb_err_set(err, YB_TEMP, "4.3.1", "the disk is full");
    for (size_t i = 0; i < r->n; i++) {
        bool meant;

        row_show(i, match, arg, &meant);
        r->ordered[i] += meant;
        out->matched += meant;
        out->changed += meant && i % 2 == 0;
    }
    return 0;
}

int
relayd_queue_body(struct relayd_queue *q, uint64_t m, struct yb_str *head, struct yb_msgbuf **body,
                  struct yb_err *err)
{
    char piece[64];

    if (m != 7)
        return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.1.1", "no such message");
    *head = yb_str(yb_dup(q->head.p, q->head.n), q->head.n);
    *body = yb_msgbuf_new(q->pool, 0);
    memset(piece, 'x', sizeof(piece));
    for (size_t at = 0; at < q->size; at += sizeof(piece)) {
        piece[0] = (char)('a' + at / sizeof(piece) % 26);
        ck_assert_int_eq(yb_msgbuf_append(*body, yb_str(piece, sizeof(piece)), err), 0);
    }
    return 0;
}

/* --- asking --- */

typedef int (*command)(const struct relayd_control *c, struct yb_str rest, struct yb_buf *reply,
                       struct yb_err *err);

static int
hold(const struct relayd_control *c, struct yb_str rest, struct yb_buf *reply, struct yb_err *err)
{
    return relayd_control_order(c, RELAYD_ORDER_HOLD, rest, reply, err);
}

/* The answer as JSON, which a frame takes; NULL with *err. */
static json_t *
ask(command what, const char *rest, struct yb_err *err)
{
    struct yb_buf *reply = yb_buf_new(YB_CONTROL_ANSWER);
    json_t *answer = NULL;
    json_error_t why;

    *err = (struct yb_err){ .class = YB_OK };
    if (what(&control, yb_str_from(rest), reply, err) == 0) {
        answer = json_loadb(yb_buf_view(reply).p, yb_buf_size(reply), 0, &why);
        ck_assert_msg(answer != NULL, "%s: %s", rest, why.text);
    }
    yb_buf_free(&reply);
    return answer;
}

static void
refused(command what, const char *rest, enum yb_err_kind kind)
{
    struct yb_err err;
    json_t *answer = ask(what, rest, &err);

    ck_assert_msg(answer == NULL && err.class == YB_PERM && err.kind == kind, "%s: %s", rest,
                  err.text);
}

/* All pages of a list; each recipient once, in order. How many pages. */
static size_t
pages(const char *members, size_t first, size_t n)
{
    char after[40] = "";
    size_t count = 0, i = first;
    bool more = true;

    while (more) {
        char filter[200];
        struct yb_err err;
        json_t *answer, *row;
        const char *next;
        size_t k;

        snprintf(filter, sizeof(filter), "{%s%s%s%s}", members,
                 after[0] == '\0' ? "" : ",\"after\":\"", after, after[0] == '\0' ? "" : "\"");
        answer = ask(relayd_control_list, filter, &err);
        ck_assert_msg(answer != NULL, "%s: %s", filter, err.text);
        json_array_foreach(json_object_get(answer, "rows"), k, row)
        {
            ck_assert_int_eq(json_integer_value(json_object_get(row, "queue")),
                             (json_int_t)(i / run.per + 1));
            ck_assert_int_eq(json_integer_value(json_object_get(row, "n")),
                             (json_int_t)(i % run.per));
            i++;
        }
        next = json_string_value(json_object_get(answer, "next"));
        more = next != NULL;
        snprintf(after, sizeof(after), "%s", more ? next : "");
        json_decref(answer);
        ck_assert_uint_lt(count++, 1000);
    }
    ck_assert_uint_eq(i - first, n);
    return count;
}

static void
make(void)
{
    run = (struct relayd_run){ .n = 10, .per = 3 };
}

START_TEST(test_list)
{
    struct yb_err err;
    json_t *answer = ask(relayd_control_list, "{}", &err), *row;

    ck_assert_uint_eq(json_array_size(json_object_get(answer, "rows")), 10);
    ck_assert(json_is_null(json_object_get(answer, "next")));
    row = json_array_get(json_object_get(answer, "rows"), 1);
    ck_assert(json_is_true(json_object_get(row, "underway")));
    ck_assert(json_is_null(json_object_get(row, "reason")));
    ck_assert(json_is_null(json_object_get(row, "code")));
    ck_assert(json_is_null(json_object_get(row, "tenant_id")));
    ck_assert_str_eq(json_string_value(json_object_get(row, "recipient")), "r1@one.test");
    ck_assert_str_eq(json_string_value(json_object_get(row, "arrived")), "2023-11-14T22:13:20Z");
    ck_assert_str_eq(json_string_value(json_object_get(row, "due")), "2023-11-14T22:18:20Z");
    row = json_array_get(json_object_get(answer, "rows"), 2);
    ck_assert_str_eq(json_string_value(json_object_get(row, "reason")), "lmtpd-away");
    json_decref(answer);
    refused(relayd_control_list, "{\"colour\":\"red\"}", YB_ERR_SYNTAX);
    refused(relayd_control_list, "", YB_ERR_SYNTAX);
}
END_TEST

START_TEST(test_pages)
{
    ck_assert_uint_ge(pages("\"limit\":4", 0, 10), 3);
    ck_assert_uint_ge(pages("\"limit\":1", 0, 10), 10);
    pages("\"message\":\"2\"", 3, 3);
    ck_assert_uint_eq(pages("\"message\":\"2\",\"limit\":2", 3, 3), 2);
    pages("\"message\":\"5\"", 0, 0);
    run.asked = 0;
    pages("\"message\":\"3\"", 6, 3);
    ck_assert_msg(run.asked <= 4, "%zu rows were looked at for one message", run.asked);
}
END_TEST

/* However few fit: no answer looks at all of a long queue. */
START_TEST(test_look_bounded)
{
    run = (struct relayd_run){ .n = 500000, .per = 1 };
    ck_assert_uint_eq(pages("\"recipient\":\"r499999@one.test\"", 499999, 1), 3);
}
END_TEST

/* However long what lmtpd said: an answer fits a frame, and no row is lost. */
START_TEST(test_octets_bounded)
{
    char text[RELAYD_TEXT_MAX];

    memset(text, '"', sizeof(text));
    run = (struct relayd_run){ .n = 3000, .per = 100, .text = { text, sizeof(text) } };
    ck_assert_uint_ge(pages("\"limit\":10000", 0, 3000), 2);
}
END_TEST

START_TEST(test_not_text)
{
    struct yb_err err;
    json_t *answer;

    run.text = YB_STR("no\xff such\xc3");
    answer = ask(relayd_control_list, "{\"limit\":1}", &err);
    ck_assert_msg(answer != NULL, "%s", err.text);
    ck_assert_ptr_nonnull(json_string_value(
        json_object_get(json_array_get(json_object_get(answer, "rows"), 0), "text")));
    json_decref(answer);
}
END_TEST

START_TEST(test_show)
{
    struct yb_err err;
    json_t *answer = ask(relayd_control_show, "3", &err);

    ck_assert_int_eq(json_integer_value(json_object_get(answer, "queue")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "recipients_left")), 3);
    ck_assert_str_eq(json_string_value(json_object_get(answer, "message")),
                     "03000000000000000000000000000000");
    json_decref(answer);
    answer = ask(relayd_control_show, "02000000000000000000000000000000", &err);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "queue")), 2);
    json_decref(answer);
    refused(relayd_control_show, "77", YB_ERR_NOT_FOUND);
    refused(relayd_control_show, "ff000000000000000000000000000000", YB_ERR_NOT_FOUND);
    refused(relayd_control_show, "", YB_ERR_SYNTAX);
    refused(relayd_control_show, "2\",\"state\":\"held", YB_ERR_SYNTAX);
    run = (struct relayd_run){ .n = 500, .per = 1 }; /* the ids come round after 250 messages */
    ck_assert_ptr_null(ask(relayd_control_show, "03000000000000000000000000000000", &err));
    ck_assert_ptr_nonnull(strstr(err.text, "several"));
}
END_TEST

/* --- octets --- */

START_TEST(test_body)
{
    char folder[] = "/tmp/yb-relayd-XXXXXX", text[40];
    struct yb_err err = { 0 };
    struct yb_buf *reply = yb_buf_new(YB_CONTROL_ANSWER);
    size_t at = 0, got = 1, pieces = 0;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    queue.pool = yb_msgbuf_pool_new(&(struct yb_msgbuf_conf){ .folder = folder,
                                                              .memory_total = 1 << 20,
                                                              .memory_network = 1 << 20,
                                                              .disk_network = 1 << 30 },
                                    &err);
    queue.head = YB_STR("Received: x\r\n");
    queue.size = 5 << 20;
    while (got > 0) {
        yb_buf_clear(reply);
        snprintf(text, sizeof(text), "7 %zu", at);
        ck_assert_msg(relayd_control_body(&control, yb_str_from(text), reply, &err) == 0, "%s",
                      err.text);
        got = yb_buf_size(reply);
        for (size_t i = 0; i < got; i++) {
            size_t k = at + i - queue.head.n;
            char want = at + i < queue.head.n ? queue.head.p[at + i]
                        : k % 64 == 0         ? (char)('a' + k / 64 % 26)
                                              : 'x';

            if (yb_buf_view(reply).p[i] != want)
                ck_abort_msg("octet %zu", at + i);
        }
        at += got;
        pieces++;
    }
    ck_assert_uint_eq(at, queue.head.n + queue.size);
    ck_assert_uint_eq(pieces, 3);
    ck_assert_int_lt(relayd_control_body(&control, YB_STR("8 0"), reply, &err), 0);
    ck_assert_int_eq(err.kind, YB_ERR_NOT_FOUND);
    ck_assert_int_lt(relayd_control_body(&control, YB_STR("7"), reply, &err), 0);
    ck_assert_int_eq(err.kind, YB_ERR_SYNTAX);
    yb_buf_free(&reply);
    yb_msgbuf_pool_free(&queue.pool);
    rmdir(folder);
}
END_TEST

/* --- orders --- */

START_TEST(test_order)
{
    struct yb_err err;
    json_t *answer;

    run.ordered = yb_alloc(run.n, sizeof(*run.ordered));
    answer = ask(hold, "{\"message\":\"2\",\"by\":\"root:ann\"}", &err);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "matched")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "changed")), 1);
    ck_assert(json_is_null(json_object_get(answer, "next")));
    ck_assert_str_eq(run.what, "held by root:ann");
    json_decref(answer);
    for (size_t i = 0; i < run.n; i++)
        ck_assert_uint_eq(run.ordered[i], i / 3 == 1);
    refused(hold, "{\"state\":\"asleep\"}", YB_ERR_SYNTAX);
    run.full = true;
    ck_assert_ptr_null(ask(hold, "{}", &err));
    ck_assert_int_eq(err.class, YB_TEMP);
    yb_free(run.ordered);
}
END_TEST

/* What is much is done in parts, each recipient once. */
START_TEST(test_order_in_parts)
{
    size_t parts = 0;
    bool more = true;
    char filter[80] = "{\"domain\":\"one.test\"}";

    run = (struct relayd_run){ .n = 25000, .per = 7 };
    run.ordered = yb_alloc(run.n, sizeof(*run.ordered));
    while (more) {
        struct yb_err err;
        json_t *answer = ask(hold, filter, &err);
        const char *next = json_string_value(json_object_get(answer, "next"));

        ck_assert_int_le(json_integer_value(json_object_get(answer, "matched")), 10000);
        more = next != NULL;
        snprintf(filter, sizeof(filter), "{\"domain\":\"one.test\",\"after\":\"%s\"}",
                 more ? next : "");
        json_decref(answer);
        parts++;
    }
    ck_assert_uint_eq(parts, 3);
    for (size_t i = 0; i < run.n; i++)
        ck_assert_msg(run.ordered[i] == 1, "recipient %zu: %u times", i, run.ordered[i]);
    yb_free(run.ordered);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("control");
    TCase *tc = tcase_create("control");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tc, 60); /* a busy machine, a sanitizer */
    tcase_add_checked_fixture(tc, make, NULL);
    tcase_add_test(tc, test_list);
    tcase_add_test(tc, test_pages);
    tcase_add_test(tc, test_look_bounded);
    tcase_add_test(tc, test_octets_bounded);
    tcase_add_test(tc, test_not_text);
    tcase_add_test(tc, test_show);
    tcase_add_test(tc, test_body);
    tcase_add_test(tc, test_order);
    tcase_add_test(tc, test_order_in_parts);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
