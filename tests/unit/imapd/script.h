/* Scripts of a session: each row is what is sent and what must be in the answer; "!x" must not. */
#ifndef TESTS_IMAPD_SCRIPT_H
#define TESTS_IMAPD_SCRIPT_H

#include "tests/unit/imapd/rig.h"

#define SCRIPT_WANTS 8
struct script_row {
    const char *say, *want[SCRIPT_WANTS];
};

void script_play(struct yb_conn *c, const struct script_row *rows, size_t n);
#define PLAY(c, ...)                                                                               \
    script_play(c, (const struct script_row[]){ __VA_ARGS__ },                                     \
                YB_COUNT(((const struct script_row[]){ __VA_ARGS__ })))

#endif
