/*
 * A whole session over a store of its own: lines, literals, states. The same bytes at once and (of
 * inputs of even length) in pieces, whose size is the first byte, are answered with the same bytes,
 * numbers apart: UIDs and mod-sequences go on from one run to the next.
 */
#include "tests/unit/imapd/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is answered grows with the mailbox: a few messages keep a session's cost to its own size. */
#define QUOTA 200

/* Every run of digits as one. */
static struct yb_str
without_numbers(struct yb_str s, struct yb_arena *arena)
{
    char *to = yb_arena_alloc(arena, s.n + 1, 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (!yb_is_digit(s.p[i]))
            to[n++] = s.p[i];
        else if (n == 0 || to[n - 1] != '0')
            to[n++] = '0';
    }
    return yb_str(to, n);
}

/* Runs a session from before login, or as a user with the inbox selected, in an empty account. */
static struct yb_str
run(struct rig *r, struct yb_str in, bool logged_in, size_t piece, struct yb_arena *arena)
{
    struct yb_conn *c = logged_in ? rig_enter(r, "bob@two.test", "INBOX") : rig_connect(r);
    struct yb_str out;

    fake_feed(c, in, piece);
    out = without_numbers(fake_output(c), arena);
    fake_free(&c);
    return out;
}

/* One store for all inputs, and what its files look like while the account is as new. */
static struct rig *rig;
static uint64_t as_new;

#define FILES_CUR 3
#define FILES_NEW 4

static const char *const files[] = {
    "", "/lock", "/Maildir", "/Maildir/cur", "/Maildir/new", "/Maildir/yubin-uid"
};
static char paths[YB_COUNT(files)][200];

static void
name_files(const struct rig *r)
{
    for (size_t i = 0; i < YB_COUNT(files); i++)
        snprintf(paths[i], sizeof(paths[i]), "%s/b2/b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2%s", r->root,
                 files[i]);
}

/*
 * Changes when anything in the account is made, removed or renamed, in its folders or beside them,
 * and when its lock or its list of UIDs is written. The index is left out: every SELECT writes it,
 * and what it says beyond the names of files is numbers.
 */
static uint64_t
account_state(void)
{
    uint64_t state = 0;

    for (size_t i = 0; i < YB_COUNT(files); i++) {
        struct stat st = { 0 };

        yb_assert(stat(paths[i], &st) == 0 || errno == ENOENT);
        state = (state ^ st.st_ino) * 0x9e3779b97f4a7c15;
        state = (state ^ (uint64_t)st.st_mtim.tv_sec) * 0x9e3779b97f4a7c15;
        state = (state ^ (uint64_t)st.st_mtim.tv_nsec) * 0x9e3779b97f4a7c15;
    }
    return state;
}

/* As if nothing had come for a minute: what came just now is looked for at each SELECT again. */
static void
make_older(void)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = time(NULL) - 60 } };

    yb_assert(utimensat(AT_FDCWD, paths[FILES_CUR], times, 0) == 0);
    yb_assert(utimensat(AT_FDCWD, paths[FILES_NEW], times, 0) == 0);
}

/* A new, empty account, selected before, so that to select it changes nothing. */
static void
make_account(struct rig *r)
{
    struct yb_account_id bob;
    struct yb_err err = { 0 };
    struct yb_conn *c;

    memset(bob.v, 0xb2, sizeof(bob.v));
    if (yb_store_remove(r->server.store, bob, &err) < 0)
        yb_assert(err.class == YB_PERM); /* nobody logged in */
    c = rig_enter(r, "bob@two.test", "INBOX");
    make_older();
    yb_assert(strstr(rig_say(c, "S SELECT INBOX\r\n"), "S OK ") != NULL);
    fake_free(&c);
    as_new = account_state();
}

/* Most inputs change nothing: to make everything anew costs more than to look. Who guessed too often
 * may guess again, or what is said to the next guess depends on the inputs before. */
static void
clean_account(struct rig *r)
{
    if (account_state() != as_new)
        make_account(r);
    rig_forget_wrong(r);
}

static void
stop(void)
{
    rig_stop(rig);
    yb_free(rig);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_arena *arena;
    struct yb_str in, whole, pieces;
    bool logged_in;

    if (size < 2)
        return 0;
    if (rig == NULL) {
        rig = yb_alloc(1, sizeof(*rig));
        rig_start_alone(rig);
        rig->quota = QUOTA;
        name_files(rig);
        make_account(rig);
        yb_assert(atexit(stop) == 0);
    }
    arena = yb_arena_new(16384);
    in = yb_str((const char *)data + 2, size - 2);
    logged_in = data[1] != '0';
    whole = run(rig, in, logged_in, 0, arena);
    clean_account(rig);
    /* The second half of the cost, and few inputs are cut otherwise than their neighbours. */
    if (size % 2 == 0) {
        pieces = run(rig, in, logged_in, data[0] % 16 + 1, arena);
        clean_account(rig);
        yb_assert(yb_str_eq(whole, pieces));
    }
    yb_arena_free(&arena);
    return 0;
}
