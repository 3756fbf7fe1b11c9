/*
 * Notices: after every change the process that made it tells imapd which mailbox to look at again,
 * by packets of (account, UIDVALIDITY) over a SOCK_SEQPACKET socket. A notice says only "look": it
 * may be merged, and a new connection means "look at everything". What the socket does not take at
 * once is kept, merged, and sent by a thread when it can be written. imapd itself listens; the same
 * thread watches folders by inotify for what other programs change.
 */
#include "lib/base/log.h"
#include "lib/store/private.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ENTRY_BYTES (YB_ID_BYTES + 4)
#define PACKET_ENTRIES 64
#define PENDING_MOST 4096 /* more: hang up, so that the next connection says "everything" */
#define PEERS 64
#define RETRY_FIRST_MS 50
#define RETRY_LONGEST_MS 2000
#define ACCEPT_RETRY_US 50000
#define LOOK_AFTER_MS 20   /* a burst of changes is one look */
#define LOOK_AGAIN_MS 1100 /* where times move by ticks: when they can be believed */

/* A mailbox that somebody has selected, open or not. */
struct watch {
    struct yb_account_id account;
    uint32_t uidvalidity;
    unsigned users;
    int cur_wd, new_wd;     /* -1: the kernel takes no more */
    int64_t due_ms;         /* when to look; 0: nothing happened */
    struct watch *next_due; /* in the list when due_ms is not 0 */
    char folder[];
};

struct yb_notify {
    struct yb_store *store;
    pthread_mutex_t mutex;
    pthread_t thread;
    bool started, stopping;
    int wake_fd;

    /* telling */
    int fd;
    struct yb_map *pending; /* keys of ENTRY_BYTES */
    int64_t retry_ms, retry_at_ms, connected_ms;

    /* being told */
    void (*fn)(void *arg, struct yb_account_id account, uint32_t uidvalidity);
    void *arg;
    int listen_fd, peers[PEERS];
    size_t n_peers;

    /* watching */
    int inotify_fd;
    struct yb_map *watches; /* by an entry's bytes */
    struct yb_map *by_wd;   /* by a kernel's watch, two for each of them */
    struct watch *due;
};

static void
entry_make(char out[ENTRY_BYTES], struct yb_account_id account, uint32_t uidvalidity)
{
    memcpy(out, account.v, YB_ID_BYTES);
    memcpy(out + YB_ID_BYTES, &uidvalidity, 4);
}

static void
wake(struct yb_notify *n)
{
    uint64_t one = 1;

    (void)!write(n->wake_fd, &one, sizeof(one));
}

static int
address(const char *path, struct sockaddr_un *a)
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

static void
hang_up(struct yb_notify *n)
{
    yb_sys_close(&n->fd);
    yb_map_free(&n->pending); /* the next connection tells more than they would */
    n->pending = yb_map_new();
    if (yb_clock_ms() - n->connected_ms <
        RETRY_LONGEST_MS) /* who hangs up at once is not besieged */
        n->retry_at_ms = yb_clock_ms() + RETRY_FIRST_MS;
}

/* One packet; 1 sent, 0 not now, -1 the connection is gone. */
static int
send_packet(struct yb_notify *n, const char *packet, size_t size)
{
    if (send(n->fd, packet, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size)
        return 1;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
        return 0;
    hang_up(n);
    return -1;
}

static void
send_pending(struct yb_notify *n)
{
    while (n->fd >= 0 && yb_map_count(n->pending) > 0) {
        char packet[PACKET_ENTRIES * ENTRY_BYTES];
        struct yb_str key;
        void *value;
        size_t at = 0, count = 0;

        while (count < PACKET_ENTRIES && yb_map_next(n->pending, &at, &key, &value))
            memcpy(packet + ENTRY_BYTES * count++, key.p, ENTRY_BYTES);
        if (send_packet(n, packet, count * ENTRY_BYTES) != 1)
            return;
        for (size_t i = 0; i < count; i++)
            yb_map_remove(n->pending, yb_str(packet + ENTRY_BYTES * i, ENTRY_BYTES));
    }
}

static void
connect_peer(struct yb_notify *n)
{
    struct sockaddr_un to;
    int fd;

    if (n->fd >= 0 || n->fn != NULL || yb_clock_ms() < n->retry_at_ms)
        return;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && address(n->store->notify_path, &to) == 0 &&
        connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        n->fd = fd;
        n->retry_ms = RETRY_FIRST_MS;
        n->connected_ms = yb_clock_ms();
        return;
    }
    yb_sys_close(&fd);
    n->retry_at_ms = yb_clock_ms() + n->retry_ms;
    n->retry_ms = n->retry_ms * 2 < RETRY_LONGEST_MS ? n->retry_ms * 2 : RETRY_LONGEST_MS;
}

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
    if (n->n_peers == PEERS || !peer_trusted(fd)) {
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
    char packet[PACKET_ENTRIES * ENTRY_BYTES + 1];
    ssize_t size;

    while ((size = recv(fd, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
        if (size % ENTRY_BYTES != 0)
            return false;
        for (ssize_t at = 0; at < size; at += ENTRY_BYTES) {
            struct yb_account_id id;
            uint32_t uidvalidity;

            memcpy(id.v, packet + at, YB_ID_BYTES);
            memcpy(&uidvalidity, packet + at + YB_ID_BYTES, 4);
            n->fn(n->arg, id, uidvalidity);
        }
    }
    return size < 0 && (errno == EAGAIN || errno == EINTR);
}

/* --- watching --- */

/* n->mutex held: the mailbox is to be looked at in so many milliseconds, if it is not already. */
static void
watch_due(struct yb_notify *n, struct watch *w, int64_t in_ms)
{
    if (w->due_ms != 0)
        return;
    w->due_ms = yb_clock_ms() + in_ms;
    w->next_due = n->due;
    n->due = w;
}

static void
watch_not_due(struct yb_notify *n, struct watch *w)
{
    struct watch **at = &n->due;

    if (w->due_ms == 0)
        return;
    while (*at != w)
        at = &(*at)->next_due;
    *at = w->next_due;
    w->due_ms = 0;
}

static struct yb_str
wd_key(const int *wd)
{
    return yb_str((const char *)wd, sizeof(*wd));
}

/* n->mutex held. */
static void
hear_event(struct yb_notify *n, const struct inotify_event *e)
{
    struct watch *w;
    struct yb_str key;
    void *each;
    size_t at = 0;

    if ((e->mask & IN_Q_OVERFLOW) != 0) { /* nobody knows whose events were lost */
        while (yb_map_next(n->watches, &at, &key, &each))
            watch_due(n, each, LOOK_AFTER_MS);
        return;
    }
    w = yb_map_get(n->by_wd, wd_key(&e->wd));
    if (w != NULL)
        watch_due(n, w, LOOK_AFTER_MS);
}

static void
hear_folders(struct yb_notify *n)
{
    _Alignas(struct inotify_event) char buf[8192];
    ssize_t size;

    while ((size = read(n->inotify_fd, buf, sizeof(buf))) > 0) {
        pthread_mutex_lock(&n->mutex);
        for (ssize_t at = 0; at < size;) {
            struct inotify_event e;

            memcpy(&e, buf + at, sizeof(e));
            at += (ssize_t)(sizeof(e) + e.len);
            hear_event(n, &e);
        }
        pthread_mutex_unlock(&n->mutex);
    }
}

/* A watch as it was, for a look without n->mutex. */
struct look {
    struct yb_account_id account;
    uint32_t uidvalidity;
    struct yb_folder_dir dir;
};

/* The next mailbox whose look is due; false, and *left_ms until the next is. */
static bool
take_due(struct yb_notify *n, struct look *look, int64_t *left_ms)
{
    int64_t now = yb_clock_ms();
    bool found = false;

    *left_ms = -1;
    pthread_mutex_lock(&n->mutex);
    for (struct watch *w = n->due; w != NULL && !found; w = w->next_due) {
        found = w->due_ms <= now;
        if (found) {
            *look = (struct look){ .account = w->account, .uidvalidity = w->uidvalidity };
            memcpy(look->dir.s, w->folder, strlen(w->folder) + 1);
            watch_not_due(n, w);
            break;
        }
        if (*left_ms < 0 || w->due_ms - now < *left_ms)
            *left_ms = w->due_ms - now;
    }
    pthread_mutex_unlock(&n->mutex);
    return found;
}

/* Compares with the folders if they may have changed. False: it has to be looked at again. */
static bool
look_at(struct yb_mailbox *m)
{
    struct yb_index_head head;
    struct yb_err err = { 0 };
    bool certain = true;

    /* Our own changes wake us too: then the head agrees with the folders and nothing is read. */
    if (yb_mailbox_peek(m, &head) && yb_mailbox_untouched(m, &head))
        return true;
    if (yb_account_lock(m->account, &err) < 0)
        return false;
    if (yb_mailbox_enter(m, &err) < 0 || yb_mailbox_look(m, &err) < 0)
        yb_mailbox_log(m, "store.watch.trouble", &err);
    else
        certain = yb_mailbox_untouched(m, &m->head);
    yb_account_unlock(m->account);
    return certain;
}

static void
look_at_due(struct yb_notify *n, int64_t *left_ms)
{
    struct look look;

    while (take_due(n, &look, left_ms)) {
        struct yb_store_account *a = NULL;
        struct yb_mailbox *m = NULL;
        struct yb_err err = { 0 };
        bool again;

        if (yb_store_open(n->store, look.account, false, &a, &err) == 0 &&
            yb_mailbox_resume(a, look.dir.s, look.uidvalidity, &m, &err) == 0)
            again = !look_at(m);
        else
            again = err.class == YB_TEMP; /* else there is nothing to look at any more */
        yb_mailbox_close(&m);
        yb_store_close(&a);
        if (again) {
            char key[ENTRY_BYTES];
            struct watch *w;

            entry_make(key, look.account, look.uidvalidity);
            pthread_mutex_lock(&n->mutex);
            w = yb_map_get(n->watches, yb_str(key, sizeof(key)));
            if (w != NULL)
                watch_due(n, w, LOOK_AGAIN_MS);
            pthread_mutex_unlock(&n->mutex);
        }
    }
}

static int
watch_folder(int inotify_fd, int fd)
{
    char path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return inotify_add_watch(inotify_fd, path,
                             IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
}

/* n->mutex held. */
static struct watch *
watch_new(struct yb_notify *n, const struct yb_mailbox *m, struct yb_str key)
{
    size_t size = strlen(m->dir.s) + 1;
    struct watch *w = yb_alloc(1, sizeof(*w) + size);

    w->account = m->account->id;
    w->uidvalidity = m->uidvalidity;
    memcpy(w->folder, m->dir.s, size);
    w->cur_wd = watch_folder(n->inotify_fd, m->cur_fd);
    w->new_wd = watch_folder(n->inotify_fd, m->new_fd);
    if (w->cur_wd >= 0)
        yb_map_put(n->by_wd, wd_key(&w->cur_wd), w);
    if (w->new_wd >= 0)
        yb_map_put(n->by_wd, wd_key(&w->new_wd), w);
    yb_map_put(n->watches, key, w);
    return w;
}

/* n->mutex held. The kernel's watch may be another mailbox's by now: the same folder with a new
 * UIDVALIDITY. */
static void
watch_end(struct yb_notify *n, const struct watch *w, int wd)
{
    if (wd < 0 || yb_map_get(n->by_wd, wd_key(&wd)) != w)
        return;
    yb_map_remove(n->by_wd, wd_key(&wd));
    inotify_rm_watch(n->inotify_fd, wd);
}

uint32_t
yb_mailbox_watch(struct yb_mailbox *m)
{
    struct yb_notify *n = m->account->store->notify;
    uint32_t uidvalidity = m->uidvalidity;
    char key[ENTRY_BYTES];
    struct watch *w;

    entry_make(key, m->account->id, uidvalidity);
    pthread_mutex_lock(&n->mutex);
    if (n->inotify_fd >= 0) {
        w = yb_map_get(n->watches, yb_str(key, sizeof(key)));
        if (w == NULL)
            w = watch_new(n, m, yb_str(key, sizeof(key)));
        w->users++;
    }
    pthread_mutex_unlock(&n->mutex);
    return uidvalidity;
}

void
yb_store_unwatch(struct yb_store *s, struct yb_account_id account, uint32_t uidvalidity)
{
    struct yb_notify *n = s->notify;
    char key[ENTRY_BYTES];
    struct watch *w;

    entry_make(key, account, uidvalidity);
    pthread_mutex_lock(&n->mutex);
    w = yb_map_get(n->watches, yb_str(key, sizeof(key)));
    if (w != NULL && --w->users == 0) {
        yb_map_remove(n->watches, yb_str(key, sizeof(key)));
        watch_end(n, w, w->cur_wd);
        watch_end(n, w, w->new_wd);
        watch_not_due(n, w);
        yb_free(w);
    }
    pthread_mutex_unlock(&n->mutex);
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
    struct pollfd p[4 + PEERS];
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
            hang_up(n);
        if (!stop && n->fd < 0 && n->fn == NULL)
            connect_peer(n);
        send_pending(n);
        pthread_mutex_unlock(&n->mutex);
        if (stop)
            return NULL;
        serve_peers(n, p + 4, peers);
        if ((p[1].revents & POLLIN) != 0)
            accept_peer(n);
        if ((p[2].revents & POLLIN) != 0)
            hear_folders(n);
        look_at_due(n, &left_ms);
    }
}

/* n->mutex held. */
static int
start_thread(struct yb_notify *n)
{
    if (n->started)
        return 0;
    n->started = pthread_create(&n->thread, NULL, notify_main, n) == 0;
    return n->started ? 0 : -1;
}

void
yb_notify_changed(struct yb_mailbox *m)
{
    struct yb_notify *n = m->account->store->notify;
    char entry[ENTRY_BYTES];
    bool rouse = false;

    if (n == NULL) /* the orderly stop */
        return;
    if (n->fn != NULL) { /* set before any mailbox is opened, never changed */
        n->fn(n->arg, m->account->id, m->uidvalidity);
        return;
    }
    if (n->store->notify_path == NULL)
        return;
    entry_make(entry, m->account->id, m->uidvalidity);
    pthread_mutex_lock(&n->mutex);
    if (n->fd < 0)
        connect_peer(n);
    if (n->fd >= 0 && (yb_map_count(n->pending) > 0 || send_packet(n, entry, sizeof(entry)) == 0)) {
        yb_map_put(n->pending, yb_str(entry, sizeof(entry)), n);
        if (yb_map_count(n->pending) > PENDING_MOST)
            hang_up(n);
        (void)!start_thread(n);
        rouse = true;
    } else if (n->fd < 0) { /* not there, or gone just now: the next connection tells all */
        rouse = true;
        (void)!start_thread(n);
    }
    pthread_mutex_unlock(&n->mutex);
    if (rouse)
        wake(n);
}

int
yb_store_tell(struct yb_store *s, struct yb_err *err)
{
    struct yb_notify *n = s->notify;
    int rc = 0;

    if (n->store->notify_path == NULL)
        return 0;
    pthread_mutex_lock(&n->mutex);
    if (start_thread(n) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "start a thread");
    pthread_mutex_unlock(&n->mutex);
    return rc;
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
        if (n->listen_fd < 0 || address(s->notify_path, &at) < 0 ||
            bind(n->listen_fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
            listen(n->listen_fd, PEERS) < 0)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "listen on %s", s->notify_path);
    }
    n->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (rc == 0 && start_thread(n) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "start a thread");
    pthread_mutex_unlock(&n->mutex);
    return rc;
}

int
yb_notify_start(struct yb_store *s, struct yb_err *err)
{
    struct yb_notify *n = yb_alloc(1, sizeof(*n));

    n->store = s;
    n->fd = n->listen_fd = n->inotify_fd = -1;
    n->retry_ms = RETRY_FIRST_MS;
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
        wake(n);
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
