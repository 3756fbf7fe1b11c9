#include "tests/unit/imapd/rig.h"

#include "lib/base/clock.h"
#include "lib/cred/cred.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char verifier[YB_CRED_VERIFIER];
static struct rig *woken_rig;

static int
lookup(void *arg YB_UNUSED, struct yb_str name, struct yb_arena *arena YB_UNUSED,
       struct yb_auth_record *out, struct yb_err *err)
{
    bool ann = yb_str_eqi(name, YB_STR("ann@one.test"));
    bool bob = yb_str_eqi(name, YB_STR("bob@two.test"));

    if (yb_str_eqi(name, YB_STR("away@one.test")))
        return yb_err_as(err, YB_ERR_AWAY, YB_TEMP, "4.3.0", "The database is away");
    *out = (struct yb_auth_record){ .found = ann || bob };
    memset(out->user.account.v, ann ? 0xa1 : 0xb2, sizeof(out->user.account.v));
    out->user.quota = bob ? woken_rig->quota : 0;
    snprintf(out->user.address, sizeof(out->user.address), "%s",
             ann ? "ann@one.test" : "bob@two.test");
    memcpy(out->verifier, verifier, sizeof(verifier));
    return 0;
}

static void
wake(struct yb_net *net YB_UNUSED, struct yb_conn_ref ref YB_UNUSED)
{
    atomic_fetch_add(&woken_rig->woken, 1);
}

static int64_t
login_clock(void)
{
    return yb_clock_ms() + woken_rig->later_ms;
}

void
rig_start_alone(struct rig *r)
{
    struct yb_err err = { 0 };
    char id[YB_ID_TEXT], notify[128];
    const char *tmp = getenv("TMPDIR");
    struct yb_store_conf store = { .root = r->root,
                                   .lock_timeout_ms = 5000,
                                   .changes_at_once = RIG_CHANGES,
                                   .notify_path = notify };
    struct yb_auth_conf auth = { .service = "imap",
                                 .source = { .lookup = lookup },
                                 .now_ms = login_clock };

    *r = (struct rig){ .quota = 20000,
                       .conf = { .max_message = 1 << 20,
                                 .max_connections_per_account = 1,
                                 .command_memory = 64u << 20,
                                 .max_bad_commands = 40,
                                 .login_timeout = 60000,
                                 .idle_timeout = 1800000 } };
    r->server.slice_ms = IMAPD_SLICE_MS;
    woken_rig = r;
    yb_log_init("test", YB_LOG_ERROR);
    snprintf(r->root, sizeof(r->root), "%s/yb-imap-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    yb_assert(mkdtemp(r->root) != NULL);
    snprintf(notify, sizeof(notify), "%s/notify", r->root);
    if (verifier[0] == '\0')
        yb_assert(yb_cred_make(YB_STR("secret"), 4096, verifier, &err) == 0);
    yb_random(store.node.v, sizeof(store.node.v));
    yb_assert(yb_store_init(r->root, id, &err) == 0);
    yb_assert(yb_store_root_open(&store, NULL, &r->server.store, &err) == 0);
    r->server.auth = yb_auth_new(&auth, &err);
    yb_assert(r->server.auth != NULL);
    r->server.push = imapd_push_new(NULL, wake);
    atomic_store(&r->server.conf, &r->conf);
}

void
rig_start(struct rig *r)
{
    struct yb_err err = { 0 };

    rig_start_alone(r);
    yb_assert(yb_store_on_change(r->server.store, imapd_push_changed, r->server.push, &err) == 0);
}

static int
remove_one(const char *path, const struct stat *st YB_UNUSED, int kind YB_UNUSED,
           struct FTW *ftw YB_UNUSED)
{
    return remove(path);
}

void
rig_stop(struct rig *r)
{
    yb_store_root_close(&r->server.store);
    imapd_push_free(&r->server.push);
    yb_auth_free(&r->server.auth);
    nftw(r->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct yb_conn *
connect_as(struct rig *r, bool tls)
{
    struct fake_spec spec = {
        .service = &imapd_service, .arg = &r->server, .can_tls = true, .is_tls = tls
    };
    struct yb_conn *c = fake_open(&spec);

    fake_clear(c);
    return c;
}

struct yb_conn *
rig_connect(struct rig *r)
{
    return connect_as(r, true);
}

struct yb_conn *
rig_connect_plain(struct rig *r)
{
    return connect_as(r, false);
}

const char *
rig_say(struct yb_conn *c, const char *text)
{
    fake_clear(c);
    fake_feed(c, yb_str_from(text), 0);
    /* Until the next handler resets the scratch memory. */
    return yb_arena_dup(yb_conn_scratch(c), fake_output(c)).p;
}

static struct yb_conn *
select_mailbox(struct yb_conn *c, const char *mailbox)
{
    char line[200];

    if (mailbox != NULL) {
        snprintf(line, sizeof(line), "S SELECT %s\r\n", mailbox);
        yb_assert(strstr(rig_say(c, line), "S OK ") != NULL);
    }
    fake_clear(c);
    return c;
}

struct yb_conn *
rig_login(struct rig *r, const char *user, const char *mailbox)
{
    struct yb_conn *c = rig_connect(r);
    char line[200];

    snprintf(line, sizeof(line), "L LOGIN %s secret\r\n", user);
    yb_assert(strstr(rig_say(c, line), "L OK ") != NULL);
    return select_mailbox(c, mailbox);
}

struct yb_conn *
rig_enter(struct rig *r, const char *user, const char *mailbox)
{
    struct yb_conn *c = rig_connect(r);
    struct yb_auth_record record;
    struct yb_err err = { 0 };

    yb_assert(lookup(NULL, yb_str_from(user), NULL, &record, &err) == 0 && record.found);
    yb_assert(imapd_login(c, yb_conn_session(c), &record.user, &err) == 0);
    return select_mailbox(c, mailbox);
}

void
rig_forget_wrong(struct rig *r)
{
    struct yb_auth_stats now;

    yb_auth_stats_read(r->server.auth, &now);
    if (now.wrong == r->wrong)
        return;
    r->wrong = now.wrong;
    r->later_ms += RIG_ATTEMPTS_MS;
}

void
rig_append(struct rig *r, const char *user, const char *mailbox, const char *message)
{
    struct yb_conn *c = rig_login(r, user, NULL);
    char *text;
    int n = asprintf(&text, "A APPEND %s {%zu+}\r\n%s\r\n", mailbox, strlen(message), message);

    yb_assert(n > 0 && strstr(rig_say(c, text), "A OK ") != NULL);
    free(text);
    fake_free(&c);
}

void
rig_await_woken(struct rig *r, unsigned n)
{
    struct yb_deadline by = yb_deadline_in(10000);

    while (atomic_load(&r->woken) < n) {
        yb_assert(yb_deadline_left(by) > 0);
        poll(NULL, 0, 2);
    }
}
