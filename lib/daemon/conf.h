/*
 * Configuration from tables. One row per option is the only truth: it gives the parser, the range
 * check, `yubin config check|show|docs`, the man page and the sample file.
 *
 * A program keeps its table in its own file (smtpd/conf.c, exporting `smtpd_conf_table`), so that
 * `yubin` can link the tables of all programs:
 *
 *     #define OPT(...) YB_CONF_OPT(struct smtpd_conf, __VA_ARGS__)
 *     static const struct yb_conf_option options[] = {
 *         YB_ROLE_ROWS(struct smtpd_conf, SMTPD, "64"),
 *         OPT(SIZE, max_message, "50M", 1024, SIZE_MAX, "Largest message taken."),
 *         OPT(UINT, max_rcpt, "100", 100, 10000, "Recipients of a message."),
 *     };
 *     const struct yb_conf_table smtpd_conf_table =
 *         YB_CONF_TABLE("smtpd", struct smtpd_conf, options, "Receives mail from strangers.");
 *
 * Who may read the files reads them (yb_conf_source_read(): configuration, certificates, keys, as
 * bytes); everything after that is a pure function over those bytes. So the parent of a daemon can
 * hand them to its child, which may open none of them.
 */
#ifndef YB_DAEMON_CONF_H
#define YB_DAEMON_CONF_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

enum yb_conf_type {
    YB_CONF_BOOL,          /* yes/no, on/off, true/false */
    YB_CONF_UINT,          /* 100 */
    YB_CONF_MODE,          /* 0660: permissions, octal */
    YB_CONF_SIZE,          /* 512, 64K, 50M, 2G: bytes */
    YB_CONF_DURATION,      /* 250ms, 30s, 5m, 2h, 1d */
    YB_CONF_CHOICE,        /* one of the words of the row; the value is its index */
    YB_CONF_STRING,        /* any text; min and max bound its length */
    YB_CONF_PATH,          /* begins with a slash; min 0 allows "" */
    YB_CONF_LIST,          /* words between commas or spaces; min and max bound their number */
    YB_CONF_ADDRESSES,     /* a list of "192.0.2.1:25", "[2001:db8::1]:25", "unix:/path" */
    YB_CONF_ADDRESSES_TLS, /* the same, where TLS is spoken from the first octet */
    YB_CONF_FILES,         /* a list of paths; the value is what the files hold */
    YB_CONF_SECRETS /* the same; each file must be of mode 0640 or less, and is never shown */
};

struct yb_conf_list {
    size_t n;
    const char *const *v;
};

struct yb_conf_file {
    const char *path;
    struct yb_str bytes; /* NUL-terminated behind its end; without the final line end for SECRETS of
                            one line */
};

struct yb_conf_files {
    size_t n;
    const struct yb_conf_file *v;
};

/* The C type of an option's field, by its TYPE. */
#define YB_CONF_C_BOOL bool
#define YB_CONF_C_UINT unsigned
#define YB_CONF_C_MODE unsigned
#define YB_CONF_C_SIZE uint64_t
#define YB_CONF_C_DURATION int64_t /* milliseconds */
#define YB_CONF_C_CHOICE unsigned
#define YB_CONF_C_STRING const char * /* never NULL */
#define YB_CONF_C_PATH const char *
#define YB_CONF_C_LIST struct yb_conf_list
#define YB_CONF_C_ADDRESSES struct yb_conf_list
#define YB_CONF_C_ADDRESSES_TLS struct yb_conf_list
#define YB_CONF_C_FILES struct yb_conf_files
#define YB_CONF_C_SECRETS struct yb_conf_files

struct yb_conf_option {
    const char *name;
    enum yb_conf_type type;
    bool at_start; /* a change takes effect only when the daemon is started again */
    size_t offset;
    const char *def;
    uint64_t min, max; /* of the value; for texts the length, for lists the number of entries */
    const char *words; /* CHOICE: "1.2 1.3" */
    const char *prose; /* one or two sentences */
};

/* offsetof(), and an error of the compiler when the field is not of the row's type. */
#define YB_CONF_OFFSET(STRUCT, path, TYPE)                                                         \
    (offsetof(STRUCT, path) +                                                                      \
     0 * sizeof(char[_Generic(&((STRUCT *)NULL)->path, YB_CONF_C_##TYPE * : 1)]))
#define YB_CONF_ROW(STRUCT, TYPE, start, path, name, def, min, max, words, prose)                  \
    {                                                                                              \
        name, YB_CONF_##TYPE, start, YB_CONF_OFFSET(STRUCT, path, TYPE), def, min, max, words,     \
            prose                                                                                  \
    }

/* An option that follows a reload; one that needs a restart; a choice of words. */
#define YB_CONF_OPT(STRUCT, TYPE, field, def, min, max, prose)                                     \
    YB_CONF_ROW(STRUCT, TYPE, false, field, #field, def, min, max, NULL, prose)
#define YB_CONF_OPT_START(STRUCT, TYPE, field, def, min, max, prose)                               \
    YB_CONF_ROW(STRUCT, TYPE, true, field, #field, def, min, max, NULL, prose)
#define YB_CONF_OPT_CHOICE(STRUCT, field, def, words, prose)                                       \
    YB_CONF_ROW(STRUCT, CHOICE, false, field, #field, def, 0, 0, words, prose)
#define YB_CONF_OPT_CHOICE_START(STRUCT, field, def, words, prose)                                 \
    YB_CONF_ROW(STRUCT, CHOICE, true, field, #field, def, 0, 0, words, prose)

/* Its value is a list of addresses. */
static inline bool
yb_conf_has_addresses(const struct yb_conf_option *o)
{
    return o->type == YB_CONF_ADDRESSES || o->type == YB_CONF_ADDRESSES_TLS;
}

/* An option that there was, and what to do now. */
struct yb_conf_gone {
    const char *name, *now;
};

/* One section of the file. */
struct yb_conf_table {
    const char *section;
    const char *title; /* what the section is about, one sentence */
    const struct yb_conf_option *options;
    size_t n;
    size_t size; /* of the struct that is filled */
    /* What no single row can check or fill in; NULL: nothing. Texts go into the arena. */
    int (*check)(void *values, struct yb_arena *a, struct yb_err *err);
    const struct yb_conf_gone *gone; /* ends with a NULL name; NULL: none */
};
#define YB_CONF_TABLE(section, STRUCT, options, title)                                             \
    {                                                                                              \
        section, title, options, YB_COUNT(options), sizeof(STRUCT), NULL, NULL                     \
    }

/* What was wrong, or what should be known, one line of text each:
 * "file:line: [section] option: what and what to do". */
struct yb_conf_errors {
    size_t n;
    struct yb_buf *text;
};
void yb_conf_errors_init(struct yb_conf_errors *e);
void yb_conf_errors_free(struct yb_conf_errors *e);
void yb_conf_errors_add(struct yb_conf_errors *e, const char *fmt, ...) YB_PRINTF(2, 3);

/* The file and what it names, as bytes. Immutable once read. */
struct yb_conf_source;

enum yb_conf_read {
    YB_CONF_WITH_FILES,   /* FILES and SECRETS are read */
    YB_CONF_WITHOUT_FILES /* for who may not read keys: such values stay empty, paths are kept */
};
/*
 * Reads the file and, for rows of `tables`, the files named there. NULL when the configuration
 * itself cannot be read; all that is wrong is in *e.
 */
struct yb_conf_source *yb_conf_source_read(const char *path,
                                           const struct yb_conf_table *const *tables, size_t n,
                                           enum yb_conf_read how,
                                           struct yb_conf_errors *e) YB_MUST_USE;
/* The same from memory, for tests: `text` as the file `path` without further files. */
struct yb_conf_source *yb_conf_source_text(const char *path, const char *text) YB_MUST_USE;
void yb_conf_source_free(struct yb_conf_source **s); /* wipes it */
/* As bytes for another process, and back; -1 (YB_PERM) for bytes that no encoder made. */
void yb_conf_source_encode(const struct yb_conf_source *s, struct yb_buf *out);
struct yb_conf_source *yb_conf_source_decode(struct yb_str bytes, struct yb_err *err) YB_MUST_USE;

/* The values of some tables. Never changes; a reload builds another. */
struct yb_conf;

/*
 * Sections of programs that are not in `tables` are passed over; unknown sections, unknown or
 * repeated options and bad values are errors, all of them told in *e. NULL when there is any.
 */
struct yb_conf *yb_conf_build(const struct yb_conf_source *s,
                              const struct yb_conf_table *const *tables, size_t n,
                              struct yb_conf_errors *e) YB_MUST_USE;
void yb_conf_free(struct yb_conf **c); /* wipes it */
/* The struct of `table`, which must be one of those the configuration was built with. */
const void *yb_conf_section(const struct yb_conf *c, const struct yb_conf_table *table);
/* The value of a row of addresses of that table. */
const struct yb_conf_list *yb_conf_addresses(const struct yb_conf *c,
                                             const struct yb_conf_table *table,
                                             const struct yb_conf_option *row);
/* Calls fn for each row marked at_start whose text differs between the two. */
void yb_conf_diff_at_start(const struct yb_conf *a, const struct yb_conf *b,
                           void (*fn)(void *arg, const char *section, const char *option),
                           void *arg);

/* --- what `yubin config` prints, from the tables; out should have no narrow limit --- */

/* Effective values as a file that can be read back; `set_only` leaves out defaults. */
void yb_conf_show(const struct yb_conf *c, bool set_only, struct yb_buf *out);
/* The reference (docs/config.md), the options part of yubin.conf(5), the sample file. */
void yb_conf_docs_markdown(const struct yb_conf_table *const *tables, size_t n, struct yb_buf *out);
void yb_conf_docs_man(const struct yb_conf_table *const *tables, size_t n, struct yb_buf *out);
void yb_conf_docs_sample(const struct yb_conf_table *const *tables, size_t n, struct yb_buf *out);

#endif
