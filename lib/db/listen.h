/*
 * LISTEN on one channel from a thread of its own: reconnects with back-off, notices a dead peer by
 * asking it now and then, and says when notices flow and when they do not.
 */
#ifndef YB_DB_LISTEN_H
#define YB_DB_LISTEN_H

#include "lib/base/err.h"
#include "lib/base/str.h"

struct yb_db_listener;

struct yb_db_listener_conf {
    const char *conninfo;
    const char *application;
    const char *channel;  /* an identifier of ours, [a-z_]+ */
    int64_t deadline_ms;  /* of connect and LISTEN; 0: 3000 */
    int64_t check_ms;     /* an idle connection is asked whether it lives; 0: 10000 */
    const char *question; /* SQL, asked when LISTEN is confirmed and before `up`: what is needed to
                             understand notices; NULL: nothing */
    /*
     * All on the listener's thread. failed (may be NULL): why it cannot be up, once each time.
     * answer: the first field of the question's answer, as text; -1 gives the connection up. up:
     * LISTEN is confirmed, every later commit will be heard of. down: from now on (at the latest)
     * changes are missed; not told of an orderly end. notice: true asks the question again, before
     * what comes later.
     */
    void (*failed)(void *arg, const struct yb_err *err);
    int (*answer)(void *arg, struct yb_str text, struct yb_err *err);
    void (*up)(void *arg);
    void (*down)(void *arg);
    bool (*notice)(void *arg, struct yb_str payload);
    void *arg;
};

/* Copies *conf; the thread starts at once. -1: no thread. */
int yb_db_listener_start(const struct yb_db_listener_conf *conf, struct yb_db_listener **out,
                         struct yb_err *err) YB_MUST_USE;
/* Ends the thread (it stops waiting at once); no callback runs afterwards. */
void yb_db_listener_stop(struct yb_db_listener **l);

#endif
