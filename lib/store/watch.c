/*
 * Folders watched by inotify for what other programs change, and looked at when they did.
 */
#include "lib/store/life.h"
#include "lib/store/notify.h"

#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LOOK_AFTER_MS 20   /* a burst of changes is one look */
#define LOOK_AGAIN_MS 1100 /* where times move by ticks: when they can be believed */

/* A mailbox that somebody has selected, open or not. */
struct yb_watch {
    struct yb_account_id account;
    uint32_t uidvalidity;
    unsigned users;
    int cur_wd, new_wd;        /* -1: the kernel takes no more */
    int64_t due_ms;            /* when to look; 0: nothing happened */
    struct yb_watch *next_due; /* in the list when due_ms is not 0 */
    char folder[];
};

/* n->mutex held: the mailbox is to be looked at in so many milliseconds, if it is not already. */
static void
watch_due(struct yb_notify *n, struct yb_watch *w, int64_t in_ms)
{
    if (w->due_ms != 0)
        return;
    w->due_ms = yb_clock_ms() + in_ms;
    w->next_due = n->due;
    n->due = w;
}

static void
watch_not_due(struct yb_notify *n, struct yb_watch *w)
{
    struct yb_watch **at = &n->due;

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
    struct yb_watch *w;
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

void
yb_watch_hear(struct yb_notify *n)
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
    for (struct yb_watch *w = n->due; w != NULL && !found; w = w->next_due) {
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
    if (yb_account_lock_read(m->account, &err) < 0)
        return false;
    if (yb_mailbox_enter(m, &err) < 0 || yb_mailbox_look(m, &err) < 0)
        yb_mailbox_log(m, "store.watch.trouble", &err);
    else
        certain = yb_mailbox_untouched(m, &m->head);
    yb_account_unlock(m->account);
    return certain;
}

void
yb_watch_look(struct yb_notify *n, int64_t *left_ms)
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
            char key[YB_NOTICE_BYTES];
            struct yb_watch *w;

            yb_notice(key, look.account, look.uidvalidity);
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
static struct yb_watch *
watch_new(struct yb_notify *n, const struct yb_mailbox *m, struct yb_str key)
{
    size_t size = strlen(m->dir.s) + 1;
    struct yb_watch *w = yb_alloc(1, sizeof(*w) + size);

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
watch_end(struct yb_notify *n, const struct yb_watch *w, int wd)
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
    char key[YB_NOTICE_BYTES];
    struct yb_watch *w;

    yb_notice(key, m->account->id, uidvalidity);
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
    char key[YB_NOTICE_BYTES];
    struct yb_watch *w;

    yb_notice(key, account, uidvalidity);
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
