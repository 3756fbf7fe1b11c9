/*
 * The queue in memory, for the scheduler alone (sched.c): messages in the order of their numbers, each
 * with its recipients in one piece of memory; tenants and answers, of which many share one, once each.
 * What a message is at (heap, ready queue) is turns.h's and sched.c's.
 */
#ifndef RELAYD_ROWS_H
#define RELAYD_ROWS_H

#include "relayd/queue.h"

/* An answer, as many recipients may have heard it. */
struct relayd_answer;
struct relayd_msg;

/* Messages that are ready, first come first served. */
struct relayd_fifo {
    struct relayd_msg *first, *last;
};

enum relayd_class {
    RELAYD_FRESH, /* delivered as it was handed over */
    RELAYD_OLD,   /* the directory is asked first */
    RELAYD_CLASSES
};

struct relayd_tenant {
    struct yb_tenant_id id;
    size_t refs;
    size_t running; /* jobs under way */
    struct relayd_fifo ready[RELAYD_CLASSES];
    /* Among the tenants with something ready; NULL: not among them. */
    struct relayd_tenant *next[RELAYD_CLASSES], *prev[RELAYD_CLASSES];
};

enum relayd_row_at {
    RELAYD_ROW_IDLE,
    RELAYD_ROW_UNDERWAY, /* in a job */
    RELAYD_ROW_SETTLING  /* a change is on the way to the disk */
};

/* One recipient. Small members, for a million of them. */
struct relayd_row_mem {
    struct yb_delivery_id delivery;
    struct yb_account_id account;
    struct yb_store_id home;
    struct relayd_tenant *tenant;
    struct relayd_answer *answer; /* NULL: none yet */
    uint64_t quota;
    int64_t next_ms; /* boot clock */
    int64_t at_ms;   /* unix ms, of the answer */
    uint32_t n, attempts;
    uint32_t address_at;
    uint16_t address_n;
    uint8_t state, reason, at;
    uint8_t order; /* enum relayd_order + 1, to be carried out when it is idle; 0: none */
    bool junk, repeat;
};

enum relayd_place {
    RELAYD_NOWHERE, /* nothing of it is due by itself */
    RELAYD_IN_HEAP,
    RELAYD_READY,
    RELAYD_OUT /* in a job */
};

struct relayd_msg {
    uint64_t m, size;
    int64_t arrived_ms; /* unix ms */
    int64_t born_ms;    /* boot clock: the same, for its age */
    int64_t due_ms;     /* boot clock: where it is in the heap */
    struct yb_message_id mid;
    struct yb_session_id sid;
    struct relayd_tenant *tenant;
    struct relayd_msg *next, *prev; /* in a ready queue */
    uint32_t heap_at;
    uint32_t n; /* recipients left */
    uint32_t sender_at;
    uint16_t sender_n;
    uint8_t origin, place, class;
    uint8_t lost; /* attempts on end that lmtpd did not answer */
    bool body_8bit, utf8, file;
    struct relayd_row_mem rows[];
};

struct relayd_rows;

struct relayd_rows *relayd_rows_new(void) YB_MUST_USE;
void relayd_rows_free(struct relayd_rows **r);
/* Copies it; next_ms of its recipients is taken as it stands. NULL: there is one of that number. */
struct relayd_msg *relayd_rows_add(struct relayd_rows *r, const struct relayd_message *m);
/* NULL: there is none. */
struct relayd_msg *relayd_rows_find(const struct relayd_rows *r, uint64_t m);
/* The first whose number is at least m; NULL: there is none. */
struct relayd_msg *relayd_rows_from(const struct relayd_rows *r, uint64_t m);
size_t relayd_rows_count(const struct relayd_rows *r);
/* NULL: it has none of that number (any more). */
struct relayd_row_mem *relayd_row_find(struct relayd_msg *msg, uint32_t n);
/* Takes a recipient out; the pointers to those behind it are void. The message stays, also with none. */
void relayd_row_drop(struct relayd_rows *r, struct relayd_msg *msg, struct relayd_row_mem *row);
/* Takes out a message without recipients. */
void relayd_rows_drop(struct relayd_rows *r, struct relayd_msg *msg);
/* What it heard last; code 0 and no words: nothing. */
void relayd_row_answer(struct relayd_rows *r, struct relayd_row_mem *row, unsigned code,
                       struct yb_str status, struct yb_str text);

/* As everybody else sees them, with words that stay until they change; m->r, m->n and the recipient's
 * next_ms are the caller's to set. */
void relayd_msg_view(const struct relayd_msg *msg, struct relayd_message *out);
void relayd_row_view(const struct relayd_msg *msg, const struct relayd_row_mem *row,
                     struct relayd_recipient *out);

#endif
