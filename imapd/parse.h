/*
 * The arguments of those commands that have more than a few words, as typed values. Pure functions
 * over struct imapd_lex, which stands behind the command's name and the space after it; results
 * live in its arena or point into its input. Each returns true when the arguments are right to the
 * end of the command; else `why` says what is wrong.
 */
#ifndef IMAPD_PARSE_H
#define IMAPD_PARSE_H

#include "imapd/lex.h"

#include "lib/mime/tree.h"

/* --- FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4) --- */

/* Items answered from the index, then those from the parsed form. */
enum {
    IMAPD_FETCH_UID = 1,
    IMAPD_FETCH_FLAGS = 2,
    IMAPD_FETCH_DATE = 4,
    IMAPD_FETCH_SIZE = 8,
    IMAPD_FETCH_MODSEQ = 16,
    IMAPD_FETCH_ENVELOPE = 32,
    IMAPD_FETCH_BODY = 64,
    IMAPD_FETCH_BODYSTRUCTURE = 128
};
#define IMAPD_FETCH_FROM_INDEX 31u

enum imapd_text {
    IMAPD_TEXT_ALL, /* BODY[] and BODY[1] */
    IMAPD_TEXT_HEADER,
    IMAPD_TEXT_FIELDS,
    IMAPD_TEXT_FIELDS_NOT,
    IMAPD_TEXT_TEXT,
    IMAPD_TEXT_MIME
};

#define IMAPD_SECTION_DEPTH YB_MIME_DEPTH_MAX /* as deep as BODYSTRUCTURE tells of parts */
#define IMAPD_SECTIONS_MAX 256                /* in one FETCH */
#define IMAPD_FIELDS_MAX 1024                 /* header field names in one section */

struct imapd_section {
    struct yb_str label;  /* as answered, canonical: "BODY[1.2.HEADER.FIELDS (Date X)]<0>" */
    const uint32_t *part; /* 1.2; none for the message itself */
    size_t n_part;
    enum imapd_text text;
    const struct yb_str *fields;
    size_t n_fields;
    bool partial;
    uint32_t offset, length; /* of a partial */
};

struct imapd_fetch {
    struct imapd_set set;
    unsigned items;
    struct imapd_section *sections;
    size_t n_sections;
    bool sets_seen;         /* a section without PEEK */
    uint64_t changed_since; /* with has_changed_since */
    bool has_changed_since;
};
bool imapd_parse_fetch(struct imapd_lex *l, struct imapd_fetch *out) YB_MUST_USE;

/* --- STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3) --- */

struct imapd_store {
    struct imapd_set set;
    char op; /* '+', '-', or '=' for plain FLAGS */
    bool silent;
    bool has_unchanged_since;
    uint64_t unchanged_since;
    struct imapd_flags flags;
};
bool imapd_parse_store(struct imapd_lex *l, struct imapd_store *out) YB_MUST_USE;

/* --- SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 7162 §3.1.5) --- */

enum imapd_key_kind {
    IMAPD_KEY_ALL,
    IMAPD_KEY_FLAG,    /* number: the flag; yes: it must be set */
    IMAPD_KEY_KEYWORD, /* text, yes */
    IMAPD_KEY_RECENT,  /* yes */
    IMAPD_KEY_NEW,
    IMAPD_KEY_SEQ,    /* set */
    IMAPD_KEY_UID,    /* set */
    IMAPD_KEY_BEFORE, /* day, of the internal date */
    IMAPD_KEY_ON,
    IMAPD_KEY_SINCE,
    IMAPD_KEY_SENT_BEFORE, /* day, of the Date field */
    IMAPD_KEY_SENT_ON,
    IMAPD_KEY_SENT_SINCE,
    IMAPD_KEY_LARGER, /* number */
    IMAPD_KEY_SMALLER,
    IMAPD_KEY_MODSEQ, /* number */
    IMAPD_KEY_HEADER, /* field, text */
    IMAPD_KEY_BODY,   /* text */
    IMAPD_KEY_TEXT,
    IMAPD_KEY_NOT, /* child */
    IMAPD_KEY_OR,  /* child and its next */
    IMAPD_KEY_AND  /* child and all its nexts */
};

#define IMAPD_SEARCH_DEPTH 32
#define IMAPD_SEARCH_KEYS 2000

struct imapd_key {
    enum imapd_key_kind kind;
    bool yes;
    int64_t day;
    uint64_t number;
    struct yb_str field, text;
    struct imapd_set set;
    struct imapd_key *child, *next;
};

enum { IMAPD_RETURN_MIN = 1, IMAPD_RETURN_MAX = 2, IMAPD_RETURN_ALL = 4, IMAPD_RETURN_COUNT = 8 };

struct imapd_search {
    bool extended; /* RETURN was given: answered by ESEARCH */
    unsigned returns;
    struct yb_str charset;         /* empty: none was named */
    bool charset_unknown;          /* texts are as they came; in the others they are UTF-8 */
    struct yb_charset *conversion; /* from it, while texts are parsed */
    bool uses_modseq;
    struct imapd_key *root; /* AND */
    size_t n_keys;
};
bool imapd_parse_search(struct imapd_lex *l, struct imapd_search *out) YB_MUST_USE;

/* --- the others --- */

/* SELECT and EXAMINE: a mailbox and perhaps (CONDSTORE). */
struct imapd_select {
    struct yb_str mailbox;
    bool condstore;
};
bool imapd_parse_select(struct imapd_lex *l, struct imapd_select *out) YB_MUST_USE;

enum {
    IMAPD_STATUS_MESSAGES = 1,
    IMAPD_STATUS_RECENT = 2,
    IMAPD_STATUS_UIDNEXT = 4,
    IMAPD_STATUS_UIDVALIDITY = 8,
    IMAPD_STATUS_UNSEEN = 16,
    IMAPD_STATUS_HIGHESTMODSEQ = 32,
    IMAPD_STATUS_DELETED_STORAGE = 64,
    IMAPD_STATUS_APPENDLIMIT = 128 /* RFC 7889 */
};
struct imapd_status {
    struct yb_str mailbox;
    unsigned items;
};
bool imapd_parse_status(struct imapd_lex *l, struct imapd_status *out) YB_MUST_USE;

/* CREATE: a mailbox and perhaps (USE (\Sent)) (RFC 6154 §3). */
#define IMAPD_USES_MAX 16
struct imapd_create {
    struct yb_str mailbox;
    struct yb_str uses[IMAPD_USES_MAX]; /* "\Sent", in any case, known here or not */
    size_t n_uses;
};
bool imapd_parse_create(struct imapd_lex *l, struct imapd_create *out) YB_MUST_USE;

/* LIST with the forms of RFC 5258, RFC 6154's SPECIAL-USE on both sides, and RFC 5819's STATUS. */
enum {
    IMAPD_LIST_SUBSCRIBED = 1,      /* selection and return */
    IMAPD_LIST_SPECIAL_USE = 2,     /* selection and return */
    IMAPD_LIST_CHILDREN = 4,        /* return */
    IMAPD_LIST_RECURSIVE_MATCH = 8, /* selection */
    IMAPD_LIST_REMOTE = 16          /* selection; nothing here is remote */
};
#define IMAPD_LIST_PATTERNS 32
struct imapd_list {
    unsigned select, returns;
    unsigned status;         /* RETURN (STATUS (…)): IMAPD_STATUS_…; 0: not asked for */
    bool extended;           /* any option, or several patterns */
    struct yb_str reference; /* as they came: modified UTF-7 */
    struct yb_str patterns[IMAPD_LIST_PATTERNS];
    size_t n_patterns;
};
bool imapd_parse_list(struct imapd_lex *l, struct imapd_list *out) YB_MUST_USE;
/* LSUB: a reference and one pattern. */
bool imapd_parse_lsub(struct imapd_lex *l, struct imapd_list *out) YB_MUST_USE;

/* COPY and MOVE. */
struct imapd_copy {
    struct imapd_set set;
    struct yb_str mailbox;
};
bool imapd_parse_copy(struct imapd_lex *l, struct imapd_copy *out) YB_MUST_USE;

/*
 * APPEND up to its message, whose literal is not in the input: the input ends with `{n}`. With
 * `literal` false the input ends inside the mailbox's own literal head: nothing is wrong, more has
 * to come first.
 */
struct imapd_append {
    struct yb_str mailbox;
    struct imapd_flags flags;
    bool has_date;
    int64_t date;
    bool literal; /* the message comes next */
    uint64_t size;
    bool nonsync;
};
bool imapd_parse_append(struct imapd_lex *l, struct imapd_append *out) YB_MUST_USE;

/* ID: NIL or ("name" "value" …); the pairs are bounded (RFC 2971 §3.3). */
#define IMAPD_ID_PAIRS 30
struct imapd_id {
    struct yb_str names[IMAPD_ID_PAIRS], values[IMAPD_ID_PAIRS];
    size_t n;
};
bool imapd_parse_id(struct imapd_lex *l, struct imapd_id *out) YB_MUST_USE;

/* "(STORAGE 512 …)" of SETQUOTA, checked and forgotten. */
bool imapd_parse_setquota(struct imapd_lex *l, struct yb_str *root) YB_MUST_USE;

#endif
