#include "lib/daemon/roles.h"

#define ROW(name, summary, user, groups, database, hands, events)                                  \
    {                                                                                              \
        name, summary, user, groups, database, hands, events                                       \
    }

const struct yb_role yb_roles[YB_ROLES] = {
    YB_ROLE_SMTPD(ROW), YB_ROLE_SUBMITD(ROW), YB_ROLE_RELAYD(ROW),
    YB_ROLE_LMTPD(ROW), YB_ROLE_IMAPD(ROW),   YB_ROLE_POP3D(ROW),
};

const struct yb_role *
yb_role_find(struct yb_str name)
{
    for (size_t i = 0; i < YB_COUNT(yb_roles); i++)
        if (yb_str_eq(yb_str_from(yb_roles[i].name), name))
            return &yb_roles[i];
    return NULL;
}
