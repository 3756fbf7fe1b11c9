#include "lib/db/connect.h"

#include "lib/base/str.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#define MAX_OPTIONS 64
#define MAX_HOSTS 16
#define STATE 5 /* characters of a SQLSTATE */

/* One server of the connection string; NULL: libpq's default. */
struct server {
    char *host, *hostaddr, *port;
};

struct yb_db_hosts {
    char *bad; /* why the connection string is no good, or NULL */
    PQconninfoOption *options;
    char *application;
    struct server servers[MAX_HOSTS];
    size_t n;
    pthread_mutex_t lock;
    size_t last; /* the server that served last; under lock */
};

/* The i-th of a comma separated list; a list of one serves all (as libpq has it for ports). */
static char *
list_item(const char *list, size_t i)
{
    struct yb_str rest = yb_str_from(list), part;
    size_t k = 0;

    if (list == NULL || *list == '\0')
        return NULL;
    if (strchr(list, ',') == NULL)
        return yb_dup(rest.p, rest.n);
    while (yb_str_split(&rest, ',', &part)) {
        if (k++ == i)
            return part.n > 0 ? yb_dup(part.p, part.n) : NULL;
    }
    return NULL;
}

static size_t
list_count(const char *list)
{
    size_t n = 1;

    for (const char *p = list; p != NULL && *p != '\0'; p++)
        n += *p == ',';
    return n;
}

static const char *
option(const struct yb_db_hosts *h, const char *keyword)
{
    for (const PQconninfoOption *o = h->options; o->keyword != NULL; o++) {
        if (strcmp(o->keyword, keyword) == 0)
            return o->val;
    }
    return NULL;
}

struct yb_db_hosts *
yb_db_hosts_new(const char *conninfo, const char *application)
{
    struct yb_db_hosts *h = yb_alloc(1, sizeof(*h));
    const char *app = application == NULL ? "yubin" : application;
    char *why = NULL;
    size_t n;

    pthread_mutex_init(&h->lock, NULL);
    h->application = yb_dup(app, strlen(app));
    h->options = PQconninfoParse(conninfo == NULL ? "" : conninfo, &why);
    if (h->options == NULL) {
        const char *text = why == NULL ? "cannot be read" : why;

        h->bad = yb_dup(text, strcspn(text, "\n"));
        PQfreemem(why);
        return h;
    }
    h->n = list_count(option(h, "host"));
    n = list_count(option(h, "hostaddr"));
    h->n = h->n > n ? h->n : n;
    h->n = h->n > MAX_HOSTS ? MAX_HOSTS : h->n;
    for (size_t i = 0; i < h->n; i++) {
        h->servers[i].host = list_item(option(h, "host"), i);
        h->servers[i].hostaddr = list_item(option(h, "hostaddr"), i);
        h->servers[i].port = list_item(option(h, "port"), i);
    }
    return h;
}

void
yb_db_hosts_free(struct yb_db_hosts **h)
{
    if (*h == NULL)
        return;
    for (size_t i = 0; i < (*h)->n; i++) {
        yb_free((*h)->servers[i].host);
        yb_free((*h)->servers[i].hostaddr);
        yb_free((*h)->servers[i].port);
    }
    PQconninfoFree((*h)->options);
    pthread_mutex_destroy(&(*h)->lock);
    yb_free((*h)->application);
    yb_free((*h)->bad);
    yb_free(*h);
    *h = NULL;
}

/* Waits until the socket is ready. -1 with *err: too late, or the socket is broken. */
static int
socket_wait(PGconn *pg, short events, struct yb_deadline by, short *got, struct yb_err *err)
{
    struct pollfd p = { .fd = PQsocket(pg), .events = events };
    int rc;

    do {
        rc = poll(&p, 1, yb_deadline_left(by));
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "wait for the database");
    if (rc == 0) {
        yb_err_inside(err, YB_TEMP, "4.3.0", "the database did not answer in time");
        if (err != NULL)
            err->sys = ETIMEDOUT;
        return -1;
    }
    if (got != NULL)
        *got = p.revents;
    return 0;
}

/* Notices of the server are for people at a terminal; errors come with their results. */
static void
notice_drop(void *arg YB_UNUSED, const PGresult *r YB_UNUSED)
{
}

/*
 * The SQLSTATE by which a server refuses a connection, within the text: libpq has no result before it
 * has a connection, but writes ":  28000: " when it is told to be verbose. n 0, at the end: none.
 */
static struct yb_str
refused_state(struct yb_str text)
{
    for (size_t i = 0; i + 3 + STATE + 2 <= text.n; i++) {
        struct yb_str state = yb_str(text.p + i + 3, STATE);
        size_t k = 0;

        if (memcmp(text.p + i, ":  ", 3) != 0 || memcmp(state.p + STATE, ": ", 2) != 0)
            continue;
        while (k < STATE && (yb_is_digit(state.p[k]) || (state.p[k] >= 'A' && state.p[k] <= 'Z')))
            k++;
        if (k == STATE)
            return state;
    }
    return yb_str_skip(text, text.n);
}

/* Why there is no connection. Whatever it is, a daemon goes on as when the server is away: that it is
 * not let in is mended while it asks again. */
static int
connect_fail(PGconn *pg, struct yb_err *err)
{
    struct yb_str text = yb_str_from(PQerrorMessage(pg)), state, head, tail;

    text = yb_str_head(text, yb_str_find(text, '\n'));
    state = refused_state(text);
    head = yb_str_head(text, (size_t)(state.p - text.p));
    tail = yb_str_skip(text, head.n + (state.n > 0 ? STATE + 2 : 0));
    yb_err_inside(err, YB_TEMP, "4.3.0", "database: %.*s%.*s", YB_STR_ARG(head), YB_STR_ARG(tail));
    if (err != NULL && (PQconnectionNeedsPassword(pg) == 1 || yb_str_starts(state, YB_STR("28")) ||
                        yb_str_eq(state, YB_STR("3D000"))))
        err->kind = YB_ERR_CONFIG;
    return -1;
}

/* Drives a connection that was started to its end. */
static int
connect_poll(PGconn *pg, struct yb_deadline by, struct yb_err *err)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    if (PQstatus(pg) == CONNECTION_BAD)
        return connect_fail(pg, err);
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE); /* refused_state() */
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED)
            return connect_fail(pg, err);
        if (socket_wait(pg, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, by, NULL, err) < 0)
            return -1;
        state = PQconnectPoll(pg);
    }
    PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
    PQsetNoticeReceiver(pg, notice_drop, NULL);
    if (PQsetnonblocking(pg, 1) != 0)
        return yb_pq_fail(pg, NULL, err);
    return 0;
}

/* Starts a connection to one server, with all other options as they were given. */
static PGconn *
connect_start(const struct yb_db_hosts *h, const struct server *s)
{
    const char *keys[MAX_OPTIONS + 8], *values[MAX_OPTIONS + 8];
    size_t n = 0;

    for (const PQconninfoOption *o = h->options; o->keyword != NULL && n < MAX_OPTIONS; o++) {
        if (o->val == NULL || strcmp(o->keyword, "host") == 0 ||
            strcmp(o->keyword, "hostaddr") == 0 || strcmp(o->keyword, "port") == 0 ||
            strcmp(o->keyword, "target_session_attrs") == 0 ||
            strcmp(o->keyword, "application_name") == 0 ||
            strcmp(o->keyword, "client_encoding") == 0)
            continue;
        keys[n] = o->keyword;
        values[n++] = o->val;
    }
    /* A NULL value is libpq's default: its environment, then what was compiled in. */
    keys[n] = "host", values[n++] = s->host;
    keys[n] = "hostaddr", values[n++] = s->hostaddr;
    keys[n] = "port", values[n++] = s->port;
    keys[n] = "target_session_attrs", values[n++] = "read-write";
    keys[n] = "application_name", values[n++] = h->application;
    keys[n] = "client_encoding", values[n++] = "UTF8";
    keys[n] = NULL, values[n] = NULL;
    return PQconnectStartParams(keys, values, 0);
}

PGconn *
yb_db_hosts_connect(struct yb_db_hosts *h, struct yb_deadline by, struct yb_err *err)
{
    struct yb_err why = { 0 };
    PGconn *pg = NULL;
    bool config = true;
    size_t first;

    if (h->bad != NULL) {
        yb_err_inside(err, YB_TEMP, "4.3.5", "database connection string: %s", h->bad);
        if (err != NULL)
            err->kind = YB_ERR_CONFIG;
        return NULL;
    }
    pthread_mutex_lock(&h->lock);
    first = h->last;
    pthread_mutex_unlock(&h->lock);
    for (size_t i = 0; i < h->n; i++) {
        size_t at = (first + i) % h->n;
        int left = yb_deadline_left(by);
        struct yb_deadline share = left < 0 ? by : yb_deadline_in(left / (int)(h->n - i));

        pg = connect_start(h, &h->servers[at]);
        if (pg == NULL)
            yb_assert_failed("PQconnectStartParams: out of memory", __FILE__, __LINE__);
        if (connect_poll(pg, share, &why) == 0) {
            pthread_mutex_lock(&h->lock);
            h->last = at;
            pthread_mutex_unlock(&h->lock);
            return pg;
        }
        PQfinish(pg);
        config = config && why.kind == YB_ERR_CONFIG;
    }
    if (!config && why.kind == YB_ERR_CONFIG) /* one that did not say so may let us in */
        why.kind = YB_ERR_OTHER;
    if (err != NULL)
        *err = why;
    return NULL;
}

int
yb_pq_flush(PGconn *pg, struct yb_deadline by, struct yb_err *err)
{
    short got;
    int rc;

    while ((rc = PQflush(pg)) == 1) {
        if (socket_wait(pg, POLLIN | POLLOUT, by, &got, err) < 0)
            return -1;
        if ((got & ~POLLOUT) != 0 && PQconsumeInput(pg) != 1)
            return yb_pq_fail(pg, NULL, err);
    }
    return rc == 0 ? 0 : yb_pq_fail(pg, NULL, err);
}

int
yb_pq_result(PGconn *pg, struct yb_deadline by, PGresult **out, struct yb_err *err)
{
    while (PQisBusy(pg)) {
        if (socket_wait(pg, POLLIN, by, NULL, err) < 0)
            return -1;
        if (PQconsumeInput(pg) != 1)
            return yb_pq_fail(pg, NULL, err);
    }
    *out = PQgetResult(pg);
    return 0;
}

static bool
result_good(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY ||
           status == PGRES_PIPELINE_SYNC;
}

int
yb_pq_finish(PGconn *pg, struct yb_deadline by, PGresult **out, PGresult **failed,
             struct yb_err *err)
{
    PGresult *r, *last = NULL;
    int rc = 0;

    if (yb_pq_flush(pg, by, err) < 0)
        return -1;
    while (yb_pq_result(pg, by, &r, err) == 0) {
        if (r == NULL) {
            if (rc == 0 && out != NULL)
                *out = last;
            else
                PQclear(last);
            return rc;
        }
        if (result_good(r)) {
            PQclear(last);
            last = r;
            continue;
        }
        if (rc == 0)
            rc = yb_pq_fail(pg, r, err);
        if (PQresultStatus(r) == PGRES_COPY_IN || PQresultStatus(r) == PGRES_COPY_OUT) {
            PQclear(r); /* the statement waits for data it will not get: give the connection up */
            break;
        }
        if (failed != NULL && *failed == NULL)
            *failed = r;
        else
            PQclear(r);
        if (PQstatus(pg) == CONNECTION_BAD)
            break;
    }
    PQclear(last);
    return -1;
}

int
yb_pq_exec(PGconn *pg, const char *sql, struct yb_deadline by, PGresult **failed,
           struct yb_err *err)
{
    if (PQsendQuery(pg, sql) != 1)
        return yb_pq_fail(pg, NULL, err);
    return yb_pq_finish(pg, by, NULL, failed, err);
}

/* What a SQLSTATE means: the first row it begins with counts. Told in db.h. */
/* clang-format off */
static const struct meaning {
    const char *state;
    enum yb_err_class class;
    enum yb_err_kind kind;
} meanings[] = {
    { "40001", YB_TEMP, YB_ERR_CONFLICT },  /* serialization_failure */
    { "40P01", YB_TEMP, YB_ERR_CONFLICT },  /* deadlock_detected */
    { "55P03", YB_TEMP, YB_ERR_IN_USE },    /* lock_not_available */
    /* The database's or the moment's trouble, not the statement's. */
    { "08",    YB_TEMP, YB_ERR_OTHER },
    { "25",    YB_TEMP, YB_ERR_OTHER },
    { "40",    YB_TEMP, YB_ERR_OTHER },
    { "53",    YB_TEMP, YB_ERR_OTHER },
    { "55",    YB_TEMP, YB_ERR_OTHER },
    { "57",    YB_TEMP, YB_ERR_OTHER },
    { "58",    YB_TEMP, YB_ERR_OTHER },
    { "XX",    YB_TEMP, YB_ERR_OTHER },
    { "0A000", YB_TEMP, YB_ERR_OTHER },     /* a plan prepared before a migration; a new connection
                                               prepares it anew */
    { "YB001", YB_PERM, YB_ERR_LIMIT },
    { "YB002", YB_PERM, YB_ERR_DENIED },
    { "YB003", YB_PERM, YB_ERR_VALUE },
    { "YB004", YB_PERM, YB_ERR_NOT_FOUND },
    { "YB005", YB_PERM, YB_ERR_CANNOT },
    { "YB",    YB_PERM, YB_ERR_OTHER },
    { "23505", YB_PERM, YB_ERR_EXISTS },    /* unique_violation */
    { "23503", YB_PERM, YB_ERR_REFERENCE }, /* foreign_key_violation */
    { "23001", YB_PERM, YB_ERR_REFERENCE }, /* restrict_violation: the same, by newer servers */
    { "23",    YB_PERM, YB_ERR_VALUE },
    { "22",    YB_PERM, YB_ERR_VALUE },
    { "",      YB_BUG,  YB_ERR_OTHER },
};
/* clang-format on */

/* Without a state it is the connection's end. */
static const struct meaning *
meaning_of(const char *state)
{
    static const struct meaning lost = { "", YB_TEMP, YB_ERR_OTHER };
    size_t i = 0;

    if (*state == '\0')
        return &lost;
    while (strncmp(state, meanings[i].state, strlen(meanings[i].state)) != 0)
        i++;
    return &meanings[i];
}

/* A sentence of our own functions and triggers, which anybody may read: the server's own refusals
 * of a row name the constraint. */
static bool
is_ours(const char *state, const PGresult *r)
{
    return strncmp(state, "YB", 2) == 0 ||
           (strncmp(state, "23", 2) == 0 && PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME) == NULL);
}

int
yb_pq_fail(PGconn *pg, const PGresult *r, struct yb_err *err)
{
    const char *state = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const struct meaning *m;

    state = state == NULL ? "" : state;
    m = meaning_of(state);
    if (text == NULL)
        text = PQerrorMessage(pg);
    if (m->class == YB_TEMP)
        yb_err_inside(err, YB_TEMP, "4.3.0", "database: %.*s", (int)strcspn(text, "\n"), text);
    else if (m->class == YB_BUG)
        yb_err_inside(err, YB_BUG, "4.3.0", "database: %s (%s)", text, state);
    else if (is_ours(state, r))
        yb_err_set(err, YB_PERM, "5.3.0", "%s", text);
    else
        yb_err_inside(err, YB_PERM, "5.3.0", "%s", text);
    if (err != NULL)
        err->kind = m->kind;
    return -1;
}
