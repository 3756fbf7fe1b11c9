/*
 * imapd's sessions for tests and fuzz targets: connections without sockets (fake_conn.h), a real
 * store in a new folder, real logins with accounts in memory. Users are "ann@one.test" and
 * "bob@two.test", password "secret"; bob has a quota of 20 000 bytes; of "away@one.test" nothing can
 * be found out.
 */
#ifndef TESTS_IMAPD_RIG_H
#define TESTS_IMAPD_RIG_H

#include "imapd/service.h"
#include "imapd/session.h"
#include "tests/unit/smtp/fake_conn.h"

/* So many flag changes or expunges are told at once. */
#define RIG_CHANGES 8
/* For so long wrong passwords count. */
#define RIG_ATTEMPTS_MS (15 * 60 * 1000)

struct rig {
    struct imapd_server server;
    struct imapd_conf conf;
    char root[64];
    uint64_t quota;         /* bob's, octets */
    _Atomic unsigned woken; /* by the push table */
    int64_t later_ms;       /* so much ahead is the clock of what is remembered of passwords */
    uint64_t wrong;         /* wrong passwords, at rig_forget_wrong() */
};

void rig_start(struct rig *r);
/* The same without news from the store, and without the thread that brings them. */
void rig_start_alone(struct rig *r);
/* Removes the folder. */
void rig_stop(struct rig *r);

/* A connection with TLS, the greeting thrown away. */
struct yb_conn *rig_connect(struct rig *r);
struct yb_conn *rig_connect_plain(struct rig *r);
/* The same, logged in and with `mailbox` selected (NULL: none); output thrown away. */
struct yb_conn *rig_login(struct rig *r, const char *user, const char *mailbox);
/* The same by what LOGIN and AUTHENTICATE come to, without a password and its check. */
struct yb_conn *rig_enter(struct rig *r, const char *user, const char *mailbox);
/* Sends text and returns all that comes back (valid until the next call for this connection). */
const char *rig_say(struct yb_conn *c, const char *text);
/* Lets so much time pass, if there were wrong passwords, that they block nobody. */
void rig_forget_wrong(struct rig *r);
/* Stores a message by APPEND on a connection of its own. */
void rig_append(struct rig *r, const char *user, const char *mailbox, const char *message);
/* Waits (10 s) until the push table has woken somebody `n` times in all. */
void rig_await_woken(struct rig *r, unsigned n);

#endif
