#include "tests/unit/smtp/rig.h"

#include <stdio.h>
#include <stdlib.h>

static struct rig *
rig_of(const struct yb_smtp_session *s)
{
    return yb_smtp_server_arg(s->server);
}

static int
on_connect(struct yb_smtp_session *s YB_UNUSED, struct yb_err *err YB_UNUSED)
{
    return 0;
}

static struct yb_str
on_mechanisms(struct yb_smtp_session *s)
{
    return yb_conn_is_tls(s->conn) ? YB_STR("PLAIN LOGIN") : yb_str("", 0);
}

/* PLAIN with "ok" logs in; LOGIN asks once, then "ok" logs in. */
static enum yb_smtp_auth
judge(struct yb_str line, struct yb_err *err)
{
    if (yb_str_eq(line, YB_STR("ok")))
        return YB_SMTP_AUTH_DONE;
    if (yb_str_eq(line, YB_STR("*")))
        yb_err_set(err, YB_PERM, "5.7.0", "Cancelled");
    else if (yb_str_eq(line, YB_STR("busy")))
        yb_err_set(err, YB_TEMP, "4.3.2", "Busy");
    else
        yb_err_set(err, YB_PERM, "5.7.8", "Wrong");
    return YB_SMTP_AUTH_FAILED;
}

static enum yb_smtp_auth
on_auth_begin(struct yb_smtp_session *s, struct yb_str mechanism, const struct yb_str *initial,
              struct yb_str *challenge, struct yb_err *err)
{
    s->qualify = YB_STR("ours.test");
    if (!yb_str_eqi(mechanism, YB_STR("PLAIN")) && !yb_str_eqi(mechanism, YB_STR("LOGIN"))) {
        yb_err_set(err, YB_PERM, "5.5.4", "Unknown mechanism");
        return YB_SMTP_AUTH_FAILED;
    }
    if (initial != NULL)
        return judge(*initial, err);
    *challenge = YB_STR("VXNlcm5hbWU6");
    return YB_SMTP_AUTH_CONTINUE;
}

static enum yb_smtp_auth
on_auth_step(struct yb_smtp_session *s YB_UNUSED, struct yb_str line,
             struct yb_str *challenge YB_UNUSED, struct yb_err *err)
{
    return judge(line, err);
}

static int
on_mail(struct yb_smtp_session *s, struct yb_err *err YB_UNUSED)
{
    rig_of(s)->open_tx++;
    s->tx->data = rig_of(s);
    return 0;
}

static int
on_rcpt(struct yb_smtp_session *s YB_UNUSED, struct yb_smtp_rcpt *r, struct yb_err *err)
{
    if (yb_str_starts(r->address.local, YB_STR("no")))
        return yb_err_set(err, YB_PERM, "5.1.1", "No such user");
    if (yb_str_starts(r->address.local, YB_STR("later")))
        return yb_err_inside(err, YB_TEMP, "4.3.0", "database is away");
    if (yb_str_starts(r->address.local, YB_STR("full")))
        return yb_err_set(err, YB_TEMP, "4.2.2", "Mailbox full");
    return 0;
}

static int
on_block(struct yb_smtp_session *s, struct yb_str block, struct yb_err *err)
{
    struct rig *r = rig_of(s);

    return yb_buf_append(r->blocks, block, err);
}

static void
note_octets(struct rig *r, const struct yb_smtp_tx *tx)
{
    char piece[700];
    struct yb_err err = { 0 };
    uint64_t at = 0;

    if (tx->message == NULL) {
        yb_buf_add(r->taken, yb_buf_view(r->blocks));
        return;
    }
    while (at < yb_msgbuf_size(tx->message)) {
        ssize_t n = yb_msgbuf_pread(tx->message, piece, sizeof(piece), at, &err);

        yb_assert(n > 0);
        yb_buf_add(r->taken, yb_str(piece, (size_t)n));
        at += (uint64_t)n;
    }
}

static int
on_message(struct yb_smtp_session *s, struct yb_str *answer YB_UNUSED, struct yb_err *err)
{
    static const struct yb_err lost = { .class = YB_TEMP, .status = "4.2.0", .text = "Locked" };
    struct rig *r = rig_of(s);

    if (yb_str_starts(s->tx->from.local, YB_STR("refuse")))
        return yb_err_set(err, YB_PERM, "5.7.1", "Not wanted");
    yb_buf_add(r->taken, s->tx->from_text);
    yb_buf_add_c(r->taken, '|');
    for (struct yb_smtp_rcpt *rcpt = s->tx->rcpts; rcpt != NULL; rcpt = rcpt->next) {
        yb_buf_add(r->taken, rcpt->text);
        yb_buf_add_c(r->taken, rcpt->next == NULL ? '|' : ',');
        if (yb_str_starts(rcpt->address.local, YB_STR("lost")))
            rcpt->err = &lost;
    }
    note_octets(r, s->tx);
    yb_buf_add_c(r->taken, ';');
    yb_buf_clear(r->blocks);
    r->messages++;
    return 0;
}

static const char *
on_ended(struct yb_smtp_session *s)
{
    return rig_of(s)->ended;
}

static void
on_reset(struct yb_smtp_session *s)
{
    struct rig *r = rig_of(s);

    r->resets++;
    yb_buf_clear(r->blocks);
    if (s->tx->data != NULL)
        r->open_tx--;
}

static const struct yb_smtp_hooks hooks = {
    .connect = on_connect,
    .mechanisms = on_mechanisms,
    .auth_begin = on_auth_begin,
    .auth_step = on_auth_step,
    .mail = on_mail,
    .rcpt = on_rcpt,
    .message = on_message,
    .reset = on_reset,
    .ended = on_ended,
};

static const struct yb_service *
service_of(enum yb_smtp_dialect d)
{
    switch (d) {
    case YB_SMTP_MX:
        break;
    case YB_SMTP_SUBMISSION:
        return &yb_submission_service;
    case YB_SMTP_LMTP:
        return &yb_lmtp_service;
    }
    return &yb_smtp_service;
}

void
rig_open(struct rig *r, const struct rig_spec *spec)
{
    const char *tmp = getenv("TMPDIR");
    const struct yb_msgbuf_conf pool = { .folder = tmp == NULL ? "/tmp" : tmp,
                                         .memory_each =
                                             spec->memory_each == 0 ? 131072 : spec->memory_each,
                                         .memory_total = 1 << 24,
                                         .memory_network = 1 << 24,
                                         .disk_network = 1 << 28 };
    struct yb_smtp_conf conf = { .dialect = spec->dialect,
                                 .name = "smtp",
                                 .hostname = "mx.test",
                                 .max_message =
                                     spec->max_message == 0 ? 1 << 20 : spec->max_message,
                                 .max_rcpt = spec->max_rcpt,
                                 .max_errors = spec->max_errors,
                                 .max_idle = spec->max_idle };
    struct yb_smtp_hooks h = hooks;
    struct fake_spec fake = { .service = service_of(spec->dialect),
                              .can_tls = spec->can_tls,
                              .is_tls = spec->is_tls,
                              .early = spec->early,
                              .is_unix = spec->dialect == YB_SMTP_LMTP };
    struct yb_err err = { 0 };

    memset(r, 0, sizeof(*r));
    if (spec->dialect == YB_SMTP_LMTP) {
        h.block = on_block;
    } else {
        r->pool = yb_msgbuf_pool_new(&pool, &err);
        yb_assert(r->pool != NULL);
        conf.pool = r->pool;
    }
    if (spec->dialect != YB_SMTP_SUBMISSION)
        h.mechanisms = NULL;
    r->taken = yb_buf_new(1u << 26);
    r->blocks = yb_buf_new(1u << 26);
    r->server = yb_smtp_server_new(&conf, &h, r);
    fake.arg = r->server;
    r->conn = fake_open(&fake);
}

void
rig_close(struct rig *r)
{
    fake_free(&r->conn);
    yb_assert(r->open_tx == 0);
    yb_smtp_server_free(&r->server);
    if (r->pool != NULL) {
        yb_assert(yb_msgbuf_pool_memory(r->pool) == 0 && yb_msgbuf_pool_disk(r->pool) == 0);
        yb_msgbuf_pool_free(&r->pool);
    }
    yb_buf_free(&r->taken);
    yb_buf_free(&r->blocks);
}

/* Where an enhanced status must be: everywhere but 220 greetings, 334, 354 and hello answers. */
static void
check_line(struct yb_str line)
{
    bool ok = line.n >= 4 && yb_is_digit(line.p[0]) && yb_is_digit(line.p[1]) &&
              yb_is_digit(line.p[2]) && (line.p[3] == ' ' || line.p[3] == '-') && line.n <= 510;

    if (ok && line.p[0] != '3' && line.n > 6 && yb_is_digit(line.p[4]) && line.p[5] == '.')
        ok = line.p[4] == line.p[0];
    else if (ok && (line.p[0] == '4' || line.p[0] == '5'))
        ok = false;
    if (!ok) {
        fprintf(stderr, "not a reply: %.*s\n", YB_STR_ARG(line));
        abort();
    }
}

void
rig_check_replies(struct yb_str output)
{
    struct yb_str line;

    while (yb_str_split(&output, '\n', &line)) {
        if (line.n == 0)
            break;
        if (line.p[line.n - 1] != '\r')
            abort();
        line.n--;
        check_line(line);
    }
}

const char *
rig_say(struct rig *r, const char *text, size_t piece, char *codes, size_t size)
{
    struct yb_str out, line;
    size_t n = 0;

    fake_feed(r->conn, yb_str_from(text), piece);
    out = fake_output(r->conn);
    rig_check_replies(out);
    codes[0] = '\0';
    while (yb_str_split(&out, '\n', &line) && line.n > 4) {
        if (line.p[3] == '-')
            continue;
        yb_assert(n + 5 < size);
        n += (size_t)snprintf(codes + n, size - n, "%s%.3s", n > 0 ? " " : "", line.p);
    }
    fake_clear(r->conn);
    return codes;
}

struct yb_str
rig_taken(const struct rig *r)
{
    return yb_buf_view(r->taken);
}
