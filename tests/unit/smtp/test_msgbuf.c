/* The message buffer: same octets from memory and file, honest charges, refusals in time. */
#include "lib/smtp/msgbuf.h"

#include <check.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct yb_msgbuf_pool *
pool_new(size_t each, size_t total, size_t network, uint64_t disk)
{
    const struct yb_msgbuf_conf conf = { .folder = "/tmp",
                                         .memory_each = each,
                                         .memory_total = total,
                                         .memory_network = network,
                                         .disk_network = disk };
    struct yb_err err = { 0 };
    struct yb_msgbuf_pool *p = yb_msgbuf_pool_new(&conf, &err);

    ck_assert_msg(p != NULL, "%s", err.text);
    return p;
}

static void
append(struct yb_msgbuf *m, size_t n)
{
    char piece[1000];
    struct yb_err err = { 0 };
    uint64_t at = yb_msgbuf_size(m);

    for (size_t i = 0; i < n; i++)
        piece[i] = (char)((at + i) % 251);
    ck_assert_msg(yb_msgbuf_append(m, yb_str(piece, n), &err) == 0, "%s", err.text);
}

static void
check_octets(const struct yb_msgbuf *m)
{
    char piece[777];
    struct yb_err err = { 0 };
    uint64_t at = 0;

    for (;;) {
        ssize_t n = yb_msgbuf_pread(m, piece, sizeof(piece), at, &err);

        ck_assert(n >= 0);
        if (n == 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            ck_assert((unsigned char)piece[i] == (at + (uint64_t)i) % 251);
        at += (uint64_t)n;
    }
    ck_assert(at == yb_msgbuf_size(m));
}

START_TEST(test_memory_then_file)
{
    struct yb_msgbuf_pool *p = pool_new(20000, 1 << 20, 1 << 20, 1 << 20);
    struct yb_msgbuf *m = yb_msgbuf_new(p, 1);
    struct yb_str all;

    ck_assert(yb_msgbuf_view(m, &all) && all.n == 0);
    ck_assert(yb_msgbuf_pool_memory(p) == 0);
    for (size_t size = 0; size < 20000; size += 500) {
        append(m, 500);
        ck_assert(yb_msgbuf_view(m, &all) && all.n == size + 500);
    }
    ck_assert(yb_msgbuf_fd(m) < 0 && yb_msgbuf_pool_memory(p) == 20000);
    check_octets(m);
    append(m, 1);
    ck_assert(!yb_msgbuf_view(m, &all) && yb_msgbuf_fd(m) >= 0);
    ck_assert(yb_msgbuf_pool_memory(p) == 0 && yb_msgbuf_pool_disk(p) == 20001);
    append(m, 999);
    check_octets(m);
    yb_msgbuf_free(&m);
    ck_assert(m == NULL && yb_msgbuf_pool_disk(p) == 0);
    yb_msgbuf_pool_free(&p);
}
END_TEST

/* Over a total nobody is refused in the middle of a message: it goes to its file earlier. */
START_TEST(test_totals)
{
    struct yb_msgbuf_pool *p = pool_new(65536, 3 * 8192, 2 * 8192, 1 << 20);
    struct yb_msgbuf *m[4];

    for (int i = 0; i < 4; i++) {
        m[i] = yb_msgbuf_new(p, i < 3 ? 7 : 8);
        append(m[i], 100);
    }
    ck_assert(yb_msgbuf_fd(m[0]) < 0 && yb_msgbuf_fd(m[1]) < 0);
    ck_assert(yb_msgbuf_fd(m[2]) >= 0); /* the network's share is used up */
    ck_assert(yb_msgbuf_fd(m[3]) < 0);  /* another's is not */
    append(m[3], 1000);
    for (int i = 0; i < 9; i++)
        append(m[3], 1000);
    ck_assert(yb_msgbuf_fd(m[3]) >= 0); /* the daemon's is */
    for (int i = 0; i < 4; i++) {
        check_octets(m[i]);
        yb_msgbuf_free(&m[i]);
    }
    ck_assert(yb_msgbuf_pool_memory(p) == 0);
    yb_msgbuf_pool_free(&p);
}
END_TEST

START_TEST(test_disk)
{
    struct yb_msgbuf_pool *p = pool_new(100, 1 << 20, 1 << 20, 2000);
    struct yb_msgbuf *m = yb_msgbuf_new(p, 1), *other;
    struct yb_err err = { 0 };
    char piece[1000] = "";

    append(m, 1000);
    append(m, 1000);
    append(m, 1);
    ck_assert(yb_msgbuf_append(m, yb_str(piece, sizeof(piece)), &err) < 0);
    ck_assert(err.class == YB_TEMP && strcmp(err.status, "4.3.1") == 0);
    ck_assert(yb_msgbuf_pool_admit(p, 0, 1, &err) < 0 && strcmp(err.status, "4.3.1") == 0);
    ck_assert(yb_msgbuf_pool_admit(p, 0, 2, &err) == 0);
    other = yb_msgbuf_new(p, 2);
    append(other, 1000);
    yb_msgbuf_free(&other);
    yb_msgbuf_free(&m);
    ck_assert(yb_msgbuf_pool_admit(p, 0, 1, &err) == 0);
    yb_msgbuf_pool_free(&p);
}
END_TEST

START_TEST(test_reserve)
{
    struct yb_msgbuf_conf conf = { .folder = "/tmp",
                                   .memory_each = 100,
                                   .disk_network = 1 << 30,
                                   .memory_total = 1 << 20,
                                   .memory_network = 1 << 20 };
    struct yb_err err = { 0 };
    struct yb_msgbuf_pool *p;
    struct statvfs vfs;
    uint64_t free_bytes;

    ck_assert(statvfs("/tmp", &vfs) == 0);
    free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    conf.disk_reserve = free_bytes / 2;
    p = yb_msgbuf_pool_new(&conf, &err);
    ck_assert(p != NULL);
    ck_assert(yb_msgbuf_pool_admit(p, 1000, 1, &err) == 0);
    ck_assert(yb_msgbuf_pool_admit(p, free_bytes - free_bytes / 4, 1, &err) < 0);
    ck_assert(err.class == YB_TEMP && strcmp(err.status, "4.3.1") == 0);
    ck_assert(yb_msgbuf_pool_admit(p, UINT64_MAX, 1, &err) < 0);
    yb_msgbuf_pool_free(&p);
    conf.folder = "/nowhere/at/all";
    ck_assert(yb_msgbuf_pool_new(&conf, &err) == NULL);
}
END_TEST

/* A file of somebody else's is read like any message, charged to nobody, and closed. */
START_TEST(test_of_file)
{
    struct yb_msgbuf_pool *p = pool_new(1 << 20, 1 << 20, 1 << 20, 0);
    char path[] = "/tmp/test_msgbuf.XXXXXX", octets[5000];
    int fd = mkstemp(path);
    struct yb_msgbuf *m;
    struct yb_str all;

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (char)(i % 251);
    ck_assert(fd >= 0 && unlink(path) == 0);
    ck_assert(write(fd, octets, sizeof(octets)) == sizeof(octets));
    m = yb_msgbuf_of_file(p, fd, sizeof(octets));
    ck_assert(yb_msgbuf_size(m) == sizeof(octets) && yb_msgbuf_fd(m) == fd);
    ck_assert(!yb_msgbuf_view(m, &all));
    check_octets(m);
    ck_assert(yb_msgbuf_pool_disk(p) == 0 && yb_msgbuf_pool_memory(p) == 0);
    yb_msgbuf_free(&m);
    ck_assert(yb_msgbuf_pool_disk(p) == 0);
    ck_assert(lseek(fd, 0, SEEK_CUR) < 0);
    yb_msgbuf_pool_free(&p);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("smtp/msgbuf");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_memory_then_file);
    tcase_add_test(tc, test_totals);
    tcase_add_test(tc, test_disk);
    tcase_add_test(tc, test_reserve);
    tcase_add_test(tc, test_of_file);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
