/*
 * The inbox of an account as one POP3 session sees it: what was there at login, under the exclusive
 * lock, in UID order, with marks on what is to be deleted. Deliveries and IMAP go on beside it.
 */
#ifndef POP3D_MAILDROP_H
#define POP3D_MAILDROP_H

#include "lib/store/store.h"

struct pop3d_maildrop;

struct pop3d_totals {
    size_t messages;
    uint64_t bytes;
};

/* TEMP, YB_ERR_IN_USE, when another session has it. A new account has an empty one. */
int pop3d_maildrop_open(struct yb_store *store, struct yb_account_id id, struct pop3d_maildrop **d,
                        struct yb_err *err) YB_MUST_USE;
/*
 * Before anything else is asked: counts the octets of messages as POP3 sends them, until that time (by
 * yb_clock_ms()), a piece of one at least. True: there is more. Only messages that no session saw before
 * are read; one that cannot be read counts as large as its file.
 */
bool pop3d_maildrop_count_octets(struct pop3d_maildrop *d, int64_t until) YB_MUST_USE;
/* Forgets all marks and gives the lock back. NULL inside is fine. */
void pop3d_maildrop_close(struct pop3d_maildrop **d);
/* Removes what is marked; durable when it returns 0 (QUIT's promise). */
int pop3d_maildrop_commit(struct pop3d_maildrop *d, struct yb_err *err) YB_MUST_USE;

/* Messages, marked ones included: numbers are 1 … count. */
size_t pop3d_maildrop_count(const struct pop3d_maildrop *d);
/* Those that are not marked. */
struct pop3d_totals pop3d_maildrop_totals(const struct pop3d_maildrop *d);
/* The message of this number; NULL when there is none or it is marked. */
const struct yb_record *pop3d_maildrop_message(const struct pop3d_maildrop *d, uint64_t number);
/* Its octets with CRLF at the end of each line, as they are sent (RFC 1939 §11). */
uint64_t pop3d_maildrop_size(const struct pop3d_maildrop *d, const struct yb_record *r);
/* Its bytes, for reading. PERM, YB_ERR_GONE, when somebody else has removed it meanwhile. */
int pop3d_maildrop_read(const struct pop3d_maildrop *d, const struct yb_record *r, int *fd,
                        struct yb_err *err) YB_MUST_USE;
void pop3d_maildrop_mark(struct pop3d_maildrop *d, uint64_t number);
void pop3d_maildrop_unmark_all(struct pop3d_maildrop *d);
size_t pop3d_maildrop_marked(const struct pop3d_maildrop *d);

/*
 * The unique id of a message (RFC 1939 §7: up to 70 printable characters, for ever): its delivery
 * id, which is in the file's name and survives a rebuilt index, flag changes and moving about.
 */
#define POP3D_UIDL YB_ID_TEXT
void pop3d_maildrop_uidl(const struct yb_record *r, char out[POP3D_UIDL]);

#endif
