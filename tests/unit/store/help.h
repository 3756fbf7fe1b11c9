/* What the tests of lib/store share: a throw-away root, messages, and snapshots of a mailbox. */
#ifndef YB_TEST_STORE_HELP_H
#define YB_TEST_STORE_HELP_H

#include "lib/store/store.h"

#include <check.h>

/* A new root below $TMPDIR (or /tmp); help_done() removes it. */
struct help {
    char root[200], notify[240];
    struct yb_store *s;
    struct yb_store_account *a;
    struct yb_account_id id;
    bool portable;
};

/* ck_assert for calls with an error: its text is shown. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct yb_err err = { 0 };                                                                 \
        int rc_ = (call);                                                                          \
        ck_assert_msg(rc_ >= 0, #call ": %s %s", err.status, err.text);                            \
    } while (0)
/* The call fails with this class and kind. */
#define FAILS(call, want, what)                                                                    \
    do {                                                                                           \
        struct yb_err err = { 0 };                                                                 \
        int rc_ = (call);                                                                          \
        ck_assert_msg(rc_ < 0, #call " works");                                                    \
        ck_assert_msg(err.class == (want) && err.kind == (what), #call ": class %d, kind %d, %s",  \
                      (int)err.class, (int)err.kind, err.text);                                    \
    } while (0)

void help_root(struct help *h, bool portable);
void help_open(struct help *h); /* store and account */
void help_close(struct help *h);
void help_reopen(struct help *h); /* as another process would: nothing is remembered */
void help_done(struct help *h);
/* What imapd and lmtpd do about an account whose lock file was lost: the directory names this node. */
void help_settle(struct help *h);
/* Removes a file or a folder with all that is in it; 0 or -1. */
int help_remove(const char *path);
/* A path below the account's Maildir. */
const char *help_path(const struct help *h, const char *below);

struct yb_delivery_id help_id(unsigned n);
/* Delivers a message of `size` bytes whose first line is "Message <n>"; its UID. */
uint32_t help_put(struct help *h, const char *mailbox, unsigned n, size_t size, uint32_t flags);
int help_try_put(struct yb_store_account *a, const struct yb_put *put, unsigned n, size_t size,
                 struct yb_put_result *out, struct yb_err *err);

/* A mailbox as somebody remembers it. */
struct help_message {
    uint32_t uid;
    unsigned n; /* of "Message <n>" */
    uint32_t flags, keywords, set;
    uint64_t modseq;
    struct yb_delivery_id id;
    int64_t internal_date;
    size_t size;
};
struct help_map {
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;
    struct help_message v[512];
    size_t n;
};
void help_map(struct help *h, const char *mailbox, struct help_map *map);
/* Same UIDVALIDITY, UIDs, contents, flags, keywords, ids and dates; MODSEQ and UIDNEXT only grow.
 */
void help_same(const struct help_map *before, const struct help_map *after, const char *what);
struct yb_mailbox *help_mailbox(struct help *h, const char *name);
struct yb_mailbox_status help_status(struct yb_mailbox *m);
struct yb_usage help_usage(struct help *h);
/* Files in cur/ and new/ of a folder ("" or ".Name/"). */
size_t help_files(const struct help *h, const char *folder);
void help_write(const char *path, const void *p, size_t n);

/* Runs this binary again with YB_TEST_CHILD=<scenario> and YB_FAULT=<fault>; its wait status. */
int help_child(const struct help *h, const char *scenario, const char *fault);
/* In such a child: opens the same root and account. */
void help_child_open(struct help *h);

#endif
