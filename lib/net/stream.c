/* Bytes in and out of a connection's socket, plain or by TLS. */
#include "lib/net/engine.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#define IOV 16
/* A fast reader of much output gives the worker back after so many bytes. */
#define FLUSH_MAX (1u << 20)

/* What an SSL call that did not succeed wants; sets *want for AGAIN. 0 is the orderly end. */
static int
ssl_outcome(struct yb_conn *c, int rc, uint32_t *want)
{
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        *want = EPOLLIN;
        return YB_STREAM_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *want = EPOLLOUT;
        return YB_STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return YB_STREAM_BROKEN;
    }
}

ssize_t
yb_stream_read(struct yb_conn *c, char *to, size_t n)
{
    size_t got;
    ssize_t rc;

    c->read_want = EPOLLIN;
    if (c->ssl != NULL) {
        ERR_clear_error();
        rc = SSL_read_ex(c->ssl, to, n, &got);
        return rc == 1 ? (ssize_t)got : ssl_outcome(c, (int)rc, &c->read_want);
    }
    do
        rc = recv(c->fd, to, n, 0);
    while (rc < 0 && errno == EINTR);
    if (rc >= 0)
        return rc;
    return errno == EAGAIN ? YB_STREAM_AGAIN : YB_STREAM_BROKEN;
}

bool
yb_stream_pending(const struct yb_conn *c)
{
    return c->ssl != NULL && SSL_pending(c->ssl) > 0;
}

static ssize_t
write_tls(struct yb_conn *c)
{
    struct iovec iov;
    size_t sent;
    int rc;

    if (c->out.head->file != NULL && !yb_out_load(&c->out, &c->w->stock))
        return YB_STREAM_BROKEN;
    yb_out_iov(&c->out, &iov, 1);
    ERR_clear_error();
    rc = SSL_write_ex(c->ssl, iov.iov_base, iov.iov_len, &sent);
    if (rc == 1)
        return (ssize_t)sent;
    return ssl_outcome(c, rc, &c->write_want) == YB_STREAM_AGAIN ? YB_STREAM_AGAIN
                                                                 : YB_STREAM_BROKEN;
}

static ssize_t
write_plain(struct yb_conn *c)
{
    struct yb_out_part *head = c->out.head;
    struct iovec iov[IOV];
    struct msghdr msg = { .msg_iov = iov };
    size_t n = 0;
    ssize_t rc;

    if (head->file != NULL) {
        off_t at = head->file_at;

        rc = sendfile(c->fd, yb_file_fd(head->file), &at, head->file_n);
        if (rc == 0)
            return YB_STREAM_BROKEN; /* the file is shorter than was announced */
    } else {
        msg.msg_iovlen = (size_t)yb_out_iov(&c->out, iov, IOV);
        for (size_t k = 0; k < msg.msg_iovlen; k++)
            n += iov[k].iov_len;
        rc = sendmsg(c->fd, &msg, MSG_NOSIGNAL | (n < c->out.size ? MSG_MORE : 0));
    }
    if (rc >= 0)
        return rc;
    return errno == EAGAIN || errno == EINTR ? YB_STREAM_AGAIN : YB_STREAM_BROKEN;
}

bool
yb_stream_flush(struct yb_conn *c)
{
    size_t total = 0;

    while (c->out.size > 0 && !c->broken && total < FLUSH_MAX) {
        ssize_t n;

        c->write_want = EPOLLOUT;
        n = c->ssl != NULL ? write_tls(c) : write_plain(c);
        if (n == YB_STREAM_AGAIN)
            break;
        if (n < 0) {
            c->broken = true;
            break;
        }
        yb_out_sent(&c->out, &c->w->stock, (size_t)n);
        total += (size_t)n;
        c->active = true;
    }
    if (c->broken)
        yb_out_clear(&c->out, &c->w->stock);
    c->tried = c->out.size;
    return !c->broken;
}

int
yb_stream_handshake(struct yb_conn *c)
{
    int rc;

    ERR_clear_error();
    rc = SSL_accept(c->ssl);
    if (rc == 1) {
        c->read_want = EPOLLIN;
        return 1;
    }
    return ssl_outcome(c, rc, &c->read_want) == YB_STREAM_AGAIN ? YB_STREAM_AGAIN
                                                                : YB_STREAM_BROKEN;
}

void
yb_stream_shutdown(struct yb_conn *c)
{
    if (c->ssl == NULL || c->broken || !SSL_is_init_finished(c->ssl))
        return;
    ERR_clear_error();
    SSL_shutdown(c->ssl); /* ours is sent; nobody waits for the peer's */
    ERR_clear_error();
}
