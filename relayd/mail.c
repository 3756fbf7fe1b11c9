#include "relayd/mail.h"

/* Letters over which new mail waits: the scheduler is behind by a tenth of a second. */
#define LETTERS_MOST 10000

void
relayd_mail_init(struct relayd_mail *b)
{
    *b = (struct relayd_mail){ .n = 0 };
    pthread_mutex_init(&b->lock, NULL);
    yb_clock_cond_init(&b->came);
    yb_clock_cond_init(&b->less);
    yb_clock_cond_init(&b->given);
    b->end = &b->first;
    b->tasks_end = &b->tasks;
}

void
relayd_mail_end(struct relayd_mail *b)
{
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->came);
    pthread_cond_destroy(&b->less);
    pthread_cond_destroy(&b->given);
}

void
relayd_mail_post(struct relayd_mail *b, enum relayd_letter_kind kind,
                 const struct relayd_letter *what)
{
    struct relayd_letter *l = yb_alloc(1, sizeof(*l));

    *l = *what;
    l->kind = kind;
    l->next = NULL;
    pthread_mutex_lock(&b->lock);
    *b->end = l;
    b->end = &l->next;
    b->n++;
    pthread_cond_signal(&b->came);
    pthread_mutex_unlock(&b->lock);
}

void
relayd_mail_nudge(struct relayd_mail *b)
{
    pthread_mutex_lock(&b->lock);
    b->nudged = true;
    pthread_cond_signal(&b->came);
    pthread_mutex_unlock(&b->lock);
}

void
relayd_mail_wait_room(struct relayd_mail *b)
{
    pthread_mutex_lock(&b->lock);
    while (b->n >= LETTERS_MOST && !b->over)
        pthread_cond_wait(&b->less, &b->lock);
    pthread_mutex_unlock(&b->lock);
}

struct relayd_letter *
relayd_mail_take(struct relayd_mail *b, int64_t ms, bool *stopping, bool *over)
{
    struct timespec until = yb_clock_wait(ms);
    struct relayd_letter *all;

    pthread_mutex_lock(&b->lock);
    while (b->first == NULL && !b->nudged && !b->over && b->stopping == *stopping) {
        if (pthread_cond_timedwait(&b->came, &b->lock, &until) != 0)
            break;
    }
    all = b->first;
    b->first = NULL;
    b->end = &b->first;
    b->n = 0;
    b->nudged = false;
    *stopping = b->stopping;
    *over = b->over;
    pthread_cond_broadcast(&b->less);
    pthread_mutex_unlock(&b->lock);
    return all;
}

void
relayd_mail_give(struct relayd_mail *b, struct relayd_task *t)
{
    t->next = NULL;
    pthread_mutex_lock(&b->lock);
    *b->tasks_end = t;
    b->tasks_end = &t->next;
    pthread_cond_signal(&b->given);
    pthread_mutex_unlock(&b->lock);
}

struct relayd_task *
relayd_mail_task(struct relayd_mail *b)
{
    struct relayd_task *t;

    pthread_mutex_lock(&b->lock);
    while (b->tasks == NULL && !b->over)
        pthread_cond_wait(&b->given, &b->lock);
    t = b->tasks;
    if (t != NULL) {
        b->tasks = t->next;
        if (b->tasks == NULL)
            b->tasks_end = &b->tasks;
    }
    pthread_mutex_unlock(&b->lock);
    return t;
}

void
relayd_mail_drain(struct relayd_mail *b)
{
    pthread_mutex_lock(&b->lock);
    b->stopping = true;
    pthread_cond_signal(&b->came);
    pthread_mutex_unlock(&b->lock);
}

bool
relayd_mail_stop(struct relayd_mail *b, struct yb_deadline by)
{
    struct timespec until = yb_clock_wait(yb_deadline_left(by));
    bool idle;

    pthread_mutex_lock(&b->lock);
    b->stopping = true;
    pthread_cond_signal(&b->came);
    while (!b->idle) {
        if (pthread_cond_timedwait(&b->less, &b->lock, &until) != 0)
            break;
    }
    idle = b->idle;
    b->over = true;
    pthread_cond_broadcast(&b->came);
    pthread_cond_broadcast(&b->less);
    pthread_cond_broadcast(&b->given);
    pthread_mutex_unlock(&b->lock);
    return idle;
}

void
relayd_mail_is_idle(struct relayd_mail *b)
{
    pthread_mutex_lock(&b->lock);
    b->idle = true;
    pthread_cond_broadcast(&b->less);
    pthread_mutex_unlock(&b->lock);
}
