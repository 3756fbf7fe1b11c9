/* Inside lib/admin: the words that accounts and aliases are found by. */
#ifndef YB_ADMIN_WORDS_H
#define YB_ADMIN_WORDS_H

#include "lib/admin/verb.h"

struct yb_terms;

/* Of a local part, in key form, and a display name. */
void yb_admin_words_of(struct yb_terms *t, struct yb_str local, struct yb_str name,
                       struct yb_arena *arena);
/* Makes them if it has none: it is new, or what they are made of has changed. */
int yb_admin_words(struct yb_admin_tx *tx, const struct yb_admin_subject *s,
                   struct yb_err *err) YB_MUST_USE;

#endif
