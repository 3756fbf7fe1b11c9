#include "lib/directory/places.h"

#include "lib/base/clock.h"
#include "lib/base/map.h"

#include <pthread.h>

struct node {
    struct yb_node_id id;
    char host[YB_HOME_HOST];
};

/* One answer, taken apart. */
struct answer {
    struct node *nodes;
    size_t n_nodes;
    struct yb_map *stores; /* id → node, in `nodes` */
};

struct yb_places {
    pthread_mutex_t mutex;
    struct answer *answer; /* NULL: none yet */
    uint64_t asked, taken; /* numbers of questions; taken: that of `answer` */
    bool heard;
    int64_t tried_ms; /* when a user was told to ask anew */
};

struct yb_places *
yb_places_new(void)
{
    struct yb_places *p = yb_alloc(1, sizeof(*p));

    pthread_mutex_init(&p->mutex, NULL);
    return p;
}

static void
answer_free(struct answer *a)
{
    if (a == NULL)
        return;
    yb_map_free(&a->stores);
    yb_free(a->nodes);
    yb_free(a);
}

void
yb_places_free(struct yb_places **p)
{
    if (*p == NULL)
        return;
    answer_free((*p)->answer);
    pthread_mutex_destroy(&(*p)->mutex);
    yb_free(*p);
    *p = NULL;
}

static struct yb_str
key_of(const struct yb_store_id *id)
{
    return yb_str((const char *)id->v, sizeof(id->v));
}

/* "n <node> <host>" */
static bool
node_read(struct answer *a, struct yb_str line)
{
    struct node *n = &a->nodes[a->n_nodes];

    if (!yb_node_id_parse(yb_str_word(&line), &n->id))
        return false;
    /* What is no host name leads nowhere: as good as none. */
    if (!yb_str_copy(yb_str_trim(line), n->host, sizeof(n->host)))
        n->host[0] = '\0';
    a->n_nodes++;
    return true;
}

/* "s <store> <node>", behind the line of that node */
static bool
store_read(struct answer *a, struct yb_str line)
{
    struct yb_store_id store;
    struct yb_node_id node;

    if (!yb_store_id_parse(yb_str_word(&line), &store) ||
        !yb_node_id_parse(yb_str_word(&line), &node))
        return false;
    for (size_t i = 0; i < a->n_nodes; i++) {
        if (yb_node_id_eq(a->nodes[i].id, node)) {
            yb_map_put(a->stores, key_of(&store), &a->nodes[i]);
            return true;
        }
    }
    return false;
}

static struct answer *
answer_read(struct yb_str text)
{
    struct answer *a = yb_alloc(1, sizeof(*a));
    struct yb_str left = text, line;
    size_t lines = 0;
    bool good = true;

    while (yb_str_split(&left, '\n', &line))
        lines++;
    a->nodes = yb_alloc(lines + 1, sizeof(*a->nodes));
    a->stores = yb_map_new();
    while (good && yb_str_split(&text, '\n', &line)) {
        struct yb_str kind = yb_str_word(&line);

        /* Another version may tell more. */
        if (yb_str_eq(kind, YB_STR("n")))
            good = node_read(a, line);
        else if (yb_str_eq(kind, YB_STR("s")))
            good = store_read(a, line);
    }
    if (good)
        return a;
    answer_free(a);
    return NULL;
}

uint64_t
yb_places_ask(struct yb_places *p)
{
    uint64_t asked;

    pthread_mutex_lock(&p->mutex);
    asked = ++p->asked;
    pthread_mutex_unlock(&p->mutex);
    return asked;
}

int
yb_places_take(struct yb_places *p, uint64_t asked, struct yb_str text, struct yb_err *err)
{
    struct answer *a = answer_read(text), *old = a;

    if (a == NULL)
        return yb_err_inside(err, YB_BUG, "4.3.0", "the map of stores cannot be read");
    pthread_mutex_lock(&p->mutex);
    if (asked > p->taken) {
        old = p->answer;
        p->answer = a;
        p->taken = asked;
    }
    pthread_mutex_unlock(&p->mutex);
    answer_free(old);
    return 0;
}

void
yb_places_heard(struct yb_places *p, bool heard)
{
    pthread_mutex_lock(&p->mutex);
    p->heard = heard;
    pthread_mutex_unlock(&p->mutex);
}

enum yb_places_found
yb_places_find(struct yb_places *p, struct yb_store_id store, int64_t rest_ms, struct yb_home *out,
               bool *again)
{
    enum yb_places_found found = YB_PLACES_NONE;
    int64_t now = yb_clock_ms();
    const struct node *n;

    pthread_mutex_lock(&p->mutex);
    if (p->answer != NULL) {
        n = yb_map_get(p->answer->stores, key_of(&store));
        found = n == NULL ? YB_PLACES_UNKNOWN : YB_PLACES_FOUND;
        if (n != NULL) {
            out->node = n->id;
            memcpy(out->host, n->host, sizeof(out->host));
        }
    }
    *again = found == YB_PLACES_NONE ||
             ((found == YB_PLACES_UNKNOWN || !p->heard) && now >= p->tried_ms + rest_ms);
    if (*again)
        p->tried_ms = now;
    pthread_mutex_unlock(&p->mutex);
    return found;
}
