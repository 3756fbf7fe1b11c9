/*
 * Whose addresses a user may use (R-A105): the envelope sender and every author and sender a reader
 * may be shown. A user who could write another's name would speak for him with our signature.
 */
#include "lib/mime/addresses.h"
#include "submitd/submitd.h"

/* The address he logged in with is his whatever the database says, and if it is away. */
static bool
is_own(const struct yb_smtp_session *s, const struct yb_address *a)
{
    const struct submitd_session *d = s->data;
    struct yb_str own = yb_str_from(d->user.address);
    size_t at = yb_str_rfind(own, '@');

    return yb_str_eq(yb_address_fold(a->local, s->tx->arena), yb_str_head(own, at)) &&
           yb_str_eq(a->domain, yb_str_skip(own, at + 1));
}

static int
check_address(struct yb_smtp_session *s, const struct yb_address *a, const char *what,
              struct yb_err *err)
{
    const struct submitd_session *d = s->data;
    bool may = false;

    if (is_own(s, a))
        return 0;
    if (!a->literal && !a->no_domain && !a->null &&
        yb_directory_may_send(submitd_of(s)->handover.directory, d->user.account, a->local,
                              a->domain, &may, err) < 0)
        return -1;
    if (may)
        return 0;
    return yb_err_as(err, YB_ERR_DENIED, YB_PERM, "5.7.1", "%s address does not belong to you",
                     what);
}

/*
 * A session may outlast the right to it: who was suspended, deleted, lost the service or got another
 * password since he logged in hears so at his next MAIL. With the database away what he proved still holds.
 */
static int
check_user(struct yb_smtp_session *s, struct yb_err *err)
{
    struct submitd_session *d = s->data;
    struct yb_str own = yb_str_from(d->user.address);
    size_t at = yb_str_rfind(own, '@');
    struct yb_err away = { 0 };
    struct yb_login login;

    if (yb_directory_login(submitd_of(s)->handover.directory, yb_str_head(own, at),
                           yb_str_skip(own, at + 1), s->tx->arena, &login, &away) < 0)
        return 0;
    return yb_auth_still(d->user.account, &d->user.by, &login, YB_AUTH_SUBMISSION, d->since, err);
}

/*
 * The null reverse-path is anybody's: receipts (RFC 8098 §3) and automatic replies (RFC 3834 §3.3)
 * have it, so that nothing comes back for them. Who wrote them is checked in the header as always.
 */
int
submitd_check_envelope(struct yb_smtp_session *s, struct yb_err *err)
{
    if (check_user(s, err) < 0)
        return -1;
    if (s->tx->from.null)
        return 0;
    return check_address(s, &s->tx->from, "Sender", err);
}

static int
check_list(struct yb_smtp_session *s, const struct yb_address_list *list, const char *what,
           struct yb_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        if (check_address(s, &list->addresses[i], what, err) < 0)
            return -1;
    }
    return 0;
}

int
submitd_check_header(struct yb_smtp_session *s, struct yb_str header, struct yb_err *err)
{
    static const char *const others[] = { "Sender", "Resent-From", "Resent-Sender" };
    struct yb_arena *arena = s->tx->arena;
    struct yb_address_list list;

    if (yb_mime_from_addresses(header, arena, &list, err) < 0)
        return -1;
    /* RFC 5322 §3.6: one From. With two, what is shown depends on who shows it. */
    if (list.fields != 1)
        return yb_err_set(err, YB_PERM, "5.6.0", "More than one From field");
    if (check_list(s, &list, "From", err) < 0)
        return -1;
    for (size_t i = 0; i < YB_COUNT(others); i++) {
        if (yb_mime_field_addresses(header, yb_str_from(others[i]), arena, &list, err) < 0 ||
            check_list(s, &list, others[i], err) < 0)
            return -1;
    }
    return 0;
}
