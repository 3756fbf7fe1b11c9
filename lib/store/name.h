/*
 * The name of a message's file (docs/store.md):
 *
 *   <time>.<delivery id>.<node id>,S=<size>,I=<uidvalidity>.<uid>
 *       [,D=<internal date>][,E=<email id>][,K=<set>]:2,<flags>
 *
 * D= is there when INTERNALDATE is not <time>; E= (26 characters of base32, a-z 2-7) is reserved: a name
 * that has it keeps it, and nothing writes it yet; K= is a set of yubin-keywords. A file in new/ has no
 * ":2,". Pure functions.
 */
#ifndef YB_STORE_NAME_H
#define YB_STORE_NAME_H

#include "lib/base/id.h"
#include "lib/base/str.h"

#define YB_NAME_MAX 224 /* room for any name of ours, NUL included */

struct yb_name {
    int64_t time, internal_date;
    struct yb_delivery_id id;
    struct yb_node_id node;
    uint64_t size;
    uint32_t uidvalidity, uid;
    struct yb_delivery_id email; /* zero: the message's own */
    uint32_t flags, keywords;    /* bit i: letter 'a' + i */
    uint32_t set;                /* of the keywords without a letter; 0: none */
};

/* Writes the name, with ":2,<flags>" for cur/ and without for new/; returns its length. */
size_t yb_name_format(const struct yb_name *name, bool in_new, char out[YB_NAME_MAX]);
/* True for a name that yb_name_format() could have made (flags in any order, unknown ones ignored).
 */
bool yb_name_parse(struct yb_str s, struct yb_name *name) YB_MUST_USE;
/* Flags and keyword letters behind the last ":2,", of any program's file; none is fine. */
void yb_name_flags(struct yb_str s, uint32_t *flags, uint32_t *keywords);

#endif
