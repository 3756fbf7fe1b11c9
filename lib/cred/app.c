/*
 * App passwords: 128 random bits in 26 characters of Crockford's base32, which has no i, l, o, u.
 * Random bits need no slow hash: what is stored is their SHA-256.
 */
#include "lib/cred/cred.h"

#include "lib/base/id.h"

#include <openssl/evp.h>

#define BITS_BYTES 16
#define CHARACTERS 26 /* 5 bits each: 130, the last two are zero */

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void
hash_bits(const uint8_t bits[BITS_BYTES], char hash[YB_CRED_APP_HASH])
{
    uint8_t digest[32];

    yb_assert(EVP_Digest(bits, BITS_BYTES, digest, NULL, EVP_sha256(), NULL) == 1);
    yb_hex(digest, sizeof(digest), hash);
}

/* The k-th group of five bits. */
static unsigned
five_bits(const uint8_t bits[BITS_BYTES], size_t k)
{
    size_t at = k * 5;
    unsigned two = (unsigned)bits[at / 8] << 8 | (at / 8 + 1 < BITS_BYTES ? bits[at / 8 + 1] : 0u);

    return two >> (11 - at % 8) & 31;
}

void
yb_cred_app_make(char text[YB_CRED_APP_TEXT], char hash[YB_CRED_APP_HASH])
{
    uint8_t bits[BITS_BYTES];
    size_t n = 0;

    yb_random(bits, sizeof(bits));
    for (size_t k = 0; k < CHARACTERS; k++) {
        if (k == 6 || k == 12 || k == 19)
            text[n++] = '-';
        text[n++] = alphabet[five_bits(bits, k)];
    }
    text[n] = '\0';
    hash_bits(bits, hash);
    explicit_bzero(bits, sizeof(bits));
}

/* The value of a character as people type it, or -1. */
static int
value_of(char c)
{
    const char *at;

    c = yb_lower(c);
    if (c == 'o')
        c = '0';
    else if (c == 'i' || c == 'l')
        c = '1';
    at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

bool
yb_cred_app_hash(struct yb_str typed, char hash[YB_CRED_APP_HASH])
{
    uint8_t bits[BITS_BYTES + 1] = { 0 };
    size_t k = 0;
    bool ok;

    for (size_t i = 0; i < typed.n; i++) {
        int v;

        if (typed.p[i] == '-' || typed.p[i] == ' ')
            continue;
        v = value_of(typed.p[i]);
        if (v < 0 || k == CHARACTERS)
            return false;
        for (size_t b = 0; b < 5; b++)
            if (((unsigned)v >> (4 - b) & 1) != 0)
                bits[(k * 5 + b) / 8] |= (uint8_t)(0x80 >> (k * 5 + b) % 8);
        k++;
    }
    ok = k == CHARACTERS && bits[BITS_BYTES] == 0;
    if (ok)
        hash_bits(bits, hash);
    explicit_bzero(bits, sizeof(bits));
    return ok;
}
