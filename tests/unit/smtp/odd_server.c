#include "tests/unit/smtp/odd_server.h"

#include "lib/base/clock.h"
#include "lib/base/io.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct run {
    struct odd_server *s;
    int fd;
    size_t piece;
    size_t at, end; /* of `in`: read and not yet looked at */
    char in[16384];
};

/* One octet; false at the end of the connection. */
static bool
read_octet(struct run *r, char *c)
{
    ssize_t n;

    if (r->at == r->end) {
        n = r->fd < 0 ? 0 : read(r->fd, r->in, sizeof(r->in));
        r->at = 0;
        r->end = n > 0 ? (size_t)n : 0;
        if (r->end == 0)
            return false;
    }
    *c = r->in[r->at++];
    return true;
}

static bool
read_line(struct run *r)
{
    char c = '\0';

    while (c != '\n' && read_octet(r, &c))
        yb_buf_add_c(r->s->log, c);
    return c == '\n';
}

static void
read_to_dot(struct run *r)
{
    size_t before;

    do {
        before = yb_buf_size(r->s->log);
        if (!read_line(r))
            return;
    } while (!yb_str_eq(yb_str_skip(yb_buf_view(r->s->log), before), YB_STR(".\r\n")));
}

/* Until the peer has read what was sent: then the next piece arrives alone. */
static void
wait_until_read(int fd)
{
    int left = 1;
    struct yb_deadline by = yb_deadline_in(2000);

    while (left > 0 && yb_deadline_left(by) > 0 && ioctl(fd, TIOCOUTQ, &left) == 0)
        sched_yield();
}

static void
send_text(struct run *r, struct yb_str text)
{
    struct yb_buf *b = yb_buf_new(1 << 20);
    struct yb_str all, part;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '~')
            yb_buf_add(b, YB_STR("\r\n"));
        else
            yb_buf_add_c(b, text.p[i]);
    }
    all = yb_buf_view(b);
    while (all.n > 0) {
        part = r->piece == 0 ? all : yb_str_head(all, r->piece);
        if (send(r->fd, part.p, part.n, MSG_NOSIGNAL) != (ssize_t)part.n)
            break;
        all = yb_str_skip(all, part.n);
        if (r->piece > 0)
            wait_until_read(r->fd);
    }
    yb_buf_free(&b);
}

static void
accept_next(struct run *r)
{
    struct pollfd p = { .fd = r->s->listen_fd, .events = POLLIN };

    if (r->fd >= 0)
        close(r->fd);
    r->at = r->end = 0;
    r->fd = poll(&p, 1, 5000) == 1 ? accept(r->s->listen_fd, NULL, NULL) : -1;
    r->s->connections += r->fd >= 0;
}

static size_t
number(struct yb_str s, size_t without)
{
    uint64_t n;

    return yb_str_u64(s, 1 << 24, &n) ? (size_t)n : without;
}

static void
step(struct run *r, struct yb_str s)
{
    char c, what = s.n > 0 ? s.p[0] : ' ';
    struct yb_str rest = yb_str_skip(s, 1);

    if (what == '!') {
        accept_next(r);
        return;
    }
    if (r->fd < 0)
        accept_next(r);
    if (what == '<')
        send_text(r, rest);
    else if (what == '/')
        r->piece = number(rest, 0);
    else if (what == '>')
        for (size_t n = number(rest, 1); n > 0; n--)
            read_line(r);
    else if (what == '=')
        for (size_t n = number(rest, 0); n > 0 && read_octet(r, &c); n--)
            yb_buf_add_c(r->s->log, c);
    else if (what == '.')
        read_to_dot(r);
    else if (what == '?')
        while (read_octet(r, &c))
            yb_buf_add_c(r->s->log, c);
}

static void *
serve(void *arg)
{
    struct odd_server *s = arg;
    struct run r = { .s = s, .fd = -1 };
    struct yb_str left = yb_str_from(s->script), part;

    while (yb_str_split(&left, '|', &part))
        step(&r, part);
    if (r.fd >= 0)
        close(r.fd);
    return NULL;
}

void
odd_server_start(struct odd_server *s, const char *script)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    memset(s, 0, sizeof(*s));
    memcpy(s->folder, "/tmp/yubin-odd.XXXXXX", sizeof("/tmp/yubin-odd.XXXXXX"));
    yb_assert(mkdtemp(s->folder) != NULL);
    (void)snprintf(s->where, sizeof(s->where), "unix:%s/s", s->folder);
    (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", s->folder);
    s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    yb_assert(s->listen_fd >= 0 &&
              bind(s->listen_fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 &&
              listen(s->listen_fd, 16) == 0);
    s->script = script;
    s->log = yb_buf_new(1 << 24);
    yb_assert(pthread_create(&s->thread, NULL, serve, s) == 0);
}

void
odd_server_stop(struct odd_server *s)
{
    shutdown(s->listen_fd, SHUT_RDWR); /* nobody will come any more */
    pthread_join(s->thread, NULL);
    close(s->listen_fd);
    unlink(s->where + 5);
    rmdir(s->folder);
}
