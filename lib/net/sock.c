#include "lib/net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_AT 32768 /* queued bytes that are sent without waiting for a flush */
#define READ_SIZE 8192

struct yb_sock {
    int fd;
    struct yb_buf *out;
    /* Input: in[at..end) was read and not given out; `line` ended before `at`. */
    char *in;
    size_t at, end, size;
    char where[120]; /* for errors */
};

union where {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
};

/* "127.0.0.1:25", "[::1]:25" or "unix:/path" as a socket address. */
static bool
where_parse(struct yb_str where, union where *a, socklen_t *size)
{
    size_t colon = yb_str_rfind(where, ':');
    char ip[INET6_ADDRSTRLEN];
    uint64_t port;

    memset(a, 0, sizeof(*a));
    if (yb_str_starts(where, YB_STR("unix:"))) {
        a->un.sun_family = AF_UNIX;
        *size = sizeof(a->un);
        return where.n > 5 &&
               yb_str_copy(yb_str_skip(where, 5), a->un.sun_path, sizeof(a->un.sun_path));
    }
    if (colon == where.n || !yb_str_u64(yb_str_skip(where, colon + 1), 65535, &port) || port == 0)
        return false;
    where = yb_str_head(where, colon);
    if (where.n > 2 && where.p[0] == '[' && where.p[where.n - 1] == ']') {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_port = htons((uint16_t)port);
        *size = sizeof(a->v6);
        return yb_str_copy(yb_str(where.p + 1, where.n - 2), ip, sizeof(ip)) &&
               inet_pton(AF_INET6, ip, &a->v6.sin6_addr) == 1;
    }
    a->v4.sin_family = AF_INET;
    a->v4.sin_port = htons((uint16_t)port);
    *size = sizeof(a->v4);
    return yb_str_copy(where, ip, sizeof(ip)) && inet_pton(AF_INET, ip, &a->v4.sin_addr) == 1;
}

/* Waits until the socket is ready; 0, or -1 when the deadline passed. */
static int
ready(struct yb_sock *s, short what, struct yb_deadline by, struct yb_err *err)
{
    struct pollfd p = { .fd = s->fd, .events = what };
    int n;

    do
        n = poll(&p, 1, yb_deadline_left(by));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return yb_err_sys(err, YB_TEMP, "4.4.2", "%s: poll", s->where);
    if (n == 0)
        return yb_err_inside(err, YB_TEMP, "4.4.2", "%s: no answer in time", s->where);
    return 0;
}

/* A connect() under way: its end, good or bad. A full backlog of a unix socket is EAGAIN at once.
 */
static int
connect_wait(struct yb_sock *s, const union where *a, socklen_t size, struct yb_deadline by,
             struct yb_err *err)
{
    socklen_t n = sizeof(errno);

    while (connect(s->fd, &a->any, size) < 0) {
        if (errno == EINPROGRESS || errno == EINTR) {
            if (ready(s, POLLOUT, by, err) < 0)
                return -1;
            if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &errno, &n) == 0 && errno == 0)
                return 0;
            return yb_err_sys(err, YB_TEMP, "4.4.1", "connect %s", s->where);
        }
        if (errno != EAGAIN || yb_deadline_left(by) == 0)
            return yb_err_sys(err, YB_TEMP, "4.4.1", "connect %s", s->where);
        poll(NULL, 0, 5); /* nothing to wait for: the kernel tells nobody when there is room */
    }
    return 0;
}

struct yb_sock *
yb_sock_connect(struct yb_str where, struct yb_deadline by, struct yb_err *err)
{
    struct yb_sock *s;
    union where a;
    socklen_t size;
    int on = 1;

    if (!where_parse(where, &a, &size)) {
        yb_err_inside(err, YB_PERM, "5.3.5", "not an address to connect to: \"%.*s\"",
                      YB_STR_ARG(where));
        return NULL;
    }
    s = yb_alloc(1, sizeof(*s));
    if (!yb_str_copy(yb_str_head(where, sizeof(s->where) - 1), s->where, sizeof(s->where)))
        s->where[0] = 0;
    s->out = yb_buf_new(SIZE_MAX / 2);
    s->fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        yb_err_sys(err, YB_TEMP, "4.4.1", "socket for %s", s->where);
        yb_sock_close(&s);
    } else if (connect_wait(s, &a, size, by, err) < 0) {
        yb_sock_close(&s);
    } else if (a.any.sa_family != AF_UNIX) {
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    return s;
}

void
yb_sock_close(struct yb_sock **s)
{
    if (*s == NULL)
        return;
    if ((*s)->fd >= 0)
        close((*s)->fd);
    yb_buf_free(&(*s)->out);
    yb_free((*s)->in);
    yb_free(*s);
    *s = NULL;
}

/* Sends all of `data` from its place, without copying. */
static int
send_all(struct yb_sock *s, struct yb_str data, struct yb_deadline by, struct yb_err *err)
{
    while (data.n > 0) {
        ssize_t n = send(s->fd, data.p, data.n, MSG_NOSIGNAL);

        if (n >= 0)
            data = yb_str_skip(data, (size_t)n);
        else if (errno == EAGAIN) {
            if (ready(s, POLLOUT, by, err) < 0)
                return -1;
        } else if (errno != EINTR) {
            return yb_err_sys(err, YB_TEMP, "4.4.2", "send to %s", s->where);
        }
    }
    return 0;
}

int
yb_sock_flush(struct yb_sock *s, struct yb_deadline by, struct yb_err *err)
{
    int rc = send_all(s, yb_buf_view(s->out), by, err);

    yb_buf_clear(s->out);
    return rc;
}

int
yb_sock_write(struct yb_sock *s, struct yb_str data, struct yb_deadline by, struct yb_err *err)
{
    if (yb_buf_size(s->out) + data.n < SEND_AT)
        return yb_buf_append(s->out, data, err);
    /* Too much to keep: what waits goes with the first part of it in one packet. */
    if (yb_buf_size(s->out) > 0) {
        struct yb_str first = yb_str_head(data, SEND_AT - yb_buf_size(s->out));

        if (yb_buf_append(s->out, first, err) < 0 || yb_sock_flush(s, by, err) < 0)
            return -1;
        data = yb_str_skip(data, first.n);
        if (data.n < SEND_AT)
            return yb_buf_append(s->out, data, err);
    }
    return send_all(s, data, by, err);
}

/* At least one more byte behind in[end), room made first. */
static int
fill(struct yb_sock *s, struct yb_deadline by, struct yb_err *err)
{
    if (s->at > 0) {
        memmove(s->in, s->in + s->at, s->end - s->at);
        s->end -= s->at;
        s->at = 0;
    }
    if (s->size - s->end < READ_SIZE) {
        s->size = s->end + READ_SIZE;
        s->in = yb_realloc(s->in, s->size, 1);
    }
    for (;;) {
        ssize_t n = recv(s->fd, s->in + s->end, s->size - s->end, 0);

        if (n > 0) {
            s->end += (size_t)n;
            return 0;
        }
        if (n == 0)
            return yb_err_inside(err, YB_TEMP, "4.4.2", "%s closed the connection", s->where);
        if (errno == EAGAIN) {
            if (ready(s, POLLIN, by, err) < 0)
                return -1;
        } else if (errno != EINTR) {
            return yb_err_sys(err, YB_TEMP, "4.4.2", "receive from %s", s->where);
        }
    }
}

int
yb_sock_line(struct yb_sock *s, size_t limit, struct yb_str *line, struct yb_deadline by,
             struct yb_err *err)
{
    size_t seen = 0;
    const char *lf = NULL;

    if (yb_sock_flush(s, by, err) < 0) /* nobody answers what was not sent */
        return -1;
    for (;;) {
        size_t n = s->end - s->at;

        if (n > seen)
            lf = memchr(s->in + s->at + seen, '\n', n - seen);
        if (lf != NULL)
            break;
        if (n > limit + 2)
            return yb_err_inside(err, YB_TEMP, "4.5.0", "%s sent a line over %zu bytes", s->where,
                                 limit);
        seen = n;
        if (fill(s, by, err) < 0)
            return -1;
    }
    *line = yb_str(s->in + s->at, (size_t)(lf - (s->in + s->at)));
    s->at += line->n + 1;
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    if (line->n > limit)
        return yb_err_inside(err, YB_TEMP, "4.5.0", "%s sent a line over %zu bytes", s->where,
                             limit);
    return 0;
}

bool
yb_sock_stale(struct yb_sock *s)
{
    char c;
    ssize_t n;

    if (s->at < s->end)
        return true;
    do
        n = recv(s->fd, &c, 1, MSG_PEEK);
    while (n < 0 && errno == EINTR);
    return !(n < 0 && errno == EAGAIN);
}
