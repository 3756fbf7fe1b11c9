/*
 * Notices to imapd, and the thread that sends and hears them.
 */
#ifndef YB_STORE_NOTIFY_H
#define YB_STORE_NOTIFY_H

#include "lib/store/handles.h"

#include <sys/un.h>

#define YB_NOTICE_BYTES (YB_ID_BYTES + 4)
#define YB_NOTICES_MOST 64 /* in a packet */
#define YB_NOTIFY_PEERS 64
#define YB_NOTIFY_RETRY_MS 50 /* at first */

struct yb_watch; /* watch.c */

struct yb_notify {
    struct yb_store *store;
    pthread_mutex_t mutex;
    pthread_t thread;
    void *(*run)(void *); /* what the thread does */
    bool started, stopping;
    int wake_fd;

    /* telling */
    int fd;
    struct yb_map *pending; /* keys of YB_NOTICE_BYTES */
    int64_t retry_ms, retry_at_ms, connected_ms;

    /* being told */
    void (*fn)(void *arg, struct yb_account_id account, uint32_t uidvalidity);
    void *arg;
    int listen_fd, peers[YB_NOTIFY_PEERS];
    size_t n_peers;

    /* watching */
    int inotify_fd;
    struct yb_map *watches; /* by an entry's bytes */
    struct yb_map *by_wd;   /* by a kernel's watch, two for each of them */
    struct yb_watch *due;
};

/* Tells, or notes to be told, that a mailbox changed. */
void yb_notify_changed(struct yb_mailbox *m);

void yb_notice(char out[YB_NOTICE_BYTES], struct yb_account_id account, uint32_t uidvalidity);
/* The thread looks again at what there is to do. */
void yb_notify_wake(struct yb_notify *n);
/* -1 with errno when the path is too long. */
int yb_notify_address(const char *path, struct sockaddr_un *a);
/* With n->mutex held: the connection to imapd ended, made when it is time, and given what waits. */
void yb_notify_hang_up(struct yb_notify *n);
void yb_notify_connect(struct yb_notify *n);
void yb_notify_send(struct yb_notify *n);
/* n->mutex held: starts the thread if it does not run; -1 when that failed. */
int yb_notify_run(struct yb_notify *n);

#endif
