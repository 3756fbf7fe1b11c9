#include "lib/store/foldername.h"

#include <stdlib.h>
#include <uninorm.h>

/* Longer before it is composed: no name of YB_FOLDER_NAME_MAX is. */
#define NOT_COMPOSED_MAX (4 * YB_FOLDER_NAME_MAX)

static int
refuse(struct yb_err *err, enum yb_err_kind kind, const char *text)
{
    return yb_err_as(err, kind, YB_PERM, "5.2.0", "%s", text);
}

static bool
is_control(unsigned char c)
{
    return c < ' ' || c == 127;
}

/* C1 controls (U+0080 to U+009F) are C2 80 to C2 9F in UTF-8. */
static bool
has_controls(struct yb_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_control((unsigned char)s.p[i]) ||
            (s.p[i] == '\xc2' && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0))
            return true;
    }
    return false;
}

/* Appends one level, escaped; false when it does not fit. */
static bool
put_level(struct yb_folder_dir *dir, size_t *n, struct yb_str level)
{
    static const char hex[] = "0123456789ABCDEF";

    if (*n + 2 > sizeof(dir->s))
        return false;
    dir->s[(*n)++] = '.';
    for (size_t i = 0; i < level.n; i++) {
        unsigned char c = (unsigned char)level.p[i];
        bool plain = c != '.' && c != '%' && !is_control(c);

        if (*n + (plain ? 2 : 4) > sizeof(dir->s))
            return false;
        if (plain) {
            dir->s[(*n)++] = (char)c;
            continue;
        }
        dir->s[(*n)++] = '%';
        dir->s[(*n)++] = hex[c >> 4];
        dir->s[(*n)++] = hex[c & 15];
    }
    dir->s[*n] = '\0';
    return true;
}

/* A name in NFC, without the trailing separator, level by level. */
static int
put_name(struct yb_str name, struct yb_folder_dir *dir, struct yb_err *err)
{
    struct yb_str level, rest = name;
    size_t n = 0, levels = 0;

    while (yb_str_split(&rest, '/', &level)) {
        if (level.n == 0)
            return refuse(err, YB_ERR_CANNOT, "A mailbox name has an empty level");
        if (++levels > YB_FOLDER_LEVELS)
            return refuse(err, YB_ERR_LIMIT, "A mailbox name has at most 40 levels");
        if (levels == 1 && yb_str_eqi(level, YB_STR("INBOX")))
            level = YB_STR("INBOX");
        if (!put_level(dir, &n, level))
            return refuse(err, YB_ERR_LIMIT, "The mailbox name is too long");
    }
    return 0;
}

/* In NFC; to be freed. */
static uint8_t *
compose(struct yb_str text, size_t *n)
{
    uint8_t *nfc = u8_normalize(UNINORM_NFC, (const uint8_t *)text.p, text.n, NULL, n);

    yb_assert(nfc != NULL); /* well-formed UTF-8: only memory can be missing */
    return nfc;
}

struct yb_str
yb_folder_nfc(struct yb_str text, struct yb_arena *arena)
{
    uint8_t *nfc;
    size_t n = 0;

    if (text.n == 0 || text.n > NOT_COMPOSED_MAX || !yb_str_utf8(text))
        return text;
    nfc = compose(text, &n);
    text = yb_arena_dup(arena, yb_str((const char *)nfc, n));
    free(nfc);
    return text;
}

int
yb_folder_to_dir(struct yb_str name, struct yb_folder_dir *dir, struct yb_err *err)
{
    uint8_t *nfc;
    size_t n = 0;
    int rc;

    dir->s[0] = '\0';
    if (name.n > 0 && name.p[name.n - 1] == '/')
        name.n--;
    if (yb_str_eqi(name, YB_STR("INBOX")))
        return 0;
    if (name.n == 0)
        return refuse(err, YB_ERR_CANNOT, "A mailbox name is not empty");
    if (name.n > NOT_COMPOSED_MAX)
        return refuse(err, YB_ERR_LIMIT, "The mailbox name is too long");
    if (!yb_str_utf8(name) || has_controls(name))
        return refuse(err, YB_ERR_CANNOT, "A mailbox name is UTF-8 without control characters");
    nfc = compose(name, &n);
    rc = put_name(yb_str((const char *)nfc, n), dir, err);
    free(nfc);
    return rc;
}

/* The byte of "%2E"; -1 when it is not two upper-case hex digits. */
static int
unescape(const char *p)
{
    int v = 0;

    for (int i = 0; i < 2; i++) {
        if (yb_is_digit(p[i]))
            v = v * 16 + p[i] - '0';
        else if (p[i] >= 'A' && p[i] <= 'F')
            v = v * 16 + p[i] - 'A' + 10;
        else
            return -1;
    }
    return v;
}

bool
yb_folder_from_dir(struct yb_str dir, char out[YB_FOLDER_NAME_MAX + 1], struct yb_str *name)
{
    struct yb_folder_dir again;
    size_t n = 0;

    if (dir.n < 2 || dir.p[0] != '.')
        return false;
    for (size_t i = 1; i < dir.n; i++) {
        int c = (unsigned char)dir.p[i];

        if (c == '.')
            c = '/';
        else if (c == '%' && (i + 2 >= dir.n || (c = unescape(dir.p + i + 1)) < 0))
            return false;
        else if (dir.p[i] == '%')
            i += 2;
        if (n == YB_FOLDER_NAME_MAX)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    *name = yb_str(out, n);
    /* The one form: what we would call this mailbox is this folder. */
    return yb_folder_to_dir(*name, &again, NULL) == 0 && yb_str_eq(yb_str_from(again.s), dir);
}

int
yb_folder_normal(struct yb_str name, struct yb_arena *arena, struct yb_str *out, struct yb_err *err)
{
    struct yb_folder_dir dir;
    char buf[YB_FOLDER_NAME_MAX + 1];

    if (yb_folder_to_dir(name, &dir, err) < 0)
        return -1;
    if (dir.s[0] == '\0') {
        *out = YB_STR("INBOX");
        return 0;
    }
    if (!yb_folder_from_dir(yb_str_from(dir.s), buf, out))
        return yb_err_as(err, YB_ERR_CANNOT, YB_PERM, "5.2.0", "No mailbox can have this name");
    *out = yb_arena_dup(arena, *out);
    return 0;
}

bool
yb_folder_is_below(struct yb_str name, struct yb_str parent)
{
    return name.n > parent.n && name.p[parent.n] == '/' &&
           yb_str_eq(yb_str_head(name, parent.n), parent);
}

struct yb_str
yb_folder_use(struct yb_str use)
{
    static const char *const uses[] = { "\\Drafts", "\\Sent", "\\Junk", "\\Trash", "\\Archive" };

    for (size_t i = 0; i < YB_COUNT(uses); i++) {
        if (yb_str_eqi(use, yb_str_from(uses[i])))
            return yb_str_from(uses[i]);
    }
    return YB_STR("");
}
