/*
 * The name of a message's file (docs/store.md):
 *
 *   <time>.<delivery id>.<node id>,S=<size>,I=<uidvalidity>.<uid>[,D=<internal date>]:2,<flags>
 *
 * D= is there when INTERNALDATE is not <time>. A file in new/ has no ":2,". Pure functions.
 */
#ifndef YB_STORE_NAME_H
#define YB_STORE_NAME_H

#include "lib/base/id.h"
#include "lib/base/str.h"

#define YB_NAME_MAX 176 /* room for any name of ours, NUL included */

struct yb_name {
    int64_t time, internal_date;
    struct yb_delivery_id id;
    struct yb_node_id node;
    uint64_t size;
    uint32_t uidvalidity, uid;
    uint32_t flags, keywords;
};

/* Writes the name, with ":2,<flags>" for cur/ and without for new/; returns its length. */
size_t yb_name_format(const struct yb_name *name, bool in_new, char out[YB_NAME_MAX]);
/* True for a name that yb_name_format() could have made (flags in any order, unknown ones ignored).
 */
bool yb_name_parse(struct yb_str s, struct yb_name *name) YB_MUST_USE;
/* Flags and keyword letters behind the last ":2,", of any program's file; none is fine. */
void yb_name_flags(struct yb_str s, uint32_t *flags, uint32_t *keywords);

#endif
