/* The smaller arguments: SELECT, STATUS, CREATE, LIST, COPY, APPEND, ID, SETQUOTA. */
#include "imapd/parse.h"

struct word_row {
    struct yb_str name;
    unsigned bit;
};

/* One of the words of a table; its bit is added to *bits. */
static bool
parse_word(struct imapd_lex *l, const struct word_row *rows, size_t n, unsigned *bits)
{
    for (size_t i = 0; i < n; i++) {
        if (imapd_lex_word(l, rows[i].name)) {
            *bits |= rows[i].bit;
            return true;
        }
    }
    return imapd_lex_wrong(l, "An option or item is unknown");
}

/* Behind the '(': words of the table up to the ')'. */
static bool
parse_words(struct imapd_lex *l, const struct word_row *rows, size_t n, unsigned *bits)
{
    bool more = true;

    while (more) {
        if (!parse_word(l, rows, n, bits) || !imapd_lex_list_next(l, &more))
            return false;
    }
    return true;
}

bool
imapd_parse_select(struct imapd_lex *l, struct imapd_select *out)
{
    static const struct word_row rows[] = { { YB_STR_INIT("CONDSTORE"), 1 } };
    unsigned bits = 0;

    *out = (struct imapd_select){ 0 };
    if (!imapd_lex_mailbox(l, &out->mailbox))
        return false;
    if (imapd_lex_char(l, ' ') &&
        (!imapd_lex_open(l) || !parse_words(l, rows, YB_COUNT(rows), &bits)))
        return false;
    out->condstore = bits != 0;
    return imapd_lex_end(l);
}

/* Behind the '(': items of STATUS. */
static bool
parse_status_items(struct imapd_lex *l, unsigned *items)
{
    static const struct word_row rows[] = {
        { YB_STR_INIT("MESSAGES"), IMAPD_STATUS_MESSAGES },
        { YB_STR_INIT("RECENT"), IMAPD_STATUS_RECENT },
        { YB_STR_INIT("UIDNEXT"), IMAPD_STATUS_UIDNEXT },
        { YB_STR_INIT("UIDVALIDITY"), IMAPD_STATUS_UIDVALIDITY },
        { YB_STR_INIT("UNSEEN"), IMAPD_STATUS_UNSEEN },
        { YB_STR_INIT("HIGHESTMODSEQ"), IMAPD_STATUS_HIGHESTMODSEQ },
        { YB_STR_INIT("DELETED-STORAGE"), IMAPD_STATUS_DELETED_STORAGE },
        { YB_STR_INIT("APPENDLIMIT"), IMAPD_STATUS_APPENDLIMIT },
    };

    return parse_words(l, rows, YB_COUNT(rows), items);
}

bool
imapd_parse_status(struct imapd_lex *l, struct imapd_status *out)
{
    *out = (struct imapd_status){ 0 };
    return imapd_lex_mailbox(l, &out->mailbox) && imapd_lex_space(l) && imapd_lex_open(l) &&
           parse_status_items(l, &out->items) && imapd_lex_end(l);
}

/* --- CREATE --- */

/* Behind "USE (": "\Sent", or nothing. */
static bool
parse_uses(struct imapd_lex *l, struct imapd_create *out)
{
    bool more = true;

    if (imapd_lex_char(l, ')'))
        return true;
    while (more) {
        size_t from = l->at;
        struct yb_str name;

        if (out->n_uses == IMAPD_USES_MAX)
            return imapd_lex_wrong(l, "Too many uses");
        if (!imapd_lex_char(l, '\\'))
            return imapd_lex_wrong(l, "A use begins with a backslash");
        if (!imapd_lex_atom(l, &name))
            return false;
        out->uses[out->n_uses++] = yb_str(l->in.p + from, l->at - from);
        if (!imapd_lex_list_next(l, &more))
            return false;
    }
    return true;
}

bool
imapd_parse_create(struct imapd_lex *l, struct imapd_create *out)
{
    *out = (struct imapd_create){ 0 };
    if (!imapd_lex_mailbox(l, &out->mailbox))
        return false;
    if (!imapd_lex_char(l, ' '))
        return imapd_lex_end(l);
    if (!imapd_lex_open(l))
        return false;
    if (!imapd_lex_word(l, YB_STR("USE")))
        return imapd_lex_wrong(l, "An option or item is unknown");
    if (!imapd_lex_space(l) || !imapd_lex_open(l) || !parse_uses(l, out))
        return false;
    if (!imapd_lex_char(l, ')'))
        return imapd_lex_wrong(l, "A closing parenthesis is missing");
    return imapd_lex_end(l);
}

/* --- LIST --- */

/* clang-format off */
static const struct word_row select_rows[] = {
    { YB_STR_INIT("SUBSCRIBED"),     IMAPD_LIST_SUBSCRIBED },
    { YB_STR_INIT("SPECIAL-USE"),    IMAPD_LIST_SPECIAL_USE },
    { YB_STR_INIT("RECURSIVEMATCH"), IMAPD_LIST_RECURSIVE_MATCH },
    { YB_STR_INIT("REMOTE"),         IMAPD_LIST_REMOTE },
};
static const struct word_row return_rows[] = {
    { YB_STR_INIT("SUBSCRIBED"),  IMAPD_LIST_SUBSCRIBED },
    { YB_STR_INIT("SPECIAL-USE"), IMAPD_LIST_SPECIAL_USE },
    { YB_STR_INIT("CHILDREN"),    IMAPD_LIST_CHILDREN },
};
/* clang-format on */

static bool
parse_patterns(struct imapd_lex *l, struct imapd_list *out)
{
    bool more = true;

    if (!imapd_lex_char(l, '('))
        return imapd_lex_pattern(l, &out->patterns[out->n_patterns++]);
    out->extended = true;
    while (more) {
        if (out->n_patterns == IMAPD_LIST_PATTERNS)
            return imapd_lex_wrong(l, "Too many patterns");
        if (!imapd_lex_pattern(l, &out->patterns[out->n_patterns++]) ||
            !imapd_lex_list_next(l, &more))
            return false;
    }
    return true;
}

static bool
parse_list_select(struct imapd_lex *l, struct imapd_list *out)
{
    out->extended = true;
    if (!imapd_lex_char(l, ')') &&
        !parse_words(l, select_rows, YB_COUNT(select_rows), &out->select))
        return false;
    /* RECURSIVEMATCH needs something to match (RFC 5258 §3). */
    if ((out->select & IMAPD_LIST_RECURSIVE_MATCH) != 0 &&
        (out->select & (IMAPD_LIST_SUBSCRIBED | IMAPD_LIST_SPECIAL_USE)) == 0)
        return imapd_lex_wrong(l, "RECURSIVEMATCH needs another option");
    return imapd_lex_space(l);
}

/* Behind "RETURN (": options, STATUS with its items among them. */
static bool
parse_list_return(struct imapd_lex *l, struct imapd_list *out)
{
    bool more = true;

    if (imapd_lex_char(l, ')'))
        return true;
    while (more) {
        if (imapd_lex_word(l, YB_STR("STATUS"))) {
            if (!imapd_lex_space(l) || !imapd_lex_open(l) || !parse_status_items(l, &out->status))
                return false;
        } else if (!parse_word(l, return_rows, YB_COUNT(return_rows), &out->returns)) {
            return false;
        }
        if (!imapd_lex_list_next(l, &more))
            return false;
    }
    return true;
}

bool
imapd_parse_list(struct imapd_lex *l, struct imapd_list *out)
{
    *out = (struct imapd_list){ 0 };
    if (imapd_lex_char(l, '(') && !parse_list_select(l, out))
        return false;
    if (!imapd_lex_astring(l, &out->reference) || !imapd_lex_space(l) || !parse_patterns(l, out))
        return false;
    if (imapd_lex_char(l, ' ')) {
        out->extended = true;
        if (!imapd_lex_word(l, YB_STR("RETURN")))
            return imapd_lex_wrong(l, "RETURN is missing");
        if (!imapd_lex_space(l) || !imapd_lex_open(l) || !parse_list_return(l, out))
            return false;
    }
    return imapd_lex_end(l);
}

bool
imapd_parse_lsub(struct imapd_lex *l, struct imapd_list *out)
{
    *out = (struct imapd_list){ .select = IMAPD_LIST_SUBSCRIBED, .n_patterns = 1 };
    return imapd_lex_astring(l, &out->reference) && imapd_lex_space(l) &&
           imapd_lex_pattern(l, &out->patterns[0]) && imapd_lex_end(l);
}

/* --- COPY, APPEND --- */

bool
imapd_parse_copy(struct imapd_lex *l, struct imapd_copy *out)
{
    *out = (struct imapd_copy){ 0 };
    return imapd_lex_set(l, &out->set) && imapd_lex_space(l) &&
           imapd_lex_mailbox(l, &out->mailbox) && imapd_lex_end(l);
}

/* True when the input ends with the literal head it stands at: its bytes are not there yet. */
static bool
at_open_literal(const struct imapd_lex *l)
{
    struct imapd_lex look = *l;
    uint64_t size;
    bool nonsync;

    return imapd_lex_peek(&look) == '{' && imapd_lex_literal_head(&look, &size, &nonsync) &&
           look.at == look.in.n;
}

bool
imapd_parse_append(struct imapd_lex *l, struct imapd_append *out)
{
    *out = (struct imapd_append){ 0 };
    if (at_open_literal(l))
        return true;
    if (!imapd_lex_mailbox(l, &out->mailbox) || !imapd_lex_space(l))
        return false;
    if (imapd_lex_peek(l) == '(' &&
        (!imapd_lex_flags(l, false, &out->flags) || !imapd_lex_space(l)))
        return false;
    if (imapd_lex_peek(l) == '"') {
        out->has_date = true;
        if (!imapd_lex_date_time(l, &out->date) || !imapd_lex_space(l))
            return false;
    }
    out->literal = true;
    return imapd_lex_literal_head(l, &out->size, &out->nonsync) && imapd_lex_end(l);
}

/* --- ID, SETQUOTA --- */

bool
imapd_parse_id(struct imapd_lex *l, struct imapd_id *out)
{
    bool more = true;

    out->n = 0;
    if (imapd_lex_word(l, YB_STR("NIL")))
        return imapd_lex_end(l);
    if (!imapd_lex_open(l))
        return false;
    if (imapd_lex_char(l, ')'))
        return imapd_lex_end(l);
    while (more) {
        if (out->n == IMAPD_ID_PAIRS)
            return imapd_lex_wrong(l, "Too many fields");
        if (!imapd_lex_string(l, &out->names[out->n]) || !imapd_lex_space(l) ||
            !imapd_lex_nstring(l, &out->values[out->n]) || !imapd_lex_list_next(l, &more))
            return false;
        out->n++;
    }
    return imapd_lex_end(l);
}

bool
imapd_parse_setquota(struct imapd_lex *l, struct yb_str *root)
{
    struct yb_str resource;
    uint64_t limit;
    bool more = true;

    if (!imapd_lex_astring(l, root) || !imapd_lex_space(l) || !imapd_lex_open(l))
        return false;
    if (imapd_lex_char(l, ')'))
        return imapd_lex_end(l);
    while (more) {
        if (!imapd_lex_atom(l, &resource) || !imapd_lex_space(l) ||
            !imapd_lex_modseq(l, true, &limit) || !imapd_lex_list_next(l, &more))
            return false;
    }
    return imapd_lex_end(l);
}
