#include "pop3d/maildrop.h"

struct pop3d_maildrop {
    struct yb_store_account *account;
    struct yb_mailbox *inbox;
    const struct yb_rows *rows;
    struct yb_view view;
    bool viewing, locked;
    int lock;
    uint8_t *marks; /* one bit a message; made when the first is marked */
    struct pop3d_totals all, marked;
};

static bool
is_marked(const struct pop3d_maildrop *d, size_t i)
{
    return d->marks != NULL && (d->marks[i / 8] >> i % 8 & 1) != 0;
}

int
pop3d_maildrop_open(struct yb_store *store, struct yb_account_id id, struct pop3d_maildrop **out,
                    struct yb_err *err)
{
    struct pop3d_maildrop *d = yb_alloc(1, sizeof(*d));
    int rc = yb_store_open(store, id, true, &d->account, err);

    if (rc == 0) {
        rc = yb_store_lock_pop(d->account, &d->lock, err);
        d->locked = rc == 0;
    }
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
    d->all.messages = d->rows->n;
    for (size_t i = 0; i < d->rows->n; i++)
        d->all.bytes += d->rows->v[i].size;
    *out = d;
    return 0;
}

void
pop3d_maildrop_close(struct pop3d_maildrop **out)
{
    struct pop3d_maildrop *d = *out;

    if (d == NULL)
        return;
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
    d->marked.bytes += r->size;
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
