/*
 * LISTEN on a few channels from a thread of its own: reconnects with back-off, notices a dead peer by
 * asking it now and then, and says when notices flow and when they do not.
 */
#ifndef YB_DB_LISTEN_H
#define YB_DB_LISTEN_H

#include "lib/base/err.h"
#include "lib/base/str.h"

struct yb_db_listener;

/* A channel, and a question whose answer its notices are about. */
struct yb_db_topic {
    const char *channel;  /* an identifier of ours, [a-z_]+ */
    const char *question; /* SQL, asked when LISTEN is confirmed and before `up`; NULL: nothing */
    int64_t again_ms;     /* the question is asked again after that time at the latest; 0: never */
    int64_t rest_ms;      /* and because of notices, which anybody can send, once in that time */
    /*
     * On the listener's thread. asks (may be NULL): the question is about to be asked. answer: the first
     * field of the question's answer, as text; -1 gives the connection up. notice: true asks the question again, before what comes later, unless that was
     * done less than rest_ms ago: then as soon as these are over.
     */
    void (*asks)(void *arg);
    int (*answer)(void *arg, struct yb_str text, struct yb_err *err);
    bool (*notice)(void *arg, struct yb_str payload);
};
#define YB_DB_TOPICS 4

struct yb_db_listener_conf {
    const char *conninfo;
    const char *application;
    int64_t deadline_ms; /* of connect and LISTEN; 0: 3000 */
    int64_t check_ms;    /* an idle connection is asked whether it lives; 0: 10000 */
    struct yb_db_topic topics[YB_DB_TOPICS];
    size_t n_topics;
    /*
     * All on the listener's thread. failed (may be NULL): why it cannot be up, once each time. up:
     * LISTEN is confirmed, every later commit will be heard of, and all questions are answered. down:
     * from now on (at the latest) changes are missed; not told of an orderly end.
     */
    void (*failed)(void *arg, const struct yb_err *err);
    void (*up)(void *arg);
    void (*down)(void *arg);
    void *arg;
};

/* Copies *conf; the thread starts at once. -1: no thread. */
int yb_db_listener_start(const struct yb_db_listener_conf *conf, struct yb_db_listener **out,
                         struct yb_err *err) YB_MUST_USE;
/* Ends the thread (it stops waiting at once); no callback runs afterwards. */
void yb_db_listener_stop(struct yb_db_listener **l);

#endif
