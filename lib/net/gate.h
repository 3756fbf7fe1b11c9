/*
 * A gate stands before each thing a worker can wait for (an LMTP destination, the database, DNS,
 * password hashing): it bounds how many may wait at once, and a breaker that opens after timeouts
 * in a row makes callers fail at once until one probe succeeds. Thread safe.
 */
#ifndef YB_NET_GATE_H
#define YB_NET_GATE_H

#include "lib/base/clock.h"
#include "lib/base/err.h"

struct yb_gate;

struct yb_gate_conf {
    const char *name;     /* "database", in errors and logs */
    unsigned inside;      /* callers inside at once */
    int64_t wait_ms;      /* a full gate makes its callers wait this long (usually 250) */
    unsigned break_after; /* timeouts in a row that open the breaker (usually 5); 0: never */
    int64_t open_ms;      /* the breaker stays open so long, then one probe (usually 5000) */
};

/* Empty and closed to nobody. Copies *conf. */
struct yb_gate *yb_gate_new(const struct yb_gate_conf *conf) YB_MUST_USE;
void yb_gate_free(struct yb_gate **g);
/* 0: inside, yb_gate_leave() must follow. -1: full or open (YB_TEMP 4.3.2, internal text). */
int yb_gate_enter(struct yb_gate *g, struct yb_err *err) YB_MUST_USE;
enum yb_gate_result { YB_GATE_OK, YB_GATE_FAILED /* an answer, but a bad one */, YB_GATE_TIMEOUT };
void yb_gate_leave(struct yb_gate *g, enum yb_gate_result result);

#endif
