#include "tests/upgrade/listing.h"

#include <stdlib.h>
#include <unistd.h>

/* The head line of a message, and all its octets as a number. */
static void
list_content(struct yb_mailbox *m, const struct yb_record *r, FILE *to)
{
    char text[4096];
    unsigned long sum = 5381;
    struct yb_err err = { 0 };
    ssize_t n;
    int fd;

    if (yb_mailbox_message(m, r, &fd, &err) < 0) {
        fprintf(stderr, "UID %u: %s\n", r->uid, err.text);
        abort();
    }
    n = read(fd, text, sizeof(text));
    close(fd);
    for (ssize_t i = 0; i < n; i++)
        sum = (sum * 33 + (unsigned char)text[i]) & 0xffffffff;
    fprintf(to, " octets=%zd/%08lx", n, sum);
}

static void
list_keywords(struct yb_mailbox *m, const struct yb_record *r, FILE *to)
{
    const struct yb_keywords *k;
    char room[YB_KEYWORD_TEXT];
    struct yb_str name;
    struct yb_err err = { 0 };
    size_t at = 0;

    if (yb_mailbox_keywords(m, &k, &err) < 0) {
        fprintf(stderr, "keywords: %s\n", err.text);
        abort();
    }
    fputs(" keywords=", to);
    while (yb_keywords_of(k, r, &at, room, &name))
        fprintf(to, "(%.*s)", (int)name.n, name.p);
    yb_keywords_release(&k);
}

static void
list_message(struct yb_mailbox *m, const struct yb_record *r, struct yb_arena *arena, FILE *to)
{
    struct yb_str parsed;
    char id[YB_ID_TEXT];

    fprintf(to, "  uid=%u modseq=%llu flags=%u date=%lld saved=%lld id=%s size=%llu", r->uid,
            (unsigned long long)r->modseq, (unsigned)r->flags, (long long)r->internal_date,
            (long long)r->saved, yb_delivery_id_text(r->id, id), (unsigned long long)r->size);
    list_keywords(m, r, to);
    list_content(m, r, to);
    if (yb_mailbox_cache_get(m, r, arena, &parsed))
        fprintf(to, " parsed=%.*s", (int)parsed.n, parsed.p);
    fputc('\n', to);
}

/* The numbers of a view that was told everything when the store was made: what died since is told. */
static void
list_vanished(struct yb_mailbox *m, uint32_t uidnext, struct yb_arena *arena, FILE *to)
{
    struct yb_view v = { .uidvalidity = yb_mailbox_uidvalidity(m),
                         .uidnext = uidnext,
                         .read_only = true };
    struct yb_changes c;
    struct yb_err err = { 0 };

    v.modseq = v.expunged = LISTING_SINCE;
    if (yb_view_changes(m, &v, true, arena, &c, &err) < 0) {
        fprintf(stderr, "changes: %s\n", err.text);
        abort();
    }
    fputs("  vanished=", to);
    for (size_t i = 0; !c.invalid && i < c.n_expunged; i++)
        fprintf(to, "%s%u", i == 0 ? "" : ",", c.expunged_uids[i]);
    fprintf(to, "%s\n", c.invalid ? "invalid" : "");
}

static void
list_mailbox(struct yb_store_account *a, const struct yb_folder *f, struct yb_arena *arena,
             FILE *to)
{
    const struct yb_rows *rows;
    struct yb_mailbox *m;
    struct yb_view v;
    struct yb_err err = { 0 };
    uint32_t uidnext;

    if (yb_mailbox_open(a, f->name, &m, &err) < 0 || yb_view_begin(m, true, &v, &err) < 0 ||
        yb_view_rows(m, &v, &rows, &err) < 0) {
        fprintf(stderr, "%.*s: %s\n", (int)f->name.n, f->name.p, err.text);
        abort();
    }
    fprintf(to, "  uidvalidity=%u uidnext=%u highest=%llu\n", v.uidvalidity, v.uidnext,
            (unsigned long long)v.modseq);
    for (size_t i = 0; i < rows->n; i++)
        list_message(m, &rows->v[i], arena, to);
    yb_rows_release(&rows);
    uidnext = v.uidnext;
    yb_view_end(m, &v);
    list_vanished(m, uidnext, arena, to);
    yb_mailbox_close(&m);
}

void
listing_write(struct yb_store_account *a, FILE *to)
{
    struct yb_arena *arena = yb_arena_new(65536);
    struct yb_folder *folders;
    struct yb_err err = { 0 };
    struct yb_usage u;
    size_t n;

    if (yb_store_usage(a, &u, &err) < 0 || yb_store_list(a, arena, &folders, &n, &err) < 0) {
        fprintf(stderr, "the account: %s\n", err.text);
        abort();
    }
    fprintf(to, "usage %llu octets in %llu messages\n", (unsigned long long)u.bytes,
            (unsigned long long)u.messages);
    for (size_t i = 0; i < n; i++) {
        fprintf(to, "folder %.*s%s%s%s\n", (int)folders[i].name.n, folders[i].name.p,
                folders[i].exists ? "" : " (none)", folders[i].subscribed ? " subscribed" : "",
                folders[i].special[0] == '\0' ? "" : folders[i].special);
        if (folders[i].exists)
            list_mailbox(a, &folders[i], arena, to);
    }
    yb_arena_free(&arena);
}
