/*
 * A connection and a mail store in memory, with the functions of lib/net and lib/store that pop3d
 * calls: whole sessions run without a network, for tests and for the fuzzer. One account,
 * alice@a.test with the password "correct horse"; carol@a.test is suspended.
 */
#ifndef YB_TESTS_POP3D_FAKE_H
#define YB_TESTS_POP3D_FAKE_H

#include "pop3d/service.h"
#include "pop3d/session.h"

#define FAKE_MESSAGES 8

/* What the store holds and how it behaves; struct yb_store is one of these. */
struct fake_store {
    struct fake_message {
        uint32_t uid;
        struct yb_delivery_id id;
        struct yb_str bytes;
        bool gone;
    } messages[FAKE_MESSAGES];
    size_t n, many; /* many: so many copies of the first message instead */
    bool in_use, fail_open, fail_expunge, lost;
    unsigned locks, expunged, durable;
    struct yb_buf *memo; /* beside the inbox; NULL: none */
    unsigned reads;      /* messages opened */
};

/* One process with its auth; the store is empty. */
struct fake_store *fake_start(struct pop3d *p);
void fake_stop(struct pop3d *p);
void fake_add(struct fake_store *s, const char *bytes);

struct yb_conn *fake_open(struct pop3d *p, bool tls);
/* Gives one line (without its end) to the session, and lets producers run to their end. */
void fake_line(struct yb_conn *c, struct yb_str line, unsigned flags);
/* What the session wrote since the last call; valid until the next one. */
struct yb_str fake_output(struct yb_conn *c);
bool fake_is_open(const struct yb_conn *c);
/* The longest piece a producer wrote at once. */
size_t fake_longest_piece(const struct yb_conn *c);
/* The peer is gone. */
void fake_close(struct yb_conn **c);

#endif
