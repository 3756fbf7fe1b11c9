/*
 * Whose turn it is: what is ready, by tenant and class. Tenants take turns; inside one it is first come
 * first served. For the scheduler alone.
 */
#ifndef RELAYD_TURNS_H
#define RELAYD_TURNS_H

#include "relayd/rows.h"

struct relayd_turns {
    unsigned workers;
    struct relayd_tenant *ring[RELAYD_CLASSES]; /* next in turn, in a circle; NULL: nobody */
    size_t running[RELAYD_CLASSES];
    size_t n_ready;  /* messages */
    unsigned served; /* jobs given out, for the turn of the old ones */
};

/* At the end of its tenant's queue, or (something it needs was away) at the front. */
void relayd_turns_add(struct relayd_turns *t, struct relayd_msg *msg, enum relayd_class class,
                      bool front);
/* Out of its queue, whyever. */
void relayd_turns_remove(struct relayd_turns *t, struct relayd_msg *msg);
/*
 * The message that is next among the classes that may run now; it stays where it is. What is fresh goes
 * first, but for one turn in eight, which is an old one's while those have less than a quarter of the
 * workers. NULL: none, or each that has something has half of the workers while another has, too.
 */
struct relayd_msg *relayd_turns_next(const struct relayd_turns *t, const bool may[RELAYD_CLASSES]);
/* It was taken (and removed): it counts for its tenant, who is last in turn now. */
void relayd_turns_begin(struct relayd_turns *t, struct relayd_tenant *tenant,
                        enum relayd_class class);
void relayd_turns_end(struct relayd_turns *t, struct relayd_tenant *tenant,
                      enum relayd_class class);

#endif
