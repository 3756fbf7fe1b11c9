/*
 * The slow round over all accounts. Their heads are read as they lie there, without lock and without
 * a handle: it must not take the place of those in use, and what changes meanwhile is reported by who
 * changes it. Only a head that is not whole, busy, or another boot's, is opened and mended.
 */
#include "lib/store/life.h"
#include "lib/store/sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#define OUTER 256     /* folders of the root */
#define WAITING 20000 /* sizes that wait to be reported: then the round waits, too */

struct yb_store_round {
    struct yb_store *store;
    unsigned outer;            /* the next to be listed */
    struct yb_account_id *ids; /* of the one before it */
    size_t n, at, room;
};

struct yb_store_round *
yb_store_round_new(struct yb_store *s)
{
    struct yb_store_round *r = yb_alloc(1, sizeof(*r));

    r->store = s;
    return r;
}

void
yb_store_round_free(struct yb_store_round **r)
{
    if (*r == NULL)
        return;
    yb_free((*r)->ids);
    yb_free(*r);
    *r = NULL;
}

static void
list_outer(struct yb_store_round *r, int root_fd)
{
    char name[3];
    int fd;
    DIR *list;

    snprintf(name, sizeof(name), "%02x", r->outer++ & 0xff);
    r->n = r->at = 0;
    fd = yb_sys_open(root_fd, name, O_RDONLY | O_DIRECTORY);
    list = fd < 0 ? NULL : fdopendir(fd);
    if (list == NULL) {
        yb_sys_close(&fd);
        return;
    }
    for (struct dirent *e; (e = readdir(list)) != NULL;) {
        struct yb_account_id id;

        if (!yb_account_id_parse(yb_str_from(e->d_name), &id))
            continue;
        if (r->n == r->room) {
            r->room = r->room * 2 + 64;
            r->ids = yb_realloc(r->ids, r->room, sizeof(*r->ids));
        }
        r->ids[r->n++] = id;
    }
    closedir(list);
}

static bool
read_head(struct yb_store *s, int root_fd, struct yb_account_id id, struct yb_lock_head *head)
{
    char text[YB_ID_TEXT], path[YB_ID_TEXT + 16];
    uint8_t boot[YB_ID_BYTES];
    bool whole;
    int fd;

    yb_account_id_text(id, text);
    snprintf(path, sizeof(path), "%.2s/%s/" YB_LOCK_FILE, text, text);
    fd = yb_sys_open(root_fd, path, O_RDONLY | O_NOFOLLOW);
    if (fd < 0)
        return false;
    yb_lockfile_boot(fd, s->boot, boot);
    whole =
        yb_lockfile_read(fd, head) && head->busy == 0 && memcmp(head->boot, boot, YB_ID_BYTES) == 0;
    yb_sys_close(&fd);
    return whole;
}

static void
visit(struct yb_store *s, int root_fd, struct yb_account_id id)
{
    struct yb_store_account *a = NULL;
    struct yb_lock_head head;
    struct yb_err err = { 0 };

    if (read_head(s, root_fd, id, &head)) {
        yb_usage_note(s, id, &head, false);
    } else if (yb_store_open(s, id, false, &a, &err) == 0) {
        /* What stands against it is told where somebody wants something of it. */
        (void)!yb_store_usage_again(a, &err);
        yb_store_close(&a);
    }
}

static bool
too_many_wait(struct yb_store *s)
{
    bool many;

    pthread_mutex_lock(&s->mutex);
    many = yb_map_count(s->usage) > WAITING;
    pthread_mutex_unlock(&s->mutex);
    return many;
}

bool
yb_store_round_go(struct yb_store_round *r, int64_t budget_ms)
{
    struct yb_deadline until = yb_deadline_in(budget_ms);
    struct yb_err err = { 0 };
    int root_fd = yb_root_fd(r->store, &err);

    while (root_fd >= 0 && yb_deadline_left(until) > 0 && !too_many_wait(r->store)) {
        if (r->at < r->n)
            visit(r->store, root_fd, r->ids[r->at++]);
        else if (r->outer < OUTER)
            list_outer(r, root_fd);
        else
            return false;
    }
    return true;
}
