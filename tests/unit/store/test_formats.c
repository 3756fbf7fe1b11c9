/* The forms on disk, each by itself: file names, folder names, yubin-uid, lock file, index. */
#include "tests/unit/store/help.h"

#include "lib/base/buf.h"
#include "lib/store/handles.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ID "0123456789abcdef0123456789abcdef"
#define NODE "fedcba9876543210"
#define MAIL "aerukz4jvpg66ajdivtytk6n54" /* ID in base32 */

static const struct {
    const char *text;
    bool ours;
    uint32_t uid, flags, keywords;
} names[] = {
    { "1795318261." ID "." NODE ",S=4096,I=1795318261.17:2,", true, 17, 0, 0 },
    { "1795318261." ID "." NODE ",S=4096,I=1795318261.17", true, 17, 0, 0 },
    { "1795318261." ID "." NODE ",S=0,I=1.1:2,DFPRSTaz", true, 1, 63, 1 | 1u << 25 },
    { "1795318261." ID "." NODE ",S=0,I=1.1:2,TSz?DD", true, 1,
      YB_FLAG_DELETED | YB_FLAG_SEEN | YB_FLAG_DRAFT, 1u << 25 },
    { "-5." ID "." NODE ",S=1,I=1.4294967295,D=-62135596800:2,S", true, UINT32_MAX, YB_FLAG_SEEN,
      0 },
    { "1." ID "." NODE ",S=0,I=1.2,E=" MAIL ":2,F", true, 2, YB_FLAG_FLAGGED, 0 },
    { "1." ID "." NODE ",S=0,I=1.3,D=5,E=" MAIL ",K=4294967295", true, 3, 0, 0 },
    { "1." ID "." NODE ",S=0,I=1.4,K=1:2,a", true, 4, 0, 1 },
    { "1." ID "." NODE ",S=0,I=1.4,K=0:2,a", false, 0, 0, 1 },
    { "1." ID "." NODE ",S=0,I=1.4,K=07:2,a", false, 0, 0, 1 },
    { "1." ID "." NODE ",S=0,I=1.4,K=4294967296:2,a", false, 0, 0, 1 },
    { "1." ID "." NODE ",S=0,I=1.4,K=1,E=" MAIL ":2,", false, 0, 0, 0 },
    { "1." ID "." NODE ",S=0,I=1.4,E=MAIL:2,", false, 0, 0, 0 },
    { "1." ID "." NODE ",S=0,I=1.4,E=aerukz4jvpg66ajdivtytk6n57:2,", false, 0, 0,
      0 }, /* spare bits */
    { "1." ID "." NODE ",S=0,I=1.4,E=aaaaaaaaaaaaaaaaaaaaaaaaaa:2,", false, 0, 0, 0 },
    { "1795318261." ID "." NODE ",S=4096,I=1795318261.0:2,", false, 0, 0, 0 },
    { "1795318261." ID "." NODE ",S=4096,I=0.5:2,", false, 0, 0, 0 },
    { "1795318261." ID "." NODE ",S=4096,I=1795318261.017:2,", false, 0, 0, 0 },
    { "1795318261." ID "." NODE ",S=4096,I=1795318261.4294967296:2,", false, 0, 0, 0 },
    { "1795318261." ID "." NODE ",S=4096,I=1795318261.17:1,", false, 0, 0, 0 },
    { "1795318261." ID "." NODE ",S=4096,I=1795318261.17,X=3:2,", false, 0, 0, 0 },
    { "1795318261." ID "." NODE ",S=4096:2,", false, 0, 0, 0 },
    { "1795318261.0123456789ABCDEF0123456789ABCDEF." NODE ",S=1,I=1.1:2,", false, 0, 0, 0 },
    { "1760000000.M1P2.mx.example,S=4096,W=4200:2,RS", false, 0, YB_FLAG_ANSWERED | YB_FLAG_SEEN,
      0 },
    { "+1." ID "." NODE ",S=4096,I=1.1", false, 0, 0, 0 },
    { "", false, 0, 0, 0 },
};

START_TEST(test_name)
{
    struct yb_str s = yb_str_from(names[_i].text);
    char out[YB_NAME_MAX];
    struct yb_name n;
    uint32_t flags, keywords;

    ck_assert_msg(yb_name_parse(s, &n) == names[_i].ours, "%s", names[_i].text);
    if (names[_i].ours)
        ck_assert_uint_eq(n.uid, names[_i].uid);
    yb_name_flags(s, &flags, &keywords);
    if (strstr(names[_i].text, ":1,") == NULL) {
        ck_assert_uint_eq(flags, names[_i].flags);
        ck_assert_uint_eq(keywords, names[_i].keywords);
    }
    if (names[_i].ours && strchr(names[_i].text, '?') == NULL) {
        yb_name_format(&n, strstr(names[_i].text, ":2,") == NULL, out);
        ck_assert_str_eq(out, names[_i].text);
    }
    if (names[_i].ours && strstr(names[_i].text, MAIL) != NULL)
        ck_assert(yb_delivery_id_eq(n.email, n.id));
}
END_TEST

#define X10 "a/b/c/d/e/f/g/h/i/j"
#define Y10 ".a.b.c.d.e.f.g.h.i.j"

static const struct {
    const char *name, *dir; /* NULL: refused as `why` */
    enum yb_err_kind why;
} folders[] = {
    { "INBOX", "", YB_ERR_OTHER },
    { "inBox", "", YB_ERR_OTHER },
    { "Sent", ".Sent", YB_ERR_OTHER },
    { "Sent/", ".Sent", YB_ERR_OTHER },
    { "inbox/Work", ".INBOX.Work", YB_ERR_OTHER },
    { "Work/inbox", ".Work.inbox", YB_ERR_OTHER },
    { "a.b/100%", ".a%2Eb.100%25", YB_ERR_OTHER },
    { "e\xcc\x81", ".\xc3\xa9", YB_ERR_OTHER }, /* NFC */
    { "../x", ".%2E%2E.x", YB_ERR_OTHER },
    { X10 "/" X10 "/" X10 "/" X10, Y10 Y10 Y10 Y10, YB_ERR_OTHER }, /* 40 levels */
    { X10 "/" X10 "/" X10 "/" X10 "/q", NULL, YB_ERR_LIMIT },
    { "", NULL, YB_ERR_CANNOT },
    { "/", NULL, YB_ERR_CANNOT },
    { "/a", NULL, YB_ERR_CANNOT },
    { "a//b", NULL, YB_ERR_CANNOT },
    { "a\tb", NULL, YB_ERR_CANNOT },
    { "a\xc2\x85", NULL, YB_ERR_CANNOT },
    { "a\xff", NULL, YB_ERR_CANNOT },
    { "a\xed\xa0\x80", NULL, YB_ERR_CANNOT },
};

START_TEST(test_folder_name)
{
    struct yb_folder_dir dir;
    char buf[YB_FOLDER_NAME_MAX + 1];
    struct yb_str back;

    if (folders[_i].dir == NULL) {
        FAILS(yb_folder_to_dir(yb_str_from(folders[_i].name), &dir, &err), YB_PERM,
              folders[_i].why);
        return;
    }
    OK(yb_folder_to_dir(yb_str_from(folders[_i].name), &dir, &err));
    ck_assert_str_eq(dir.s, folders[_i].dir);
    if (dir.s[0] != '\0') {
        ck_assert(yb_folder_from_dir(yb_str_from(dir.s), buf, &back));
        OK(yb_folder_to_dir(back, &dir, &err));
        ck_assert_str_eq(dir.s, folders[_i].dir);
    }
}
END_TEST

/* A folder's name has 255 octets, and a mailbox's what goes into it. */
static const struct {
    const char *unit; /* so many of it, and `rest` */
    size_t fits;
    const char *rest;
} lengths[] = {
    { "n", 254, "" },         { ".", 84, "aa" },            /* %2E */
    { "a/", 39, NULL },       { "\xe6\x97\xa5", 84, "aa" }, /* not escaped */
    { "e\xcc\x81", 127, "" },                               /* composed: two octets of three */
};

START_TEST(test_folder_length)
{
    struct yb_buf *b = yb_buf_new(2000);
    char buf[YB_FOLDER_NAME_MAX + 1];
    struct yb_folder_dir dir;
    struct yb_str name;
    const char *rest = lengths[_i].rest;

    for (size_t i = 0; i < lengths[_i].fits; i++)
        yb_buf_add(b, yb_str_from(lengths[_i].unit));
    if (rest == NULL) { /* the last of 40 levels fills it */
        for (size_t n = 254 - yb_buf_size(b); n > 0; n--)
            yb_buf_add_c(b, 'n');
    } else {
        yb_buf_add(b, yb_str_from(rest));
    }
    OK(yb_folder_to_dir(yb_buf_view(b), &dir, &err));
    ck_assert_uint_eq(strlen(dir.s), 255);
    ck_assert(yb_folder_from_dir(yb_str_from(dir.s), buf, &name));
    yb_buf_add_c(b, 'x');
    FAILS(yb_folder_to_dir(yb_buf_view(b), &dir, &err), YB_PERM, YB_ERR_LIMIT);
    yb_buf_free(&b);
}
END_TEST

/* Folders that another program made under names we would not: left alone. */
START_TEST(test_folder_foreign)
{
    static const char *const dirs[] = { ".a%2e",  ".a%41",    ".a%", "..",    ".",
                                        "a",      ".a..b",    ".a.", ".\xff", ".e\xcc\x81",
                                        ".INBOX", ".inbox.x", "" };
    char buf[YB_FOLDER_NAME_MAX + 1];
    struct yb_str name;

    for (size_t i = 0; i < YB_COUNT(dirs); i++)
        ck_assert_msg(!yb_folder_from_dir(yb_str_from(dirs[i]), buf, &name), "%s", dirs[i]);
}
END_TEST

/* --- files --- */

static char folder[64];
static int folder_fd;

static void
folder_make(void)
{
    snprintf(folder, sizeof(folder), "/tmp/yb-formats-XXXXXX");
    ck_assert(mkdtemp(folder) != NULL);
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
folder_remove(void)
{
    char path[100];

    close(folder_fd);
    for (const char *const *f = (const char *const[]){ "yubin-uid", "file", NULL }; *f != NULL;
         f++) {
        snprintf(path, sizeof(path), "%s/%s", folder, *f);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(test_uidfile)
{
    struct yb_uidfile first = { 77, 1025, 65537, false }, u;
    int fd;

    ck_assert_int_eq(yb_uidfile_read(folder_fd, &u, NULL), 0);
    OK(yb_uidfile_create(folder_fd, &first, &err));
    ck_assert_int_eq(yb_uidfile_read(folder_fd, &u, NULL), 1);
    ck_assert(u.uidvalidity == first.uidvalidity && u.uid_ceiling == first.uid_ceiling &&
              u.modseq_ceiling == first.modseq_ceiling && !u.old);
    /* Ceilings only rise; each write takes the other slot. */
    OK(yb_uidfile_raise(folder_fd, &u, 2000, 10, &err));
    ck_assert_uint_eq(u.uid_ceiling, 2000);
    ck_assert_uint_eq(u.modseq_ceiling, 65537);
    OK(yb_uidfile_raise(folder_fd, &u, 1000, 100000, &err));
    ck_assert_uint_eq(u.uid_ceiling, 2000);
    ck_assert_uint_eq(u.modseq_ceiling, 100000);
    /* One slot torn, whichever: the other says the same. */
    fd = openat(folder_fd, "yubin-uid", O_RDWR);
    ck_assert_int_eq(pwrite(fd, "torn", 4, 20), 4);
    ck_assert_int_eq(yb_uidfile_read(folder_fd, &u, NULL), 1);
    ck_assert_uint_eq(u.modseq_ceiling, 100000);
    ck_assert_uint_eq(u.uid_ceiling, 2000);
    OK(yb_uidfile_raise(folder_fd, &u, 3000, 0, &err)); /* and mends the torn one */
    ck_assert_int_eq(pwrite(fd, "torn", 4, 512 + 20), 4);
    ck_assert_int_eq(yb_uidfile_read(folder_fd, &u, NULL), 1);
    ck_assert_uint_eq(u.uid_ceiling, 3000);
    ck_assert_int_eq(pwrite(fd, "torn", 4, 20), 4);
    ck_assert_int_eq(yb_uidfile_read(folder_fd, &u, NULL), 0);
    close(fd);
    FAILS(yb_uidfile_raise(folder_fd, &u, 3000, 0, &err), YB_PERM, YB_ERR_OTHER);
}
END_TEST

START_TEST(test_uidfile_other)
{
    struct yb_uidfile u = { 77, 1025, 65537, false };

    OK(yb_uidfile_create(folder_fd, &u, &err));
    u.uidvalidity = 78; /* it was made anew by somebody */
    FAILS(yb_uidfile_raise(folder_fd, &u, 3000, 0, &err), YB_PERM, YB_ERR_OTHER);
}
END_TEST

START_TEST(test_lockfile)
{
    int fd = openat(folder_fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct yb_lock_head head = { .bytes = 5, .messages = 2, .ring_next = 9 }, back;
    struct yb_lock_durable d;
    struct yb_ring_entry entry = { help_id(3), 77, 4 }, found;

    ck_assert(!yb_lockfile_read(fd, &back));
    ck_assert_int_eq(yb_lockfile_write(fd, &head), 0);
    ck_assert(yb_lockfile_read(fd, &back));
    ck_assert_int_eq(memcmp(&head, &back, sizeof(head)), 0);
    ck_assert_int_eq(pwrite(fd, "x", 1, 30), 1);
    ck_assert(!yb_lockfile_read(fd, &back));

    yb_lockfile_read_durable(fd, &d);
    ck_assert_uint_eq(d.sequence, 0);
    for (uint32_t i = 1; i <= 3; i++) {
        d.last_uidvalidity = 100 + i;
        d.state = i == 3 ? YB_ACCOUNT_MOVED : YB_ACCOUNT_HOME;
        ck_assert_int_eq(yb_lockfile_write_durable(fd, &d), 0);
    }
    yb_lockfile_read_durable(fd, &d);
    ck_assert_uint_eq(d.last_uidvalidity, 103);
    ck_assert_uint_eq(d.state, YB_ACCOUNT_MOVED);
    ck_assert_int_eq(pwrite(fd, "torn", 4, 2048 + 8), 4);
    yb_lockfile_read_durable(fd, &d);
    ck_assert_uint_eq(d.last_uidvalidity, 103); /* both say the same once one is synced */
    ck_assert_int_eq(pwrite(fd, "torn", 4, 1024 + 8), 4);
    yb_lockfile_read_durable(fd, &d);
    ck_assert_uint_eq(d.state, YB_ACCOUNT_UNKNOWN);

    ck_assert_int_eq(yb_lockfile_ring_find(fd, entry.id, &found), -1);
    ck_assert_int_eq(yb_lockfile_ring_put(fd, 1023, &entry), 0);
    ck_assert_int_eq(yb_lockfile_ring_find(fd, entry.id, &found), 1023);
    ck_assert_uint_eq(found.uid, 4);
    ck_assert_uint_eq(found.uidvalidity, 77);
    ck_assert_int_eq(yb_lockfile_ring_put(fd, 1023, NULL), 0);
    ck_assert_int_eq(yb_lockfile_ring_find(fd, entry.id, &found), -1);

    ck_assert(!yb_lockfile_wanted(fd));
    yb_lockfile_want(fd);
    ck_assert(yb_lockfile_wanted(fd));
    close(fd);
}
END_TEST

START_TEST(test_index)
{
    int fd = openat(folder_fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct yb_index_head head = {
        .uidvalidity = 7, .uidnext = 5, .modseq = 9, .slots = 3, .messages = 3
    };
    struct yb_index_slot slots[3] = { { .uid = 1 }, { .uid = 2 }, { .uid = 4 } }, back[3];
    struct yb_index_head again;
    char c;

    ck_assert(!yb_index_read_head(fd, &again));
    ck_assert_int_eq(yb_index_write_head(fd, &head), 0);
    ck_assert_int_eq(yb_index_write_slots(fd, 0, 3, slots), 0);
    ck_assert(yb_index_read_head(fd, &again));
    ck_assert_uint_eq(again.seen_modseq, 9);
    ck_assert_uint_eq(yb_index_read_slots(fd, 0, 3, back), 3);
    ck_assert_uint_eq(back[2].uid, 4);
    ck_assert_uint_eq(yb_index_read_slots(fd, 2, 3, back), 1);
    /* A change under way is not there for readers without the lock. */
    head.marks = YB_INDEX_BUSY;
    head.modseq = 10;
    head.uidnext = 6;
    ck_assert_int_eq(yb_index_write_head(fd, &head), 0);
    ck_assert(yb_index_read_seen(fd, &again));
    ck_assert_uint_eq(again.modseq, 9);
    ck_assert_uint_eq(again.uidnext, 5);
    ck_assert(yb_index_read_head(fd, &again));
    ck_assert_uint_eq(again.modseq, 10);
    /* Each flipped bit of a record is found. */
    for (off_t at = 0; at < 112; at++) {
        ck_assert_int_eq(pread(fd, &c, 1, 512 + 128 + at), 1);
        c = (char)(c ^ 1 << at % 8);
        ck_assert_int_eq(pwrite(fd, &c, 1, 512 + 128 + at), 1);
        ck_assert_uint_eq(yb_index_read_slots(fd, 0, 3, back), 1);
        c = (char)(c ^ 1 << at % 8);
        ck_assert_int_eq(pwrite(fd, &c, 1, 512 + 128 + at), 1);
    }
    ck_assert_uint_eq(yb_index_read_slots(fd, 0, 3, back), 3);
    close(fd);
}
END_TEST

/* --- what a file system keeps --- */

START_TEST(test_form)
{
    const unsigned linked = YB_FORM_LINKED | YB_FORM_ORDERED;
    int fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *why = NULL;

    ck_assert_int_ge(fd, 0);
    ck_assert_uint_eq(yb_form_of(fd, YB_STORE_LINKED, &why), linked);
    ck_assert_uint_eq(yb_form_of(fd, YB_STORE_PORTABLE, &why), 0);
    ck_assert_uint_eq(yb_form_of(fd, YB_STORE_AUTO, &why), 0); /* not known: the safe one */
    ck_assert_uint_eq(yb_form_of(-1, YB_STORE_AUTO, &why), 0);
    ck_assert_ptr_nonnull(why);
    close(fd);
}
END_TEST

/* --- which boot --- */

/* An id that cannot be read is that of no boot, never of the same. */
START_TEST(test_boot)
{
    static const char *const texts[] = {
        NULL,
        "",
        "x",
        "00000000-0000-0000-0000-00000000000",
        "00000000-0000-0000-0000-00000000000x",
        "000000000000000000000000000000000000",
    };
    uint8_t id[YB_ID_BYTES], again[YB_ID_BYTES], mixed[YB_ID_BYTES];
    char path[100];

    for (size_t i = 0; i < YB_COUNT(texts); i++) {
        snprintf(path, sizeof(path), "%s/boot%zu", folder, i);
        if (texts[i] != NULL)
            ck_assert_int_eq(
                yb_sys_write_file(folder_fd, strrchr(path, '/') + 1, texts[i], strlen(texts[i])),
                0);
        ck_assert(!yb_sys_boot_id(path, id) && !yb_sys_boot_id(path, again));
        ck_assert_msg(memcmp(id, again, sizeof(id)) != 0, "%zu", i);
        (void)unlink(path);
    }
    ck_assert(yb_sys_boot_id(YB_BOOT_FILE, id) && yb_sys_boot_id(YB_BOOT_FILE, again));
    ck_assert_mem_eq(id, again, sizeof(id));
    /* So it is with what a lock file adds to it. */
    yb_lockfile_boot(folder_fd, id, again);
    yb_lockfile_boot(folder_fd, id, mixed);
    ck_assert_mem_eq(mixed, again, sizeof(mixed));
    yb_lockfile_boot(-1, id, again);
    yb_lockfile_boot(-1, id, mixed);
    ck_assert_mem_ne(mixed, again, sizeof(mixed));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("formats");
    TCase *tc = tcase_create("names"), *files = tcase_create("files");
    SRunner *r;
    int failed;

    tcase_add_loop_test(tc, test_name, 0, (int)YB_COUNT(names));
    tcase_add_loop_test(tc, test_folder_name, 0, (int)YB_COUNT(folders));
    tcase_add_loop_test(tc, test_folder_length, 0, YB_COUNT(lengths));
    tcase_add_test(tc, test_folder_foreign);
    tcase_add_test(tc, test_form);
    tcase_add_checked_fixture(files, folder_make, folder_remove);
    tcase_add_test(files, test_uidfile);
    tcase_add_test(files, test_uidfile_other);
    tcase_add_test(files, test_lockfile);
    tcase_add_test(files, test_index);
    tcase_add_test(files, test_boot);
    suite_add_tcase(s, tc);
    suite_add_tcase(s, files);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
