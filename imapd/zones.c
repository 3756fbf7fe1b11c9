#include "imapd/zones.h"

#include "lib/base/log.h"

#include <pthread.h>

struct named {
    struct named *next;
    struct yb_zone *zone; /* NULL: UTC, by whatever name */
    char *name;
};

struct imapd_zones {
    pthread_mutex_t lock;
    struct named *first;
};

struct imapd_zones *
imapd_zones_new(void)
{
    struct imapd_zones *z = yb_alloc(1, sizeof(*z));

    pthread_mutex_init(&z->lock, NULL);
    return z;
}

void
imapd_zones_free(struct imapd_zones **z)
{
    struct named *n;

    if (*z == NULL)
        return;
    while ((n = (*z)->first) != NULL) {
        (*z)->first = n->next;
        yb_zone_free(&n->zone);
        yb_free(n->name);
        yb_free(n);
    }
    pthread_mutex_destroy(&(*z)->lock);
    yb_free(*z);
    *z = NULL;
}

/* A name that is none is looked for again each time: those are without number, and tzdata grows. */
static const struct yb_zone *
read_zone(struct imapd_zones *z, struct yb_str name)
{
    struct yb_zone *zone = NULL;
    struct yb_err why = { 0 };
    struct named *n;

    if (yb_zone_open(name, &zone, &why) < 0) {
        yb_log(YB_LOG_WARN, NULL, "imap.zone.unknown", "%s: UTC instead", why.text);
        return NULL;
    }
    n = yb_alloc(1, sizeof(*n));
    *n = (struct named){ z->first, zone, yb_dup(name.p, name.n) };
    z->first = n;
    return zone;
}

const struct yb_zone *
imapd_zone(struct imapd_zones *z, struct yb_str name)
{
    const struct yb_zone *zone = NULL;
    const struct named *n;

    pthread_mutex_lock(&z->lock);
    n = z->first;
    while (n != NULL && !yb_str_eq(yb_str_from(n->name), name))
        n = n->next;
    zone = n != NULL ? n->zone : read_zone(z, name);
    pthread_mutex_unlock(&z->lock);
    return zone;
}
