#include "lib/net/out.h"

#include "lib/base/io.h"

#define STOCK_MAX 8 /* blocks a worker keeps for later */
/* Of a block behind a range of a file: what stands between two of them is mostly a line. */
#define SHORT_BLOCK 448

/* A block of SHORT_BLOCK where so much is enough, else of YB_OUT_BLOCK. */
static struct yb_out_part *
block_new(size_t want)
{
    size_t room = want > SHORT_BLOCK ? YB_OUT_BLOCK : SHORT_BLOCK;
    struct yb_out_part *p = yb_alloc(1, sizeof(*p) + room);

    p->room = room;
    return p;
}

static struct yb_out_part *
block_get(struct yb_out_stock *stock)
{
    struct yb_out_part *p = stock->free;

    if (p == NULL) {
        p = block_new(YB_OUT_BLOCK);
    } else {
        stock->free = p->next;
        stock->n--;
    }
    p->next = NULL;
    p->at = p->end = 0;
    return p;
}

static void
part_put(struct yb_out_stock *stock, struct yb_out_part *p)
{
    if (p->room == YB_OUT_BLOCK && stock->n < STOCK_MAX) {
        p->next = stock->free;
        stock->free = p;
        stock->n++;
    } else {
        yb_file_unref(&p->file);
        yb_free(p);
    }
}

static void
append(struct yb_out *o, struct yb_out_part *p)
{
    if (o->head == NULL)
        o->head = p;
    else
        o->tail->next = p;
    o->tail = p;
}

char *
yb_out_room(struct yb_out *o, struct yb_out_stock *stock, size_t want, size_t *n)
{
    if (o->head == NULL)
        append(o, block_get(stock));
    else if (o->tail->file != NULL && want <= SHORT_BLOCK)
        append(o, block_new(want));
    else if (o->tail->end == o->tail->room) /* also that of a file: it has none */
        append(o, block_get(stock));
    *n = o->tail->room - o->tail->end;
    return o->tail->bytes + o->tail->end;
}

void
yb_out_wrote(struct yb_out *o, size_t n)
{
    yb_assert(n <= o->tail->room - o->tail->end);
    o->tail->end += n;
    o->size += n;
}

void
yb_out_add(struct yb_out *o, struct yb_out_stock *stock, struct yb_str s)
{
    while (s.n > 0) {
        size_t room;
        char *to = yb_out_room(o, stock, s.n, &room);

        if (room > s.n)
            room = s.n;
        memcpy(to, s.p, room);
        yb_out_wrote(o, room);
        s = yb_str_skip(s, room);
    }
}

void
yb_out_add_file(struct yb_out *o, struct yb_file *file, off_t at, size_t n)
{
    struct yb_out_part *p = o->tail;

    if (n == 0)
        return;
    o->size += n;
    if (o->head != NULL && p->file == file && p->file_at + (off_t)p->file_n == at) {
        p->file_n += n;
        return;
    }
    p = yb_alloc(1, sizeof(*p));
    p->file = yb_file_ref(file);
    p->file_at = at;
    p->file_n = n;
    append(o, p);
    o->n_files++;
}

bool
yb_out_load(struct yb_out *o, struct yb_out_stock *stock)
{
    struct yb_out_part *file = o->head, *block = block_get(stock);
    size_t n = file->file_n < YB_OUT_BLOCK ? file->file_n : YB_OUT_BLOCK;

    if (yb_pread_full(yb_file_fd(file->file), block->bytes, n, file->file_at) != (ssize_t)n) {
        part_put(stock, block);
        return false;
    }
    block->end = n;
    file->file_at += (off_t)n;
    file->file_n -= n;
    block->next = file;
    if (file->file_n == 0) {
        block->next = file->next;
        if (o->tail == file)
            o->tail = block;
        o->n_files--;
        part_put(stock, file);
    }
    o->head = block;
    return true;
}

int
yb_out_iov(const struct yb_out *o, struct iovec *iov, int max)
{
    int n = 0;

    for (struct yb_out_part *p = o->head; p != NULL && p->file == NULL && n < max; p = p->next)
        iov[n++] = (struct iovec){ p->bytes + p->at, p->end - p->at };
    return n;
}

void
yb_out_sent(struct yb_out *o, struct yb_out_stock *stock, size_t n)
{
    o->size -= n;
    while (n > 0) {
        struct yb_out_part *p = o->head;
        size_t here = p->file != NULL ? p->file_n : p->end - p->at;

        if (n < here && p->file != NULL) {
            p->file_at += (off_t)n;
            p->file_n -= n;
            return;
        } else if (n < here) {
            p->at += n;
            return;
        }
        n -= here;
        o->head = p->next;
        o->n_files -= p->file != NULL;
        part_put(stock, p);
    }
    if (o->head == NULL)
        o->tail = NULL;
}

void
yb_out_clear(struct yb_out *o, struct yb_out_stock *stock)
{
    while (o->head != NULL) {
        struct yb_out_part *p = o->head;

        o->head = p->next;
        part_put(stock, p);
    }
    *o = (struct yb_out){ 0 };
}

void
yb_out_stock_release(struct yb_out_stock *stock)
{
    while (stock->free != NULL) {
        struct yb_out_part *p = stock->free;

        stock->free = p->next;
        yb_free(p);
    }
    stock->n = 0;
}
