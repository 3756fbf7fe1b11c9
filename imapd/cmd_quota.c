/* QUOTA (RFC 9208): one root, "", for the whole account, with STORAGE in units of 1024 octets. An
 * account without a limit has none: a root without resources could not be told. */
#include "imapd/cmd.h"
#include "imapd/reply.h"

static int
tell_quota(struct imapd_cmd *c, struct yb_err *err)
{
    struct yb_usage usage;

    if (yb_store_usage(c->s->account, &usage, err) < 0)
        return -1;
    yb_buf_add(c->out, YB_STR("* QUOTA \"\" (STORAGE "));
    yb_buf_add_u64(c->out, (usage.bytes + 1023) / 1024);
    yb_buf_add_c(c->out, ' ');
    yb_buf_add_u64(c->out, c->s->quota / 1024);
    yb_buf_add(c->out, YB_STR(")\r\n"));
    return 0;
}

int
imapd_cmd_getquota(struct imapd_cmd *c, struct yb_err *err)
{
    struct yb_str root;

    if (!imapd_lex_astring(&c->lex, &root) || !imapd_lex_end(&c->lex))
        return imapd_wrong(c, err);
    if (root.n > 0 || c->s->quota == 0)
        return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.2.0", "There is no such quota root");
    if (tell_quota(c, err) < 0)
        return -1;
    imapd_ok(c, YB_STR("GETQUOTA completed"));
    return 0;
}

int
imapd_cmd_getquotaroot(struct imapd_cmd *c, struct yb_err *err)
{
    struct yb_str mailbox;

    if (!imapd_lex_mailbox(&c->lex, &mailbox) || !imapd_lex_end(&c->lex))
        return imapd_wrong(c, err);
    yb_buf_add(c->out, YB_STR("* QUOTAROOT "));
    imapd_put_mailbox(c->out, mailbox, c->arena);
    yb_buf_add(c->out, c->s->quota > 0 ? YB_STR(" \"\"\r\n") : YB_STR("\r\n"));
    if (c->s->quota > 0 && tell_quota(c, err) < 0)
        return -1;
    imapd_ok(c, YB_STR("GETQUOTAROOT completed"));
    return 0;
}

/* Limits are the administrator's, in the directory. */
int
imapd_cmd_setquota(struct imapd_cmd *c, struct yb_err *err)
{
    struct yb_str root;

    if (!imapd_parse_setquota(&c->lex, &root))
        return imapd_wrong(c, err);
    return yb_err_as(err, YB_ERR_DENIED, YB_PERM, "5.7.1",
                     "The quota is set by your administrator");
}
