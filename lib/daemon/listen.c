#include "lib/daemon/listen.h"

#include "lib/base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static bool
address_parse(struct yb_str s, union address *a, socklen_t *size)
{
    size_t colon = yb_str_rfind(s, ':');
    char host[64];
    uint64_t port;

    memset(a, 0, sizeof(*a));
    if (yb_str_starts(s, YB_STR("unix:"))) {
        a->un.sun_family = AF_UNIX;
        *size = sizeof(a->un);
        return yb_str_copy(yb_str_skip(s, 5), a->un.sun_path, sizeof(a->un.sun_path));
    }
    if (colon == s.n || !yb_str_u64(yb_str_skip(s, colon + 1), 65535, &port))
        return false;
    if (s.p[0] == '[') {
        a->in6.sin6_family = AF_INET6;
        a->in6.sin6_port = htons((uint16_t)port);
        *size = sizeof(a->in6);
        return colon > 2 && s.p[colon - 1] == ']' &&
               yb_str_copy(yb_str(s.p + 1, colon - 2), host, sizeof(host)) &&
               inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1;
    }
    a->in.sin_family = AF_INET;
    a->in.sin_port = htons((uint16_t)port);
    *size = sizeof(a->in);
    return yb_str_copy(yb_str_head(s, colon), host, sizeof(host)) &&
           inet_pton(AF_INET, host, &a->in.sin_addr) == 1;
}

/* Octets of the host; *port as it is on the wire. */
static struct yb_str
host_of(const union address *a, in_port_t *port)
{
    if (a->any.sa_family == AF_INET) {
        *port = a->in.sin_port;
        return yb_str((const char *)&a->in.sin_addr, sizeof(a->in.sin_addr));
    }
    *port = a->in6.sin6_port;
    return yb_str((const char *)&a->in6.sin6_addr, sizeof(a->in6.sin6_addr));
}

bool
yb_listen_clash(const char *a, const char *b)
{
    static const char zeros[sizeof(struct in6_addr)];
    union address x, y;
    socklen_t size;
    struct yb_str host, other, all;
    in_port_t port, other_port;

    if (!address_parse(yb_str_from(a), &x, &size) || !address_parse(yb_str_from(b), &y, &size) ||
        x.any.sa_family != y.any.sa_family)
        return false;
    if (x.any.sa_family == AF_UNIX)
        return strcmp(x.un.sun_path, y.un.sun_path) == 0;
    host = host_of(&x, &port);
    other = host_of(&y, &other_port);
    all = yb_str(zeros, host.n);
    return port == other_port && port != 0 &&
           (yb_str_eq(host, other) || yb_str_eq(host, all) || yb_str_eq(other, all));
}

/* True when somebody accepts connections on the socket file. */
static bool
is_served(const union address *a, socklen_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool served = fd >= 0 && (connect(fd, &a->any, size) == 0 || errno == EAGAIN);

    if (fd >= 0)
        close(fd);
    return served;
}

/*
 * The file is made with no rights for anybody, given to its owner and opened last, so that nobody
 * connects in between.
 */
static int
bind_unix(int fd, const union address *a, socklen_t size, const struct yb_listen_owner *owner,
          struct yb_err *err)
{
    const char *path = a->un.sun_path;
    struct stat st;
    mode_t mask;
    int rc;

    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return yb_err_inside(err, YB_PERM, "5.3.5", "%s is there and is no socket", path);
        if (is_served(a, size))
            return yb_err_inside(err, YB_TEMP, "4.3.0", "%s is served by another process", path);
        if (unlink(path) < 0)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "remove %s", path);
    }
    mask = umask(0777);
    rc = bind(fd, &a->any, size);
    umask(mask);
    if (rc < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "bind %s", path);
    if (owner->change && lchown(path, owner->uid, owner->gid) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "give away %s", path);
    if (listen(fd, BACKLOG) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "listen on %s", path);
    return chmod(path, owner->mode) < 0 ? yb_err_sys(err, YB_TEMP, "4.3.0", "chmod %s", path) : 0;
}

static int
bind_inet(int fd, const union address *a, socklen_t size, const char *text, struct yb_err *err)
{
    const int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (a->any.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
        return yb_err_sys(err, YB_TEMP, "4.3.0", "set up the socket for %s", text);
    if (bind(fd, &a->any, size) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "bind %s", text);
    return listen(fd, BACKLOG) < 0 ? yb_err_sys(err, YB_TEMP, "4.3.0", "listen on %s", text) : 0;
}

int
yb_listen_bind(const char *address, const struct yb_listen_owner *owner, struct yb_err *err)
{
    union address a;
    socklen_t size;
    int fd, rc;

    if (!address_parse(yb_str_from(address), &a, &size))
        return yb_err_inside(err, YB_PERM, "5.3.5", "%s is no address", address);
    fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "socket for %s", address);
    rc = a.any.sa_family == AF_UNIX ? bind_unix(fd, &a, size, owner, err)
                                    : bind_inet(fd, &a, size, address, err);
    if (rc == 0)
        return fd;
    close(fd);
    return -1;
}

void
yb_listen_unlink(const char *address)
{
    struct yb_str s = yb_str_from(address);

    if (yb_str_starts(s, YB_STR("unix:")))
        unlink(yb_str_skip(s, 5).p);
}
