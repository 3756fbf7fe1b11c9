#include "lib/daemon/control.h"

#include "lib/base/log.h"
#include "lib/daemon/frame.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVE_MS 3000 /* a peer that is slower than this is let go */
#define GROUPS_MAX 1024

/* Sorts of errors between the two ends; the first stands for all that have none. */
static const struct sort {
    enum yb_control_type type;
    enum yb_err_class class;
    enum yb_err_kind kind;
    const char *status;
} sorts[] = {
    { YB_CONTROL_ERROR, YB_PERM, YB_ERR_OTHER, "5.3.0" },
    { YB_CONTROL_SYNTAX, YB_PERM, YB_ERR_SYNTAX, "5.5.4" },
    { YB_CONTROL_NOT_FOUND, YB_PERM, YB_ERR_NOT_FOUND, "5.3.0" },
    { YB_CONTROL_LATER, YB_TEMP, YB_ERR_OTHER, "4.3.0" },
};

static enum yb_control_type
type_of(const struct yb_err *err)
{
    if (err->class != YB_PERM)
        return YB_CONTROL_LATER;
    for (size_t i = 0; i < YB_COUNT(sorts); i++) {
        if (sorts[i].class == YB_PERM && sorts[i].kind == err->kind)
            return sorts[i].type;
    }
    return YB_CONTROL_ERROR;
}

static int
refused(uint32_t type, struct yb_str text, struct yb_err *err)
{
    const struct sort *s = &sorts[0];

    for (size_t i = 0; i < YB_COUNT(sorts); i++) {
        if (sorts[i].type == type)
            s = &sorts[i];
    }
    return yb_err_as(err, s->kind, s->class, s->status, "%.*s", YB_STR_ARG(text));
}

static int
answer_take(int fd, struct yb_buf *answer, struct yb_deadline by, struct yb_err *err)
{
    struct yb_buf *body = yb_buf_new(YB_CONTROL_ANSWER);
    uint32_t type = 0;
    int rc = yb_frame_recv(fd, &type, body, by, err);

    if (rc == 0 && type == YB_CONTROL_OK)
        rc = yb_buf_append(answer, yb_buf_view(body), err);
    else if (rc == 0)
        rc = refused(type, yb_buf_view(body), err);
    yb_buf_free(&body);
    return rc;
}

int
yb_control_call(const char *path, struct yb_str command, struct yb_buf *answer,
                struct yb_deadline by, struct yb_err *err)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int rc = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        yb_err_sys(err, YB_TEMP, "4.3.0", "socket");
    } else if (!yb_str_copy(yb_str_from(path), to.sun_path, sizeof(to.sun_path))) {
        yb_err_set(err, YB_PERM, "5.3.5", "the path of a socket is too long: %s", path);
    } else if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
        yb_err_sys(err, YB_TEMP, "4.4.1", "connect to %s", path);
    } else {
        /* A server that refuses us answers and closes without reading: the answer counts. */
        if (yb_frame_send(fd, YB_CONTROL_REQUEST, command, by, err) < 0)
            yb_log_err(YB_LOG_DEBUG, NULL, "control.peer_lost", err);
        rc = answer_take(fd, answer, by, err);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

bool
yb_control_allowed(int fd, gid_t group)
{
    struct ucred who;
    socklen_t size = sizeof(who);
    gid_t groups[GROUPS_MAX];

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
        return false;
    if (who.uid == 0 || who.uid == geteuid() || (group != (gid_t)-1 && who.gid == group))
        return true;
    size = sizeof(groups);
    if (group == (gid_t)-1 || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return false;
    for (size_t i = 0; i < size / sizeof(groups[0]); i++)
        if (groups[i] == group)
            return true;
    return false;
}

void
yb_control_serve(int fd, gid_t group,
                 int (*run)(void *arg, struct yb_str command, struct yb_buf *answer,
                            struct yb_err *err),
                 void *arg)
{
    struct yb_buf *command = yb_buf_new(YB_CONTROL_COMMAND),
                  *answer = yb_buf_new(YB_CONTROL_ANSWER);
    struct yb_deadline by = yb_deadline_in(SERVE_MS);
    struct yb_err err = { 0 };
    uint32_t type = 0;
    int rc;

    if (!yb_control_allowed(fd, group)) {
        rc = yb_frame_send(fd, YB_CONTROL_ERROR,
                           YB_STR("not allowed: be root or in the control group"), by, &err);
    } else if (yb_frame_recv(fd, &type, command, by, &err) < 0 || type != YB_CONTROL_REQUEST) {
        rc = yb_frame_send(fd, YB_CONTROL_ERROR, YB_STR("no request was understood"), by, &err);
    } else {
        rc = run(arg, yb_buf_view(command), answer, &err);
        by = yb_deadline_in(SERVE_MS); /* how long that took is not the peer's doing */
        if (rc < 0)
            rc = yb_frame_send(fd, type_of(&err), yb_str_from(err.text), by, &err);
        else
            rc = yb_frame_send(fd, YB_CONTROL_OK, yb_buf_view(answer), by, &err);
    }
    if (rc < 0)
        yb_log_err(YB_LOG_WARN, NULL, "control.peer_lost", &err);
    yb_buf_free(&command);
    yb_buf_free(&answer);
    close(fd);
}
