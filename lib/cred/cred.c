/* Telling schemes apart, and checking passwords against imported hashes (crypt(3), salted SHA-2).
 */
#include "lib/cred/scram.h"

#include "lib/base/io.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#define CRYPT_ROUNDS_MAX 1000000 /* like SCRAM_ITERATIONS_MAX: a row must not stop a worker */
#define BCRYPT_COST_MAX 14       /* about a second */
#define SALT_MIN 4               /* of {SSHA512}, {SSHA256} */
#define SALT_MAX 64

/* How each scheme is written; the form behind the braces is checked by its own function. */
struct scheme {
    enum yb_cred_scheme scheme;
    const char *name, *braces;
    bool (*known)(struct yb_str hash);
};

/* Characters of crypt(3)'s base64. */
static bool
is_crypt64(struct yb_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!yb_is_alpha(s.p[i]) && !yb_is_digit(s.p[i]) && s.p[i] != '.' && s.p[i] != '/')
            return false;
    return true;
}

/* "$6$[rounds=N$]salt$hash", `n_hash` characters of hash. */
static bool
is_sha_crypt(struct yb_str hash, struct yb_str magic, size_t n_hash)
{
    struct yb_str rest = yb_str_skip(hash, magic.n), salt;
    uint64_t rounds;

    if (!yb_str_starts(hash, magic))
        return false;
    if (yb_str_starts(rest, YB_STR("rounds="))) {
        struct yb_str number = yb_str_skip(rest, strlen("rounds="));

        number = yb_str_head(number, yb_str_find(number, '$'));
        if (!yb_str_u64(number, CRYPT_ROUNDS_MAX, &rounds) || rounds < 1000)
            return false;
        rest = yb_str_skip(rest, strlen("rounds=") + number.n + 1);
    }
    salt = yb_str_head(rest, yb_str_find(rest, '$'));
    rest = yb_str_skip(rest, salt.n + 1);
    return salt.n > 0 && salt.n <= 16 && is_crypt64(salt) && rest.n == n_hash && is_crypt64(rest);
}

static bool
is_sha512_crypt(struct yb_str hash)
{
    return is_sha_crypt(hash, YB_STR("$6$"), 86);
}

static bool
is_sha256_crypt(struct yb_str hash)
{
    return is_sha_crypt(hash, YB_STR("$5$"), 43);
}

/* "$2y$NN$" and 53 characters. */
static bool
is_bcrypt(struct yb_str hash)
{
    uint64_t cost;

    return hash.n == 60 &&
           (yb_str_starts(hash, YB_STR("$2y$")) || yb_str_starts(hash, YB_STR("$2b$")) ||
            yb_str_starts(hash, YB_STR("$2a$"))) &&
           yb_str_u64(yb_str(hash.p + 4, 2), BCRYPT_COST_MAX, &cost) && cost >= 4 &&
           hash.p[6] == '$' && is_crypt64(yb_str_skip(hash, 7));
}

/* base64(digest, salt) with a digest of n_digest bytes; `raw` and *n get the bytes. */
static bool
salted_parse(struct yb_str hash, size_t n_digest, uint8_t raw[YB_CRED_VERIFIER], size_t *n)
{
    return hash.n < YB_CRED_VERIFIER && yb_unbase64(hash, raw, n) && *n >= n_digest + SALT_MIN &&
           *n <= n_digest + SALT_MAX;
}

static bool
is_ssha512(struct yb_str hash)
{
    uint8_t raw[YB_CRED_VERIFIER];
    size_t n;

    return salted_parse(hash, 64, raw, &n);
}

static bool
is_ssha256(struct yb_str hash)
{
    uint8_t raw[YB_CRED_VERIFIER];
    size_t n;

    return salted_parse(hash, 32, raw, &n);
}

static bool
is_scram(struct yb_str hash)
{
    struct yb_cred_scram parts;

    return yb_cred_scram_parse(hash, &parts);
}

static const struct scheme schemes[] = {
    /* clang-format off */
    { YB_CRED_SCRAM_SHA256, "SCRAM-SHA-256", "{SCRAM-SHA-256}", is_scram },
    { YB_CRED_SHA512_CRYPT, "SHA512-CRYPT",  "{SHA512-CRYPT}",  is_sha512_crypt },
    { YB_CRED_SHA512_CRYPT, "SHA512-CRYPT",  "{CRYPT}",         is_sha512_crypt },
    { YB_CRED_SHA256_CRYPT, "SHA256-CRYPT",  "{SHA256-CRYPT}",  is_sha256_crypt },
    { YB_CRED_SHA256_CRYPT, "SHA256-CRYPT",  "{CRYPT}",         is_sha256_crypt },
    { YB_CRED_BLF_CRYPT,    "BLF-CRYPT",     "{BLF-CRYPT}",     is_bcrypt },
    { YB_CRED_BLF_CRYPT,    "BLF-CRYPT",     "{CRYPT}",         is_bcrypt },
    { YB_CRED_SSHA512,      "SSHA512",       "{SSHA512}",       is_ssha512 },
    { YB_CRED_SSHA256,      "SSHA256",       "{SSHA256}",       is_ssha256 },
    /* clang-format on */
};

/* The "{NAME}" a string begins with, or nothing. */
static struct yb_str
braces_of(struct yb_str verifier)
{
    size_t end = yb_str_find(verifier, '}');

    return verifier.n > 0 && verifier.p[0] == '{' && end < verifier.n
               ? yb_str_head(verifier, end + 1)
               : yb_str(NULL, 0);
}

/* The scheme, with what follows its braces in *hash; NULL when it is none of ours. */
static const struct scheme *
scheme_find(struct yb_str verifier, struct yb_str *hash)
{
    struct yb_str braces = braces_of(verifier);

    if (verifier.n >= YB_CRED_VERIFIER || memchr(verifier.p, '\0', verifier.n) != NULL)
        return NULL;
    *hash = yb_str_skip(verifier, braces.n);
    for (size_t i = 0; i < YB_COUNT(schemes); i++) {
        const struct scheme *s = &schemes[i];
        /* {SSHA…} look like any base64: they need their braces, the others have a beginning. */
        bool bare = braces.n == 0 && s->scheme != YB_CRED_SSHA512 && s->scheme != YB_CRED_SSHA256;

        if ((bare || yb_str_eqi(braces, yb_str_from(s->braces))) && s->known(*hash))
            return s;
    }
    return NULL;
}

enum yb_cred_scheme
yb_cred_scheme_of(struct yb_str verifier)
{
    struct yb_str hash;
    const struct scheme *s = verifier.n == 0 ? NULL : scheme_find(verifier, &hash);

    return s == NULL ? YB_CRED_UNKNOWN : s->scheme;
}

const char *
yb_cred_scheme_name(enum yb_cred_scheme scheme)
{
    for (size_t i = 0; i < YB_COUNT(schemes); i++)
        if (schemes[i].scheme == scheme)
            return schemes[i].name;
    return "unknown";
}

/* Only letters, digits and '-', so that it may be shown: braces around a password must not be. */
static bool
is_scheme_name(struct yb_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!yb_is_alpha(s.p[i]) && !yb_is_digit(s.p[i]) && s.p[i] != '-')
            return false;
    return s.n > 0 && s.n <= 16;
}

int
yb_cred_check(struct yb_str verifier, struct yb_err *err)
{
    struct yb_str braces = braces_of(verifier), name = { NULL, 0 };

    if (yb_cred_scheme_of(verifier) != YB_CRED_UNKNOWN)
        return 0;
    if (verifier.n == 0)
        return yb_err_set(err, YB_PERM, "5.7.8", "the password hash is empty");
    if (braces.n > 2)
        name = yb_str(braces.p + 1, braces.n - 2);
    if (yb_str_starts(verifier, YB_STR("SCRAM-SHA-256$")) ||
        yb_str_eqi(braces, YB_STR("{SCRAM-SHA-256}")))
        return yb_err_set(err, YB_PERM, "5.7.8",
                          "not a whole SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey with %d "
                          "to %d iterations",
                          SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX);
    for (size_t i = 0; i < YB_COUNT(schemes); i++)
        if (yb_str_eqi(braces, yb_str_from(schemes[i].braces)))
            return yb_err_set(err, YB_PERM, "5.7.8",
                              "what follows %s is not such a hash, or costs "
                              "too much to check",
                              schemes[i].braces);
    if (yb_str_eqi(name, YB_STR("PLAIN")) || yb_str_eqi(name, YB_STR("CLEARTEXT")) ||
        yb_str_eqi(name, YB_STR("CLEAR")))
        return yb_err_set(err, YB_PERM, "5.7.8",
                          "a password in clear text is not taken as a hash: give it as a password");
    if (is_scheme_name(name))
        return yb_err_set(err, YB_PERM, "5.7.8", "password scheme {%.*s} is not supported",
                          YB_STR_ARG(name));
    return yb_err_set(err, YB_PERM, "5.7.8", "not a password hash of a supported scheme");
}

/* A C string for crypt(3) and OpenSSL; false when it cannot be one. */
static bool
password_copy(struct yb_str password, char out[YB_CRED_PASSWORD + 1])
{
    return password.n > 0 && yb_str_copy(password, out, YB_CRED_PASSWORD + 1);
}

static bool
crypt_verify(struct yb_str hash, const char *password)
{
    struct crypt_data *data = yb_alloc(1, sizeof(*data)); /* 32 KiB: too much for a stack */
    char setting[YB_CRED_VERIFIER];
    bool right = false;

    if (yb_str_copy(hash, setting, sizeof(setting))) {
        const char *made = crypt_rn(password, setting, data, (int)sizeof(*data));

        right = made != NULL && strlen(made) == hash.n && CRYPTO_memcmp(made, hash.p, hash.n) == 0;
    }
    explicit_bzero(data, sizeof(*data));
    yb_free(data);
    return right;
}

static bool
salted_verify(struct yb_str hash, struct yb_str password, const EVP_MD *md)
{
    uint8_t raw[YB_CRED_VERIFIER], made[EVP_MAX_MD_SIZE];
    size_t n_digest = (size_t)EVP_MD_get_size(md), n;
    EVP_MD_CTX *ctx;
    bool right;

    if (!salted_parse(hash, n_digest, raw, &n))
        return false;
    ctx = EVP_MD_CTX_new();
    yb_assert(ctx != NULL);
    right = EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
            EVP_DigestUpdate(ctx, password.p, password.n) == 1 &&
            EVP_DigestUpdate(ctx, raw + n_digest, n - n_digest) == 1 &&
            EVP_DigestFinal_ex(ctx, made, NULL) == 1 && CRYPTO_memcmp(made, raw, n_digest) == 0;
    EVP_MD_CTX_free(ctx);
    explicit_bzero(made, sizeof(made));
    return right;
}

enum yb_cred_verdict
yb_cred_verify(struct yb_str verifier, struct yb_str password)
{
    struct yb_cred_scram scram;
    char copy[YB_CRED_PASSWORD + 1];
    struct yb_str hash = { NULL, 0 };
    const struct scheme *s = verifier.n == 0 ? NULL : scheme_find(verifier, &hash);
    bool right = false;

    if (s == NULL || !password_copy(password, copy))
        return YB_CRED_WRONG;
    switch (s->scheme) {
    case YB_CRED_UNKNOWN:
        break;
    case YB_CRED_SCRAM_SHA256:
        right = yb_cred_scram_parse(hash, &scram) && yb_scram_verify(&scram, password);
        break;
    case YB_CRED_SHA512_CRYPT:
    case YB_CRED_SHA256_CRYPT:
    case YB_CRED_BLF_CRYPT:
        right = crypt_verify(hash, copy);
        break;
    case YB_CRED_SSHA512:
        right = salted_verify(hash, password, EVP_sha512());
        break;
    case YB_CRED_SSHA256:
        right = salted_verify(hash, password, EVP_sha256());
        break;
    }
    explicit_bzero(copy, sizeof(copy));
    return right ? YB_CRED_RIGHT : YB_CRED_WRONG;
}

bool
yb_cred_needs_upgrade(struct yb_str verifier)
{
    struct yb_cred_scram scram;

    return !yb_cred_scram_parse(verifier, &scram);
}

/* What crypt(3) reads stays, the hash behind it becomes dots. */
static void
blank_hash(const struct scheme *s, struct yb_str verifier, char out[YB_CRED_VERIFIER])
{
    size_t keep =
        s->scheme == YB_CRED_BLF_CRYPT ? verifier.n - 31 : yb_str_rfind(verifier, '$') + 1;

    memcpy(out, verifier.p, verifier.n);
    memset(out + keep, '.', verifier.n - keep);
    out[verifier.n] = '\0';
}

void
yb_cred_decoy(struct yb_str verifier, char out[YB_CRED_VERIFIER])
{
    struct yb_cred_scram scram = { .iterations = YB_CRED_ITERATIONS };
    struct yb_str hash = { NULL, 0 };
    const struct scheme *s = verifier.n == 0 ? NULL : scheme_find(verifier, &hash);

    switch (s == NULL ? YB_CRED_UNKNOWN : s->scheme) {
    case YB_CRED_SHA512_CRYPT:
    case YB_CRED_SHA256_CRYPT:
    case YB_CRED_BLF_CRYPT:
        blank_hash(s, verifier, out);
        return;
    case YB_CRED_SSHA512:
    case YB_CRED_SSHA256:
        /* base64 of zeros, as long as the original. */
        memset(out, 'A', verifier.n);
        memcpy(out, verifier.p, verifier.n - hash.n);
        memcpy(out + verifier.n - 2, hash.p[hash.n - 2] == '=' ? "==" : "AA", 2);
        if (hash.p[hash.n - 1] == '=')
            out[verifier.n - 1] = '=';
        out[verifier.n] = '\0';
        return;
    case YB_CRED_SCRAM_SHA256:
        (void)!yb_cred_scram_parse(hash, &scram);
        break;
    case YB_CRED_UNKNOWN:
        break;
    }
    /* Zeros, again: what is hashed to them nobody knows. */
    snprintf(out, YB_CRED_VERIFIER,
             "SCRAM-SHA-256$%u:AAAAAAAAAAAAAAAAAAAAAA==$"
             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
             scram.iterations);
}
