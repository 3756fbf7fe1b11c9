/*
 * Event segments. Each line of the input is put into a segment twice: as it is, and sealed with its
 * right length and checksum, so that the fields behind them are reached. Whatever the reader gives
 * writes back to the same line, and a reader that begins at any position it told goes on alike.
 */
#include "lib/base/buf.h"
#include "lib/event/segment.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a long segment, only some positions are gone on from: each costs a reader of its own. */
#define FIRST_POSITIONS 4
#define EACH_POSITION 4096 /* octets between those behind */

static char dir[96], path[128];

static void
dir_remove(void)
{
    unlink(path);
    rmdir(dir);
}

static void
dir_make(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%s/yb-fuzz-event-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    yb_assert(mkdtemp(dir) != NULL);
    snprintf(path, sizeof(path), "%s/final-0000000000000001-1", dir);
    atexit(dir_remove);
}

static void
segment_write(struct yb_str in)
{
    struct yb_buf *b = yb_buf_new((SEAL_SIZE + 2) * (in.n + 2));
    struct yb_str line;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    yb_buf_add(b, in);
    yb_buf_add_c(b, '\n');
    while (yb_str_split(&in, '\n', &line)) {
        char *at = yb_buf_room(b, SEAL_SIZE + line.n + 1);

        yb_assert(at != NULL);
        if (line.n > 0)
            memcpy(at + SEAL_SIZE, line.p, line.n);
        yb_event_line_seal(at, line.n);
        at[SEAL_SIZE + line.n] = '\n';
        yb_buf_wrote(b, SEAL_SIZE + line.n + 1);
    }
    yb_assert(fd >= 0);
    yb_assert(write(fd, yb_buf_view(b).p, yb_buf_size(b)) == (ssize_t)yb_buf_size(b));
    close(fd);
    yb_buf_free(&b);
}

static void
check_record(const struct yb_event_record *record, struct yb_arena *arena)
{
    char line[YB_EVENT_LINE_MAX], again[YB_EVENT_LINE_MAX];
    size_t n = yb_event_line_write(record, line);
    struct yb_event_record back;

    yb_assert(yb_event_line_parse(yb_str(line, n - 1), arena, &back));
    yb_assert(yb_event_line_write(&back, again) == n && memcmp(line, again, n) == 0);
}

/* A reader that begins at `at` gives the same record. */
static void
check_position(const struct yb_event_position *at, const struct yb_event_record *record,
               struct yb_arena *arena)
{
    struct yb_event_reader *step;
    struct yb_event_record other;
    struct yb_err err = { 0 };

    yb_assert(yb_event_reader_open(dir, YB_EVENT_FINAL, at, &step, &err) == 0);
    yb_assert(yb_event_read(step, arena, &other, &err) == 1);
    yb_assert(other.time_us == record->time_us && yb_str_eq(other.event.name, record->event.name));
    yb_event_reader_close(&step);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_arena *arena = yb_arena_new(65536);
    struct yb_event_position at = { 0 };
    struct yb_event_reader *whole;
    struct yb_event_record record;
    struct yb_err err = { 0 };
    uint64_t next = 0;
    size_t n = 0;

    if (path[0] == '\0')
        dir_make();
    segment_write(yb_str((const char *)data, size));
    yb_assert(yb_event_reader_open(dir, YB_EVENT_FINAL, &at, &whole, &err) == 0);
    while (yb_event_read(whole, arena, &record, &err) == 1) {
        check_record(&record, arena);
        if (n++ < FIRST_POSITIONS || at.offset >= next) {
            check_position(&at, &record, arena);
            next = at.offset + EACH_POSITION;
        }
        at = yb_event_reader_position(whole);
        yb_arena_reset(arena);
    }
    yb_event_reader_close(&whole);
    yb_arena_free(&arena);
    return 0;
}
