#include "tests/unit/smtp/fake_conn.h"

#include "lib/base/io.h"
#include "lib/net/file.h"
#include "lib/net/input.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

#define OUTPUT_LIMIT (64u << 20)
#define INPUT_LIMIT (64u << 20)

struct yb_conn {
    struct fake_spec spec;
    void *session;
    struct yb_arena *scratch;
    struct yb_input input;
    struct yb_buf *in, *out;
    struct yb_log_ctx log;
    struct sockaddr_storage peer, local;
    int64_t deadline_ms;
    size_t handling; /* bytes at the head of `in` that the running handler was given */
    bool dropped;    /* the handler threw the input away */
    bool closed, want_tls, ended, slow, left;
    bool (*producer)(struct yb_conn *c);
};

static void
set_address(struct sockaddr_storage *to, const char *text)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    memset(to, 0, sizeof(*to));
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(to, &in, sizeof(in));
    } else {
        yb_assert(inet_pton(AF_INET6, text, &in6.sin6_addr) == 1);
        memcpy(to, &in6, sizeof(in6));
    }
}

struct yb_conn *
fake_open(const struct fake_spec *spec)
{
    struct yb_conn *c = yb_alloc(1, sizeof(*c));

    c->spec = *spec;
    if (c->spec.peer == NULL)
        c->spec.peer = "192.0.2.1";
    if (c->spec.local == NULL)
        c->spec.local = "192.0.2.25";
    set_address(&c->peer, c->spec.peer);
    set_address(&c->local, c->spec.local);
    c->scratch = yb_arena_new(4096);
    c->in = yb_buf_new(INPUT_LIMIT);
    c->out = yb_buf_new(OUTPUT_LIMIT);
    yb_input_init(&c->input, 2048);
    c->input.pieces = spec->service->line_pieces;
    c->spec.service->opened(c);
    c->spec.early = false;
    yb_arena_reset(c->scratch);
    return c;
}

static void
after_handler(struct yb_conn *c, size_t used)
{
    yb_arena_reset(c->scratch);
    if (!c->dropped)
        yb_buf_consume(c->in, used);
    c->dropped = false;
    c->handling = 0;
    if (!c->want_tls || c->closed)
        return;
    c->want_tls = false;
    c->spec.is_tls = true;
    yb_buf_clear(c->in);
    yb_input_dropped(&c->input);
    if (c->spec.service->tls_started != NULL)
        c->spec.service->tls_started(c);
    yb_arena_reset(c->scratch);
}

void
fake_produce(struct yb_conn *c)
{
    while (c->producer != NULL && !c->closed) {
        bool more = c->producer(c);

        yb_arena_reset(c->scratch);
        if (!more)
            c->producer = NULL;
        if (c->slow)
            return;
    }
}

static void
run(struct yb_conn *c)
{
    struct yb_input_item item;

    fake_produce(c);
    while (!c->closed && c->producer == NULL) {
        yb_input_next(&c->input, yb_buf_view(c->in), &item);
        if (item.kind == YB_INPUT_MORE) {
            yb_buf_truncate(c->in, item.keep);
            return;
        }
        c->handling = item.used;
        if (item.kind == YB_INPUT_LINE)
            c->spec.service->line(c, item.bytes, item.flags);
        else
            c->spec.service->data(c, item.bytes, item.last, item.flags);
        after_handler(c, item.used);
        fake_produce(c);
    }
}

void
fake_feed(struct yb_conn *c, struct yb_str bytes, size_t piece)
{
    while (bytes.n > 0 && !c->closed) {
        struct yb_str part = piece == 0 ? bytes : yb_str_head(bytes, piece);

        yb_buf_add(c->in, part);
        bytes = yb_str_skip(bytes, part.n);
        run(c);
    }
}

void
fake_time_out(struct yb_conn *c)
{
    c->spec.service->timed_out(c);
    yb_arena_reset(c->scratch);
    c->closed = true;
}

void
fake_wake(struct yb_conn *c)
{
    c->spec.service->woken(c);
    yb_arena_reset(c->scratch);
}

void
fake_slow(struct yb_conn *c)
{
    c->slow = true;
}

struct yb_str
fake_output(const struct yb_conn *c)
{
    yb_assert(!yb_buf_overflowed(c->out));
    return yb_buf_view(c->out);
}

void
fake_clear(struct yb_conn *c)
{
    yb_buf_clear(c->out);
}

bool
fake_is_closed(const struct yb_conn *c)
{
    return c->closed;
}

void
fake_free(struct yb_conn **c)
{
    (*c)->ended = true;
    (*c)->spec.service->closed(*c);
    yb_arena_free(&(*c)->scratch);
    yb_buf_free(&(*c)->in);
    yb_buf_free(&(*c)->out);
    yb_log_ctx_free(&(*c)->log);
    yb_free(*c);
    *c = NULL;
}

/* --- lib/net/conn.h --- */

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
    return c->spec.arg;
}

struct yb_arena *
yb_conn_scratch(const struct yb_conn *c)
{
    return c->scratch;
}

void
yb_conn_set_line_limit(struct yb_conn *c, size_t bytes)
{
    c->input.limit = bytes;
}

void
yb_conn_want_bytes(struct yb_conn *c, uint64_t n)
{
    yb_input_want_bytes(&c->input, n);
}

void
yb_conn_want_dot(struct yb_conn *c)
{
    yb_input_want_dot(&c->input);
}

bool
yb_conn_has_input(const struct yb_conn *c)
{
    return yb_buf_size(c->in) > c->handling || c->spec.early;
}

bool
yb_conn_is_left(const struct yb_conn *c)
{
    return c->left;
}

void
fake_leave(struct yb_conn *c)
{
    c->left = true;
}

void
yb_conn_drop_input(struct yb_conn *c)
{
    yb_buf_clear(c->in);
    yb_input_dropped(&c->input);
    c->dropped = true;
}

void
yb_conn_write(struct yb_conn *c, struct yb_str s)
{
    if (!c->closed && !c->ended)
        yb_buf_add(c->out, s);
}

void
yb_conn_write_file(struct yb_conn *c, struct yb_file *file, off_t at, size_t n)
{
    char *to = c->closed || c->ended ? NULL : yb_buf_room(c->out, n);

    if (to != NULL) {
        yb_assert(yb_pread_full(yb_file_fd(file), to, n, at) == (ssize_t)n);
        yb_buf_wrote(c->out, n);
    }
}

void
yb_conn_flush(struct yb_conn *c YB_UNUSED)
{
}

/* What a slow client was told it has not taken. */
size_t
yb_conn_unsent(const struct yb_conn *c)
{
    return c->slow ? yb_buf_size(c->out) : 0;
}

void
yb_conn_set_producer(struct yb_conn *c, bool (*producer)(struct yb_conn *c))
{
    yb_assert(c->producer == NULL);
    c->producer = producer;
}

void
yb_conn_close(struct yb_conn *c)
{
    c->closed = true;
}

void
yb_conn_abort(struct yb_conn *c)
{
    c->closed = true;
}

/* One of its kind: whoever wakes it, means the only one there is. */
struct yb_conn_ref
yb_conn_self(const struct yb_conn *c)
{
    yb_assert(c != NULL);
    return (struct yb_conn_ref){ 1, 1 };
}

void
yb_conn_set_timeout(struct yb_conn *c, int64_t ms)
{
    yb_assert(c != NULL && ms >= 0);
}

void
yb_conn_set_deadline(struct yb_conn *c, int64_t ms)
{
    yb_assert(c != NULL && ms >= 0);
    c->deadline_ms = ms;
}

int64_t
fake_deadline(const struct yb_conn *c)
{
    return c->deadline_ms;
}

const char *
yb_conn_peer_text(const struct yb_conn *c)
{
    return c->spec.is_unix ? "unix" : c->spec.peer;
}

const struct sockaddr *
yb_conn_peer(const struct yb_conn *c)
{
    return (const struct sockaddr *)(const void *)&c->peer;
}

const struct sockaddr *
yb_conn_local(const struct yb_conn *c)
{
    return (const struct sockaddr *)(const void *)&c->local;
}

bool
yb_conn_peer_user(const struct yb_conn *c, uid_t *uid)
{
    *uid = 0;
    return c->spec.is_unix;
}

struct yb_log_ctx *
yb_conn_log(struct yb_conn *c)
{
    return &c->log;
}

struct yb_session_id
yb_conn_session_id(const struct yb_conn *c)
{
    struct yb_session_id id = { { 1, 2, 3, 4, 5, 6, 7, 8 } };

    yb_assert(c != NULL);
    return id;
}

void
yb_conn_set_fair_key(struct yb_conn *c, uint64_t key)
{
    yb_assert(c != NULL);
    (void)key;
}

bool
yb_conn_set_account(struct yb_conn *c, struct yb_account_id account YB_UNUSED, size_t max)
{
    yb_assert(c != NULL);
    return max > 0; /* a test that wants to be too many says 0 */
}

bool
yb_conn_can_tls(const struct yb_conn *c)
{
    return c->spec.can_tls && !c->spec.is_tls;
}

bool
yb_conn_is_tls(const struct yb_conn *c)
{
    return c->spec.is_tls;
}

void
yb_conn_start_tls(struct yb_conn *c)
{
    yb_assert(c->spec.can_tls && !c->spec.is_tls);
    c->want_tls = true;
}

const char *
yb_conn_tls_cipher(const struct yb_conn *c)
{
    return c->spec.is_tls ? "TLS_AES_256_GCM_SHA384" : "";
}

const char *
yb_conn_tls_version(const struct yb_conn *c)
{
    return c->spec.is_tls ? "TLSv1.3" : "";
}

bool
yb_conn_tls_exporter(const struct yb_conn *c, uint8_t out[32])
{
    memset(out, 0, 32);
    return c->spec.is_tls;
}
