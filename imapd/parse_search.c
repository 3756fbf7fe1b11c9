/* SEARCH: a tree of keys, bounded in depth and number. */
#include "imapd/parse.h"

#include "lib/mime/charset.h"
#include "lib/store/store.h"

#define REPLACEMENT YB_STR("\xef\xbf\xbd") /* for octets that are not in a charset */

enum key_argument {
    ARG_NONE,
    ARG_TEXT,
    ARG_KEYWORD,
    ARG_DATE,
    ARG_NUMBER,
    ARG_UID_SET,
    ARG_HEADER,
    ARG_MODSEQ,
    ARG_NOT,
    ARG_OR
};

/* clang-format off */
static const struct key_row {
    struct yb_str name;
    enum imapd_key_kind kind;
    enum key_argument argument;
    bool yes;
    uint32_t flag;
    struct yb_str field;
} key_rows[] = {
    { YB_STR_INIT("ALL"),        IMAPD_KEY_ALL,         ARG_NONE,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("ANSWERED"),   IMAPD_KEY_FLAG,        ARG_NONE,    true,  YB_FLAG_ANSWERED, YB_STR_INIT("") },
    { YB_STR_INIT("UNANSWERED"), IMAPD_KEY_FLAG,        ARG_NONE,    false, YB_FLAG_ANSWERED, YB_STR_INIT("") },
    { YB_STR_INIT("DELETED"),    IMAPD_KEY_FLAG,        ARG_NONE,    true,  YB_FLAG_DELETED,  YB_STR_INIT("") },
    { YB_STR_INIT("UNDELETED"),  IMAPD_KEY_FLAG,        ARG_NONE,    false, YB_FLAG_DELETED,  YB_STR_INIT("") },
    { YB_STR_INIT("DRAFT"),      IMAPD_KEY_FLAG,        ARG_NONE,    true,  YB_FLAG_DRAFT,    YB_STR_INIT("") },
    { YB_STR_INIT("UNDRAFT"),    IMAPD_KEY_FLAG,        ARG_NONE,    false, YB_FLAG_DRAFT,    YB_STR_INIT("") },
    { YB_STR_INIT("FLAGGED"),    IMAPD_KEY_FLAG,        ARG_NONE,    true,  YB_FLAG_FLAGGED,  YB_STR_INIT("") },
    { YB_STR_INIT("UNFLAGGED"),  IMAPD_KEY_FLAG,        ARG_NONE,    false, YB_FLAG_FLAGGED,  YB_STR_INIT("") },
    { YB_STR_INIT("SEEN"),       IMAPD_KEY_FLAG,        ARG_NONE,    true,  YB_FLAG_SEEN,     YB_STR_INIT("") },
    { YB_STR_INIT("UNSEEN"),     IMAPD_KEY_FLAG,        ARG_NONE,    false, YB_FLAG_SEEN,     YB_STR_INIT("") },
    { YB_STR_INIT("RECENT"),     IMAPD_KEY_RECENT,      ARG_NONE,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("OLD"),        IMAPD_KEY_RECENT,      ARG_NONE,    false, 0,                YB_STR_INIT("") },
    { YB_STR_INIT("NEW"),        IMAPD_KEY_NEW,         ARG_NONE,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("KEYWORD"),    IMAPD_KEY_KEYWORD,     ARG_KEYWORD, true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("UNKEYWORD"),  IMAPD_KEY_KEYWORD,     ARG_KEYWORD, false, 0,                YB_STR_INIT("") },
    { YB_STR_INIT("BEFORE"),     IMAPD_KEY_BEFORE,      ARG_DATE,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("ON"),         IMAPD_KEY_ON,          ARG_DATE,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("SINCE"),      IMAPD_KEY_SINCE,       ARG_DATE,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("SENTBEFORE"), IMAPD_KEY_SENT_BEFORE, ARG_DATE,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("SENTON"),     IMAPD_KEY_SENT_ON,     ARG_DATE,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("SENTSINCE"),  IMAPD_KEY_SENT_SINCE,  ARG_DATE,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("LARGER"),     IMAPD_KEY_LARGER,      ARG_NUMBER,  true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("SMALLER"),    IMAPD_KEY_SMALLER,     ARG_NUMBER,  true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("UID"),        IMAPD_KEY_UID,         ARG_UID_SET, true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("MODSEQ"),     IMAPD_KEY_MODSEQ,      ARG_MODSEQ,  true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("FROM"),       IMAPD_KEY_HEADER,      ARG_TEXT,    true,  0,                YB_STR_INIT("From") },
    { YB_STR_INIT("TO"),         IMAPD_KEY_HEADER,      ARG_TEXT,    true,  0,                YB_STR_INIT("To") },
    { YB_STR_INIT("CC"),         IMAPD_KEY_HEADER,      ARG_TEXT,    true,  0,                YB_STR_INIT("Cc") },
    { YB_STR_INIT("BCC"),        IMAPD_KEY_HEADER,      ARG_TEXT,    true,  0,                YB_STR_INIT("Bcc") },
    { YB_STR_INIT("SUBJECT"),    IMAPD_KEY_HEADER,      ARG_TEXT,    true,  0,                YB_STR_INIT("Subject") },
    { YB_STR_INIT("HEADER"),     IMAPD_KEY_HEADER,      ARG_HEADER,  true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("BODY"),       IMAPD_KEY_BODY,        ARG_TEXT,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("TEXT"),       IMAPD_KEY_TEXT,        ARG_TEXT,    true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("NOT"),        IMAPD_KEY_NOT,         ARG_NOT,     true,  0,                YB_STR_INIT("") },
    { YB_STR_INIT("OR"),         IMAPD_KEY_OR,          ARG_OR,      true,  0,                YB_STR_INIT("") },
};
/* clang-format on */

static bool parse_key(struct imapd_lex *l, unsigned depth, struct imapd_search *s,
                      struct imapd_key **out);

static bool
key_new(struct imapd_lex *l, struct imapd_search *s, enum imapd_key_kind kind,
        struct imapd_key **out)
{
    if (s->n_keys == IMAPD_SEARCH_KEYS)
        return imapd_lex_wrong(l, "Too many search keys");
    s->n_keys++;
    *out = yb_arena_alloc(l->arena, 1, sizeof(**out));
    (*out)->kind = kind;
    return true;
}

/* MODSEQ [entry-name SP entry-type-req SP] value: the entry may be anything, one number serves
 * all. */
static bool
parse_modseq_key(struct imapd_lex *l, struct imapd_search *s, struct imapd_key *k)
{
    struct yb_str entry;

    s->uses_modseq = true;
    if (imapd_lex_peek(l) == '"') {
        if (!imapd_lex_string(l, &entry) || !imapd_lex_space(l))
            return false;
        if (!imapd_lex_word(l, YB_STR("priv")) && !imapd_lex_word(l, YB_STR("shared")) &&
            !imapd_lex_word(l, YB_STR("all")))
            return imapd_lex_wrong(l, "An entry's type is unknown");
        if (!imapd_lex_space(l))
            return false;
    }
    return imapd_lex_modseq(l, true, &k->number);
}

/* The text as UTF-8; false when it is not in its charset. */
static bool
text_to_utf8(const struct imapd_lex *l, const struct imapd_search *s, struct yb_str *text)
{
    struct yb_buf *b;
    bool ok;

    if (s->conversion == NULL)
        return s->charset_unknown || yb_str_utf8(*text);
    b = yb_buf_new(4 * text->n + 16);
    ok = yb_charset_feed(s->conversion, *text, b, NULL) == 0 &&
         yb_charset_end(s->conversion, b, NULL) == 0 &&
         yb_str_find_str(yb_buf_view(b), REPLACEMENT) == yb_buf_size(b);
    if (ok)
        *text = yb_arena_dup(l->arena, yb_buf_view(b));
    yb_buf_free(&b);
    return ok;
}

static bool
parse_key_text(struct imapd_lex *l, const struct imapd_search *s, struct imapd_key *k)
{
    return imapd_lex_astring(l, &k->text) &&
           (text_to_utf8(l, s, &k->text) ||
            imapd_lex_wrong(l, "A search text is not in its charset"));
}

static bool
parse_key_keyword(struct imapd_lex *l, struct imapd_key *k)
{
    uint32_t flag;

    if (!imapd_lex_atom(l, &k->text))
        return false;
    flag = imapd_flag_named(k->text);
    if (flag != 0) {
        k->kind = IMAPD_KEY_FLAG;
        k->number = flag;
        k->text = (struct yb_str){ 0 }; /* a text that is left would be looked for */
    }
    return true;
}

static bool
parse_key_argument(struct imapd_lex *l, const struct key_row *row, unsigned depth,
                   struct imapd_search *s, struct imapd_key *k)
{
    uint32_t number = 0;
    bool ok = false;

    if (row->argument != ARG_NONE && !imapd_lex_space(l))
        return false;
    switch (row->argument) {
    case ARG_NONE:
        return true;
    case ARG_TEXT:
        return parse_key_text(l, s, k);
    case ARG_KEYWORD:
        return parse_key_keyword(l, k);
    case ARG_DATE:
        return imapd_lex_date(l, &k->day);
    case ARG_NUMBER:
        ok = imapd_lex_number(l, &number);
        k->number = number;
        return ok;
    case ARG_UID_SET:
        return imapd_lex_set(l, &k->set);
    case ARG_HEADER:
        return imapd_lex_astring(l, &k->field) && imapd_lex_space(l) && parse_key_text(l, s, k);
    case ARG_MODSEQ:
        return parse_modseq_key(l, s, k);
    case ARG_NOT:
        return parse_key(l, depth + 1, s, &k->child);
    case ARG_OR:
        return parse_key(l, depth + 1, s, &k->child) && imapd_lex_space(l) &&
               parse_key(l, depth + 1, s, &k->child->next);
    }
    return false;
}

static bool
parse_key_group(struct imapd_lex *l, unsigned depth, struct imapd_search *s,
                struct imapd_key *group)
{
    struct imapd_key **last = &group->child;
    bool more = true;

    while (more) {
        if (!parse_key(l, depth + 1, s, last) || !imapd_lex_list_next(l, &more))
            return false;
        last = &(*last)->next;
    }
    return true;
}

static bool
parse_key(struct imapd_lex *l, unsigned depth, struct imapd_search *s, struct imapd_key **out)
{
    const struct key_row *row = key_rows;
    char c = imapd_lex_peek(l);
    struct yb_str name;

    if (depth > IMAPD_SEARCH_DEPTH)
        return imapd_lex_wrong(l, "Search keys are nested too deeply");
    if (imapd_lex_char(l, '('))
        return key_new(l, s, IMAPD_KEY_AND, out) && parse_key_group(l, depth, s, *out);
    if (c == '*' || yb_is_digit(c))
        return key_new(l, s, IMAPD_KEY_SEQ, out) && imapd_lex_set(l, &(*out)->set);
    if (!imapd_lex_name(l, &name))
        return imapd_lex_wrong(l, "A search key is missing");
    while (row < key_rows + YB_COUNT(key_rows) && !yb_str_eqi(name, row->name))
        row++;
    if (row == key_rows + YB_COUNT(key_rows))
        return imapd_lex_wrong(l, "There is no such search key");
    if (!key_new(l, s, row->kind, out))
        return false;
    (*out)->yes = row->yes;
    (*out)->number = row->flag;
    (*out)->field = row->field;
    return parse_key_argument(l, row, depth, s, *out);
}

/* clang-format off */
static const struct { struct yb_str name; unsigned bit; } return_rows[] = {
    { YB_STR_INIT("MIN"),   IMAPD_RETURN_MIN },
    { YB_STR_INIT("MAX"),   IMAPD_RETURN_MAX },
    { YB_STR_INIT("ALL"),   IMAPD_RETURN_ALL },
    { YB_STR_INIT("COUNT"), IMAPD_RETURN_COUNT },
};
/* clang-format on */

static bool
parse_returns(struct imapd_lex *l, struct imapd_search *s)
{
    bool more = true;

    s->extended = true;
    if (!imapd_lex_space(l) || !imapd_lex_open(l))
        return false;
    s->returns = IMAPD_RETURN_ALL; /* RETURN () means ALL (RFC 4731 §3.1) */
    if (imapd_lex_char(l, ')'))
        return imapd_lex_space(l);
    s->returns = 0;
    while (more) {
        size_t i = 0;

        while (i < YB_COUNT(return_rows) && !imapd_lex_word(l, return_rows[i].name))
            i++;
        if (i == YB_COUNT(return_rows))
            return imapd_lex_wrong(l, "There is no such result");
        s->returns |= return_rows[i].bit;
        if (!imapd_lex_list_next(l, &more))
            return false;
    }
    return imapd_lex_space(l);
}

/* Texts go through one conversion for all of them: to open one takes longer than to use it. */
static void
begin_charset(struct imapd_search *s)
{
    if (s->charset.n == 0 || yb_charset_is_utf8(s->charset))
        return;
    s->conversion = yb_charset_open(s->charset);
    s->charset_unknown = s->conversion == NULL;
}

static bool
parse_keys(struct imapd_lex *l, struct imapd_search *s)
{
    struct imapd_key **last;

    if (!key_new(l, s, IMAPD_KEY_AND, &s->root))
        return false;
    last = &s->root->child;
    do {
        if (!parse_key(l, 1, s, last))
            return false;
        last = &(*last)->next;
    } while (imapd_lex_char(l, ' '));
    return imapd_lex_end(l);
}

bool
imapd_parse_search(struct imapd_lex *l, struct imapd_search *out)
{
    bool ok;

    *out = (struct imapd_search){ 0 };
    if (imapd_lex_word(l, YB_STR("RETURN")) && !parse_returns(l, out))
        return false;
    if (imapd_lex_word(l, YB_STR("CHARSET")) &&
        (!imapd_lex_space(l) || !imapd_lex_astring(l, &out->charset) || !imapd_lex_space(l)))
        return false;
    begin_charset(out);
    ok = parse_keys(l, out);
    yb_charset_close(&out->conversion);
    return ok;
}
