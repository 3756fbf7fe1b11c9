#include "tests/unit/db/relay.h"

#include "lib/base/str.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME ".s.PGSQL.5432"

struct relay {
    char dir[64], conninfo[256];
    struct sockaddr_un own, server;
    int fd, stop; /* listening; readable: end */
    pthread_t thread;
    atomic_uint trips;
};

_Noreturn static void
fail(const char *what)
{
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    abort();
}

/* Passes on what came; false at the end. */
static bool
pass(int from, int to)
{
    char octets[65536];
    ssize_t n = read(from, octets, sizeof(octets)), sent;

    for (ssize_t at = 0; at < n; at += sent) {
        sent = send(to, octets + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
    }
    return n > 0;
}

/* One client, until either side ends. */
static void
serve(struct relay *r, int client)
{
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd p[] = { { .fd = client, .events = POLLIN },
                          { .fd = server, .events = POLLIN },
                          { .fd = r->stop, .events = POLLIN } };
    bool asked = false, open = true;

    if (connect(server, (const struct sockaddr *)&r->server, sizeof(r->server)) < 0)
        fail("connect");
    while (open && poll(p, YB_COUNT(p), -1) > 0 && p[2].revents == 0) {
        if (p[1].revents != 0) {
            asked = false;
            open = pass(server, client);
        } else if (p[0].revents != 0) {
            if (!asked)
                atomic_fetch_add(&r->trips, 1);
            asked = true;
            open = pass(client, server);
        }
    }
    close(server);
}

static void *
run(void *arg)
{
    struct relay *r = arg;
    struct pollfd p[] = { { .fd = r->fd, .events = POLLIN }, { .fd = r->stop, .events = POLLIN } };

    while (poll(p, YB_COUNT(p), -1) > 0 && p[1].revents == 0) {
        int client = accept(r->fd, NULL, NULL);

        if (client < 0)
            fail("accept");
        serve(r, client);
        close(client);
    }
    return NULL;
}

struct relay *
relay_start(const char *conninfo)
{
    struct relay *r = yb_alloc(1, sizeof(*r));
    struct yb_str host = yb_str_skip(yb_str_from(conninfo), strlen("host="));
    const char *rest = strchr(host.p, ' ');

    host = yb_str_head(host, (size_t)(rest - host.p));
    snprintf(r->dir, sizeof(r->dir), "/tmp/yubin-relay-XXXXXX");
    if (mkdtemp(r->dir) == NULL)
        fail(r->dir);
    snprintf(r->conninfo, sizeof(r->conninfo), "host=%s%s", r->dir, rest);
    r->own.sun_family = r->server.sun_family = AF_UNIX;
    snprintf(r->own.sun_path, sizeof(r->own.sun_path), "%s/%s", r->dir, SOCKET_NAME);
    snprintf(r->server.sun_path, sizeof(r->server.sun_path), "%.*s/%s", YB_STR_ARG(host),
             SOCKET_NAME);
    r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    r->stop = eventfd(0, EFD_CLOEXEC);
    if (r->fd < 0 || r->stop < 0 ||
        bind(r->fd, (const struct sockaddr *)&r->own, sizeof(r->own)) < 0 || listen(r->fd, 5) < 0)
        fail("listen");
    if (pthread_create(&r->thread, NULL, run, r) != 0)
        fail("thread");
    return r;
}

const char *
relay_conninfo(const struct relay *r)
{
    return r->conninfo;
}

unsigned
relay_trips(struct relay *r)
{
    return atomic_load(&r->trips);
}

void
relay_free(struct relay **r)
{
    eventfd_write((*r)->stop, 1);
    pthread_join((*r)->thread, NULL);
    close((*r)->fd);
    close((*r)->stop);
    unlink((*r)->own.sun_path);
    rmdir((*r)->dir);
    yb_free(*r);
    *r = NULL;
}
