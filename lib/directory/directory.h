/*
 * The directory: who is hosted. One address in, a flat list of final targets out; what a login
 * needs to be judged; whether a user may send as an address. Answers come from PostgreSQL through a
 * bounded cache that is told of every change (LISTEN), and that goes on answering for what it knows
 * while the database is away. Used by smtpd, submitd, relayd (resolve), imapd, pop3d, submitd
 * (login), lmtpd and imapd (usage). Answers name the store of a mailbox, and a map, which changes by
 * itself, the node that serves the store.
 *
 * Thread safe; every call may wait for the database up to its deadline (3 s), behind its gate, so
 * callers are workers. Results live in the caller's arena. The whole of it works without a
 * database: then what is known is answered, everything else is -1 with YB_TEMP 4.3.0.
 */
#ifndef YB_DIRECTORY_DIRECTORY_H
#define YB_DIRECTORY_DIRECTORY_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/settings/settings.h"

struct yb_directory;

/* What the database is asked as soon as it is there, of a name that nobody has: its first answer of
 * a kind takes twenty times as long as the others, and no client shall wait for that. */
enum yb_directory_warm { YB_WARM_NOTHING, YB_WARM_RESOLVE, YB_WARM_LOGIN };

struct yb_directory_conf {
    const char *conninfo;    /* libpq; several hosts follow a failover */
    const char *application; /* name of the daemon, shown in pg_stat_activity */
    struct yb_node_id node;  /* this node: what is at home here */
    const char *postmaster;  /* "local@domain" behind <postmaster>; "" or NULL: 451 */
    unsigned connections;    /* at most so many at once; 0: 8 */
    size_t cache_bytes;      /* bound of the cache; 0: 64 MiB */
    int64_t stale_ms;        /* an answer is asked again after this; 0: 10 minutes */
    int64_t notice_ms; /* notices, which anybody in the database can send, have an answer asked
                                again once in this time, so long may a change take; 0: 1 s */
    enum yb_directory_warm warm;
};

/* Copies *conf. Opens nothing. */
struct yb_directory *yb_directory_new(const struct yb_directory_conf *conf) YB_MUST_USE;
/* Starts the listening thread (after the fork). Never waits for the database. */
int yb_directory_start(struct yb_directory *d, struct yb_err *err) YB_MUST_USE;
void yb_directory_free(struct yb_directory **d);

/* Limits of one resolution (architecture.md, defaults). */
#define YB_RESOLVE_MAX_DEPTH 10
#define YB_RESOLVE_MAX_TARGETS 1000

enum yb_answer_why {
    YB_WHY_ACCEPTED = 0,
    YB_WHY_UNKNOWN,    /* 550 5.1.1: the domain is ours, the address is not there */
    YB_WHY_NOT_HOSTED, /* 550 5.7.1: the domain is not ours (relaying denied) */
    YB_WHY_DISABLED,   /* 550 5.2.1: switched off by its owner */
    YB_WHY_SUSPENDED,  /* 450 4.2.1: account, domain or tenant */
    YB_WHY_MOVED,      /* 550 5.1.6: retired, the text names the new address */
    YB_WHY_FULL,       /* 452 4.2.2, later 552 5.2.2 */
    YB_WHY_LOOP,       /* 550 5.4.6: aliases or forwards lead nowhere but back */
    YB_WHY_LIMIT       /* 550 5.4.6: deeper or wider than the limits above */
};

/* An SMTP answer: reply code, enhanced status and one ASCII line without either. */
struct yb_answer {
    enum yb_answer_why why;
    unsigned code; /* 0 when accepted */
    const char *status;
    struct yb_str text;
};

enum yb_target_kind { YB_TARGET_LOCAL, YB_TARGET_FOREIGN };

/* One final place of delivery. Local parts are unquoted bytes; no two targets are the same. */
struct yb_target {
    enum yb_target_kind kind;
    struct yb_str local, domain; /* LOCAL: the mailbox's own address; FOREIGN: as provisioned */
    struct yb_str via;           /* "local@domain" of the alias or forward that led here; empty
                                    when the address asked for is the mailbox itself */
    struct yb_tenant_id tenant;  /* LOCAL: owner of the mailbox; FOREIGN: of the alias or forward */
    /* LOCAL only: */
    struct yb_account_id account;
    struct yb_store_id store; /* that holds the mailbox: yb_directory_home() */
    uint64_t quota_bytes;     /* 0: no limit */
    int64_t full_since;       /* some message did not fit, and nothing changed since: its node knows
                               what fits; 0: none is known of */
    int64_t full_days;        /* so long that is temporary */
    struct yb_str detail;     /* sub-address "x" of u+x (folded), or empty */
    bool accepted;            /* one of several targets, suspended or its pool full at the moment:
                               store it all the same (XACCEPTED), the others' 250 covers it */
    struct yb_settings settings; /* what counts for the mailbox */
};

/* A target that was refused while others were not; for the log. */
struct yb_refused_target {
    struct yb_str local, domain;
    struct yb_answer answer;
};

struct yb_resolution {
    struct yb_answer answer;    /* code 0: accepted for the targets below, at least one */
    struct yb_tenant_id tenant; /* whose address was asked for; zero when not hosted */
    struct yb_target *targets;
    size_t n_targets;
    struct yb_refused_target *refused;
    size_t n_refused;
    /* Retired with "forward and tell": whoever sent this may be told that `tell_old` is now
     * `tell_new` ("local@domain" both; empty otherwise). */
    struct yb_str tell_old, tell_new;
};

/*
 * Resolves a recipient as lib/mime parsed it (struct yb_address: local part without quotes); both
 * parts are folded here. An empty domain with "postmaster" is the operator's; so are postmaster@ and
 * abuse@ of a hosted domain when they would be refused for good, or are suspended.
 * 0: *out is filled, answer or targets. -1: nothing is known and cannot be asked (YB_TEMP 4.3.0),
 * or no domain is hosted at all (a half-restored database; the same answer).
 */
int yb_directory_resolve(struct yb_directory *d, struct yb_str local, struct yb_str domain,
                         struct yb_arena *arena, struct yb_resolution *out,
                         struct yb_err *err) YB_MUST_USE;

/* What lib/auth needs to judge a login. */
struct yb_login {
    bool known; /* false: no such account, nothing else is set */
    struct yb_account_id account;
    struct yb_tenant_id tenant;
    struct yb_store_id store;    /* that holds the mailbox: yb_directory_home() */
    struct yb_str local, domain; /* the mailbox's own address */
    struct yb_str verifier;      /* of the password; empty: none set */
    struct yb_str *apps;         /* app passwords: lower-case hex of SHA-256 */
    size_t n_apps;
    bool imap, pop3, submission; /* protocols the user has switched on */
    struct yb_str refused;       /* suspended: the sentence to tell after the password proved
                                    right; empty: may log in */
    uint64_t quota_bytes;        /* 0: no limit */
    struct yb_settings settings; /* what counts for the account */
};

/*
 * Finds the account of a login name (folded here). Full addresses only: there is no default domain,
 * no alias, no sub-address; domain aliases count. 0: *out is filled. -1: YB_TEMP 4.3.0.
 */
int yb_directory_login(struct yb_directory *d, struct yb_str local, struct yb_str domain,
                       struct yb_arena *arena, struct yb_login *out,
                       struct yb_err *err) YB_MUST_USE;

/* A login's name as it is told (struct yb_login: local, domain). */
struct yb_login_name {
    struct yb_str local, domain;
};

/*
 * The same for many, in one question for all that must be asked. *asked: the database was (it may
 * be worth a rest). -1: none of *out is filled.
 */
int yb_directory_logins(struct yb_directory *d, const struct yb_login_name *names, size_t n,
                        struct yb_arena *arena, struct yb_login *out, bool *asked,
                        struct yb_err *err) YB_MUST_USE;

/* What a change that is heard of may be about. */
enum yb_directory_changed {
    YB_CHANGED_ADDRESS,
    YB_CHANGED_DOMAIN,
    YB_CHANGED_TENANT,
    YB_CHANGED_ANYBODY
};
struct yb_directory_change {
    enum yb_directory_changed kind;
    uint64_t hash; /* of the address, domain or tenant, and of some others */
};
/* What changes tell of an account. */
struct yb_directory_hashes {
    uint64_t address, domain, tenant;
};

/*
 * For who keeps answers longer than a moment: `changed` is called for each change that is heard of;
 * YB_CHANGED_ANYBODY among them is what may have been missed, and another key of these hashes. On the
 * listening thread: it must not wait. Before yb_directory_start().
 */
void yb_directory_on_change(struct yb_directory *d,
                            void (*changed)(void *arg, const struct yb_directory_change *what),
                            void *arg);
/* Of an account by its own address, and of its tenant. */
struct yb_directory_hashes yb_directory_hashes_of(struct yb_directory *d, struct yb_login_name name,
                                                  struct yb_tenant_id tenant);
/* How long the second of two changes may take until it is heard of. */
int64_t yb_directory_notice_ms(const struct yb_directory *d);

/*
 * May the account send as the address (envelope sender or From)? Its own address and sub-addresses,
 * an alias, catch-all or role address that leads to it, each also under a domain alias, and what
 * sender rights grant. 0: *may is set. -1: YB_TEMP 4.3.0.
 */
int yb_directory_may_send(struct yb_directory *d, struct yb_account_id account, struct yb_str local,
                          struct yb_str domain, bool *may, struct yb_err *err) YB_MUST_USE;

/* Where a store is at home. */
#define YB_HOME_HOST 256
struct yb_home {
    bool here; /* on this node */
    struct yb_node_id node;
    char host[YB_HOME_HOST]; /* how other nodes reach that one; may be empty */
};
/*
 * By the map of stores, which is held whole, told of every change, and kept while the database is away.
 * 0: *out is set. -1, YB_TEMP 4.3.0: it is not known. kind YB_ERR_AWAY: no map could be read since the
 * start; another: there is one, and it does not have this store (asked anew, once in notice_ms).
 */
int yb_directory_home(struct yb_directory *d, struct yb_store_id store, struct yb_home *out,
                      struct yb_err *err) YB_MUST_USE;

/* The map that is held says that the store is at home on another node, *out. Nothing is asked. */
bool yb_directory_elsewhere(struct yb_directory *d, struct yb_store_id store, struct yb_home *out);

struct yb_usage_report {
    struct yb_account_id account;
    uint64_t bytes, messages;
    uint64_t change; /* which of two reports is the newer */
    bool full;       /* since that change a message was refused for want of room */
};

/*
 * Reports the size of mailboxes of a store that is at home on this node, absolute figures, at most
 * 10 000 at once. Repeating a report does no harm, nor does one that comes behind a newer. Ids that are
 * gone or live elsewhere are passed over, all of them where the store is not at home here.
 */
int yb_directory_report_usage(struct yb_directory *d, struct yb_store_id store,
                              const struct yb_usage_report *usage, size_t n,
                              struct yb_err *err) YB_MUST_USE;
/* Likewise how many octets of mail such a store has room for. */
int yb_directory_report_room(struct yb_directory *d, struct yb_store_id store, uint64_t room,
                             struct yb_err *err) YB_MUST_USE;

/* Which of n accounts (at most 10 000) live in a store that is at home on this node: these become the
 * first *n_here of `ids`. Asked of the database each time. -1: YB_TEMP 4.3.0, and nothing is known. */
int yb_directory_at_home(struct yb_directory *d, struct yb_store_id store,
                         struct yb_account_id *ids, size_t n, size_t *n_here,
                         struct yb_err *err) YB_MUST_USE;

/* An account now, whatever was known of it before. */
struct yb_account_now {
    bool known;               /* false: there is none (any more), nothing else is set */
    struct yb_store_id store; /* that holds the mailbox: yb_directory_home() */
};
/* Of n accounts, by their ids, all in one round trip; asked of the database each time. For relayd, whose
 * mail may have waited longer than an account lives. -1: YB_TEMP 4.3.0, and nothing is known. */
int yb_directory_account_now(struct yb_directory *d, const struct yb_account_id *ids, size_t n,
                             struct yb_account_now *out, struct yb_err *err) YB_MUST_USE;

/*
 * Replaces the verifier of an imported hash after the password proved right, if it is still
 * `old`. 0: replaced, or somebody else was faster. -1: could not be done now.
 */
int yb_directory_upgrade_password(struct yb_directory *d, struct yb_account_id account,
                                  struct yb_str old, struct yb_str verifier,
                                  struct yb_err *err) YB_MUST_USE;

struct yb_directory_stats {
    bool listening; /* changes are heard of; false: every answer is asked anew */
    uint64_t hits, misses, stale_served, failed;
    uint64_t entries, bytes, evicted;
};
void yb_directory_stats_read(struct yb_directory *d, struct yb_directory_stats *out);

#endif
