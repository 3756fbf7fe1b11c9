/*
 * dump_store ROOT NODE ACCOUNT: what an account holds, a line for each message:
 *   folder uidvalidity uid delivery-id flags size sha256
 * and for each folder, once it was looked at:
 *   uidnext folder uidvalidity uidnext
 * For the power-cut tests, which look at many rebuilt disks without starting a platform for each.
 */
#include "lib/store/store.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

static int
hash_file(int fd, char hex[65])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t digest[32];
    char bytes[65536];
    ssize_t n;

    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        EVP_DigestUpdate(md, bytes, (size_t)n);
    EVP_DigestFinal_ex(md, digest, NULL);
    EVP_MD_CTX_free(md);
    yb_hex(digest, sizeof(digest), hex);
    return n < 0 ? -1 : 0;
}

static int
dump_folder(struct yb_store_account *a, struct yb_str name, struct yb_err *err)
{
    struct yb_mailbox *m = NULL;
    const struct yb_rows *rows = NULL;
    struct yb_mailbox_status status;
    struct yb_view v;
    int rc = yb_mailbox_open(a, name, &m, err);

    if (rc == 0)
        rc = yb_view_begin(m, true, &v, err);
    if (rc == 0)
        rc = yb_view_rows(m, &v, &rows, err);
    for (size_t i = 0; rc == 0 && i < rows->n; i++) {
        const struct yb_record *r = &rows->v[i];
        char id[YB_ID_TEXT], hash[65] = "";
        int fd = -1;

        rc = yb_mailbox_message(m, r, &fd, err);
        if (rc == 0 && hash_file(fd, hash) < 0)
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "read a message");
        if (fd >= 0)
            close(fd);
        printf("%.*s %u %u %s %u %llu %s\n", YB_STR_ARG(name), v.uidvalidity, r->uid,
               yb_delivery_id_text(r->id, id), r->flags, (unsigned long long)r->size, hash);
    }
    if (rc == 0)
        rc = yb_mailbox_status_read(m, &status, err);
    if (rc == 0)
        printf("uidnext %.*s %u %u\n", YB_STR_ARG(name), status.uidvalidity, status.uidnext);
    if (rows != NULL)
        yb_rows_release(&rows);
    if (m != NULL) {
        yb_view_end(m, &v);
        yb_mailbox_close(&m);
    }
    return rc;
}

int
main(int argc, char **argv)
{
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_store_conf conf = { 0 };
    struct yb_store *store = NULL;
    struct yb_store_account *a = NULL;
    struct yb_account_id id;
    struct yb_folder *folders;
    struct yb_err err = { 0 };
    size_t n = 0;
    int rc = 0;

    if (argc != 4 || !yb_node_id_parse(yb_str_from(argv[2]), &conf.node) ||
        !yb_account_id_parse(yb_str_from(argv[3]), &id)) {
        fprintf(stderr, "usage: dump_store ROOT NODE ACCOUNT\n");
        return 2;
    }
    conf.root = argv[1];
    if (yb_store_root_open(&conf, NULL, &store, &err) < 0 ||
        yb_store_open(store, id, false, &a, &err) < 0 ||
        yb_store_list(a, arena, &folders, &n, &err) < 0)
        rc = -1;
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (folders[i].exists)
            rc = dump_folder(a, folders[i].name, &err);
    if (rc < 0)
        fprintf(stderr, "dump_store: %s\n", err.text);
    yb_store_close(&a);
    yb_store_root_close(&store);
    yb_arena_free(&arena);
    return rc < 0;
}
