#include "pop3d/maildrop.h"

#include "lib/base/clock.h"
#include "lib/base/io.h"
#include "pop3d/sizes.h"

#include <unistd.h>

#define MEMO "yubin-pop3"
#define PIECE 32768 /* of a message, looked at at once */

struct pop3d_maildrop {
    struct yb_store_account *account;
    struct yb_mailbox *inbox;
    const struct yb_rows *rows;
    struct yb_view view;
    bool viewing, locked;
    int lock;
    uint8_t *marks; /* one bit a message; made when the first is marked */
    struct pop3d_totals all, marked;

    struct pop3d_sizes sizes;
    size_t next; /* row whose octets are counted next */
    int fd;      /* its message, or -1 */
    off_t at;    /* how far that is counted */
    struct pop3d_counter counter;
    bool counted; /* some were that the memo does not know of */
    bool unread;  /* one could not be read: those behind it are counted again next time */
};

static bool
is_marked(const struct pop3d_maildrop *d, size_t i)
{
    return d->marks != NULL && (d->marks[i / 8] >> i % 8 & 1) != 0;
}

/* What earlier sessions counted. */
static void
remember(struct pop3d_maildrop *d)
{
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_str bytes;

    if (yb_mailbox_memo_read(d->inbox, MEMO, arena, &bytes))
        (void)!pop3d_sizes_decode(bytes, d->view.uidvalidity, &d->sizes);
    while (d->next < d->rows->n && d->rows->v[d->next].uid <= d->sizes.upto)
        d->next++;
    yb_arena_free(&arena);
}

int
pop3d_maildrop_open(struct yb_store *store, struct yb_account_id id, struct pop3d_maildrop **out,
                    struct yb_err *err)
{
    struct pop3d_maildrop *d = yb_alloc(1, sizeof(*d));
    int rc = yb_store_open(store, id, true, &d->account, err);

    d->fd = -1;
    if (rc == 0) {
        rc = yb_store_lock_pop(d->account, &d->lock, err);
        d->locked = rc == 0;
    }
    if (rc == 0)
        rc = yb_store_usage_again(d->account, err);
    if (rc == 0)
        rc = yb_mailbox_open(d->account, YB_STR("INBOX"), &d->inbox, err);
    if (rc == 0) {
        /* Read-only: a POP3 session takes no \Recent away from IMAP. */
        rc = yb_view_begin(d->inbox, true, &d->view, err);
        d->viewing = rc == 0;
    }
    if (rc == 0)
        rc = yb_view_rows(d->inbox, &d->view, &d->rows, err);
    if (rc < 0) {
        pop3d_maildrop_close(&d);
        return -1;
    }
    remember(d);
    *out = d;
    return 0;
}

/* --- sizes --- */

/* One more piece of the message that is counted. 1: there is more; 0: that was all; -1: it cannot be
 * read. */
static int
count_piece(struct pop3d_maildrop *d, char *room)
{
    struct yb_err err = { 0 };
    ssize_t n;

    if (d->fd < 0 && pop3d_maildrop_read(d, &d->rows->v[d->next], &d->fd, &err) < 0) {
        d->fd = -1;
        return err.kind == YB_ERR_GONE ? 0 : -1; /* nobody asks for its octets any more */
    }
    n = yb_pread_full(d->fd, room, PIECE, d->at);
    if (n <= 0)
        return (int)n;
    pop3d_counter_feed(&d->counter, yb_str(room, (size_t)n));
    d->at += n;
    return n == PIECE;
}

/* The message is counted, or cannot be. */
static void
count_end(struct pop3d_maildrop *d, bool unread)
{
    uint32_t uid = d->rows->v[d->next].uid;
    uint64_t extra = unread ? 0 : pop3d_counter_extra(&d->counter);

    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
    d->at = 0;
    d->counter = (struct pop3d_counter){ 0 };
    d->unread |= unread;
    if (extra > 0)
        pop3d_sizes_add(&d->sizes, uid, extra);
    if (!d->unread)
        d->sizes.upto = uid;
    d->counted = true;
    d->next++;
}

/* What is known for the next session: of messages that are still there. */
static void
sizes_keep(struct pop3d_maildrop *d)
{
    struct pop3d_sizes kept = { .upto = d->sizes.upto };
    struct yb_buf *b = yb_buf_new(SIZE_MAX);

    for (size_t i = 0, k = 0; i < d->rows->n && k < d->sizes.n; i++) {
        while (k < d->sizes.n && d->sizes.v[k].uid < d->rows->v[i].uid)
            k++;
        if (k < d->sizes.n && d->sizes.v[k].uid == d->rows->v[i].uid &&
            d->rows->v[i].uid <= kept.upto)
            pop3d_sizes_add(&kept, d->rows->v[i].uid, d->sizes.v[k].octets);
    }
    pop3d_sizes_encode(&kept, d->view.uidvalidity, b);
    yb_mailbox_memo_write(d->inbox, MEMO, yb_buf_view(b));
    pop3d_sizes_free(&kept);
    yb_buf_free(&b);
    d->counted = false;
}

bool
pop3d_maildrop_count_octets(struct pop3d_maildrop *d, int64_t until)
{
    char *room = d->next < d->rows->n ? yb_alloc(PIECE, 1) : NULL;

    while (d->next < d->rows->n) {
        int rc = count_piece(d, room);

        if (rc <= 0)
            count_end(d, rc < 0);
        if (yb_clock_ms() >= until)
            break;
    }
    yb_free(room);
    if (d->next < d->rows->n)
        return true;
    if (d->counted)
        sizes_keep(d);
    d->all.messages = d->rows->n;
    for (size_t i = 0; i < d->rows->n; i++)
        d->all.bytes += pop3d_maildrop_size(d, &d->rows->v[i]);
    return false;
}

uint64_t
pop3d_maildrop_size(const struct pop3d_maildrop *d, const struct yb_record *r)
{
    return r->size + pop3d_sizes_extra(&d->sizes, r->uid);
}

void
pop3d_maildrop_close(struct pop3d_maildrop **out)
{
    struct pop3d_maildrop *d = *out;

    if (d == NULL)
        return;
    if (d->counted) /* ended in the middle: the next session goes on from there */
        sizes_keep(d);
    if (d->rows != NULL)
        yb_rows_release(&d->rows);
    if (d->viewing)
        yb_view_end(d->inbox, &d->view);
    if (d->inbox != NULL)
        yb_mailbox_close(&d->inbox);
    if (d->locked)
        yb_store_unlock_pop(d->account, &d->lock);
    if (d->account != NULL)
        yb_store_close(&d->account);
    if (d->fd >= 0)
        close(d->fd);
    pop3d_sizes_free(&d->sizes);
    yb_free(d->marks);
    yb_free(d);
    *out = NULL;
}

int
pop3d_maildrop_commit(struct pop3d_maildrop *d, struct yb_err *err)
{
    uint32_t *uids;
    size_t n = 0;
    int rc;

    if (d->marked.messages == 0)
        return 0;
    uids = yb_alloc(d->marked.messages, sizeof(*uids));
    for (size_t i = 0; i < d->rows->n; i++)
        if (is_marked(d, i))
            uids[n++] = d->rows->v[i].uid;
    rc = yb_mailbox_expunge(d->inbox, uids, n, false, true, err);
    yb_free(uids);
    return rc;
}

size_t
pop3d_maildrop_count(const struct pop3d_maildrop *d)
{
    return d->rows->n;
}

struct pop3d_totals
pop3d_maildrop_totals(const struct pop3d_maildrop *d)
{
    return (struct pop3d_totals){ d->all.messages - d->marked.messages,
                                  d->all.bytes - d->marked.bytes };
}

const struct yb_record *
pop3d_maildrop_message(const struct pop3d_maildrop *d, uint64_t number)
{
    if (number == 0 || number > d->rows->n || is_marked(d, (size_t)number - 1))
        return NULL;
    return &d->rows->v[number - 1];
}

int
pop3d_maildrop_read(const struct pop3d_maildrop *d, const struct yb_record *r, int *fd,
                    struct yb_err *err)
{
    return yb_mailbox_message(d->inbox, r, fd, err);
}

void
pop3d_maildrop_mark(struct pop3d_maildrop *d, uint64_t number)
{
    const struct yb_record *r = pop3d_maildrop_message(d, number);
    size_t i = (size_t)number - 1;

    yb_assert(r != NULL);
    if (d->marks == NULL)
        d->marks = yb_alloc(d->rows->n / 8 + 1, 1);
    d->marks[i / 8] |= (uint8_t)(1u << i % 8);
    d->marked.messages++;
    d->marked.bytes += pop3d_maildrop_size(d, r);
}

void
pop3d_maildrop_unmark_all(struct pop3d_maildrop *d)
{
    yb_free(d->marks);
    d->marks = NULL;
    d->marked = (struct pop3d_totals){ 0 };
}

size_t
pop3d_maildrop_marked(const struct pop3d_maildrop *d)
{
    return d->marked.messages;
}

void
pop3d_maildrop_uidl(const struct yb_record *r, char out[POP3D_UIDL])
{
    yb_delivery_id_text(r->id, out);
}
