/*
 * APPEND: the message's literal goes to the store as it comes. Whether it is wanted (mailbox, size,
 * quota) is said before it is sent; the OK comes when it is on disk.
 */
#include "imapd/cmd.h"
#include "imapd/reply.h"

struct imapd_incoming {
    struct imapd_session *s;
    struct yb_arena *arena; /* holds this struct */
    struct yb_str tag;
    struct yb_put put;
    struct yb_incoming *message;
    struct yb_err err; /* of a block */
    bool failed;
};

int
imapd_cmd_append(struct imapd_cmd *c YB_UNUSED, struct yb_err *err)
{
    return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4",
                     "APPEND ends with a message as a literal");
}

/* RFC 3501 §6.3.11: say TRYCREATE where creating the mailbox would help. */
static int
find_mailbox(struct imapd_session *s, struct yb_str name, struct yb_err *err)
{
    struct yb_mailbox *m = NULL;

    if (yb_mailbox_open(s->account, name, &m, err) < 0) {
        if (err->kind == YB_ERR_NOT_FOUND)
            yb_err_as(err, YB_ERR_TRY_CREATE, YB_PERM, "5.2.0", "There is no such mailbox");
        return -1;
    }
    yb_mailbox_close(&m);
    return 0;
}

static int
check_size(struct imapd_session *s, uint64_t size, struct yb_err *err)
{
    struct yb_usage usage;

    if (size > s->conf->max_message)
        return yb_err_as(err, YB_ERR_TOO_BIG, YB_PERM, "5.3.4",
                         "The message is larger than %llu bytes",
                         (unsigned long long)s->conf->max_message);
    if (size == 0)
        return yb_err_as(err, YB_ERR_CONTENT, YB_PERM, "5.6.0", "The message is empty");
    if (s->quota == 0)
        return 0;
    if (yb_store_usage(s->account, &usage, err) < 0)
        return -1;
    if (usage.bytes > s->quota || size > s->quota - usage.bytes)
        return yb_err_as(err, YB_ERR_FULL, YB_PERM, "5.2.2", "The mailbox is full");
    return 0;
}

struct imapd_incoming *
imapd_append_begin(struct imapd_session *s, struct yb_str tag, const struct imapd_append *args,
                   struct yb_err *err)
{
    struct imapd_incoming *in;
    struct yb_arena *arena;
    struct yb_incoming *message = NULL;
    struct yb_str *keywords;

    if (imapd_resume_account(s, err) < 0 || check_size(s, args->size, err) < 0 ||
        find_mailbox(s, args->mailbox, err) < 0 ||
        yb_store_put_begin(s->account, args->size, &message, err) < 0)
        return NULL;
    arena = yb_arena_new(1024);
    in = yb_arena_alloc(arena, 1, sizeof(*in));
    keywords = yb_arena_alloc(arena, args->flags.n_keywords + 1, sizeof(*keywords));
    for (size_t i = 0; i < args->flags.n_keywords; i++)
        keywords[i] = yb_arena_dup(arena, args->flags.keywords[i]);
    in->s = s;
    in->arena = arena;
    in->tag = yb_arena_dup(arena, tag);
    in->message = message;
    in->put = (struct yb_put){
        .mailbox = yb_arena_dup(arena, args->mailbox).p,
        .id = yb_delivery_id_new(),
        .flags = args->flags.flags,
        .keywords = keywords,
        .n_keywords = args->flags.n_keywords,
        .has_date = args->has_date,
        .internal_date = args->date,
        .quota_bytes = s->quota,
    };
    return in;
}

void
imapd_append_data(struct imapd_incoming *in, struct yb_str block, unsigned flags)
{
    union {
        const char *from;
        void *to;
    } bytes = { .from = block.p }; /* struct iovec has no const */
    struct iovec v = { .iov_base = bytes.to, .iov_len = block.n };

    if (in->failed)
        return;
    if ((flags & YB_IN_NUL) != 0) {
        yb_err_as(&in->err, YB_ERR_CONTENT, YB_PERM, "5.6.0", "The message holds a NUL byte");
        in->failed = true;
    } else if (block.n > 0 && yb_store_put_write(in->message, &v, 1, &in->err) < 0) {
        in->failed = true;
    }
}

static void
answer_appended(struct imapd_cmd *c, const struct yb_put_result *result)
{
    imapd_count(c->s->server, IMAPD_COUNT_APPENDED, 1);
    imapd_count(c->s->server, IMAPD_COUNT_COMMANDS, 1);
    imapd_ok(c, yb_arena_printf(c->arena, "[APPENDUID %u %u] APPEND completed", result->uidvalidity,
                                result->uid));
}

void
imapd_append_end(struct yb_conn *conn, struct imapd_incoming **in, struct yb_str rest)
{
    struct imapd_incoming *a = *in;
    struct yb_put_result result = { 0 };
    struct yb_err err = { 0 };
    struct imapd_cmd c;

    imapd_cmd_begin(&c, conn, a->tag);
    if (rest.n > 0)
        imapd_bad(&c, YB_STR("Something follows the message"));
    else if (a->failed)
        imapd_no(&c, &a->err);
    else if (yb_store_put_place(a->message, &a->put, &result, &err) < 0 ||
             yb_store_put_commit(&a->message, &err) < 0)
        imapd_no(&c, &err);
    else
        answer_appended(&c, &result);
    imapd_cmd_flush(&c);
    imapd_append_abort(in);
}

void
imapd_append_abort(struct imapd_incoming **in)
{
    struct yb_arena *arena;

    if (*in == NULL)
        return;
    arena = (*in)->arena;
    if ((*in)->message != NULL)
        yb_store_put_abort(&(*in)->message);
    yb_arena_free(&arena);
    *in = NULL;
}
