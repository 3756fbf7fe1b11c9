/*
 * Keywords: a thousand in a mailbox, found again by whatever is left of it, taken over by COPY as far as
 * they are used, given back when nobody uses them; and yubin-keywords with anything in it.
 */
#include "lib/store/keywordfile.h"
#include "tests/unit/store/help.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct help h;

static void
setup(void)
{
    help_root(&h, true);
}

static void
teardown(void)
{
    help_done(&h);
}

/* --- what there is --- */

/* The keywords of a message, a space behind each, in order of their numbers. */
static const char *
words_of(const char *mailbox, uint32_t uid)
{
    static char text[400000];
    struct yb_mailbox *m = help_mailbox(&h, mailbox);
    const struct yb_keywords *k;
    const struct yb_rows *rows;
    char room[YB_KEYWORD_TEXT];
    struct yb_str name;
    struct yb_view v;
    size_t n = 0, at = 0, row;

    OK(yb_view_begin(m, true, &v, &err));
    OK(yb_view_rows(m, &v, &rows, &err));
    OK(yb_mailbox_keywords(m, &k, &err));
    row = yb_rows_find(rows, uid);
    ck_assert(row < rows->n && rows->v[row].uid == uid);
    text[0] = '\0';
    while (yb_keywords_of(k, &rows->v[row], &at, room, &name)) {
        ck_assert(yb_keywords_has(k, &rows->v[row], yb_keywords_find(k, name)));
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s ", YB_STR_ARG(name));
    }
    ck_assert(!yb_keywords_has(k, &rows->v[row], YB_KEYWORD_NONE));
    yb_keywords_release(&k);
    yb_rows_release(&rows);
    yb_view_end(m, &v);
    yb_mailbox_close(&m);
    return text;
}

/* All names of a mailbox: how many. */
static size_t
names_in(const char *mailbox)
{
    struct yb_mailbox *m = help_mailbox(&h, mailbox);
    const struct yb_keywords *k;
    struct yb_str name;
    size_t n = 0, at = 0;

    OK(yb_mailbox_keywords(m, &k, &err));
    while (yb_keywords_next(k, &at, &name))
        n++;
    yb_keywords_release(&k);
    yb_mailbox_close(&m);
    return n;
}

static void
name_make(unsigned n, char out[16])
{
    snprintf(out, 16, "key%04u", n);
}

/* A message with keywords first … first + n - 1; its UID. */
static uint32_t
put_words(const char *mailbox, unsigned id, unsigned first, unsigned n)
{
    static char text[YB_KEYWORDS_MOST + 8][16];
    static struct yb_str names[YB_KEYWORDS_MOST + 8];
    struct yb_put put = { .mailbox = mailbox,
                          .id = help_id(id),
                          .keywords = names,
                          .n_keywords = n,
                          .create_mailbox = true };
    struct yb_put_result out;

    for (unsigned i = 0; i < n; i++) {
        name_make(first + i, text[i]);
        names[i] = yb_str_from(text[i]);
    }
    OK(help_try_put(h.a, &put, id, 40, &out, &err));
    return out.uid;
}

/* Has the message exactly these? In another mailbox their numbers may be others. */
static bool
has_words(const char *mailbox, uint32_t uid, unsigned first, unsigned n)
{
    const char *words = words_of(mailbox, uid);
    char want[17];

    for (unsigned i = 0; i < n; i++) {
        name_make(first + i, want);
        want[7] = ' ';
        want[8] = '\0';
        if (strstr(words, want) == NULL)
            return false;
    }
    return strlen(words) == 8 * (size_t)n;
}

static int
change(const char *mailbox, uint32_t uid, enum yb_flag_op what, const char *word,
       struct yb_err *err)
{
    struct yb_mailbox *m = help_mailbox(&h, mailbox);
    struct yb_str name = yb_str_from(word);
    struct yb_store_flags op = { .op = what, .keywords = &name, .n_keywords = 1 };
    int rc = yb_mailbox_store(m, &uid, 1, &op, err);

    yb_mailbox_close(&m);
    return rc;
}

static void
index_lose(const char *below)
{
    char path[80];

    help_close(&h);
    snprintf(path, sizeof(path), "%syubin-index", below);
    ck_assert_int_eq(unlink(help_path(&h, path)), 0);
    help_open(&h);
}

/* --- many --- */

#define MANY 1100
#define EACH 11

START_TEST(test_many)
{
    uint32_t uids[MANY / EACH], made[MANY / EACH];
    struct yb_copy copy = { .new_uids = made };
    struct yb_mailbox *from, *to;

    for (unsigned i = 0; i < MANY / EACH; i++)
        uids[i] = put_words(NULL, i, i * EACH, EACH);
    ck_assert_uint_eq(names_in("INBOX"), MANY);
    OK(change("INBOX", 50, YB_FLAGS_ADD, "key0000", &err));
    OK(change("INBOX", 51, YB_FLAGS_ADD, "KEY1099", &err)); /* in any case */
    OK(change("INBOX", 51, YB_FLAGS_REMOVE, "key0550", &err));
    ck_assert(has_words("INBOX", 1, 0, EACH) && has_words("INBOX", 100, MANY - EACH, EACH));
    help_reopen(&h);
    ck_assert(has_words("INBOX", 1, 0, EACH) && has_words("INBOX", 100, MANY - EACH, EACH));
    index_lose("");
    for (unsigned i = 0; i < MANY / EACH; i++) {
        if (i != 49 && i != 50)
            ck_assert_msg(has_words("INBOX", uids[i], i * EACH, EACH), "%u: %s", i,
                          words_of("INBOX", uids[i]));
    }
    ck_assert_str_eq(words_of("INBOX", 50),
                     "key0000 key0539 key0540 key0541 key0542 key0543 key0544 key0545 key0546"
                     " key0547 key0548 key0549 ");
    ck_assert_str_eq(words_of("INBOX", 51),
                     "key0551 key0552 key0553 key0554 key0555 key0556 key0557 key0558 key0559"
                     " key0560 key1099 ");
    /* By their names into another mailbox, whatever they are called there. */
    put_words("Other", 500, 2000, 5);
    from = help_mailbox(&h, "INBOX");
    to = help_mailbox(&h, "Other");
    OK(yb_mailbox_copy(from, uids, 60, to, 0, &copy, &err));
    OK(yb_mailbox_move(from, uids + 60, 40, to, &(struct yb_copy){ .new_uids = made + 60 }, &err));
    yb_mailbox_close(&from);
    yb_mailbox_close(&to);
    index_lose(".Other/");
    for (unsigned i = 0; i < MANY / EACH; i++) {
        if (i != 49 && i != 50)
            ck_assert_msg(has_words("Other", made[i], i * EACH, EACH), "%u: %s", i,
                          words_of("Other", made[i]));
    }
    ck_assert_uint_eq(names_in("Other"), MANY - 1 + 5); /* nobody has key0550 any more */
}
END_TEST

/* The first 26 keep their letters, the others are a set in the name, which both flags and moves keep. */
START_TEST(test_form)
{
    DIR *dir;
    struct dirent *e;
    size_t found = 0;

    put_words(NULL, 1, 0, 26);
    put_words(NULL, 2, 0, 28);
    put_words(NULL, 3, 26, 2);
    OK(change("INBOX", 3, YB_FLAGS_ADD, "key0003", &err)); /* a letter: the set stays */
    dir = opendir(help_path(&h, "cur"));
    while ((e = readdir(dir)) != NULL) {
        found += strstr(e->d_name, ".1:2,abcdefghijklmnopqrstuvwxyz") != NULL;
        found += strstr(e->d_name, ".2,K=1:2,abcdefghijklmnopqrstuvwxyz") != NULL;
        found += strstr(e->d_name, ".3,K=1:2,d") != NULL;
    }
    closedir(dir);
    ck_assert_uint_eq(found, 3);
}
END_TEST

START_TEST(test_only_what_is_used)
{
    uint32_t made[2];
    struct yb_copy copy = { .new_uids = made };
    struct yb_mailbox *from, *to;

    put_words(NULL, 1, 0, 40);
    put_words(NULL, 2, 0, 0);
    put_words(NULL, 3, 30, 1);
    OK(yb_store_create(h.a, YB_STR("Clean"), &err));
    from = help_mailbox(&h, "INBOX");
    to = help_mailbox(&h, "Clean");
    OK(yb_mailbox_copy(from, (uint32_t[]){ 2 }, 1, to, 0, &copy, &err));
    ck_assert_uint_eq(names_in("Clean"), 0);
    OK(yb_mailbox_copy(from, (uint32_t[]){ 3 }, 1, to, 0, &copy, &err));
    ck_assert_uint_eq(names_in("Clean"), 1);
    ck_assert_str_eq(words_of("Clean", 2), "key0030 ");
    yb_mailbox_close(&from);
    yb_mailbox_close(&to);
    /* A STORE for nobody makes nothing. */
    OK(change("Clean", 77, YB_FLAGS_ADD, "nobody", &err));
    OK(change("Clean", 1, YB_FLAGS_REMOVE, "nobody", &err));
    ck_assert_uint_eq(names_in("Clean"), 1);
    FAILS(change("Clean", 1, YB_FLAGS_ADD, "no keyword", &err), YB_PERM, YB_ERR_CANNOT);
}
END_TEST

/* --- no room --- */

START_TEST(test_full)
{
    struct yb_str name = YB_STR("straw");
    struct yb_put put = { .id = help_id(9), .keywords = &name, .n_keywords = 1 };
    struct yb_put_result out;
    struct yb_mailbox *m;

    put_words(NULL, 1, 0, YB_KEYWORDS_MOST + 8); /* what there is no room for stays behind */
    ck_assert(has_words("INBOX", 1, 0, YB_KEYWORDS_MOST));
    FAILS(change("INBOX", 1, YB_FLAGS_ADD, "straw", &err), YB_PERM, YB_ERR_LIMIT);
    OK(help_try_put(h.a, &put, 2, 40, &out, &err));
    ck_assert_str_eq(words_of("INBOX", out.uid), "");
    ck_assert(has_words("INBOX", 1, 0, YB_KEYWORDS_MOST));
    /* What nobody uses any more is given back, the rest stays what it was. */
    put_words(NULL, 3, 10, 30);
    m = help_mailbox(&h, "INBOX");
    OK(yb_mailbox_expunge(m, (uint32_t[]){ 1 }, 1, false, false, &err));
    yb_mailbox_close(&m);
    OK(change("INBOX", 2, YB_FLAGS_ADD, "straw", &err));
    ck_assert_str_eq(words_of("INBOX", 2), "straw ");
    ck_assert_uint_eq(names_in("INBOX"), 31);
    ck_assert(has_words("INBOX", 3, 10, 30));
    index_lose("");
    ck_assert(has_words("INBOX", 3, 10, 30));
    ck_assert_str_eq(words_of("INBOX", 2), "straw ");
}
END_TEST

#define LETTERS 26

/* Letters that nobody uses are given back for names of which one is too many: nothing comes of it, and
 * nothing that was given back is called lost. */
START_TEST(test_full_for_nothing)
{
    struct yb_mailbox *m;
    struct yb_str names[LETTERS + 1];
    char text[LETTERS + 1][16];
    struct yb_store_flags op = { .op = YB_FLAGS_REMOVE, .keywords = names, .n_keywords = LETTERS };
    uint32_t uid = put_words(NULL, 1, 0, YB_KEYWORDS_MOST);

    for (unsigned i = 0; i <= LETTERS; i++) {
        name_make(i, text[i]);
        names[i] = yb_str_from(text[i]);
    }
    m = help_mailbox(&h, "INBOX");
    OK(yb_mailbox_store(m, &uid, 1, &op, &err));
    for (unsigned i = 0; i <= LETTERS; i++) {
        text[i][0] = 'n';
        names[i] = yb_str_from(text[i]);
    }
    op =
        (struct yb_store_flags){ .op = YB_FLAGS_ADD, .keywords = names, .n_keywords = LETTERS + 1 };
    FAILS(yb_mailbox_store(m, &uid, 1, &op, &err), YB_PERM, YB_ERR_LIMIT);
    yb_mailbox_close(&m);
    ck_assert_uint_eq(names_in("INBOX"), YB_KEYWORDS_MOST - LETTERS);
    ck_assert(has_words("INBOX", 1, LETTERS, YB_KEYWORDS_MOST - LETTERS));
}
END_TEST

/* --- lost --- */

static void
keywords_write(const char *text, size_t n)
{
    help_write(help_path(&h, "yubin-keywords"), text, n);
}

START_TEST(test_lost)
{
    put_words(NULL, 1, 0, 28);
    put_words(NULL, 2, 3, 1);
    ck_assert_int_eq(unlink(help_path(&h, "yubin-keywords")), 0);
    ck_assert_str_eq(words_of("INBOX", 2), "unknown-d ");
    ck_assert_ptr_nonnull(strstr(words_of("INBOX", 1), "unknown-z unknown-set-1 "));
    /* What was lost is nobody else's; what can be told is kept. */
    OK(change("INBOX", 2, YB_FLAGS_ADD, "fresh", &err));
    ck_assert_str_eq(words_of("INBOX", 2), "unknown-d fresh ");
    OK(change("INBOX", 1, YB_FLAGS_ADD, "fresh", &err));
    ck_assert_ptr_nonnull(strstr(words_of("INBOX", 1), "unknown-z fresh unknown-set-1 "));
    OK(change("INBOX", 1, YB_FLAGS_REMOVE, "unknown-set-1", &err));
    ck_assert_ptr_nonnull(strstr(words_of("INBOX", 1), "unknown-z fresh "));
    ck_assert_ptr_null(strstr(words_of("INBOX", 1), "set"));
    index_lose("");
    ck_assert_str_eq(words_of("INBOX", 2), "unknown-d fresh ");
}
END_TEST

/* Names as those of lost keywords are made up are a client's as well as others: they are made, told, and
 * no other is called so. */
START_TEST(test_as_if_lost)
{
    struct yb_mailbox *m;
    struct yb_str names[] = { YB_STR("unknown-26"), YB_STR("other") };
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .keywords = names, .n_keywords = 2 };
    uint32_t uid = put_words(NULL, 1, 0, LETTERS);

    OK(change("INBOX", uid, YB_FLAGS_SET, "unknown-1999", &err));
    ck_assert_uint_eq(names_in("INBOX"), LETTERS + 1);
    m = help_mailbox(&h, "INBOX");
    OK(yb_mailbox_store(m, &uid, 1, &op, &err));
    yb_mailbox_close(&m);
    ck_assert_uint_eq(names_in("INBOX"), LETTERS + 3);
    ck_assert_str_eq(words_of("INBOX", uid), "unknown-1999 unknown-26 other ");
}
END_TEST

/* One line of the file after the other is damaged: one name, or one set, is lost, no other. */
START_TEST(test_lines)
{
    char text[8192], *line = text;
    int fd;
    ssize_t n;

    put_words(NULL, 1, 0, 29);
    fd = open(help_path(&h, "yubin-keywords"), O_RDONLY);
    n = read(fd, text, sizeof(text));
    close(fd);
    ck_assert_int_gt(n, 0);
    while (line < text + n) {
        const char *words;
        size_t known = 0;

        line[2] ^= 1;
        keywords_write(text, (size_t)n);
        words = words_of("INBOX", 1);
        for (const char *at = words; (at = strstr(at, "key00")) != NULL; at++)
            known++;
        ck_assert_msg(known >= 26 && known <= 29, "%s", words);
        ck_assert((known == 29) == (line == text)); /* the first line is nobody's name */
        line[2] ^= 1;
        line = memchr(line, '\n', (size_t)(text + n - line));
        line++;
    }
    keywords_write(text, (size_t)n);
    ck_assert(has_words("INBOX", 1, 0, 29));
}
END_TEST

/* Whatever stands there: the message is found, has keywords of some name, gets another one, and keeps it. */
static const struct {
    const char *name;
    const char *text;
    size_t repeat;
} strange[] = {
    { "empty", "", 1 },
    { "zeros", "\0\0\0\0\0\0\0", 100 },
    { "another version", "yubin-keywords 3 0000000000000000\na x 0000000000000000\n", 1 },
    { "a line of megabytes", "aaaaaaaaaaaaaaaa", 400000 },
    { "lines of megabytes", "K=1 26,27 0123456789abcdef\n", 200000 },
    { "line ends", "\n\n\n\n", 100000 },
    { "spaces", "      ", 1000 },
    { "no end", "yubin-keywords 2", 1 },
};

START_TEST(test_strange)
{
    size_t n = strlen(strange[_i].text), size;
    char *text;

    if (n == 0 && strange[_i].repeat == 100)
        n = 7;
    size = n * strange[_i].repeat;
    text = yb_alloc(size + 1, 1);
    for (size_t i = 0; i < strange[_i].repeat; i++)
        memcpy(text + i * n, strange[_i].text, n);
    put_words(NULL, 1, 0, 28);
    keywords_write(text, size);
    yb_free(text);
    ck_assert_ptr_nonnull(strstr(words_of("INBOX", 1), "unknown-a "));
    OK(change("INBOX", 1, YB_FLAGS_ADD, "fresh", &err));
    ck_assert_ptr_nonnull(strstr(words_of("INBOX", 1), "fresh "));
    index_lose("");
    ck_assert_ptr_nonnull(strstr(words_of("INBOX", 1), "fresh "));
}
END_TEST

/* Every open mailbox keeps what was read: a handful of names takes 2 KiB or so, and none next to
 * nothing. (0 of 0 where the allocator is not the C library's.) */
START_TEST(test_small)
{
    static const struct {
        uint32_t letters;
        size_t most;
    } rows[] = { { 0, 512 }, { 31, 2560 } };
    struct yb_keywords *k[100];

    for (size_t i = 0; i < YB_COUNT(rows); i++) {
        size_t before = mallinfo2().uordblks, held;

        for (size_t n = 0; n < YB_COUNT(k); n++)
            k[n] = yb_keywordfile_parse(yb_str("", 0), rows[i].letters);
        held = (mallinfo2().uordblks - before) / YB_COUNT(k);
        ck_assert_msg(held <= rows[i].most, "%zu octets", held);
        for (size_t n = 0; n < YB_COUNT(k); n++) {
            const struct yb_keywords *gone = k[n];

            yb_keywords_release(&gone);
        }
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("keywords");
    TCase *tc = tcase_create("keywords");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_many);
    tcase_add_test(tc, test_form);
    tcase_add_test(tc, test_only_what_is_used);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_full_for_nothing);
    tcase_add_test(tc, test_lost);
    tcase_add_test(tc, test_as_if_lost);
    tcase_add_test(tc, test_lines);
    tcase_add_test(tc, test_small);
    tcase_add_loop_test(tc, test_strange, 0, (int)YB_COUNT(strange));
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
