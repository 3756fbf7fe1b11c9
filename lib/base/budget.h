/*
 * What may be taken of memory, counted in octets: by one piece of work (a command), and by all of
 * them together. Arenas and buffers that were made with a budget charge it for what they hold;
 * charging never fails, so that no parser needs a way out in its middle. Who takes memory for
 * foreign bytes asks before each larger piece, and goes no further when the answer is no; so a budget
 * is passed by no more than what is taken between two questions.
 *
 * A budget belongs to whoever does the work, one thread at a time; the pool is shared by all threads.
 */
#ifndef YB_BASE_BUDGET_H
#define YB_BASE_BUDGET_H

#include "lib/base/base.h"

struct yb_budget_pool;

struct yb_budget {
    struct yb_budget_pool *pool; /* NULL: of no pool */
    size_t limit, used;
};

/* `limit`: octets of all together. */
struct yb_budget_pool *yb_budget_pool_new(size_t limit) YB_MUST_USE;
/* After all its budgets have given back what they took. */
void yb_budget_pool_free(struct yb_budget_pool **p);
/* Any thread; who waits sees it. */
void yb_budget_pool_set_limit(struct yb_budget_pool *p, size_t limit);
size_t yb_budget_pool_used(struct yb_budget_pool *p);

/* Counts n octets more, or less. A NULL budget counts nothing. */
void yb_budget_charge(struct yb_budget *b, size_t n);
void yb_budget_release(struct yb_budget *b, size_t n);

enum yb_budget_answer {
    YB_BUDGET_OK,
    YB_BUDGET_OVER,     /* the work itself would be over its limit */
    YB_BUDGET_EXHAUSTED /* all together would, and none gave anything back for `wait_ms` */
};

/* May n octets more be taken? 0 asks whether the work may go on with what it has. Nothing is
 * charged. What no other work holds is never waited for. */
enum yb_budget_answer yb_budget_ask(struct yb_budget *b, size_t n, int64_t wait_ms) YB_MUST_USE;

#endif
