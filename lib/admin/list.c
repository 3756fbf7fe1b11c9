/* Lists in pages: cursors, what is looked for, and the walk over statements. */
#include "lib/admin/list.h"

#include "lib/base/buf.h"
#include "lib/base/io.h"
#include "lib/mime/address.h"
#include "lib/mime/charset.h"
#include "lib/mime/terms.h"

#include <openssl/evp.h>

#define LOOKED_AT 5000  /* rows a page looks at that need not fit */
#define STEP_LEAST 64   /* rows of a search are asked for so many at once: some may not fit */
#define CURSOR_MOST 600 /* octets: a word of 64, an address of 318, the rest */
#define FILTER_HASH 8
#define NUMBER_MOST ((uint64_t)1 << 53) /* microseconds till the year 2255, which a double holds */

/* clang-format off */
const struct yb_db_statement yb_admin_list_plans = { "list_plans",
    "SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true), "
    "       set_config('jit', 'off', true)" };
/* clang-format on */

/* --- cursors: list, hash of what is asked for, phase, key; as base64url --- */

struct place {
    unsigned phase;
    struct yb_str key[2];
};

/* A cursor of another question would skip what it has not shown. */
static void
hash_wanted(const struct yb_admin_wanted *w, struct yb_str q, struct yb_arena *arena,
            uint8_t out[FILTER_HASH])
{
    static const char letters[] = "fSUATO";
    struct yb_str all = yb_arena_printf(arena, "%zu:%.*s", q.n, YB_STR_ARG(q));
    uint8_t sum[32];

    for (size_t i = 0; letters[i] != '\0'; i++) {
        struct yb_str v = w->v[(unsigned char)letters[i]];

        all = yb_arena_printf(arena, "%.*s%c%zu:%.*s", YB_STR_ARG(all), letters[i], v.n,
                              YB_STR_ARG(v));
    }
    yb_assert(EVP_Digest(all.p, all.n, sum, NULL, EVP_sha256(), NULL) == 1);
    memcpy(out, sum, FILTER_HASH);
}

static void
swap_chars(char *p, size_t n, const char *from, const char *to)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < 2; k++) {
            if (p[i] == from[k]) {
                p[i] = to[k];
                break;
            }
        }
    }
}

static struct yb_str
cursor_write(const char *name, const uint8_t hash[FILTER_HASH], const struct place *at,
             struct yb_arena *arena)
{
    struct yb_buf *b = yb_buf_new(2 * CURSOR_MOST);
    struct yb_str text;
    char *out;
    size_t n;

    yb_buf_printf(b, "%s", name);
    yb_buf_add_c(b, '\0');
    yb_buf_add(b, yb_str((const char *)hash, FILTER_HASH));
    yb_buf_add_c(b, (char)('0' + at->phase));
    yb_buf_add(b, at->key[0]);
    yb_buf_add_c(b, '\0');
    yb_buf_add(b, at->key[1]);
    yb_assert(!yb_buf_overflowed(b));
    text = yb_buf_view(b);
    out = yb_arena_alloc(arena, text.n / 3 * 4 + 8, 1);
    n = yb_base64(text, out);
    while (n > 0 && out[n - 1] == '=')
        n--;
    swap_chars(out, n, "+/", "-_");
    yb_buf_free(&b);
    return yb_str(out, n);
}

/* Both are of the list's kind: the database is given nothing that it could not read. */
static bool
is_key(const struct yb_admin_listing *list, const struct yb_str key[2])
{
    uint64_t n;

    if (list->numbers)
        return yb_str_u64(key[0], NUMBER_MOST, &n) && yb_str_u64(key[1], NUMBER_MOST, &n);
    return yb_str_find(key[1], '\0') == key[1].n && yb_str_utf8(key[0]) && yb_str_utf8(key[1]);
}

/* False when it is none of ours. */
static bool
cursor_take(struct yb_str cursor, const struct yb_admin_listing *list,
            const uint8_t hash[FILTER_HASH], struct place *at, struct yb_arena *arena)
{
    size_t whole = (cursor.n + 3) / 4 * 4, n;
    char *text = yb_arena_alloc(arena, whole + 1, 1);
    struct yb_str left, part;

    if (cursor.n == 0 || cursor.n > 2 * CURSOR_MOST || yb_str_find(cursor, '+') < cursor.n ||
        yb_str_find(cursor, '/') < cursor.n || yb_str_find(cursor, '=') < cursor.n)
        return false;
    memset(text, '=', whole);
    memcpy(text, cursor.p, cursor.n);
    swap_chars(text, cursor.n, "-_", "+/");
    left = yb_str(text, whole);
    text = yb_arena_alloc(arena, whole, 1);
    if (!yb_unbase64(left, (uint8_t *)text, &n))
        return false;
    left = yb_str(text, n);
    if (!yb_str_split(&left, '\0', &part) || !yb_str_eq(part, yb_str_from(list->name)) ||
        left.n < FILTER_HASH + 2 || memcmp(left.p, hash, FILTER_HASH) != 0)
        return false;
    left = yb_str_skip(left, FILTER_HASH);
    at->phase = (unsigned)(left.p[0] - '0');
    left = yb_str_skip(left, 1);
    if (at->phase >= YB_ADMIN_PHASES || !yb_str_split(&left, '\0', &at->key[0]) || left.p == NULL)
        return false;
    at->key[1] = left;
    return is_key(list, at->key);
}

/* --- the walk --- */

struct walk {
    struct yb_admin_tx *tx;
    const struct yb_admin_listing *list;
    const struct yb_admin_wanted *wanted;
    struct place at; /* the last row that was looked at, or where the page begins */
    size_t limit, looked;
    bool full, searched;
    json_t *rows;
};

static const struct yb_admin_step *
step_of(const struct walk *w)
{
    return &w->list->steps[w->wanted->v['f'].n > 0][w->at.phase];
}

static void
add_params(const struct walk *w, const struct yb_admin_step *step, int32_t n,
           struct yb_db_params *p)
{
    for (const char *c = step->takes; *c != '\0'; c++) {
        switch (*c) {
        case 'a': /* a scan begins at the pair of keys, wherever the range does */
            yb_db_add_text(p, w->at.phase == YB_ADMIN_WORDS && w->at.key[0].n == 0
                                  ? w->wanted->v['w']
                                  : w->at.key[0]);
            break;
        case 'b':
            yb_db_add_text(p, w->at.key[1]);
            break;
        case 'n':
            yb_db_add_i32(p, n);
            break;
        case 'o':
            yb_db_add_texts(p, w->wanted->others[w->at.phase].v, w->wanted->others[w->at.phase].n);
            break;
        default:
            yb_admin_add(p, w->wanted->v[(unsigned char)*c]);
        }
    }
}

/* Takes a row; false when the page was full before it. */
static int
take_row(struct walk *w, const struct yb_db_result *r, size_t i, const char *name,
         struct yb_err *err)
{
    if (!yb_db_is_null(r, i, 2)) {
        json_t *card;

        if (json_array_size(w->rows) == w->limit) {
            w->full = true;
            return 0;
        }
        card = yb_admin_shown(yb_db_str(r, i, 2), name, err);
        if (card == NULL)
            return -1;
        json_array_append_new(w->rows, card);
    }
    w->at.key[0] = yb_db_str(r, i, 0);
    w->at.key[1] = yb_db_str(r, i, 1);
    return 0;
}

/* One statement. *end: it met its last row. */
static int
walk_step(struct walk *w, bool *end, struct yb_err *err)
{
    const struct yb_admin_step *step = step_of(w);
    size_t left = w->limit - json_array_size(w->rows) + 1;
    size_t n = w->searched && left < STEP_LEAST ? STEP_LEAST : left;
    struct yb_db_params p = { 0 };
    struct yb_db_result *r = NULL;
    struct yb_err why = { 0 };
    int rc;

    add_params(w, step, (int32_t)n, &p);
    rc = yb_db_run(w->tx->c, step->st, &p, &r, &why);
    yb_db_params_free(&p);
    if (rc < 0) {
        yb_admin_refuse_statement(w->tx, &why, err);
        return -1;
    }
    for (size_t i = 0; i < yb_db_rows(r) && !w->full && rc == 0; i++)
        rc = take_row(w, r, i, step->st->name, err);
    w->looked += yb_db_rows(r);
    *end = yb_db_rows(r) < n;
    for (size_t k = 0; k < 2; k++) /* they lie in the result */
        w->at.key[k] = yb_arena_dup(w->tx->arena, w->at.key[k]);
    yb_db_result_free(&r);
    return rc;
}

/* The next phase of a search, at its beginning; false after the last one. */
static bool
next_phase(struct walk *w)
{
    if (!w->searched || w->at.phase + 1 == YB_ADMIN_PHASES ||
        (w->at.phase + 1 == YB_ADMIN_WORDS && w->wanted->no_words))
        return false;
    w->at = (struct place){ w->at.phase + 1, { YB_STR(""), YB_STR("") } };
    return step_of(w)->st != NULL;
}

/* Till the page is full, or enough was looked at. *more: it does not end here. */
static int
walk_on(struct walk *w, bool *more, struct place *last, struct yb_err *err)
{
    bool end = false;

    *more = true;
    while (!w->full && w->looked < LOOKED_AT + w->limit) {
        if (walk_step(w, &end, err) < 0)
            return -1;
        *last = w->at;
        if (end && !w->full && !next_phase(w)) {
            *more = false;
            return 0;
        }
    }
    return 0;
}

/* Nothing was met: it may have nothing, or not be there. Asked for then alone, so that who goes through
 * pages waits for no more answers than there are pages. */
static int
check_whose(const struct walk *w, struct yb_err *err)
{
    struct yb_str whose = w->wanted->v['f'];
    struct yb_db_params p = { 0 };
    json_t *answer = NULL;
    bool there;

    yb_db_add_text(&p, whose);
    if (yb_admin_ask(w->tx, w->list->there, &p, w->list->whose, &answer, err) < 0)
        return -1;
    there = json_is_true(answer);
    json_decref(answer);
    return there ? 0
                 : yb_admin_refuse(w->tx, YB_ERR_NOT_FOUND, w->list->whose, err,
                                   "There is no %s %.*s", w->list->whose, YB_STR_ARG(whose));
}

int
yb_admin_list(struct yb_admin_tx *tx, enum yb_admin_list_id id,
              const struct yb_admin_wanted *wanted, struct yb_admin_page *page, json_t **out,
              struct yb_err *err)
{
    struct walk w = { .tx = tx, .list = &yb_admin_listings[id], .wanted = wanted };
    struct yb_db_params none = { 0 };
    uint8_t hash[FILTER_HASH];
    struct place last;
    bool more;

    *out = NULL;
    page->next = YB_STR("");
    w.limit = page->limit == 0 ? YB_ADMIN_PAGE : page->limit;
    w.searched = page->q.n > 0;
    w.at =
        (struct place){ w.searched ? YB_ADMIN_BEGIN : YB_ADMIN_WHOLE, { YB_STR(""), YB_STR("") } };
    hash_wanted(wanted, page->q, tx->arena, hash);
    if (page->after.n > 0 &&
        (!cursor_take(page->after, w.list, hash, &w.at, tx->arena) ||
         (w.at.phase > YB_ADMIN_WHOLE) != w.searched || step_of(&w)->st == NULL))
        return yb_admin_refuse(tx, YB_ERR_SYNTAX, "after", err,
                               "This is no cursor of this list and what is asked for");
    last = w.at;
    if (yb_admin_change(tx, &yb_admin_list_plans, &none, NULL, err) < 0)
        return -1;
    w.rows = json_array();
    if (walk_on(&w, &more, &last, err) < 0 ||
        (w.looked == 0 && page->after.n == 0 && wanted->v['f'].n > 0 && check_whose(&w, err) < 0)) {
        json_decref(w.rows);
        return -1;
    }
    if (more)
        page->next = cursor_write(w.list->name, hash, &last, tx->arena);
    *out = w.rows;
    return 0;
}

/* --- what is looked for --- */

static struct yb_str
longest(const struct yb_str *v, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        best = v[i].n > v[best].n ? i : best;
    return n == 0 ? YB_STR("") : v[best];
}

/* Those of them that are not `but`. */
static void
others_are(struct yb_admin_wanted *w, unsigned phase, const struct yb_terms *t, struct yb_str but,
           struct yb_arena *arena)
{
    struct yb_str *v = yb_arena_alloc(arena, t->n + 1, sizeof(*v));
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        if (!yb_str_eq(t->v[i], but))
            v[n++] = t->v[i];
    }
    w->others[phase] = (struct yb_terms_list){ v, n };
}

/* Of a domain's, by local parts: what stands behind the @ has to be its name's beginning. */
static void
range_of(struct yb_admin_wanted *w, struct yb_str lead, struct yb_arena *arena)
{
    size_t at = yb_str_rfind(lead, '@');
    struct yb_str domain = w->v['f'];

    w->v['l'] = lead;
    w->v['h'] = yb_terms_behind(lead, arena);
    if (domain.n == 0 || at == lead.n)
        return;
    w->v['l'] = yb_str_head(lead, at);
    w->v['h'] = yb_str_starts(domain, yb_str_skip(lead, at + 1))
                    ? yb_arena_printf(arena, "%.*s\x01", YB_STR_ARG(w->v['l']))
                    : w->v['l'];
}

/*
 * Between blanks stand the words of a search, all of which have to fit. The longest leads: it begins an
 * address, or has the word that is looked up; the others are looked at where it was found.
 */
static void
search_of(struct yb_admin_wanted *w, struct yb_str q, struct yb_arena *arena)
{
    struct yb_terms all = { .n = 0 }, of_lead = { .n = 0 }, rest = { .n = 0 };
    struct yb_str left = q, lead = { "", 0 }, word;

    while ((word = yb_str_word(&left)).n > 0)
        lead = word.n > lead.n ? word : lead;
    left = q;
    while ((word = yb_str_word(&left)).n > 0) {
        yb_terms_wanted(&all, word, arena);
        if (!yb_str_eq(word, lead))
            yb_terms_wanted(&rest, word, arena);
    }
    yb_terms_wanted(&of_lead, lead, arena);
    word = longest(of_lead.v, of_lead.n);
    range_of(w, yb_address_fold(lead, arena), arena);
    others_are(w, YB_ADMIN_BEGIN, &rest, YB_STR(""), arena);
    w->v['w'] = word;
    w->v['x'] = yb_terms_behind(word, arena);
    others_are(w, YB_ADMIN_WORDS, &all, word, arena);
    w->no_words = word.n == 0 || yb_str_find(lead, '@') < lead.n;
}

static int
check_q(struct yb_admin_tx *tx, struct yb_admin_page *page, struct yb_err *err)
{
    page->q = yb_str_trim(page->q);
    return page->q.n == 0 ? 0 : yb_admin_text(tx, page->q, "q", err);
}

int
yb_admin_list_addresses(struct yb_admin_tx *tx, enum yb_admin_list_id id, struct yb_str domain,
                        struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    struct yb_admin_wanted w = { .no_words = true };

    *out = NULL;
    if (check_q(tx, page, err) < 0 ||
        (domain.n > 0 && yb_admin_domain(tx, domain, "domain", &w.v['f'], err) < 0))
        return -1;
    if (page->q.n > 0)
        search_of(&w, page->q, tx->arena);
    return yb_admin_list(tx, id, &w, page, out, err);
}

int
yb_admin_list_names(struct yb_admin_tx *tx, enum yb_admin_list_id id, struct yb_str of,
                    struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    struct yb_admin_wanted w = { .no_words = true };
    struct yb_buf *folded = yb_buf_new(1 << 16);
    int rc = check_q(tx, page, err);

    *out = NULL;
    w.v['f'] = of;
    if (rc == 0 && page->q.n > 0)
        rc = yb_text_fold(page->q, folded, err);
    w.v['t'] = yb_arena_dup(tx->arena, yb_buf_view(folded));
    yb_buf_free(&folded);
    return rc < 0 ? -1 : yb_admin_list(tx, id, &w, page, out, err);
}
