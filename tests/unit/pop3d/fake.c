#include "tests/unit/pop3d/fake.h"

#include "lib/base/io.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define OUTPUT_MAX (64 << 20)

/* --- the connection --- */

struct yb_conn {
    struct pop3d *arg;
    void *session;
    struct yb_buf *out, *told;
    struct yb_log_ctx log;
    struct sockaddr_in peer;
    bool tls, start_tls, closing;
    size_t longest;
    bool (*producer)(struct yb_conn *c);
};

void
yb_conn_set_session(struct yb_conn *c, void *session)
{
    c->session = session;
}

void *
yb_conn_session(const struct yb_conn *c)
{
    return c->session;
}

void *
yb_conn_listener_arg(const struct yb_conn *c)
{
    return c->arg;
}

struct yb_log_ctx *
yb_conn_log(struct yb_conn *c)
{
    return &c->log;
}

struct yb_conn_ref
yb_conn_self(const struct yb_conn *c YB_UNUSED)
{
    return (struct yb_conn_ref){ 0, 0 };
}

struct yb_session_id
yb_conn_session_id(const struct yb_conn *c YB_UNUSED)
{
    return (struct yb_session_id){ { 0 } };
}

const char *
yb_conn_peer_text(const struct yb_conn *c YB_UNUSED)
{
    return "192.0.2.1";
}

const struct sockaddr *
yb_conn_peer(const struct yb_conn *c)
{
    return (const struct sockaddr *)&c->peer;
}

void
yb_conn_set_line_limit(struct yb_conn *c YB_UNUSED, size_t bytes)
{
    yb_assert(bytes > 0);
}

void
yb_conn_set_timeout(struct yb_conn *c YB_UNUSED, int64_t ms YB_UNUSED)
{
}

void
yb_conn_set_deadline(struct yb_conn *c YB_UNUSED, int64_t ms YB_UNUSED)
{
}

void
yb_conn_set_fair_key(struct yb_conn *c YB_UNUSED, uint64_t key YB_UNUSED)
{
}

bool
yb_conn_set_account(struct yb_conn *c YB_UNUSED, struct yb_account_id account YB_UNUSED, size_t max)
{
    return max > 0; /* a test that wants to be too many says 0 */
}

void
yb_conn_write(struct yb_conn *c, struct yb_str s)
{
    yb_buf_add(c->out, s);
}

void
yb_conn_printf(struct yb_conn *c, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    yb_assert(n >= 0 && (size_t)n < sizeof(text));
    yb_conn_write(c, yb_str(text, (size_t)n));
}

void
yb_conn_set_producer(struct yb_conn *c, bool (*producer)(struct yb_conn *c))
{
    c->producer = producer;
}

void
yb_conn_close(struct yb_conn *c)
{
    c->closing = true;
}

void
yb_conn_abort(struct yb_conn *c)
{
    c->closing = true;
    c->producer = NULL;
}

bool
yb_conn_can_tls(const struct yb_conn *c YB_UNUSED)
{
    return true;
}

bool
yb_conn_is_tls(const struct yb_conn *c)
{
    return c->tls;
}

void
yb_conn_start_tls(struct yb_conn *c)
{
    c->start_tls = true;
}

bool
yb_conn_tls_exporter(const struct yb_conn *c YB_UNUSED, uint8_t out[32])
{
    memset(out, 7, 32);
    return true;
}

/* As the engine does after a handler: producers until they are done, then the handshake. */
static void
settle(struct yb_conn *c)
{
    size_t before = yb_buf_size(c->out);

    while (c->producer != NULL && !c->closing) {
        bool more = c->producer(c);

        if (yb_buf_size(c->out) - before > c->longest)
            c->longest = yb_buf_size(c->out) - before;
        before = yb_buf_size(c->out);
        if (!more)
            c->producer = NULL;
    }
    if (c->start_tls) {
        c->start_tls = false;
        c->tls = true;
        pop3d_service.tls_started(c);
    }
}

struct yb_conn *
fake_open(struct pop3d *p, bool tls)
{
    struct yb_conn *c = yb_alloc(1, sizeof(*c));

    c->arg = p;
    c->tls = tls;
    c->out = yb_buf_new(OUTPUT_MAX);
    c->told = yb_buf_new(OUTPUT_MAX);
    c->peer = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) };
    pop3d_service.opened(c);
    return c;
}

void
fake_line(struct yb_conn *c, struct yb_str line, unsigned flags)
{
    yb_assert(!c->closing);
    pop3d_service.line(c, line, flags);
    settle(c);
}

struct yb_str
fake_output(struct yb_conn *c)
{
    struct yb_buf *told = c->told;

    yb_assert(!yb_buf_overflowed(c->out));
    yb_buf_clear(told);
    c->told = c->out;
    c->out = told;
    return yb_buf_view(c->told);
}

bool
fake_is_open(const struct yb_conn *c)
{
    return !c->closing;
}

size_t
fake_longest_piece(const struct yb_conn *c)
{
    return c->longest;
}

void
fake_close(struct yb_conn **c)
{
    pop3d_service.closed(*c);
    yb_buf_free(&(*c)->out);
    yb_buf_free(&(*c)->told);
    yb_log_ctx_free(&(*c)->log);
    yb_free(*c);
    *c = NULL;
}

/* --- the store --- */

struct yb_store {
    struct fake_store fake;
};

struct yb_store_account {
    struct fake_store *fake;
};

struct yb_mailbox {
    struct fake_store *fake;
};

int
yb_store_open(struct yb_store *s, struct yb_account_id id YB_UNUSED, bool create,
              struct yb_store_account **a, struct yb_err *err)
{
    yb_assert(create);
    if (s->fake.fail_open)
        return yb_err_inside(err, YB_TEMP, "4.3.0", "no store");
    *a = yb_alloc(1, sizeof(**a));
    (*a)->fake = &s->fake;
    return 0;
}

void
yb_store_close(struct yb_store_account **a)
{
    yb_free(*a);
    *a = NULL;
}

int
yb_store_usage_again(struct yb_store_account *a, struct yb_err *err)
{
    (void)a;
    (void)err;
    return 0;
}

int
yb_store_lock_pop(struct yb_store_account *a, int *lock, struct yb_err *err)
{
    if (a->fake->in_use || a->fake->locks > 0)
        return yb_err_as(err, YB_ERR_IN_USE, YB_TEMP, "4.2.0", "Another session has this mailbox");
    a->fake->locks++;
    *lock = 1;
    return 0;
}

void
yb_store_unlock_pop(struct yb_store_account *a, int *lock)
{
    yb_assert(*lock == 1 && a->fake->locks == 1);
    a->fake->locks--;
    *lock = -1;
}

int
yb_mailbox_open(struct yb_store_account *a, struct yb_str name, struct yb_mailbox **m,
                struct yb_err *err YB_UNUSED)
{
    yb_assert(yb_str_eq(name, YB_STR("INBOX")));
    *m = yb_alloc(1, sizeof(**m));
    (*m)->fake = a->fake;
    return 0;
}

void
yb_mailbox_close(struct yb_mailbox **m)
{
    yb_free(*m);
    *m = NULL;
}

bool
yb_mailbox_memo_read(struct yb_mailbox *m, const char *name, struct yb_arena *arena,
                     struct yb_str *out)
{
    yb_assert(strcmp(name, "yubin-pop3") == 0);
    if (m->fake->memo == NULL)
        return false;
    *out = yb_arena_dup(arena, yb_buf_view(m->fake->memo));
    return true;
}

void
yb_mailbox_memo_write(struct yb_mailbox *m, const char *name, struct yb_str bytes)
{
    yb_assert(strcmp(name, "yubin-pop3") == 0);
    if (m->fake->memo == NULL)
        m->fake->memo = yb_buf_new(1u << 20);
    yb_buf_clear(m->fake->memo);
    yb_buf_add(m->fake->memo, bytes);
}

int
yb_view_begin(struct yb_mailbox *m YB_UNUSED, bool read_only, struct yb_view *v,
              struct yb_err *err YB_UNUSED)
{
    yb_assert(read_only);
    *v = (struct yb_view){ .uidvalidity = 1 };
    return 0;
}

void
yb_view_end(struct yb_mailbox *m YB_UNUSED, struct yb_view *v YB_UNUSED)
{
}

int
yb_view_rows(struct yb_mailbox *m, const struct yb_view *v YB_UNUSED, const struct yb_rows **out,
             struct yb_err *err YB_UNUSED)
{
    const struct fake_store *f = m->fake;
    size_t n = f->many > 0 ? f->many : f->n;
    struct yb_record *v_rows = yb_alloc(n + 1, sizeof(*v_rows));
    struct yb_rows *rows = yb_alloc(1, sizeof(*rows));

    for (size_t i = 0; i < n; i++) {
        const struct fake_message *message = &f->messages[f->many > 0 ? 0 : i];

        if (message->gone)
            continue;
        v_rows[rows->n].uid = f->many > 0 ? (uint32_t)i + 1 : message->uid;
        v_rows[rows->n].id = message->id;
        v_rows[rows->n++].size = message->bytes.n;
    }
    rows->v = v_rows;
    *out = rows;
    return 0;
}

void
yb_rows_release(const struct yb_rows **rows)
{
    union { /* made above, handed out as const */
        const struct yb_rows *given;
        struct yb_rows *made;
    } r = { .given = *rows };
    union {
        const struct yb_record *given;
        struct yb_record *made;
    } v = { .given = (*rows)->v };

    yb_free(v.made);
    yb_free(r.made);
    *rows = NULL;
}

int
yb_mailbox_message(struct yb_mailbox *m, const struct yb_record *r, int *fd, struct yb_err *err)
{
    const struct fake_message *message = &m->fake->messages[m->fake->many > 0 ? 0 : r->uid - 1];

    if (m->fake->lost)
        return yb_err_as(err, YB_ERR_GONE, YB_PERM, "5.2.0", "gone");
    m->fake->reads++;
    *fd = memfd_create("message", MFD_CLOEXEC);
    yb_assert(*fd >= 0 && yb_pwrite_all(*fd, message->bytes, 0) == 0);
    return 0;
}

int
yb_mailbox_expunge(struct yb_mailbox *m, const uint32_t *uids, size_t n, bool only_deleted,
                   bool durable, struct yb_err *err)
{
    yb_assert(!only_deleted && n > 0);
    if (m->fake->fail_expunge)
        return yb_err_inside(err, YB_TEMP, "4.3.0", "no");
    for (size_t i = 0; i < n; i++) {
        yb_assert(i == 0 || uids[i] > uids[i - 1]);
        if (m->fake->many == 0)
            m->fake->messages[uids[i] - 1].gone = true;
    }
    m->fake->expunged += (unsigned)n;
    m->fake->durable += durable ? 1 : 0;
    return 0;
}

/* --- the accounts, and the whole --- */

#define VERIFIER "{SSHA256}YflVcOMs6k7tbGkQbQNVn6/ehAnUAVltiLPKHBWGi2tzYWx0c2FsdA=="

static int
lookup(void *arg YB_UNUSED, struct yb_str name, struct yb_arena *arena YB_UNUSED,
       struct yb_auth_record *out, struct yb_err *err)
{
    *out = (struct yb_auth_record){ .verifier = VERIFIER };
    if (yb_str_eq(name, YB_STR("away@a.test")))
        return yb_err_inside(err, YB_TEMP, "4.3.0", "database away");
    out->found = yb_str_eq(name, YB_STR("alice@a.test")) || yb_str_eq(name, YB_STR("carol@a.test"));
    if (yb_str_eq(name, YB_STR("carol@a.test")))
        yb_assert(yb_str_copy(YB_STR("This account is suspended: unpaid"), out->refused,
                              sizeof(out->refused)));
    yb_assert(yb_str_copy(name, out->user.address, sizeof(out->user.address)) || !out->found);
    return 0;
}

struct fake_store *
fake_start(struct pop3d *p)
{
    struct yb_auth_conf conf = { .service = "pop",
                                 .source = { .lookup = lookup },
                                 .attempts = 1000 };
    struct yb_err err = { 0 };

    yb_log_init("test", YB_LOG_ERROR);
    *p = (struct pop3d){ .max_failures = 3, .max_per_account = 1 };
    p->store = yb_alloc(1, sizeof(*p->store));
    p->auth = yb_auth_new(&conf, &err);
    yb_assert(p->auth != NULL);
    return &p->store->fake;
}

void
fake_stop(struct pop3d *p)
{
    yb_assert(p->store->fake.locks == 0); /* every session gave its mailbox back */
    yb_auth_free(&p->auth);
    yb_buf_free(&p->store->fake.memo);
    yb_free(p->store);
}

void
fake_add(struct fake_store *s, const char *bytes)
{
    struct fake_message *m = &s->messages[s->n];

    yb_assert(s->n < FAKE_MESSAGES);
    memset(m->id.v, (int)++s->n, sizeof(m->id.v));
    m->uid = (uint32_t)s->n;
    m->bytes = yb_str_from(bytes);
}
