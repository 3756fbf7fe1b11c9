/* yubin store …, mailbox …: stores, and the mail of this node, as whoever owns it. */
#include "ctl/ctl.h"

#include "lib/home/home.h"

#include "lib/store/store.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORT_AT_ONCE 256

static const struct ctl_option_row store_options[] = {
    { "--owner", "USER", "whose files they are (root: " YB_ROLE_USER(LMTPD) ")" },
    { NULL, NULL, NULL },
};

/* Root becomes the owner of the mail before it touches any: what it made would be nobody else's. */
static int
become_owner(const char *root, struct yb_err *err)
{
    struct stat st;

    if (stat(root, &st) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "%s", root);
    if (geteuid() != 0 || st.st_uid == 0)
        return 0;
    if (setgroups(0, NULL) < 0 || setgid(st.st_gid) < 0 || setuid(st.st_uid) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "become the owner of %s", root);
    return 0;
}

/* Before that: PostgreSQL may know who we are by our system user. The connection is kept. */
static int
connect_first(struct ctl *c, struct yb_err *err)
{
    return ctl_begin(c, err) < 0 ? -1 : ctl_commit(c, err);
}

static int
store_open(struct ctl *c, struct yb_store **s, struct yb_err *err)
{
    const struct yb_common_conf *common;
    struct yb_store_conf conf = { 0 };

    if (ctl_common(c, &common, err) < 0 ||
        yb_node_id_read(common->node_id_file, &conf.node, err) < 0 || connect_first(c, err) < 0 ||
        become_owner(common->mail_root, err) < 0)
        return -1;
    conf.root = common->mail_root;
    conf.form = (enum yb_store_form)common->store_form;
    conf.notify_path = yb_arena_printf(c->arena, "%s/imapd/notify", common->run_dir).p;
    return yb_store_root_open(&conf, NULL, s, err);
}

/* The folder for the mail, made and given to its owner. */
static int
make_root(struct ctl *c, const char *root, struct yb_err *err)
{
    struct yb_str owner = ctl_option(c, "--owner");
    const struct passwd *pw;

    if (mkdir(root, 0700) < 0 && errno != EEXIST)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "make %s", root);
    if (owner.n == 0 && geteuid() != 0)
        return 0;
    if (owner.n == 0)
        owner = YB_STR(YB_ROLE_USER(LMTPD));
    pw = getpwnam(owner.p);
    if (pw == NULL)
        return yb_err_set(err, YB_PERM, "5.3.5", "There is no user %s on this machine: say --owner",
                          owner.p);
    if (chown(root, pw->pw_uid, pw->pw_gid) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "give %s to %s", root, pw->pw_name);
    return 0;
}

/* What the database says that this node has; before a store is made that would take its place. */
static int
store_known(struct ctl *c, struct yb_node_id node, bool *known, struct yb_err *err)
{
    struct yb_str had;

    if (ctl_begin(c, err) < 0 || yb_admin_node_store_of(c->tx, node, &had, err) < 0)
        return -1;
    *known = had.n > 0;
    return ctl_commit(c, err);
}

/* The id of the store in mail_root: of one that is made now, unless the node has one, or of one that is
 * there and that the database does not know of (its row was lost). */
static int
store_take(const struct yb_common_conf *common, bool known, char id[YB_ID_TEXT], struct yb_err *err)
{
    struct yb_store_conf conf = { .root = common->mail_root };
    char path[4096];
    struct yb_store_id found;
    struct yb_store *s = NULL;
    struct yb_err why = { 0 };
    int rc = -1;

    snprintf(path, sizeof(path), "%s/.yubin-store", common->mail_root);
    if (known && access(path, F_OK) < 0)
        return yb_err_set(
            err, YB_PERM, "5.3.0",
            "This node has a store, and %s is none: mount it there. If it is lost, begin "
            "anew: write its id (yubin node show) into %s/.yubin-store",
            common->mail_root, common->mail_root);
    if (yb_store_init(common->mail_root, id, &why) == 0)
        return 0;
    if (known || why.kind != YB_ERR_EXISTS) {
        *err = why;
        return -1;
    }
    if (yb_store_root_open(&conf, NULL, &s, err) == 0 && yb_store_which(s, &found)) {
        yb_store_id_text(found, id);
        rc = 0;
    } else if (s != NULL) {
        *err = why;
    }
    yb_store_root_close(&s);
    return rc;
}

static int
store_init(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_common_conf *common;
    struct yb_node_id node;
    char id[YB_ID_TEXT];
    bool known;
    int fd;

    if (ctl_common(c, &common, err) < 0 || yb_node_id_read(common->node_id_file, &node, err) < 0 ||
        store_known(c, node, &known, err) < 0 || make_root(c, common->mail_root, err) < 0)
        return -1;
    fd = yb_home_store_id_open(common, err);
    if (fd < 0)
        return -1;
    if (become_owner(common->mail_root, err) < 0 || store_take(common, known, id, err) < 0) {
        close(fd);
        return -1;
    }
    if (yb_home_store_id_write(fd, id, err) < 0 || ctl_begin(c, err) < 0 ||
        yb_admin_node_store(c->tx, node, yb_str_from(id), err) < 0)
        return -1;
    *out = json_pack("{s:s, s:s}", "mail_root", common->mail_root, "store_id", id);
    return 0;
}

/* Is its store at home on this node? */
static bool
is_here(const json_t *card, struct yb_node_id node)
{
    const char *home = json_string_value(json_object_get(card, "home_node"));
    struct yb_node_id id;

    return home != NULL && yb_node_id_parse(yb_str_from(home), &id) && yb_node_id_eq(id, node);
}

/* The id of an account's row, by its address. Its mail must be here. */
static int
account_id(struct ctl *c, struct yb_str address, struct yb_account_id *id, struct yb_err *err)
{
    const struct yb_common_conf *common;
    struct yb_node_id node;
    const char *store;
    json_t *card = NULL;
    int rc = ctl_common(c, &common, err);

    if (rc == 0)
        rc = yb_node_id_read(common->node_id_file, &node, err);
    if (rc == 0)
        rc = ctl_begin(c, err);
    if (rc == 0)
        rc = yb_admin_account_show(c->tx, address, &card, err);
    if (rc == 0 && !yb_account_id_parse(
                       yb_str_from(json_string_value(json_object_get(card, "account_id"))), id))
        rc = yb_err_inside(err, YB_BUG, "4.3.0", "no account_id in the card");
    store = json_string_value(json_object_get(card, "store"));
    if (rc == 0 && !is_here(card, node))
        rc =
            yb_err_set(err, YB_PERM, "5.5.4", "This mailbox lives in the store %s, on another node",
                       store == NULL ? "?" : store);
    json_decref(card);
    return rc;
}

static int
check_one(struct yb_store *s, struct yb_account_id id, struct yb_store_check *sum,
          struct yb_err *err)
{
    struct yb_store_account *a = NULL;
    struct yb_store_check one = { 0 };
    int rc = yb_store_open(s, id, false, &a, err);

    if (rc < 0) /* an account nobody ever wrote to has no folder, which is well */
        return err->class == YB_PERM ? 0 : -1;
    rc = yb_store_check_account(a, &one, err);
    sum->mailboxes += one.mailboxes;
    sum->messages += one.messages;
    sum->rebuilt += one.rebuilt;
    sum->lost += one.lost;
    sum->foreign += one.foreign;
    yb_store_close(&a);
    return rc;
}

/* Every account whose store is at home here. */
static int
check_all(struct ctl *c, struct yb_store *s, struct yb_node_id node, struct yb_store_check *sum,
          struct yb_err *err)
{
    struct yb_admin_page page = { .after = YB_STR_INIT("") };
    int rc = 0;

    do {
        json_t *list = NULL, *card;
        size_t i;

        if (ctl_begin(c, err) < 0 ||
            yb_admin_account_list(c->tx, YB_STR(""), &page, &list, err) < 0)
            return -1;
        page.after = yb_arena_dup(c->arena, page.next); /* of the transaction's memory */
        if (ctl_commit(c, err) < 0) {
            json_decref(list);
            return -1;
        }
        json_array_foreach(list, i, card)
        {
            struct yb_account_id id;
            const char *text = json_string_value(json_object_get(card, "account_id"));

            if (rc == 0 && is_here(card, node) && yb_account_id_parse(yb_str_from(text), &id))
                rc = check_one(s, id, sum, err);
        }
        json_decref(list);
    } while (rc == 0 && page.after.n > 0);
    return rc;
}

/* What was counted anew is known at once, whether a daemon touches these mailboxes or not. */
static int
report(struct ctl *c, struct yb_store *s, struct yb_node_id node, struct yb_err *err)
{
    struct yb_account_id ids[REPORT_AT_ONCE];
    struct yb_usage usage[REPORT_AT_ONCE];
    struct yb_usage_report told[REPORT_AT_ONCE];
    struct yb_store_id store;
    size_t n;

    if (!yb_store_which(s, &store))
        return yb_err_inside(err, YB_TEMP, "4.3.0", "the store is away");
    do {
        n = yb_store_changed_usage(s, ids, usage, REPORT_AT_ONCE);
        for (size_t i = 0; i < n; i++)
            told[i] = yb_home_report(ids[i], &usage[i]);
        if (n > 0 &&
            (ctl_begin(c, err) < 0 || yb_admin_usage(c->tx, store, node, told, n, err) < 0 ||
             ctl_commit(c, err) < 0))
            return -1;
    } while (n == REPORT_AT_ONCE);
    return 0;
}

static int
store_check(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_store *s = NULL;
    struct yb_store_check sum = { 0 };
    struct yb_err ignored = { 0 };
    const struct yb_common_conf *common;
    struct yb_account_id id;
    struct yb_node_id node;
    int rc = store_open(c, &s, err);

    if (rc == 0 && (rc = ctl_common(c, &common, err)) == 0)
        rc = yb_node_id_read(common->node_id_file, &node, err);
    if (rc == 0 && c->n_words == 0)
        rc = check_all(c, s, node, &sum, err);
    else if (rc == 0 && (rc = account_id(c, ctl_word(c, 0), &id, err)) == 0 &&
             (rc = ctl_commit(c, err)) == 0)
        rc = check_one(s, id, &sum, err);
    if (rc < 0)
        yb_admin_rollback(&c->tx);
    if (s != NULL && report(c, s, node, rc < 0 ? &ignored : err) < 0)
        rc = -1;
    yb_store_root_close(&s);
    if (rc == 0)
        *out = json_pack("{s:I, s:I, s:I, s:I, s:I}", "mailboxes", (json_int_t)sum.mailboxes,
                         "messages", (json_int_t)sum.messages, "rebuilt", (json_int_t)sum.rebuilt,
                         "lost", (json_int_t)sum.lost, "foreign", (json_int_t)sum.foreign);
    return rc;
}

static int
store_remove(struct ctl *c, json_t **out YB_UNUSED, struct yb_err *err)
{
    struct yb_store *s = NULL;
    struct yb_account_id id;
    bool lives;
    int rc;

    if (!yb_account_id_parse(ctl_word(c, 0), &id))
        return yb_err_set(err, YB_PERM, "5.5.4", "An account's id is 32 hex digits");
    if (ctl_begin(c, err) < 0 || yb_admin_account_lives(c->tx, id, &lives, err) < 0)
        return -1;
    if (lives)
        return yb_err_set(err, YB_PERM, "5.5.4", "This account exists: delete it first");
    yb_admin_deed(c->tx, "store.remove", ctl_word(c, 0));
    if (ctl_commit(c, err) < 0)
        return -1;
    rc = store_open(c, &s, err);
    if (rc == 0)
        rc = yb_store_remove(s, id, err);
    yb_store_root_close(&s);
    return rc;
}

static int
mailbox_path(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_common_conf *common;
    struct yb_account_id id;
    char below[128];

    if (ctl_common(c, &common, err) < 0 || account_id(c, ctl_word(c, 0), &id, err) < 0)
        return -1;
    yb_store_path(id, below, sizeof(below));
    if (c->json)
        *out = json_pack("{s:o}", "path", json_sprintf("%s/%s", common->mail_root, below));
    else
        printf("%s/%s\n", common->mail_root, below);
    return 0;
}

/* --- stores, of all nodes --- */

static int
store_list(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_store_list(c->tx, out, err);
}

static int
store_show(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_store_show(c->tx, ctl_word(c, 0), out, err);
}

static int
store_set(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_values v = ctl_values(c);

    return yb_admin_store_set(c->tx, ctl_word(c, 0), &v, out, err);
}

/* clang-format off */
const struct ctl_command ctl_store_commands[] = {
    { "store", "init", "", "makes mail_root ready for mail",
      .options = store_options, .late = true, .run = store_init },
    { "store", "list", "", "all stores, and the nodes they are at home on",
      .columns = "name node state weight room accounts store_id", .run = store_list },
    { "store", "show", "NAME", "one store",
      .run = store_show },
    { "store", "set", "NAME", "changes what the options say",
      .fields = &yb_admin_store_fields, .run = store_set },
    { "store", "check", "[ADDRESS]", "compares indexes with the Maildirs and mends them",
      .late = true, .run = store_check },
    { "store", "remove", "ACCOUNT-ID", "removes the mail of a deleted account",
      .late = true, .run = store_remove },
    { "mailbox", "path", "ADDRESS", "where its Maildir lies",
      .run = mailbox_path },
    { .noun = NULL },
};
/* clang-format on */
