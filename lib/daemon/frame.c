#include "lib/daemon/frame.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static void
put_u32(uint8_t *to, uint32_t v)
{
    to[0] = (uint8_t)(v >> 24);
    to[1] = (uint8_t)(v >> 16);
    to[2] = (uint8_t)(v >> 8);
    to[3] = (uint8_t)v;
}

static uint32_t
get_u32(const char *p)
{
    const uint8_t *u = (const uint8_t *)p;

    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static struct yb_str
head_make(uint8_t head[YB_FRAME_HEAD], uint32_t type, size_t size)
{
    yb_assert(size <= YB_FRAME_LIMIT);
    put_u32(head, (uint32_t)size);
    put_u32(head + 4, type);
    return yb_str((const char *)head, YB_FRAME_HEAD);
}

void
yb_frame_put(struct yb_buf *out, uint32_t type, struct yb_str body)
{
    uint8_t head[YB_FRAME_HEAD];

    yb_buf_add(out, head_make(head, type, body.n));
    yb_buf_add(out, body);
}

int
yb_frame_cut(struct yb_str *in, size_t limit, struct yb_frame *f, struct yb_err *err)
{
    size_t size;

    if (in->n < YB_FRAME_HEAD)
        return 0;
    size = get_u32(in->p);
    if (size > limit)
        return yb_err_inside(err, YB_PERM, "5.3.4", "a frame of %zu bytes where %zu are the limit",
                             size, limit);
    if (in->n - YB_FRAME_HEAD < size)
        return 0;
    f->type = get_u32(in->p + 4);
    f->body = yb_str(in->p + YB_FRAME_HEAD, size);
    *in = yb_str_skip(*in, YB_FRAME_HEAD + size);
    return 1;
}

void
yb_frame_put_str(struct yb_buf *body, struct yb_str s)
{
    uint8_t size[4];

    yb_assert(s.n <= YB_FRAME_LIMIT);
    put_u32(size, (uint32_t)s.n);
    yb_buf_add(body, yb_str((const char *)size, sizeof(size)));
    yb_buf_add(body, s);
}

bool
yb_frame_cut_str(struct yb_str *body, struct yb_str *s)
{
    size_t size;

    if (body->n < 4)
        return false;
    size = get_u32(body->p);
    if (body->n - 4 < size)
        return false;
    *s = yb_str(body->p + 4, size);
    *body = yb_str_skip(*body, 4 + size);
    return true;
}

/* Waits until the socket can be written or read; -1 when the deadline passes first. */
static int
wait_for(int fd, short events, struct yb_deadline by, struct yb_err *err)
{
    struct pollfd p = { .fd = fd, .events = events };
    int rc;

    do
        rc = poll(&p, 1, yb_deadline_left(by));
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return yb_err_sys(err, YB_TEMP, "4.4.2", "wait for the other process");
    return rc == 0 ? yb_err_inside(err, YB_TEMP, "4.4.2", "the other process is silent") : 0;
}

static int
send_all(int fd, struct yb_str s, struct yb_deadline by, struct yb_err *err)
{
    while (s.n > 0) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            if (wait_for(fd, POLLOUT, by, err) < 0)
                return -1;
        } else if (n < 0 && errno != EINTR) {
            return yb_err_sys(err, YB_TEMP, "4.4.2", "send to the other process");
        } else if (n > 0) {
            s = yb_str_skip(s, (size_t)n);
        }
    }
    return 0;
}

static int
recv_all(int fd, char *to, size_t n, struct yb_deadline by, struct yb_err *err)
{
    while (n > 0) {
        ssize_t k = recv(fd, to, n, MSG_DONTWAIT);

        if (k == 0)
            return yb_err_inside(err, YB_TEMP, "4.4.2", "the other process closed the connection");
        if (k < 0 && errno == EAGAIN) {
            if (wait_for(fd, POLLIN, by, err) < 0)
                return -1;
        } else if (k < 0 && errno != EINTR) {
            return yb_err_sys(err, YB_TEMP, "4.4.2", "receive from the other process");
        } else if (k > 0) {
            to += k;
            n -= (size_t)k;
        }
    }
    return 0;
}

int
yb_frame_send(int fd, uint32_t type, struct yb_str body, struct yb_deadline by, struct yb_err *err)
{
    uint8_t head[YB_FRAME_HEAD];

    if (send_all(fd, head_make(head, type, body.n), by, err) < 0)
        return -1;
    return send_all(fd, body, by, err);
}

int
yb_frame_recv(int fd, uint32_t *type, struct yb_buf *body, struct yb_deadline by,
              struct yb_err *err)
{
    char head[YB_FRAME_HEAD], *room;
    size_t size;

    yb_buf_clear(body);
    if (recv_all(fd, head, sizeof(head), by, err) < 0)
        return -1;
    size = get_u32(head);
    *type = get_u32(head + 4);
    if (size == 0)
        return 0;
    room = size > YB_FRAME_LIMIT ? NULL : yb_buf_room(body, size);
    if (room == NULL)
        return yb_err_inside(err, YB_PERM, "5.3.4", "a frame of %zu bytes is too large", size);
    if (recv_all(fd, room, size, by, err) < 0)
        return -1;
    yb_buf_wrote(body, size);
    return 0;
}
