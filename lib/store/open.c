/*
 * Accounts and mailboxes opened for whoever asks, and what they are asked first: usage, status, a
 * message's file.
 */
#include "lib/store/sys.h"
#include "lib/store/truth.h"

#include <errno.h>

/* Deliveries begin without the lock, so what locking would find is looked for here, too. An account
 * that is open already is not used while its root is away or another's, either. */
static int
open_once(struct yb_store *s, struct yb_account_id id, bool create, struct yb_store_account **a,
          struct yb_err *err)
{
    if (yb_account_open(s, id, create, a, err) < 0 || yb_account_stands(*a, err) < 0)
        return -1;
    if (yb_account_in_place(*a))
        return 0;
    if (yb_account_lock_read(*a, err) < 0)
        return -1;
    yb_account_unlock(*a);
    return 0;
}

int
yb_store_open(struct yb_store *s, struct yb_account_id id, bool create,
              struct yb_store_account **out, struct yb_err *err)
{
    struct yb_store_account *a = NULL;
    struct yb_err why = { 0 };
    bool gone;

    for (int i = 0; i < 2; i++) {
        why = (struct yb_err){ 0 };
        if (open_once(s, id, create, &a, &why) == 0) {
            *out = a;
            return 0;
        }
        gone = a != NULL && atomic_load(&a->gone);
        yb_store_close(&a);
        if (!gone) /* else another may stand in its place */
            break;
    }
    if (err != NULL)
        *err = why;
    return -1;
}

int
yb_store_usage(struct yb_store_account *a, struct yb_usage *out, struct yb_err *err)
{
    if (yb_account_lock_read(a, err) < 0)
        return -1;
    *out = (struct yb_usage){ a->head.bytes, a->head.messages, a->head.change, false };
    yb_account_unlock(a);
    return 0;
}

int
yb_store_usage_again(struct yb_store_account *a, struct yb_err *err)
{
    if (yb_account_lock_read(a, err) < 0)
        return -1;
    yb_account_note_usage(a, false);
    yb_account_unlock(a);
    return 0;
}

int
yb_mailbox_open(struct yb_store_account *a, struct yb_str name, struct yb_mailbox **out,
                struct yb_err *err)
{
    struct yb_folder_dir dir;
    struct yb_mailbox *m = NULL;
    int rc = -1;

    if (yb_folder_to_dir(name, &dir, err) < 0 || yb_account_lock_read(a, err) < 0)
        return -1;
    do {
        yb_mailbox_close(&m);
        if (yb_mailbox_find_entered(a, &dir, false, &m, err) == 0)
            rc = yb_mailbox_look(m, err);
    } while (rc < 0 && m != NULL && m->over);
    yb_account_unlock(a);
    if (rc < 0)
        yb_mailbox_close(&m);
    else
        *out = m;
    return rc;
}

struct search {
    struct yb_store_account *a;
    uint32_t uidvalidity;
    struct yb_mailbox *found;
    struct yb_err trouble; /* of a folder that could not be looked at: it may be the one */
};

/* Under the account lock: is the mailbox of this folder the one meant? */
static int
search_folder(void *arg, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct search *s = arg;
    struct yb_err why = { 0 };

    (void)err;
    if (s->found != NULL)
        return 0;
    if (yb_mailbox_find_entered(s->a, dir, false, &s->found, &why) == 0 &&
        atomic_load(&s->found->uidvalidity) == s->uidvalidity)
        return 0;
    if (why.class == YB_TEMP)
        s->trouble = why;
    yb_mailbox_close(&s->found);
    return 0;
}

int
yb_mailbox_resume(struct yb_store_account *a, const char *folder, uint32_t uidvalidity,
                  struct yb_mailbox **out, struct yb_err *err)
{
    struct search s = { .a = a, .uidvalidity = uidvalidity };
    struct yb_folder_dir dir;
    int rc;

    yb_assert(yb_str_copy(yb_str_from(folder), dir.s, sizeof(dir.s)));
    *out = yb_mailbox_kept(a, &dir, uidvalidity);
    if (*out != NULL)
        return 0;
    if (yb_account_lock_read(a, err) < 0)
        return -1;
    rc = search_folder(&s, &dir, err);
    if (s.found == NULL && s.trouble.class == YB_OK) /* renamed meanwhile? */
        rc = yb_account_folders(a, search_folder, &s, err);
    yb_account_unlock(a);
    if (s.found != NULL) {
        *out = s.found;
        return 0;
    }
    if (rc == 0 && s.trouble.class == YB_OK)
        return yb_mailbox_err_gone(err);
    if (rc == 0 && err != NULL)
        *err = s.trouble;
    return -1;
}

int
yb_mailbox_status_read(struct yb_mailbox *m, struct yb_mailbox_status *out, struct yb_err *err)
{
    struct yb_index_head head;
    int rc = 0;

    if (!yb_mailbox_peek(m, &head) || !yb_mailbox_untouched(m, &head)) {
        if (yb_account_lock_read(m->account, err) < 0)
            return -1;
        if (yb_mailbox_enter(m, err) < 0 || yb_mailbox_look(m, err) < 0)
            rc = -1;
        head = m->head;
        yb_account_unlock(m->account);
    }
    *out = (struct yb_mailbox_status){ .uidvalidity = head.uidvalidity,
                                       .uidnext = head.uidnext,
                                       .messages = head.messages,
                                       .recent = head.recent,
                                       .unseen = head.unseen,
                                       .deleted = head.deleted,
                                       .highest_modseq = head.modseq,
                                       .bytes = head.bytes,
                                       .deleted_bytes = head.deleted_bytes };
    return rc;
}

/* The message's file by what the index says without the lock; -1 with errno, ENOENT when that does
 * not lead to it. */
static int
message_try(struct yb_mailbox *m, const struct yb_record *r)
{
    struct yb_index_head head = { .uidvalidity = m->uidvalidity };
    struct yb_index_slot slot;
    char name[YB_NAME_MAX];
    bool found;

    pthread_mutex_lock(&m->mutex);
    found = m->index_fd >= 0 && yb_index_read_slots(m->index_fd, r->slot, 1, &slot) == 1;
    pthread_mutex_unlock(&m->mutex);
    errno = ENOENT;
    if (!found || slot.uid != r->uid || (slot.state & YB_SLOT_LIVE) == 0)
        return -1;
    yb_index_name(&head, &slot, name);
    return yb_sys_open_message(yb_mailbox_place_fd(m, &slot), name);
}

int
yb_mailbox_message(struct yb_mailbox *m, const struct yb_record *r, int *fd, struct yb_err *err)
{
    struct yb_index_slot slot;
    struct yb_record now = *r;
    size_t place;
    int rc;

    *fd = message_try(m, r);
    if (*fd >= 0)
        return 0;
    if (errno != ENOENT)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open a message");
    if (yb_account_lock_read(m->account, err) < 0)
        return -1;
    rc = yb_mailbox_enter(m, err);
    for (int i = 0; i < 2 && rc == 0; i++) {
        bool found = yb_mailbox_slot(m, r->uid, r->slot, &slot, &place);

        if (m->damaged) {
            rc = i == 0 ? yb_mailbox_enter(m, err) : yb_mailbox_err_damaged(err);
            continue;
        }
        if (!found || (slot.state & YB_SLOT_LIVE) == 0)
            break;
        now.slot = (uint32_t)place;
        *fd = message_try(m, &now);
        if (*fd < 0 && errno != ENOENT)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "open a message");
        if (*fd >= 0 || rc < 0)
            break;
        /* Under the lock and still not there: somebody else took or renamed it. */
        if (i == 0)
            rc = yb_mailbox_compare(m, true, YB_COMPARE_FOREIGN, err);
    }
    yb_account_unlock(m->account);
    if (rc == 0 && *fd < 0)
        rc = yb_err_as(err, YB_ERR_GONE, YB_PERM, "5.2.0", "The message is gone");
    return rc;
}
