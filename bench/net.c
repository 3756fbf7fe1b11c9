/*
 * What the connection engine costs, as figures without judgement:
 *   bench/net idle N        memory (PSS) for each of N idle TLS connections, after one line each
 *   bench/net echo N LINES  N plain connections say LINES lines each, one at a time: lines a second
 *                           and processor time of the server per line
 * The clients are a process of their own, so that only the server is measured.
 */
#include "lib/net/net.h"
#include "lib/base/clock.h"
#include "lib/net/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void
on_opened(struct yb_conn *c)
{
    yb_conn_write(c, YB_STR("hello\r\n"));
}

static void
on_line(struct yb_conn *c, struct yb_str line, unsigned flags YB_UNUSED)
{
    yb_conn_write(c, line);
    yb_conn_write(c, YB_STR("\r\n"));
}

static const struct yb_service service = { .name = "echo", .opened = on_opened, .line = on_line };

static void
need(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static char *
pem_of(BIO *bio)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    char *out = yb_dup(p, (size_t)n);

    BIO_free(bio);
    return out;
}

static struct yb_tls_set *
certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    BIO *chain_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    struct yb_err err = { 0 };
    struct yb_tls_pair pair;
    struct yb_tls_set *set;

    X509_set_version(cert, 2);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"bench.test", -1,
                               -1, 0);
    X509_set_issuer_name(cert, name);
    X509_sign(cert, key, EVP_sha256());
    PEM_write_bio_X509(chain_bio, cert);
    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL);
    pair.chain_pem = yb_str_from(pem_of(chain_bio));
    pair.key_pem = yb_str_from(pem_of(key_bio));
    set = yb_tls_set_new(&pair, 1, YB_STR(""), TLS1_2_VERSION, &err);
    need(set != NULL, err.text);
    X509_free(cert);
    EVP_PKEY_free(key);
    return set;
}

static int
dial(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    a.sin_port = htons((uint16_t)port);
    need(connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0, "connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* Opens, says one line each, tells the parent, and waits to be killed. */
static void
idle_clients(int port, long n, int ready)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    char buf[64];

    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    for (long k = 0; k < n; k++) {
        SSL *ssl = SSL_new(ctx);

        SSL_set_fd(ssl, dial(port));
        need(SSL_connect(ssl) == 1 && SSL_read(ssl, buf, sizeof(buf)) == 7, "greeting");
        need(SSL_write(ssl, "x\r\n", 3) == 3 && SSL_read(ssl, buf, sizeof(buf)) == 3, "answer");
    }
    need(write(ready, "x", 1) == 1, "pipe");
    pause();
}

static void
echo_clients(int port, long n, long lines)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = { .events = EPOLLIN }, events[64];
    long *left = yb_alloc((size_t)n + 64, sizeof(*left)), open = n;
    char buf[64];

    for (long k = 0; k < n; k++) {
        int fd = dial(port);

        ev.data.fd = fd;
        left[fd] = lines; /* descriptors are small and dense */
        need(read(fd, buf, sizeof(buf)) == 7, "greeting");
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
        need(write(fd, "MAIL FROM:<a@b.example>\r\n", 25) == 25, "line");
    }
    while (open > 0) {
        int got = epoll_wait(ep, events, 64, -1);

        for (int k = 0; k < got; k++) {
            int fd = events[k].data.fd;

            need(read(fd, buf, sizeof(buf)) == 25, "answer");
            if (--left[fd] > 0) {
                need(write(fd, "MAIL FROM:<a@b.example>\r\n", 25) == 25, "line");
            } else {
                close(fd);
                open--;
            }
        }
    }
    exit(0);
}

static long
pss_kib(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "re");
    char line[200];
    long kib = -1;

    need(f != NULL, "smaps_rollup");
    while (kib < 0 && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, "Pss:", 4) == 0)
            kib = strtol(line + 4, NULL, 10);
    fclose(f);
    return kib;
}

static double
cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int
main(int argc, char **argv)
{
    bool idle = argc == 3 && strcmp(argv[1], "idle") == 0;
    long n = argc > 2 ? strtol(argv[2], NULL, 10) : 0,
         lines = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    struct yb_net *net =
        yb_net_new(&(struct yb_net_conf){ .workers = 64, .max_conns = (size_t)n + 10 });
    struct yb_tls_set *tls = idle ? certificate() : NULL;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct yb_listener_spec spec = { .service = &service, .tls = idle };
    socklen_t size = sizeof(a);
    struct yb_err err = { 0 };
    int ready[2], status;
    char byte;
    pid_t child;

    if (n <= 0 || (!idle && lines <= 0)) {
        fprintf(stderr, "use: %s idle N | echo N LINES\n", argv[0]);
        return 64;
    }
    spec.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(bind(spec.fd, (const struct sockaddr *)&a, sizeof(a)) == 0, "bind");
    need(listen(spec.fd, 1024) == 0, "listen");
    need(getsockname(spec.fd, (struct sockaddr *)&a, &size) == 0, "getsockname");
    need(pipe2(ready, O_CLOEXEC) == 0, "pipe");
    child = fork();
    if (child == 0) {
        if (idle)
            idle_clients(ntohs(a.sin_port), n, ready[1]);
        else
            echo_clients(ntohs(a.sin_port), n, lines);
    }
    yb_net_set_tls(net, tls);
    need(yb_net_listen(net, &spec, &err) == 0 && yb_net_start(net, &err) == 0, err.text);
    if (idle) {
        long before = pss_kib(), after;

        need(read(ready[0], &byte, 1) == 1, "clients");
        after = pss_kib();
        printf("%ld idle TLS connections: %.2f KiB each (PSS %ld KiB before, %ld after)\n", n,
               (double)(after - before) / (double)n, before, after);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    } else {
        double began = (double)yb_clock_us(), cpu = cpu_us(), took;

        waitpid(child, &status, 0);
        took = (double)yb_clock_us() - began;
        printf("%ld connections, %ld lines each: %.0f lines/s, %.1f us of processor time a line\n",
               n, lines, (double)(n * lines) / took * 1e6, (cpu_us() - cpu) / (double)(n * lines));
    }
    yb_net_free(&net);
    yb_tls_set_unref(&tls);
    return 0;
}
