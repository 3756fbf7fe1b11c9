/* Password schemes: published vectors, what an import refuses, preparation, app passwords. */
#include "lib/cred/cred.h"

#include "lib/base/io.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#define S6                                                                                         \
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"                                           \
    "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
#define S5 "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
#define BF "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define BY "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define SSHA512                                                                                    \
    "{SSHA512}50rsRNBf8j3I5xE+QwaHdFyMhOzITssZ8BB3UxwQ+"                                           \
    "SI1JKygYm6ZeRYTDuUyFZIIqDonoTuXwB0Z/MAPhgQCFHNhbHRzYWx0"
#define SSHA256 "{SSHA256}YflVcOMs6k7tbGkQbQNVn6/ehAnUAVltiLPKHBWGi2tzYWx0c2FsdA=="
/* RFC 7677 §3: user, pencil, this salt, 4096. */
#define PENCIL                                                                                     \
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"    \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const struct {
    const char *verifier, *right;
    enum yb_cred_scheme scheme;
    bool upgrade;
} verifiers[] = {
    { PENCIL, "pencil", YB_CRED_SCRAM_SHA256, false }, /* 4096 iterations */
    { S6, "Hello world!", YB_CRED_SHA512_CRYPT, true },
    { "{SHA512-CRYPT}" S6, "Hello world!", YB_CRED_SHA512_CRYPT, true },
    { "{CRYPT}" S6, "Hello world!", YB_CRED_SHA512_CRYPT, true },
    { S5, "Hello world!", YB_CRED_SHA256_CRYPT, true },
    { "{sha256-crypt}" S5, "Hello world!", YB_CRED_SHA256_CRYPT, true },
    { BF, "U*U", YB_CRED_BLF_CRYPT, true },
    { BY, "U*U", YB_CRED_BLF_CRYPT, true },
    { "{BLF-CRYPT}" BY, "U*U", YB_CRED_BLF_CRYPT, true },
    { SSHA512, "correct horse", YB_CRED_SSHA512, true },
    { SSHA256, "correct horse", YB_CRED_SSHA256, true },
};

START_TEST(test_verify)
{
    struct yb_str verifier = yb_str_from(verifiers[_i].verifier);
    struct yb_str right = yb_str_from(verifiers[_i].right);
    struct yb_err err = { 0 };
    char wrong[64];

    ck_assert_int_eq(yb_cred_scheme_of(verifier), verifiers[_i].scheme);
    ck_assert_int_eq(yb_cred_check(verifier, &err), 0);
    ck_assert_int_eq(yb_cred_verify(verifier, right), YB_CRED_RIGHT);
    ck_assert(yb_cred_needs_upgrade(verifier) == verifiers[_i].upgrade);
    ck_assert(yb_str_copy(right, wrong, sizeof(wrong)));
    wrong[right.n - 1] ^= 1;
    ck_assert_int_eq(yb_cred_verify(verifier, yb_str(wrong, right.n)), YB_CRED_WRONG);
    ck_assert_int_eq(yb_cred_verify(verifier, yb_str(right.p, right.n - 1)), YB_CRED_WRONG);
    ck_assert_int_eq(yb_cred_verify(verifier, YB_STR("")), YB_CRED_WRONG);
    /* A NUL must not end the comparison early. */
    ck_assert_int_eq(yb_cred_verify(verifier, yb_str(wrong, right.n + 1)), YB_CRED_WRONG);
}
END_TEST

START_TEST(test_decoy)
{
    struct yb_str verifier = yb_str_from(verifiers[_i].verifier);
    struct yb_cred_scram real, fake;
    char decoy[YB_CRED_VERIFIER];

    yb_cred_decoy(verifier, decoy);
    ck_assert_int_eq(yb_cred_scheme_of(yb_str_from(decoy)), verifiers[_i].scheme);
    ck_assert_int_eq(yb_cred_verify(yb_str_from(decoy), yb_str_from(verifiers[_i].right)),
                     YB_CRED_WRONG);
    if (yb_cred_scram_parse(verifier, &real)) {
        ck_assert(yb_cred_scram_parse(yb_str_from(decoy), &fake));
        ck_assert_uint_eq(real.iterations, fake.iterations);
    } else {
        ck_assert_uint_eq(strlen(decoy), verifier.n);
    }
}
END_TEST

static const struct {
    const char *verifier, *says;
} refused[] = {
    { "", "empty" },
    { "secret", "not a password hash" },
    { "{PLAIN}secret", "clear text" },
    { "{plain}secret", "clear text" },
    { "{MD5-CRYPT}$1$abc$xyz", "{MD5-CRYPT} is not supported" },
    { "{my secret!}", "not a password hash" }, /* perhaps a password: it is not shown */
    { "$1$abc$xyz", "not a password hash" },
    { "{SHA512-CRYPT}$6$saltstring$short", "what follows {SHA512-CRYPT}" },
    { "{SHA512-CRYPT}" S5, "what follows {SHA512-CRYPT}" },
    { "{BLF-CRYPT}$2y$20$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "costs too much" },
    { "{SHA256-CRYPT}$5$rounds=99999999$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
      "costs too much" },
    { "{SSHA512}AAAA", "what follows {SSHA512}" },
    { "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==", "not a whole SCRAM" },
    { "SCRAM-SHA-256$1:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
      "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
      "not a whole SCRAM" },
    { "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY:"
      "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
      "not a whole SCRAM" },
};

START_TEST(test_refused)
{
    struct yb_err err = { 0 };

    ck_assert_int_eq(yb_cred_check(yb_str_from(refused[_i].verifier), &err), -1);
    ck_assert_int_eq(err.class, YB_PERM);
    ck_assert_msg(strstr(err.text, refused[_i].says) != NULL, "%s: %s", refused[_i].verifier,
                  err.text);
    ck_assert_ptr_eq(strstr(err.text, "secret"), NULL);
    ck_assert_int_eq(yb_cred_verify(yb_str_from(refused[_i].verifier), YB_STR("secret")),
                     YB_CRED_WRONG);
}
END_TEST

START_TEST(test_make)
{
    struct yb_err err = { 0 };
    char one[YB_CRED_VERIFIER], two[YB_CRED_VERIFIER];
    struct yb_cred_scram parts;

    ck_assert_int_eq(yb_cred_make(YB_STR("correct horse"), 0, one, &err), 0);
    ck_assert_int_eq(yb_cred_make(YB_STR("correct horse"), 0, two, &err), 0);
    ck_assert_str_ne(one, two);
    ck_assert(yb_cred_scram_parse(yb_str_from(one), &parts));
    ck_assert_uint_eq(parts.iterations, YB_CRED_ITERATIONS);
    ck_assert(!yb_cred_needs_upgrade(yb_str_from(one)));
    /* In braces it is as it was imported, and SCRAM cannot use it. */
    ck_assert(yb_cred_needs_upgrade(YB_STR("{SCRAM-SHA-256}" PENCIL)));
    ck_assert_int_eq(yb_cred_verify(yb_str_from(one), YB_STR("correct horse")), YB_CRED_RIGHT);
    ck_assert_int_eq(yb_cred_verify(yb_str_from(two), YB_STR("correct horsf")), YB_CRED_WRONG);
}
END_TEST

static const struct {
    const char *password, *says;
} impossible[] = {
    { "", "empty" },
    { "bell\a", "cannot be typed" },
    { "\xff\xfe", "not UTF-8" },
    { "\xc2\xad", "cannot be typed" }, /* a soft hyphen alone: nothing is left */
};

START_TEST(test_make_impossible)
{
    struct yb_err err = { 0 };
    char out[YB_CRED_VERIFIER];

    ck_assert_int_eq(yb_cred_make(yb_str_from(impossible[_i].password), 0, out, &err), -1);
    ck_assert_msg(strstr(err.text, impossible[_i].says) != NULL, "%s", err.text);
}
END_TEST

START_TEST(test_make_longest)
{
    char text[YB_CRED_PASSWORD + 1], out[YB_CRED_VERIFIER];
    struct yb_err err = { 0 };

    memset(text, 'x', sizeof(text));
    ck_assert_int_eq(yb_cred_make(yb_str(text, YB_CRED_PASSWORD + 1), 0, out, &err), -1);
    ck_assert_int_eq(yb_cred_make(yb_str(text, YB_CRED_PASSWORD), 0, out, &err), 0);
    ck_assert_int_eq(yb_cred_verify(yb_str_from(out), yb_str(text, YB_CRED_PASSWORD)),
                     YB_CRED_RIGHT);
}
END_TEST

/* RFC 7677 §3: our ServerKey signs its exchange as printed there. */
START_TEST(test_rfc7677)
{
    static const char exchange[] =
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,"
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    struct yb_err err = { 0 };
    char made[YB_CRED_VERIFIER], text[YB_BASE64_SIZE(32)];
    struct yb_cred_scram parts;
    uint8_t salt[32], key[64], signature[32];
    size_t n;
    unsigned n_signature = sizeof(signature);

    ck_assert(yb_unbase64(YB_STR("W22ZaJ0SNY7soEsUEjb6gQ=="), salt, &n));
    ck_assert_int_eq(
        yb_cred_make_salted(YB_STR("pencil"), 4096, yb_str((char *)salt, n), made, &err), 0);
    ck_assert_str_eq(made, PENCIL);
    ck_assert(yb_cred_scram_parse(yb_str_from(made), &parts));
    ck_assert(yb_unbase64(parts.server_key, key, &n));
    HMAC(EVP_sha256(), key, (int)n, (const uint8_t *)exchange, strlen(exchange), signature,
         &n_signature);
    yb_base64(yb_str((char *)signature, n_signature), text);
    ck_assert_str_eq(text, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}
END_TEST

/* What passwords and salts of these lengths are hashed to is PBKDF2's as OpenSSL has it. HMAC takes
 * keys of up to 64 octets as they are, longer ones hashed. */
static const struct {
    size_t password, salt;
} lengths[] = { { 1, 8 }, { 63, 16 }, { 64, 16 }, { 65, 16 }, { YB_CRED_PASSWORD, 32 } };

START_TEST(test_pbkdf2)
{
    size_t n = lengths[_i].password, n_salt = lengths[_i].salt;
    uint8_t salted[32], client[32], stored[32];
    char password[YB_CRED_PASSWORD], salt[32], made[YB_CRED_VERIFIER], text[YB_BASE64_SIZE(32)];
    struct yb_cred_scram parts;
    struct yb_err err = { 0 };
    unsigned n_client = sizeof(client);

    memset(password, 'p', sizeof(password));
    memset(salt, 's', sizeof(salt));
    ck_assert_int_eq(
        yb_cred_make_salted(yb_str(password, n), 5000, yb_str(salt, n_salt), made, &err), 0);
    ck_assert(yb_cred_scram_parse(yb_str_from(made), &parts));
    ck_assert_int_eq(PKCS5_PBKDF2_HMAC(password, (int)n, (uint8_t *)salt, (int)n_salt, 5000,
                                       EVP_sha256(), sizeof(salted), salted),
                     1);
    HMAC(EVP_sha256(), salted, sizeof(salted), (const uint8_t *)"Client Key", 10, client,
         &n_client);
    ck_assert_int_eq(EVP_Digest(client, sizeof(client), stored, NULL, EVP_sha256(), NULL), 1);
    yb_base64(yb_str((char *)stored, sizeof(stored)), text);
    ck_assert(yb_str_eq(parts.stored_key, yb_str_from(text)));
}
END_TEST

/* RFC 4013 §3 and relatives. */
static const struct {
    const char *in, *out; /* out NULL: refused */
} prepared[] = {
    { "user", "user" },
    { "USER", "USER" },
    { "I\xc2\xadX", "IX" },
    { "\xc2\xaa", "a" },
    { "\xe2\x85\xa8", "IX" },
    { "a\xc2\xa0"
      "b",
      "a b" },
    { "e\xcc\x81", "\xc3\xa9" },          /* composed */
    { "\xef\xbc\xa1\xef\xbc\x91", "A1" }, /* full width, as a Japanese keyboard types */
    { "\xe3\x83\x91\xe3\x82\xb9", "\xe3\x83\x91\xe3\x82\xb9" },
    { "\xf0\x9f\xa6\x8a", "\xf0\x9f\xa6\x8a" }, /* younger than Unicode 3.2 */
    { "\x07", NULL },
    { "a\xe2\x80\xaa"
      "b",
      NULL },                 /* direction control */
    { "\xee\x80\x80", NULL }, /* private use */
    { "\xc3", NULL },
};

START_TEST(test_prepare)
{
    char out[YB_CRED_PREPARED];
    size_t n;
    bool ok = yb_cred_prepare(yb_str_from(prepared[_i].in), out, &n);

    ck_assert_msg(ok == (prepared[_i].out != NULL), "%s", prepared[_i].in);
    ck_assert(!ok || yb_str_eq(yb_str(out, n), yb_str_from(prepared[_i].out)));
}
END_TEST

START_TEST(test_fake)
{
    char one[YB_CRED_VERIFIER], same[YB_CRED_VERIFIER], other[YB_CRED_VERIFIER];
    struct yb_cred_scram parts;

    yb_cred_fake(YB_STR("secret"), YB_STR("nobody@a.test"), 0, one);
    yb_cred_fake(YB_STR("secret"), YB_STR("nobody@a.test"), 0, same);
    yb_cred_fake(YB_STR("other secret"), YB_STR("nobody@a.test"), 0, other);
    ck_assert_str_eq(one, same);
    ck_assert_str_ne(one, other);
    ck_assert(yb_cred_scram_parse(yb_str_from(one), &parts));
    ck_assert_uint_eq(parts.iterations, YB_CRED_ITERATIONS);
    ck_assert_uint_eq(parts.salt.n, 24); /* as long as a real one */
}
END_TEST

START_TEST(test_app)
{
    char text[YB_CRED_APP_TEXT], hash[YB_CRED_APP_HASH], again[YB_CRED_APP_HASH], typed[64];
    size_t n = 0;

    yb_cred_app_make(text, hash);
    ck_assert_uint_eq(strlen(text), 29);
    ck_assert(yb_cred_app_hash(yb_str_from(text), again));
    ck_assert_str_eq(hash, again);
    for (const char *p = text; *p != '\0'; p++) { /* as somebody types it */
        if (*p == '-')
            typed[n++] = ' ';
        else
            typed[n++] = *p == '1' ? 'l' : *p == '0' ? 'O' : yb_upper(*p);
    }
    ck_assert(yb_cred_app_hash(yb_str(typed, n), again));
    ck_assert_str_eq(hash, again);
    ck_assert(!yb_cred_app_hash(yb_str(typed, n - 1), again));
    ck_assert(!yb_cred_app_hash(YB_STR("correct horse battery staple"), again));
    ck_assert(!yb_cred_app_hash(YB_STR(""), again));
    text[0] = text[0] == 'a' ? 'b' : 'a';
    ck_assert(yb_cred_app_hash(yb_str_from(text), again));
    ck_assert_str_ne(hash, again);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cred");
    TCase *tc = tcase_create("cred");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tc, test_verify, 0, YB_COUNT(verifiers));
    tcase_add_loop_test(tc, test_decoy, 0, YB_COUNT(verifiers));
    tcase_add_loop_test(tc, test_refused, 0, YB_COUNT(refused));
    tcase_add_test(tc, test_make);
    tcase_add_loop_test(tc, test_make_impossible, 0, YB_COUNT(impossible));
    tcase_add_test(tc, test_make_longest);
    tcase_add_test(tc, test_rfc7677);
    tcase_add_loop_test(tc, test_pbkdf2, 0, YB_COUNT(lengths));
    tcase_add_loop_test(tc, test_prepare, 0, YB_COUNT(prepared));
    tcase_add_test(tc, test_fake);
    tcase_add_test(tc, test_app);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
