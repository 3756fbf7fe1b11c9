/* yubin account … */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct ctl_option_row add_options[] = {
    { "--store", "NAME", "store that holds the mailbox (one that is live, by its room)" },
    { "--home", "NODE-ID", "the same, by the node that the store is at home on" },
    { "--verifier", "TEXT",
      "password as a verifier: SCRAM-SHA-256$…, {SHA512-CRYPT}…, {BLF-CRYPT}…" },
    { "--no-password", NULL, "nobody can log in; nothing is read from standard input" },
    { "--from", "FILE", "many accounts, JSON Lines (-: standard input); all or none" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row reason_options[] = {
    { "--reason", "TEXT", "told to the user who logs in" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row label_options[] = {
    { "--label", "TEXT", "which program or device it is for" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row page_options[] = { CTL_SEARCH_OPTION,
                                                      CTL_PAGE_OPTIONS,
                                                      { NULL, NULL, NULL } };
static const struct ctl_option_row retire_options[] = {
    { "--moved-to", "ADDRESS", "refuse, and tell the new address" },
    { "--forward-to", "ADDRESS", "send on" },
    { "--tell", NULL, "with --forward-to: the sender may be told" },
    { "--until", "TIME", "ends by itself, 2027-01-31 (never)" },
    { NULL, NULL, NULL },
};

static void
import_problem(void *arg YB_UNUSED, size_t line, const char *text)
{
    fprintf(stderr, "line %zu: %s\n", line, text);
}

static void
import_progress(void *arg YB_UNUSED, const char *what, size_t done, size_t of)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%s: %zu of %zu ", what, done, of);
}

static int
account_import(struct ctl *c, struct yb_str from, json_t **out, struct yb_err *err)
{
    struct yb_admin_import import = { .problem = import_problem, .progress = import_progress };
    bool in = yb_str_eq(from, YB_STR("-"));
    int fd = in ? STDIN_FILENO : open(from.p, O_RDONLY | O_CLOEXEC), rc;
    struct stat st;

    if (fd < 0)
        return yb_err_set(err, YB_PERM, "5.5.4", "%s: %s", from.p, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return yb_err_set(err, YB_PERM, "5.5.4", "%s is a folder", from.p);
    }
    rc = yb_admin_account_import(c->admin, &c->actor, fd, &import, err);
    if (!in)
        close(fd);
    if (rc == 0)
        *out = json_pack("{s:I, s:I}", "accounts", (json_int_t)import.accounts, "without_scram",
                         (json_int_t)import.without_scram);
    return rc;
}

static int
account_add(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_account v = {
        .values = ctl_values(c),
        .store = ctl_option(c, "--store"),
        .home_node = ctl_option(c, "--home"),
        .verifier = ctl_option(c, "--verifier"),
    };

    if (ctl_has(c, "--from") && (c->n_words > 0 || c->n_options > 1))
        return yb_err_set(err, YB_PERM, "5.5.4",
                          "--from goes alone: the file says everything of its accounts");
    if (ctl_has(c, "--from"))
        return account_import(c, ctl_option(c, "--from"), out, err);
    if (c->n_words == 0)
        return yb_err_set(err, YB_PERM, "5.5.4", "Which address? Or --from FILE");
    if (v.verifier.p == NULL && !ctl_has(c, "--no-password") &&
        ctl_password(c, &v.verifier, err) < 0)
        return -1;
    if (ctl_begin(c, err) < 0)
        return -1;
    return yb_admin_account_add(c->tx, ctl_word(c, 0), &v, out, err);
}

static int
account_set(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_account v = { .values = ctl_values(c) };

    return yb_admin_account_set(c->tx, ctl_word(c, 0), &v, out, err);
}

static int
account_password(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_account v = { .verifier = YB_STR_INIT("") };

    if (ctl_password(c, &v.verifier, err) < 0 || ctl_begin(c, err) < 0)
        return -1;
    return yb_admin_account_set(c->tx, ctl_word(c, 0), &v, out, err);
}

static int
account_show(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_account_show(c->tx, ctl_word(c, 0), out, err);
}

static int
account_list(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    return yb_admin_account_list(c->tx, c->n_words > 0 ? ctl_word(c, 0) : YB_STR(""), page, out,
                                 err);
}

static int
account_suspend(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_str reason = ctl_option(c, "--reason");

    return yb_admin_account_suspend(c->tx, ctl_word(c, 0),
                                    reason.n > 0 ? reason : YB_STR("please ask your provider"), out,
                                    err);
}

static int
account_resume(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_account_suspend(c->tx, ctl_word(c, 0), YB_STR(""), out, err);
}

static int
account_delete(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_account_delete(c->tx, ctl_word(c, 0), out, err);
}

static int
account_forward(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_account_forward(c->tx, ctl_word(c, 0), ctl_word(c, 1), true, out, err);
}

static int
account_unforward(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_account_forward(c->tx, ctl_word(c, 0), ctl_word(c, 1), false, out, err);
}

static int
account_allow_sender(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_account_may_send(c->tx, ctl_word(c, 0), ctl_word(c, 1), true, out, err);
}

static int
account_deny_sender(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_account_may_send(c->tx, ctl_word(c, 0), ctl_word(c, 1), false, out, err);
}

static struct yb_str
label(const struct ctl *c)
{
    struct yb_str v = ctl_option(c, "--label");

    return v.p == NULL ? YB_STR("") : v;
}

static int
account_app_password(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_account_app_password(c->tx, ctl_word(c, 0), label(c), out, err);
}

static int
account_app_revoke(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_account_app_revoke(c->tx, ctl_word(c, 0), label(c), out, err);
}

static int
account_retire(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_str moved = ctl_option(c, "--moved-to"), forward = ctl_option(c, "--forward-to");
    struct yb_admin_retirement v = { .kind = YB_STR_INIT("deleted"),
                                     .expires_at = ctl_option(c, "--until") };

    if (ctl_has(c, "--tell") && forward.n == 0)
        return yb_err_set(err, YB_PERM, "5.5.4", "--tell goes with --forward-to");
    if (moved.n > 0 && forward.n > 0)
        return yb_err_set(err, YB_PERM, "5.5.4", "--moved-to or --forward-to, not both");
    if (moved.n > 0) {
        v.kind = YB_STR("moved");
        v.new_address = moved;
    } else if (forward.n > 0) {
        v.kind = ctl_has(c, "--tell") ? YB_STR("forward_tell") : YB_STR("forward");
        v.new_address = forward;
    }
    return yb_admin_retire(c->tx, ctl_word(c, 0), &v, out, err);
}

static int
account_restore(struct ctl *c, json_t **out YB_UNUSED, struct yb_err *err)
{
    return yb_admin_restore(c->tx, ctl_word(c, 0), err);
}

static int
account_retired(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    return yb_admin_retired_list(c->tx, c->n_words > 0 ? ctl_word(c, 0) : YB_STR(""), page, out,
                                 err);
}

#define ACCOUNT_COLUMNS "address tenant quota_bytes bytes messages suspended name"
#define RETIRED_COLUMNS "address tenant kind new_address expires_at"

/* clang-format off */
const struct ctl_command ctl_account_commands[] = {
    { "account", "add", "[ADDRESS]", "a mailbox; its password comes from standard input",
      .options = add_options, .fields = &yb_admin_account_fields, .late = true, .run = account_add },
    { "account", "list", "[DOMAIN]", "all mailboxes, or a domain's",
      .options = page_options, .columns = ACCOUNT_COLUMNS, .run = ctl_list, .list = account_list },
    { "account", "show", "ADDRESS", "one mailbox",
      .run = account_show },
    { "account", "set", "ADDRESS", "changes what the options say",
      .fields = &yb_admin_account_fields, .run = account_set },
    { "account", "password", "ADDRESS", "a new password, from standard input",
      .late = true, .run = account_password },
    { "account", "app-password", "ADDRESS", "makes a password for one program and shows it once",
      .options = label_options, .run = account_app_password },
    { "account", "app-revoke", "ADDRESS", "takes app passwords away (all, or a label's)",
      .options = label_options, .run = account_app_revoke },
    { "account", "forward", "ADDRESS TARGET", "sends its mail on, too",
      .run = account_forward },
    { "account", "unforward", "ADDRESS TARGET", "ends that",
      .run = account_unforward },
    { "account", "allow-sender", "ADDRESS AS", "may send as another address, or as @domain, of its tenant",
      .run = account_allow_sender },
    { "account", "deny-sender", "ADDRESS AS", "ends that",
      .run = account_deny_sender },
    { "account", "suspend", "ADDRESS", "mail waits at the senders (450), logins are refused",
      .options = reason_options, .run = account_suspend },
    { "account", "resume", "ADDRESS", "ends a suspension",
      .run = account_resume },
    { "account", "retire", "ADDRESS", "the address answers as unknown, moved, or sends on; the mailbox stays",
      .options = retire_options, .run = account_retire },
    { "account", "restore", "ADDRESS", "ends a retirement",
      .run = account_restore },
    { "account", "retired", "[DOMAIN]", "retired addresses",
      .options = page_options, .columns = RETIRED_COLUMNS, .run = ctl_list, .list = account_retired },
    { "account", "delete", "ADDRESS", "the account; its mail goes with `yubin store remove ID`",
      .run = account_delete },
    { .noun = NULL },
};
/* clang-format on */
