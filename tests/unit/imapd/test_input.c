/* Commands that are longer than they may be, and what they cost the session: nothing. */
#include "tests/unit/imapd/script.h"

#include <check.h>
#include <stdlib.h>

static struct rig rig;

static void
setup(void)
{
    rig_start_alone(&rig);
}

static void
teardown(void)
{
    rig_stop(&rig);
}

/* `head`, so many times "1,", `end`; in pieces of `piece` octets. What comes back, until the next
 * handler call. */
static const char *
say_long(struct yb_conn *c, const char *head, size_t n, const char *end, size_t piece)
{
    struct yb_buf *b = yb_buf_new((size_t)8 << 20);
    const char *got;

    yb_buf_add(b, yb_str_from(head));
    for (size_t i = 0; i < n; i++)
        yb_buf_add(b, YB_STR("1,"));
    yb_buf_add(b, yb_str_from(end));
    fake_clear(c);
    fake_feed(c, yb_buf_view(b), piece);
    yb_buf_free(&b);
    got = yb_arena_dup(yb_conn_scratch(c), fake_output(c)).p;
    return got;
}

/* clang-format off */
static const struct { const char *name, *head; size_t n; const char *end, *want; } rows[] = {
    { "a line",            "a UID COPY ",         40000, "1 INBOX\r\nb NOOP\r\n",          "a BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n" },
    { "one octet over",    "a UID COPY 1",        32763, "\r\nb NOOP\r\n",                 "a BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n" },
    { "with a literal",    "a UID COPY ",         40000, "1 {8+}\r\nz NOOP\r\n\r\nb NOOP\r\n", "a BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n" },
    { "with two",          "a UID COPY ",         40000, "1 {0+}\r\n {8+}\r\nz NOOP\r\n x\r\nb NOOP\r\n", "a BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n" },
    { "with one to come",  "a UID COPY ",         40000, "1 {5}\r\nb NOOP\r\n",            "a BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n" },
    { "behind a literal",  "a COPY {1+}\r\n1 ",   40000, "1\r\nb NOOP\r\n",                "a BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n" },
    { "behind a message",  "a APPEND INBOX {1+}\r\nx", 40000, "1\r\nb NOOP\r\n",           "a BAD Something follows the message\r\nb OK NOOP completed\r\n" },
    { "of literals",       "a COPY {40000}\r\n",  20000, " {40000+}\r\n",                   "+ Go ahead\r\n" },
    { "a literal",         "a COPY {100000+}\r\n", 50000, "\r\nb NOOP\r\n",                "a BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n" },
    { "without a tag",     "",                    40000, "1\r\nb NOOP\r\n",                "* BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n" },
    { "in IDLE",           "a IDLE\r\n",          40000, "1\r\nb NOOP\r\n",                "+ Idling\r\na BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n" },
    { "beyond all bounds", "a UID COPY ",        600000, "1\r\nb NOOP\r\n",                "* BYE [TOOBIG] The command is far too long\r\n" },
    { "with a far too long literal", "a UID COPY ", 40000, "1 {1000000+}\r\nb NOOP\r\n",   "* BYE [TOOBIG] The command is far too long\r\n" },
    { "a far too long literal", "a CREATE {2000000+}\r\n", 0, "b NOOP\r\n",                "* BYE [TOOBIG] The command is far too long\r\n" },
};
/* clang-format on */

START_TEST(test_too_long)
{
    static const size_t pieces[] = { 0, 1, 1000 };

    for (size_t i = 0; i < YB_COUNT(pieces); i++) {
        struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");
        const char *got = say_long(c, rows[_i].head, rows[_i].n, rows[_i].end, pieces[i]);

        ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s, pieces of %zu: %s", rows[_i].name,
                      pieces[i], got);
        fake_free(&c);
    }
}
END_TEST

/* Before login strangers say less, but who they are. */
START_TEST(test_before_login)
{
    struct yb_conn *c = rig_connect(&rig);
    struct yb_buf *id = yb_buf_new(70000);
    char field[40], value[1100];

    memset(value, '"', sizeof(value));
    ck_assert_str_eq(say_long(c, "a LOGIN ", 5000, " x\r\nb NOOP\r\n", 0),
                     "a BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n");
    ck_assert_str_eq(say_long(c, "a LOGIN {1+}\r\nx ", 5000, "\r\nb NOOP\r\n", 0),
                     "a BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n");
    for (unsigned quoted = 0; quoted < 2; quoted++) {
        yb_buf_clear(id);
        yb_buf_add(id, YB_STR("a ID ("));
        for (unsigned i = 0; i < 30; i++) {
            memset(field, 'a' + (int)i % 26, sizeof(field));
            yb_buf_printf(id, "%s\"%.30s\" ", i > 0 ? " " : "", field);
            if (!quoted)
                yb_buf_printf(id, "{1024+}\r\n%.1024s", value);
            else
                yb_buf_printf(id, "\"%0*d\"", 1024, 0);
        }
        yb_buf_add(id, YB_STR(")\r\n"));
        fake_clear(c);
        fake_feed(c, yb_buf_view(id), 0);
        ck_assert(yb_str_eq(fake_output(c),
                            YB_STR("* ID (\"name\" \"yubin\")\r\na OK ID completed\r\n")));
    }
    yb_buf_free(&id);
    PLAY(c, { "a AUTHENTICATE PLAIN\r\n", { "+ " } });
    ck_assert_str_eq(say_long(c, "", 40000, "\r\nb NOOP\r\n", 0),
                     "a BAD [TOOBIG] The command is too long\r\nb OK NOOP completed\r\n");
    fake_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("imapd/input");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_too_long, 0, YB_COUNT(rows));
    tcase_add_test(tc, test_before_login);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
