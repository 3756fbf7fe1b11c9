/*
 * The mailboxes that a new account begins with, as the configuration names them. Made while the
 * account's folder is, before it counts as one: an account has all of them or, while it is new to us,
 * none. Nobody makes them again when the user took them away.
 */
#ifndef YB_STORE_FIRST_H
#define YB_STORE_FIRST_H

#include "lib/base/err.h"

struct yb_first;

/* Of "\Sent=Sent items, Templates": names between commas, a special use before those that have one.
 * NULL with *err (PERM 5.3.5) for what no mailbox can be, or twice. */
struct yb_first *yb_first_parse(const char *text, struct yb_err *err) YB_MUST_USE;
void yb_first_free(struct yb_first **f);
/* Makes, subscribes and marks them in a Maildir, synced; what lists were there before stays. -1 with
 * errno. */
int yb_first_make(const struct yb_first *f, int maildir_fd) YB_MUST_USE;

#endif
