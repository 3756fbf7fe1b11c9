/* SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677): making, reading and checking them. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Update() and its like: see salted_password() */
#include "lib/cred/scram.h"

#include "lib/base/id.h"
#include "lib/base/io.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>

#define PREFIX "SCRAM-SHA-256$"

struct keys {
    uint8_t stored[SCRAM_KEY], server[SCRAM_KEY];
};

static void
hmac(struct yb_str key, struct yb_str data, uint8_t out[SCRAM_KEY])
{
    unsigned n = SCRAM_KEY;

    yb_assert(HMAC(EVP_sha256(), key.p, (int)key.n, (const uint8_t *)data.p, data.n, out, &n) !=
              NULL);
}

static struct yb_str
bytes(const uint8_t *p, size_t n)
{
    return yb_str((const char *)p, n);
}

/* HMAC-SHA-256 (RFC 2104) with its key taken in: what hashes what, and what hashes that. */
struct keyed {
    SHA256_CTX inner, outer;
};

static void
key_half(SHA256_CTX *c, const uint8_t key[SHA256_CBLOCK], uint8_t pad)
{
    uint8_t block[SHA256_CBLOCK];

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = key[i] ^ pad;
    SHA256_Init(c);
    SHA256_Update(c, block, sizeof(block));
    explicit_bzero(block, sizeof(block));
}

static void
key_take(struct keyed *k, struct yb_str key)
{
    uint8_t block[SHA256_CBLOCK] = { 0 };

    if (key.n > sizeof(block))
        SHA256((const uint8_t *)key.p, key.n, block);
    else
        memcpy(block, key.p, key.n);
    key_half(&k->inner, block, 0x36);
    key_half(&k->outer, block, 0x5c);
    explicit_bzero(block, sizeof(block));
}

/* What `inner`, begun from k->inner, comes to. */
static void
keyed_end(const struct keyed *k, SHA256_CTX *inner, uint8_t out[SCRAM_KEY])
{
    SHA256_CTX outer = k->outer;

    SHA256_Final(out, inner);
    SHA256_Update(&outer, out, SCRAM_KEY);
    SHA256_Final(out, &outer);
}

/*
 * Hi() of RFC 5802 §2.2, which is PBKDF2 with one block. PKCS5_PBKDF2_HMAC() of OpenSSL 3 gives the
 * same and takes three times as long: for each of the iterations it copies contexts on the heap.
 */
static void
salted_password(struct yb_str prepared, struct yb_str salt, unsigned iterations,
                uint8_t out[SCRAM_KEY])
{
    static const uint8_t first[] = { 0, 0, 0, 1 };
    uint64_t sum[SCRAM_KEY / sizeof(uint64_t)], next[YB_COUNT(sum)];
    uint8_t u[SCRAM_KEY];
    SHA256_CTX inner;
    struct keyed k;

    key_take(&k, prepared);
    inner = k.inner;
    SHA256_Update(&inner, salt.p, salt.n);
    SHA256_Update(&inner, first, sizeof(first));
    keyed_end(&k, &inner, u);
    memcpy(sum, u, sizeof(sum));
    for (unsigned i = 1; i < iterations; i++) {
        inner = k.inner;
        SHA256_Update(&inner, u, sizeof(u));
        keyed_end(&k, &inner, u);
        memcpy(next, u, sizeof(next));
        for (size_t j = 0; j < YB_COUNT(sum); j++)
            sum[j] ^= next[j];
    }
    memcpy(out, sum, SCRAM_KEY);
    explicit_bzero(&k, sizeof(k));
    explicit_bzero(&inner, sizeof(inner));
    explicit_bzero(u, sizeof(u));
    explicit_bzero(next, sizeof(next));
    explicit_bzero(sum, sizeof(sum));
}

/* False when the password has no prepared form. */
static bool
derive(struct yb_str password, unsigned iterations, struct yb_str salt, struct keys *out)
{
    uint8_t salted[SCRAM_KEY], client[SCRAM_KEY];
    char prepared[YB_CRED_PREPARED];
    size_t n;

    if (!yb_cred_prepare(password, prepared, &n))
        return false;
    salted_password(yb_str(prepared, n), salt, iterations, salted);
    hmac(bytes(salted, sizeof(salted)), YB_STR("Client Key"), client);
    yb_assert(EVP_Digest(client, sizeof(client), out->stored, NULL, EVP_sha256(), NULL) == 1);
    hmac(bytes(salted, sizeof(salted)), YB_STR("Server Key"), out->server);
    explicit_bzero(prepared, sizeof(prepared));
    explicit_bzero(salted, sizeof(salted));
    explicit_bzero(client, sizeof(client));
    return true;
}

static void
format(unsigned iterations, struct yb_str salt, const struct keys *keys, char out[YB_CRED_VERIFIER])
{
    char salt64[YB_BASE64_SIZE(SCRAM_SALT_MAX)];
    char stored64[YB_BASE64_SIZE(SCRAM_KEY)], server64[YB_BASE64_SIZE(SCRAM_KEY)];

    yb_base64(salt, salt64);
    yb_base64(bytes(keys->stored, SCRAM_KEY), stored64);
    yb_base64(bytes(keys->server, SCRAM_KEY), server64);
    snprintf(out, YB_CRED_VERIFIER, PREFIX "%u:%s$%s:%s", iterations, salt64, stored64, server64);
}

int
yb_cred_make_salted(struct yb_str password, unsigned iterations, struct yb_str salt,
                    char out[YB_CRED_VERIFIER], struct yb_err *err)
{
    struct keys keys;

    yb_assert(salt.n >= SCRAM_SALT_MIN && salt.n <= SCRAM_SALT_MAX);
    if (iterations == 0)
        iterations = YB_CRED_ITERATIONS;
    if (iterations < SCRAM_ITERATIONS_MIN || iterations > SCRAM_ITERATIONS_MAX)
        return yb_err_set(err, YB_PERM, "5.7.8", "iterations must be %d to %d",
                          SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX);
    if (password.n == 0)
        return yb_err_set(err, YB_PERM, "5.7.8", "the password is empty");
    if (password.n > YB_CRED_PASSWORD)
        return yb_err_set(err, YB_PERM, "5.7.8", "the password is longer than %d bytes",
                          YB_CRED_PASSWORD);
    if (!derive(password, iterations, salt, &keys))
        return yb_err_set(err, YB_PERM, "5.7.8",
                          "the password is not UTF-8 or holds characters that cannot be typed");
    format(iterations, salt, &keys, out);
    explicit_bzero(&keys, sizeof(keys));
    return 0;
}

int
yb_cred_make(struct yb_str password, unsigned iterations, char out[YB_CRED_VERIFIER],
             struct yb_err *err)
{
    char salt[16];

    yb_random(salt, sizeof(salt));
    return yb_cred_make_salted(password, iterations, yb_str(salt, sizeof(salt)), out, err);
}

/* Base64 of exactly `min` to `max` bytes, in its one right form. */
static bool
is_base64(struct yb_str s, size_t min, size_t max)
{
    uint8_t raw[2 * SCRAM_KEY];
    size_t n;

    return s.n / 4 * 3 <= sizeof(raw) && yb_unbase64(s, raw, &n) && n >= min && n <= max;
}

bool
yb_cred_scram_parse(struct yb_str verifier, struct yb_cred_scram *out)
{
    struct yb_str rest, head, part;
    uint64_t iterations;

    if (verifier.n >= YB_CRED_VERIFIER || !yb_str_starts(verifier, YB_STR(PREFIX)))
        return false;
    rest = yb_str_skip(verifier, strlen(PREFIX));
    head = yb_str_head(rest, yb_str_find(rest, '$'));
    rest = yb_str_skip(rest, head.n + 1);
    part = yb_str_head(head, yb_str_find(head, ':'));
    out->salt = yb_str_skip(head, part.n + 1);
    if (!yb_str_u64(part, SCRAM_ITERATIONS_MAX, &iterations) || part.p[0] == '0' ||
        iterations < SCRAM_ITERATIONS_MIN)
        return false;
    out->iterations = (unsigned)iterations;
    out->stored_key = yb_str_head(rest, yb_str_find(rest, ':'));
    out->server_key = yb_str_skip(rest, out->stored_key.n + 1);
    return is_base64(out->salt, SCRAM_SALT_MIN, SCRAM_SALT_MAX) &&
           is_base64(out->stored_key, SCRAM_KEY, SCRAM_KEY) &&
           is_base64(out->server_key, SCRAM_KEY, SCRAM_KEY);
}

bool
yb_scram_verify(const struct yb_cred_scram *v, struct yb_str password)
{
    uint8_t salt[2 * SCRAM_KEY], stored[2 * SCRAM_KEY];
    struct keys keys;
    size_t n_salt, n_stored;
    bool right;

    if (!yb_unbase64(v->salt, salt, &n_salt) || !yb_unbase64(v->stored_key, stored, &n_stored) ||
        n_stored != SCRAM_KEY || !derive(password, v->iterations, bytes(salt, n_salt), &keys))
        return false;
    right = CRYPTO_memcmp(keys.stored, stored, SCRAM_KEY) == 0;
    explicit_bzero(&keys, sizeof(keys));
    return right;
}

void
yb_cred_fake(struct yb_str secret, struct yb_str name, unsigned iterations,
             char out[YB_CRED_VERIFIER])
{
    uint8_t seed[SCRAM_KEY], salt[SCRAM_KEY];
    struct keys keys;

    /* The keys are pseudo-random: nobody knows a password whose hash they are, nor does anybody
     * see them; only the salt is shown. */
    hmac(secret, name, seed);
    hmac(bytes(seed, sizeof(seed)), YB_STR("salt"), salt);
    hmac(bytes(seed, sizeof(seed)), YB_STR("stored"), keys.stored);
    hmac(bytes(seed, sizeof(seed)), YB_STR("server"), keys.server);
    format(iterations == 0 ? YB_CRED_ITERATIONS : iterations, bytes(salt, 16), &keys, out);
    explicit_bzero(seed, sizeof(seed));
    explicit_bzero(&keys, sizeof(keys));
}
