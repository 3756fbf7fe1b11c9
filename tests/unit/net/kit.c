#include "tests/unit/net/kit.h"

#include "lib/base/clock.h"
#include "lib/base/io.h"
#include "lib/net/file.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 20000

struct session {
    uint64_t size, sum;
    uint64_t big;
    bool paused;
};

static void
pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

size_t
kit_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

void
kit_await(atomic_int *what, int n)
{
    struct yb_deadline by = yb_deadline_in(PATIENCE_MS);

    while (atomic_load(what) < n && yb_deadline_left(by) > 0)
        pause_ms(1);
    ck_assert_int_ge(atomic_load(what), n);
}

void
kit_await_stats(struct kit *k, bool (*condition)(const struct yb_net_stats *s))
{
    struct yb_deadline by = yb_deadline_in(PATIENCE_MS);
    struct yb_net_stats s;

    for (;;) {
        yb_net_stats_read(k->net, &s);
        if (condition(&s))
            return;
        ck_assert_msg(yb_deadline_left(by) > 0, "the statistics never were as expected");
        pause_ms(1);
    }
}

void
kit_release(struct kit *k, int n)
{
    atomic_fetch_add(&k->released, n);
}

/* --- the service --- */

static void
on_opened(struct yb_conn *c)
{
    struct kit *k = yb_conn_listener_arg(c);

    yb_conn_set_session(c, yb_alloc(1, sizeof(struct session)));
    k->last = yb_conn_self(c);
    atomic_fetch_add(&k->opened, 1);
    yb_conn_write(c, YB_STR("hello\r\n"));
}

static bool
produce(struct yb_conn *c)
{
    struct session *s = yb_conn_session(c);
    static const char piece[1000] = { 1 };
    uint64_t n = s->big < YB_OUT_PIECE ? s->big : YB_OUT_PIECE;

    ck_assert_uint_eq(yb_conn_unsent(c), 0);
    for (uint64_t at = 0; at < n; at += sizeof(piece))
        yb_conn_write(c, yb_str_head(yb_str(piece, sizeof(piece)), n - at));
    s->big -= n;
    if (s->big > 0)
        return true;
    yb_conn_write(c, YB_STR("done\r\n"));
    return false;
}

static bool
work(struct yb_conn *c)
{
    struct kit *k = yb_conn_listener_arg(c);

    atomic_fetch_add(&k->slices, 1);
    pause_ms(1);
    if (atomic_load(&k->released) == 0)
        return true;
    yb_conn_write(c, YB_STR("done\r\n"));
    return false;
}

static uint64_t
number(struct yb_str s)
{
    uint64_t n;

    ck_assert(yb_str_u64(s, UINT64_MAX, &n));
    return n;
}

static void
send_file(struct yb_conn *c, uint64_t n)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    struct yb_file *file;

    ck_assert(fd >= 0 && ftruncate(fd, (off_t)n + 5) == 0);
    file = yb_file_new(fd);
    yb_conn_write_file(c, file, 5, n);
    yb_file_unref(&file);
    yb_conn_write(c, YB_STR("done\r\n"));
}

static void
send_ranges(struct yb_conn *c, struct yb_str arg)
{
    struct kit *k = yb_conn_listener_arg(c);
    uint64_t n_ranges = number(yb_str_word(&arg)), n = number(arg);
    struct yb_file *file = yb_file_new(memfd_create("test", MFD_CLOEXEC));
    char *piece = yb_alloc(n, 1);

    for (uint64_t i = 0; i < 2 * n_ranges; i++) {
        memset(piece, (int)(i & 0x7f), n);
        ck_assert(write(yb_file_fd(file), piece, n) == (ssize_t)n);
    }
    yb_free(piece);
    for (uint64_t i = 0; i < n_ranges; i++) {
        yb_conn_write(c, YB_STR("part\r\n"));
        yb_conn_write_file(c, file, (off_t)(2 * i * n), n);
    }
    yb_file_unref(&file);
    yb_conn_write(c, YB_STR("done\r\n"));
    atomic_fetch_add(&k->ranges, 1);
}

static void
block(struct kit *k)
{
    int turn = atomic_fetch_add(&k->blocked, 1);

    while (atomic_load(&k->released) <= turn)
        pause_ms(1);
}

static void
say_info(struct yb_conn *c)
{
    const struct sockaddr *local = yb_conn_local(c);
    uint16_t port = 0;
    uid_t uid;

    if (local->sa_family == AF_INET)
        port = ntohs(((const struct sockaddr_in *)(const void *)local)->sin_port);
    if (yb_conn_peer_user(c, &uid))
        port = (uint16_t)uid;
    yb_conn_printf(c, "info %s %u %s %s %s\r\n", yb_conn_peer_text(c), port,
                   yb_conn_is_tls(c) ? yb_conn_tls_version(c) : "plain", yb_conn_tls_name(c),
                   yb_conn_can_tls(c) ? "can" : "cannot");
}

static void
say_exporter(struct yb_conn *c)
{
    uint8_t key[32];
    char text[65];

    ck_assert(yb_conn_tls_exporter(c, key));
    yb_conn_printf(c, "%s\r\n", yb_hex(key, sizeof(key), text));
}

/* The commands that change the connection; false: none of them. */
static bool
command(struct yb_conn *c, struct yb_str verb, struct yb_str arg)
{
    struct kit *k = yb_conn_listener_arg(c);
    struct session *s = yb_conn_session(c);

    s->size = s->sum = 0;
    if (yb_str_eq(verb, YB_STR("DOT"))) {
        yb_conn_want_dot(c);
    } else if (yb_str_eq(verb, YB_STR("BYTES"))) {
        yb_conn_want_bytes(c, number(arg));
    } else if (yb_str_eq(verb, YB_STR("BIG"))) {
        s->big = number(arg);
        yb_conn_set_producer(c, produce);
    } else if (yb_str_eq(verb, YB_STR("WORK"))) {
        yb_conn_set_producer(c, work);
    } else if (yb_str_eq(verb, YB_STR("FILE"))) {
        send_file(c, number(arg));
    } else if (yb_str_eq(verb, YB_STR("RANGES"))) {
        send_ranges(c, arg);
    } else if (yb_str_eq(verb, YB_STR("PAUSE"))) {
        yb_conn_write(c, YB_STR("paused\r\n"));
        yb_conn_pause(c);
    } else if (yb_str_eq(verb, YB_STR("BLOCK"))) {
        block(k);
        atomic_fetch_add(&k->left, yb_conn_is_left(c));
        yb_conn_write(c, YB_STR("released\r\n"));
    } else if (yb_str_eq(verb, YB_STR("TLS"))) {
        yb_conn_write(c, YB_STR("go\r\n"));
        yb_conn_start_tls(c);
    } else if (yb_str_eq(verb, YB_STR("INFO"))) {
        say_info(c);
    } else if (yb_str_eq(verb, YB_STR("EXPORTER"))) {
        say_exporter(c);
    } else if (yb_str_eq(verb, YB_STR("QUIT"))) {
        yb_conn_write(c, YB_STR("bye\r\n"));
        yb_conn_close(c);
    } else if (yb_str_eq(verb, YB_STR("ABORT"))) {
        yb_conn_write(c, YB_STR("lost\r\n"));
        yb_conn_abort(c);
    } else {
        return false;
    }
    return true;
}

static bool
setting(struct yb_conn *c, struct yb_str verb, struct yb_str arg)
{
    if (yb_str_eq(verb, YB_STR("LIMIT")))
        yb_conn_set_line_limit(c, number(arg));
    else if (yb_str_eq(verb, YB_STR("IDLE")))
        yb_conn_set_timeout(c, (int64_t)number(arg));
    else if (yb_str_eq(verb, YB_STR("DEADLINE")))
        yb_conn_set_deadline(c, (int64_t)number(arg));
    else if (yb_str_eq(verb, YB_STR("KEY")))
        yb_conn_set_fair_key(c, number(arg));
    else if (!yb_str_eq(verb, YB_STR("ACCOUNT")))
        return false;
    else if (!yb_conn_set_account(c, (struct yb_account_id){ { (uint8_t)number(arg) } }, 2)) {
        yb_conn_write(c, YB_STR("many\r\n"));
        return true;
    }
    yb_conn_write(c, YB_STR("set\r\n"));
    return true;
}

static void
on_line(struct yb_conn *c, struct yb_str line, unsigned flags)
{
    struct yb_str arg = line, verb = yb_str_word(&arg);

    if (command(c, verb, arg) || setting(c, verb, arg))
        return;
    if (yb_str_eq(verb, YB_STR("PEEK"))) {
        yb_conn_printf(c, "%s\r\n", yb_conn_has_input(c) ? "more" : "nothing");
        return;
    }
    yb_conn_write(c, line);
    yb_conn_printf(c, " %u\r\n", flags);
}

static void
on_data(struct yb_conn *c, struct yb_str block, bool last, unsigned flags)
{
    struct session *s = yb_conn_session(c);

    for (size_t k = 0; k < block.n; k++)
        s->sum = s->sum * 31 + (unsigned char)block.p[k];
    s->size += block.n;
    if (last)
        yb_conn_printf(c, "data %llu %u %llx\r\n", (unsigned long long)s->size, flags,
                       (unsigned long long)s->sum);
}

static void
on_tls_started(struct yb_conn *c)
{
    yb_conn_write(c, YB_STR("tls\r\n"));
}

static void
on_woken(struct yb_conn *c)
{
    struct kit *k = yb_conn_listener_arg(c);

    atomic_fetch_add(&k->wakes, 1);
    yb_conn_write(c, YB_STR("woken\r\n"));
    yb_conn_resume(c);
}

static void
on_timed_out(struct yb_conn *c)
{
    yb_conn_write(c, YB_STR("too slow\r\n"));
}

static void
on_closed(struct yb_conn *c)
{
    struct kit *k = yb_conn_listener_arg(c);

    yb_conn_write(c, YB_STR("nobody hears this\r\n"));
    yb_free(yb_conn_session(c));
    atomic_fetch_add(&k->closed, 1);
}

static const struct yb_service service = {
    .name = "test",
    .busy_text = "busy",
    .opened = on_opened,
    .line = on_line,
    .data = on_data,
    .tls_started = on_tls_started,
    .woken = on_woken,
    .timed_out = on_timed_out,
    .closed = on_closed,
};

/* --- the engine --- */

static int
listen_tcp(int *port, int send_buffer)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (send_buffer > 0) /* accepted sockets inherit it */
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
    ck_assert(bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 128) == 0);
    ck_assert(getsockname(fd, (struct sockaddr *)&a, &size) == 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static int
listen_unix(char path[108])
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/yubin-test-net-%d", (int)getpid());
    unlink(a.sun_path);
    ck_assert(bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 128) == 0);
    memcpy(path, a.sun_path, sizeof(a.sun_path));
    return fd;
}

void
kit_start(struct kit *k, const struct kit_conf *conf)
{
    struct yb_net_conf net = conf->net;
    struct yb_listener_spec spec = { .service = &service, .arg = k, .tls = conf->tls };
    struct yb_err err = { 0 };

    memset(k, 0, sizeof(*k));
    if (net.workers == 0)
        net.workers = 4;
    if (net.loops == 0)
        net.loops = 1;
    k->net = yb_net_new(&net);
    if (conf->certs != NULL)
        yb_net_set_tls(k->net, conf->certs);
    spec.proxy_from = conf->proxy_from;
    spec.fd = conf->is_unix ? listen_unix(k->unix_path) : listen_tcp(&k->port, conf->send_buffer);
    ck_assert_msg(yb_net_listen(k->net, &spec, &err) == 0, "%s", err.text);
    ck_assert_msg(yb_net_start(k->net, &err) == 0, "%s", err.text);
}

void
kit_stop(struct kit *k)
{
    yb_net_stop(k->net, 5000);
    ck_assert_int_eq(atomic_load(&k->opened), atomic_load(&k->closed));
    yb_net_free(&k->net);
    if (k->unix_path[0] != 0)
        unlink(k->unix_path);
}

/* --- the client --- */

void
client_open(struct client *c, const struct kit *k)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct sockaddr_un u = { .sun_family = AF_UNIX };
    struct timeval patience = { PATIENCE_MS / 1000, 0 };
    int on = 1;

    memset(c, 0, sizeof(*c));
    if (k->unix_path[0] != 0) {
        memcpy(u.sun_path, k->unix_path, sizeof(u.sun_path));
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert(connect(c->fd, (const struct sockaddr *)&u, sizeof(u)) == 0);
    } else {
        a.sin_port = htons((uint16_t)k->port);
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert(connect(c->fd, (const struct sockaddr *)&a, sizeof(a)) == 0);
        setsockopt(c->fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
    }
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

void
client_close(struct client *c)
{
    SSL_free(c->ssl);
    close(c->fd);
}

void
client_send_n(struct client *c, const char *p, size_t n)
{
    if (c->ssl != NULL) {
        size_t sent;

        ck_assert(SSL_write_ex(c->ssl, p, n, &sent) == 1 && sent == n);
        return;
    }
    while (n > 0) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);

        ck_assert_msg(sent > 0, "send: %s", strerror(errno));
        p += sent;
        n -= (size_t)sent;
    }
}

void
client_send(struct client *c, const char *text)
{
    client_send_n(c, text, strlen(text));
}

/* More input; false at the end. */
static bool
receive(struct client *c)
{
    ssize_t n;

    ck_assert_uint_lt(c->n, sizeof(c->in));
    if (c->ssl != NULL) {
        n = SSL_read(c->ssl, c->in + c->n, (int)(sizeof(c->in) - c->n));
    } else {
        n = recv(c->fd, c->in + c->n, sizeof(c->in) - c->n, 0);
        ck_assert_msg(n >= 0 || errno != EAGAIN, "the server says nothing");
    }
    if (n <= 0)
        return false;
    c->n += (size_t)n;
    return true;
}

const char *
client_line(struct client *c)
{
    static char line[sizeof(c->in)];
    const char *lf;
    size_t n;

    while ((lf = memchr(c->in, '\n', c->n)) == NULL)
        if (!receive(c))
            return NULL;
    n = (size_t)(lf - c->in);
    ck_assert(n > 0 && c->in[n - 1] == '\r');
    memcpy(line, c->in, n - 1);
    line[n - 1] = 0;
    c->n -= n + 1;
    memmove(c->in, lf + 1, c->n);
    return line;
}

void
client_expect(struct client *c, const char *want)
{
    const char *got = client_line(c);

    ck_assert_msg(got != NULL, "the connection ended before \"%s\"", want);
    ck_assert_str_eq(got, want);
}

void
client_take(struct client *c, char *to, size_t n)
{
    while (n > 0) {
        size_t here = n < c->n ? n : c->n;

        if (here == 0) {
            ck_assert_msg(receive(c), "the connection ended");
            continue;
        }
        if (to != NULL) {
            memcpy(to, c->in, here);
            to += here;
        }
        memmove(c->in, c->in + here, c->n - here);
        c->n -= here;
        n -= here;
    }
}

void
client_skip(struct client *c, size_t n)
{
    client_take(c, NULL, n);
}

void
client_expect_end(struct client *c)
{
    ck_assert_msg(!receive(c) && c->n == 0, "more than expected: %.*s", (int)c->n, c->in);
}

void
client_tls(struct client *c, SSL_CTX *ctx, const char *name, SSL_SESSION *session)
{
    char host[100]; /* OpenSSL's macro casts const away */

    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    if (name != NULL) {
        ck_assert(yb_str_copy(yb_str_from(name), host, sizeof(host)));
        SSL_set_tlsext_host_name(c->ssl, host);
    }
    if (session != NULL)
        SSL_set_session(c->ssl, session);
    ERR_clear_error();
    ck_assert_msg(SSL_connect(c->ssl) == 1, "handshake: %s",
                  ERR_error_string(ERR_get_error(), NULL));
}

void
client_expect_cert(struct client *c, const char *want)
{
    X509 *cert = SSL_get1_peer_certificate(c->ssl);
    char cn[100];

    ck_assert(
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof(cn)) > 0);
    ck_assert_str_eq(cn, want);
    X509_free(cert);
}

/* --- certificates --- */

static char *
pem_of(BIO *bio)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    char *out = yb_dup(p, (size_t)n);

    BIO_free(bio);
    return out;
}

void
kit_pair(const char *names, char **chain, char **key)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);
    struct yb_str rest = yb_str_from(names), name;
    char san[400] = "", cn[100] = "";
    X509_EXTENSION *ext;
    BIO *bio;

    while (yb_str_split(&rest, ',', &name)) {
        size_t at = strlen(san);

        if (cn[0] == 0)
            ck_assert(yb_str_copy(name, cn, sizeof(cn)));
        snprintf(san + at, sizeof(san) - at, "%sDNS:%.*s", at > 0 ? "," : "", YB_STR_ARG(name));
    }
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, pkey);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(cert, subject);
    ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    ck_assert(X509_sign(cert, pkey, EVP_sha256()) > 0);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    *chain = pem_of(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    *key = pem_of(bio);
    X509_free(cert);
    EVP_PKEY_free(pkey);
}

struct yb_tls_set *
kit_certs(const char *const *names, size_t n, struct yb_str secret)
{
    struct yb_tls_pair pairs[8];
    char *chain[8], *key[8];
    struct yb_err err = { 0 };
    struct yb_tls_set *set;

    ck_assert_uint_le(n, YB_COUNT(pairs));
    for (size_t k = 0; k < n; k++) {
        kit_pair(names[k], &chain[k], &key[k]);
        pairs[k] = (struct yb_tls_pair){ yb_str_from(chain[k]), yb_str_from(key[k]) };
    }
    set = yb_tls_set_new(pairs, n, secret, TLS1_2_VERSION, &err);
    ck_assert_msg(set != NULL, "%s", err.text);
    for (size_t k = 0; k < n; k++) {
        yb_free(chain[k]);
        yb_free(key[k]);
    }
    return set;
}

int
kit_main(const char *name, void (*tests)(TCase *tc), void (*setup)(void), void (*teardown)(void))
{
    Suite *s = suite_create(name);
    TCase *tc = tcase_create(name);
    SRunner *r;
    int failed;

    tcase_set_timeout(tc, 120);
    if (setup != NULL)
        tcase_add_checked_fixture(tc, setup, teardown);
    tests(tc);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
