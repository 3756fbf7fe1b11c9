#include "lib/daemon/check.h"

#include "lib/daemon/certs.h"
#include "lib/net/proxy.h"

#include <stdio.h>
#include <unistd.h>

struct checking {
    const char *path;
    const struct yb_conf *conf;
    const struct yb_common_conf *common;
    struct yb_conf_errors *errors, *warnings;
};

static void
wrong(const struct checking *k, const char *section, const char *option, const char *what)
{
    yb_conf_errors_add(k->errors, "%s: [%s] %s: %s", k->path, section, option, what);
}

/* --- [common] --- */

static void
warn_ending(void *arg, const char *path, const char *what)
{
    const struct checking *k = (const struct checking *)arg;

    yb_conf_errors_add(k->warnings, "%s: warning: [common] tls_certificates: %s %s", k->path, path,
                       what);
}

/* The folders above the daemons' own, in the order in which these are made. */
struct folder {
    const char *option, *path;
};
#define FOLDERS 3

static void
folders_of(const struct checking *k, struct folder *to)
{
    to[0] = (struct folder){ "run_dir", k->common->run_dir };
    to[1] = (struct folder){ "state_dir", k->common->state_dir };
    to[2] = (struct folder){ "event_dir", k->common->event_dir };
}

/* They are there, or what they are made in is. */
static void
check_folders(const struct checking *k)
{
    struct folder folders[FOLDERS];
    struct yb_err err = { 0 };

    folders_of(k, folders);
    for (size_t i = 0; i < FOLDERS; i++) {
        struct yb_str path = yb_str_from(folders[i].path);
        struct yb_str in = yb_str_head(path, yb_str_rfind(path, '/'));
        bool made = false;

        for (size_t j = 0; j < i; j++)
            made = made || yb_str_eq(in, yb_str_from(folders[j].path));
        if (!made && yb_privs_folder_check(folders[i].path, &err) < 0)
            wrong(k, "common", folders[i].option, err.text);
    }
}

static void
check_common(struct checking *k)
{
    struct yb_tls_set *tls = NULL;
    struct yb_node_id node;
    struct yb_err err = { 0 };
    char mark[256];

    if (yb_certs_load(k->conf, &tls, &err) < 0)
        wrong(k, "common", "tls_certificates", err.text);
    yb_tls_set_unref(&tls);
    yb_certs_ending(k->conf, warn_ending, k);
    if (yb_node_id_read(k->common->node_id_file, &node, &err) < 0)
        wrong(k, "common", "node_id_file", err.text);
    snprintf(mark, sizeof(mark), "%s/.yubin-store", k->common->mail_root);
    if (access(mark, F_OK) < 0)
        yb_conf_errors_add(k->warnings,
                           "%s: warning: [common] mail_root: %s is no store yet, mail is answered "
                           "451: mount it or run `yubin store init`",
                           k->path, k->common->mail_root);
    check_folders(k);
}

/* --- a daemon --- */

int
yb_check_socket_owner(const struct yb_daemon_conf *own, const struct yb_conf_list *addresses,
                      const struct yb_privs *privs, struct yb_listen_owner *owner,
                      struct yb_err *err)
{
    bool any = false;

    *owner =
        (struct yb_listen_owner){ privs->uid, privs->gid, privs->drop, (mode_t)own->socket_mode };
    for (size_t i = 0; i < addresses->n; i++)
        any = any || yb_str_starts(yb_str_from(addresses->v[i]), YB_STR("unix:"));
    if (!any || !privs->drop || *own->socket_group == '\0')
        return 0;
    owner->gid = yb_privs_group(own->socket_group);
    if (owner->gid == (gid_t)-1)
        return yb_err_inside(err, YB_PERM, "5.3.5",
                             "there is no group %s: create it or set socket_group",
                             own->socket_group);
    return 0;
}

static void
check_sockets(const struct checking *k, const struct yb_conf_table *t,
              const struct yb_conf_option *row, const struct yb_privs *privs)
{
    const struct yb_daemon_conf *own = (const struct yb_daemon_conf *)yb_conf_section(k->conf, t);
    const struct yb_conf_list *list = yb_conf_addresses(k->conf, t, row);
    struct yb_listen_owner owner;
    struct yb_err err = { 0 };

    if (yb_check_socket_owner(own, list, privs, &owner, &err) < 0)
        wrong(k, t->section, row->name, err.text);
    if (row->type == YB_CONF_ADDRESSES_TLS && list->n > 0 && k->common->tls_certificates.n == 0)
        wrong(k, t->section, row->name, "needs tls_certificates and tls_keys in [common]");
}

static void
check_daemon(const struct checking *k, const struct yb_conf_table *t)
{
    const struct yb_daemon_conf *own = (const struct yb_daemon_conf *)yb_conf_section(k->conf, t);
    struct folder folders[FOLDERS];
    struct yb_privs privs;
    struct yb_cidr cidr;
    struct yb_err err = { 0 };

    if (yb_privs_find(own->user, own->group, &privs, &err) < 0)
        wrong(k, t->section, "user", err.text);
    for (size_t i = 0; i < own->proxy_from.n; i++) {
        if (!yb_cidr_parse(yb_str_from(own->proxy_from.v[i]), &cidr))
            yb_conf_errors_add(k->errors,
                               "%s: [%s] proxy_from: \"%s\" is no network: write 192.0.2.0/24",
                               k->path, t->section, own->proxy_from.v[i]);
    }
    folders_of(k, folders);
    for (size_t i = 0; i < FOLDERS; i++) {
        char path[300];

        snprintf(path, sizeof(path), "%s/%s", folders[i].path, t->section);
        if (yb_privs_folder_check(path, &err) < 0 && err.kind != YB_ERR_NOT_FOUND)
            wrong(k, "common", folders[i].option, err.text);
    }
    for (size_t i = 0; i < t->n; i++)
        if (yb_conf_has_addresses(&t->options[i]))
            check_sockets(k, t, &t->options[i], &privs);
}

/* --- addresses used twice --- */

/* One address of one option. */
struct used {
    const struct yb_conf_table *table;
    const struct yb_conf_option *row;
    const char *address;
};

/* The `at`-th of all, counted over tables, rows and lists. */
static bool
used_at(const struct checking *k, const struct yb_conf_table *const *tables, size_t n, size_t at,
        struct used *out)
{
    for (size_t t = 1; t < n; t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            const struct yb_conf_option *row = &tables[t]->options[i];
            const struct yb_conf_list *list;

            if (!yb_conf_has_addresses(row))
                continue;
            list = yb_conf_addresses(k->conf, tables[t], row);
            if (at < list->n) {
                *out = (struct used){ tables[t], row, list->v[at] };
                return true;
            }
            at -= list->n;
        }
    }
    return false;
}

static void
check_twice(const struct checking *k, const struct yb_conf_table *const *tables, size_t n)
{
    struct used a, b;

    for (size_t i = 0; used_at(k, tables, n, i, &a); i++) {
        for (size_t j = 0; j < i && used_at(k, tables, n, j, &b); j++) {
            if (yb_listen_clash(a.address, b.address))
                yb_conf_errors_add(k->errors, "%s: [%s] %s: %s is taken by %s of [%s] %s", k->path,
                                   a.table->section, a.row->name, a.address, b.address,
                                   b.table->section, b.row->name);
        }
    }
}

bool
yb_check_listens(const struct yb_conf *conf, const struct yb_conf_table *t)
{
    const struct checking k = { .conf = conf };
    struct used any;

    return used_at(&k, (const struct yb_conf_table *const[]){ NULL, t }, 2, 0, &any);
}

void
yb_check(const char *path, const struct yb_conf *conf, const struct yb_conf_table *const *tables,
         size_t n, struct yb_conf_errors *errors, struct yb_conf_errors *warnings)
{
    struct checking k = { path, conf, yb_conf_common(conf), errors, warnings };

    check_common(&k);
    for (size_t t = 1; t < n; t++)
        if (yb_check_listens(conf, tables[t]))
            check_daemon(&k, tables[t]);
    check_twice(&k, tables, n);
}
