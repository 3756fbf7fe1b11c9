/*
 * A receiving desk: a server of lib/smtp whose hooks do nothing but hand over, with a directory, an
 * lmtpd and a relayd that obey the test, and a client that is the test.
 */
#ifndef TESTS_RECEIVE_DESK_H
#define TESTS_RECEIVE_DESK_H

#include "lib/receive/handover.h"
#include "tests/unit/receive/fake_directory.h"
#include "tests/unit/smtp/fake_conn.h"
#include "tests/unit/smtp/odd_server.h"

struct desk {
    struct yb_handover handover;
    struct fake_directory directory;
    struct odd_server lmtpd, relayd; /* the second only after desk_relayd() */
    struct yb_msgbuf_pool *pool;
    struct yb_smtp_server *server;
    struct yb_conn *conn;
    struct yb_handover_verdict verdict;
    const char *head;
};

/* `lmtpd`: its script (odd_server.h). The client has said EHLO. */
void desk_open(struct desk *d, size_t max_rcpt, size_t max_targets, const char *lmtpd);
/* There is a relayd that does what the script says; NULL: it is configured, and away. */
void desk_relayd(struct desk *d, const char *script);
/* What lmtpd and relayd were told is in their logs from now on. */
void desk_close(struct desk *d);
/* The replies to `line` begin so. */
void desk_say(struct desk *d, const char *line, const char *reply);
/* How often `what` stands there. */
size_t desk_count(struct yb_str in, struct yb_str what);

#endif
