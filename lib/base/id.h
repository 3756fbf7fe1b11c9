/*
 * Ids: random, one type each, so that one kind cannot be passed for another. In text they are
 * lower-case hex. Nothing kept outside the database is named by a sequence: a restored dump must
 * never hand an old mailbox to a new owner.
 */
#ifndef YB_BASE_ID_H
#define YB_BASE_ID_H

#include "lib/base/str.h"

#define YB_ID_BYTES 16
#define YB_ID_TEXT (2 * YB_ID_BYTES + 1) /* hex and NUL */
#define YB_NODE_ID_BYTES 8
#define YB_NODE_ID_TEXT (2 * YB_NODE_ID_BYTES + 1)

/* clang-format off */
struct yb_tenant_id { uint8_t v[YB_ID_BYTES]; };
struct yb_domain_id { uint8_t v[YB_ID_BYTES]; };
struct yb_account_id { uint8_t v[YB_ID_BYTES]; };
/* One delivery of one message to one recipient; the unique part of the file's name. */
struct yb_delivery_id { uint8_t v[YB_ID_BYTES]; };
/* One message on its way through the platform, for the log; one session likewise. */
struct yb_message_id { uint8_t v[YB_ID_BYTES]; };
struct yb_session_id { uint8_t v[YB_NODE_ID_BYTES]; };
struct yb_node_id { uint8_t v[YB_NODE_ID_BYTES]; };
/* One store of mail: what stands in its .yubin-store. */
struct yb_store_id { uint8_t v[YB_ID_BYTES]; };
/* clang-format on */

/* Random bytes from the kernel; aborts when it has none. */
void yb_random(void *to, size_t n);
/* Hex of n bytes into out (2n + 1 bytes, NUL included); returns out. */
char *yb_hex(const uint8_t *v, size_t n, char *out);
/* Exactly 2n hex digits, either case. */
bool yb_unhex(struct yb_str text, uint8_t *v, size_t n) YB_MUST_USE;

/* For every id type: _new() random, _text() into a buffer of YB_ID_TEXT, _parse(), _eq(),
 * _is_zero(). */
#define YB_ID_FUNCTIONS(kind)                                                                      \
    static inline struct yb_##kind##_id yb_##kind##_id_new(void)                                   \
    {                                                                                              \
        struct yb_##kind##_id id;                                                                  \
        yb_random(id.v, sizeof(id.v));                                                             \
        return id;                                                                                 \
    }                                                                                              \
    static inline char *yb_##kind##_id_text(struct yb_##kind##_id id, char *out)                   \
    {                                                                                              \
        return yb_hex(id.v, sizeof(id.v), out);                                                    \
    }                                                                                              \
    YB_MUST_USE static inline bool yb_##kind##_id_parse(struct yb_str s,                           \
                                                        struct yb_##kind##_id *id)                 \
    {                                                                                              \
        return yb_unhex(s, id->v, sizeof(id->v));                                                  \
    }                                                                                              \
    static inline bool yb_##kind##_id_eq(struct yb_##kind##_id a, struct yb_##kind##_id b)         \
    {                                                                                              \
        return memcmp(a.v, b.v, sizeof(a.v)) == 0;                                                 \
    }                                                                                              \
    static inline bool yb_##kind##_id_is_zero(struct yb_##kind##_id id)                            \
    {                                                                                              \
        struct yb_##kind##_id zero = { { 0 } };                                                    \
        return memcmp(id.v, zero.v, sizeof(id.v)) == 0;                                            \
    }
YB_ID_FUNCTIONS(tenant)
YB_ID_FUNCTIONS(domain)
YB_ID_FUNCTIONS(account)
YB_ID_FUNCTIONS(delivery)
YB_ID_FUNCTIONS(message)
YB_ID_FUNCTIONS(session)
YB_ID_FUNCTIONS(node)
YB_ID_FUNCTIONS(store)
#undef YB_ID_FUNCTIONS

#endif
