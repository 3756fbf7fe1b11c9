/*
 * Bytes in the place of one of the files beside a small Maildir: the first says which, the rest is
 * what it holds. Opening never crashes, no message is lost, and UIDs stay what they were; only when
 * yubin-uid itself is unreadable there is another UIDVALIDITY.
 */
#include "lib/base/log.h"
#include "lib/store/handles.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct map {
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;
    size_t n;
    uint32_t uids[MESSAGES];
    struct yb_delivery_id ids[MESSAGES];
};

static const char *const files[] = { "yubin-index", "yubin-uid",         "yubin-keywords",
                                     "yubin-cache", "yubin-special",     "yubin-subscriptions",
                                     "../lock",     ".Other/yubin-index" };
static const struct yb_account_id account = { { 1 } };
/* One store for all inputs; the handles of the account are closed after each. */
static struct yb_store *store;
static char root[64], maildir[160], folders[4][240];
static struct timespec older[2];
static struct map known;

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)flag;
    (void)walk;
    return remove(path);
}

static void
finish(void)
{
    yb_store_root_close(&store);
    nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void
deliver(struct yb_store_account *a, const char *mailbox, unsigned n)
{
    struct yb_str word = YB_STR("word");
    struct yb_put put = { .mailbox = mailbox,
                          .id = { { (uint8_t)n } },
                          .flags = n % 2,
                          .keywords = &word,
                          .n_keywords = n % 3 == 0,
                          .create_mailbox = true };
    struct iovec v = { (char[]){ "Subject: x\r\n\r\nx\r\n" }, 17 };
    struct yb_put_result out;
    struct yb_incoming *i;

    yb_assert(yb_store_put_begin(a, 17, &i, NULL) == 0);
    yb_assert(yb_store_put_write(i, &v, 1, NULL) == 0);
    yb_assert(yb_store_put_place(i, &put, &out, NULL) == 0);
    yb_assert(yb_store_put_commit(&i, NULL) == 0);
}

static void
read_map(struct yb_store_account *a, struct map *map)
{
    const struct yb_rows *rows;
    struct yb_mailbox *m;
    struct yb_err err = { 0 };
    const struct yb_keywords *keywords;
    struct yb_view v;
    int fd;

    if (yb_mailbox_open(a, YB_STR("INBOX"), &m, &err) < 0 || yb_view_begin(m, true, &v, &err) < 0 ||
        yb_view_rows(m, &v, &rows, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    yb_assert(rows->n == MESSAGES);
    *map = (struct map){
        .uidvalidity = v.uidvalidity, .uidnext = v.uidnext, .modseq = v.modseq, .n = rows->n
    };
    for (size_t i = 0; i < rows->n; i++) {
        map->uids[i] = rows->v[i].uid;
        map->ids[i] = rows->v[i].id;
        yb_assert(yb_mailbox_message(m, &rows->v[i], &fd, &err) == 0);
        close(fd);
    }
    yb_rows_release(&rows);
    yb_view_end(m, &v);
    yb_assert(yb_mailbox_keywords(m, &keywords, &err) == 0);
    yb_keywords_release(&keywords);
    yb_mailbox_close(&m);
}

/* As if nothing had come for a minute: what came just now is looked for at each opening again. A new
 * UIDVALIDITY renames all files. */
static void
make_older(void)
{
    for (size_t i = 0; i < YB_COUNT(folders); i++)
        yb_assert(utimensat(AT_FDCWD, folders[i], older, 0) == 0);
}

static void
name_folders(void)
{
    static const char *const names[] = { "cur", "new", ".Other/cur", ".Other/new" };

    for (size_t i = 0; i < YB_COUNT(folders); i++)
        snprintf(folders[i], sizeof(folders[i]), "%s/%s", maildir, names[i]);
    older[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
    older[1] = (struct timespec){ .tv_sec = time(NULL) - 60 };
}

static void
prepare(void)
{
    struct yb_store_conf conf = { .root = root };
    struct yb_store_account *a;
    struct yb_err err = { 0 };
    char id[YB_ID_TEXT], below[80];

    snprintf(root, sizeof(root), "%s/yb-fuzz-store-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    yb_assert(mkdtemp(root) != NULL);
    yb_log_init("fuzz", YB_LOG_ERROR);
    yb_assert(yb_store_init(root, id, &err) == 0);
    yb_assert(yb_store_root_open(&conf, NULL, &store, &err) == 0);
    atexit(finish);
    yb_assert(yb_store_open(store, account, true, &a, &err) == 0);
    for (unsigned n = 1; n <= MESSAGES; n++)
        deliver(a, NULL, n);
    deliver(a, "Other", 9);
    read_map(a, &known);
    yb_store_close(&a);
    yb_store_path(account, below, sizeof(below));
    snprintf(maildir, sizeof(maildir), "%s/%s", root, below);
    name_folders();
}

static void
overwrite(const char *file, const uint8_t *data, size_t size)
{
    char path[240];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", maildir, file);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    yb_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static void
compare(const struct map *now, bool same_validity)
{
    if (same_validity) {
        yb_assert(now->uidvalidity == known.uidvalidity);
        yb_assert(now->uidnext >= known.uidnext && now->modseq >= known.modseq);
    } else if (now->uidvalidity != known.uidvalidity) {
        return; /* unreadable: a new one; or what is another mailbox's whole file says */
    }
    for (size_t i = 0; i < MESSAGES; i++)
        yb_assert(now->uids[i] == known.uids[i] && yb_delivery_id_eq(now->ids[i], known.ids[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_store_account *a;
    struct yb_folder *list;
    struct yb_arena *arena;
    struct yb_store_check sums;
    struct yb_usage usage;
    struct yb_err err = { 0 };
    struct map now;
    size_t n;

    if (size == 0)
        return 0;
    if (store == NULL)
        prepare();
    yb_account_close_idle(store, 0);
    make_older();
    overwrite(files[data[0] % YB_COUNT(files)], data + 1, size - 1);
    arena = yb_arena_new(4096);
    yb_assert(yb_store_open(store, account, false, &a, &err) == 0);
    /* Where it is at home is lost with the lock file: the directory names this node. */
    yb_assert(yb_store_settle(store, account, &err) == 0);
    read_map(a, &now);
    compare(&now, data[0] % YB_COUNT(files) != 1);
    known = now;
    /* A whole lock file of this boot with other numbers is believed until somebody counts. */
    if (data[0] % YB_COUNT(files) == 6)
        yb_assert(yb_store_check_account(a, &sums, &err) == 0);
    yb_assert(yb_store_usage(a, &usage, &err) == 0);
    yb_assert(usage.messages == MESSAGES + 1 && usage.bytes == 17 * (MESSAGES + 1));
    yb_assert(yb_store_list(a, arena, &list, &n, &err) == 0 && n >= 2);
    yb_store_close(&a);
    yb_arena_free(&arena);
    return 0;
}
