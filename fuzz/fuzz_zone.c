/* Files of time zones: whatever they say, an offset is less than two days, and a day is near UTC's. */
#include "lib/base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t moments[] = { INT64_MIN,  -9000000000, -1,       0,
                                       1700000000, 4102444800,  INT64_MAX };
    struct yb_zone *zone = yb_zone_parse(yb_str((const char *)data, size));

    for (size_t i = 0; zone != NULL && i < YB_COUNT(moments); i++) {
        int64_t day = yb_zone_day(zone, moments[i]), utc = yb_zone_day(NULL, moments[i]);
        int32_t offset = yb_zone_offset(zone, moments[i]);

        yb_assert(offset >= -26 * 60 && offset <= 26 * 60);
        yb_assert(day >= utc - 2 && day <= utc + 2);
    }
    yb_zone_free(&zone);
    return 0;
}
