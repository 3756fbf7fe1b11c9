/* File names: what is parsed is written the same, and read again the same; flags of any name. */
#include "lib/store/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size);
    struct yb_name name, again;
    uint32_t flags, keywords;
    char out[YB_NAME_MAX];

    yb_name_flags(in, &flags, &keywords);
    yb_assert(flags < 64 && keywords < 1u << 26);
    if (!yb_name_parse(in, &name))
        return 0;
    for (int in_new = 0; in_new < 2; in_new++) {
        size_t n = yb_name_format(&name, in_new != 0, out);

        yb_assert(n < YB_NAME_MAX && strlen(out) == n);
        yb_assert(yb_name_parse(yb_str(out, n), &again));
        yb_assert(again.uid == name.uid && again.uidvalidity == name.uidvalidity &&
                  again.size == name.size && again.time == name.time &&
                  again.internal_date == name.internal_date &&
                  yb_delivery_id_eq(again.id, name.id) && yb_node_id_eq(again.node, name.node) &&
                  yb_delivery_id_eq(again.email, name.email) && again.set == name.set);
        yb_assert(in_new != 0 ? again.flags == 0
                              : again.flags == name.flags && again.keywords == name.keywords);
    }
    return 0;
}
