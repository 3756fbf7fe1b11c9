#include "tests/unit/receive/desk.h"

#include <check.h>

static int
on_connect(struct yb_smtp_session *s YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    return 0;
}

static int
on_rcpt(struct yb_smtp_session *s, struct yb_smtp_rcpt *r, struct yb_err *err)
{
    struct desk *d = yb_smtp_server_arg(s->server);

    return yb_handover_rcpt(&d->handover, s, r, &d->verdict, err);
}

static int
on_message(struct yb_smtp_session *s, struct yb_str *answer YB_UNUSED, struct yb_err *err)
{
    struct desk *d = yb_smtp_server_arg(s->server);

    return yb_handover_message(&d->handover, s, yb_str_from(d->head), err);
}

void
desk_open(struct desk *d, size_t max_rcpt, size_t max_targets, const char *lmtpd)
{
    static const struct yb_smtp_hooks hooks = { .connect = on_connect,
                                                .rcpt = on_rcpt,
                                                .message = on_message };
    const struct yb_msgbuf_conf pool = { .folder = "/tmp",
                                         .memory_each = 1 << 17,
                                         .memory_total = 1 << 24,
                                         .memory_network = 1 << 24,
                                         .disk_network = 1 << 28 };
    struct yb_smtp_conf conf = { .dialect = YB_SMTP_MX,
                                 .name = "smtp",
                                 .hostname = "mx.test",
                                 .max_message = 1 << 20,
                                 .max_rcpt = max_rcpt };
    struct yb_smtp_dest_conf dest = { .hostname = "mx.test", .lmtp = true, .answer_ms = 5000 };
    struct fake_spec fake = { .service = &yb_smtp_service };
    struct yb_err err = { 0 };

    memset(d, 0, sizeof(*d));
    d->head = "";
    d->pool = yb_msgbuf_pool_new(&pool, &err);
    ck_assert(d->pool != NULL);
    conf.pool = d->pool;
    odd_server_start(&d->lmtpd, lmtpd);
    dest.where = d->lmtpd.where;
    d->handover.directory = (struct yb_directory *)(void *)&d->directory;
    d->handover.max_targets = max_targets;
    d->handover.refusals = yb_refused_new(0);
    d->handover.lmtpd = yb_smtp_dest_new(&dest);
    d->server = yb_smtp_server_new(&conf, &hooks, d);
    fake.arg = d->server;
    d->conn = fake_open(&fake);
    fake_feed(d->conn, YB_STR("EHLO c.test\r\n"), 0);
    fake_clear(d->conn);
}

void
desk_relayd(struct desk *d, const char *script)
{
    struct yb_smtp_dest_conf dest = {
        .where = "unix:/nowhere/at/all", .hostname = "mx.test", .lmtp = true, .answer_ms = 5000
    };

    if (script != NULL) {
        odd_server_start(&d->relayd, script);
        dest.where = d->relayd.where;
    }
    d->handover.relayd = yb_smtp_dest_new(&dest);
}

void
desk_close(struct desk *d)
{
    fake_free(&d->conn);
    yb_smtp_server_free(&d->server);
    yb_smtp_dest_free(&d->handover.lmtpd);
    yb_smtp_dest_free(&d->handover.relayd);
    yb_refused_free(&d->handover.refusals);
    odd_server_stop(&d->lmtpd);
    if (d->relayd.script != NULL)
        odd_server_stop(&d->relayd);
    yb_msgbuf_pool_free(&d->pool);
}

void
desk_say(struct desk *d, const char *line, const char *reply)
{
    struct yb_str out;

    fake_clear(d->conn);
    fake_feed(d->conn, yb_str_from(line), 0);
    fake_feed(d->conn, YB_STR("\r\n"), 0);
    out = fake_output(d->conn);
    ck_assert_msg(yb_str_starts(out, yb_str_from(reply)), "%s: %.*s, not %s", line, YB_STR_ARG(out),
                  reply);
}

size_t
desk_count(struct yb_str in, struct yb_str what)
{
    size_t n = 0;

    for (size_t i = 0; i + what.n <= in.n; i++)
        n += yb_str_starts(yb_str_skip(in, i), what);
    return n;
}
