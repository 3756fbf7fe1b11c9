/*
 * Which of the queue is meant: the JSON object that comes with a command of the control socket
 * (control.h), and whether a recipient fits it. Pure functions; a filter is used by one thread.
 */
#ifndef RELAYD_FILTER_H
#define RELAYD_FILTER_H

#include "relayd/run.h"

/* Rows of an answer when nobody says how many, and at most. */
#define RELAYD_FILTER_ROWS 1000
#define RELAYD_FILTER_ROWS_MAX 10000

/* An address, or all of a domain (`local` empty), or of a sender the null one. */
struct relayd_filter_address {
    bool set, null;
    struct yb_str local, domain; /* folded, without quotes; the normal form */
};

/*
 * Everything that is set must fit:
 *   message    "12" (its number in the queue), or 32 hex digits (mid= in the log)
 *   delivery   32 hex digits
 *   sender     "a@b", "@b", "<>"
 *   recipient  "a@b", "@b"
 *   domain     of the recipient
 *   tenant, account   32 hex digits: whose mailbox it is for
 *   state      "waiting", "held"
 *   reason     of a hold: "operator" …; of who waits: "lmtpd-away", "directory-away"
 *   older      seconds since it came, at least
 * and of the page: `after` "12.0", where the one before ended, and `limit`, rows at most; of an order: `by`,
 * who gives it.
 */
struct relayd_filter {
    bool by_number, by_message, by_delivery, by_tenant, by_account, by_state, by_reason, by_age;
    uint64_t number;
    struct yb_message_id message;
    struct yb_delivery_id delivery;
    struct yb_tenant_id tenant;
    struct yb_account_id account;
    struct relayd_filter_address sender, recipient, domain;
    enum relayd_state state;
    enum relayd_reason reason;
    enum relayd_site away; /* with by_reason: this instead */
    int64_t older_ms;
    struct relayd_cursor after; /* {0, 0}: from the beginning */
    size_t limit;
    struct yb_str by;         /* empty: was not said */
    struct yb_arena *scratch; /* emptied by each question */
};

/*
 * Reads the object, strictly: a member that is not known, that stands twice, or whose value is not of
 * its form is YB_ERR_SYNTAX, with its name in the text. What *f points to is in `arena`; relayd_filter_fits()
 * uses `scratch`, another one.
 */
int relayd_filter_parse(struct yb_str json, struct yb_arena *arena, struct yb_arena *scratch,
                        struct relayd_filter *f, struct yb_err *err) YB_MUST_USE;
/* The page is not looked at. now_ms: unix ms. */
bool relayd_filter_fits(const struct relayd_filter *f, const struct relayd_row *row,
                        int64_t now_ms);

/* The words of a row for people and JSON: "held"; why it is held or not tried, or NULL. */
const char *relayd_state_word(enum relayd_state state);
const char *relayd_why_word(const struct relayd_row *row);

#endif
