/*
 * What each target may cost: about one and a half times what its dearest input cost in the stretch
 * pass, which is linear for all of them (the same an octet at 8 KiB, 64 KiB and more); a quadratic
 * part shows at 64 KiB, where it is thousands an octet. The fixed parts are those of inputs of a
 * KiB. A target's own checks are counted with it: most run a parser three or four times.
 *
 * max_len: short, so that a target runs often (the aim is 2 000 times a second under
 * AddressSanitizer); what is longer is the stretch pass's.
 */
#include "fuzz/cost.h"

#define K *1024

/* clang-format off */
const struct cost_bound cost_bounds[] = {
    /*                 longest input            octets of memory      steps
     * target          libFuzzer  stretch       fixed     an octet    fixed     an octet */
    /* Six parses of a path, and two more of what was taken. */
    { "address",       1 K,       256 K,         24 K,      80,        32 K,     180 },
    /* An address of three octets is a struct of 120 or so, and is put together twice. */
    { "addresses",     1 K,       256 K,         64 K,     200,        32 K,     200 },
    { "base64",        4 K,       256 K,          4 K,       6,         4 K,      24 },
    /* ESC without a sequence behind it: each octet is a call of iconv. */
    { "charset",       4 K,       256 K,         64 K,      24,        64 K,     420 },
    /* Built twice, each with all options' defaults, and shown in a buffer that doubles. */
    { "conf",          1 K,       256 K,        640 K,      24,       128 K,     160 },
    { "date",          1 K,       256 K,          4 K,       1,         8 K,      14 },
    /* A reader has a block of 64 KiB, and some positions have a reader each. */
    { "event",         1 K,       256 K,        512 K,     130,        64 K,     220 },
    { "frame",         4 K,       256 K,          8 K,      24,         8 K,      40 },
    { "imap_command",  1 K,       256 K,        256 K,      16,        32 K,      50 },
    /* Made, written twice, read twice; ENVELOPE's addresses as above. */
    { "imap_parsed",   1 K,       64 K,         128 K,     300,       128 K,     350 },
    /* Two sessions; the shortest command is three octets, its answer and its log entry are not. Ten
     * wrong passwords each: of nobody's a check is 8 192 rounds, 160 K steps. */
    { "imap_session",  512,       64 K,        1024 K,    2600,      4608 K,    1700 },
    { "imap_set",      1 K,       256 K,         16 K,      16,        16 K,     380 },
    /* A pattern against a name, 256 octets each. */
    { "imap_utf7",     1 K,       256 K,          8 K,      36,       320 K,     120 },
    { "input",         512,       256 K,         64 K,      80,       256 K,     240 },
    { "key",           1 K,       256 K,          8 K,       1,        64 K,       4 },
    /* The table of wrong attempts doubles now and then over many inputs; three wrong passwords. */
    { "pop3",          384,       256 K,       2048 K,      72,       768 K,     120 },
    { "proxy",         4 K,       256 K,          4 K,       2,         4 K,       2 },
    { "queue_filter",  1 K,       256 K,         24 K,      10,        32 K,      24 },
    { "rows",          4 K,       256 K,          4 K,       1,         4 K,       3 },
    /* Cyrus SASL's buffers and those of our own step, whatever the line; and the table of wrong
     * attempts, whose rows are long here, and which doubles now and then over many inputs; a
     * wrong password. */
    { "sasl",          1 K,       256 K,       8192 K,       4,       512 K,      12 },
    /* A zone of tzdata is read into room for the longest, and twice. */
    { "setting",       1 K,       256 K,        800 K,      12,       128 K,      40 },
    { "smtp_args",     1 K,       256 K,         16 K,       4,        16 K,      26 },
    /* Three servers, each with the table of its message buffers. */
    { "smtp_session",  384,       256 K,        512 K,     200,       512 K,     200 },
    /* The store and its mailboxes are opened anew, with their tables. */
    { "store_files",   4 K,       256 K,       1024 K,     140,       768 K,     110 },
    { "store_folder",  1 K,       256 K,          8 K,       1,        32 K,       4 },
    /* The table of names, two maps; a line is four octets, and with its checksum 21. */
    { "store_keywords", 1 K,      256 K,        128 K,     100,        64 K,     130 },
    { "store_name",    1 K,       256 K,          4 K,       1,         4 K,      40 },
    { "transfer",      1 K,       256 K,          8 K,       6,         8 K,     135 },
    { "tree",          2 K,       256 K,        128 K,      30,       384 K,     150 },
    /* A text is looked at twice, by a thousand octets at most; all of it is a call. */
    { "terms",         1 K,       256 K,        256 K,       8,       768 K,       8 },
    { "verifier",      1 K,       256 K,         16 K,       1,        64 K,       8 },
    /* Encoded four times and decoded four times; a word is tried at each length. */
    { "words",         256,       256 K,        128 K,     240,       128 K,    1400 },
    { "zone",          1 K,       256 K,          4 K,       3,         8 K,      12 },
    { NULL,            0,         0,              0,         0,         0,         0 },
};
/* clang-format on */
