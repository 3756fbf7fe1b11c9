/* Writing events: lines appended to segment files, the oldest thrown away over the bound. */
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/io.h"
#include "lib/event/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_SIZE (4u << 20)
#define DIR_LIMIT (1ull << 30)
#define PENDING_MAX (1u << 20)

/* One grade's lines on their way: `pending` is filled under the lock, `writing` belongs to the
 * thread that writes. */
struct stream {
    struct yb_buf *pending, *writing;
    uint64_t n_pending, n_writing; /* events in them */
    int fd;                        /* the open segment, < 0: none */
    uint64_t size;
    char name[SEGMENT_NAME];
};

struct yb_event_writer {
    struct yb_node_id node;
    char daemon[32];
    uint64_t segment_size, dir_limit;
    int dir_fd;
    pthread_mutex_t lock;
    bool writing; /* a thread is in write_all(); it alone uses what is below `streams` pending */
    size_t n_bytes_pending;
    struct yb_event_counts counts;
    struct stream streams[YB_EVENT_GRADES];
    uint64_t last_us; /* of the newest segment name */
    uint64_t used;    /* bytes in the directory, as far as we know */
};

/* How full the pending memory may be for an event of that grade. */
static size_t
pending_limit(enum yb_event_grade grade)
{
    static const size_t limits[YB_EVENT_GRADES] = { PENDING_MAX / 4, PENDING_MAX / 2, PENDING_MAX };

    return limits[grade];
}

/* Calls `visit` for every segment there is. */
static int
dir_walk(const struct yb_event_writer *w,
         void (*visit)(void *ctx, const char *name, enum yb_event_grade grade, uint64_t us,
                       uint64_t size),
         void *ctx)
{
    int fd = openat(w->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while ((e = readdir(dir)) != NULL) {
        for (int g = 0; g < YB_EVENT_GRADES; g++) {
            uint64_t us;
            struct stat st;

            if (yb_event_segment_is(e->d_name, (enum yb_event_grade)g, &us) &&
                fstatat(w->dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                visit(ctx, e->d_name, (enum yb_event_grade)g, us, (uint64_t)st.st_size);
        }
    }
    closedir(dir);
    return 0;
}

/* What a walk learns: bytes in all, the newest name, and the segment to remove first. */
struct survey {
    const struct yb_event_writer *w;
    uint64_t used, last_us, victim_us, victim_size;
    enum yb_event_grade victim_grade;
    char victim[SEGMENT_NAME];
};

static void
survey_visit(void *ctx, const char *name, enum yb_event_grade grade, uint64_t us, uint64_t size)
{
    struct survey *s = ctx;

    s->used += size;
    s->last_us = us > s->last_us ? us : s->last_us;
    if (s->w->streams[grade].fd >= 0 && strcmp(s->w->streams[grade].name, name) == 0)
        return;
    if (s->victim[0] == '\0' || grade < s->victim_grade ||
        (grade == s->victim_grade && us < s->victim_us)) {
        s->victim_grade = grade;
        s->victim_us = us;
        s->victim_size = size;
        snprintf(s->victim, sizeof(s->victim), "%.*s", SEGMENT_NAME - 1, name);
    }
}

/* Removes the oldest segments of the lowest grade until `want` more bytes fit; false when none is
 * left to remove. */
static bool
dir_make_room(struct yb_event_writer *w, uint64_t want)
{
    for (;;) {
        struct survey s = { .w = w };

        if (dir_walk(w, survey_visit, &s) < 0)
            return false;
        w->used = s.used;
        if (w->used + want <= w->dir_limit)
            return true;
        if (s.victim[0] == '\0' || unlinkat(w->dir_fd, s.victim, 0) < 0)
            return false;
        pthread_mutex_lock(&w->lock);
        w->counts.removed++;
        pthread_mutex_unlock(&w->lock);
    }
}

int
yb_event_writer_open(const char *dir, const struct yb_event_options *options,
                     struct yb_event_writer **out, struct yb_err *err)
{
    struct yb_event_writer *w;
    struct survey s = { 0 };
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open event directory %s", dir);
    w = yb_alloc(1, sizeof(*w));
    w->dir_fd = fd;
    w->node = options->node;
    snprintf(w->daemon, sizeof(w->daemon), "%s", options->daemon);
    w->segment_size = options->segment_size == 0 ? SEGMENT_SIZE : options->segment_size;
    w->dir_limit = options->dir_limit == 0 ? DIR_LIMIT : options->dir_limit;
    if (w->dir_limit / 8 < w->segment_size)
        w->dir_limit = 8 * w->segment_size;
    for (size_t g = 0; g < YB_EVENT_GRADES; g++) {
        w->streams[g].fd = -1;
        w->streams[g].pending = yb_buf_new(PENDING_MAX);
        w->streams[g].writing = yb_buf_new(PENDING_MAX);
    }
    pthread_mutex_init(&w->lock, NULL);
    s.w = w;
    if (dir_walk(w, survey_visit, &s) < 0) {
        yb_err_sys(err, YB_TEMP, "4.3.0", "read event directory %s", dir);
        yb_event_writer_close(&w);
        return -1;
    }
    w->used = s.used;
    w->last_us = s.last_us;
    *out = w;
    return 0;
}

/* A new segment whose name sorts behind all others, even when the clock went back. */
static int
segment_begin(struct yb_event_writer *w, enum yb_event_grade grade)
{
    struct stream *st = &w->streams[grade];
    int64_t now = yb_clock_now_us();

    if (st->fd >= 0)
        close(st->fd);
    w->last_us = now > 0 && (uint64_t)now > w->last_us ? (uint64_t)now : w->last_us + 1;
    yb_event_segment_name(grade, w->last_us, st->name);
    st->fd = openat(w->dir_fd, st->name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
    st->size = 0;
    if (st->fd < 0)
        return -1;
    flock(st->fd, LOCK_EX); /* at most a reader that just looks whether it is locked */
    return 0;
}

/* All of `s` or nothing: what a full disk cut off is taken back. */
static int
segment_write(struct stream *st, struct yb_str s)
{
    if (yb_write_all(st->fd, s) == 0) {
        st->size += s.n;
        return 0;
    }
    if (ftruncate(st->fd, (off_t)st->size) < 0) {
        close(st->fd); /* the torn line ends this segment; readers pass it as damage */
        st->fd = -1;
    }
    return -1;
}

static bool
stream_write(struct yb_event_writer *w, enum yb_event_grade grade, struct yb_str s)
{
    struct stream *st = &w->streams[grade];

    for (int attempt = 0; attempt < 2; attempt++) {
        bool room = w->used + s.n <= w->dir_limit || dir_make_room(w, s.n);

        if (!room)
            return false;
        if ((st->fd < 0 || st->size + s.n > w->segment_size) && segment_begin(w, grade) < 0)
            return false;
        if (segment_write(st, s) == 0) {
            w->used += s.n;
            return true;
        }
        /* the disk is full below our own bound: live within what there is */
        if (errno != ENOSPC && errno != EDQUOT)
            return false;
        if (!dir_make_room(w, w->dir_limit - w->used + s.n))
            return false;
    }
    return false;
}

/* Takes what is pending of every stream; false when there is nothing. Under the lock. */
static bool
pending_take(struct yb_event_writer *w)
{
    if (w->n_bytes_pending == 0)
        return false;
    for (size_t g = 0; g < YB_EVENT_GRADES; g++) {
        struct stream *st = &w->streams[g];
        struct yb_buf *swap = st->pending;

        st->pending = st->writing;
        st->writing = swap;
        st->n_writing = st->n_pending;
        st->n_pending = 0;
    }
    w->n_bytes_pending = 0;
    return true;
}

/* Writes until nothing is pending. Called and returns with the lock held; `writing` keeps others
 * out. */
static void
write_all(struct yb_event_writer *w)
{
    w->writing = true;
    while (pending_take(w)) {
        bool ok[YB_EVENT_GRADES];

        pthread_mutex_unlock(&w->lock);
        for (int g = YB_EVENT_GRADES - 1; g >= 0; g--) {
            struct yb_buf *b = w->streams[g].writing;

            ok[g] = yb_buf_size(b) == 0 || stream_write(w, (enum yb_event_grade)g, yb_buf_view(b));
            yb_buf_clear(b);
        }
        pthread_mutex_lock(&w->lock);
        for (size_t g = 0; g < YB_EVENT_GRADES; g++) {
            if (ok[g])
                w->counts.written += w->streams[g].n_writing;
            else
                w->counts.dropped[g] += w->streams[g].n_writing;
        }
    }
    w->writing = false;
}

void
yb_event_append(struct yb_event_writer *w, const struct yb_event *event)
{
    struct yb_event_record record;
    char line[YB_EVENT_LINE_MAX];
    struct stream *st;
    size_t n;

    if (w == NULL)
        return;
    record = (struct yb_event_record){ .time_us = yb_clock_now_us(),
                                       .node = w->node,
                                       .daemon = yb_str_from(w->daemon),
                                       .event = *event };
    n = yb_event_line_write(&record, line);
    st = &w->streams[event->grade];
    pthread_mutex_lock(&w->lock);
    if (w->n_bytes_pending + n > pending_limit(event->grade)) {
        w->counts.dropped[event->grade]++;
    } else {
        yb_buf_add(st->pending, yb_str(line, n));
        st->n_pending++;
        w->n_bytes_pending += n;
    }
    if (!w->writing)
        write_all(w);
    pthread_mutex_unlock(&w->lock);
}

struct yb_event_counts
yb_event_writer_counts(struct yb_event_writer *w)
{
    struct yb_event_counts counts;

    pthread_mutex_lock(&w->lock);
    counts = w->counts;
    pthread_mutex_unlock(&w->lock);
    return counts;
}

void
yb_event_writer_close(struct yb_event_writer **w)
{
    if (*w == NULL)
        return;
    for (size_t g = 0; g < YB_EVENT_GRADES; g++) {
        struct stream *st = &(*w)->streams[g];

        if (st->fd >= 0)
            close(st->fd);
        yb_buf_free(&st->pending);
        yb_buf_free(&st->writing);
    }
    close((*w)->dir_fd);
    pthread_mutex_destroy(&(*w)->lock);
    yb_free(*w);
    *w = NULL;
}
