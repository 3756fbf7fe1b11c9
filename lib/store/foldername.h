/*
 * Mailbox names and the folders they live in (Maildir++): "" is INBOX, "a/b" is ".a.b". In the
 * folder's name `.`, `%` and controls are written %2E; everything else is NFC UTF-8 as it is. Pure
 * functions; the limits are R of docs/store.md: 200 bytes, 16 levels.
 */
#ifndef YB_STORE_FOLDERNAME_H
#define YB_STORE_FOLDERNAME_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define YB_FOLDER_NAME_MAX 200
#define YB_FOLDER_LEVELS 16
#define YB_FOLDER_DIR_MAX 256 /* room for a folder's name, NUL included */

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
/* "a/b" is below "a". */
bool yb_folder_is_below(struct yb_str name, struct yb_str parent);

#endif
