/*
 * Mailbox names and the folders they live in (Maildir++): "" is INBOX, "a/b" is ".a.b". In the
 * folder's name `.`, `%` and controls are written %2E; everything else is NFC UTF-8 as it is. Pure
 * functions. The one limit of a name's length is that of its folder's; see docs/store.md.
 */
#ifndef YB_STORE_FOLDERNAME_H
#define YB_STORE_FOLDERNAME_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define YB_FOLDER_DIR_MAX 256                      /* room for a folder's name, NUL included */
#define YB_FOLDER_NAME_MAX (YB_FOLDER_DIR_MAX - 2) /* what may fit into it */
#define YB_FOLDER_LEVELS 40

/* Lists of names beside the folders: "name", and "\Sent name", a line each. */
#define YB_SUBSCRIPTIONS "yubin-subscriptions"
#define YB_SPECIAL "yubin-special"

/* A folder's name on disk, NUL-terminated; "" for INBOX. */
struct yb_folder_dir {
    char s[YB_FOLDER_DIR_MAX];
};

/* PERM 5.2.0, YB_ERR_CANNOT or YB_ERR_LIMIT, for names that no mailbox may have. */
int yb_folder_to_dir(struct yb_str name, struct yb_folder_dir *dir, struct yb_err *err) YB_MUST_USE;
/* The name of a folder found on disk, in `out` (NUL-terminated). False for what is none of ours:
 * not NFC UTF-8, not escaped as we do, too long. */
bool yb_folder_from_dir(struct yb_str dir, char out[YB_FOLDER_NAME_MAX + 1],
                        struct yb_str *name) YB_MUST_USE;
/* The name in the one form it has in lists; into the arena. */
int yb_folder_normal(struct yb_str name, struct yb_arena *arena, struct yb_str *out,
                     struct yb_err *err) YB_MUST_USE;
/* Part of a name, or a pattern, as a name has it: in NFC. What is not UTF-8 or longer than any name
 * stays as it is. */
struct yb_str yb_folder_nfc(struct yb_str text, struct yb_arena *arena);
/* A special use ("\sent" in any case) as it is written here; empty: there is no such. */
struct yb_str yb_folder_use(struct yb_str use);
/* "a/b" is below "a". */
bool yb_folder_is_below(struct yb_str name, struct yb_str parent);

#endif
