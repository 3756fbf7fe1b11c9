/*
 * The words of an IMAP command (RFC 3501 §9), read from its bytes as they came: lines with CRLF
 * between them where a literal `{n}` CRLF and its n bytes stand inside. Pure functions over bytes;
 * results point into the input or live in the arena.
 *
 * Each function passes over what it names and returns true, or returns false: then the command is
 * wrong, and `why` says how. A failed reader may have moved; nobody reads on after a failure, but
 * after imapd_lex_char() and imapd_lex_word(), which leave everything where it was.
 */
#ifndef IMAPD_LEX_H
#define IMAPD_LEX_H

#include "imapd/set.h"

#include "lib/base/arena.h"

struct imapd_lex {
    struct yb_str in;
    size_t at;
    struct yb_arena *arena;
    const char *why;
    bool cannot; /* what is wrong is a mailbox's name, whose syntax is right */
};

/* Sets `why` unless it is set, and returns false. */
bool imapd_lex_wrong(struct imapd_lex *l, const char *why);
/* What is wrong as an error: PERM 5.5.4 YB_ERR_SYNTAX, or 5.2.0 YB_ERR_CANNOT. Always -1. */
int imapd_lex_err(const struct imapd_lex *l, struct yb_err *err);
/* Exactly this byte, when it is next. */
bool imapd_lex_char(struct imapd_lex *l, char c) YB_MUST_USE;
/* This word in any case, when it is next and ends there. */
bool imapd_lex_word(struct imapd_lex *l, struct yb_str word) YB_MUST_USE;
/* What is next, without passing over it; '\0' at the end. */
char imapd_lex_peek(const struct imapd_lex *l);
bool imapd_lex_space(struct imapd_lex *l) YB_MUST_USE;
bool imapd_lex_open(struct imapd_lex *l) YB_MUST_USE; /* '(' */
/* Inside a list: ')' ends it (*more false), a space leads to the next member (*more true). */
bool imapd_lex_list_next(struct imapd_lex *l, bool *more) YB_MUST_USE;
bool imapd_lex_end(struct imapd_lex *l) YB_MUST_USE;

bool imapd_lex_tag(struct imapd_lex *l, struct yb_str *out) YB_MUST_USE;
bool imapd_lex_atom(struct imapd_lex *l, struct yb_str *out) YB_MUST_USE;
/* Letters, digits, '.', '-' and '+': names of commands, items and keys. */
bool imapd_lex_name(struct imapd_lex *l, struct yb_str *out) YB_MUST_USE;
bool imapd_lex_string(struct imapd_lex *l, struct yb_str *out) YB_MUST_USE;
bool imapd_lex_astring(struct imapd_lex *l, struct yb_str *out) YB_MUST_USE;
/* p == NULL for NIL. */
bool imapd_lex_nstring(struct imapd_lex *l, struct yb_str *out) YB_MUST_USE;
/* Like an astring, wildcards allowed (list-mailbox). As it came, not decoded. */
bool imapd_lex_pattern(struct imapd_lex *l, struct yb_str *out) YB_MUST_USE;
/* A mailbox name in UTF-8; INBOX in any case is "INBOX". What is not modified UTF-7 is no mistake in
 * the command: there can be no such mailbox (`cannot`). */
bool imapd_lex_mailbox(struct imapd_lex *l, struct yb_str *out) YB_MUST_USE;
/* The head of a literal `{n}` or `{n+}`, nothing behind it. */
bool imapd_lex_literal_head(struct imapd_lex *l, uint64_t *size, bool *nonsync) YB_MUST_USE;

bool imapd_lex_number(struct imapd_lex *l, uint32_t *out) YB_MUST_USE;
bool imapd_lex_nz_number(struct imapd_lex *l, uint32_t *out) YB_MUST_USE;
/* A MODSEQ (RFC 7162 §7): 63 bits; 0 only where `zero`. */
bool imapd_lex_modseq(struct imapd_lex *l, bool zero, uint64_t *out) YB_MUST_USE;
bool imapd_lex_set(struct imapd_lex *l, struct imapd_set *out) YB_MUST_USE;

struct imapd_flags {
    uint32_t flags;          /* YB_FLAG_… */
    struct yb_str *keywords; /* the others */
    size_t n_keywords;
};
#define IMAPD_KEYWORD_MAX 100 /* bytes of a keyword */
/* The flag of a system flag or of $Forwarded; 0 for others. */
uint32_t imapd_flag_named(struct yb_str name);
/* "(" [flag *(SP flag)] ")", or with `bare` also without parentheses (STORE). In APPEND's list a flag
 * that there cannot be is left out: it must not cost the message. */
bool imapd_lex_flags(struct imapd_lex *l, bool bare, struct imapd_flags *out) YB_MUST_USE;

/* A date ("1-Feb-2026", quoted or not) as days since 1970. */
bool imapd_lex_date(struct imapd_lex *l, int64_t *day) YB_MUST_USE;
/* A quoted date-time as seconds since 1970. */
bool imapd_lex_date_time(struct imapd_lex *l, int64_t *seconds) YB_MUST_USE;

#endif
