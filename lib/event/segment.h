/*
 * Internal to lib/event: the names of segment files (<grade>-<microseconds, 16 hex>-<pid>, so that
 * those of one grade sort by age) and the seal of a line, shared by writer and reader.
 */
#ifndef YB_EVENT_SEGMENT_H
#define YB_EVENT_SEGMENT_H

#include "lib/event/event.h"

#define SEGMENT_NAME 56

/* "00187 5f0c21aa ": length and checksum stand before a line's fields. */
#define SEAL_SIZE 15

/* Writes the seal for the `n` bytes of fields at line + SEAL_SIZE into the first bytes of `line`.
 */
void yb_event_line_seal(char *line, size_t n);

/* Begins every name of that grade: "final-". */
const char *yb_event_segment_prefix(enum yb_event_grade grade);
/* Into name (SEGMENT_NAME bytes). */
void yb_event_segment_name(enum yb_event_grade grade, uint64_t us, char *name);
/* True for a segment of that grade; *us gets its time when not NULL. */
bool yb_event_segment_is(const char *name, enum yb_event_grade grade, uint64_t *us);

/* The first name of that grade in the directory that sorts after `after` ("" for the oldest); empty
 * when there is none. -1 when the directory cannot be read (errno). */
int yb_event_segment_next(int dir_fd, enum yb_event_grade grade, const char *after,
                          char *name) YB_MUST_USE;

#endif
