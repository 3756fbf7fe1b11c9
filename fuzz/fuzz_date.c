/* Dates: what is parsed is written and parsed to the same moment, in both forms. */
#include "lib/mime/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size);
    char text[YB_DATE_TEXT], internal[YB_INTERNAL_DATE_TEXT];
    struct yb_date d, again;
    int64_t day;

    if (yb_date_parse(in, &d)) {
        yb_assert(yb_date_parse(yb_str_from(yb_date_format(d, text)), &again));
        yb_assert(again.utc == d.utc || d.utc < -2208902400 || d.utc > 253402214400);
    }
    if (yb_date_parse(in, &d) || yb_internal_date_parse(in, &d)) {
        yb_internal_date_format(d, internal);
        yb_assert(strlen(internal) == 26);
        yb_assert(yb_internal_date_parse(yb_str_from(internal), &again));
        yb_assert(again.utc == d.utc || d.utc < -62167132800 || d.utc > 253402214400);
        day = yb_date_day(d);
        yb_assert(day * 86400 <= d.utc + 86400 && day * 86400 >= d.utc - 2 * 86400);
    }
    if (yb_search_date_parse(in, &day))
        yb_assert(in.n >= 10 && in.n <= 11);
    return 0;
}
