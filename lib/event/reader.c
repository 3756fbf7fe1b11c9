/* Reading events back: the segments of a folder in order, each line proved by its seal. */
#include "lib/base/io.h"
#include "lib/event/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define BLOCK (64 * 1024) /* read at once; more than any line */

struct yb_event_reader {
    int dir_fd, fd; /* fd < 0: no segment is open */
    enum yb_event_grade grade;
    struct yb_event_position at;
    uint64_t damaged;
    char *block; /* bytes of the segment from at.offset on */
    size_t start, end;
};

int
yb_event_reader_open(const char *dir, enum yb_event_grade grade,
                     const struct yb_event_position *from, struct yb_event_reader **out,
                     struct yb_err *err)
{
    struct yb_event_reader *r;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open event directory %s", dir);
    r = yb_alloc(1, sizeof(*r));
    r->dir_fd = fd;
    r->fd = -1;
    r->grade = grade;
    r->at = *from;
    r->at.segment[sizeof(r->at.segment) - 1] = '\0';
    r->block = yb_alloc(BLOCK, 1);
    *out = r;
    return 0;
}

void
yb_event_reader_close(struct yb_event_reader **r)
{
    if (*r == NULL)
        return;
    if ((*r)->fd >= 0)
        close((*r)->fd);
    close((*r)->dir_fd);
    yb_free((*r)->block);
    yb_free(*r);
    *r = NULL;
}

struct yb_event_position
yb_event_reader_position(const struct yb_event_reader *r)
{
    return r->at;
}

uint64_t
yb_event_reader_damaged(const struct yb_event_reader *r)
{
    return r->damaged;
}

/* To the beginning of the segment behind the present one, if there is one: 1, 0 or -1. */
static int
segment_advance(struct yb_event_reader *r, struct yb_err *err)
{
    char name[SEGMENT_NAME];

    if (yb_event_segment_next(r->dir_fd, r->grade, r->at.segment, name) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "read event directory");
    if (name[0] == '\0')
        return 0;
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    r->start = r->end = 0;
    r->at = (struct yb_event_position){ 0 };
    memcpy(r->at.segment, name, sizeof(name));
    return 1;
}

/* Opens the segment of the position, or one behind it when that is gone: 1, 0 (none yet) or -1. */
static int
segment_open(struct yb_event_reader *r, struct yb_err *err)
{
    int rc = 1;

    if (!yb_event_segment_is(r->at.segment, r->grade, NULL))
        r->at = (struct yb_event_position){ 0 };
    while (r->fd < 0 && rc == 1) {
        if (r->at.segment[0] != '\0') {
            r->fd = openat(r->dir_fd, r->at.segment, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
            if (r->fd < 0 && errno != ENOENT)
                return yb_err_sys(err, YB_TEMP, "4.3.0", "open event segment %s", r->at.segment);
        }
        if (r->fd < 0)
            rc = segment_advance(r, err);
    }
    return rc;
}

/* More bytes behind those in the block: how many, 0 at the end of the file, -1. */
static ssize_t
block_fill(struct yb_event_reader *r, struct yb_err *err)
{
    size_t kept = r->end - r->start;
    ssize_t n;

    memmove(r->block, r->block + r->start, kept);
    r->start = 0;
    r->end = kept;
    n = yb_pread_full(r->fd, r->block + kept, BLOCK - kept, (off_t)(r->at.offset + kept));
    if (n < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "read event segment %s", r->at.segment);
    r->end += (size_t)n;
    return n;
}

static void
block_pass(struct yb_event_reader *r, size_t n)
{
    r->start += n;
    r->at.offset += n;
}

/* True when no writer holds the segment: what is there is all there will be. Asked before the last
 * look at the end of the file, or a line written in between would be missed. */
static bool
segment_is_finished(const struct yb_event_reader *r)
{
    if (flock(r->fd, LOCK_SH | LOCK_NB) < 0)
        return false;
    flock(r->fd, LOCK_UN);
    return true;
}

/*
 * The next line without its end, passed: 1. 0: nothing more for now. A line longer than any is
 * passed in pieces, as damage; so is what stands without a line end at the end of a finished
 * segment.
 */
static int
line_next(struct yb_event_reader *r, struct yb_str *line, struct yb_err *err)
{
    for (;;) {
        struct yb_str have = yb_str(r->block + r->start, r->end - r->start);
        size_t end = yb_str_find(have, '\n');
        bool finished;
        ssize_t n;

        if (end < have.n || have.n >= YB_EVENT_LINE_MAX) {
            *line = yb_str_head(have, end);
            block_pass(r, end < have.n ? end + 1 : end);
            return 1;
        }
        finished = segment_is_finished(r);
        n = block_fill(r, err);
        if (n < 0)
            return -1;
        if (n == 0 && !finished)
            return 0;
        if (n == 0 && r->end > r->start) {
            *line = yb_str(r->block + r->start, r->end - r->start);
            block_pass(r, line->n);
            return 1;
        }
        if (n == 0) {
            int rc = segment_advance(r, err);

            if (rc == 1)
                rc = segment_open(r, err);
            if (rc != 1)
                return rc;
        }
    }
}

int
yb_event_read(struct yb_event_reader *r, struct yb_arena *arena, struct yb_event_record *record,
              struct yb_err *err)
{
    struct yb_str line;
    int rc = segment_open(r, err);

    while (rc == 1 && (rc = line_next(r, &line, err)) == 1) {
        /* parsed from a copy: the block moves */
        if (yb_event_line_parse(yb_arena_dup(arena, line), arena, record))
            return 1;
        r->damaged++;
    }
    return rc;
}
