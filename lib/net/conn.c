/* What a handler may do with its connection (conn.h). */
#include "lib/net/conn.h"

#include "lib/base/clock.h"
#include "lib/base/io.h"
#include "lib/net/engine.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

/* A file range up to this size is read at once instead of costing calls of its own later, unless
 * much waits to be sent already: then only up to the size of what remembers it. */
#define SMALL_FILE YB_OUT_BLOCK
#define TINY_FILE 256

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
    return c->listener->spec.arg;
}

struct yb_net *
yb_conn_net(const struct yb_conn *c)
{
    return c->net;
}

struct yb_conn_ref
yb_conn_self(const struct yb_conn *c)
{
    return c->self;
}

struct yb_arena *
yb_conn_scratch(const struct yb_conn *c)
{
    return c->w->scratch;
}

/* --- input --- */

void
yb_conn_set_line_limit(struct yb_conn *c, size_t bytes)
{
    yb_assert(bytes > 0 && bytes <= YB_LINE_MAX);
    c->input.limit = bytes;
}

void
yb_conn_want_bytes(struct yb_conn *c, uint64_t n)
{
    yb_assert(c->listener->spec.service->data != NULL);
    yb_input_want_bytes(&c->input, n);
    c->starved = false;
}

void
yb_conn_want_dot(struct yb_conn *c)
{
    yb_assert(c->listener->spec.service->data != NULL);
    yb_input_want_dot(&c->input);
    c->starved = false;
}

void
yb_conn_pause(struct yb_conn *c)
{
    c->paused = true;
}

void
yb_conn_resume(struct yb_conn *c)
{
    c->paused = false;
}

bool
yb_conn_has_input(const struct yb_conn *c)
{
    char byte;

    if (c->in_n > 0 || c->ssl != NULL)
        return c->in_n > 0 || yb_stream_pending(c);
    return !c->eof && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void
yb_conn_drop_input(struct yb_conn *c)
{
    c->in_n = 0;
    yb_input_dropped(&c->input);
}

bool
yb_conn_is_left(const struct yb_conn *c)
{
    struct pollfd p = { .fd = c->fd };

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* --- output --- */

static bool
may_write(const struct yb_conn *c)
{
    return c->opened && !c->broken && c->state == YB_CONN_OPEN;
}

/* Much output of one handler begins to move before the handler ends. */
static void
send_early(struct yb_conn *c)
{
    if (c->out.size >= c->tried + YB_OUT_PIECE)
        yb_stream_flush(c);
}

void
yb_conn_write(struct yb_conn *c, struct yb_str s)
{
    if (!may_write(c))
        return;
    yb_out_add(&c->out, &c->w->stock, s);
    send_early(c);
}

void
yb_conn_printf(struct yb_conn *c, const char *fmt, ...)
{
    char text[1024], *p = text;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    yb_assert(n >= 0);
    if ((size_t)n >= sizeof(text)) {
        p = yb_arena_alloc(c->w->scratch, (size_t)n + 1, 1);
        va_start(args, fmt);
        vsnprintf(p, (size_t)n + 1, fmt, args);
        va_end(args);
    }
    yb_conn_write(c, yb_str(p, (size_t)n));
}

static void
write_small(struct yb_conn *c, const struct yb_file *file, off_t at, size_t n)
{
    while (n > 0 && !c->broken) {
        size_t room;
        char *to = yb_out_room(&c->out, &c->w->stock, n, &room);

        if (room > n)
            room = n;
        if (yb_pread_full(yb_file_fd(file), to, room, at) == (ssize_t)room) {
            yb_out_wrote(&c->out, room);
            at += (off_t)room;
            n -= room;
        } else {
            yb_log(YB_LOG_ERROR, &c->log, "net.file.short", "a file is shorter than was announced");
            yb_conn_abort(c);
        }
    }
}

void
yb_conn_write_file(struct yb_conn *c, struct yb_file *file, off_t at, size_t n)
{
    if (!may_write(c))
        return;
    if (n <= (c->out.size < YB_OUT_HIGH ? SMALL_FILE : TINY_FILE)) {
        write_small(c, file, at, n);
        send_early(c);
        return;
    }
    if (c->out.n_files >= YB_OUT_FILES_MAX && yb_stream_flush(c) &&
        c->out.n_files >= YB_OUT_FILES_MAX) {
        yb_log(YB_LOG_ERROR, &c->log, "net.out.full", "too much of an answer is not taken");
        yb_conn_abort(c);
    }
    if (may_write(c))
        yb_out_add_file(&c->out, file, at, n);
}

size_t
yb_conn_unsent(const struct yb_conn *c)
{
    return c->out.size;
}

void
yb_conn_set_producer(struct yb_conn *c, bool (*producer)(struct yb_conn *c))
{
    c->producer = producer;
}

void
yb_conn_flush(struct yb_conn *c)
{
    if (may_write(c))
        yb_stream_flush(c);
}

void
yb_conn_close(struct yb_conn *c)
{
    if (c->state != YB_CONN_OPEN)
        return;
    c->state = YB_CONN_CLOSING;
    c->producer = NULL;
}

void
yb_conn_abort(struct yb_conn *c)
{
    if (c->state == YB_CONN_DEAD)
        return;
    c->state = YB_CONN_DEAD;
    c->broken = true;
}

/* --- time --- */

void
yb_conn_set_timeout(struct yb_conn *c, int64_t ms)
{
    c->timeout_ms = ms;
}

void
yb_conn_set_deadline(struct yb_conn *c, int64_t ms)
{
    c->deadline_at = ms > 0 ? yb_clock_ms() + ms : 0;
}

/* --- who --- */

const char *
yb_conn_peer_text(const struct yb_conn *c)
{
    return c->peer_text;
}

const struct sockaddr *
yb_conn_peer(const struct yb_conn *c)
{
    return &c->peer.any;
}

const struct sockaddr *
yb_conn_local(const struct yb_conn *c)
{
    return &c->local.any;
}

struct yb_session_id
yb_conn_session_id(const struct yb_conn *c)
{
    return c->sid;
}

bool
yb_conn_peer_user(const struct yb_conn *c, uid_t *uid)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);

    if (!c->listener->is_unix || getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
        return false;
    *uid = cred.uid;
    return true;
}

struct yb_log_ctx *
yb_conn_log(struct yb_conn *c)
{
    return &c->log;
}

void
yb_conn_set_fair_key(struct yb_conn *c, uint64_t key)
{
    c->job.key = key;
}

/* --- TLS --- */

bool
yb_conn_can_tls(const struct yb_conn *c)
{
    return c->ssl == NULL && atomic_load(&c->net->has_tls);
}

bool
yb_conn_is_tls(const struct yb_conn *c)
{
    return c->ssl != NULL;
}

void
yb_conn_start_tls(struct yb_conn *c)
{
    yb_assert(c->ssl == NULL);
    c->start_tls = true;
    yb_conn_drop_input(c);
}

const char *
yb_conn_tls_version(const struct yb_conn *c)
{
    return c->ssl == NULL ? "" : SSL_get_version(c->ssl);
}

const char *
yb_conn_tls_cipher(const struct yb_conn *c)
{
    return c->ssl == NULL ? "" : SSL_get_cipher_name(c->ssl);
}

const char *
yb_conn_tls_name(const struct yb_conn *c)
{
    const char *name =
        c->ssl == NULL ? NULL : SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);

    return name == NULL ? "" : name;
}

bool
yb_conn_tls_exporter(const struct yb_conn *c, uint8_t out[32])
{
    static const char label[] = "EXPORTER-Channel-Binding";

    return c->ssl != NULL &&
           SSL_export_keying_material(c->ssl, out, 32, label, sizeof(label) - 1, NULL, 0, 0) == 1;
}
