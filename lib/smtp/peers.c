#include "lib/smtp/peers.h"

#include <pwd.h>
#include <unistd.h>

void
yb_smtp_peers_find(struct yb_smtp_peers *p, const char *const *names, size_t n,
                   void (*unknown)(const char *name))
{
    p->n = 0;
    for (size_t i = 0; i < n && i < YB_SMTP_PEERS_MOST; i++) {
        const struct passwd *pw = getpwnam(names[i]);

        if (pw != NULL)
            p->v[p->n++] = pw->pw_uid;
        else
            unknown(names[i]);
    }
}

int
yb_smtp_peers_check(const struct yb_smtp_peers *p, const struct yb_conn *c, uid_t *uid,
                    struct yb_err *err)
{
    *uid = (uid_t)-1;
    if (!yb_conn_peer_user(c, uid))
        return yb_err_as(err, YB_ERR_DENIED, YB_PERM, "5.7.1",
                         "Only processes of this node may hand over");
    if (*uid == 0 || *uid == geteuid())
        return 0;
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i] == *uid)
            return 0;
    }
    return yb_err_as(err, YB_ERR_DENIED, YB_PERM, "5.7.1", "This user may not hand over mail");
}
