/*
 * What a daemon that receives whole messages is made of, smtpd and submitd alike: its options, the
 * buffers messages lie in, the ways to this node's lmtpd and relayd, the directory, events and the engine. What
 * differs (who may, for whom) is in the daemon's hooks.
 */
#ifndef YB_RECEIVE_RECEIVER_H
#define YB_RECEIVE_RECEIVER_H

#include "lib/daemon/events.h"
#include "lib/receive/handover.h"

/* A member `receive` of the program's struct of options. */
struct yb_receiver_conf {
    const char *lmtpd, *relayd;
    unsigned lmtpd_connections, relayd_connections;
    int64_t lmtpd_timeout, relayd_timeout, relayd_repeat;
    uint64_t max_message;
    unsigned max_rcpt, max_errors, max_hops;
    int64_t command_timeout, data_timeout, message_timeout;
    uint64_t memory_per_message, memory_total, memory_per_network;
    uint64_t disk_per_network, disk_reserve;
};

#define YB_RECEIVER_ROW(STRUCT, TYPE, field, def, min, max, prose)                                 \
    YB_CONF_ROW(STRUCT, TYPE, true, receive.field, #field, def, min, max, NULL, prose)
/* The rows for those; `connections` to lmtpd, and what counts against max_errors, are the daemon's. */
#define YB_RECEIVER_ROWS(STRUCT, connections, errors)                                              \
    YB_RECEIVER_ROW(STRUCT, STRING, lmtpd, "unix:/run/yubin/lmtpd.lmtp", 1, 200,                   \
                    "Where this node's lmtpd takes messages."),                                    \
        YB_RECEIVER_ROW(STRUCT, UINT, lmtpd_connections, connections, 1, 1024,                     \
                        "Messages handed to lmtpd at once; more wait a moment, then hear 451."),   \
        YB_RECEIVER_ROW(                                                                           \
            STRUCT, DURATION, lmtpd_timeout, "30s", 1000, 600000,                                  \
            "How long lmtpd may take to answer; then it is not known whether it stored the "       \
            "message."),                                                                           \
        YB_RECEIVER_ROW(STRUCT, STRING, relayd, "unix:/run/yubin/relayd.lmtp", 0, 200,             \
                        "Where this node's relayd queues what lmtpd did not store of a message "   \
                        "that others have. Empty, or while it is away: a message for several is "  \
                        "stored for all or refused."),                                             \
        YB_RECEIVER_ROW(STRUCT, UINT, relayd_connections, "16", 1, 1024,                           \
                        "Messages handed to relayd at once; few ever are, and those that wait "    \
                        "longer than a moment hear 451."),                                         \
        YB_RECEIVER_ROW(STRUCT, DURATION, relayd_timeout, "30s", 1000, 600000,                     \
                        "How long relayd may take to answer; then it is not known whether it "     \
                        "queued the message, and the client hears 451."),                          \
        YB_RECEIVER_ROW(STRUCT, DURATION, relayd_repeat, "10s", 0, 600000,                         \
                        "How long a message is offered again to a relayd that was lost on the "    \
                        "way: it is started again within a second and reads its queue first. It "  \
                        "queues a message once, however often it is offered."),                    \
        YB_RECEIVER_ROW(STRUCT, SIZE, max_message, "50M", 1024, SIZE_MAX,                          \
                        "Largest message taken; announced as SIZE."),                              \
        YB_RECEIVER_ROW(STRUCT, UINT, max_rcpt, "100", 100, 10000,                                 \
                        "Recipients of a message (RFC 5321 wants at least 100)."),                 \
        YB_RECEIVER_ROW(STRUCT, UINT, max_errors, "20", 2, 10000, errors),                         \
        YB_RECEIVER_ROW(STRUCT, UINT, max_hops, "100", 10, 1000,                                   \
                        "Received fields of a message over which it is taken to go round in "      \
                        "circles (RFC 5321 "                                                       \
                        "6.3 wants at least 100)."),                                               \
        YB_RECEIVER_ROW(STRUCT, DURATION, command_timeout, "5m", 1000, 3600000,                    \
                        "A client that says nothing for so long is let go (RFC 5321 4.5.3.2.7)."), \
        YB_RECEIVER_ROW(STRUCT, DURATION, data_timeout, "5m", 1000, 3600000,                       \
                        "The same in the middle of a message."),                                   \
        YB_RECEIVER_ROW(STRUCT, DURATION, message_timeout, "2h", 1000, 86400000,                   \
                        "A message must be whole by then, however steadily it trickles."),         \
        YB_RECEIVER_ROW(STRUCT, SIZE, memory_per_message, "128K", 8192, SIZE_MAX,                  \
                        "A message up to this size is held in memory, a larger one in a file."),   \
        YB_RECEIVER_ROW(                                                                           \
            STRUCT, SIZE, memory_total, "64M", 1048576, SIZE_MAX,                                  \
            "Messages held in memory, all together; over it new ones go to files at once, over "   \
            "twice of it they hear 452."),                                                         \
        YB_RECEIVER_ROW(STRUCT, SIZE, memory_per_network, "16M", 65536, SIZE_MAX,                  \
                        "The same for one client network (IPv4 /24, IPv6 /64)."),                  \
        YB_RECEIVER_ROW(                                                                           \
            STRUCT, SIZE, disk_per_network, "4G", 1048576, SIZE_MAX,                               \
            "Unfinished messages in files, of one client network; over it new ones hear 452."),    \
        YB_RECEIVER_ROW(                                                                           \
            STRUCT, SIZE, disk_reserve, "256M", 0, SIZE_MAX,                                       \
            "Space of the spool's file system that stays free; below it new messages hear 452.")

struct yb_receiver {
    struct yb_daemon *daemon;
    const struct yb_receiver_conf *conf;
    const char *program;          /* "smtpd" */
    struct yb_node_id node;       /* this one */
    struct yb_handover *handover; /* the daemon's own, filled by open() */
    struct yb_msgbuf_pool *pool;
    struct yb_event_writer *events;
    struct yb_smtp_server *server;
};

/*
 * In the init hook. open() makes what hooks need, a directory that is not started yet among it;
 * start() begins to serve, from where on there are threads. -1: close() releases what there is.
 */
int yb_receiver_open(struct yb_receiver *r, struct yb_daemon *d, const char *program,
                     const struct yb_receiver_conf *conf, struct yb_handover *h,
                     struct yb_err *err) YB_MUST_USE;
int yb_receiver_start(struct yb_receiver *r, enum yb_smtp_dialect dialect, const char *name,
                      const struct yb_smtp_hooks *hooks, void *hooks_arg,
                      struct yb_err *err) YB_MUST_USE;
/* In the stop hook, when no session is left. */
void yb_receiver_close(struct yb_receiver *r);
/* In the metrics hook. */
void yb_receiver_figures(const struct yb_receiver *r, struct yb_metrics *m);

#endif
