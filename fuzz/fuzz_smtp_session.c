/*
 * Whole sessions with the server engine. The first octet chooses the dialect; the rest is what a
 * client sends. Fed line by line and octet by octet, the answers and what was taken are the same;
 * fed at once, every answer is a well-formed reply and nothing is left behind.
 */
#include "tests/unit/smtp/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum how { AT_ONCE, BY_LINE, BY_OCTET };

static void
feed(struct yb_conn *c, struct yb_str in, enum how how)
{
    while (in.n > 0) {
        size_t n = how == AT_ONCE ? in.n : how == BY_OCTET ? 1 : yb_str_find(in, '\n') + 1;

        fake_feed(c, yb_str_head(in, n), 0);
        in = yb_str_skip(in, n);
    }
}

static void
session(struct rig *r, uint8_t choice, struct yb_str in, enum how how)
{
    static const enum yb_smtp_dialect dialects[] = { YB_SMTP_MX, YB_SMTP_SUBMISSION, YB_SMTP_LMTP };
    const struct rig_spec spec = { .dialect = dialects[choice % 3],
                                   .is_tls = choice % 3 == 1,
                                   .max_message = 300,
                                   .max_rcpt = 3,
                                   .max_errors = 1000,
                                   .max_idle = 1000,
                                   .memory_each = 100 };

    rig_open(r, &spec);
    feed(r->conn, in, how);
    rig_check_replies(fake_output(r->conn));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data + 1, size - 1), a, b;
    struct rig lines, octets, whole;

    if (size == 0)
        return 0;
    yb_log_init("fuzz", YB_LOG_ERROR);
    session(&lines, data[0], in, BY_LINE);
    session(&octets, data[0], in, BY_OCTET);
    a = fake_output(lines.conn);
    b = fake_output(octets.conn);
    /* A message's id is in "Stored as …"; the codes before it must agree. */
    yb_assert(a.n == b.n);
    yb_assert(yb_str_eq(rig_taken(&lines), rig_taken(&octets)));
    yb_assert(lines.messages == octets.messages);
    rig_close(&lines);
    rig_close(&octets);
    session(&whole, data[0], in, AT_ONCE);
    rig_close(&whole);
    return 0;
}
