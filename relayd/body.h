/*
 * Bodies of messages that are too large for the database: body/<2 hex>/<message id>.<m> below the
 * queue's folder, durable before the row that names them. One message id may stand for several
 * messages of the queue, hence the number. Any thread.
 */
#ifndef RELAYD_BODY_H
#define RELAYD_BODY_H

#include "lib/base/id.h"
#include "lib/smtp/msgbuf.h"

struct relayd_bodies {
    int fd;        /* body/ */
    unsigned form; /* YB_FORM_… of the file system */
};

/* Makes the folders that are missing, durably. */
int relayd_bodies_open(struct relayd_bodies *b, int dir_fd, struct yb_err *err) YB_MUST_USE;
void relayd_bodies_close(struct relayd_bodies *b);
/* Writes and syncs the file. -1 (YB_TEMP; YB_ERR_FULL 4.3.1 without room): it is not there. */
int relayd_body_write(const struct relayd_bodies *b, struct yb_message_id mid, uint64_t m,
                      const struct yb_msgbuf *octets, struct yb_err *err) YB_MUST_USE;
/* For reading; -1 with errno. */
int relayd_body_open(const struct relayd_bodies *b, struct yb_message_id mid, uint64_t m);
bool relayd_body_is(const struct relayd_bodies *b, struct yb_message_id mid, uint64_t m);
/* A file that stays is removed at the next start. */
void relayd_body_remove(const struct relayd_bodies *b, struct yb_message_id mid, uint64_t m);
/*
 * Goes through all files and removes those for which `wanted` says no, and those that are no bodies.
 * `wanted`: 1 yes, 0 no, -1 ends it: *err is set then. The number of those that were removed goes to
 * *removed.
 */
int relayd_bodies_tidy(const struct relayd_bodies *b,
                       int (*wanted)(void *arg, struct yb_message_id mid, uint64_t m,
                                     struct yb_err *err),
                       void *arg, size_t *removed, struct yb_err *err) YB_MUST_USE;

#endif
