/*
 * Provisioning against a real database, as the role yubin_operator. What is asked is written as
 * words, "noun verb word … name=value …", and what must come of it beside it: parts of the JSON
 * (with ' for "), or behind "!" a part of the error's text; "=" before them: nothing is otherwise than
 * it was. Steps of one table build on each other.
 */
#include "lib/admin/admin.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/cred/cred.h"
#include "tests/unit/db/cluster.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_WORDS 12
#define NODE "0102030405060708"
#define STORE "00112233445566778899aabbccddeeff"
#define OTHER_STORE "11112222333344445555666677778888"
#define THIRD_STORE "99998888777766665555444433332222"

static struct cluster *c;
static struct yb_admin *a;

#define SCRAM                                                                                      \
    "SCRAM-SHA-256$8192:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"    \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define CRYPT                                                                                      \
    "{SHA512-CRYPT}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/"                        \
    "jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"

/* --- the little language --- */

struct words {
    struct yb_str w[MAX_WORDS]; /* behind noun and verb */
    size_t n;
    struct yb_str keys[MAX_WORDS], values[MAX_WORDS];
    size_t n_values;
};

/* A value by its name, `p` NULL when it was not given. */
static struct yb_str
val(const struct words *w, const char *key)
{
    for (size_t i = 0; i < w->n_values; i++) {
        if (yb_str_eq(w->keys[i], yb_str_from(key)))
            return w->values[i];
    }
    return yb_str(NULL, 0);
}

static struct yb_str
word(const struct words *w, size_t i)
{
    return i < w->n ? w->w[i] : YB_STR("");
}

/* Of the last list: "after=+" goes on with it. */
static char cursor[1000];

static int
kept_cursor(const struct yb_admin_page *page, int rc)
{
    snprintf(cursor, sizeof(cursor), "%.*s", YB_STR_ARG(rc == 0 ? page->next : YB_STR("")));
    return rc;
}

static struct yb_admin_page
page_of(const struct words *w)
{
    struct yb_admin_page page = { .after = val(w, "after"), .q = val(w, "q") };

    if (yb_str_eq(page.after, YB_STR("+")))
        page.after = yb_str_from(cursor);
    if (val(w, "limit").p != NULL)
        page.limit = (unsigned)(val(w, "limit").p[0] - '0');
    return page;
}

static struct yb_admin_values
values_of(const struct words *w, const struct yb_admin_fields *f)
{
    struct yb_admin_values v = { { { NULL, 0 } } };

    for (size_t i = 0; i < f->n; i++)
        v.v[i] = val(w, f->v[i].name);
    return v;
}

static struct yb_admin_account
account_of(const struct words *w)
{
    return (struct yb_admin_account){ values_of(w, &yb_admin_account_fields), val(w, "store"),
                                      val(w, "home"), val(w, "verifier") };
}

static struct yb_admin_alias
alias_of(const struct words *w)
{
    return (struct yb_admin_alias){ values_of(w, &yb_admin_alias_fields),
                                    w->n > 1 ? w->w + 1 : NULL, w->n > 1 ? w->n - 1 : 0 };
}

#define VERB(name)                                                                                 \
    static int name(struct yb_admin_tx *tx, const struct words *w, json_t **out, struct yb_err *err)
#define W(i) word(w, i)

VERB(tenant_add)
{
    struct yb_admin_values v = values_of(w, &yb_admin_tenant_fields);
    return yb_admin_tenant_add(tx, W(0), &v, out, err);
}
VERB(tenant_set)
{
    struct yb_admin_values v = values_of(w, &yb_admin_tenant_fields);
    return yb_admin_tenant_set(tx, W(0), &v, out, err);
}
VERB(tenant_suspend)
{
    return yb_admin_tenant_suspend(tx, W(0), W(1), out, err);
}
VERB(tenant_show)
{
    return yb_admin_tenant_show(tx, W(0), out, err);
}
VERB(tenant_list)
{
    struct yb_admin_page page = page_of(w);
    return kept_cursor(&page, yb_admin_tenant_list(tx, &page, out, err));
}
VERB(tenant_delete)
{
    (void)out;
    return yb_admin_tenant_delete(tx, W(0), err);
}
VERB(domain_add)
{
    struct yb_admin_values v = values_of(w, &yb_admin_domain_fields);
    return yb_admin_domain_add(tx, W(0), W(1), &v, out, err);
}
VERB(domain_set)
{
    struct yb_admin_values v = values_of(w, &yb_admin_domain_fields);
    return yb_admin_domain_set(tx, W(0), &v, out, err);
}
VERB(domain_suspend)
{
    return yb_admin_domain_suspend(tx, W(0), W(1), out, err);
}
VERB(domain_show)
{
    return yb_admin_domain_show(tx, W(0), out, err);
}
VERB(domain_list)
{
    struct yb_admin_page page = page_of(w);
    return kept_cursor(&page, yb_admin_domain_list(tx, W(0), &page, out, err));
}
VERB(domain_delete)
{
    (void)out;
    return yb_admin_domain_delete(tx, W(0), err);
}
VERB(domain_alias)
{
    return yb_admin_domain_alias(tx, W(0), W(1), true, out, err);
}
VERB(domain_unalias)
{
    return yb_admin_domain_alias(tx, W(0), W(1), false, out, err);
}
VERB(account_add)
{
    struct yb_admin_account v = account_of(w);
    return yb_admin_account_add(tx, W(0), &v, out, err);
}
VERB(account_set)
{
    struct yb_admin_account v = account_of(w);
    return yb_admin_account_set(tx, W(0), &v, out, err);
}
VERB(account_suspend)
{
    return yb_admin_account_suspend(tx, W(0), W(1), out, err);
}
VERB(account_show)
{
    return yb_admin_account_show(tx, W(0), out, err);
}
VERB(account_list)
{
    struct yb_admin_page page = page_of(w);
    return kept_cursor(&page, yb_admin_account_list(tx, W(0), &page, out, err));
}
VERB(account_delete)
{
    return yb_admin_account_delete(tx, W(0), out, err);
}
VERB(account_app)
{
    return yb_admin_account_app_password(tx, W(0), W(1), out, err);
}
VERB(account_revoke)
{
    return yb_admin_account_app_revoke(tx, W(0), W(1), out, err);
}
VERB(account_forward)
{
    return yb_admin_account_forward(tx, W(0), W(1), true, out, err);
}
VERB(account_unforward)
{
    return yb_admin_account_forward(tx, W(0), W(1), false, out, err);
}
VERB(account_allow)
{
    return yb_admin_account_may_send(tx, W(0), W(1), true, out, err);
}
VERB(account_deny)
{
    return yb_admin_account_may_send(tx, W(0), W(1), false, out, err);
}
VERB(alias_add)
{
    struct yb_admin_alias v = alias_of(w);
    return yb_admin_alias_add(tx, W(0), &v, out, err);
}
VERB(alias_set)
{
    struct yb_admin_alias v = alias_of(w);
    return yb_admin_alias_set(tx, W(0), &v, out, err);
}
VERB(alias_show)
{
    return yb_admin_alias_show(tx, W(0), out, err);
}
VERB(alias_list)
{
    struct yb_admin_page page = page_of(w);
    return kept_cursor(&page, yb_admin_alias_list(tx, W(0), &page, out, err));
}
VERB(alias_delete)
{
    return yb_admin_alias_delete(tx, W(0), out, err);
}
VERB(retire)
{
    struct yb_admin_retirement v = { W(1), W(2), val(w, "until") };
    return yb_admin_retire(tx, W(0), &v, out, err);
}
VERB(restore)
{
    (void)out;
    return yb_admin_restore(tx, W(0), err);
}
VERB(retired)
{
    struct yb_admin_page page = page_of(w);
    return kept_cursor(&page, yb_admin_retired_list(tx, W(0), &page, out, err));
}
VERB(audit_list)
{
    const struct yb_admin_audit f = { w->n > 0 ? W(0) : yb_str(NULL, 0),
                                      val(w, "tenant"),
                                      val(w, "by"),
                                      val(w, "since"),
                                      val(w, "until"),
                                      false };
    struct yb_admin_page page = page_of(w);
    return kept_cursor(&page, yb_admin_audit_list(tx, &f, &page, out, err));
}
VERB(node_add)
{
    struct yb_node_id id;
    ck_assert(yb_node_id_parse(W(0), &id));
    return yb_admin_node_add(tx, id, W(1), val(w, "host"),
                             val(w, "store").p == NULL ? YB_STR("") : val(w, "store"), out, err);
}
VERB(node_set)
{
    return yb_admin_node_set(tx, W(0), val(w, "host"), val(w, "state"), out, err);
}
VERB(node_store)
{
    struct yb_node_id id;
    (void)out;
    ck_assert(yb_node_id_parse(W(0), &id));
    return yb_admin_node_store(tx, id, W(1), err);
}
VERB(node_show)
{
    return yb_admin_node_show(tx, W(0), out, err);
}
VERB(node_list)
{
    struct yb_admin_page page = page_of(w);
    return kept_cursor(&page, yb_admin_node_list(tx, &page, out, err));
}

VERB(store_set)
{
    struct yb_admin_values v = values_of(w, &yb_admin_store_fields);
    return yb_admin_store_set(tx, W(0), &v, out, err);
}
VERB(store_show)
{
    return yb_admin_store_show(tx, W(0), out, err);
}
VERB(store_list)
{
    (void)w;
    return yb_admin_store_list(tx, out, err);
}

static const struct {
    const char *name;
    int (*run)(struct yb_admin_tx *tx, const struct words *w, json_t **out, struct yb_err *err);
} verbs[] = {
    { "tenant add", tenant_add },
    { "tenant set", tenant_set },
    { "tenant suspend", tenant_suspend },
    { "tenant show", tenant_show },
    { "tenant list", tenant_list },
    { "tenant delete", tenant_delete },
    { "domain add", domain_add },
    { "domain set", domain_set },
    { "domain suspend", domain_suspend },
    { "domain show", domain_show },
    { "domain list", domain_list },
    { "domain delete", domain_delete },
    { "domain alias", domain_alias },
    { "domain unalias", domain_unalias },
    { "account add", account_add },
    { "account set", account_set },
    { "account suspend", account_suspend },
    { "account show", account_show },
    { "account list", account_list },
    { "account delete", account_delete },
    { "account app", account_app },
    { "account revoke", account_revoke },
    { "account forward", account_forward },
    { "account unforward", account_unforward },
    { "account allow", account_allow },
    { "account deny", account_deny },
    { "alias add", alias_add },
    { "alias set", alias_set },
    { "alias show", alias_show },
    { "alias list", alias_list },
    { "alias delete", alias_delete },
    { "account retire", retire },
    { "account restore", restore },
    { "account retired", retired },
    { "audit list", audit_list },
    { "node add", node_add },
    { "node set", node_set },
    { "node store", node_store },
    { "node show", node_show },
    { "node list", node_list },
    { "store set", store_set },
    { "store show", store_show },
    { "store list", store_list },
};

struct step {
    const char *ask, *want;
};

static const struct yb_admin_actor actor = { YB_STR_INIT("tester"), YB_STR_INIT("192.0.2.7") };

/* One verb, one transaction. */
static int
in_tx(int (*verb)(struct yb_admin_tx *, const struct words *, json_t **, struct yb_err *),
      const struct words *w, json_t **out, struct yb_err *err)
{
    struct yb_admin_tx *tx = NULL;
    size_t n;

    if (yb_admin_begin(a, &actor, &tx, err) < 0)
        return -1;
    if (verb(tx, w, out, err) == 0)
        return yb_admin_commit(&tx, err);
    (void)yb_admin_refusals(tx, &n);
    ck_assert_msg(n > 0, "%s without a refusal", err->text);
    ck_assert_ptr_null(*out);
    yb_admin_rollback(&tx);
    return -1;
}

static int
run(const char *ask, json_t **out, struct yb_err *err)
{
    struct words w = { .n = 0 };
    struct yb_str rest = yb_str_from(ask), piece, name;

    ck_assert(yb_str_split(&rest, ' ', &piece));
    name.p = piece.p;
    ck_assert(yb_str_split(&rest, ' ', &piece));
    name.n = (size_t)(piece.p + piece.n - name.p);
    while (yb_str_split(&rest, ' ', &piece)) {
        size_t at = yb_str_find(piece, '=');

        ck_assert(w.n < MAX_WORDS && w.n_values < MAX_WORDS);
        if (at == piece.n || piece.p[0] == '=') {
            w.w[w.n++] = piece;
        } else {
            w.keys[w.n_values] = yb_str_head(piece, at);
            w.values[w.n_values++] = yb_str_skip(piece, at + 1);
        }
    }
    for (size_t i = 0; i < YB_COUNT(verbs); i++) {
        if (yb_str_eq(name, yb_str_from(verbs[i].name)))
            return in_tx(verbs[i].run, &w, out, err);
    }
    ck_abort_msg("no such verb: %s", ask);
    return -1;
}

/* Every part of `want`, between blanks, is in the text; a part behind ~ is not. */
static void
check_parts(const char *ask, const char *text, const char *want)
{
    struct yb_str rest = yb_str_from(want), part;

    while (yb_str_split(&rest, ' ', &part)) {
        char wanted[400];
        bool not = part.p[0] == '~';

        part = not ? yb_str_skip(part, 1) : part;
        snprintf(wanted, sizeof(wanted), "%.*s", YB_STR_ARG(part));
        for (char *p = wanted; *p != '\0'; p++)
            *p = *p == '\'' ? '"' : *p;
        ck_assert_msg((strstr(text, wanted) != NULL) == !not, "%s: %s in %s", ask, wanted, text);
    }
}

static long
audit_rows(void)
{
    uint64_t n;

    ck_assert(yb_str_u64(yb_str_from(cluster_sql(c, "SELECT count(*) FROM audit")), INT32_MAX, &n));
    return (long)n;
}

/* Whoever changes something leaves one row; who only looks, or was refused, or set what was set, none. */
static void
check_audit(const char *ask, bool done, bool same, long before)
{
    struct yb_str rest = yb_str_from(ask), noun, verb;
    bool reads, one;

    ck_assert(yb_str_split(&rest, ' ', &noun) && yb_str_split(&rest, ' ', &verb));
    reads = yb_str_eq(verb, YB_STR("show")) || yb_str_eq(verb, YB_STR("list")) ||
            yb_str_eq(verb, YB_STR("retired"));
    one = done && !reads && !same;
    ck_assert_msg(audit_rows() - before == one, "%s: %ld rows", ask, audit_rows() - before);
    if (one)
        ck_assert_str_eq(
            cluster_sql(c, "SELECT concat_ws(' ', actor_kind, actor_name, role, via, "
                           "host(client), kind, object <> '', split_part(action, '.', "
                           "1), (before IS NULL AND after IS NULL)) FROM audit ORDER "
                           "BY id DESC LIMIT 1"),
            yb_str_eq(noun, YB_STR("tenant"))   ? "unix tester C cli 192.0.2.7 change t tenant f"
            : yb_str_eq(noun, YB_STR("domain")) ? "unix tester C cli 192.0.2.7 change t domain f"
            : yb_str_eq(noun, YB_STR("alias"))  ? "unix tester C cli 192.0.2.7 change t alias f"
            : yb_str_eq(noun, YB_STR("node"))   ? "unix tester C cli 192.0.2.7 change t node f"
            : yb_str_eq(noun, YB_STR("store"))  ? "unix tester C cli 192.0.2.7 change t store f"
                                                : "unix tester C cli 192.0.2.7 change t account f");
}

static void
take(const struct step *s)
{
    struct yb_err err = { 0 };
    json_t *out = NULL;
    long before = audit_rows();
    int rc = run(s->ask, &out, &err);

    check_audit(s->ask, rc == 0, s->want[0] == '=', before);

    if (s->want[0] == '!') {
        ck_assert_msg(rc < 0, "%s was done", s->ask);
        ck_assert_msg(err.class == YB_PERM && strstr(err.text, s->want + 1) != NULL, "%s: %s",
                      s->ask, err.text);
        ck_assert_msg(!err.internal, "%s: %s", s->ask, err.text); /* the operator reads it */
        ck_assert_msg(strstr(err.text, "database:") == NULL, "%s: %s", s->ask, err.text);
        ck_assert_ptr_null(out);
    } else {
        char *text = out == NULL ? NULL : json_dumps(out, JSON_COMPACT);

        ck_assert_msg(rc == 0, "%s: %s", s->ask, err.text);
        check_parts(s->ask, text == NULL ? "" : text, s->want + (s->want[0] == '='));
        free(text);
    }
    json_decref(out);
}

#define TAKE(steps)                                                                                \
    do {                                                                                           \
        for (size_t i_ = 0; i_ < YB_COUNT(steps); i_++)                                            \
            take(&(steps)[i_]);                                                                    \
    } while (0)

/* --- the steps --- */

/* clang-format off */
static const struct step node_steps[] = {
    { "node add " NODE " here host=here.test", "'name':'here' 'node_id':'" NODE "' 'host':'here.test' 'state':'live' 'accounts':0" },
    { "node add " NODE " again", "!This node is in the database already" },
    { "node add 1112131415161718 here", "!There is a node of this name already" },
    { "node set here host=there.test", "'host':'there.test' 'state':'live'" },
    { "node set here state=asleep", "!A node's state is live, leaving or gone" },
    { "node add 3132333435363738 -x", "!A node's name begins with a letter or a digit" },
    { "node add 3132333435363738 none", "!none is no name for a node" },
    { "node add 3132333435363738 a\x01", "!A node's name has 1 to 200 octets" },
    { "node set there host=x", "!There is no such node" },
    { "node show there", "!There is no such node" },
    { "node show here", "'store_id':null" },
    { "node store " NODE " " STORE, "" },
    { "node show here", "'store_id':'" STORE "'" },
    { "store list", "'name':'here' 'store_id':'" STORE "' 'state':'live' 'node':'here' 'weight':100 'room':null 'room_at':null 'accounts':0" },
    { "node store 1112131415161718 44", "!There is no such node" },
    { "node list", "'name':'here'" },
};
static const struct step tenant_steps[] = {
    { "tenant add t1 contact=it@t1.test max_domains=2 max_accounts=10 max_bytes=1000", "'name':'t1' 'contact':'it@t1.test' 'max_domains':2 'max_accounts':10 'max_bytes':1000 'suspended':null" },
    { "tenant add t1", "!There is a tenant of this name already" },
    { "tenant add ", "!A tenant needs a name" },
    { "tenant add a\nb", "!holds no line ends" },
    { "tenant add a\xff", "!is UTF-8" },
    { "tenant add t2 contact=nonsense", "!nonsense" },
    { "tenant add t2 contact=it@t1..test", "!it@t1..test" },
    { "tenant add t2 max_domains=many", "!many" },
    { "tenant add t2 max_domains=-1", "!is not a " },
    { "tenant add t2 max_accounts=-1", "!is not a " },
    { "tenant add t2 max_bytes=0", "!more than 0 bytes" },
    { "tenant add t2", "'max_domains':null 'contact':null" },
    { "tenant set t1 contact=", "'contact':null 'max_domains':2" },
    { "tenant set t1 max_domains= max_accounts=11", "'max_domains':null 'max_accounts':11 'max_bytes':1000" },
    { "tenant set t9 max_domains=1", "!There is no such tenant" },
    { "tenant suspend t1 unpaid", "'suspended':'unpaid'" },
    { "tenant suspend t1", "'suspended':null" },
    { "tenant suspend t9 unpaid", "!There is no such tenant" },
    { "tenant show t9", "!There is no such tenant" },
    { "tenant list", "'name':'t1' 'name':'t2'" },
    { "tenant list limit=1", "'name':'t1' ~'name':'t2'" },
    { "tenant list after=+", "~'name':'t1' 'name':'t2'" },
    { "tenant list q=T2", "~'name':'t1' 'name':'t2'" },
    { "tenant list after=t2", "!" },
    { "tenant delete t9", "!There is no such tenant" },
    { "tenant delete t2", "" },
    { "tenant show t2", "!There is no such tenant" },
};
static const struct step domain_steps[] = {
    { "tenant add d1 max_domains=3", "" },
    { "domain add d1 Plain.Test.", "'name':'plain.test' 'written':null 'tenant':'d1' 'state':'active' 'separator':'+' 'subdomains':'none' 'full_days':3 'catch_all':null 'aliases':[]" },
    { "domain add d1 plain.test", "!This domain is hosted already" },
    { "domain add d9 other.test", "!There is no such tenant" },
    { "domain add d1 b\303\274cher.test contact=x@y.test catch_all=z@y.test separator=- subdomains=one full_days=0 max_accounts=2 max_bytes=99", "'name':'xn--bcher-kva.test' 'contact':'x@y.test' 'catch_all':'z@y.test' 'separator':'-' 'subdomains':'one' 'full_days':0 'max_accounts':2 'max_bytes':99" },
    { "domain show B\303\234CHER.test", "'name':'xn--bcher-kva.test'" },
    { "domain add d1 a..test", "!a..test" },
    { "domain add d1 -a.test", "!-a.test" },
    { "domain add d1 [127.0.0.1]", "![127.0.0.1]" },
    { "domain add d1 x@y.test", "!x@y.test" },
    { "domain set plain.test separator=!", "!! is not one of + - = _ . # ~ /, or none" },
    { "domain set plain.test separator=", "'separator':null" },
    { "domain set plain.test separator=_ subdomains=some", "!some is not one of none one any" },
    { "domain set plain.test subdomains=any catch_all=all@plain.test", "'subdomains':'any' 'separator':null 'catch_all':'all@plain.test'" },
    { "domain set plain.test catch_all=", "'catch_all':null 'subdomains':'any'" },
    { "domain set plain.test catch_all=nonsense", "!nonsense" },
    { "domain set plain.test catch_all=x@[192.0.2.1]", "!x@[192.0.2.1]: the address has no domain name" },
    { "domain set plain.test contact=it@plain..test", "!it@plain..test" },
    { "domain add d1 c.test catch_all=a..b@y.test", "!a..b@y.test" },
    /* Kept without quotes, or nobody would find it; shown with those it needs. */
    { "domain set plain.test catch_all=\"a/b\"@Y.test contact=\"a..b\"@y.test", "'catch_all':'a/b@y.test' 'contact':'\\\"a..b\\\"@y.test'" },
    { "domain set plain.test catch_all= contact=", "'catch_all':null 'contact':null" },
    { "domain set plain.test full_days=-1", "!is not a " },
    { "domain set plain.test full_days=x", "!x" },
    { "domain set other.test full_days=1", "!There is no such domain" },
    { "domain alias plain.test Other.Test", "'aliases':['other.test']" },
    { "domain alias plain.test other.test", "!There is a domain alias of this name already" },
    { "domain alias plain.test plain.test", "!This name is a domain or a domain alias already" },
    { "domain alias nowhere.test x.test", "!There is no such domain" },
    { "domain add d1 other.test", "!This name is a domain or a domain alias already" },
    { "domain unalias xn--bcher-kva.test other.test", "!There is no such domain alias" },
    { "domain unalias plain.test other.test", "'aliases':[]" },
    { "domain add d1 third.test", "" },
    { "domain add d1 fourth.test", "!tenant d1 may have 3 domains" },
    { "domain suspend third.test why", "'suspended':'why'" },
    { "domain suspend third.test", "'suspended':null" },
    { "domain show fourth.test", "!There is no such domain" },
    { "domain list", "'name':'plain.test' 'name':'third.test' 'name':'xn--bcher-kva.test'" },
    { "domain list d1 limit=1", "'name':'plain.test' ~third" },
    { "domain list d1 after=+ limit=1", "~'name':'plain.test' 'name':'third.test' ~'name':'xn" },
    { "domain list after=+", "!cursor" }, /* of another question */
    { "domain list q=IRD.", "~'name':'plain.test' 'name':'third.test' ~'name':'xn" },
    { "domain list d1 q=B\303\234cher", "~'name':'plain.test' 'name':'xn" },
    { "domain list d9", "!There is no tenant d9" },
    { "domain list d9 q=a", "!There is no tenant d9" },
    { "domain list d1 q=nothing-like-that", "[]" },
    { "tenant delete d1", "!The tenant still has domains: delete them first" },
    { "account add u@plain.test", "" },
    { "domain delete plain.test", "!The domain still has accounts: delete them first" },
    { "domain delete fourth.test", "!There is no such domain" },
    { "account delete u@plain.test", "'address':'u@plain.test'" },
    { "alias add a@plain.test b@plain.test", "" },
    { "account retire c@plain.test deleted", "" },
    { "domain delete plain.test", "" },
    { "alias show a@plain.test", "!There is no such alias" },
};
static const struct step account_steps[] = {
    { "tenant add a1 max_accounts=4", "" },
    { "domain add a1 a.test max_accounts=3", "" },
    { "domain add a1 a2.test", "" },
    { "tenant add a2", "" },
    { "domain add a2 foreign.test", "" },
    { "account add Ann@A.test name=Ann quota_bytes=1000", "'address':'Ann@a.test' 'name':'Ann' 'quota_bytes':1000 'home_node':'" NODE "' 'keep_copy':true 'imap':true 'pop3':true 'submission':true 'has_password':false 'forwards':[] 'may_send_as':[] ~local_key" },
    { "account add ann@a.test", "!There is an account of this address already" },
    { "account add ANN@A.TEST", "!There is an account of this address already" },
    { "account add ann@nowhere.test", "!There is no such domain" },
    { "account add bob@a.test home=1112131415161718", "!There is no store on node 1112131415161718" },
    { "account add bob@a.test home=xyz", "!xyz is no node's id" },
    { "account add bob@a.test quota_bytes=-1", "!is not a " },
    { "account add bob@a.test quota_bytes=x", "!x" },
    { "account add bob@a.test verifier=plain", "!" },
    { "account show bob@a.test", "!There is no such account" },
    { "account add u%h@a.test", "!a local part cannot hold %, ! or @" },
    { "account add h!u@a.test", "!a local part cannot hold %, ! or @" },
    { "account add \"u@h\"@a.test", "!a local part cannot hold %, ! or @" },
    { "account add u@[127.0.0.1]", "!has no domain name" },
    { "account add u@", "!u@" },
    { "account add @a.test", "!@a.test" },
    { "account add postmaster", "!postmaster: Address without domain" },
    { "account add a..b@a.test", "!a..b@a.test" },
    { "account add u", "!" },
    { "account add bob@a.test verifier={SHA512-CRYPT}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/", "'has_password':true" },
    { "account set bob@a.test verifier=", "'has_password':false" },
    { "account set bob@a.test name=Bob quota_bytes=5 keep_copy=false imap=false pop3=false submission=false", "'name':'Bob' 'quota_bytes':5 'keep_copy':false 'imap':false 'pop3':false 'submission':false" },
    { "account set bob@a.test quota_bytes=", "'quota_bytes':0 'keep_copy':false" },
    { "account set bob@a.test imap=perhaps", "!perhaps" },
    { "account set eve@a.test quota_bytes=1", "!There is no such account" },
    { "account suspend bob@a.test gone", "'suspended':'gone'" },
    { "account suspend bob@a.test", "'suspended':null" },
    { "account suspend eve@a.test gone", "!There is no such account" },
    { "account app bob@a.test phone", "'app_passwords':1 'app_password':'" },
    { "account app bob@a.test tablet", "'app_passwords':2" },
    { "account app eve@a.test phone", "!There is no such account" },
    { "account revoke bob@a.test phone", "'app_passwords':1" },
    { "account revoke bob@a.test phone", "!There is no such app password" },
    { "account set bob@a.test verifier={SHA512-CRYPT}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/", "'has_password':true" },
    { "account revoke bob@a.test", "'app_passwords':0 'has_password':true" },
    { "account forward bob@a.test X@Far.test", "'forwards':['X@far.test']" },
    { "account forward bob@a.test x@far.test", "='forwards':['X@far.test']" },
    { "account forward bob@a.test \"a@b\"@far.test", "!a target's local part cannot hold @" },
    { "account forward bob@a.test postmaster", "!postmaster: Address without domain" },
    { "account forward eve@a.test x@far.test", "!There is no such account" },
    { "account unforward bob@a.test y@far.test", "!There is no such forward" },
    { "account unforward bob@a.test X@FAR.test", "'forwards':[]" },
    { "account allow bob@a.test sales@a2.test", "'may_send_as':['sales@a2.test']" },
    { "account allow bob@a.test @a2.test", "'may_send_as':['@a2.test','sales@a2.test']" },
    { "account allow bob@a.test boss@foreign.test", "!There is no such" },
    { "account allow bob@a.test @foreign.test", "!There is no such" },
    { "account allow bob@a.test @nowhere.test", "!There is no such" },
    { "account allow bob@a.test u%h@a.test", "!a local part cannot hold" },
    { "account deny bob@a.test boss@foreign.test", "!There is no such sender right" },
    { "account deny bob@a.test @a2.test", "'may_send_as':['sales@a2.test']" },
    { "account add carl@a.test", "" },
    { "account add dora@a.test", "!domain a.test may have 3 accounts" },
    { "account add dora@a2.test", "" },
    { "account add emil@a2.test", "!tenant a1 may have 4 accounts" },
    { "alias add carl@a.test x@far.test", "!carl@a.test is an account already" },
    { "alias add list@a.test x@far.test", "" },
    { "domain set a.test max_accounts=", "" },
    { "tenant set a1 max_accounts=", "" },
    { "account add LIST@a.test", "!LIST@a.test is an alias already" },
    { "account list a.test", "'address':'Ann@a.test' 'address':'bob@a.test' 'address':'carl@a.test' ~dora" },
    { "account list a.test limit=1", "Ann ~bob" },
    { "account list a.test after=+ limit=1", "~Ann 'address':'bob@a.test' ~carl" },
    { "account list a.test after=nonsense", "!" },
    { "account list", "'address':'Ann@a.test' 'address':'dora@a2.test'" },
    { "account list foreign.test", "[]" },
    { "account list a.test q=nobody", "[]" },
    { "account list Nowhere.test", "!There is no domain nowhere.test" },
    { "account list nowhere.test q=ann", "!There is no domain nowhere.test" },
    { "alias list nowhere.test", "!There is no domain nowhere.test" },
    { "account retired nowhere.test", "!There is no domain nowhere.test" },
    { "account retired a.test", "[]" },
    { "account delete eve@a.test", "!There is no such account" },
    { "account delete bob@a.test", "'account_id':" },
    { "account show bob@a.test", "!There is no such account" },
    { "account add bob@a.test", "'may_send_as':[] 'forwards':[] 'app_passwords':0 'has_password':false 'bytes':0" },
};
static const struct step alias_steps[] = {
    { "tenant add l1", "" },
    { "domain add l1 l.test", "" },
    { "alias add Info@l.test a@l.test B@Far.test", "'address':'Info@l.test' 'enabled':true 'expires_at':null 'targets':['a@l.test','B@far.test'] 'note':''" },
    { "alias add info@l.test a@l.test", "!There is an alias of this address already" },
    { "alias add x@l.test", "" },
    { "alias add y@l.test nonsense", "!nonsense" },
    { "alias show y@l.test", "!There is no such alias" },
    { "alias add y@nowhere.test a@l.test", "!There is no such domain" },
    { "alias add u%h@l.test a@l.test", "!a local part cannot hold" },
    { "alias add z@l.test a@l.test A@L.TEST", "'targets':['a@l.test']" },
    { "alias add z2@l.test a@l.test enabled=false expires_at=2030-01-31 note=why", "'enabled':false 'expires_at':'2030-01-31 'note':'why'" },
    { "alias add z3@l.test a@l.test expires_at=soon", "!soon" },
    { "alias set info@l.test c@l.test", "'targets':['c@l.test']" },
    { "alias set info@l.test enabled=false", "'targets':['c@l.test'] 'enabled':false" },
    { "alias set z2@l.test expires_at=", "'expires_at':null 'enabled':false 'note':'why'" },
    { "alias set z2@l.test expires_at=infinity", "='expires_at':null" },
    { "alias add z4@l.test a@l.test expires_at=infinity", "'expires_at':null" },
    { "alias add z5@l.test x@[192.0.2.1]", "!x@[192.0.2.1]: the address has no domain name" },
    { "alias add \"z..6\"@l.test \"a@b\"@l.test", "!cannot hold @" },
    { "alias add \"z..6\"@l.test \"q\\\"\"@Far.test", "'address':'\\\"z..6\\\"@l.test' 'targets':['\\\"q\\\\\\\"\\\"@far.test']" },
    { "alias list l.test q=z limit=1", "'z@l.test' ~z..6" },
    { "alias list l.test q=z limit=1 after=+", "z..6 ~'z2@l.test'" },
    { "alias list q=Z2@L.T", "'z2@l.test' ~'z@l.test'" },
    { "alias list l.test q=z2@q", "[]" },
    { "alias delete \"z..6\"@l.test", "" },
    { "alias set y@l.test c@l.test", "!There is no such alias" },
    { "alias set info@l.test c@l.test nonsense", "!nonsense" },
    { "alias show info@l.test", "'targets':['c@l.test']" },
    { "alias list l.test", "'Info@l.test' 'z@l.test'" },
    { "alias list l.test limit=1", "'Info@l.test' ~'x@l.test'" },
    { "alias list l.test after=+ limit=1", "~'Info@l.test' 'x@l.test' ~'z@l.test'" },
    { "alias delete INFO@L.test", "" },
    { "alias delete info@l.test", "!There is no such alias" },
};
static const struct step lead_steps[] = {
    { "tenant add q1", "" },
    { "domain add q1 q.test contact=boss@q.test", "'warnings':['boss@q.test:" },
    { "account add boss@q.test", "~warnings" },
    { "domain set q.test contact=BOSS@q.test", "~warnings" },
    { "domain set q.test contact=bos@q.test", "'contact':'bos@q.test' bos@q.test: address" },
    { "domain set q.test contact=boss@q.tset", "boss@q.tset hosted" },
    { "domain set q.test contact=postmaster@q.test", "!would lead back to itself" },
    { "domain show q.test", "'contact':'boss@q.tset'" },
    { "domain set q.test contact=boss@q.test catch_all=all@q.test", "'catch_all':'all@q.test' all@q.test:" },
    { "domain set q.test full_days=2", "~warnings" },
    { "account suspend boss@q.test why", "~warnings" },
    { "domain set q.test contact=boss@q.test", "=suspended" },
    { "account suspend boss@q.test", "" },
    { "account add ann@q.test", "" },
    { "alias add one@q.test two@q.test", "'warnings'" },
    { "domain set q.test catch_all=", "" },
    { "alias set one@q.test two@q.test", "=two@q.test: address" },
    { "alias add two@q.test one@q.test", "!two@q.test would lead back to itself" },
    { "alias add two@q.test one@q.test ann@q.test", "~warnings" }, /* ann has it */
    { "alias add self@q.test SELF@q.test", "!self@q.test would lead back to itself" },
    { "alias set two@q.test ann@q.test gone@q.test enabled=false", "gone@q.test:" },
    { "alias set one@q.test two@q.test", "=two@q.test disabled" },
    { "account forward ann@q.test ann@q.test", "~warnings" }, /* keeps a copy */
    { "account set ann@q.test keep_copy=false", "!ann@q.test would lead back to itself" },
    { "account forward ann@q.test nobody@q.test", "nobody@q.test:" },
    { "account unforward ann@q.test ann@q.test", "~warnings" },
    { "account retire old@q.test forward ann@q.test", "nobody@q.test:" },
    { "account retire old@q.test forward old@q.test", "!would lead back to itself" },
    /* Who still leads to what goes. */
    { "domain alias q.test q2.test", "" },
    { "alias add Team@q.test ann@q2.test", "" },
    { "domain set q.test catch_all=ann@q.test", "" },
    { "account forward boss@q.test ann@q.test", "" },
    { "alias delete two@q.test", "'warnings':['the one@q.test" },
    { "account delete ann@q.test", "'account_id' alias Team@q.test account boss@q.test retired old@q.test catch-all q.test ~contact" },
    { "account retire boss@q.test deleted", "contact q.test" },
    { "account add free@q.test", "~warnings" },
    { "account delete free@q.test", "~warnings" },
};
static const struct step value_steps[] = {
    { "tenant add v9", "" },
    { "domain add v9 v9.test", "" },
    { "account add u@v9.test", "" },
    { "account set u@v9.test quota_bytes=0", "='quota_bytes':0" },
    { "account set u@v9.test quota_bytes=512", "'quota_bytes':512" },
    { "account set u@v9.test quota_bytes=1K", "'quota_bytes':1024" },
    { "account set u@v9.test quota_bytes=2m", "'quota_bytes':2097152" },
    { "account set u@v9.test quota_bytes=3G", "'quota_bytes':3221225472" },
    { "account set u@v9.test quota_bytes=1T", "'quota_bytes':1099511627776" },
    { "account set u@v9.test quota_bytes=9223372036854775807", "'quota_bytes':9223372036854775807" },
    { "account set u@v9.test quota_bytes=none", "'quota_bytes':0" },
    { "account set u@v9.test quota_bytes=G", "!G is not a size" },
    { "account set u@v9.test quota_bytes=1.5G", "!is not a size" },
    { "account set u@v9.test quota_bytes=-1", "!is not a size" },
    { "account set u@v9.test quota_bytes=1GB", "!is not a size" },
    { "account set u@v9.test quota_bytes=9223372036854775808", "!is not a size" },
    { "account set u@v9.test quota_bytes=8388608T", "!is not a size" },
    { "account set u@v9.test imap=off pop3=No submission=false keep_copy=yes", "'keep_copy':true 'imap':false 'pop3':false 'submission':false" },
    { "account set u@v9.test imap=on pop3=Yes submission=true", "'imap':true 'pop3':true 'submission':true" },
    { "account set u@v9.test imap=", "! is not yes or no" },
    { "account set u@v9.test imap=none", "!none is not yes or no" },
    { "account set u@v9.test name=\xff", "!is UTF-8" },
    { "account set u@v9.test name=a\x1b[2J", "!without controls" },
    { "domain set v9.test full_days=none", "!is not a number" },
    { "domain set v9.test max_accounts=2147483648", "!is not a number from 0 to 2147483647, or none" },
    { "domain set v9.test subdomains=", "! is not one of none one any" },
    { "alias add a@v9.test u@v9.test expires_at=yesterday enabled=no", "'enabled':false 'expires_at':'20" },
    { "alias set a@v9.test expires_at=none", "'expires_at':null" },
    { "alias set a@v9.test expires_at=2027-02-30", "!2027-02-30 is not a time" },
    { "alias set a@v9.test expires_at=infinity", "='expires_at':null" },
};
static const struct step retire_steps[] = {
    { "tenant add r1", "" },
    { "domain add r1 r.test", "" },
    { "account add Old@r.test", "" },
    { "account retire old@r.test deleted", "'address':'old@r.test' 'kind':'deleted' 'new_address':null 'expires_at':null" },
    { "account retire old@r.test moved New@Far.test until=2030-01-01", "'kind':'moved' 'new_address':'New@far.test' 'expires_at':'2030" },
    { "account retire old@r.test moved New@Far.test until=infinity", "'expires_at':null" },
    { "account retire old@r.test forward n@far.test", "'kind':'forward' 'expires_at':null" },
    { "account retire old@r.test forward_tell n@far.test", "'kind':'forward_tell'" },
    { "account retire old@r.test moved", "!need a new address" },
    { "account retire old@r.test deleted n@far.test", "!need a new address" },
    { "account retire old@r.test asleep n@far.test", "!A retirement is deleted, moved, forward or forward_tell" },
    { "account retire old@r.test moved nonsense", "!nonsense" },
    { "account retire old@nowhere.test deleted", "!There is no such domain" },
    { "account retire u%h@r.test deleted", "!a local part cannot hold" },
    { "account retired r.test", "'old@r.test' 'kind':'forward_tell'" },
    { "account retired", "'old@r.test'" },
    { "account retired nowhere.test", "!There is no domain nowhere.test" },
    { "account restore OLD@r.test", "" },
    { "account restore old@r.test", "!There is no such retired address" },
    { "account show old@r.test", "'address':'Old@r.test'" },
};
static const struct step store_steps[] = {
    { "tenant add st", "" },
    { "domain add st st.test", "" },
    { "store set here name=ssd weight=7", "'name':'ssd' 'state':'live' 'weight':7" },
    { "store show here", "!There is no such store" },
    { "store set here weight=1", "!There is no such store" },
    { "store set ssd weight=10001", "!A store's weight is 0 to 10000" },
    { "store set ssd weight=many", "!many is not a number" },
    { "store set ssd state=asleep", "!asleep is not one of live full gone" },
    { "store set ssd name=", "!A store's name has 1 to 200 octets" },
    { "store set ssd name=-x", "!A store's name begins with a letter or a digit" },
    { "store set ssd name=--all", "!A store's name begins with a letter or a digit" },
    { "store set ssd name=None", "!none is no name for a store" },
    { "store set ssd name=any", "!any is no name for a store" },
    { "store set ssd name=9\303\274", "'name':'9" },
    { "store set 9\303\274 name=\303\274", "'name':" },
    { "store set \303\274 name=ssd", "" },
    { "store set ssd name=ssd weight=7", "='weight':7" },
    { "node add 1112131415161718 two store=" OTHER_STORE, "'name':'two' 'store_id':'" OTHER_STORE "'" },
    { "node add 2122232425262728 ssd store=" THIRD_STORE, "'name':'ssd'" }, /* the name is taken */
    { "store show " THIRD_STORE, "'name':'" THIRD_STORE "' 'node':'ssd'" },
    { "store set two name=ssd", "!There is a store of this name already" },
    { "account add a@st.test store=two", "'home_node':'1112131415161718' 'store':'two'" },
    { "account add b@st.test home=1112131415161718", "'home_node':'1112131415161718' 'store':'two'" },
    { "store set two state=gone", "!Accounts live in the store: it cannot be gone" },
    { "node store 1112131415161718 00000000000000000000000000000001", "!Accounts live in the store of node two" },
    { "account delete a@st.test", "" },
    { "account delete b@st.test", "" },
    { "store set two state=gone", "'state':'gone'" },
    { "account add c@st.test store=two", "!The store two is gone" },
    { "account add c@st.test store=three", "!There is no store three" },
    { "account add c@st.test home=3132333435363738", "!There is no store on node 3132333435363738" },
    { "account add c@st.test store=ssd home=" NODE, "!A store or a node, not both" },
    { "store set ssd state=full", "'state':'full'" },
    { "account add c@st.test home=" NODE, "!The store ssd is full" },
    { "store set " THIRD_STORE " weight=0", "" },
    { "account add c@st.test", "!No store takes new mailboxes: none is live and has a weight" },
    { "store set two state=live", "" },
    { "account add c@st.test", "'store':'two'" }, /* what has no weight gets nothing by itself */
    { "account add d@st.test store=" THIRD_STORE, "'store':'" THIRD_STORE "'" },
    { "store set ssd state=live", "" },
};
/* Its setting says where the mailboxes of a domain go. */
static const struct step wanted_steps[] = {
    { "account add e@st.test", "'store':'ssd'" },
    { "account add f@st.test store=two", "'store':'two'" },
    { "store set ssd name=disk", "!The setting of the domain st.test names the store: it keeps its name" },
    { "store set two name=disk", "!The setting of the tenant st names the store: it keeps its name" },
    { "store set two state=gone", "!Accounts live in the store: it cannot be gone" },
    { "store set ssd name=ssd state=full", "'state':'full'" },
    { "account add g@st.test", "!The domain's store, ssd, takes no new mailboxes" },
};
/* clang-format on */

START_TEST(test_nodes)
{
    cluster_sql(c, "DELETE FROM stores; DELETE FROM nodes");
    TAKE(node_steps);
}
END_TEST

/* Leaves one store, as it was. */
START_TEST(test_stores)
{
    TAKE(store_steps);
    for (int whole = 0; whole <= 1;
         whole++) { /* the tenant's setting, then the domain's before it */
        cluster_sql(c,
                    "INSERT INTO settings (tenant_id, domain_id, key, value) SELECT tenant_id,"
                    " CASE WHEN %d = 0 THEN NULL ELSE domain_id END, 'store',"
                    " CASE WHEN %d = 0 THEN '\"two\"' ELSE '\"ssd\"' END::jsonb"
                    " FROM domains WHERE name = 'st.test'",
                    whole, whole);
        if (whole == 0)
            take(&(struct step){ "account add w@st.test", "'store':'two'" });
    }
    TAKE(wanted_steps);
    cluster_sql(c, "INSERT INTO domains (tenant_id, name) SELECT tenant_id, 'st0.test' FROM tenants"
                   " WHERE name = 'st'");
    cluster_sql(
        c, "INSERT INTO settings (tenant_id, domain_id, key, value) SELECT tenant_id, domain_id,"
           " 'store', '\"two\"' FROM domains WHERE name = 'st0.test'");
    take(&(struct step){ "store set two name=disk",
                         "!The setting of the tenant st, and 1 more, names the store" });
    /* Where nobody lives a setting may wait for the first. */
    cluster_sql(c, "UPDATE settings SET value = '\"" THIRD_STORE "\"' WHERE value = '\"two\"'"
                   " AND domain_id IS NOT NULL");
    take(&(struct step){ "account delete d@st.test", "" });
    take(
        &(struct step){ "store set " THIRD_STORE " state=gone",
                        "!The setting of the domain st0.test names the store: it cannot be gone" });
    ck_assert_str_eq(
        cluster_ask(c, "postgres",
                    "UPDATE yubin.settings SET value = '\"none\"' WHERE key = 'store'"),
        "YB003");
    cluster_sql(c, "DELETE FROM settings WHERE key = 'store'; DELETE FROM accounts USING domains d"
                   " WHERE accounts.domain_id = d.domain_id AND d.name = 'st.test';"
                   " DELETE FROM domains WHERE name IN ('st.test', 'st0.test'); DELETE FROM "
                   "tenants WHERE name = 'st';"
                   " DELETE FROM stores WHERE name <> 'ssd';"
                   " DELETE FROM nodes WHERE name <> 'here';"
                   " UPDATE stores SET state = 'live', name = 'here', weight = 100");
}
END_TEST

START_TEST(test_tenants)
{
    TAKE(tenant_steps);
}
END_TEST

START_TEST(test_domains)
{
    TAKE(domain_steps);
}
END_TEST

START_TEST(test_accounts)
{
    TAKE(account_steps);
}
END_TEST

START_TEST(test_aliases)
{
    TAKE(alias_steps);
}
END_TEST

START_TEST(test_leads)
{
    TAKE(lead_steps);
}
END_TEST

START_TEST(test_values)
{
    TAKE(value_steps);
}
END_TEST

START_TEST(test_retirements)
{
    TAKE(retire_steps);
}
END_TEST

static int
lives_in_tx(struct yb_account_id id, bool *lives, struct yb_err *err)
{
    struct yb_admin_tx *tx = NULL;
    int rc = yb_admin_begin(a, &actor, &tx, err);

    if (rc == 0)
        rc = yb_admin_account_lives(tx, id, lives, err);
    yb_admin_rollback(&tx);
    return rc;
}

/* An id is never an account's again, whoever gets the address. */
START_TEST(test_lives)
{
    struct yb_err err = { 0 };
    struct yb_account_id old, new;
    json_t *out = NULL;
    bool lives = false;

    take(&(struct step){ "tenant add v1", "" });
    take(&(struct step){ "domain add v1 v.test", "" });
    ck_assert_int_eq(run("account add u@v.test", &out, &err), 0);
    ck_assert(yb_account_id_parse(
        yb_str_from(json_string_value(json_object_get(out, "account_id"))), &old));
    json_decref(out);
    ck_assert_int_eq(lives_in_tx(old, &lives, &err), 0);
    ck_assert(lives);
    take(&(struct step){ "account delete u@v.test", "" });
    ck_assert_int_eq(lives_in_tx(old, &lives, &err), 0);
    ck_assert(!lives);
    ck_assert_int_eq(run("account add u@v.test", &out, &err), 0);
    ck_assert(yb_account_id_parse(
        yb_str_from(json_string_value(json_object_get(out, "account_id"))), &new));
    json_decref(out);
    ck_assert(!yb_account_id_eq(old, new));
}
END_TEST

/* A new app password is told once, and is the one whose hash is kept. */
START_TEST(test_app_password)
{
    struct yb_err err = { 0 };
    char hash[YB_CRED_APP_HASH];
    json_t *out = NULL;
    const char *text;

    take(&(struct step){ "tenant add w1", "" });
    take(&(struct step){ "domain add w1 w.test", "" });
    take(&(struct step){ "account add u@w.test", "" });
    ck_assert_int_eq(run("account app u@w.test phone", &out, &err), 0);
    text = json_string_value(json_object_get(out, "app_password"));
    ck_assert(yb_cred_app_hash(yb_str_from(text), hash));
    ck_assert_str_eq(cluster_sql(c, "SELECT verifier FROM credentials c JOIN accounts a USING "
                                    "(account_id) JOIN domains d ON d.domain_id = a.domain_id "
                                    "WHERE d.name = 'w.test' AND kind = 'app'"),
                     hash);
    json_decref(out);
    take(&(struct step){ "account show u@w.test", "~app_password' 'app_passwords':1" });
}
END_TEST

/* --- the audit, and what is told of refusals --- */

/* Of the last row, as JSON. */
static const char *
last(const char *what)
{
    return cluster_sql(c,
                       "SELECT action || ' ' || coalesce(%s::text, '-') FROM audit "
                       "ORDER BY id DESC LIMIT 1",
                       what);
}

START_TEST(test_audit)
{
    static const struct {
        const char *ask, *before, *after; /* before: "=" in front, there is no new row */
    } steps[] = {
        { "tenant add o1 contact=a@b.test", "tenant.add -",
          "tenant.add {\"name\": \"o1\", \"contact\": \"a@b.test\"" },
        { "tenant set o1 max_domains=3", "tenant.set {\"max_domains\": null}",
          "tenant.set {\"max_domains\": 3}" },
        { "tenant set o1 max_domains=3", "=tenant.set {\"max_domains\": null}",
          "tenant.set {\"max_domains\": 3}" },
        { "tenant suspend o1 unpaid", "tenant.suspend {\"suspended\": null}",
          "tenant.suspend {\"suspended\": \"unpaid\"}" },
        { "tenant suspend o1", "tenant.resume {\"suspended\": \"unpaid\"}",
          "tenant.resume {\"suspended\": null}" },
        { "domain add o1 o.test", "domain.add -", "domain.add {\"name\": \"o.test\"" },
        { "domain alias o.test o2.test", "domain.alias {\"aliases\": []}",
          "domain.alias {\"aliases\": [\"o2.test\"]}" },
        { "account add u@o.test verifier=" SCRAM, "account.add -", "\"password\": \"(changed)\"" },
        { "account set u@o.test verifier=" SCRAM, "account.password {}",
          "account.password {\"password\": \"(changed)\"}" },
        { "account set u@o.test verifier=", "account.password {\"has_password\": true}",
          "\"has_password\": false" },
        { "account app u@o.test phone", "account.app-password {\"app_passwords\": 0}",
          "account.app-password {\"app_passwords\": 1}" },
        { "account revoke u@o.test phone", "account.app-revoke {\"app_passwords\": 1}",
          "account.app-revoke {\"app_passwords\": 0}" },
        { "account forward u@o.test x@far.test", "account.forward {\"forwards\": []}",
          "[\"x@far.test\"]" },
        { "alias add a@o.test u@o.test", "alias.add -", "\"targets\": [\"u@o.test\"]" },
        { "alias delete a@o.test", "\"targets\": [\"u@o.test\"]", "alias.delete -" },
        { "account retire u@o.test deleted", "account.retire -", "\"kind\": \"deleted\"" },
        { "account retire u@o.test moved n@far.test", "\"kind\": \"deleted\"",
          "\"kind\": \"moved\"" },
        { "account restore u@o.test", "\"kind\": \"moved\"", "account.restore -" },
        { "account delete u@o.test", "\"address\": \"u@o.test\"", "account.delete -" },
    };

    for (size_t i = 0; i < YB_COUNT(steps); i++) {
        bool same = steps[i].before[0] == '=';

        take(&(struct step){ steps[i].ask, same ? "=" : "" });
        ck_assert_msg(strstr(last("before"), steps[i].before + same) != NULL, "%s: %s",
                      steps[i].ask, last("before"));
        ck_assert_msg(strstr(last("after"), steps[i].after) != NULL, "%s: %s", steps[i].ask,
                      last("after"));
    }
    take(&(struct step){ "audit list tenant=o1 by=tester",
                         "'action':'tenant.add' 'client':'192.0.2.7' 'action':'account.delete' "
                         "'tenant':'o1' ~'id':" });
    take(&(struct step){ "audit list U@O.test",
                         "'object':'u@o.test' 'action':'account.forward' ~domain.add" });
    take(&(struct step){ "audit list U@O.test limit=1",
                         "'action':'account.delete' ~account.forward" });
    take(&(struct step){ "audit list o.test", "'action':'domain.alias' ~'action':'account" });
    take(&(struct step){ "audit list o.test until=2026-01-01", "[]" });
    take(&(struct step){ "audit list o.test since=2026-01-01 until=infinity",
                         "'action':'domain.alias'" });
    take(&(struct step){ "audit list tenant=o2", "[]" });
    take(&(struct step){ "audit list by=root", "[]" });
    take(&(struct step){ "audit list since=soon", "!soon" });
    /* Whose it is, and no figure and no secret in it. */
    ck_assert_str_eq(
        cluster_sql(
            c, "SELECT count(*) FROM audit a JOIN tenants t USING (tenant_id) WHERE t.name = 'o1'"),
        "18");
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM audit WHERE concat(before, after) ~ "
                                    "'SCRAM|bytes\": [0-9]+, \"messages|[0-9a-f]{64}'"),
                     "0");
}
END_TEST

/* What is done or looked at outside the database: whose it is, and what; an account that is gone, too. */
START_TEST(test_outside)
{
    struct yb_err err = { 0 };
    struct yb_admin_tx *tx = NULL;
    struct yb_account_id account, gone = { { 1, 2, 3 } };
    json_t *out = NULL;

    take(&(struct step){ "tenant add out", "" });
    take(&(struct step){ "domain add out out.test", "" });
    ck_assert_int_eq(run("account add u@out.test", &out, &err), 0);
    ck_assert(yb_account_id_parse(
        yb_str_from(json_string_value(json_object_get(out, "account_id"))), &account));
    json_decref(out);
    ck_assert_int_eq(yb_admin_begin(a, &actor, &tx, &err), 0);
    yb_admin_deed_outside(
        tx, &(struct yb_admin_outside){ .action = "queue.body",
                                        .object = YB_STR_INIT("m1"),
                                        .account = &account,
                                        .read = true,
                                        .after = json_pack("{s:s}", "recipient", "u@out.test") });
    yb_admin_deed_outside(tx, &(struct yb_admin_outside){ .action = "queue.hold",
                                                          .object = YB_STR_INIT("m2"),
                                                          .account = &gone });
    ck_assert_int_eq(yb_admin_commit(&tx, &err), 0);
    take(&(struct step){ "audit list m1", "'action':'queue.body' 'kind':'read' 'tenant':'out' "
                                          "'after':{'recipient':'u@out.test'}" });
    take(&(struct step){ "audit list m2",
                         "'action':'queue.hold' 'kind':'change' 'tenant':null 'after':null" });
    ck_assert_str_eq(cluster_sql(c, "SELECT string_agg((a.account_id IS NOT NULL)::text || "
                                    "(d.name IS NOT NULL)::text, ' ' ORDER BY a.id) FROM audit a "
                                    "LEFT JOIN domains d USING (domain_id) WHERE object IN "
                                    "('m1', 'm2')"),
                     "truetrue truefalse");
}
END_TEST

/* All that is wrong is told, each with its field; nothing is done, and nothing stands in the audit. */
START_TEST(test_refusals)
{
    const struct yb_admin_values v = { { YB_STR_INIT("nonsense"),
                                         YB_STR_INIT("x@y.test"),
                                         YB_STR_INIT("!"),
                                         { NULL, 0 },
                                         YB_STR_INIT("soon"),
                                         { NULL, 0 },
                                         YB_STR_INIT("1X") } };
    static const struct {
        const char *field, *sentence;
        enum yb_err_kind kind;
    } want[] = {
        { "contact", "nonsense: ", YB_ERR_VALUE },
        { "separator", "! is not one of", YB_ERR_SYNTAX },
        { "full_days", "soon is not a number", YB_ERR_SYNTAX },
        { "max_bytes", "1X is not a size", YB_ERR_SYNTAX },
    };
    const struct yb_admin_refusal *told;
    struct yb_admin_tx *tx = NULL;
    struct yb_err err = { 0 };
    json_t *out = NULL, *problem;
    long before;
    size_t n;

    take(&(struct step){ "tenant add q7", "" });
    take(&(struct step){ "domain add q7 q1.test", "" });
    before = audit_rows();
    ck_assert_int_eq(yb_admin_begin(a, &actor, &tx, &err), 0);
    ck_assert_int_eq(yb_admin_domain_set(tx, YB_STR("q1.test"), &v, &out, &err), -1);
    told = yb_admin_refusals(tx, &n);
    ck_assert_uint_eq(n, YB_COUNT(want));
    for (size_t i = 0; i < n; i++) {
        ck_assert_str_eq(told[i].field, want[i].field);
        ck_assert_msg(yb_str_starts(told[i].sentence, yb_str_from(want[i].sentence)), "%.*s",
                      YB_STR_ARG(told[i].sentence));
        ck_assert_int_eq(told[i].kind, want[i].kind);
    }
    ck_assert_int_eq(err.kind, YB_ERR_VALUE); /* the first */
    problem = yb_admin_problem(tx, &err);
    ck_assert_uint_eq(json_array_size(json_object_get(problem, "errors")), n);
    ck_assert_str_eq(json_string_value(json_object_get(problem, "code")), "invalid");
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_array_get(json_object_get(problem, "errors"), 2), "pointer")),
                     "/full_days");
    json_decref(problem);
    yb_admin_rollback(&tx);
    ck_assert_int_eq(audit_rows(), before);
    take(&(struct step){ "domain show q1.test", "'catch_all':null" });
}
END_TEST

/* Whatever was written, the sentence is text, cut off between characters. */
START_TEST(test_odd_sentences)
{
    static const char *const odd[] = { "\xff\xfe", "a\x1b[2Jb\nc", "\xc3\xa9\xc3" };
    char much[600];
    struct yb_admin_values v = { { { NULL, 0 } } };

    take(&(struct step){ "tenant add z8", "" });
    for (size_t shift = 0; shift < 2 + YB_COUNT(odd); shift++) {
        struct yb_admin_tx *tx = NULL;
        struct yb_err err = { 0 };
        const struct yb_admin_refusal *told;
        json_t *out = NULL, *problem;
        size_t n;

        memset(much, 'x', sizeof(much));
        for (size_t i = shift; i + 1 < sizeof(much); i += 2)
            memcpy(much + i, "\xc3\xa9", 2);
        v.v[1] = shift < 2 ? yb_str(much, sizeof(much)) : yb_str_from(odd[shift - 2]);
        ck_assert_int_eq(yb_admin_begin(a, &actor, &tx, &err), 0);
        ck_assert_int_eq(yb_admin_tenant_set(tx, YB_STR("z8"), &v, &out, &err), -1);
        told = yb_admin_refusals(tx, &n);
        ck_assert_uint_eq(n, 1);
        ck_assert(yb_str_utf8(told[0].sentence) && told[0].sentence.n > 20);
        for (size_t i = 0; i < told[0].sentence.n; i++)
            ck_assert_int_ge((unsigned char)told[0].sentence.p[i], ' ');
        problem = yb_admin_problem(tx, &err);
        ck_assert_uint_eq(json_array_size(json_object_get(problem, "errors")), 1);
        ck_assert_ptr_nonnull(json_object_get(problem, "detail"));
        json_decref(problem);
        yb_admin_rollback(&tx);
    }
}
END_TEST

/* Away is not refused, and says so. */
START_TEST(test_away)
{
    const struct yb_admin_conf conf = { .conninfo = "host=/nowhere dbname=yubin" };
    struct yb_admin *other = yb_admin_new(&conf);
    struct yb_err err = { 0 };
    struct yb_admin_tx *tx = NULL;

    ck_assert_int_lt(yb_admin_begin(other, &actor, &tx, &err), 0);
    ck_assert_int_eq(err.class, YB_TEMP);
    ck_assert_ptr_null(tx);
    yb_admin_free(&other);
}
END_TEST

/* --- import --- */

struct told {
    char text[4000];
    size_t n;
};

static void
note_problem(void *arg, size_t line, const char *text)
{
    struct told *t = arg;

    ck_assert_uint_lt(t->n, sizeof(t->text) - 300);
    t->n += (size_t)snprintf(t->text + t->n, 300, "%zu: %.200s\n", line, text);
}

static int
import(struct yb_str lines, struct told *told, struct yb_admin_import *i, struct yb_err *err)
{
    FILE *f = tmpfile();
    int rc;

    ck_assert_uint_eq(fwrite(lines.p, 1, lines.n, f), lines.n);
    ck_assert_int_eq(fflush(f), 0);
    rewind(f);
    told->n = 0;
    told->text[0] = '\0';
    *i = (struct yb_admin_import){ .problem = note_problem, .arg = told };
    rc = yb_admin_account_import(a, &actor, fileno(f), i, err);
    fclose(f);
    return rc;
}

/* What is wrong with a file, by lines; nothing of it is taken. %s stands for good lines. */
static const struct {
    const char *name, *lines, *problem;
} bad_files[] = {
    { "no JSON", "nonsense\n", "1: " },
    { "no object", "[1]\n", "1: not a JSON object" },
    { "blank lines are counted", "\n\n{}\n", "3: there is no address" },
    { "unknown word", "{\"address\":\"x@i.test\",\"qouta\":1}\n", "1: there is no \"qouta\"" },
    { "another type", "{\"address\":\"x@i.test\",\"quota\":\"1G\"}\n",
      "1: \"quota\" is of another type" },
    { "a word twice", "{\"address\":\"x@i.test\",\"address\":\"y@i.test\"}\n", "1: duplicate" },
    { "negative", "{\"address\":\"x@i.test\",\"quota\":-1}\n", "1: a quota is not negative" },
    { "malformed address", "{\"address\":\"x..y@i.test\"}\n", "1: " },
    { "routing syntax", "{\"address\":\"u%h@i.test\"}\n",
      "1: u%h@i.test: a local part cannot hold" },
    { "both", "{\"address\":\"x@i.test\",\"password\":\"secret 12\",\"verifier\":\"" SCRAM "\"}\n",
      "1: a password or a verifier, not both" },
    { "verifier", "{\"address\":\"x@i.test\",\"verifier\":\"{MD5}abc\"}\n", "1: " },
    { "empty password", "{\"address\":\"x@i.test\",\"password\":\"\"}\n", "1: this password" },
    { "forwards", "{\"address\":\"x@i.test\",\"forwards\":[1]}\n", "1: a forward is not a text" },
    { "forward", "{\"address\":\"x@i.test\",\"forwards\":[\"nonsense\"]}\n", "1: " },
    { "not hosted", "{\"address\":\"good@i.test\"}\n{\"address\":\"x@no.test\"}\n",
      "2: no.test is not hosted here" },
    { "account", "{\"address\":\"good@i.test\"}\n{\"address\":\"THERE@i.test\"}\n",
      "2: THERE@i.test is an account already" },
    { "alias", "{\"address\":\"list@i.test\"}\n", "1: list@i.test is an alias already" },
    { "before any password is hashed", "{\"address\":\"x@no.test\",\"password\":\"secret 12\"}\n",
      "1: no.test is not hosted here\n" },
    { "twice in the file",
      "{\"address\":\"y@i.test\"}\n{\"address\":\"z@i.test\"}\n{\"address\":\"Y@I.test\"}\n",
      "3: " },
};

START_TEST(test_import_refuses)
{
    struct yb_err err = { 0 };
    struct yb_admin_import i;
    struct told told;
    char before[40];

    snprintf(before, sizeof(before), "%s", cluster_sql(c, "SELECT count(*) FROM accounts"));
    ck_assert_msg(import(yb_str_from(bad_files[_i].lines), &told, &i, &err) < 0, "%s",
                  bad_files[_i].name);
    ck_assert_int_eq(err.class, YB_PERM);
    ck_assert_msg(strcmp(err.text, "1 line cannot be taken; nothing was changed") == 0, "%s",
                  err.text);
    ck_assert_msg(strncmp(told.text, bad_files[_i].problem, strlen(bad_files[_i].problem)) == 0,
                  "%s: %s", bad_files[_i].name, told.text);
    ck_assert_uint_eq(i.accounts, 0);
    ck_assert_str_eq(cluster_sql(c, "SELECT count(*) FROM accounts"), before);
}
END_TEST

START_TEST(test_import)
{
    static const char lines[] =
        "\xef\xbb\xbf{\"address\":\"Plain@i.test\"}\r\n"
        "\n"
        "{\"address\":\"scram@i.test\",\"verifier\":\"" SCRAM
        "\",\"name\":\"S\\tC\\\\R\\nam\",\"quota\":7}\n"
        "{\"address\":\"crypt@i.test\",\"verifier\":\"" CRYPT "\",\"keep_copy\":false,"
        "\"forwards\":[\"a@far.test\",\"A@FAR.test\",\"\\\"q \\\\\\\\ x\\\"@far.test\"]}\n"
        "{\"address\":\"hashed@i.test\",\"password\":\"correct horse\"}";
    struct yb_err err = { 0 };
    struct yb_admin_import i;
    struct told told;
    long before = audit_rows();
    char verifier[400];
    struct yb_err none = { 0 };

    ck_assert_msg(import(yb_str_from(lines), &told, &i, &err) == 0, "%s %s", err.text, told.text);
    ck_assert_uint_eq(i.accounts, 4);
    ck_assert_uint_eq(i.without_scram, 1);
    ck_assert_int_eq(audit_rows() - before, 5);
    ck_assert_str_eq(last("after"), "account.import {\"accounts\": 4, \"without_scram\": 1}");
    ck_assert_str_eq(
        cluster_sql(c, "SELECT count(*) FROM audit JOIN accounts USING (account_id) WHERE action = "
                       "'account.add' AND object = written || '@i.test'"),
        "5");
    take(&(struct step){ "account show plain@i.test",
                         "'address':'Plain@i.test' 'has_password':false" });
    take(&(struct step){ "account show scram@i.test",
                         "'name':'S\\tC\\\\R\\nam' 'quota_bytes':7 'has_password':true" });
    take(&(struct step){ "account show crypt@i.test", "'keep_copy':false 'a@far.test' ~A@FAR" });
    ck_assert_str_eq(
        cluster_sql(c, "SELECT count(*) FROM forwards WHERE target LIKE 'q \\\\ x@%%'"), "1");
    snprintf(verifier, sizeof(verifier), "%s",
             cluster_sql(c, "SELECT verifier FROM credentials JOIN accounts USING (account_id) "
                            "WHERE local = 'hashed'"));
    ck_assert_int_eq(yb_cred_check(yb_str_from(verifier), &none), 0);
    ck_assert_str_eq(cluster_sql(c, "SELECT verifier FROM credentials JOIN accounts USING "
                                    "(account_id) WHERE local = 'scram'"),
                     SCRAM);
}
END_TEST

/* A limit counts for all of a file. */
START_TEST(test_import_limit)
{
    struct yb_err err = { 0 };
    struct yb_admin_import i;
    struct told told;

    take(&(struct step){ "tenant add il max_accounts=2", "" });
    take(&(struct step){ "domain add il il.test", "" });
    ck_assert_int_lt(import(YB_STR("{\"address\":\"a@il.test\"}\n{\"address\":\"b@il.test\"}\n"
                                   "{\"address\":\"c@il.test\"}\n"),
                            &told, &i, &err),
                     0);
    ck_assert_str_eq(err.text, "tenant il may have 2 accounts");
    ck_assert_int_eq(import(YB_STR(""), &told, &i, &err), 0);
    ck_assert_uint_eq(i.accounts, 0);
    take(&(struct step){ "account list il.test", "[]" });
}
END_TEST

/* Many; how long it takes is told, and bounded far above what it should be. */
START_TEST(test_import_many)
{
    struct yb_buf *lines = yb_buf_new(64u << 20);
    struct yb_err err = { 0 };
    struct yb_admin_import i;
    struct told told;
    int64_t began;

    for (int n = 0; n < 20000; n++)
        yb_buf_printf(lines, "{\"address\":\"many%d@i.test\",\"verifier\":\"" SCRAM "\"}\n", n);
    began = yb_clock_ms();
    ck_assert_msg(import(yb_buf_view(lines), &told, &i, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(i.accounts, 20000);
    ck_assert_int_lt(yb_clock_ms() - began, 30000);
    yb_buf_free(&lines);
}
END_TEST

static void
fill(void)
{
    static const struct step steps[] = {
        { "tenant add i1", "" },
        { "domain add i1 i.test", "" },
        { "account add there@i.test", "" },
        { "alias add list@i.test there@i.test", "" },
    };

    TAKE(steps);
}

int
main(void)
{
    Suite *s = suite_create("admin");
    TCase *tc = tcase_create("admin");
    SRunner *sr = srunner_create(s);
    struct yb_admin_conf conf = { .application = "test" };
    int failed;

    yb_log_init("test", YB_LOG_ERROR);
    srunner_set_fork_status(sr, CK_NOFORK);
    c = cluster_start();
    cluster_migrate(c);
    conf.conninfo = cluster_conninfo(c, "yubin_operator");
    a = yb_admin_new(&conf);
    tcase_add_test(tc, test_nodes);
    tcase_add_test(tc, test_stores);
    tcase_add_test(tc, test_tenants);
    tcase_add_test(tc, test_domains);
    tcase_add_test(tc, test_accounts);
    tcase_add_test(tc, test_aliases);
    tcase_add_test(tc, test_leads);
    tcase_add_test(tc, test_values);
    tcase_add_test(tc, test_retirements);
    tcase_add_test(tc, test_lives);
    tcase_add_test(tc, test_app_password);
    tcase_add_test(tc, test_audit);
    tcase_add_test(tc, test_outside);
    tcase_add_test(tc, test_refusals);
    tcase_add_test(tc, test_odd_sentences);
    tcase_add_test(tc, test_away);
    suite_add_tcase(s, tc);
    tc = tcase_create("import");
    tcase_add_unchecked_fixture(tc, fill, NULL);
    tcase_add_loop_test(tc, test_import_refuses, 0, (int)YB_COUNT(bad_files));
    tcase_add_test(tc, test_import);
    tcase_add_test(tc, test_import_limit);
    tcase_add_test(tc, test_import_many);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    yb_admin_free(&a);
    cluster_free(&c);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
