#include "imapd/structure.h"

#include "lib/mime/content.h"
#include "lib/mime/envelope.h"
#include "lib/mime/header.h"

#include "imapd/answer.h"

/* --- ENVELOPE --- */

static void
put_address(struct yb_buf *b, const struct yb_mime_address *a)
{
    switch (a->kind) {
    case YB_MIME_GROUP_START:
        yb_buf_add(b, YB_STR("(NIL NIL "));
        imapd_put_string(b, a->name);
        yb_buf_add(b, YB_STR(" NIL)"));
        return;
    case YB_MIME_GROUP_END:
        yb_buf_add(b, YB_STR("(NIL NIL NIL NIL)"));
        return;
    case YB_MIME_MAILBOX:
        break;
    }
    yb_buf_add_c(b, '(');
    imapd_put_nstring(b, a->name);
    yb_buf_add_c(b, ' ');
    imapd_put_nstring(b, a->route);
    yb_buf_add_c(b, ' ');
    imapd_put_string(b, a->local);
    yb_buf_add_c(b, ' ');
    /* NIL would make it a group (§7.4.2). */
    imapd_put_string(b, a->domain);
    yb_buf_add_c(b, ')');
}

static void
put_addresses(struct yb_buf *b, const struct yb_mime_address *a)
{
    if (a == NULL) {
        yb_buf_add(b, YB_STR("NIL"));
        return;
    }
    yb_buf_add_c(b, '(');
    for (; a != NULL; a = a->next)
        put_address(b, a);
    yb_buf_add_c(b, ')');
}

void
imapd_put_envelope(struct yb_buf *b, struct yb_str header, struct yb_arena *arena)
{
    struct yb_mime_envelope e;

    yb_mime_envelope_parse(header, arena, &e);
    yb_buf_add_c(b, '(');
    imapd_put_nstring(b, e.texts[YB_MIME_DATE]);
    yb_buf_add_c(b, ' ');
    imapd_put_nstring(b, e.texts[YB_MIME_SUBJECT]);
    yb_buf_add_c(b, ' ');
    for (size_t i = 0; i < YB_MIME_ENVELOPE_LISTS; i++) {
        put_addresses(b, e.lists[i]);
        yb_buf_add_c(b, ' ');
    }
    imapd_put_nstring(b, e.texts[YB_MIME_IN_REPLY_TO]);
    yb_buf_add_c(b, ' ');
    imapd_put_nstring(b, e.texts[YB_MIME_MESSAGE_ID]);
    yb_buf_add_c(b, ')');
}

/* --- BODYSTRUCTURE --- */

static void
put_params(struct yb_buf *b, const struct yb_mime_param *p)
{
    const char *between = "(";

    if (p == NULL) {
        yb_buf_add(b, YB_STR("NIL"));
        return;
    }
    for (; p != NULL; p = p->next) {
        yb_buf_add(b, yb_str_from(between));
        imapd_put_string(b, p->name);
        yb_buf_add_c(b, ' ');
        imapd_put_string(b, p->value);
        between = " ";
    }
    yb_buf_add_c(b, ')');
}

/* The parameters of the content type; what has none of its own is US-ASCII text (RFC 2045 §5.2). */
static void
put_type_params(struct yb_buf *b, const struct yb_mime_part *p, struct yb_arena *arena)
{
    struct yb_str value = yb_mime_part_field(p, YB_MIME_TYPE);
    struct yb_mime_content content = { 0 };

    if (!p->opaque && value.p != NULL && yb_mime_content_type(value, arena, &content))
        put_params(b, content.params);
    else if (!p->opaque && value.p == NULL && yb_mime_type_is(p, "text", "plain"))
        yb_buf_add(b, YB_STR("(\"CHARSET\" \"US-ASCII\")"));
    else
        yb_buf_add(b, YB_STR("NIL"));
}

static void
put_field(struct yb_buf *b, const struct yb_mime_part *p, enum yb_mime_field field,
          struct yb_arena *arena)
{
    struct yb_str value = yb_mime_part_field(p, field);

    imapd_put_nstring(b, value.p == NULL ? value : yb_header_unfold(value, arena));
}

static void
put_disposition(struct yb_buf *b, const struct yb_mime_part *p, struct yb_arena *arena)
{
    struct yb_str value = yb_mime_part_field(p, YB_MIME_DISPOSITION);
    struct yb_mime_content d;

    if (value.p == NULL || !yb_mime_disposition(value, arena, &d)) {
        yb_buf_add(b, YB_STR("NIL"));
        return;
    }
    yb_buf_add_c(b, '(');
    imapd_put_string(b, d.type);
    yb_buf_add_c(b, ' ');
    put_params(b, d.params);
    yb_buf_add_c(b, ')');
}

/* "en, fr" is ("en" "fr"). */
static void
put_language(struct yb_buf *b, const struct yb_mime_part *p, struct yb_arena *arena)
{
    struct yb_str left = yb_mime_part_field(p, YB_MIME_LANGUAGE), one;
    const char *between = "(";

    if (left.p != NULL)
        left = yb_header_unfold(left, arena);
    while (left.p != NULL && yb_str_split(&left, ',', &one)) {
        one = yb_str_trim(one);
        if (one.n == 0)
            continue;
        yb_buf_add(b, yb_str_from(between));
        imapd_put_string(b, one);
        between = " ";
    }
    yb_buf_add(b, *between == '(' ? YB_STR("NIL") : YB_STR(")"));
}

/* What ends every extended structure. */
static void
put_extension(struct yb_buf *b, const struct yb_mime_part *p, struct yb_arena *arena)
{
    yb_buf_add_c(b, ' ');
    put_disposition(b, p, arena);
    yb_buf_add_c(b, ' ');
    put_language(b, p, arena);
    yb_buf_add_c(b, ' ');
    put_field(b, p, YB_MIME_LOCATION, arena);
}

static void
put_multipart(struct yb_buf *b, const struct yb_mime_tree *tree, const struct yb_mime_part *p,
              bool extended, struct yb_arena *arena)
{
    yb_buf_add_c(b, '(');
    for (uint32_t i = p->first_child; i != YB_MIME_NO_PART; i = tree->parts[i].next)
        imapd_put_structure(b, tree, i, extended, arena);
    yb_buf_add_c(b, ' ');
    imapd_put_string(b, p->subtype);
    if (extended) {
        yb_buf_add_c(b, ' ');
        put_type_params(b, p, arena);
        put_extension(b, p, arena);
    }
    yb_buf_add_c(b, ')');
}

void
imapd_put_structure(struct yb_buf *b, const struct yb_mime_tree *tree, uint32_t part, bool extended,
                    struct yb_arena *arena)
{
    const struct yb_mime_part *p = &tree->parts[part];
    struct yb_str encoding = yb_mime_part_field(p, YB_MIME_ENCODING);

    if (p->kind == YB_MIME_MULTIPART) {
        put_multipart(b, tree, p, extended, arena);
        return;
    }
    yb_buf_add_c(b, '(');
    imapd_put_string(b, p->type);
    yb_buf_add_c(b, ' ');
    imapd_put_string(b, p->subtype);
    yb_buf_add_c(b, ' ');
    put_type_params(b, p, arena);
    yb_buf_add_c(b, ' ');
    put_field(b, p, YB_MIME_ID, arena);
    yb_buf_add_c(b, ' ');
    put_field(b, p, YB_MIME_DESCRIPTION, arena);
    yb_buf_add_c(b, ' ');
    if (encoding.p != NULL)
        encoding = yb_mime_word(encoding);
    imapd_put_string(b, encoding.n > 0 ? encoding : YB_STR("7BIT"));
    yb_buf_add_c(b, ' ');
    yb_buf_add_u64(b, p->end - p->body);
    if (p->kind == YB_MIME_MESSAGE) {
        yb_buf_add_c(b, ' ');
        imapd_put_envelope(b, tree->parts[p->first_child].kept, arena);
        yb_buf_add_c(b, ' ');
        imapd_put_structure(b, tree, p->first_child, extended, arena);
    }
    if (p->kind == YB_MIME_MESSAGE || yb_str_eqi(p->type, YB_STR("text"))) {
        yb_buf_add_c(b, ' ');
        yb_buf_add_u64(b, p->lines);
    }
    if (extended) {
        yb_buf_add_c(b, ' ');
        put_field(b, p, YB_MIME_MD5, arena);
        put_extension(b, p, arena);
    }
    yb_buf_add_c(b, ')');
}
