/* The coherent cache alone, with an asker that does what a test wants. */
#include "lib/base/clock.h"
#include "lib/directory/cache.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* A database of one number. */
struct world {
    struct yb_cache *cache;
    const struct yb_str *keys;
    atomic_int number; /* the truth; below 0: unknown, a negative answer */
    atomic_int asked;  /* keys asked for */
    bool away;
    int64_t until;
    struct yb_str domain;
    uint8_t tenant; /* 0: none */
    enum yb_cache_owner owner;
    struct yb_str above; /* the domain that serves it */
    bool names;
    void (*during)(struct world *w); /* runs between reading the truth and answering */
};

static const struct yb_str u_key = YB_STR_INIT("u");
static struct yb_notice_key notice_key = { { 1, 2, 3 }, { 4 } };

static void
changed_address(struct yb_cache *cache, struct yb_str local, struct yb_str domain)
{
    yb_cache_changed_address(cache, yb_notice_address(&notice_key, local, domain));
}

static int
world_ask(void *arg, const size_t *which, size_t n, struct yb_cache_value **out, struct yb_err *err)
{
    struct world *w = arg;

    for (size_t i = 0; i < n; i++) {
        int number = atomic_load(&w->number);
        struct yb_str key = w->keys[which[i]];

        atomic_fetch_add(&w->asked, 1);
        if (w->during != NULL)
            w->during(w);
        if (w->away) {
            for (size_t k = 0; k < i; k++)
                yb_cache_value_drop(&out[k]);
            return yb_err_inside(err, YB_TEMP, "4.3.0", "away");
        }
        out[i] = yb_cache_value_new(sizeof(number));
        memcpy(out[i]->data, &number, sizeof(number));
        out[i]->positive = number >= 0;
        out[i]->until = w->until;
        yb_cache_depend(w->cache, out[i], key, w->domain.n > 0 ? w->domain : YB_STR("a.test"));
        out[i]->owner = w->owner;
        if (w->tenant != 0)
            yb_cache_depend_tenant(w->cache, out[i], (struct yb_tenant_id){ { w->tenant } });
        if (w->names)
            yb_cache_depend_above(w->cache, out[i], w->domain, w->above);
    }
    return 0;
}

/* The answer for a key; -99: none. */
static int
world_get(struct world *w, struct yb_str key)
{
    struct yb_cache_asker asker = { world_ask, w };
    struct yb_cache_value *v = NULL;
    struct yb_err err = { 0 };
    int number;

    w->keys = &key;
    if (yb_cache_get(w->cache, &key, 1, &asker, &v, &err) < 0) {
        ck_assert_int_eq(err.class, YB_TEMP);
        return -99;
    }
    memcpy(&number, v->data, sizeof(number));
    yb_cache_value_drop(&v);
    return number;
}

/* With any number of notices counting at once. */
static struct world
world_new(void)
{
    struct world w = { .cache = yb_cache_new(1 << 20, 600000, 0) };

    yb_cache_key(w.cache, &notice_key);
    yb_cache_up(w.cache);
    return w;
}

START_TEST(test_hit)
{
    struct world w = world_new();

    ck_assert_int_eq(world_get(&w, u_key), 0);
    w.number = 1;
    ck_assert_int_eq(world_get(&w, u_key), 0);
    ck_assert_int_eq(w.asked, 1);
    yb_cache_free(&w.cache);
}
END_TEST

/* Which notices reach which key. */
static const struct {
    const char *key, *notice; /* "local@domain", "@domain", "*" */
    bool reached;
} reaches[] = {
    { "u", "u@a.test", true },
    { "u", "@a.test", true },
    { "u", "*", true },
    { "u", "v@a.test", false },
    { "u", "u@b.test", false },
    { "u", "@b.test", false },
    { "u+x", "u@a.test", true },
    { "u-x", "u@a.test", true },
    { "u.x+y", "u@a.test", true },
    { "ux", "u@a.test", false },
    { "+x", "+x@a.test", true },
    { "u", "u+x@a.test", true },
    { "\xc3\xbc", "\xc3\xbc@a.test", true },
};

START_TEST(test_notice_reaches)
{
    struct world w = world_new();
    struct yb_str notice = yb_str_from(reaches[_i].notice), key = yb_str_from(reaches[_i].key);
    size_t at = yb_str_find(notice, '@');

    ck_assert_int_eq(world_get(&w, key), 0);
    w.number = 1;
    if (at == notice.n)
        yb_cache_changed_all(w.cache);
    else if (at == 0)
        yb_cache_changed_domain(w.cache, yb_notice_domain(&notice_key, yb_str_skip(notice, 1)));
    else
        changed_address(w.cache, yb_str_head(notice, at), yb_str_skip(notice, at + 1));
    ck_assert_msg(world_get(&w, key) == (reaches[_i].reached ? 1 : 0), "%s after %s",
                  reaches[_i].key, reaches[_i].notice);
    yb_cache_free(&w.cache);
}
END_TEST

/* Which notices reach an answer that is a tenant's, or nobody's. */
static const struct {
    uint8_t tenant;
    enum yb_cache_owner owner;
    bool names;
    const char *domain, *above, *notice; /* "t1", "names", a domain */
    bool reached;
} owned[] = {
    { 1, YB_CACHE_NOBODY, false, "a.test", "", "t1", true },
    { 1, YB_CACHE_NOBODY, false, "a.test", "", "t2", false },
    { 1, YB_CACHE_NOBODY, false, "a.test", "", "names", false },
    { 1, YB_CACHE_NOBODY, false, "a.test", "", "test", false },
    { 0, YB_CACHE_UNKNOWN, false, "a.test", "", "t2", true },
    { 0, YB_CACHE_UNKNOWN, false, "a.test", "", "b.test", false },
    /* not hosted: by any name that is, or could be, above it */
    { 0, YB_CACHE_NOBODY, true, "x.y.a.test", "", "t1", false },
    { 0, YB_CACHE_NOBODY, true, "x.y.a.test", "", "names", true },
    { 0, YB_CACHE_NOBODY, true, "x.y.a.test", "", "x.y.a.test", true },
    { 0, YB_CACHE_NOBODY, true, "x.y.a.test", "", "y.a.test", true },
    { 0, YB_CACHE_NOBODY, true, "x.y.a.test", "", "a.test", true },
    { 0, YB_CACHE_NOBODY, true, "x.y.a.test", "", "test", true },
    { 0, YB_CACHE_NOBODY, true, "x.y.a.test", "", "z.y.a.test", false },
    { 0, YB_CACHE_NOBODY, true, "x.y.a.test", "", "b.test", false },
    /* served by a domain above: by those between */
    { 1, YB_CACHE_NOBODY, true, "x.y.a.test", "a.test", "y.a.test", true },
    { 1, YB_CACHE_NOBODY, true, "x.y.a.test", "a.test", "test", false },
    { 1, YB_CACHE_NOBODY, true, "x.y.a.test", "a.test", "names", true },
    { 1, YB_CACHE_NOBODY, true, "x.y.a.test", "a.test", "t1", true },
    /* more names above than it has room for: by each */
    { 0, YB_CACHE_NOBODY, true, "1.2.3.4.5.6.7.8.9.a.test", "", "test", true },
    { 0, YB_CACHE_NOBODY, true, "1.2.3.4.5.6.7.8.9.a.test", "", "b.test", true },
    { 0, YB_CACHE_NOBODY, true, "1.2.3.4.5.6.7.8.9.a.test", "", "t1", false },
};

static void
changed_tenant(struct yb_cache *cache, uint8_t number)
{
    yb_cache_changed_tenant(cache,
                            yb_notice_tenant(&notice_key, (struct yb_tenant_id){ { number } }));
}

START_TEST(test_owner)
{
    struct world w = world_new();
    struct yb_str notice = yb_str_from(owned[_i].notice);

    w.tenant = owned[_i].tenant;
    w.owner = owned[_i].owner;
    w.names = owned[_i].names;
    w.domain = yb_str_from(owned[_i].domain);
    w.above = yb_str_from(owned[_i].above);
    ck_assert_int_eq(world_get(&w, u_key), 0);
    w.number = 1;
    if (yb_str_eq(notice, YB_STR("names")))
        yb_cache_changed_names(w.cache);
    else if (notice.n == 2)
        changed_tenant(w.cache, (uint8_t)(notice.p[1] - '0'));
    else
        yb_cache_changed_domain(w.cache, yb_notice_domain(&notice_key, notice));
    ck_assert_msg(world_get(&w, u_key) == (owned[_i].reached ? 1 : 0), "%s after %s",
                  owned[_i].domain, owned[_i].notice);
    yb_cache_free(&w.cache);
}
END_TEST

/* The change comes after the database was read and before its answer arrives. */
static void
change_under_way(struct world *w)
{
    w->during = NULL;
    atomic_store(&w->number, 5);
    changed_address(w->cache, u_key, YB_STR("a.test"));
}

START_TEST(test_epoch_race)
{
    struct world w = world_new();

    w.during = change_under_way;
    ck_assert_int_eq(world_get(&w, u_key), 0); /* what it was when it was asked */
    ck_assert_int_eq(world_get(&w, u_key), 5);
    ck_assert_int_eq(world_get(&w, u_key), 5);
    ck_assert_int_eq(w.asked, 2);
    yb_cache_free(&w.cache);
}
END_TEST

/* The listening connection is lost, or comes, while the database is being asked. */
static void
down_under_way(struct world *w)
{
    w->during = NULL;
    yb_cache_down(w->cache);
    yb_cache_up(w->cache);
}

START_TEST(test_listen_lost_under_way)
{
    struct world w = world_new();

    w.during = down_under_way;
    ck_assert_int_eq(world_get(&w, u_key), 0);
    w.number = 1;
    ck_assert_int_eq(world_get(&w, u_key), 1);
    yb_cache_free(&w.cache);
}
END_TEST

START_TEST(test_stale_is_asked_again_and_served)
{
    struct world w = world_new();
    struct yb_directory_stats stats;

    ck_assert_int_eq(world_get(&w, u_key), 0);
    yb_cache_down(w.cache);
    ck_assert_int_eq(world_get(&w, u_key), 0);
    ck_assert_int_eq(w.asked, 2); /* not trusted while nothing is heard */
    w.away = true;
    ck_assert_int_eq(world_get(&w, u_key), 0);
    ck_assert_int_eq(world_get(&w, YB_STR("other")), -99);
    yb_cache_stats(w.cache, &stats);
    ck_assert_uint_eq(stats.stale_served, 1);
    ck_assert(!stats.listening);
    w.away = false;
    w.number = 2;
    yb_cache_up(w.cache);
    ck_assert_int_eq(world_get(&w, u_key), 2);
    ck_assert_int_eq(world_get(&w, u_key), 2);
    ck_assert_int_eq(w.asked, 5);
    yb_cache_free(&w.cache);
}
END_TEST

START_TEST(test_stale_negative_is_nothing)
{
    struct world w = world_new();

    w.number = -1;
    ck_assert_int_eq(world_get(&w, u_key), -1);
    yb_cache_down(w.cache);
    w.away = true;
    ck_assert_int_eq(world_get(&w, u_key), -99);
    yb_cache_free(&w.cache);
}
END_TEST

/* What is known to have changed is not served, even if nobody can say what it is now. */
START_TEST(test_changed_is_not_served)
{
    struct world w = world_new();

    ck_assert_int_eq(world_get(&w, u_key), 0);
    changed_address(w.cache, u_key, YB_STR("a.test"));
    w.away = true;
    ck_assert_int_eq(world_get(&w, u_key), -99);
    yb_cache_free(&w.cache);
}
END_TEST

START_TEST(test_ages)
{
    struct world w = { .cache = yb_cache_new(1 << 20, 1, 0) };
    int64_t before;

    yb_cache_up(w.cache);
    ck_assert_int_eq(world_get(&w, u_key), 0);
    before = yb_clock_ms();
    while (yb_clock_ms() < before + 2)
        ;
    w.number = 1;
    ck_assert_int_eq(world_get(&w, u_key), 1);
    yb_cache_free(&w.cache);

    w = world_new();
    w.until = yb_clock_now();
    ck_assert_int_eq(world_get(&w, u_key), 0);
    w.number = 1;
    ck_assert_int_eq(world_get(&w, u_key), 1);
    w.until = yb_clock_now() + 1000;
    ck_assert_int_eq(world_get(&w, u_key), 1);
    w.number = 2;
    ck_assert_int_eq(world_get(&w, u_key), 1);
    yb_cache_free(&w.cache);
}
END_TEST

START_TEST(test_bounded)
{
    struct world w = world_new();
    struct yb_directory_stats stats;
    char key[32];

    for (int i = 0; i < 50000; i++) {
        int n = snprintf(key, sizeof(key), "good%d", i);

        ck_assert_int_eq(world_get(&w, yb_str(key, (size_t)n)), 0);
    }
    yb_cache_stats(w.cache, &stats);
    ck_assert_uint_le(stats.bytes, 1 << 20);
    ck_assert_uint_gt(stats.evicted, 10000);
    ck_assert_uint_eq(stats.evicted + stats.entries, 50000);
    yb_cache_free(&w.cache);
}
END_TEST

/* A flood of unknown keys pushes no known one out. */
START_TEST(test_flood)
{
    struct world w = world_new();
    struct yb_directory_stats stats;
    char key[32];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            int n = snprintf(key, sizeof(key), "good%d", i);

            ck_assert_int_eq(world_get(&w, yb_str(key, (size_t)n)), 0);
        }
        w.number = -1;
        for (int i = 0; i < 20000 && round == 0; i++) {
            int n = snprintf(key, sizeof(key), "bad%d", i);

            ck_assert_int_eq(world_get(&w, yb_str(key, (size_t)n)), -1);
        }
    }
    ck_assert_int_eq(w.asked, 21000);
    yb_cache_stats(w.cache, &stats);
    ck_assert_uint_le(stats.bytes, 1 << 20);
    ck_assert_uint_gt(stats.evicted, 10000);
    yb_cache_free(&w.cache);
}
END_TEST

START_TEST(test_many_at_once)
{
    struct yb_str keys[] = { YB_STR("a"), YB_STR("b"), YB_STR("a"), u_key, YB_STR("c") };
    struct yb_cache_value *out[YB_COUNT(keys)];
    struct world w = world_new();
    struct yb_cache_asker asker = { world_ask, &w };
    struct yb_err err = { 0 };

    ck_assert_int_eq(world_get(&w, u_key), 0);
    w.number = 7;
    w.keys = keys;
    ck_assert_int_eq(yb_cache_get(w.cache, keys, YB_COUNT(keys), &asker, out, &err), 0);
    for (size_t i = 0; i < YB_COUNT(keys); i++) {
        int number;

        memcpy(&number, out[i]->data, sizeof(number));
        ck_assert_int_eq(number, i == 3 ? 0 : 7);
        yb_cache_value_drop(&out[i]);
    }
    ck_assert_int_eq(w.asked, 4);
    w.away = true;
    yb_cache_down(w.cache);
    ck_assert_int_eq(yb_cache_get(w.cache, keys, YB_COUNT(keys), &asker, out, &err), 0);
    for (size_t i = 0; i < YB_COUNT(keys); i++)
        yb_cache_value_drop(&out[i]);
    keys[4] = YB_STR("new");
    ck_assert_int_eq(yb_cache_get(w.cache, keys, YB_COUNT(keys), &asker, out, &err), -1);
    for (size_t i = 0; i < YB_COUNT(keys); i++)
        ck_assert_ptr_null(out[i]);
    yb_cache_free(&w.cache);
}
END_TEST

enum { ADDRESS, DOMAIN, TENANT, NAMES, ALL, KINDS };

static void
change(struct world *w, int kind)
{
    if (kind == ADDRESS)
        changed_address(w->cache, u_key, YB_STR("a.test"));
    else if (kind == DOMAIN)
        yb_cache_changed_domain(w->cache, yb_notice_domain(&notice_key, YB_STR("a.test")));
    else if (kind == TENANT)
        changed_tenant(w->cache, 1);
    else if (kind == NAMES)
        yb_cache_changed_names(w->cache);
    else
        yb_cache_changed_all(w->cache);
}

/* However many notices come: the first is answered at once, the others at the end of the time. */
START_TEST(test_forged_flood)
{
    struct world w = { .cache = yb_cache_new(1 << 20, 600000, 600000), .tenant = 1, .names = true };

    yb_cache_key(w.cache, &notice_key);
    yb_cache_up(w.cache);
    ck_assert_int_eq(world_get(&w, u_key), 0);
    for (int i = 1; i < 1000; i++) {
        change(&w, _i);
        w.number = i;
        ck_assert_int_eq(world_get(&w, u_key), 1);
    }
    ck_assert_int_eq(w.asked, 2);
    /* It is not stale either, and served when the database is away. */
    w.away = true;
    yb_cache_down(w.cache);
    ck_assert_int_eq(world_get(&w, u_key), 1);
    w.away = false;
    /* Whatever has it asked for: what it knew of is known then. */
    yb_cache_up(w.cache);
    ck_assert_int_eq(world_get(&w, u_key), 999);
    yb_cache_free(&w.cache);
}
END_TEST

/* The last of many changes is seen when the time is over, though no notice comes any more. */
START_TEST(test_flood_ends)
{
    struct world w = { .cache = yb_cache_new(1 << 20, 600000, 50), .tenant = 1, .names = true };
    struct yb_deadline by = yb_deadline_in(20000);
    int64_t begin = yb_clock_ms();

    yb_cache_key(w.cache, &notice_key);
    yb_cache_up(w.cache);
    ck_assert_int_eq(world_get(&w, u_key), 0);
    for (int i = 1; i <= 100; i++) {
        w.number = i;
        change(&w, _i);
        world_get(&w, u_key);
    }
    while (world_get(&w, u_key) != 100 && yb_deadline_left(by) > 0)
        ;
    ck_assert_int_eq(world_get(&w, u_key), 100);
    ck_assert_int_le(w.asked, 2 + (yb_clock_ms() - begin) / 50);
    yb_cache_free(&w.cache);
}
END_TEST

/* By another key everything is stale; what then comes cannot be told apart and changes all of it. */
START_TEST(test_key_rotates)
{
    static const struct yb_notice_key other = { { 9 }, { 9 } };
    struct world w = world_new();

    ck_assert_int_eq(world_get(&w, u_key), 0);
    yb_cache_key(w.cache, &notice_key);
    w.number = 1;
    ck_assert_int_eq(world_get(&w, u_key), 0);
    yb_cache_key(w.cache, &other);
    w.away = true;
    ck_assert_int_eq(world_get(&w, u_key), 0); /* stale: still served */
    yb_cache_changed_address(w.cache, yb_notice_address(&other, YB_STR("v"), YB_STR("a.test")));
    ck_assert_int_eq(world_get(&w, u_key), -99);
    w.away = false;
    ck_assert_int_eq(world_get(&w, u_key), 1);
    w.number = 2;
    ck_assert_int_eq(world_get(&w, u_key), 1);
    yb_cache_changed_address(w.cache, yb_notice_address(&other, u_key, YB_STR("a.test")));
    ck_assert_int_eq(world_get(&w, u_key), 2);
    yb_cache_free(&w.cache);
}
END_TEST

static const struct {
    const char *payload;
    enum yb_notice_kind kind;
    uint64_t hash;
} payloads[] = {
    { "a 04000000 0123456789abcdef", YB_NOTICE_ADDRESS, 0x0123456789abcdef },
    { "d 04000000 fedcba9876543210", YB_NOTICE_DOMAIN, 0xfedcba9876543210 },
    { "t 04000000 0123456789abcdef", YB_NOTICE_TENANT, 0x0123456789abcdef },
    { "names", YB_NOTICE_NAMES, 0 },
    { "names 04000000 0123456789abcdef", YB_NOTICE_ALL, 0 },
    { "t 04000001 0123456789abcdef", YB_NOTICE_UNKNOWN, 0 },
    { "a 04000001 0123456789abcdef", YB_NOTICE_UNKNOWN, 0 },
    { "d 00000000 0123456789abcdef", YB_NOTICE_UNKNOWN, 0 },
    { "all", YB_NOTICE_ALL, 0 },
    { "", YB_NOTICE_ALL, 0 },
    { "account a.test u", YB_NOTICE_ALL, 0 }, /* of an older schema */
    { "a 04000000 0123456789abcde", YB_NOTICE_ALL, 0 },
    { "a 04000000 0123456789abcdef0", YB_NOTICE_ALL, 0 },
    { "a 04000000 0123456789abcdeg", YB_NOTICE_ALL, 0 },
    { "b 04000000 0123456789abcdef", YB_NOTICE_ALL, 0 },
    { "a-04000000 0123456789abcdef", YB_NOTICE_ALL, 0 },
    { "a 04000000-0123456789abcdef", YB_NOTICE_ALL, 0 },
};

START_TEST(test_payload)
{
    uint64_t hash = 0;

    ck_assert_int_eq(yb_notice_parse(&notice_key, yb_str_from(payloads[_i].payload), &hash),
                     payloads[_i].kind);
    ck_assert_uint_eq(hash, payloads[_i].hash);
}
END_TEST

START_TEST(test_key_read)
{
    struct yb_notice_key k;
    struct yb_err err = { 0 };

    ck_assert_int_eq(
        yb_notice_key_read(
            YB_STR("\\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), &k,
            &err),
        0);
    ck_assert_int_eq(k.v[31], 31);
    /* By another SHA-256, of the key and "i", "da.test", "aa.test u", "t00010203-0405-…". */
    ck_assert_mem_eq(k.id, "\xc0\x6e\xba\xe2", 4);
    ck_assert_uint_eq(yb_notice_domain(&k, YB_STR("a.test")), 0xd6e2407190de9ecd);
    ck_assert_uint_eq(yb_notice_address(&k, YB_STR("u+x"), YB_STR("a.test")), 0xa1bc861a062ff8ae);
    ck_assert_uint_eq(yb_notice_tenant(&k, (struct yb_tenant_id){ { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
                                                                    10, 11, 12, 13, 14, 15 } }),
                      0x0b479abd1b811fea);
    ck_assert_int_eq(yb_notice_key_read(YB_STR("\\x0001"), &k, &err), -1);
    ck_assert_int_eq(yb_notice_key_read(YB_STR(""), &k, &err), -1);
    ck_assert_int_eq(err.class, YB_TEMP);
}
END_TEST

/* Eight threads want one key while the database is slow. */
struct crowd {
    struct world *w;
    pthread_barrier_t *start;
};

static atomic_int under_way;

static void
wait_for_crowd(struct world *w YB_UNUSED)
{
    struct yb_deadline by = yb_deadline_in(200);

    atomic_fetch_add(&under_way, 1);
    while (yb_deadline_left(by) > 0)
        ;
}

static void *
crowd_get(void *arg)
{
    struct crowd *crowd = arg;
    struct yb_cache_asker asker = { world_ask, crowd->w };
    struct yb_cache_value *v = NULL;
    struct yb_err err = { 0 };

    pthread_barrier_wait(crowd->start);
    if (yb_cache_get(crowd->w->cache, &u_key, 1, &asker, &v, &err) < 0)
        return NULL;
    yb_cache_value_drop(&v);
    return arg;
}

START_TEST(test_one_asks_for_all)
{
    struct world w = world_new();
    pthread_barrier_t start;
    struct crowd crowd = { &w, &start };
    pthread_t t[8];
    void *got;

    for (int away = 0; away < 2; away++) {
        pthread_barrier_init(&start, NULL, YB_COUNT(t));
        w.keys = &u_key;
        w.during = wait_for_crowd;
        w.asked = 0;
        w.away = away == 1;
        yb_cache_changed_all(w.cache);
        for (size_t i = 0; i < YB_COUNT(t); i++)
            pthread_create(&t[i], NULL, crowd_get, &crowd);
        for (size_t i = 0; i < YB_COUNT(t); i++) {
            pthread_join(t[i], &got);
            ck_assert((got == NULL) == w.away);
        }
        ck_assert_int_eq(w.asked, 1); /* a failure is everybody's as well */
        pthread_barrier_destroy(&start);
    }
    yb_cache_free(&w.cache);
}
END_TEST

/*
 * A writer counts up and tells; readers must never see a number older than the last one that was
 * told before they asked.
 */
struct race {
    struct world w;
    atomic_int told;
    atomic_bool stop, wrong;
};

static void *
race_read(void *arg)
{
    struct race *r = arg;
    struct yb_cache_asker asker = { world_ask, &r->w };

    while (!atomic_load(&r->stop)) {
        int told = atomic_load(&r->told), number;
        struct yb_cache_value *v = NULL;
        struct yb_err err = { 0 };

        if (yb_cache_get(r->w.cache, &u_key, 1, &asker, &v, &err) < 0)
            continue;
        memcpy(&number, v->data, sizeof(number));
        yb_cache_value_drop(&v);
        if (number < told)
            atomic_store(&r->wrong, true);
    }
    return NULL;
}

START_TEST(test_never_older_than_told)
{
    struct race r = { .w = world_new() };
    struct yb_deadline by = yb_deadline_in(500);
    pthread_t t[3];

    r.w.keys = &u_key;
    for (size_t i = 0; i < YB_COUNT(t); i++)
        pthread_create(&t[i], NULL, race_read, &r);
    for (int n = 1; yb_deadline_left(by) > 0; n++) {
        atomic_store(&r.w.number, n);
        changed_address(r.w.cache, u_key, YB_STR("a.test"));
        atomic_store(&r.told, n);
        if (n % 100 == 0) {
            yb_cache_down(r.w.cache);
            yb_cache_up(r.w.cache);
        }
    }
    atomic_store(&r.stop, true);
    for (size_t i = 0; i < YB_COUNT(t); i++)
        pthread_join(t[i], NULL);
    ck_assert(!atomic_load(&r.wrong));
    yb_cache_free(&r.w.cache);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("cache");
    TCase *tc = tcase_create("cache");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_hit);
    tcase_add_loop_test(tc, test_notice_reaches, 0, YB_COUNT(reaches));
    tcase_add_loop_test(tc, test_owner, 0, YB_COUNT(owned));
    tcase_add_test(tc, test_epoch_race);
    tcase_add_test(tc, test_listen_lost_under_way);
    tcase_add_test(tc, test_stale_is_asked_again_and_served);
    tcase_add_test(tc, test_stale_negative_is_nothing);
    tcase_add_test(tc, test_changed_is_not_served);
    tcase_add_test(tc, test_ages);
    tcase_add_test(tc, test_bounded);
    tcase_add_test(tc, test_flood);
    tcase_add_test(tc, test_many_at_once);
    tcase_add_loop_test(tc, test_forged_flood, 0, KINDS);
    tcase_add_loop_test(tc, test_flood_ends, 0, KINDS);
    tcase_add_test(tc, test_key_rotates);
    tcase_add_loop_test(tc, test_payload, 0, YB_COUNT(payloads));
    tcase_add_test(tc, test_key_read);
    tcase_add_test(tc, test_one_asks_for_all);
    tcase_add_test(tc, test_never_older_than_told);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
