/*
 * The lock of an account: whoever has it (queue.c) finds the account at home here, its head current
 * and whole.
 *
 *   call                    finds                             does
 *   yb_account_lock()       state is not HOME                 TEMP: nothing changes here
 *   yb_account_lock_read()  state is MOVING                   goes on where nothing has to be mended
 *   both                    another root or folder there      TEMP, and the handle is gone (place.c)
 *                           state cannot be read              TEMP, and notes it (state.c)
 *                           the first form of the file        writes it anew
 *                           head whole, this boot, not busy   goes on
 *                           busy: its maker died half-way     yb_account_repair(): compares
 *                           another boot, torn, empty         the same, counts usage, refills the ring
 *                           another Maildir in its place      yb_account_look(), then as busy
 *                           folders != folders_seen           forgets which name is which folder
 *   yb_account_busy()                                         head with busy = 1
 *   yb_account_settle()                                       head with usage and busy = 0
 */
#include "lib/store/truth.h"

enum purpose {
    CHANGE,
    READ,
    WITHDRAW, /* of a message that was never answered for */
};

/* May this be done to an account of this state? */
static int
state_check(struct yb_store_account *a, enum purpose purpose, struct yb_err *err)
{
    if (a->state == YB_ACCOUNT_HOME || (a->state == YB_ACCOUNT_MOVING && purpose != CHANGE))
        return 0;
    if (a->state != YB_ACCOUNT_UNKNOWN)
        return yb_account_err_moving(err);
    yb_account_note_unknown(a);
    return yb_err_as(err, YB_ERR_AWAY, YB_TEMP, "4.3.2",
                     "Where this mailbox is at home is being found out");
}

/* The number of the next change of usage is above all that were told, though the head be lost. */
static void
told_lost(struct yb_store_account *a, const struct yb_lock_durable *d)
{
    a->head = (struct yb_lock_head){ .change = d->change_ceiling };
    a->told = (struct yb_usage){ .bytes = UINT64_MAX };
}

/* Reads the head; repairs what an interrupted change or stop left. */
static int
head_load(struct yb_store_account *a, enum purpose purpose, struct yb_err *err)
{
    struct yb_lock_look look;
    bool same;

    if (yb_account_stands(a, err) < 0)
        return -1;
    yb_lockfile_look(a->lock_fd, &look);
    a->state = look.durable.state;
    if (state_check(a, purpose, err) < 0)
        return -1;
    if (look.old) {
        if (yb_lockfile_renew(a->lock_fd, &look) < 0)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_LOCK_FILE);
        yb_lockfile_look(a->lock_fd, &look);
    }
    a->head = look.head;
    a->usage_unknown = false; /* who left it so left the busy mark, too */
    a->told = (struct yb_usage){ look.head.bytes, look.head.messages, look.head.change, false };
    if (memcmp(a->head.boot, a->boot, YB_ID_BYTES) != 0)
        look.whole = false;
    if (!look.whole)
        told_lost(a, &look.durable);
    if (yb_account_look(a, &same, err) < 0)
        return -1;
    if (!look.whole || !same || a->head.busy != 0) {
        if (yb_account_repair(a, look.whole, err) < 0)
            return -1;
    }
    if (a->head.folders != a->folders_seen) {
        yb_mailbox_forget_all(a);
        a->folders_seen = a->head.folders;
    }
    return 0;
}

static int
lock_for(struct yb_store_account *a, enum purpose purpose, struct yb_err *err)
{
    if (yb_account_hold(a, err) < 0)
        return -1;
    if (head_load(a, purpose, err) < 0) {
        yb_account_unlock(a);
        return -1;
    }
    return 0;
}

int
yb_account_lock(struct yb_store_account *a, struct yb_err *err)
{
    return lock_for(a, CHANGE, err);
}

int
yb_account_lock_read(struct yb_store_account *a, struct yb_err *err)
{
    return lock_for(a, READ, err);
}

int
yb_account_lock_withdraw(struct yb_store_account *a, struct yb_err *err)
{
    return lock_for(a, WITHDRAW, err);
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

int
yb_account_in_batches(struct yb_store_account *a, size_t n,
                      int (*some)(void *arg, size_t first, size_t count, struct yb_err *err),
                      void *arg, struct yb_err *err)
{
    for (size_t first = 0, count; first < n; first += count) {
        count = n - first < YB_BATCH ? n - first : YB_BATCH;
        if (first > 0 && yb_account_breathe(a, err) < 0)
            return -2;
        if (some(arg, first, count, err) < 0)
            return -1;
    }
    return 0;
}
