#include "lib/net/tls.h"

#include "lib/base/clock.h"
#include "lib/base/id.h"
#include "lib/base/map.h"
#include "lib/net/engine.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>

#define DAY 86400
#define TICKET_SECRET 32

/* What protects the tickets made on one day. */
struct ticket_key {
    int64_t day;
    uint8_t name[16], aes[32], mac[32];
};

struct yb_tls_set {
    atomic_size_t refs;
    size_t n;
    SSL_CTX **ctx;        /* the first is the default */
    struct yb_map *names; /* lower case -> SSL_CTX *; never changed after yb_tls_set_new() */
    uint8_t secret[TICKET_SECRET];
    pthread_mutex_t lock;      /* of the keys, made when first asked for */
    struct ticket_key keys[2]; /* by parity of the day */
};

/* --- errors --- */

void
yb_tls_error_text(char *out, size_t size)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

    yb_assert(size > 0);
    if (!yb_str_copy(yb_str_from(reason == NULL ? "connection lost" : reason), out, size))
        out[0] = 0;
    ERR_clear_error();
}

static int
fail(struct yb_err *err, size_t pair, const char *what)
{
    char reason[120];

    yb_tls_error_text(reason, sizeof(reason));
    return yb_err_inside(err, YB_PERM, "5.3.5", "certificate pair %zu: %s: %s", pair + 1, what,
                         reason);
}

/* --- tickets --- */

static void
derive(const struct yb_tls_set *s, int64_t day, const char *use, uint8_t *out, size_t n)
{
    uint8_t text[24] = { 0 }, mac[EVP_MAX_MD_SIZE];
    unsigned size = sizeof(mac);

    yb_assert(n <= 32);
    memcpy(text, use, strnlen(use, 16));
    for (unsigned k = 0; k < 8; k++)
        text[16 + k] = (uint8_t)((uint64_t)day >> (56 - 8 * k));
    yb_assert(HMAC(EVP_sha256(), s->secret, sizeof(s->secret), text, sizeof(text), mac, &size) !=
              NULL);
    memcpy(out, mac, n);
    explicit_bzero(mac, sizeof(mac));
}

static struct ticket_key
ticket_key_of(struct yb_tls_set *s, int64_t day)
{
    struct ticket_key *k = &s->keys[day & 1], copy;

    pthread_mutex_lock(&s->lock);
    if (k->day != day) {
        k->day = day;
        derive(s, day, "ticket name", k->name, sizeof(k->name));
        derive(s, day, "ticket cipher", k->aes, sizeof(k->aes));
        derive(s, day, "ticket mac", k->mac, sizeof(k->mac));
    }
    copy = *k;
    pthread_mutex_unlock(&s->lock);
    return copy;
}

static bool
ticket_use(const struct ticket_key *k, const uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
           bool encrypt)
{
    char digest[] = "SHA256";
    uint8_t key[32];
    OSSL_PARAM params[3];
    bool ok;

    memcpy(key, k->mac, sizeof(key));
    params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, sizeof(key));
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    params[2] = OSSL_PARAM_construct_end();
    ok = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv, encrypt) == 1 &&
         EVP_MAC_CTX_set_params(mac, params) == 1;
    explicit_bzero(key, sizeof(key));
    return ok;
}

/* OpenSSL's callback: 1 used, 2 used and to be renewed, 0 not ours (a full handshake), -1 error. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
          EVP_MAC_CTX *mac, int encrypt)
{
    struct yb_tls_set *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    int64_t today = yb_clock_now() / DAY;
    struct ticket_key k = ticket_key_of(s, today);
    int rc = 1;

    if (encrypt) {
        memcpy(name, k.name, sizeof(k.name));
        yb_random(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
    } else if (memcmp(name, k.name, sizeof(k.name)) != 0) {
        k = ticket_key_of(s, today - 1);
        rc = memcmp(name, k.name, sizeof(k.name)) == 0 ? 2 : 0;
    }
    if (rc > 0 && !ticket_use(&k, iv, cipher, mac, encrypt != 0))
        rc = -1;
    explicit_bzero(&k, sizeof(k));
    return rc;
}

/* --- names --- */

static SSL_CTX *
find(const struct yb_tls_set *s, const char *name)
{
    char key[256];
    size_t n = strlen(name), dot;
    SSL_CTX *ctx;

    if (n > 0 && name[n - 1] == '.')
        n--;
    if (n == 0 || n >= sizeof(key) - 1)
        return NULL;
    key[0] = '*';
    for (size_t k = 0; k < n; k++)
        key[1 + k] = yb_lower(name[k]);
    ctx = yb_map_get(s->names, yb_str(key + 1, n));
    if (ctx != NULL)
        return ctx;
    /* RFC 9525 §6.3: a wildcard stands for exactly one whole label. */
    dot = yb_str_find(yb_str(key + 1, n), '.');
    if (dot == n)
        return NULL;
    key[dot] = '*';
    return yb_map_get(s->names, yb_str(key + dot, n - dot + 1));
}

static int
on_server_name(SSL *ssl, int *alert YB_UNUSED, void *arg)
{
    const struct yb_tls_set *s = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *ctx = name == NULL ? NULL : find(s, name);

    /* A name we do not serve gets the default: mail clients must not fail harder than without TLS.
     */
    if (ctx != NULL && ctx != SSL_get_SSL_CTX(ssl))
        SSL_set_SSL_CTX(ssl, ctx);
    return SSL_TLSEXT_ERR_OK;
}

static void
add_name(struct yb_tls_set *s, SSL_CTX *ctx, const unsigned char *p, size_t n)
{
    char key[256];

    if (n == 0 || n > sizeof(key) || memchr(p, 0, n) != NULL)
        return;
    for (size_t k = 0; k < n; k++)
        key[k] = yb_lower((char)p[k]);
    if (yb_map_get(s->names, yb_str(key, n)) == NULL) /* the first pair with a name serves it */
        yb_map_put(s->names, yb_str(key, n), ctx);
}

static void
add_names(struct yb_tls_set *s, SSL_CTX *ctx, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    for (int k = 0; k < sk_GENERAL_NAME_num(names); k++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, k);

        if (name->type == GEN_DNS)
            add_name(s, ctx, ASN1_STRING_get0_data(name->d.dNSName),
                     (size_t)ASN1_STRING_length(name->d.dNSName));
    }
    if (names == NULL &&
        at >= 0) { /* only a certificate without the extension is known by its CN */
        const ASN1_STRING *cn = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));

        add_name(s, ctx, ASN1_STRING_get0_data(cn), (size_t)ASN1_STRING_length(cn));
    }
    GENERAL_NAMES_free(names);
}

/* --- sets --- */

/* Keys with a passphrase are refused instead of asking the terminal. */
static int
no_passphrase(char *buf YB_UNUSED, int size YB_UNUSED, int rwflag YB_UNUSED, void *arg YB_UNUSED)
{
    return -1;
}

static int
load_chain(struct yb_tls_set *s, SSL_CTX *ctx, size_t pair, struct yb_str pem, struct yb_err *err)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL), *more;
    int rc = 0;

    if (cert == NULL || SSL_CTX_use_certificate(ctx, cert) != 1)
        rc = fail(err, pair, "no certificate");
    else
        add_names(s, ctx, cert);
    X509_free(cert);
    while (rc == 0 && (more = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        if (SSL_CTX_add1_chain_cert(ctx, more) != 1)
            rc = fail(err, pair, "chain");
        X509_free(more);
    }
    ERR_clear_error(); /* the end of the text is an error to the PEM reader */
    BIO_free(bio);
    return rc;
}

static int
load_key(SSL_CTX *ctx, size_t pair, struct yb_str pem, struct yb_err *err)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    int rc = 0;

    if (key == NULL)
        rc = fail(err, pair, "no private key");
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        rc = fail(err, pair, "the key does not fit the certificate");
    EVP_PKEY_free(key);
    BIO_free(bio);
    return rc;
}

int64_t
yb_tls_chain_ends(struct yb_str chain_pem)
{
    BIO *bio = BIO_new_mem_buf(chain_pem.p, (int)chain_pem.n);
    int64_t ends = 0;
    X509 *cert;

    while (bio != NULL && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        struct tm tm;
        int64_t at;

        if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1) {
            at = (int64_t)timegm(&tm);
            ends = ends == 0 || at < ends ? at : ends;
        }
        X509_free(cert);
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end of the file is one to the library */
    return ends;
}

static SSL_CTX *
ctx_new(struct yb_tls_set *s, int min_version)
{
    static const unsigned char id[] = "yubin";
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    yb_assert(ctx != NULL);
    SSL_CTX_set_app_data(ctx, s);
    SSL_CTX_set_min_proto_version(ctx, min_version);
    /* Only what TLS 1.2 still deserves: ephemeral keys; TLS 1.3 has nothing else. */
    yb_assert(SSL_CTX_set_cipher_list(
        ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:!aNULL:!PSK"));
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_timeout(ctx, DAY); /* no longer than the keys live */
    SSL_CTX_set_dh_auto(ctx, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, s);
    return ctx;
}

struct yb_tls_set *
yb_tls_set_new(const struct yb_tls_pair *pairs, size_t n, struct yb_str ticket_secret,
               int min_version, struct yb_err *err)
{
    struct yb_tls_set *s;
    int rc = 0;

    if (n == 0 || (ticket_secret.n != 0 && ticket_secret.n != TICKET_SECRET) ||
        (min_version != TLS1_2_VERSION && min_version != TLS1_3_VERSION)) {
        yb_err_inside(err, YB_PERM, "5.3.5",
                      "TLS needs a certificate, version 1.2 or 1.3, and a "
                      "ticket secret of %d bytes or none",
                      TICKET_SECRET);
        return NULL;
    }
    s = yb_alloc(1, sizeof(*s));
    atomic_init(&s->refs, 1);
    pthread_mutex_init(&s->lock, NULL);
    s->names = yb_map_new();
    s->ctx = yb_alloc(n, sizeof(SSL_CTX *));
    s->keys[0].day = s->keys[1].day = -1;
    if (ticket_secret.n > 0)
        memcpy(s->secret, ticket_secret.p, TICKET_SECRET);
    else
        yb_random(s->secret, TICKET_SECRET);
    for (; s->n < n && rc == 0; s->n++) {
        s->ctx[s->n] = ctx_new(s, min_version);
        rc = load_chain(s, s->ctx[s->n], s->n, pairs[s->n].chain_pem, err);
        if (rc == 0)
            rc = load_key(s->ctx[s->n], s->n, pairs[s->n].key_pem, err);
    }
    if (rc < 0)
        yb_tls_set_unref(&s);
    return s;
}

struct yb_tls_set *
yb_tls_set_ref(struct yb_tls_set *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void
yb_tls_set_unref(struct yb_tls_set **s)
{
    struct yb_tls_set *set = *s;

    *s = NULL;
    if (set == NULL || atomic_fetch_sub(&set->refs, 1) > 1)
        return;
    for (size_t k = 0; k < set->n; k++)
        SSL_CTX_free(set->ctx[k]);
    yb_free(set->ctx);
    yb_map_free(&set->names);
    pthread_mutex_destroy(&set->lock);
    explicit_bzero(set, sizeof(*set));
    yb_free(set);
}

struct ssl_st *
yb_tls_set_open(struct yb_tls_set *s, int fd)
{
    SSL *ssl = SSL_new(s->ctx[0]);

    yb_assert(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    SSL_set_accept_state(ssl);
    return ssl;
}
