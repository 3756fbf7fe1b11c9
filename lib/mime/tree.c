#include "lib/mime/tree.h"

#include "lib/base/buf.h"
#include "lib/mime/content.h"
#include "lib/mime/envelope.h"
#include "lib/mime/header.h"

#define FIRST_PARTS 8
#define NO_FIELD SIZE_MAX

/* An open part: those below the top contain the line being read. */
struct level {
    uint32_t part;
    uint32_t last_child;
    struct yb_str boundary; /* n == 0: none, or its closing line was seen */
    uint64_t body_line;     /* number of the body's first line */
    bool digest;            /* multipart/digest: its parts are messages unless they say otherwise */
};

struct yb_mime_reader {
    struct yb_arena *arena, *scratch;
    struct yb_mime_tree tree;
    size_t room; /* parts allocated */
    struct level levels[YB_MIME_DEPTH_MAX + 1];
    size_t depth;  /* levels in use; the top is the part being read */
    size_t active; /* levels with a boundary */

    /* The line being read: its number, where it begins, how much of it has come, its last octet. */
    uint64_t line, at, line_n;
    char last;
    struct yb_buf *partial; /* what has come, as far as anybody looks at it */
    /* The line before it: octets of its end, and whether it had no others. */
    unsigned end_n;
    bool after_empty;

    bool in_header;
    unsigned seen;       /* Content- fields of the top part: bits by enum yb_mime_field */
    struct yb_buf *kept; /* fields of the top part */
    size_t field_at;     /* where the one under way begins in `kept`, or NO_FIELD */
    size_t left;         /* of YB_MIME_FIELDS_MAX */
};

/* One line: where it begins and the next one does, and its octets without the line end. */
struct line {
    uint64_t at, next;
    struct yb_str text;
    bool cut; /* longer than `text` tells */
};

static const struct {
    struct yb_str name; /* behind "Content-" */
    enum yb_mime_field field;
} field_names[] = {
    { YB_STR_INIT("Type"), YB_MIME_TYPE },
    { YB_STR_INIT("Transfer-Encoding"), YB_MIME_ENCODING },
    { YB_STR_INIT("ID"), YB_MIME_ID },
    { YB_STR_INIT("Description"), YB_MIME_DESCRIPTION },
    { YB_STR_INIT("MD5"), YB_MIME_MD5 },
    { YB_STR_INIT("Disposition"), YB_MIME_DISPOSITION },
    { YB_STR_INIT("Language"), YB_MIME_LANGUAGE },
    { YB_STR_INIT("Location"), YB_MIME_LOCATION },
};

static struct level *
top(struct yb_mime_reader *r)
{
    return &r->levels[r->depth - 1];
}

static struct yb_mime_part *
part_at(const struct yb_mime_reader *r, uint32_t index)
{
    return &r->tree.parts[index];
}

/* Appends a part to the table, as the next child of `parent`; the root has none. */
static uint32_t
part_add(struct yb_mime_reader *r, struct level *parent, uint64_t at)
{
    struct yb_mime_tree *t = &r->tree;
    uint32_t index = t->n;

    if (index == r->room) {
        struct yb_mime_part *more;

        r->room = r->room == 0 ? FIRST_PARTS : r->room * 2;
        more = yb_arena_alloc(r->arena, r->room, sizeof(*more));
        if (index > 0)
            memcpy(more, t->parts, index * sizeof(*more));
        t->parts = more;
    }
    t->n++;
    t->parts[index] = (struct yb_mime_part){ .header = at,
                                             .parent = YB_MIME_NO_PART,
                                             .first_child = YB_MIME_NO_PART,
                                             .next = YB_MIME_NO_PART };
    if (parent == NULL)
        return index;
    t->parts[index].parent = parent->part;
    if (parent->last_child == YB_MIME_NO_PART)
        part_at(r, parent->part)->first_child = index;
    else
        part_at(r, parent->last_child)->next = index;
    parent->last_child = index;
    return index;
}

/* Appends a part and opens it: its header begins at `at`. */
static void
part_open(struct yb_mime_reader *r, uint64_t at)
{
    uint32_t index = part_add(r, r->depth == 0 ? NULL : top(r), at);

    r->levels[r->depth++] = (struct level){ .part = index, .last_child = YB_MIME_NO_PART };
    r->in_header = true;
    r->seen = 0;
    r->field_at = NO_FIELD;
}

/* A container that may not be entered. */
static void
part_make_opaque(struct yb_mime_reader *r, struct yb_mime_part *part)
{
    part->opaque = true;
    part->type = YB_STR("application");
    part->subtype = YB_STR("octet-stream");
    r->tree.limited = true;
}

/* Decides what the top part is, from its fields and from what it stands in (RFC 2045 §5.2, RFC 2046
 * §5.1.5). */
static void
part_classify(struct yb_mime_reader *r)
{
    struct level *l = top(r);
    struct yb_mime_part *part = part_at(r, l->part);
    bool in_digest = r->depth > 1 && r->levels[r->depth - 2].digest;
    struct yb_str value = yb_mime_part_field(part, YB_MIME_TYPE);
    struct yb_mime_content content = { 0 };
    bool valid = value.p != NULL && yb_mime_content_type(value, r->scratch, &content);
    bool message = in_digest && value.p == NULL;

    part->type = valid ? content.type : message ? YB_STR("message") : YB_STR("text");
    part->subtype = valid ? content.subtype : message ? YB_STR("rfc822") : YB_STR("plain");
    if (yb_str_eqi(part->type, YB_STR("multipart")))
        part->kind = YB_MIME_MULTIPART;
    else if (yb_mime_type_is(part, "message", "rfc822"))
        part->kind = YB_MIME_MESSAGE;
    if (part->kind == YB_MIME_LEAF)
        return;
    if (r->depth > YB_MIME_DEPTH_MAX - 1 ||
        (part->kind == YB_MIME_MESSAGE && r->tree.n == YB_MIME_PARTS_MAX)) {
        part->kind = YB_MIME_LEAF;
        part_make_opaque(r, part);
    } else if (part->kind == YB_MIME_MULTIPART) {
        struct yb_str boundary = yb_mime_param_find(&content, YB_STR("boundary"), r->scratch);

        while (boundary.n > 0 &&
               (boundary.p[boundary.n - 1] == ' ' || boundary.p[boundary.n - 1] == '\t'))
            boundary.n--;
        l->boundary = yb_arena_dup(r->arena, boundary);
        l->digest = yb_str_eqi(part->subtype, YB_STR("digest"));
        r->active += boundary.n > 0;
    }
}

/* The header of the top part is over; its body begins at `body`, which is the line numbered `line`.
 */
static void
header_end(struct yb_mime_reader *r, uint64_t body, uint64_t line)
{
    struct level *l = top(r);
    struct yb_mime_part *part = part_at(r, l->part);

    part->body = body;
    part->kept = yb_arena_dup(r->arena, yb_buf_view(r->kept));
    r->left -= yb_buf_size(r->kept);
    yb_buf_clear(r->kept);
    l->body_line = line;
    r->in_header = false;
    r->field_at = NO_FIELD;
    part_classify(r);
    yb_arena_reset(r->scratch);
}

/* Is this line the beginning of a field that is kept? */
static bool
is_kept(struct yb_mime_reader *r, struct yb_str text)
{
    const struct yb_mime_part *part = part_at(r, top(r)->part);
    size_t colon = yb_str_find(text, ':');
    struct yb_str name = yb_str_head(text, colon);

    if (colon == text.n)
        return false;
    while (name.n > 0 && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
        name.n--;
    if (!yb_str_starts_i(name, YB_STR("Content-")))
        return (part->parent == YB_MIME_NO_PART ||
                part_at(r, part->parent)->kind == YB_MIME_MESSAGE) &&
               yb_mime_envelope_has(name);
    name = yb_str_skip(name, strlen("Content-"));
    for (size_t i = 0; i < YB_COUNT(field_names); i++) {
        unsigned bit = 1u << field_names[i].field;

        if (!yb_str_eqi(name, field_names[i].name))
            continue;
        if ((r->seen & bit) != 0)
            return false; /* the first counts */
        r->seen |= bit;
        return true;
    }
    return false;
}

/* A line of a field that is kept. All of a field is there or nothing of it. */
static void
field_line(struct yb_mime_reader *r, const struct line *line)
{
    if (!line->cut && yb_buf_size(r->kept) + line->text.n + 2 <= r->left) {
        yb_buf_add(r->kept, line->text);
        yb_buf_add(r->kept, YB_STR("\r\n"));
        return;
    }
    yb_buf_truncate(r->kept, r->field_at);
    r->field_at = NO_FIELD;
    r->tree.dropped = true;
}

static void
header_line(struct yb_mime_reader *r, const struct line *line)
{
    if (line->text.n == 0) {
        header_end(r, line->next, r->line + 1);
        if (part_at(r, top(r)->part)->kind == YB_MIME_MESSAGE)
            part_open(r, line->next);
        return;
    }
    if (line->text.p[0] != ' ' && line->text.p[0] != '\t')
        r->field_at = is_kept(r, line->text) ? yb_buf_size(r->kept) : NO_FIELD;
    if (r->field_at != NO_FIELD)
        field_line(r, line);
}

/* Lines in [part->body, end), with the reader at the line that begins at r->at. An empty line whose
 * end was taken off is none. */
static uint64_t
body_lines(const struct yb_mime_reader *r, const struct level *l, uint64_t end)
{
    if (end <= part_at(r, l->part)->body)
        return 0;
    return r->line - l->body_line - (end < r->at && r->after_empty);
}

/*
 * A multipart that is over and has no part (no boundary, or nothing behind one): readers are told of
 * one all the same, and shall find the text in it.
 */
static void
part_stand_in(struct yb_mime_reader *r, struct level *l)
{
    struct yb_mime_part *part = part_at(r, l->part), *child;
    uint32_t index;

    if (r->tree.n == YB_MIME_PARTS_MAX) {
        part->kind = YB_MIME_LEAF;
        part_make_opaque(r, part);
        return;
    }
    index = part_add(r, l, part->body);
    part = part_at(r, l->part);
    child = part_at(r, index);
    child->body = part->body;
    child->end = part->end;
    child->lines = part->lines;
    child->type = YB_STR("text");
    child->subtype = YB_STR("plain");
    child->kept = yb_str("", 0);
}

/*
 * Closes all levels above `keep`. The line that ends them begins at r->at; with `strip` the line end
 * before it belongs to it.
 */
static void
levels_close(struct yb_mime_reader *r, size_t keep, bool strip)
{
    uint64_t end = r->at - (strip ? r->end_n : 0), least = 0;

    while (r->depth > keep) {
        struct level *l = top(r);
        struct yb_mime_part *part = part_at(r, l->part);

        if (r->in_header) {
            header_end(r, end > part->header ? end : part->header, r->line);
            if (part->kind == YB_MIME_MESSAGE) {
                part_open(r, part->body); /* cut off, but it has its one child */
                continue;
            }
        }
        part->end = end > part->body ? end : part->body;
        if (part->kind != YB_MIME_LEAF && least > part->end)
            part->end = least; /* an empty child began behind the line end that is not ours */
        least = part->end;
        part->lines = body_lines(r, l, part->end);
        if (part->kind == YB_MIME_MULTIPART && part->first_child == YB_MIME_NO_PART)
            part_stand_in(r, l);
        r->active -= l->boundary.n > 0;
        r->depth--;
    }
}

/* True for "--boundary" (*close false) and "--boundary--" (*close true), spaces behind allowed. */
static bool
is_boundary(struct yb_str text, struct yb_str boundary, bool *close)
{
    struct yb_str rest;

    if (text.n < boundary.n + 2 || memcmp(text.p + 2, boundary.p, boundary.n) != 0)
        return false;
    rest = yb_str_skip(text, boundary.n + 2);
    *close = yb_str_starts(rest, YB_STR("--"));
    return yb_str_trim(*close ? yb_str_skip(rest, 2) : rest).n == 0;
}

/* Handles the line if it is a boundary of an open multipart. */
static bool
boundary_line(struct yb_mime_reader *r, const struct line *line)
{
    bool close = false;

    if (line->cut || line->text.n > YB_MIME_LINE_MAX || line->text.n < 3 ||
        line->text.p[0] != '-' || line->text.p[1] != '-')
        return false;
    for (size_t i = r->depth; i > 0; i--) {
        struct level *l = &r->levels[i - 1];

        if (l->boundary.n == 0 || !is_boundary(line->text, l->boundary, &close))
            continue;
        if (!close && r->tree.n == YB_MIME_PARTS_MAX) {
            r->tree.limited = true;
            return false;
        }
        levels_close(r, i, true);
        if (close) {
            l->boundary.n = 0;
            r->active--;
        } else {
            part_open(r, line->next);
        }
        return true;
    }
    return false;
}

/* How much of a line anybody looks at. */
static size_t
line_limit(const struct yb_mime_reader *r)
{
    return r->in_header ? YB_MIME_FIELDS_MAX : YB_MIME_LINE_MAX;
}

/* `rest` is what is left of the line, `end_n` octets of line end not counted. */
static void
take_line(struct yb_mime_reader *r, struct yb_str rest, unsigned end_n)
{
    uint64_t n = r->line_n + rest.n;
    struct line line = { .at = r->at, .next = r->at + n + end_n, .text = rest };
    bool cr = end_n > 0 && n > 0 && (rest.n > 0 ? rest.p[rest.n - 1] : r->last) == '\r';

    line.cut = n - cr > line_limit(r);
    if (r->line_n > 0) {
        yb_buf_add(r->partial, yb_str_head(rest, line_limit(r) + 1));
        line.text = yb_buf_view(r->partial);
    }
    if (!line.cut)
        line.text.n = (size_t)n - cr;
    if ((r->active == 0 || !boundary_line(r, &line)) && r->in_header)
        header_line(r, &line);
    r->line++;
    r->at = line.next;
    r->end_n = end_n + cr;
    r->after_empty = n - cr == 0;
    r->line_n = 0;
    yb_buf_clear(r->partial);
}

/* A piece of a line whose end has not come. */
static void
keep_piece(struct yb_mime_reader *r, struct yb_str piece)
{
    size_t have = yb_buf_size(r->partial), limit = line_limit(r) + 1;

    if (have < limit)
        yb_buf_add(r->partial, yb_str_head(piece, limit - have));
    r->line_n += piece.n;
    r->last = piece.p[piece.n - 1];
}

struct yb_mime_reader *
yb_mime_reader_new(struct yb_arena *arena)
{
    struct yb_mime_reader *r = yb_arena_alloc(arena, 1, sizeof(*r));

    r->arena = arena;
    r->scratch = yb_arena_new(4096);
    r->partial = yb_buf_new(2 * (YB_MIME_FIELDS_MAX + 1));
    r->kept = yb_buf_new(YB_MIME_FIELDS_MAX);
    r->left = YB_MIME_FIELDS_MAX;
    part_open(r, 0);
    return r;
}

void
yb_mime_reader_feed(struct yb_mime_reader *r, struct yb_str piece)
{
    while (piece.n > 0) {
        size_t n = yb_str_find(piece, '\n');

        if (n == piece.n) {
            keep_piece(r, piece);
            return;
        }
        take_line(r, yb_str_head(piece, n), 1);
        piece = yb_str_skip(piece, n + 1);
    }
}

void
yb_mime_reader_free(struct yb_mime_reader **r)
{
    if (*r == NULL)
        return;
    yb_arena_free(&(*r)->scratch);
    yb_buf_free(&(*r)->partial);
    yb_buf_free(&(*r)->kept);
    *r = NULL;
}

void
yb_mime_reader_end(struct yb_mime_reader **r, struct yb_mime_tree *out)
{
    if ((*r)->line_n > 0)
        take_line(*r, YB_STR(""), 0);
    levels_close(*r, 0, false);
    *out = (*r)->tree;
    yb_mime_reader_free(r);
}

void
yb_mime_tree_parse(struct yb_str message, struct yb_arena *arena, struct yb_mime_tree *out)
{
    struct yb_mime_reader *r = yb_mime_reader_new(arena);

    yb_mime_reader_feed(r, message);
    yb_mime_reader_end(&r, out);
}

struct yb_str
yb_mime_part_field(const struct yb_mime_part *part, enum yb_mime_field field)
{
    struct yb_str left = part->kept;
    struct yb_header h;

    for (size_t i = 0; i < YB_COUNT(field_names); i++) {
        if (field_names[i].field != field)
            continue;
        while (yb_header_next(&left, &h)) {
            if (yb_str_starts_i(h.name, YB_STR("Content-")) &&
                yb_str_eqi(yb_str_skip(h.name, strlen("Content-")), field_names[i].name))
                return h.value;
        }
    }
    return yb_str(NULL, 0);
}

bool
yb_mime_type_is(const struct yb_mime_part *part, const char *type, const char *subtype)
{
    return yb_str_eqi(part->type, yb_str_from(type)) &&
           yb_str_eqi(part->subtype, yb_str_from(subtype));
}

/* The k-th child, from 1. */
static uint32_t
child_at(const struct yb_mime_tree *tree, uint32_t index, uint32_t k)
{
    uint32_t child = tree->parts[index].first_child;

    while (child != YB_MIME_NO_PART && k > 1) {
        child = tree->parts[child].next;
        k--;
    }
    return k == 0 ? YB_MIME_NO_PART : child;
}

/* As yb_mime_find(); *message: the part is a message as such, not the one part of it. */
static uint32_t
find(const struct yb_mime_tree *tree, const uint32_t *path, size_t n, bool *message)
{
    uint32_t at = 0;

    *message = true;
    for (size_t i = 0; i < n && at != YB_MIME_NO_PART; i++) {
        if (!*message && tree->parts[at].kind == YB_MIME_MESSAGE) {
            at = tree->parts[at].first_child;
            *message = true;
        }
        if (tree->parts[at].kind == YB_MIME_MULTIPART)
            at = child_at(tree, at, path[i]);
        else if (!*message || path[i] != 1)
            at = YB_MIME_NO_PART;
        *message = false;
    }
    return at;
}

uint32_t
yb_mime_find(const struct yb_mime_tree *tree, const uint32_t *path, size_t n)
{
    bool message;

    return find(tree, path, n, &message);
}

bool
yb_mime_section_find(const struct yb_mime_tree *tree, const uint32_t *path, size_t n,
                     enum yb_mime_section section, uint64_t *start, uint64_t *end)
{
    bool message;
    uint32_t index = find(tree, path, n, &message);
    const struct yb_mime_part *part;

    if (index == YB_MIME_NO_PART)
        return false;
    part = &tree->parts[index];
    if (section == YB_MIME_SECTION_HEADER || section == YB_MIME_SECTION_TEXT) {
        if (!message && part->kind != YB_MIME_MESSAGE)
            return false;
        part = message ? part : &tree->parts[part->first_child];
    } else if (section == YB_MIME_SECTION_MIME && message) {
        return false;
    }
    *start = section == YB_MIME_SECTION_TEXT              ? part->body
             : section != YB_MIME_SECTION_BODY || message ? part->header
                                                          : part->body;
    *end = section == YB_MIME_SECTION_HEADER || section == YB_MIME_SECTION_MIME ? part->body
                                                                                : part->end;
    return true;
}
