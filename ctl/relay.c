/* yubin relay check: does a server take mail that it should not (R-A57)? Needs no database: it asks
 * as a stranger would, and sends nothing. */
#include "ctl/ctl.h"

#include "lib/mime/address.h"
#include "lib/smtp/relaycheck.h"

#include <arpa/inet.h>

#define DEFAULT_SERVER "127.0.0.1:25"

static const struct ctl_option_row check_options[] = {
    { "--server", "HOST:PORT", "the server, by its IP address (" DEFAULT_SERVER ")" },
    { NULL, NULL, NULL },
};

/* Somebody who might be believed: not refused for good. */
static void
note(void *arg, const char *sender, struct yb_str recipient, struct yb_str reply)
{
    json_t *list = arg, *o = json_object();

    json_object_set_new(o, "sender", json_string(sender));
    json_object_set_new(o, "recipient", json_stringn(recipient.p, recipient.n));
    json_object_set_new(o, "reply", json_stringn(reply.p, reply.n));
    json_array_append_new(list, o);
}

/* The IPv4 address of "192.0.2.25:25"; one that is no server's where it has none. */
static struct yb_str
server_address(const struct ctl *c, const char *where)
{
    struct yb_str s = yb_str_from(where), host = yb_str_head(s, yb_str_rfind(s, ':'));
    struct in_addr unused;

    host = yb_arena_dup(c->arena, host);
    return inet_pton(AF_INET, host.p, &unused) == 1 ? host : YB_STR("127.0.0.1");
}

static int
check(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_str server = ctl_option(c, "--server");
    const struct yb_common_conf *common;
    struct yb_address a;
    struct yb_relay_check k = { .found = note, .arg = json_array() };
    int rc = -1;

    if (ctl_common(c, &common, err) == 0 &&
        yb_address_parse(ctl_word(c, 0), c->arena, &a, err) == 0) {
        k.where = server.p == NULL ? DEFAULT_SERVER : server.p;
        k.hostname = *common->hostname == '\0' ? "localhost" : common->hostname;
        k.names = (struct yb_relay_names){ a.local, a.domain, server_address(c, k.where) };
        rc = yb_relay_check_run(&k, err);
    }
    *out = json_object();
    json_object_set_new(*out, "server", json_string(k.where));
    json_object_set_new(*out, "asked", json_integer((json_int_t)k.asked));
    json_object_set_new(*out, "accepted", json_integer((json_int_t)k.accepted));
    json_object_set_new(*out, "undecided", json_integer((json_int_t)k.undecided));
    json_object_set_new(*out, "answers", k.arg);
    if (rc < 0)
        return -1;
    if (k.accepted > 0)
        return yb_err_set(err, YB_PERM, "5.7.1", "%s takes mail that it should refuse", k.where);
    if (k.undecided > 0)
        return yb_err_set(err, YB_TEMP, "4.3.0",
                          "%s answered 4xx where it should refuse: ask again"
                          " when it is well",
                          k.where);
    return 0;
}

/* clang-format off */
const struct ctl_command ctl_relay_commands[] = {
    { "relay", "check", "ADDRESS", "ask a server, which has a mailbox of this address, whether it relays",
      .options = check_options, .offline = true, .run = check },
    { .noun = NULL },
};
/* clang-format on */
