#include "tests/unit/imapd/script.h"

#include <check.h>

void
script_play(struct yb_conn *c, const struct script_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = rig_say(c, rows[i].say);

        for (size_t k = 0; k < SCRIPT_WANTS && rows[i].want[k] != NULL; k++) {
            const char *want = rows[i].want[k];

            if (want[0] == '!')
                ck_assert_msg(strstr(got, want + 1) == NULL, "%s\ngot %s", rows[i].say, got);
            else
                ck_assert_msg(strstr(got, want) != NULL, "%s\nwants %s\ngot %s", rows[i].say, want,
                              got);
        }
    }
}
