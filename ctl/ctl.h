/*
 * The shape of `yubin`: one table of commands, each with its words, options and a function. main.c
 * finds the command, checks words and options against the row, and runs it; what a command shows is
 * JSON, printed as it is with --json and as text without.
 *
 * Exit codes: 0 done, 1 refused, 2 usage, 75 try later.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "lib/admin/admin.h"
#include "lib/daemon/common_conf.h"

enum ctl_exit { CTL_DONE = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_LATER = 75 };

#define CTL_MAX_OPTIONS 16
#define CTL_COLUMNS 12     /* of a list, at most */
#define CTL_MAX_WORDS 1001 /* an alias may have 1 000 targets */

struct ctl_option_row {
    const char *name;  /* "--quota" */
    const char *value; /* what the help calls its value; NULL: a switch */
    const char *help;
};

struct ctl_given {
    const char *name, *value;
};

/* One run of the program. */
struct ctl {
    const struct ctl_command *command;
    const char *conf_path;
    bool json, lines;                 /* lines: JSON, an object a line */
    const char *words[CTL_MAX_WORDS]; /* after noun and verb */
    size_t n_words;
    struct ctl_given options[CTL_MAX_OPTIONS];
    size_t n_options;
    struct yb_str next;         /* of a list that goes on: the cursor */
    bool begun;                 /* a part of a list is printed */
    size_t widths[CTL_COLUMNS]; /* of its columns, as far as they are known */
    json_t *asked; /* of a list in pages: what its own run made of the options; or NULL */
    struct yb_arena *arena;
    struct yb_conf_source *source;
    struct yb_conf *conf;
    struct yb_admin *admin;
    struct yb_admin_actor actor; /* ctl_admin()'s */
    struct yb_admin_tx *tx;      /* ctl_begin()'s; committed when the command is done */
};

struct ctl_command {
    const char *noun, *verb;
    /* "NAME", "TENANT DOMAIN", "ADDRESS TARGET...", "[DOMAIN]": what ctl_words_wanted() reads. */
    const char *words;
    const char *summary;
    const struct ctl_option_row *options; /* ends with a NULL name; may be NULL */
    const struct yb_admin_fields *fields; /* what else can be set, an option each; may be NULL */
    const char *columns; /* of a list: "name tenant accounts"; NULL: all keys of an object */
    bool offline;        /* needs no database: c->admin is NULL */
    bool late; /* waits for people or works long: calls ctl_begin() itself, when it is time */
    /* Fills *out (may stay NULL: nothing is shown); what it holds after -1 is shown as well. */
    int (*run)(struct ctl *c, json_t **out, struct yb_err *err);
    bool
        turned; /* of a list: but for --all, which goes the other way, the first page is shown last */
    /* Of a list in pages, whose run is ctl_list(): one page. */
    int (*list)(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err);
};

/* The tables, one a file; each ends with a NULL noun. */
extern const struct ctl_command ctl_tenant_commands[];
extern const struct ctl_command ctl_account_commands[];
extern const struct ctl_command ctl_alias_commands[];
extern const struct ctl_command ctl_setting_commands[];
extern const struct ctl_command ctl_node_commands[];
extern const struct ctl_command ctl_store_commands[];
extern const struct ctl_command ctl_event_commands[];
extern const struct ctl_command ctl_queue_commands[];
extern const struct ctl_command ctl_relay_commands[];
extern const struct ctl_command ctl_session_commands[];
extern const struct ctl_command ctl_audit_commands[];
extern const struct ctl_command ctl_config_commands[];
extern const struct ctl_command *const ctl_commands[]; /* all of them; NULL at the end */

/* arguments.c: fills *c from what main() was given. Returns -1 to go on, or the exit code: help was
 * asked for, or the words are wrong and standard error says how. */
int ctl_arguments(struct ctl *c, int argc, char **argv) YB_MUST_USE;

/* How many words a row's `words` stand for: those without brackets at least; "..." lets more follow. */
void ctl_words_wanted(const char *words, size_t *min, size_t *max);

/* The i-th word; `p` NULL when it was not said. */
struct yb_str ctl_word(const struct ctl *c, size_t i);
/* An option's value (a switch: ""), or `p` NULL when it was not given. */
struct yb_str ctl_option(const struct ctl *c, const char *name);
bool ctl_has(const struct ctl *c, const char *name);
/* The values given for the command's fields. */
struct yb_admin_values ctl_values(const struct ctl *c);
/* list.c: a page of command->list, by --limit, --after and --q; what is longer than a thousand rows (--all,
 * too) page by page, printed as they come. */
int ctl_list(struct ctl *c, json_t **out, struct yb_err *err) YB_MUST_USE;
/* --limit; `usual` where it was not said. And the word about it where only the latest are shown. */
int ctl_limit(const struct ctl *c, size_t usual, size_t *limit, struct yb_err *err) YB_MUST_USE;
void ctl_tell_latest(size_t shown);
/* A password from standard input (asked for twice at a terminal), as a verifier in the arena. */
int ctl_password(struct ctl *c, struct yb_str *verifier, struct yb_err *err) YB_MUST_USE;

/* [common]; read at first use. */
int ctl_common(struct ctl *c, const struct yb_common_conf **common, struct yb_err *err) YB_MUST_USE;
/* Makes c->admin, for the role yubin_operator, and says who runs this program: his name, or root's and
 * behind a colon who became root. Nothing is connected before the first question. */
int ctl_admin(struct ctl *c, struct yb_err *err) YB_MUST_USE;
/* Begins c->tx; nothing, if it is begun. */
int ctl_begin(struct ctl *c, struct yb_err *err) YB_MUST_USE;
/* Commits c->tx before the command is done; the next one needs ctl_begin() again. */
int ctl_commit(struct ctl *c, struct yb_err *err) YB_MUST_USE;

/* Prints what a command gave, and how to go on where it is a page that does not end the list. */
void ctl_print(const struct ctl *c, const json_t *out);
/* A list piece by piece: the same document as in one. `n`: so many rows came before; NULL: the end. */
void ctl_print_piece(struct ctl *c, const json_t *rows, size_t n);

/* Options that every list has. */
#define CTL_PAGE_OPTIONS                                                                           \
    { "--limit", "N", "at most so many (10 000)" },                                                \
        { "--after", "CURSOR", "go on where a list with the same options ended" },                 \
    {                                                                                              \
        "--all", NULL, "all of them, however many"                                                 \
    }
#define CTL_SEARCH_OPTION                                                                          \
    {                                                                                              \
        "--q", "TEXT", "those that are found by this"                                              \
    }

#endif
