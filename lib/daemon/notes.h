/*
 * Death notes: what the threads of a child work on, in memory it shares with its parent, so that
 * what ended the process once does not end it again and again for everybody.
 *
 *   state       of what                                    left by
 *   working     a thread has it in a slot                  yb_notes_end(); death: suspect
 *   suspect     it was in a slot when the child died       a trial's end: cleared or condemned
 *   condemned   the probe died of it too                   a new build of the program (condemned.h)
 *
 * A child may have been taken over when it died: to the parent a note is octets to be handed on and
 * nothing else. What it knows it keeps in memory of its own and writes anew for each child.
 */
#ifndef YB_DAEMON_NOTES_H
#define YB_DAEMON_NOTES_H

#include "lib/base/base.h"

#define YB_NOTE_SIZE 32
/* Most suspects at once: all workers are innocent but one, and whoever fills the slots with lies
 * shall not keep the parent busy. */
#define YB_NOTES_SUSPECTS 64
/* Suspects and condemned together; then the oldest of the condemned is forgotten. */
#define YB_NOTES_KNOWN 256

/* The program's own name for a piece of work; compared whole, so unused octets are zero. */
struct yb_note {
    uint8_t v[YB_NOTE_SIZE];
};

enum yb_verdict { YB_NOTE_CLEAR, YB_NOTE_SUSPECT, YB_NOTE_CONDEMNED };

struct yb_notes; /* opaque; NULL is good for the child's calls: nothing is noted, all is clear */

/* --- the child, any thread: no lock, no system call --- */

/* Before there are threads: at most YB_NOTES_KNOWN that an earlier parent condemned (condemned.h). */
void yb_notes_remember(struct yb_notes *n, const struct yb_note *notes, size_t count);

/* Before work that might be the end. Returns the slot for _end(); -1 when all are taken, and the
 * work goes on without a note. One thread may have several. */
int yb_notes_begin(struct yb_notes *n, const struct yb_note *note);
void yb_notes_end(struct yb_notes *n, int slot);
/* What is known of it; one atomic load while nothing is known of anything. */
enum yb_verdict yb_notes_verdict(const struct yb_notes *n, const struct yb_note *note);

/* --- the parent --- */

/* NULL: the system has no memory to share. */
struct yb_notes *yb_notes_new(void) YB_MUST_USE;
void yb_notes_free(struct yb_notes **n);
/* The child is dead: what its slots hold is suspect, the slots are empty, and what is known stands
 * in the shared memory as if nobody had touched it. Returns how many are newly suspect. */
size_t yb_notes_take(struct yb_notes *n);

enum yb_note_task { YB_NOTE_IDLE, YB_NOTE_TRY, YB_NOTE_CONDEMN };
/* What is to be done next, the longest waiting first: try a suspect, or write down a condemned one.
 * YB_NOTE_IDLE: nothing. */
enum yb_note_task yb_notes_next(const struct yb_notes *n, struct yb_note *note);
/* The trial is over. */
void yb_notes_judge(struct yb_notes *n, const struct yb_note *note, enum yb_verdict verdict);
/* A condemned one was written down. */
void yb_notes_written(struct yb_notes *n, const struct yb_note *note);
/* It could not be tried: it waits behind the others. */
void yb_notes_postpone(struct yb_notes *n, const struct yb_note *note);
/* Its trial, or the writing down, was cut off by something else. Returns how often by now. */
unsigned yb_notes_cut_off(struct yb_notes *n, const struct yb_note *note);

#endif
