/*
 * A server with hooks that obey the test: recipients and messages are accepted or refused by what
 * their addresses say, and everything taken is written down.
 *
 * Local parts: "no…" 550 5.1.1, "later…" 451 4.3.0, "full…" 452 4.2.2; anything else is accepted.
 * LMTP message results: "lost…" 451 for that recipient. A sender "refuse@…" is refused at the end.
 */
#ifndef TESTS_SMTP_RIG_H
#define TESTS_SMTP_RIG_H

#include "lib/smtp/server.h"
#include "tests/unit/smtp/fake_conn.h"

struct rig {
    struct yb_smtp_server *server;
    struct yb_msgbuf_pool *pool;
    struct yb_conn *conn;
    struct yb_buf *taken;  /* "from|to,to|octets;" of each message, LMTP too */
    struct yb_buf *blocks; /* LMTP: octets of the current message */
    size_t messages, resets, open_tx;
    const char *ended; /* what the `ended` hook says */
};

struct rig_spec {
    enum yb_smtp_dialect dialect;
    bool can_tls, is_tls, early;
    uint64_t max_message; /* 0: 1 MiB */
    size_t max_rcpt;
    unsigned max_errors, max_idle;
    size_t memory_each; /* 0: 128 KiB */
};

void rig_open(struct rig *r, const struct rig_spec *spec);
void rig_close(struct rig *r);
/* Feeds C text in pieces; gives the output since the last call as reply codes: "250 354 250", one
 * for each whole reply. */
const char *rig_say(struct rig *r, const char *text, size_t piece, char *codes, size_t size);
/* Every line written is a reply: code, separator, and an enhanced status of its class where one
 * must be. Aborts with the line. */
void rig_check_replies(struct yb_str output);
struct yb_str rig_taken(const struct rig *r);

#endif
