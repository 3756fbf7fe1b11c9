/*
 * Dirty marks. A mailbox this process changed is synced once it has been quiet for a minute, or at
 * an orderly stop, and then its mark is cleared if nobody changed it since: after a power cut only
 * what is still marked has to be made anew. Deliveries never wait for it.
 */
#include "lib/store/dirty.h"
#include "lib/store/life.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PASSES 12    /* in the time that a mailbox has to be quiet */
#define PASS_MOST 64 /* mailboxes synced in one pass */
#define STOP_MS 5000 /* what is left then stays marked: safe, only slower after a power cut */

/* Under no lock: the index first, then the names it speaks of. */
static int
sync_mailbox(struct yb_mailbox *m)
{
    int fd;
    int rc;

    pthread_mutex_lock(&m->mutex);
    fd = m->index_fd < 0 ? -1 : dup(m->index_fd);
    pthread_mutex_unlock(&m->mutex);
    if (fd < 0)
        return -1;
    rc = yb_sys_fdatasync(fd) < 0 || yb_sys_fsync(m->cur_fd) < 0 || yb_sys_fsync(m->new_fd) < 0;
    close(fd);
    return rc ? -1 : 0;
}

/* Clears the mark when nothing changed since the noted change; `synced`: it is on disk already. */
static void
clean(struct yb_store *s, const struct yb_noted *e, bool synced)
{
    struct yb_store_account *a;
    struct yb_mailbox *m = NULL;
    struct yb_err err = { 0 };

    if (yb_store_open(s, e->account, false, &a, &err) < 0)
        return;
    if (yb_account_lock_read(a, &err) == 0) {
        if (yb_mailbox_find(a, &e->dir, false, &m, &err) < 0)
            m = NULL;
        yb_account_unlock(a);
    }
    if (m != NULL && (synced || sync_mailbox(m) == 0) && yb_account_lock_read(a, &err) == 0) {
        if (yb_mailbox_enter(m, &err) == 0 && m->head.changes == e->changes) {
            m->head.marks &= ~YB_INDEX_DIRTY;
            (void)!yb_index_write_head(m->index_fd, &m->head);
        }
        yb_account_unlock(a);
    }
    yb_mailbox_close(&m);
    yb_store_close(&a);
}

static void *
tidy_main(void *arg)
{
    struct yb_tidy *t = arg;
    struct yb_noted *quiet = yb_alloc(PASS_MOST, sizeof(*quiet));

    yb_room_keep(t->store);
    pthread_mutex_lock(&t->mutex);
    while (!t->stopping) {
        int64_t quiet_ms = t->store->conf.tidy_quiet_ms;
        struct timespec until = yb_clock_wait(quiet_ms / PASSES + 1);
        size_t n;

        if (pthread_cond_timedwait(&t->stop, &t->mutex, &until) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&t->mutex);
        yb_room_keep(t->store);
        n = yb_dirty_take(t, yb_clock_ms() - quiet_ms, quiet, PASS_MOST);
        for (size_t i = 0; i < n; i++)
            clean(t->store, &quiet[i], false);
        pthread_mutex_lock(&t->mutex);
    }
    pthread_mutex_unlock(&t->mutex);
    yb_free(quiet);
    return NULL;
}

int
yb_tidy_start(struct yb_store *s, struct yb_err *err)
{
    struct yb_tidy *t = yb_alloc(1, sizeof(*t));
    int rc;

    t->store = s;
    t->noted = yb_map_new();
    pthread_mutex_init(&t->mutex, NULL);
    yb_clock_cond_init(&t->stop);
    s->tidy = t; /* the thread's own changes are noted, too */
    rc = pthread_create(&t->thread, NULL, tidy_main, t);
    if (rc != 0) {
        s->tidy = NULL;
        yb_map_free(&t->noted);
        yb_free(t);
        errno = rc;
        return yb_err_sys(err, YB_TEMP, "4.3.0", "start a thread");
    }
    return 0;
}

void
yb_tidy_stop(struct yb_store *s)
{
    struct yb_tidy *t = s->tidy;
    struct yb_deadline deadline = yb_deadline_in(STOP_MS);
    struct yb_noted e;

    if (t == NULL)
        return;
    pthread_mutex_lock(&t->mutex);
    t->stopping = true;
    pthread_cond_signal(&t->stop);
    pthread_mutex_unlock(&t->mutex);
    pthread_join(t->thread, NULL);
    s->tidy = NULL; /* what cleaning does is not noted again */
    if (yb_map_count(t->noted) > 0 && s->root_fd >= 0 && syncfs(s->root_fd) == 0) {
        while (yb_deadline_left(deadline) > 0 && yb_dirty_take(t, INT64_MAX, &e, 1) == 1)
            clean(s, &e, true);
    }
    for (;;) {
        if (yb_dirty_take(t, INT64_MAX, &e, 1) == 0)
            break;
    }
    yb_map_free(&t->noted);
    pthread_mutex_destroy(&t->mutex);
    pthread_cond_destroy(&t->stop);
    yb_free(t);
}
