#include "relayd/deliver.h"

#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/smtp/reply.h"

static void
all_become(struct relayd_job *job, enum relayd_try fate)
{
    for (size_t i = 0; i < job->m.n; i++)
        job->o[i].fate = fate;
}

/* An answer, or what would have been one; 5xx is told as it was said, and tried again all the same. */
static void
answer(struct relayd_outcome *o, enum relayd_try fate, const struct yb_err *err,
       struct yb_arena *arena)
{
    char status[10];

    o->fate = fate;
    o->code = (unsigned)yb_smtp_reply_code(err, status);
    o->status = yb_arena_dup(arena, yb_str_from(status));
    o->text = yb_arena_dup(arena, yb_str_from(err->text));
}

/* --- the directory --- */

/* STORED: nothing stands against it. */
static void
judge_account(const struct relayd_deliver *d, const struct yb_account_now *now,
              struct relayd_outcome *o, struct yb_arena *arena)
{
    struct yb_home home = { .here = false };
    struct yb_err err = { 0 };

    o->fate = RELAYD_TRY_STORED;
    if (!now->known) {
        o->fate = RELAYD_TRY_GONE;
    } else if (yb_directory_home(d->directory, now->store, &home, &err) < 0) {
        if (err.kind == YB_ERR_AWAY)
            o->fate = RELAYD_TRY_AWAY;
        else
            answer(o, RELAYD_TRY_REFUSED, &err, arena);
    } else if (!home.here) {
        yb_err_set(&err, YB_TEMP, "4.3.0", "the mailbox is at home on another node");
        answer(o, RELAYD_TRY_REFUSED, &err, arena);
    }
}

static void
ask_directory(const struct relayd_deliver *d, struct relayd_job *job, struct yb_arena *arena)
{
    struct yb_account_id *ids = yb_arena_alloc(arena, job->m.n, sizeof(*ids));
    struct yb_account_now *now = yb_arena_alloc(arena, job->m.n, sizeof(*now));
    struct yb_err err = { 0 };

    for (size_t i = 0; i < job->m.n; i++)
        ids[i] = job->m.r[i].account;
    job->directory = RELAYD_ANSWERED;
    if (yb_directory_account_now(d->directory, ids, job->m.n, now, &err) < 0) {
        job->directory = RELAYD_AWAY;
        all_become(job, RELAYD_TRY_AWAY);
        return;
    }
    for (size_t i = 0; i < job->m.n; i++) {
        judge_account(d, &now[i], &job->o[i], arena);
        if (job->o[i].fate == RELAYD_TRY_AWAY)
            job->directory = RELAYD_AWAY;
    }
}

/* --- lmtpd --- */

static bool
goes(const struct relayd_outcome *o)
{
    return o->fate == RELAYD_TRY_STORED;
}

static size_t
count_going(const struct relayd_job *job)
{
    size_t n = 0;

    for (size_t i = 0; i < job->m.n; i++)
        n += goes(&job->o[i]);
    return n;
}

/* *of: which recipient of the job each is. */
static struct yb_smtp_send_rcpt *
send_rcpts(const struct relayd_job *job, size_t n, size_t *of, struct yb_arena *arena)
{
    struct yb_smtp_send_rcpt *v = yb_arena_alloc(arena, n, sizeof(*v));
    size_t at = 0;

    for (size_t i = 0; i < job->m.n; i++) {
        const struct relayd_recipient *r = &job->m.r[i];

        if (!goes(&job->o[i]))
            continue;
        of[at] = i;
        v[at].to = r->address;
        v[at++].x = (struct yb_lmtp_rcpt){ .delivery = r->delivery,
                                           .account = r->account,
                                           .quota = r->quota,
                                           .junk = r->junk,
                                           .accepted = true,
                                           .repeat = r->repeat };
    }
    return v;
}

static void
judge_answer(struct relayd_job *job, struct relayd_outcome *o, const struct yb_smtp_send_rcpt *r,
             struct yb_arena *arena)
{
    switch (r->fate) {
    case YB_FATE_STORED:
        o->fate = RELAYD_TRY_STORED;
        break;
    case YB_FATE_REFUSED:
        answer(o, RELAYD_TRY_REFUSED, &r->err, arena);
        break;
    case YB_FATE_WELCOME:
    case YB_FATE_NONE:
    case YB_FATE_UNKNOWN:
        o->fate = RELAYD_TRY_AWAY;
        job->lmtpd = RELAYD_AWAY;
        break;
    }
}

static void
send(const struct relayd_deliver *d, struct relayd_job *job, size_t n, struct yb_str head,
     const struct yb_msgbuf *body, struct yb_arena *arena)
{
    size_t *of = yb_arena_alloc(arena, n, sizeof(*of));
    struct yb_smtp_send s = {
        .from = job->m.sender,
        .x = { .session = job->m.sid,
               .message = job->m.mid,
               .tenant = job->m.tenant,
               .origin = job->m.origin },
        .body_8bit = job->m.body_8bit,
        .utf8 = job->m.utf8,
        .rcpts = send_rcpts(job, n, of, arena),
        .n_rcpts = n,
        .head = head,
        .body = body,
    };
    struct yb_err err = { 0 };

    job->lmtpd = RELAYD_ANSWERED;
    if (yb_smtp_send_message(d->lmtpd, &s, &err) < 0)
        yb_log_err(YB_LOG_INFO, NULL, "relayd.lmtpd.silent", &err);
    for (size_t i = 0; i < n; i++)
        judge_answer(job, &job->o[of[i]], &s.rcpts[i], arena);
    yb_fault("relay.answered");
}

/* The message is not to be had: its recipients wait, or are held. */
static void
not_read(struct relayd_job *job, const struct yb_err *err, struct yb_arena *arena)
{
    bool lost = err->kind == YB_ERR_NOT_FOUND;

    if (!lost)
        yb_log_err(YB_LOG_ERROR, NULL, "relayd.body.failed", err);
    for (size_t i = 0; i < job->m.n; i++) {
        if (!goes(&job->o[i]))
            continue;
        if (lost)
            job->o[i].fate = RELAYD_TRY_NO_BODY;
        else
            answer(&job->o[i], RELAYD_TRY_TROUBLE, err, arena);
    }
}

void
relayd_deliver_job(const struct relayd_deliver *d, struct relayd_job *job, struct yb_arena *arena)
{
    struct yb_msgbuf *body = NULL;
    struct yb_str head = { NULL, 0 };
    struct yb_err err = { 0 };
    size_t n;

    job->lmtpd = job->directory = RELAYD_UNTOUCHED;
    all_become(job, RELAYD_TRY_STORED);
    if (job->ask)
        ask_directory(d, job, arena);
    n = count_going(job);
    if (n == 0)
        return;
    if (relayd_queue_body(d->queue, job->m.m, &head, &body, &err) < 0)
        not_read(job, &err, arena);
    else
        send(d, job, n, head, body, arena);
    yb_msgbuf_free(&body);
    yb_free((char *)(uintptr_t)head.p);
}
