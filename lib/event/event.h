/*
 * What happened to a message, as structured events. Each daemon appends its own to segment files in
 * its event directory; a shipper reads them from there. A segment is a text file, one event a line:
 *
 *   00187 5f0c21aa ts=1795315465000000 node=… daemon=smtpd grade=final event=smtp.rcpt.reject …
 *
 * length and checksum of what follows the second space up to the line end, then logfmt. Each grade
 * has segments of its own, so that when the directory reaches its bound the oldest debug segments
 * are removed first and final states last. Names sort by age: <grade>-<microseconds, 16 hex>-<pid>.
 * The writer holds a flock on the segments it writes: one that is not locked is finished.
 */
#ifndef YB_EVENT_EVENT_H
#define YB_EVENT_EVENT_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/id.h"

enum yb_event_grade {
    YB_EVENT_DEBUG, /* helps to understand; may be lost first */
    YB_EVENT_STEP,  /* a decision on the way */
    YB_EVENT_FINAL  /* the fate of a message for one recipient, or of a refused one */
};
#define YB_EVENT_GRADES 3

/* What a daemon says. Ids that are zero and strings whose p is NULL are left out; a string that is
 * there but empty is kept (the null reverse-path). Long strings are cut (addresses 320, others
 * 400). */
struct yb_event {
    enum yb_event_grade grade;
    struct yb_str name; /* "smtp.rcpt.reject": lower-case letters, digits, '.', '-'; listed in
                           docs/events.md */
    struct yb_session_id session;
    struct yb_message_id message;
    struct yb_delivery_id delivery;
    struct yb_tenant_id tenant;
    struct yb_account_id account;
    struct yb_str sender, recipient; /* of the envelope */
    struct yb_str client;            /* address of the peer */
    struct yb_str decision;          /* accept, refuse, defer, store, queue, hold, … */
    unsigned code;                   /* reply code, 0: none */
    struct yb_str status;            /* enhanced status code */
    struct yb_str reason;            /* one sentence: why, and which setting */
    uint32_t attempt;                /* how many there were by now, 0: it is not about one */
    int64_t next_us;                 /* when the next is due, unix microseconds; 0: not known */
};

/* What the reader gives: the event, when and where. */
struct yb_event_record {
    int64_t time_us;
    struct yb_node_id node;
    struct yb_str daemon;
    struct yb_event event;
};

struct yb_event_options {
    struct yb_node_id node;
    const char *daemon;
    uint64_t segment_size; /* a new segment is begun beyond this; 0: 4 MiB */
    uint64_t dir_limit;    /* bytes in the directory; 0: 1 GiB; at least 8 segments */
};

struct yb_event_counts {
    uint64_t written;                  /* events in a segment */
    uint64_t dropped[YB_EVENT_GRADES]; /* events that never got there (disk stuck or full) */
    uint64_t removed;                  /* segments removed because of dir_limit */
};

struct yb_event_writer;

/* The directory must exist. A segment is made with its first event. One writer a process. */
int yb_event_writer_open(const char *dir, const struct yb_event_options *options,
                         struct yb_event_writer **out, struct yb_err *err) YB_MUST_USE;
/* Writes what is pending and ends; no thread may append any more. */
void yb_event_writer_close(struct yb_event_writer **w);

/*
 * From any thread. Never fails for the caller and never waits for another thread's write: while one
 * thread writes, the others leave their lines with it (at most 1 MiB; beyond a quarter of that
 * debug events are dropped, beyond half steps). `w` may be NULL: nothing happens.
 */
void yb_event_append(struct yb_event_writer *w, const struct yb_event *event);
struct yb_event_counts yb_event_writer_counts(struct yb_event_writer *w);

/* Where a reader is in the segments of one grade. All zero: at the oldest event there is. */
struct yb_event_position {
    char segment[56]; /* name of the file, "" for the oldest */
    uint64_t offset;  /* of the next line in it */
};

struct yb_event_reader;

/* Reads one grade's segments from `from` on. A segment that is gone is skipped for the next one. */
int yb_event_reader_open(const char *dir, enum yb_event_grade grade,
                         const struct yb_event_position *from, struct yb_event_reader **out,
                         struct yb_err *err) YB_MUST_USE;
void yb_event_reader_close(struct yb_event_reader **r);
/*
 * The next event: 1 with *record (strings in the arena), 0 when there is none yet, -1 with *err.
 * Damaged lines are passed and counted. Afterwards yb_event_reader_position() tells where to go on.
 */
int yb_event_read(struct yb_event_reader *r, struct yb_arena *arena, struct yb_event_record *record,
                  struct yb_err *err) YB_MUST_USE;
struct yb_event_position yb_event_reader_position(const struct yb_event_reader *r);
/* Damaged lines passed so far. */
uint64_t yb_event_reader_damaged(const struct yb_event_reader *r);

/* One line, with its line end, into `out` (YB_EVENT_LINE_MAX bytes); returns its length. */
#define YB_EVENT_LINE_MAX 8192
size_t yb_event_line_write(const struct yb_event_record *record, char *out);
/* The inverse, without the line end; strings in the arena or the line. False: damaged. */
bool yb_event_line_parse(struct yb_str line, struct yb_arena *arena,
                         struct yb_event_record *record) YB_MUST_USE;

#endif
