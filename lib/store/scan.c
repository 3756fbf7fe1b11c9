#include "lib/store/scan.h"

#include "lib/store/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_BLOCK 65536

static void
scan_add(struct yb_scan *scan, struct yb_str text, bool in_new)
{
    char canonical[YB_NAME_MAX];
    struct yb_found *f;
    bool parsed;

    if (scan->n == scan->room) {
        scan->room = scan->room == 0 ? 64 : scan->room * 2;
        scan->v = yb_realloc(scan->v, scan->room, sizeof(*scan->v));
    }
    f = &scan->v[scan->n++];
    *f = (struct yb_found){ .in_new = in_new };
    parsed = yb_name_parse(text, &f->name);
    if (parsed && f->name.uidvalidity == scan->uidvalidity && f->name.uid < scan->uid_ceiling)
        f->ours = true;
    if (!parsed) {
        f->name = (struct yb_name){ 0 };
        yb_name_flags(text, &f->name.flags, &f->name.keywords);
    }
    /* What we could not name again from the record has to be renamed: keep what it is called. */
    if (!f->ours || yb_name_format(&f->name, in_new, canonical) != text.n ||
        memcmp(canonical, text.p, text.n) != 0)
        f->text = yb_arena_dup(scan->arena, text).p;
}

static int
scan_folder(struct yb_scan *scan, int folder_fd, bool in_new, struct yb_err *err)
{
    int fd = yb_sys_open(folder_fd, ".", O_RDONLY | O_DIRECTORY), rc = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "list %s", in_new ? "new" : "cur");
        yb_sys_close(&fd);
        return rc;
    }
    for (struct dirent *e; errno = 0, (e = readdir(dir)) != NULL;) {
        struct stat st;

        if (e->d_name[0] == '.' || (e->d_type != DT_REG && e->d_type != DT_UNKNOWN))
            continue;
        if (e->d_type == DT_UNKNOWN &&
            (fstatat(folder_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)))
            continue;
        scan_add(scan, yb_str_from(e->d_name), in_new);
    }
    if (errno != 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "list %s", in_new ? "new" : "cur");
    closedir(dir);
    return rc;
}

int
yb_scan_read(struct yb_scan *scan, struct yb_err *err)
{
    scan->arena = yb_arena_new(ARENA_BLOCK);
    /* cur/ last: a file that another program moves from new/ to cur/ meanwhile is seen twice, not
     * never. */
    if (scan_folder(scan, scan->new_fd, true, err) < 0)
        return -1;
    return scan_folder(scan, scan->cur_fd, false, err);
}

uint32_t
yb_scan_validity(int cur_fd, int new_fd)
{
    struct yb_scan scan = { .cur_fd = cur_fd, .new_fd = new_fd };
    uint32_t highest = 0;

    if (yb_scan_read(&scan, NULL) == 0) {
        for (size_t i = 0; i < scan.n; i++) {
            if (scan.v[i].name.uidvalidity > highest)
                highest = scan.v[i].name.uidvalidity;
        }
    }
    yb_scan_free(&scan);
    return highest;
}

void
yb_scan_free(struct yb_scan *scan)
{
    yb_arena_free(&scan->arena);
    yb_free(scan->v);
    *scan = (struct yb_scan){ 0 };
}

const char *
yb_found_text(const struct yb_found *f, char buf[YB_NAME_MAX])
{
    if (f->text != NULL)
        return f->text;
    yb_name_format(&f->name, f->in_new, buf);
    return buf;
}

int
yb_found_fd(const struct yb_scan *scan, const struct yb_found *f)
{
    return f->in_new ? scan->new_fd : scan->cur_fd;
}

static int
compare_i64(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* The time most programs put at the start of a name; 0 when there is none. */
static int64_t
text_time(const struct yb_found *f)
{
    struct yb_str s = yb_str_from(f->text);
    uint64_t v = 0;
    size_t n = 0;

    while (n < s.n && n < 18 && yb_is_digit(s.p[n]))
        n++;
    return yb_str_u64(yb_str_head(s, n), INT64_MAX, &v) ? (int64_t)v : 0;
}

/* Among ours: by UID; of equals the one whose name is as we write it, in cur/, then by the name. */
static int
found_order(const void *x, const void *y)
{
    const struct yb_found *a = x, *b = y;
    int by;

    if (a->ours != b->ours)
        return a->ours ? -1 : 1;
    if (a->ours && a->name.uid != b->name.uid)
        return a->name.uid < b->name.uid ? -1 : 1;
    if (!a->ours && (by = compare_i64(text_time(a), text_time(b))) != 0)
        return by;
    if (a->ours && (a->text == NULL) != (b->text == NULL))
        return a->text == NULL ? -1 : 1;
    if (a->in_new != b->in_new)
        return a->in_new ? 1 : -1;
    if (a->text != NULL && b->text != NULL)
        return strcmp(a->text, b->text);
    return memcmp(a->name.id.v, b->name.id.v, sizeof(a->name.id.v));
}

/* The position in a sorted list by UID alone is quicker than sorting whole entries. */
struct uid_at {
    uint32_t uid;
    uint32_t at;
};

static int
uid_at_order(const void *x, const void *y)
{
    const struct uid_at *a = x, *b = y;

    if (a->uid != b->uid)
        return a->uid < b->uid ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Brings large lists into UID order with one move of each entry. */
static void
presort(struct yb_scan *scan)
{
    struct uid_at *keys = yb_alloc(scan->n, sizeof(*keys));
    struct yb_found *sorted = yb_alloc(scan->n, sizeof(*sorted));

    for (size_t i = 0; i < scan->n; i++)
        keys[i] =
            (struct uid_at){ scan->v[i].ours ? scan->v[i].name.uid : UINT32_MAX, (uint32_t)i };
    qsort(keys, scan->n, sizeof(*keys), uid_at_order);
    for (size_t i = 0; i < scan->n; i++)
        sorted[i] = scan->v[keys[i].at];
    yb_free(keys);
    yb_free(scan->v);
    scan->v = sorted;
    scan->room = scan->n;
}

static bool
same_file(const struct yb_scan *scan, const struct yb_found *a, const struct yb_found *b)
{
    char abuf[YB_NAME_MAX], bbuf[YB_NAME_MAX];
    struct stat x, y;

    return fstatat(yb_found_fd(scan, a), yb_found_text(a, abuf), &x, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(yb_found_fd(scan, b), yb_found_text(b, bbuf), &y, AT_SYMLINK_NOFOLLOW) == 0 &&
           x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/* Is this the file the index speaks of? */
static bool
is_known(const struct yb_scan *scan, const struct yb_found *f)
{
    size_t low = 0, high = scan->n_known;
    const struct yb_index_slot *s;

    while (low < high) {
        size_t at = low + (high - low) / 2;

        if (scan->known[at].uid < f->name.uid)
            low = at + 1;
        else
            high = at;
    }
    s = &scan->known[low];
    return low < scan->n_known && s->uid == f->name.uid && s->flags == f->name.flags &&
           s->keywords == f->name.keywords && s->set == f->name.set &&
           ((s->state & YB_SLOT_NEW) != 0) == f->in_new && yb_delivery_id_eq(s->id, f->name.id);
}

/* A group of files with one UID: v[first] stays. */
static void
settle_group(struct yb_scan *scan, size_t first, size_t end)
{
    qsort(scan->v + first, end - first, sizeof(*scan->v), found_order);
    for (size_t i = first; i < end; i++) { /* of several, the one with the right name */
        if (is_known(scan, &scan->v[i])) {
            struct yb_found known = scan->v[i];

            scan->v[i] = scan->v[first];
            scan->v[first] = known;
            break;
        }
    }
    for (size_t i = first + 1; i < end; i++) {
        struct yb_found *f = &scan->v[i];
        char buf[YB_NAME_MAX];

        if (same_file(scan, &scan->v[first], f))
            f->drop = true;
        f->ours = false;
        if (f->text == NULL)
            f->text = yb_arena_dup(scan->arena, yb_str_from(yb_found_text(f, buf))).p;
    }
}

size_t
yb_scan_order(struct yb_scan *scan)
{
    size_t n_ours = 0, kept = 0;
    struct yb_found *sorted;

    if (scan->n == 0)
        return 0;
    presort(scan);
    while (n_ours < scan->n && scan->v[n_ours].ours)
        n_ours++;
    for (size_t i = 0, end; i < n_ours; i = end) {
        for (end = i + 1; end < n_ours && scan->v[end].name.uid == scan->v[i].name.uid;)
            end++;
        if (end - i > 1)
            settle_group(scan, i, end);
    }
    /* Those that turned foreign go behind the others. */
    sorted = yb_alloc(scan->n, sizeof(*sorted));
    for (size_t i = 0; i < scan->n; i++) {
        if (scan->v[i].ours)
            sorted[kept++] = scan->v[i];
    }
    n_ours = kept;
    for (size_t i = 0; i < scan->n; i++) {
        if (!scan->v[i].ours)
            sorted[kept++] = scan->v[i];
    }
    qsort(sorted + n_ours, scan->n - n_ours, sizeof(*sorted), found_order);
    yb_free(scan->v);
    scan->v = sorted;
    return n_ours;
}
