/* The small parts: timers, the output queue, CIDRs. */
#include "lib/net/out.h"
#include "lib/net/proxy.h"
#include "lib/net/timer.h"
#include "tests/unit/net/kit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

START_TEST(test_timers)
{
    struct yb_timers h = { 0 };
    struct yb_timer t[300] = { 0 };
    unsigned seed = 7;
    int64_t last = -1;
    size_t left = 0;

    for (size_t n = 0; n < 3000; n++) {
        struct yb_timer *one = &t[(size_t)rand_r(&seed) % YB_COUNT(t)];

        if (rand_r(&seed) % 4 == 0)
            yb_timers_remove(&h, one);
        else
            yb_timers_set(&h, one, rand_r(&seed) % 1000);
    }
    for (size_t n = 0; n < YB_COUNT(t); n++)
        left += t[n].place != 0;
    while (yb_timers_first(&h) != NULL) {
        struct yb_timer *first = yb_timers_first(&h);

        ck_assert_int_ge(first->at, last);
        last = first->at;
        yb_timers_remove(&h, first);
        left--;
    }
    ck_assert_uint_eq(left, 0);
    yb_timers_release(&h);
}
END_TEST

static void
take(struct yb_out *o, struct yb_out_stock *stock, char *to, size_t n)
{
    while (n > 0) {
        struct iovec iov;
        size_t here;

        if (o->head->file != NULL)
            ck_assert(yb_out_load(o, stock));
        ck_assert_int_eq(yb_out_iov(o, &iov, 1), 1);
        here = iov.iov_len < n ? iov.iov_len : n;
        memcpy(to, iov.iov_base, here);
        to += here;
        n -= here;
        yb_out_sent(o, stock, here);
    }
}

START_TEST(test_out)
{
    struct yb_out o = { 0 };
    struct yb_out_stock stock = { 0 };
    static char text[100000], got[100000];
    int fd = memfd_create("test", MFD_CLOEXEC);
    struct yb_file *file = yb_file_new(fd);

    for (size_t n = 0; n < sizeof(text); n++)
        text[n] = (char)(n * 31 / 7);
    ck_assert(write(fd, text, sizeof(text)) == sizeof(text));
    yb_out_add(&o, &stock, yb_str(text, 10));
    yb_out_add_file(&o, file, 10, 40000);
    yb_out_add_file(&o, file, 0, 0); /* nothing */
    yb_out_add(&o, &stock, yb_str(text + 40010, 50000));
    ck_assert_uint_eq(o.size, 90010);
    take(&o, &stock, got, 5);
    take(&o, &stock, got + 5, 30000);
    take(&o, &stock, got + 30005, 60005);
    ck_assert_int_eq(memcmp(text, got, 90010), 0);
    ck_assert_uint_eq(o.size, 0);
    ck_assert_ptr_null(o.head);
    yb_out_add_file(&o, file, 99990, 11); /* one byte more than there is */
    ck_assert(!yb_out_load(&o, &stock));
    yb_file_unref(&file);
    ck_assert_int_ge(fcntl(fd, F_GETFD), 0); /* the queue's */
    yb_out_clear(&o, &stock);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    yb_out_stock_release(&stock);
}
END_TEST

/* Ranges that touch are one; what stands between others costs little more than itself. */
START_TEST(test_out_ranges)
{
    struct yb_out o = { 0 };
    struct yb_out_stock stock = { 0 };
    struct yb_file *file = yb_file_new(memfd_create("test", MFD_CLOEXEC));
    struct yb_file *other = yb_file_new(memfd_create("test", MFD_CLOEXEC));
    static char text[60000], got[60000];
    size_t room = 0;

    for (size_t n = 0; n < sizeof(text); n++)
        text[n] = (char)(n * 31 / 7);
    ck_assert(write(yb_file_fd(file), text, sizeof(text)) == sizeof(text));
    ck_assert(write(yb_file_fd(other), text, sizeof(text)) == sizeof(text));
    for (off_t at = 0; at < 30000; at += 1000)
        yb_out_add_file(&o, file, at, 1000);
    ck_assert_uint_eq(o.n_files, 1);
    take(&o, &stock, got, 20000); /* a range that has begun to go grows, too */
    yb_out_add_file(&o, file, 30000, 5000);
    ck_assert_uint_eq(o.n_files, 1);
    yb_out_add_file(&o, other, 35000, 1);
    yb_out_add_file(&o, file, 35001, 1);
    yb_out_add_file(&o, file, 35000, 1); /* begins before the end of the last */
    ck_assert_uint_eq(o.n_files, 4);
    for (off_t at = 36000; at < 56000; at += 2000) {
        yb_out_add(&o, &stock, YB_STR("between"));
        yb_out_add_file(&o, file, at, 1000);
    }
    ck_assert_uint_eq(o.n_files, 14);
    for (struct yb_out_part *p = o.head; p != NULL; p = p->next)
        room += p->next != NULL && p->next->file != NULL ? p->room : 0;
    ck_assert_uint_le(room, 10 * 512 + YB_OUT_BLOCK);
    take(&o, &stock, got + 20000, 15003);
    ck_assert_int_eq(memcmp(text, got, 35002), 0);
    for (int n = 0; n < 10; n++) {
        take(&o, &stock, got, 1007);
        ck_assert_int_eq(memcmp(got, "between", 7), 0);
        ck_assert_int_eq(memcmp(got + 7, text + 36000 + 2000 * n, 1000), 0);
    }
    ck_assert_uint_eq(o.size, 0);
    ck_assert_uint_eq(o.n_files, 0);
    yb_file_unref(&file);
    yb_file_unref(&other);
    yb_out_stock_release(&stock);
}
END_TEST

static const struct {
    const char *cidr, *ip;
    bool parses, has;
} cidrs[] = {
    { "192.0.2.0/24", "192.0.2.255", true, true },
    { "192.0.2.0/24", "192.0.3.0", true, false },
    { "192.0.2.1", "192.0.2.1", true, true },
    { "192.0.2.1", "192.0.2.2", true, false },
    { "0.0.0.0/0", "203.0.113.9", true, true },
    { "0.0.0.0/0", "::1", true, false },
    { "192.0.2.128/25", "192.0.2.127", true, false },
    { "2001:db8::/33", "2001:db8:7fff::1", true, true },
    { "2001:db8::/33", "2001:db8:8000::1", true, false },
    { "::/0", "::1", true, true },
    { "10.0.0.0/8", "::ffff:10.1.2.3", true, true }, /* a v4 client of a v6 socket */
    { "10.0.0.1/8", "10.0.0.1", false, false },
    { "10.0.0.0/33", "10.0.0.1", false, false },
    { "10.0.0.0/", "10.0.0.1", false, false },
    { "ten", "10.0.0.1", false, false },
};

START_TEST(test_cidr)
{
    struct yb_cidr c;
    union yb_addr a = { .any = { .sa_family = AF_INET } };

    ck_assert_int_eq(yb_cidr_parse(yb_str_from(cidrs[_i].cidr), &c), cidrs[_i].parses);
    if (!cidrs[_i].parses)
        return;
    if (inet_pton(AF_INET, cidrs[_i].ip, &a.v4.sin_addr) != 1) {
        a.any.sa_family = AF_INET6;
        ck_assert_int_eq(inet_pton(AF_INET6, cidrs[_i].ip, &a.v6.sin6_addr), 1);
    }
    ck_assert_int_eq(yb_cidr_has(&c, 1, &a), cidrs[_i].has);
}
END_TEST

START_TEST(test_cidr_list)
{
    struct yb_cidr *list;
    struct yb_err err;
    size_t n;

    ck_assert_int_eq(yb_cidr_list(YB_STR(" 10.0.0.0/8 ,::1"), &list, &n, &err), 0);
    ck_assert_uint_eq(n, 2);
    yb_free(list);
    ck_assert_int_eq(yb_cidr_list(YB_STR(" "), &list, &n, &err), 0);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(yb_cidr_list(YB_STR("::1,,::2"), &list, &n, &err), -1);
    ck_assert_int_eq(err.class, YB_PERM);
}
END_TEST

static void
tests(TCase *tc)
{
    tcase_add_test(tc, test_timers);
    tcase_add_test(tc, test_out);
    tcase_add_test(tc, test_out_ranges);
    tcase_add_loop_test(tc, test_cidr, 0, YB_COUNT(cidrs));
    tcase_add_test(tc, test_cidr_list);
}

int
main(void)
{
    return kit_main("parts", tests, NULL, NULL);
}
