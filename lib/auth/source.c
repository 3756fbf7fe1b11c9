#include "lib/auth/source.h"

#include "lib/directory/directory.h"

/* Copies what fits; both are texts of our own database, within its limits. */
static void
text(struct yb_str s, char *out, size_t size)
{
    if (!yb_str_copy(s, out, size))
        out[0] = '\0';
}

static int
lookup(struct yb_directory *d, struct yb_str name, enum yb_auth_protocol protocol,
       struct yb_arena *arena, struct yb_auth_record *out, struct yb_err *err)
{
    size_t at = yb_str_rfind(name, '@');
    struct yb_str address;
    struct yb_login login;
    bool on;

    *out = (struct yb_auth_record){ 0 };
    if (at == 0 || at + 1 >= name.n)
        return 0; /* there is no default domain */
    if (yb_directory_login(d, yb_str_head(name, at), yb_str_skip(name, at + 1), arena, &login,
                           err) < 0)
        return -1;
    if (!login.known)
        return 0;
    address =
        yb_arena_printf(arena, "%.*s@%.*s", YB_STR_ARG(login.local), YB_STR_ARG(login.domain));
    on = protocol == YB_AUTH_IMAP   ? login.imap
         : protocol == YB_AUTH_POP3 ? login.pop3
                                    : login.submission;
    out->found = true;
    out->user.account = login.account;
    out->user.tenant = login.tenant;
    out->user.store = login.store;
    out->user.quota = login.quota_bytes;
    text(address, out->user.address, sizeof(out->user.address));
    text(login.verifier, out->verifier, sizeof(out->verifier));
    if (login.refused.n > 0)
        text(yb_str_head(login.refused, sizeof(out->refused) - 1), out->refused,
             sizeof(out->refused));
    else if (!on)
        text(YB_STR("This service is switched off for your account"), out->refused,
             sizeof(out->refused));
    out->app_passwords = login.apps;
    out->n_app_passwords = login.n_apps;
    return 0;
}

static int
lookup_imap(void *arg, struct yb_str name, struct yb_arena *arena, struct yb_auth_record *out,
            struct yb_err *err)
{
    return lookup(arg, name, YB_AUTH_IMAP, arena, out, err);
}

static int
lookup_pop3(void *arg, struct yb_str name, struct yb_arena *arena, struct yb_auth_record *out,
            struct yb_err *err)
{
    return lookup(arg, name, YB_AUTH_POP3, arena, out, err);
}

static int
lookup_submission(void *arg, struct yb_str name, struct yb_arena *arena, struct yb_auth_record *out,
                  struct yb_err *err)
{
    return lookup(arg, name, YB_AUTH_SUBMISSION, arena, out, err);
}

static int
upgrade(void *arg, struct yb_account_id account, struct yb_str old, struct yb_str fresh,
        struct yb_err *err)
{
    return yb_directory_upgrade_password(arg, account, old, fresh, err);
}

struct yb_auth_source
yb_auth_source_directory(struct yb_directory *d, enum yb_auth_protocol p)
{
    struct yb_auth_source s = { .arg = d, .upgrade = upgrade };

    s.lookup = p == YB_AUTH_IMAP   ? lookup_imap
               : p == YB_AUTH_POP3 ? lookup_pop3
                                   : lookup_submission;
    return s;
}

static struct yb_login_name
split(struct yb_str name)
{
    size_t at = yb_str_rfind(name, '@');

    return (struct yb_login_name){ yb_str_head(name, at), yb_str_skip(name, at + 1) };
}

static int
online_logins(void *arg, const struct yb_str *names, size_t n, struct yb_arena *arena,
              struct yb_login *out, bool *asked, struct yb_err *err)
{
    struct yb_login_name *parts = yb_arena_alloc(arena, n + 1, sizeof(*parts));

    for (size_t i = 0; i < n; i++)
        parts[i] = split(names[i]);
    return yb_directory_logins(arg, parts, n, arena, out, asked, err);
}

static void
online_hashes(void *arg, struct yb_str name, struct yb_tenant_id tenant,
              struct yb_directory_hashes *out)
{
    *out = yb_directory_hashes_of(arg, split(name), tenant);
}

static void
online_on_change(void *arg, void (*changed)(void *, const struct yb_directory_change *), void *to)
{
    yb_directory_on_change(arg, changed, to);
}

static bool
online_elsewhere(void *arg, struct yb_store_id store)
{
    struct yb_home home;

    return yb_directory_elsewhere(arg, store, &home);
}

struct yb_online_source
yb_online_source_directory(struct yb_directory *d, enum yb_auth_protocol p)
{
    return (struct yb_online_source){ .arg = d,
                                      .protocol = p,
                                      .notice_ms = yb_directory_notice_ms(d),
                                      .logins = online_logins,
                                      .hashes = online_hashes,
                                      .on_change = online_on_change,
                                      .elsewhere =
                                          p == YB_AUTH_SUBMISSION ? NULL : online_elsewhere };
}
