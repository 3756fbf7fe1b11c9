/*
 * An array in PostgreSQL's binary form, as a row brings it. Elements lie inside the array, in
 * order, and the walk ends.
 */
#include "lib/db/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str array = yb_str((const char *)data, size), s;
    size_t at = 0, before = 0;
    int rc;

    while ((rc = yb_db_array_next(array, &at, &s)) == 1) {
        yb_assert(at > before && at <= size);
        yb_assert(s.n == 0 || (s.p >= array.p && s.p + s.n == array.p + at));
        before = at;
    }
    yb_assert(rc == 0 || rc == -1);
    return 0;
}
