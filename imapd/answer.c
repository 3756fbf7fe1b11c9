#include "imapd/answer.h"

#include "lib/mime/date.h"

#include "imapd/utf7.h"

#define QUOTED_MAX 1000

static bool
is_quotable(struct yb_str s)
{
    if (s.n > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '\r' || c == '\n' || c > 126)
            return false;
    }
    return true;
}

/* A string with the odd byte replaced, in runs. */
static void
put_replacing(struct yb_buf *b, struct yb_str s, char odd, const char *by)
{
    while (s.n > 0) {
        size_t run = yb_str_find(s, odd);

        yb_buf_add(b, yb_str_head(s, run));
        if (run < s.n)
            yb_buf_add(b, yb_str_from(by));
        s = yb_str_skip(s, run + 1);
    }
}

void
imapd_put_literal_head(struct yb_buf *b, uint64_t n)
{
    yb_buf_add_c(b, '{');
    yb_buf_add_u64(b, n);
    yb_buf_add(b, YB_STR("}\r\n"));
}

void
imapd_put_string(struct yb_buf *b, struct yb_str s)
{
    if (s.n == 0) {
        yb_buf_add(b, YB_STR("\"\""));
        return;
    }
    if (!is_quotable(s)) {
        imapd_put_literal_head(b, s.n);
        put_replacing(b, s, '\0', "?");
        return;
    }
    yb_buf_add_c(b, '"');
    for (size_t from = 0, i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '"' && s.p[i] != '\\' && s.p[i] != '\0')
            continue;
        yb_buf_add(b, yb_str(s.p + from, i - from));
        if (i < s.n && s.p[i] == '\0')
            yb_buf_add_c(b, '?');
        else if (i < s.n)
            yb_buf_add_c(b, '\\');
        from = i < s.n && s.p[i] == '\0' ? i + 1 : i;
    }
    yb_buf_add_c(b, '"');
}

void
imapd_put_nstring(struct yb_buf *b, struct yb_str s)
{
    if (s.p == NULL)
        yb_buf_add(b, YB_STR("NIL"));
    else
        imapd_put_string(b, s);
}

void
imapd_put_mailbox(struct yb_buf *b, struct yb_str name, struct yb_arena *arena)
{
    imapd_put_string(b, imapd_utf7_encode(name, arena));
}

/* --- flags --- */

/* clang-format off */
static const struct { uint32_t flag; struct yb_str name; } flag_names[] = {
    { YB_FLAG_ANSWERED, YB_STR_INIT("\\Answered ") },
    { YB_FLAG_FLAGGED,  YB_STR_INIT("\\Flagged ") },
    { YB_FLAG_DELETED,  YB_STR_INIT("\\Deleted ") },
    { YB_FLAG_SEEN,     YB_STR_INIT("\\Seen ") },
    { YB_FLAG_DRAFT,    YB_STR_INIT("\\Draft ") },
    { YB_FLAG_PASSED,   YB_STR_INIT("$Forwarded ") },
};
/* clang-format on */

static void
put_system_flags(struct yb_buf *b, uint32_t flags)
{
    for (size_t i = 0; flags != 0 && i < YB_COUNT(flag_names); i++) {
        if ((flags & flag_names[i].flag) != 0)
            yb_buf_add(b, flag_names[i].name);
    }
}

static void
put_keyword(struct yb_buf *b, struct yb_str name)
{
    yb_buf_add(b, name);
    yb_buf_add_c(b, ' ');
}

/* Ends a list that began at `from`: without the last space. */
static void
end_list(struct yb_buf *b, size_t from)
{
    if (yb_buf_size(b) > from)
        yb_buf_truncate(b, yb_buf_size(b) - 1);
    yb_buf_add_c(b, ')');
}

void
imapd_put_flags(struct yb_buf *b, const struct yb_record *r, const struct yb_keywords *keywords,
                bool recent)
{
    char room[YB_KEYWORD_TEXT];
    struct yb_str name;
    size_t from, at = 0;

    yb_buf_add_c(b, '(');
    from = yb_buf_size(b);
    put_system_flags(b, r->flags);
    while (keywords != NULL && yb_keywords_of(keywords, r, &at, room, &name))
        put_keyword(b, name);
    if (recent)
        yb_buf_add(b, YB_STR("\\Recent "));
    end_list(b, from);
}

void
imapd_put_all_flags(struct yb_buf *b, const struct yb_keywords *keywords, bool more)
{
    struct yb_str name;
    size_t from, at = 0;

    yb_buf_add_c(b, '(');
    from = yb_buf_size(b);
    put_system_flags(b, UINT32_MAX);
    while (keywords != NULL && yb_keywords_next(keywords, &at, &name))
        put_keyword(b, name);
    if (more)
        yb_buf_add(b, YB_STR("\\* "));
    end_list(b, from);
}

void
imapd_put_date(struct yb_buf *b, struct yb_date date)
{
    char text[YB_INTERNAL_DATE_TEXT];

    yb_buf_add_c(b, '"');
    yb_buf_add(b, yb_str_from(yb_internal_date_format(date, text)));
    yb_buf_add_c(b, '"');
}
