/* What the tests of relayd's queue share: a throw-away folder, messages made of a number, a model of
 * what is to be in the queue, and calls that wait for their answer. */
#ifndef YB_TEST_RELAYD_QHELP_H
#define YB_TEST_RELAYD_QHELP_H

#include "lib/base/clock.h"
#include "relayd/queue.h"

#include <check.h>

/* ck_assert for calls with an error: its text is shown. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct yb_err err = { 0 };                                                                 \
        int rc_ = (call);                                                                          \
        ck_assert_msg(rc_ >= 0, #call ": %s %s", err.status, err.text);                            \
    } while (0)
/* The call fails, for now, with this kind. */
#define FAILS(call, what)                                                                          \
    do {                                                                                           \
        struct yb_err err = { 0 };                                                                 \
        int rc_ = (call);                                                                          \
        ck_assert_msg(rc_ < 0, #call " works");                                                    \
        ck_assert_msg(err.class == YB_TEMP && err.kind == (what), #call ": class %d, kind %d, %s", \
                      (int)err.class, (int)err.kind, err.text);                                    \
    } while (0)

struct qhelp {
    char root[200], dir[220];
    struct relayd_queue_conf conf;
    struct relayd_queue_owner owner;
    struct relayd_queue *q;
    _Atomic uint64_t came;
};

/* A folder in memory, where there is one, and a conf; nothing is opened. */
void qhelp_init(struct qhelp *h);
/* The same on a disk: below $TMPDIR (or /tmp). */
void qhelp_init_disk(struct qhelp *h);
/* Opens, scans (each: NULL: into nothing) and starts. */
void qhelp_start(struct qhelp *h);
int qhelp_try_start(struct qhelp *h, struct yb_err *err);
/* Removes everything. */
void qhelp_end(struct qhelp *h);
/* Closes, and opens anew. */
void qhelp_again(struct qhelp *h);
/* Runs SQL on the closed queue. */
void qhelp_sql(struct qhelp *h, const char *sql);
/* The one number that SQL answers. */
int64_t qhelp_number(struct qhelp *h, const char *sql);
/* Files below body/. */
size_t qhelp_bodies(struct qhelp *h);

/* Everything of message `tag` follows from its number: ids, sender, octets. `n` recipients. For
 * qhelp_free_message(). */
struct relayd_message qhelp_message(unsigned tag, size_t n);
void qhelp_free_message(struct relayd_message *m);
struct yb_delivery_id qhelp_delivery(unsigned tag, size_t i);
/* The octets of message `tag`. */
struct yb_msgbuf *qhelp_octets(struct qhelp *h, unsigned tag, size_t size);
/* Puts it; its m, or 0 with *err. */
uint64_t qhelp_try_put(struct qhelp *h, unsigned tag, size_t n, size_t size, struct yb_err *err);
uint64_t qhelp_put(struct qhelp *h, unsigned tag, size_t n, size_t size);
/* The body is that of message `tag`, and of that size. */
void qhelp_is_body(struct qhelp *h, uint64_t m, unsigned tag, size_t size);
/* Posts and waits; what `done` said. */
bool qhelp_op(struct qhelp *h, enum relayd_op_kind kind, uint64_t m, struct relayd_recipient *r,
              size_t n);
/* The same for one recipient, with these as all that changes. */
bool qhelp_op1(struct qhelp *h, enum relayd_op_kind kind, uint64_t m, uint32_t n);
struct relayd_queue_stats qhelp_stats(struct qhelp *h);
/* Waits, at most ten seconds, for what a figure is to become. */
#define UNTIL(h, what)                                                                             \
    do {                                                                                           \
        struct relayd_queue_stats st = { 0 };                                                      \
        int64_t end_ = yb_clock_ms() + 10000 * qhelp_patience();                                   \
        do {                                                                                       \
            st = qhelp_stats(h);                                                                   \
            (void)st;                                                                              \
            if (what)                                                                              \
                break;                                                                             \
            yb_clock_rest_us(1000);                                                                \
        } while (yb_clock_ms() < end_);                                                            \
        ck_assert_msg((what), #what);                                                              \
    } while (0)
/* $CK_TIMEOUT_MULTIPLIER, or 1. */
int64_t qhelp_patience(void);

/* One line for each recipient, in order, of all that is in the queue now: for comparing. The queue is
 * closed and opened again. For yb_free(). */
char *qhelp_dump(struct qhelp *h);

#endif
