/*
 * Being told: imapd listens for notices (notify.c). The same thread sends what waits to be told, and
 * looks at watched folders (watch.c).
 */
#include "lib/store/life.h"
#include "lib/store/notify.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_RETRY_US 50000

/* --- being told --- */

static bool
peer_trusted(int fd)
{
    struct ucred who;
    socklen_t size = sizeof(who);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
           (who.uid == geteuid() || who.uid == 0);
}

static void
accept_peer(struct yb_notify *n)
{
    int fd = accept4(n->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        if (yb_sys_scarce(errno)) /* the socket stays ready: not at once again */
            yb_clock_rest_us(ACCEPT_RETRY_US);
        return;
    }
    if (n->n_peers == YB_NOTIFY_PEERS || !peer_trusted(fd)) {
        close(fd);
        return;
    }
    n->peers[n->n_peers++] = fd;
    n->fn(n->arg, (struct yb_account_id){ { 0 } }, 0);
}

/* Everything a peer has sent; false when it is gone. */
static bool
hear_peer(struct yb_notify *n, int fd)
{
    char packet[YB_NOTICES_MOST * YB_NOTICE_BYTES + 1];
    ssize_t size;

    while ((size = recv(fd, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
        if (size % YB_NOTICE_BYTES != 0)
            return false;
        for (ssize_t at = 0; at < size; at += YB_NOTICE_BYTES) {
            struct yb_account_id id;
            uint32_t uidvalidity;

            memcpy(id.v, packet + at, YB_ID_BYTES);
            memcpy(&uidvalidity, packet + at + YB_ID_BYTES, 4);
            n->fn(n->arg, id, uidvalidity);
        }
    }
    return size < 0 && (errno == EAGAIN || errno == EINTR);
}

/* --- the thread --- */

static int
poll_timeout(struct yb_notify *n, int64_t left_ms)
{
    int64_t retry = -1;

    pthread_mutex_lock(&n->mutex);
    if (n->fn == NULL && n->fd < 0) {
        retry = n->retry_at_ms - yb_clock_ms();
        retry = retry < 0 ? 0 : retry;
    }
    pthread_mutex_unlock(&n->mutex);
    if (left_ms < 0 || (retry >= 0 && retry < left_ms))
        left_ms = retry;
    return left_ms > 60000 ? 60000 : (int)left_ms;
}

static nfds_t
poll_set(struct yb_notify *n, struct pollfd *p)
{
    nfds_t k = 0;

    p[k++] = (struct pollfd){ n->wake_fd, POLLIN, 0 };
    p[k++] = (struct pollfd){ n->listen_fd, POLLIN, 0 };
    p[k++] = (struct pollfd){ n->inotify_fd, POLLIN, 0 };
    pthread_mutex_lock(&n->mutex);
    p[k++] = (struct pollfd){ n->fd, yb_map_count(n->pending) > 0 ? POLLOUT : 0, 0 };
    pthread_mutex_unlock(&n->mutex);
    for (size_t i = 0; i < n->n_peers; i++)
        p[k++] = (struct pollfd){ n->peers[i], POLLIN, 0 };
    return k;
}

static void
serve_peers(struct yb_notify *n, const struct pollfd *p, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < n->n_peers; i++) {
        if (i < count && p[i].revents != 0 && !hear_peer(n, n->peers[i]))
            close(n->peers[i]);
        else
            n->peers[kept++] = n->peers[i];
    }
    n->n_peers = kept;
}

static void *
notify_main(void *arg)
{
    struct yb_notify *n = arg;
    struct pollfd p[4 + YB_NOTIFY_PEERS];
    int64_t left_ms = -1;
    uint64_t woken;

    for (;;) {
        nfds_t count = poll_set(n, p);
        size_t peers = n->n_peers;
        bool stop;

        (void)!poll(p, count, poll_timeout(n, left_ms));
        if ((p[0].revents & POLLIN) != 0)
            (void)!read(n->wake_fd, &woken, sizeof(woken));
        pthread_mutex_lock(&n->mutex);
        stop = n->stopping;
        if (!stop && n->fd >= 0 && (p[3].revents & (POLLERR | POLLHUP)) != 0)
            yb_notify_hang_up(n);
        if (!stop && n->fd < 0 && n->fn == NULL)
            yb_notify_connect(n);
        yb_notify_send(n);
        pthread_mutex_unlock(&n->mutex);
        if (stop)
            return NULL;
        serve_peers(n, p + 4, peers);
        if ((p[1].revents & POLLIN) != 0)
            accept_peer(n);
        if ((p[2].revents & POLLIN) != 0)
            yb_watch_hear(n);
        yb_watch_look(n, &left_ms);
    }
}

int
yb_store_on_change(struct yb_store *s,
                   void (*fn)(void *arg, struct yb_account_id account, uint32_t uidvalidity),
                   void *arg, struct yb_err *err)
{
    struct yb_notify *n = s->notify;
    struct sockaddr_un at;
    int rc = 0;

    pthread_mutex_lock(&n->mutex);
    n->arg = arg;
    n->fn = fn;
    if (s->notify_path != NULL) {
        n->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!unlink(s->notify_path); /* of a process that is gone: there is one imapd a node */
        if (n->listen_fd < 0 || yb_notify_address(s->notify_path, &at) < 0 ||
            bind(n->listen_fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
            listen(n->listen_fd, YB_NOTIFY_PEERS) < 0)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "listen on %s", s->notify_path);
    }
    n->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (rc == 0 && yb_notify_run(n) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "start a thread");
    pthread_mutex_unlock(&n->mutex);
    return rc;
}

int
yb_notify_start(struct yb_store *s, struct yb_err *err)
{
    struct yb_notify *n = yb_alloc(1, sizeof(*n));

    n->store = s;
    n->run = notify_main;
    n->fd = n->listen_fd = n->inotify_fd = -1;
    n->retry_ms = YB_NOTIFY_RETRY_MS;
    n->pending = yb_map_new();
    n->watches = yb_map_new();
    n->by_wd = yb_map_new();
    pthread_mutex_init(&n->mutex, NULL);
    n->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->notify = n;
    return n->wake_fd < 0 ? yb_err_sys(err, YB_TEMP, "4.3.0", "make an eventfd") : 0;
}

void
yb_notify_stop(struct yb_store *s)
{
    struct yb_notify *n = s->notify;

    if (n == NULL)
        return;
    pthread_mutex_lock(&n->mutex);
    n->stopping = true;
    pthread_mutex_unlock(&n->mutex);
    if (n->started) {
        yb_notify_wake(n);
        pthread_join(n->thread, NULL);
    }
    if (n->listen_fd >= 0)
        (void)!unlink(s->notify_path);
    yb_sys_close(&n->fd);
    yb_sys_close(&n->listen_fd);
    yb_sys_close(&n->inotify_fd);
    yb_sys_close(&n->wake_fd);
    for (size_t i = 0; i < n->n_peers; i++)
        close(n->peers[i]);
    yb_map_free(&n->pending);
    yb_assert(yb_map_count(n->watches) == 0); /* every watch was taken back */
    yb_map_free(&n->watches);
    yb_map_free(&n->by_wd);
    pthread_mutex_destroy(&n->mutex);
    yb_free(n);
    s->notify = NULL;
}
