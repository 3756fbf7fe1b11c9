/* Sessions that end when their users may not log in any more; with a directory that obeys the test. */
#include "lib/auth/online.h"

#include "lib/base/clock.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOTICE_MS 50
#define MANY 250

/* --- connections --- */

struct yb_conn {
    uint32_t slot;
};

struct yb_conn_ref
yb_conn_self(const struct yb_conn *c)
{
    return (struct yb_conn_ref){ c->slot, 1 };
}

struct yb_session_id
yb_conn_session_id(const struct yb_conn *c)
{
    return (struct yb_session_id){ { (uint8_t)(c->slot >> 8), (uint8_t)c->slot } };
}

const char *
yb_conn_peer_text(const struct yb_conn *c YB_UNUSED)
{
    return "192.0.2.7";
}

static _Atomic unsigned woken, kicked;

static void
wake(struct yb_net *n YB_UNUSED, struct yb_conn_ref ref YB_UNUSED)
{
    woken++;
}

static void
kick(struct yb_net *n YB_UNUSED, struct yb_conn_ref ref YB_UNUSED)
{
    kicked++;
}

/* --- the directory: u<number>@d.test, all of them as `all` but for one --- */

static struct {
    pthread_mutex_t lock;
    bool down;
    const char *refused, *only; /* of all; or of this address */
    _Atomic unsigned questions, names, largest;
    void (*changed)(void *arg, const struct yb_directory_change *what);
    void *to;
} dir = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
set(bool down, const char *refused, const char *only)
{
    pthread_mutex_lock(&dir.lock);
    dir.down = down;
    dir.refused = refused;
    dir.only = only;
    pthread_mutex_unlock(&dir.lock);
}

static int
logins(void *arg YB_UNUSED, const struct yb_str *names, size_t n, struct yb_arena *arena YB_UNUSED,
       struct yb_login *out, bool *asked, struct yb_err *err)
{
    int rc = 0;

    pthread_mutex_lock(&dir.lock);
    *asked = n > 1; /* a single one, as at a login, is known */
    dir.questions++;
    dir.names += (unsigned)n;
    if (n > dir.largest)
        dir.largest = (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct yb_login){ .known = true, .imap = true, .verifier = YB_STR("v") };
        if (dir.refused != NULL && (dir.only == NULL || yb_str_eq(names[i], yb_str_from(dir.only))))
            out[i].refused = yb_str_from(dir.refused);
    }
    if (dir.down)
        rc = yb_err_inside(err, YB_TEMP, "4.3.0", "away");
    pthread_mutex_unlock(&dir.lock);
    return rc;
}

static _Atomic uint64_t hash_key;

static uint64_t
hash(struct yb_str name)
{
    uint64_t h = hash_key;

    for (size_t i = 0; i < name.n; i++)
        h = h * 31 + (unsigned char)name.p[i];
    return h;
}

static void
hashes(void *arg YB_UNUSED, struct yb_str name, struct yb_tenant_id tenant,
       struct yb_directory_hashes *out)
{
    *out = (struct yb_directory_hashes){ hash(name),
                                         hash(yb_str_skip(name, yb_str_rfind(name, '@') + 1)),
                                         hash(yb_str((const char *)tenant.v, sizeof(tenant.v))) };
}

static void
on_change(void *arg YB_UNUSED, void (*changed)(void *, const struct yb_directory_change *),
          void *to)
{
    dir.changed = changed;
    dir.to = to;
}

static void
change(const char *address)
{
    struct yb_directory_change what = { .kind = YB_CHANGED_ANYBODY };

    if (address != NULL)
        what = (struct yb_directory_change){ YB_CHANGED_ADDRESS, hash(yb_str_from(address)) };
    dir.changed(dir.to, &what);
}

/* One of the ten: u<number> belongs to number % 10. */
static void
change_tenant(uint8_t number)
{
    const struct yb_tenant_id t = { { number } };
    const struct yb_directory_change what = { YB_CHANGED_TENANT,
                                              hash(yb_str((const char *)t.v, sizeof(t.v))) };

    dir.changed(dir.to, &what);
}

/* --- the table --- */

static struct yb_online *online;
static atomic_uint heard; /* logins that held, of whom is looked for */
static struct yb_online_entry *_Atomic heard_last;
static struct yb_online_entry entries[MANY];

static void
log_in(struct yb_online_entry *e, uint32_t slot)
{
    struct yb_conn c = { slot };
    struct yb_auth_user user = { .by.proof = yb_auth_proof(YB_STR("v")),
                                 .tenant.v[0] = (uint8_t)(slot % 10) };

    snprintf(user.address, sizeof(user.address), "u%u@d.test", slot);
    yb_online_add(online, e, &c, &user);
}

static void
hear(void *arg, struct yb_online_entry *e, const struct yb_login *login)
{
    ck_assert(arg == &heard && login->known && login->refused.n == 0);
    heard_last = e;
    heard++;
}

static void
setup(void)
{
    const struct yb_online_conf conf = {
        .wake = wake,
        .kick = kick,
        .source = { .protocol = YB_AUTH_IMAP,
                    .notice_ms = NOTICE_MS,
                    .logins = logins,
                    .hashes = hashes,
                    .on_change = on_change },
        .cut_ms = 20,
        .heard = hear,
        .heard_arg = &heard,
        .watch = true,
    };
    struct yb_err err = { 0 };

    yb_log_init("test", YB_LOG_ERROR);
    set(false, NULL, NULL);
    heard = 0;
    online = yb_online_new(&conf);
    ck_assert_int_eq(yb_online_start(online, &err), 0);
    for (uint32_t i = 0; i < MANY; i++)
        log_in(&entries[i], i);
    ck_assert_uint_eq(heard, MANY); /* each at its login */
    heard = 0;
    dir.questions = dir.names = dir.largest = 0;
    woken = kicked = 0;
}

static void
teardown(void)
{
    for (size_t i = 0; i < MANY; i++)
        yb_online_remove(online, &entries[i]);
    yb_online_stop(online);
    yb_online_free(&online);
}

/* Until *v is n; long enough for any machine. */
static void
wait_for(_Atomic unsigned *v, unsigned n)
{
    for (int i = 0; i < 20000 && *v < n; i++)
        yb_clock_rest_us(1000);
    ck_assert_uint_eq(*v, n);
}

static size_t
count_ended(void)
{
    size_t n = 0;

    for (size_t i = 0; i < MANY; i++)
        n += yb_online_ended(&entries[i]) != NULL;
    return n;
}

START_TEST(test_address)
{
    set(false, "This account is suspended", "u7@d.test");
    change("u8@d.test");
    change("nobody@d.test");
    wait_for(&dir.questions, 2); /* now, and when a second change would be heard of */
    ck_assert(dir.names == 2 && count_ended() == 0);
    wait_for(&heard, 2); /* who goes on hears what counts for him now */
    ck_assert_ptr_eq(heard_last, &entries[8]);
    change("u7@d.test");
    wait_for(&woken, 1);
    ck_assert_str_eq(yb_online_ended(&entries[7]), "This account is suspended");
    ck_assert_uint_eq(count_ended(), 1);
    ck_assert_uint_eq(heard, 2);
}
END_TEST

/* The directory heard of the second change, and keeps its answer for notice_ms. */
START_TEST(test_second_change)
{
    change("u7@d.test");
    wait_for(&dir.questions, 1);
    set(false, "This account is suspended", "u7@d.test");
    wait_for(&woken, 1);
    ck_assert(yb_online_ended(&entries[7]) != NULL && count_ended() == 1);
}
END_TEST

START_TEST(test_all)
{
    set(false, "This customer is suspended", NULL);
    change(NULL);
    wait_for(&woken, MANY);
    ck_assert_uint_eq(count_ended(), MANY);
    ck_assert(dir.largest == 100 && dir.questions == 3);
}
END_TEST

/* Those of a tenant are looked at, and nobody else; now, and when a second change would be heard of. */
START_TEST(test_tenant)
{
    set(false, "This customer is suspended", NULL);
    change_tenant(99);
    change_tenant(3);
    change_tenant(3);
    wait_for(&woken, MANY / 10);
    for (size_t i = 0; i < MANY; i++)
        ck_assert((yb_online_ended(&entries[i]) != NULL) == (i % 10 == 3));
    ck_assert(dir.names == MANY / 10 && dir.questions == 1);
    set(false, NULL, NULL);
    change_tenant(4);
    wait_for(&dir.questions, 3);
    ck_assert_uint_eq(dir.names, 3 * MANY / 10);
    ck_assert_uint_eq(count_ended(), MANY / 10);
}
END_TEST

START_TEST(test_domain)
{
    const struct yb_directory_change other = { YB_CHANGED_DOMAIN, hash(YB_STR("e.test")) };
    const struct yb_directory_change own = { YB_CHANGED_DOMAIN, hash(YB_STR("d.test")) };

    set(false, "This domain is suspended", NULL);
    dir.changed(dir.to, &other);
    change("u7@d.test");
    wait_for(&woken, 1);
    ck_assert_uint_eq(dir.names, 1);
    dir.changed(dir.to, &own);
    wait_for(&woken, MANY);
}
END_TEST

/* More tenants than are kept apart are as good as all. */
START_TEST(test_many_tenants)
{
    set(false, "This customer is suspended", NULL);
    for (uint8_t i = 0; i < 100; i++)
        change_tenant((uint8_t)(100 + i));
    wait_for(&woken, MANY);
    ck_assert(dir.largest <= 100);
}
END_TEST

/* More addresses than are kept apart are as good as all. */
START_TEST(test_many_addresses)
{
    char address[40];

    set(false, "This account is suspended", NULL);
    for (int i = 0; i < MANY; i++) {
        snprintf(address, sizeof(address), "u%d@d.test", i);
        change(address);
    }
    wait_for(&woken, MANY);
    ck_assert(dir.largest <= 100);
}
END_TEST

START_TEST(test_away)
{
    set(true, "This customer is suspended", NULL);
    change(NULL);
    change("u7@d.test");
    wait_for(&dir.questions, 1);
    set(false, "This customer is suspended", NULL);
    ck_assert_uint_eq(count_ended(), 0);
    change(NULL); /* it is heard of again, or after some seconds */
    wait_for(&woken, MANY);
}
END_TEST

/* Places change with the key of the hashes, while sessions end: each that ends is out of the table. */
START_TEST(test_key)
{
    for (uint32_t round = 0; round < 20; round++) {
        hash_key++;
        change(NULL);
        for (uint32_t i = 0; i < MANY; i++) {
            yb_online_remove(online, &entries[i]);
            log_in(&entries[i], i);
        }
        yb_clock_rest_us(10000);
    }
    ck_assert_uint_eq(count_ended(), 0);
}
END_TEST

/* What changed while he logged in, and the notice had nobody to be about. */
START_TEST(test_late)
{
    yb_online_remove(online, &entries[7]);
    set(false, "This account is suspended", "u7@d.test");
    change("u7@d.test");
    log_in(&entries[7], 7);
    ck_assert_str_eq(yb_online_ended(&entries[7]), "This account is suspended");
    yb_online_remove(online, &entries[7]);
    ck_assert(yb_online_ended(&entries[7]) == NULL);
}
END_TEST

static void
command(int (*run)(struct yb_online *, struct yb_str, struct yb_buf *, struct yb_err *),
        const char *rest, int rc, const char *begin)
{
    struct yb_buf *answer = yb_buf_new(1 << 20);
    struct yb_err err = { 0 };

    ck_assert_int_eq(run(online, yb_str_from(rest), answer, &err), rc);
    ck_assert_msg(yb_str_starts(yb_buf_view(answer), yb_str_from(begin)), "%s: %.*s", rest,
                  YB_STR_ARG(yb_str_head(yb_buf_view(answer), 200)));
    yb_buf_free(&answer);
}

START_TEST(test_commands)
{
    command(yb_online_list, "", -1, "");
    command(yb_online_list, "0 5001", -1, "");
    command(yb_online_list, "0 10 nobody@d.test", 0, "");
    command(yb_online_list, "4 1", 0,
            "5\t0004000000000000\tu4@d.test\t04000000000000000000000000000000\t"
            "192.0.2.7\t");
    command(yb_online_list, "0 10 U9@D.test", 0, "10\t0009");
    command(yb_online_kick, "", -1, "");
    command(yb_online_kick, "u300@d.test", 0, "0\n");
    command(yb_online_kick, "0004000000000000", 0, "1\n");
    command(yb_online_kick, "u5@d.test", 0, "1\n");
    ck_assert(count_ended() == 2 && yb_online_ended(&entries[4]) != NULL);
    command(yb_online_kick, "d.test", 0, "248\n");
    command(yb_online_kick, "d.test", 0, "0\n");
    /* Nobody of them goes: all are cut off. */
    wait_for(&kicked, MANY);
}
END_TEST

static void *
come_and_go(void *arg)
{
    static struct yb_online_entry own[2];
    size_t i = *(size_t *)arg;

    for (int k = 0; k < 2000; k++) {
        log_in(&own[i], (uint32_t)(1000 + i));
        (void)yb_online_ended(&own[i]);
        yb_online_remove(online, &own[i]);
    }
    return NULL;
}

START_TEST(test_crowd)
{
    pthread_t threads[2];
    size_t numbers[2] = { 0, 1 };

    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, &numbers[i]), 0);
    for (int i = 0; i < 200; i++) {
        change(i % 3 == 0 ? NULL : "u1001@d.test");
        set(i % 50 == 0, i % 2 == 0 ? "This account is suspended" : NULL, "u1000@d.test");
    }
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(count_ended(), 0);
}
END_TEST

/* --- who may go on --- */

/* clang-format off */
#define SCRAM "SCRAM-SHA-256$8192:c2FsdHNhbHQ=$NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ=:NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU="
/* clang-format on */

static const struct yb_account_id nobody;
static struct yb_str app_hashes[] = { YB_STR_INIT("one"), YB_STR_INIT("two") };

/* clang-format off */
static const struct {
    const char *name, *proof;
    bool app, imported;
    int age; /* of the login, in seconds */
    struct yb_login login;
    const char *why; /* NULL: he may */
} stills[] = {
    { "as ever", "v", false, false, 9999, { .known = true, .imap = true, .verifier = YB_STR_INIT("v") }, NULL },
    { "deleted", "v", false, false, 1, { .known = false }, "This account is no more" },
    { "another of the name", "v", false, false, 1, { .known = true, .account = { { 1 } }, .imap = true, .verifier = YB_STR_INIT("v") }, "This account is no more" },
    { "suspended", "v", false, false, 1, { .known = true, .imap = true, .verifier = YB_STR_INIT("v"), .refused = YB_STR_INIT("This X") }, "This X" },
    { "switched off", "v", false, false, 1, { .known = true, .pop3 = true, .verifier = YB_STR_INIT("v") }, "This service" },
    { "another password", "v", false, false, 1, { .known = true, .imap = true, .verifier = YB_STR_INIT(SCRAM) }, "Your password" },
    { "none any more", "v", false, true, 1, { .known = true, .imap = true }, "Your password" },
    { "replaced at the login", "v", false, true, 1, { .known = true, .imap = true, .verifier = YB_STR_INIT(SCRAM) }, NULL },
    { "replaced much later", "v", false, true, 61, { .known = true, .imap = true, .verifier = YB_STR_INIT(SCRAM) }, "Your password" },
    { "imported again", "v", false, true, 1, { .known = true, .imap = true, .verifier = YB_STR_INIT("{SSHA256}x") }, "Your password" },
    { "app password", "two", true, false, 1, { .known = true, .imap = true, .verifier = YB_STR_INIT(SCRAM), .apps = app_hashes, .n_apps = 2 }, NULL },
    { "app password taken away", "two", true, false, 1, { .known = true, .imap = true, .verifier = YB_STR_INIT("two"), .apps = app_hashes, .n_apps = 1 }, "Your password" },
};
/* clang-format on */

START_TEST(test_still)
{
    struct yb_auth_means by = { .proof = yb_auth_proof(yb_str_from(stills[_i].proof)),
                                .app = stills[_i].app,
                                .imported = stills[_i].imported };
    time_t since = yb_clock_now() - stills[_i].age;
    struct yb_err err = { 0 };
    int rc = yb_auth_still(nobody, &by, &stills[_i].login, YB_AUTH_IMAP, since, &err);

    ck_assert_msg((rc == 0) == (stills[_i].why == NULL), "%s: %s", stills[_i].name, err.text);
    if (rc == 0) {
        /* What was learned holds, and for good. */
        ck_assert_int_eq(yb_auth_still(nobody, &by, &stills[_i].login, YB_AUTH_IMAP, 0, &err), 0);
        return;
    }
    ck_assert(err.kind == YB_ERR_DISABLED && err.class == YB_PERM);
    ck_assert_msg(strncmp(err.text, stills[_i].why, strlen(stills[_i].why)) == 0, "%s: %s",
                  stills[_i].name, err.text);
}
END_TEST

/* The hash that the login replaced, from an answer that was under way meanwhile; and then another. */
START_TEST(test_answers_cross)
{
    const struct yb_login before = { .known = true, .imap = true, .verifier = YB_STR_INIT("v") };
    const struct yb_login after = { .known = true, .imap = true, .verifier = YB_STR_INIT(SCRAM) };
    const struct yb_login other = { .known = true, .imap = true, .verifier = YB_STR_INIT("w") };
    struct yb_auth_means by = { .proof = yb_auth_proof(YB_STR("v")), .imported = true };
    time_t now = yb_clock_now();
    struct yb_err err = { 0 };

    ck_assert_int_eq(yb_auth_still(nobody, &by, &after, YB_AUTH_IMAP, now, &err), 0);
    ck_assert_msg(yb_auth_still(nobody, &by, &before, YB_AUTH_IMAP, now, &err) == 0, "%s",
                  err.text);
    ck_assert_int_eq(yb_auth_still(nobody, &by, &after, YB_AUTH_IMAP, now, &err), 0);
    ck_assert_int_eq(yb_auth_still(nobody, &by, &other, YB_AUTH_IMAP, now, &err), -1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("auth/online");
    TCase *tc = tcase_create("all"), *still = tcase_create("still");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_address);
    tcase_add_test(tc, test_second_change);
    tcase_add_test(tc, test_all);
    tcase_add_test(tc, test_tenant);
    tcase_add_test(tc, test_domain);
    tcase_add_test(tc, test_many_tenants);
    tcase_add_test(tc, test_many_addresses);
    tcase_add_test(tc, test_away);
    tcase_add_test(tc, test_key);
    tcase_add_test(tc, test_late);
    tcase_add_test(tc, test_commands);
    tcase_add_test(tc, test_crowd);
    suite_add_tcase(suite, tc);
    tcase_add_loop_test(still, test_still, 0, YB_COUNT(stills));
    tcase_add_test(still, test_answers_cross);
    suite_add_tcase(suite, still);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
