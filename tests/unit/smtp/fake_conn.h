/*
 * A connection without sockets or threads: the functions of lib/net/conn.h that lib/smtp and imapd
 * use, over lib/net's own input machine, driven by a test. Linked instead of lib/net's conn.o, by
 * unit tests and fuzz targets. Misuse of the interface aborts.
 */
#ifndef TESTS_SMTP_FAKE_CONN_H
#define TESTS_SMTP_FAKE_CONN_H

#include "lib/net/conn.h"

/* What the far end looks like; set before fake_open(). */
struct fake_spec {
    const struct yb_service *service;
    void *arg;                /* yb_conn_listener_arg() */
    const char *peer, *local; /* IPv4 or IPv6 addresses; NULL: 192.0.2.1 and 192.0.2.25 */
    bool is_unix;
    bool can_tls, is_tls;
    bool early; /* what is fed first had come before the connection was opened */
};

struct yb_conn *fake_open(const struct fake_spec *spec);
/* The peer sends these bytes, `piece` at a time (0: at once). After the end of the connection they
 * are thrown away. */
void fake_feed(struct yb_conn *c, struct yb_str bytes, size_t piece);
void fake_time_out(struct yb_conn *c);
/* The peer has closed its end, which only who asks learns (yb_conn_is_left()). */
void fake_leave(struct yb_conn *c);
/* As after yb_net_wake(). */
void fake_wake(struct yb_conn *c);
/* From now on a producer is called once a fake_feed() or fake_produce(), as for a client that reads
 * slowly; else until it is done. */
void fake_slow(struct yb_conn *c);
void fake_produce(struct yb_conn *c);
/* Everything written since the last fake_clear(). */
struct yb_str fake_output(const struct yb_conn *c);
void fake_clear(struct yb_conn *c);
/* yb_conn_close() or _abort() was called. */
bool fake_is_closed(const struct yb_conn *c);
/* What the last yb_conn_set_deadline() said; 0: none. */
int64_t fake_deadline(const struct yb_conn *c);
/* Calls `closed`, frees everything. */
void fake_free(struct yb_conn **c);

#endif
