/*
 * What stands in the queue, read once at the start, by the writing connection. Nothing that a row
 * says is believed before it was looked at: rows may have been damaged, or written by somebody else.
 */
#ifndef RELAYD_SCAN_SQL_H
#define RELAYD_SCAN_SQL_H

#include "relayd/queue_sql.h"

/* A recipient that is to be HELD from now on, for what was found. */
struct relayd_found {
    uint64_t m;
    uint32_t n;
    enum relayd_reason reason;
};

struct relayd_scan {
    /* Is the body's file there? */
    bool (*has_body)(void *arg, struct yb_message_id mid, uint64_t m);
    void *body_arg;
    int (*each)(void *arg, const struct relayd_message *m, struct yb_err *err);
    void *arg;
    /* Written: what relayd_scan_hold() is to write down. The caller frees it with yb_free(). */
    struct relayd_found *found;
    size_t n_found;
    uint64_t
        strange; /* rows that are left alone: without a message, without recipients, without a number */
};

/* All messages in their order. REFUSED: `each` ended it, *err is its. After DAMAGED the rows that could
 * be read have been told. */
enum relayd_fate relayd_scan_messages(struct sqlite3 *handle, struct relayd_scan *scan,
                                      struct yb_err *err) YB_MUST_USE;
/* Writes down what was found, in one transaction. */
enum relayd_fate relayd_scan_hold(struct sqlite3 *handle, const struct relayd_scan *scan,
                                  struct yb_err *err) YB_MUST_USE;
/* The rows of `done`, in their order. */
enum relayd_fate relayd_scan_done(struct sqlite3 *handle,
                                  void (*each)(void *arg, uint64_t s, struct yb_delivery_id id),
                                  void *arg, struct yb_err *err) YB_MUST_USE;

#endif
