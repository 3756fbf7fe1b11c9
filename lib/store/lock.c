/*
 * The lock of an account: whoever has it (queue.c) finds the account's head current and whole.
 *
 *   call                    finds                             does
 *   yb_account_lock()       head whole, this boot, not busy   goes on
 *                           busy: its maker died half-way     yb_account_repair(): compares
 *                           another boot, torn, empty         the same, counts usage, refills the ring
 *                           another Maildir in its place      yb_account_look(), then as busy
 *                           folders != folders_seen           forgets which name is which folder
 *   yb_account_busy()                                         head with busy = 1
 *   yb_account_settle()                                       head with usage and busy = 0
 */
#include "lib/store/truth.h"

/* Reads the head; repairs what an interrupted change or stop left. */
static int
head_load(struct yb_store_account *a, struct yb_err *err)
{
    bool valid = yb_lockfile_read(a->lock_fd, &a->head) &&
                 memcmp(a->head.boot, a->store->boot, YB_ID_BYTES) == 0,
         same;

    if (yb_account_look(a, &same, err) < 0)
        return -1;
    if (!valid || !same || a->head.busy != 0) {
        if (yb_account_repair(a, valid, err) < 0)
            return -1;
    }
    if (a->head.folders != a->folders_seen) {
        yb_mailbox_forget_all(a);
        a->folders_seen = a->head.folders;
    }
    return 0;
}

int
yb_account_lock(struct yb_store_account *a, struct yb_err *err)
{
    if (yb_account_hold(a, err) < 0)
        return -1;
    if (head_load(a, err) < 0) {
        yb_account_unlock(a);
        return -1;
    }
    return 0;
}

int
yb_account_breathe(struct yb_store_account *a, struct yb_err *err)
{
    bool wanted =
        yb_lockfile_wanted(a->lock_fd); /* the descriptor is the next holder's to replace */

    yb_account_unlock(a);
    if (wanted)
        yb_clock_rest_us(YB_LOCK_NAP_US * 2); /* longer than a waiter's nap: he comes first */
    return yb_account_lock(a, err);
}
