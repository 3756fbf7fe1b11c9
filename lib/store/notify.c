/*
 * Telling: after every change the process that made it tells imapd which mailbox to look at again,
 * by packets of (account, UIDVALIDITY) over a SOCK_SEQPACKET socket. A notice says only "look": it
 * may be merged, and a new connection means "look at everything". What the socket does not take at
 * once is kept, merged, and sent by a thread (listen.c) when it can be written.
 */
#include "lib/store/notify.h"

#include "lib/store/sys.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define PENDING_MOST 4096 /* more: hang up, so that the next connection says "everything" */
#define RETRY_LONGEST_MS 2000

void
yb_notice(char out[YB_NOTICE_BYTES], struct yb_account_id account, uint32_t uidvalidity)
{
    memcpy(out, account.v, YB_ID_BYTES);
    memcpy(out + YB_ID_BYTES, &uidvalidity, 4);
}

void
yb_notify_wake(struct yb_notify *n)
{
    uint64_t one = 1;

    (void)!write(n->wake_fd, &one, sizeof(one));
}

int
yb_notify_address(const char *path, struct sockaddr_un *a)
{
    *a = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(a->sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a->sun_path, path, strlen(path) + 1);
    return 0;
}

/* --- telling; n->mutex held --- */

void
yb_notify_hang_up(struct yb_notify *n)
{
    yb_sys_close(&n->fd);
    yb_map_free(&n->pending); /* the next connection tells more than they would */
    n->pending = yb_map_new();
    if (yb_clock_ms() - n->connected_ms <
        RETRY_LONGEST_MS) /* who hangs up at once is not besieged */
        n->retry_at_ms = yb_clock_ms() + YB_NOTIFY_RETRY_MS;
}

/* One packet; 1 sent, 0 not now, -1 the connection is gone. */
static int
send_packet(struct yb_notify *n, const char *packet, size_t size)
{
    if (send(n->fd, packet, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size)
        return 1;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
        return 0;
    yb_notify_hang_up(n);
    return -1;
}

void
yb_notify_send(struct yb_notify *n)
{
    while (n->fd >= 0 && yb_map_count(n->pending) > 0) {
        char packet[YB_NOTICES_MOST * YB_NOTICE_BYTES];
        struct yb_str key;
        void *value;
        size_t at = 0, count = 0;

        while (count < YB_NOTICES_MOST && yb_map_next(n->pending, &at, &key, &value))
            memcpy(packet + YB_NOTICE_BYTES * count++, key.p, YB_NOTICE_BYTES);
        if (send_packet(n, packet, count * YB_NOTICE_BYTES) != 1)
            return;
        for (size_t i = 0; i < count; i++)
            yb_map_remove(n->pending, yb_str(packet + YB_NOTICE_BYTES * i, YB_NOTICE_BYTES));
    }
}

void
yb_notify_connect(struct yb_notify *n)
{
    struct sockaddr_un to;
    int fd;

    if (n->fd >= 0 || n->fn != NULL || yb_clock_ms() < n->retry_at_ms)
        return;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && yb_notify_address(n->store->notify_path, &to) == 0 &&
        connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        n->fd = fd;
        n->retry_ms = YB_NOTIFY_RETRY_MS;
        n->connected_ms = yb_clock_ms();
        return;
    }
    yb_sys_close(&fd);
    n->retry_at_ms = yb_clock_ms() + n->retry_ms;
    n->retry_ms = n->retry_ms * 2 < RETRY_LONGEST_MS ? n->retry_ms * 2 : RETRY_LONGEST_MS;
}

int
yb_notify_run(struct yb_notify *n)
{
    if (n->started)
        return 0;
    n->started = pthread_create(&n->thread, NULL, n->run, n) == 0;
    return n->started ? 0 : -1;
}

void
yb_notify_changed(struct yb_mailbox *m)
{
    struct yb_notify *n = m->account->store->notify;
    char entry[YB_NOTICE_BYTES];
    bool rouse = false;

    if (n == NULL) /* the orderly stop */
        return;
    if (n->fn != NULL) { /* set before any mailbox is opened, never changed */
        n->fn(n->arg, m->account->id, m->uidvalidity);
        return;
    }
    if (n->store->notify_path == NULL)
        return;
    yb_notice(entry, m->account->id, m->uidvalidity);
    pthread_mutex_lock(&n->mutex);
    if (n->fd < 0)
        yb_notify_connect(n);
    if (n->fd >= 0 && (yb_map_count(n->pending) > 0 || send_packet(n, entry, sizeof(entry)) == 0)) {
        yb_map_put(n->pending, yb_str(entry, sizeof(entry)), n);
        if (yb_map_count(n->pending) > PENDING_MOST)
            yb_notify_hang_up(n);
        (void)!yb_notify_run(n);
        rouse = true;
    } else if (n->fd < 0) { /* not there, or gone just now: the next connection tells all */
        rouse = true;
        (void)!yb_notify_run(n);
    }
    pthread_mutex_unlock(&n->mutex);
    if (rouse)
        yb_notify_wake(n);
}

int
yb_store_tell(struct yb_store *s, struct yb_err *err)
{
    struct yb_notify *n = s->notify;
    int rc = 0;

    if (n->store->notify_path == NULL)
        return 0;
    pthread_mutex_lock(&n->mutex);
    if (yb_notify_run(n) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "start a thread");
    pthread_mutex_unlock(&n->mutex);
    return rc;
}
