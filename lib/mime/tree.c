#include "lib/mime/tree.h"

#include "lib/mime/content.h"

#define FIRST_PARTS 8

/* An open part: those below the top contain the line being read. */
struct level {
    uint32_t part;
    uint32_t last_child;
    struct yb_str boundary; /* n == 0: none, or its closing line was seen */
    uint64_t body_line;     /* number of the body's first line */
    bool digest;            /* multipart/digest: its parts are messages unless they say otherwise */
};

struct parser {
    struct yb_str message;
    struct yb_arena *arena, *scratch;
    struct yb_mime_tree *tree;
    size_t room; /* parts allocated */
    struct level levels[YB_MIME_DEPTH_MAX + 1];
    size_t depth;  /* levels in use; the top is the part being read */
    size_t active; /* levels with a boundary */
    uint64_t line; /* number of the line being read */
    bool in_header;
    struct yb_str *field; /* of the top part: where continuation lines go; NULL: of no interest */
};

/* One line: where it begins, and its bytes without the line end. */
struct line {
    uint64_t at;
    struct yb_str text;
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
top(struct parser *ps)
{
    return &ps->levels[ps->depth - 1];
}

static struct yb_mime_part *
part_at(const struct parser *ps, uint32_t index)
{
    return &ps->tree->parts[index];
}

/* Appends a part to the table and opens it: its header begins at `at`. The root has no level below.
 */
static void
part_open(struct parser *ps, uint64_t at)
{
    struct yb_mime_tree *t = ps->tree;
    uint32_t index = t->n;
    struct level *parent = ps->depth == 0 ? NULL : top(ps);

    if (index == ps->room) {
        struct yb_mime_part *more;

        ps->room = ps->room == 0 ? FIRST_PARTS : ps->room * 4;
        more = yb_arena_alloc(ps->arena, ps->room, sizeof(*more));
        if (index > 0)
            memcpy(more, t->parts, index * sizeof(*more));
        t->parts = more;
    }
    t->n++;
    t->parts[index] = (struct yb_mime_part){ .header = at,
                                             .parent = YB_MIME_NO_PART,
                                             .first_child = YB_MIME_NO_PART,
                                             .next = YB_MIME_NO_PART };
    if (parent != NULL) {
        t->parts[index].parent = parent->part;
        if (parent->last_child == YB_MIME_NO_PART)
            part_at(ps, parent->part)->first_child = index;
        else
            part_at(ps, parent->last_child)->next = index;
        parent->last_child = index;
    }
    ps->levels[ps->depth++] = (struct level){ .part = index, .last_child = YB_MIME_NO_PART };
    ps->in_header = true;
    ps->field = NULL;
}

/* A container that may not be entered. */
static void
part_make_opaque(struct parser *ps, struct yb_mime_part *part)
{
    part->opaque = true;
    part->type = YB_STR("application");
    part->subtype = YB_STR("octet-stream");
    ps->tree->limited = true;
}

/* Decides what the top part is, from its fields and from what it stands in (RFC 2045 §5.2, RFC 2046
 * §5.1.5). */
static void
part_classify(struct parser *ps)
{
    struct level *l = top(ps);
    struct yb_mime_part *part = part_at(ps, l->part);
    bool in_digest = ps->depth > 1 && ps->levels[ps->depth - 2].digest;
    struct yb_mime_content content = { 0 };
    bool valid = part->fields[YB_MIME_TYPE].p != NULL &&
                 yb_mime_content_type(part->fields[YB_MIME_TYPE], ps->scratch, &content);
    bool message = in_digest && part->fields[YB_MIME_TYPE].p == NULL;

    part->type = valid ? content.type : message ? YB_STR("message") : YB_STR("text");
    part->subtype = valid ? content.subtype : message ? YB_STR("rfc822") : YB_STR("plain");
    if (yb_str_eqi(part->type, YB_STR("multipart")))
        part->kind = YB_MIME_MULTIPART;
    else if (yb_mime_type_is(part, "message", "rfc822"))
        part->kind = YB_MIME_MESSAGE;
    if (part->kind == YB_MIME_LEAF)
        return;
    if (ps->depth > YB_MIME_DEPTH_MAX - 1 ||
        (part->kind == YB_MIME_MESSAGE && ps->tree->n == YB_MIME_PARTS_MAX)) {
        part->kind = YB_MIME_LEAF;
        part_make_opaque(ps, part);
    } else if (part->kind == YB_MIME_MULTIPART) {
        struct yb_str boundary = yb_mime_param_find(&content, YB_STR("boundary"));

        while (boundary.n > 0 &&
               (boundary.p[boundary.n - 1] == ' ' || boundary.p[boundary.n - 1] == '\t'))
            boundary.n--;
        l->boundary = yb_arena_dup(ps->scratch, boundary);
        l->digest = yb_str_eqi(part->subtype, YB_STR("digest"));
        ps->active += boundary.n > 0;
    }
}

/* The header of the top part is over; its body begins at `body`, which is the line numbered `line`.
 */
static void
header_end(struct parser *ps, uint64_t body, uint64_t line)
{
    struct level *l = top(ps);

    part_at(ps, l->part)->body = body;
    l->body_line = line;
    ps->in_header = false;
    ps->field = NULL;
    part_classify(ps);
}

/* `body` is where the next line begins. */
static void
header_line(struct parser *ps, struct line line, uint64_t next)
{
    struct yb_mime_part *part = part_at(ps, top(ps)->part);
    size_t colon, name_end;
    struct yb_str name;

    if (line.text.n == 0) {
        header_end(ps, next, ps->line + 1);
        if (part_at(ps, top(ps)->part)->kind == YB_MIME_MESSAGE)
            part_open(ps, next);
        return;
    }
    if (line.text.p[0] == ' ' || line.text.p[0] == '\t') {
        if (ps->field != NULL)
            ps->field->n = (size_t)(line.text.p + line.text.n - ps->field->p);
        return;
    }
    ps->field = NULL;
    if ((line.text.p[0] | 0x20) != 'c' || !yb_str_starts_i(line.text, YB_STR("Content-")))
        return;
    colon = name_end = yb_str_find(line.text, ':');
    while (name_end > 0 && (line.text.p[name_end - 1] == ' ' || line.text.p[name_end - 1] == '\t'))
        name_end--;
    name = yb_str_skip(yb_str_head(line.text, name_end), strlen("Content-"));
    for (size_t i = 0; colon < line.text.n && i < YB_COUNT(field_names); i++) {
        struct yb_str *field = &part->fields[field_names[i].field];

        if (field->p == NULL && yb_str_eqi(name, field_names[i].name)) {
            *field = yb_str_skip(line.text, colon + 1);
            ps->field = field;
        }
    }
}

/* Lines in [part->body, end), of which `before` is the number of the line that begins at or behind
 * it. */
static uint64_t
body_lines(const struct parser *ps, const struct level *l, uint64_t end, uint64_t line_at,
           uint64_t before)
{
    const struct yb_mime_part *part = part_at(ps, l->part);

    if (end <= part->body)
        return 0;
    return before - l->body_line - (end < line_at && ps->message.p[end - 1] == '\n');
}

/*
 * Closes all levels above `keep`. The line that ends them begins at line_at; the line end before it
 * belongs to it (not at the end of the message: line_at is its size then, and nothing is taken
 * off).
 */
static void
levels_close(struct parser *ps, size_t keep, uint64_t line_at, bool strip)
{
    uint64_t end = line_at, least = 0;

    if (strip && end > 0 && ps->message.p[end - 1] == '\n') {
        end--;
        end -= end > 0 && ps->message.p[end - 1] == '\r';
    }
    while (ps->depth > keep) {
        struct level *l = top(ps);
        struct yb_mime_part *part = part_at(ps, l->part);

        if (ps->in_header) {
            header_end(ps, end > part->header ? end : part->header, ps->line);
            if (part->kind == YB_MIME_MESSAGE) {
                part_open(ps, part->body); /* cut off, but it has its one child */
                continue;
            }
        }
        part->end = end > part->body ? end : part->body;
        if (part->kind != YB_MIME_LEAF && least > part->end)
            part->end = least; /* an empty child began behind the line end that is not ours */
        least = part->end;
        part->lines = body_lines(ps, l, part->end, line_at, ps->line);
        ps->active -= l->boundary.n > 0;
        ps->depth--;
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
boundary_line(struct parser *ps, struct line line, uint64_t next)
{
    bool close = false;

    for (size_t i = ps->depth; i > 0; i--) {
        struct level *l = &ps->levels[i - 1];

        if (l->boundary.n == 0 || !is_boundary(line.text, l->boundary, &close))
            continue;
        if (!close && ps->tree->n == YB_MIME_PARTS_MAX) {
            ps->tree->limited = true;
            return false;
        }
        levels_close(ps, i, line.at, true);
        if (close) {
            l->boundary.n = 0;
            ps->active--;
        } else {
            part_open(ps, next);
        }
        return true;
    }
    return false;
}

static struct line
line_at(struct yb_str message, uint64_t at, uint64_t *next)
{
    struct yb_str rest = yb_str_skip(message, (size_t)at);
    size_t n = yb_str_find(rest, '\n');

    *next = at + n + (n < rest.n);
    if (n < rest.n && n > 0 && rest.p[n - 1] == '\r')
        n--;
    return (struct line){ at, yb_str_head(rest, n) };
}

void
yb_mime_tree(struct yb_str message, struct yb_arena *arena, struct yb_mime_tree *out)
{
    struct parser ps = { .message = message, .arena = arena, .tree = out };
    uint64_t at = 0, next;

    *out = (struct yb_mime_tree){ 0 };
    ps.scratch = yb_arena_new(4096);
    part_open(&ps, 0);
    for (; at < message.n; at = next, ps.line++) {
        struct line line = line_at(message, at, &next);

        if (ps.active > 0 && line.text.n > 2 && line.text.p[0] == '-' && line.text.p[1] == '-' &&
            boundary_line(&ps, line, next))
            continue;
        if (ps.in_header)
            header_line(&ps, line, next);
    }
    levels_close(&ps, 0, message.n, false);
    yb_arena_free(&ps.scratch);
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
yb_mime_section(const struct yb_mime_tree *tree, const uint32_t *path, size_t n,
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
