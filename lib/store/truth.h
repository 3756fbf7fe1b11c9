/*
 * The third floor of lib/store: whatever the disk holds, an account that is locked and a mailbox that
 * is entered are true. Its files call each other in a circle: to enter a mailbox may compare it, to
 * compare one may count the account again, which enters them all.
 */
#ifndef YB_STORE_TRUTH_H
#define YB_STORE_TRUTH_H

#include "lib/store/handles.h"

/* --- lock.c --- */
/* The account's lock, to change something: afterwards account.head is what the file says, and nothing
 * is half done. An account that is not at home here is TEMP 4.3.2: YB_ERR_MOVING, or YB_ERR_AWAY
 * when that cannot be told. */
int yb_account_lock(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* To read: also while the account is being moved, where nothing has to be mended first. */
int yb_account_lock_read(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* To take back what was never answered for: also while the account is being moved. */
int yb_account_lock_withdraw(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* Gives the lock to those who wait and takes it again; mailboxes must be entered again. */
int yb_account_breathe(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;

/* Under the account lock: some(arg, first, count) for n things, YB_BATCH at a time; between them whoever
 * waits for the account gets it, and mailboxes must be entered again. 0; -1: some() failed; -2: the lock
 * is gone. */
int yb_account_in_batches(struct yb_store_account *a, size_t n,
                          int (*some)(void *arg, size_t first, size_t count, struct yb_err *err),
                          void *arg, struct yb_err *err) YB_MUST_USE;

/* --- state.c --- */
int yb_account_err_moving(struct yb_err *err);
/* Under the account lock: may what is on disk be changed, if only to mend it? TEMP, YB_ERR_MOVING. */
int yb_account_may_change(const struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;
/* The state could not be read. */
void yb_account_note_unknown(struct yb_store_account *a);
void yb_store_unknown_free(struct yb_store *s);

/* --- repair.c --- */
/* Under the account lock: after another boot, a torn head or a busy mark. Every mailbox is
 * compared, usage is counted again, the ring of ids refilled when it is another boot's. */
int yb_account_repair(struct yb_store_account *a, bool head_valid, struct yb_err *err) YB_MUST_USE;
/* Under the account lock, the end of a change: usage is written, and the busy mark cleared. Where
 * somebody noted that it is not known (account.usage_unknown) it is counted first, from the heads of all
 * mailboxes. */
int yb_account_settle(struct yb_store_account *a, struct yb_err *err) YB_MUST_USE;

/* --- trash.c; under the account lock --- */
#define YB_TRASH "trash."
#define YB_TRASH_TEXT (sizeof(YB_TRASH) + YB_ID_TEXT)
/* The folder out of Maildir, under a name that nobody looks at. */
int yb_folder_trash(struct yb_store_account *a, const struct yb_folder_dir *dir,
                    char trash[YB_TRASH_TEXT], struct yb_err *err) YB_MUST_USE;
/* A folder whose deletion was interrupted after its mark. */
void yb_folder_finish_delete(struct yb_store_account *a, const struct yb_folder_dir *dir);
void yb_folder_empty_trash(struct yb_store_account *a);

/* --- identity.c; under the account lock unless it says otherwise --- */
/* Under the account lock: the next UIDVALIDITY of this account, above `above`, synced; 0 with *err. */
uint32_t yb_account_next_uidvalidity(struct yb_store_account *a, uint32_t above,
                                     struct yb_err *err) YB_MUST_USE;
/* Who it is: what yubin-uid says; a new UIDVALIDITY when that is unreadable, never a guess. */
int yb_mailbox_identify(struct yb_mailbox *m, const struct yb_index_head *head,
                        struct yb_err *err) YB_MUST_USE;
/* yubin-uid was not as expected: as after entering, or TEMP when it is again. Always -1. */
int yb_mailbox_doubt(struct yb_mailbox *m, struct yb_err *err);
/* UIDNEXT and MODSEQ may grow so far (exclusive) without passing a synced ceiling. */
int yb_mailbox_reserve(struct yb_mailbox *m, uint64_t uids, uint64_t modseqs,
                       struct yb_err *err) YB_MUST_USE;
/* Not under the lock: raises ceilings ahead, so that no one has to do it under the lock. */
void yb_mailbox_raise_ahead(struct yb_mailbox *m, const struct yb_index_head *head);

/* --- enter.c; under the account lock --- */
/* Makes m->head current and whole: opens a replaced index, compares after a busy mark, rebuilds.
 * PERM, YB_ERR_NOT_FOUND, when it was deleted, or its UIDVALIDITY lost: whoever has UIDs of the
 * handle has UIDs of nothing. */
int yb_mailbox_enter(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* Finds and enters a folder by its name, whatever UIDVALIDITY it has now. *m is NULL, or to be
 * closed also when this fails. */
int yb_mailbox_find_entered(struct yb_store_account *a, const struct yb_folder_dir *dir,
                            bool create, struct yb_mailbox **m, struct yb_err *err) YB_MUST_USE;
/* Compares with the folders when another program may have changed them. */
int yb_mailbox_look(struct yb_mailbox *m, struct yb_err *err) YB_MUST_USE;
/* Whatever other programs changed in any mailbox of the account is counted, once a second at most,
 * and in a fiftieth of the time: for who would be refused for want of room. */
void yb_account_look_around(struct yb_store_account *a);
/* After a failed step between begin and end: compares index and folder at once. When that fails too
 * the busy marks stay for the next one. */
void yb_mailbox_mend(struct yb_mailbox *m);

/* --- rebuild.c; under the account lock --- */
enum yb_compare_why { YB_COMPARE_BUSY, YB_COMPARE_FOREIGN, YB_COMPARE_DAMAGE, YB_COMPARE_BOOT };
/* Compares folders and index and makes the index true. `index_valid`: m->head and the records can
 * be believed; else the index is made anew from names. Adopts foreign files. */
int yb_mailbox_compare(struct yb_mailbox *m, bool index_valid, enum yb_compare_why why,
                       struct yb_err *err) YB_MUST_USE;

#endif
