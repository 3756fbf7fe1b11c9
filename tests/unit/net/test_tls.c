/* What makes a set of certificates, and what is refused as one. */
#include "tests/unit/net/kit.h"

#include <openssl/pem.h>

static char *chain[2], *key[2];

static void
setup(void)
{
    kit_pair("a.test", &chain[0], &key[0]);
    kit_pair("b.test", &chain[1], &key[1]);
}

static void
teardown(void)
{
    for (int n = 0; n < 2; n++) {
        yb_free(chain[n]);
        yb_free(key[n]);
    }
}

static struct yb_tls_set *
make(const char *certs, const char *keys, struct yb_str secret, int version, struct yb_err *err)
{
    struct yb_tls_pair pairs[2] = { { yb_str_from(chain[0]), yb_str_from(key[0]) },
                                    { yb_str_from(certs), yb_str_from(keys) } };

    return yb_tls_set_new(pairs, 2, secret, version, err);
}

START_TEST(test_good)
{
    struct yb_err err = { 0 };
    struct yb_tls_set *s = make(chain[1], key[1], SECRET, TLS1_3_VERSION, &err), *again;

    ck_assert_ptr_nonnull(s);
    again = yb_tls_set_ref(s);
    yb_tls_set_unref(&s);
    ck_assert_ptr_null(s);
    yb_tls_set_unref(&again);
    yb_tls_set_unref(&again); /* NULL is fine */
}
END_TEST

START_TEST(test_refused)
{
    struct yb_err err = { 0 };

    ck_assert_ptr_null(make(chain[1], key[0], SECRET, TLS1_2_VERSION, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "pair 2: the key does not fit"));
    ck_assert_int_eq(err.class, YB_PERM);
    ck_assert_ptr_null(make("", key[1], SECRET, TLS1_2_VERSION, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "pair 2: no certificate"));
    ck_assert_ptr_null(make(chain[1], "rubbish", SECRET, TLS1_2_VERSION, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "pair 2: no private key"));
    ck_assert_ptr_null(make(chain[1], key[1], YB_STR("short"), TLS1_2_VERSION, &err));
    ck_assert_ptr_null(make(chain[1], key[1], SECRET, TLS1_1_VERSION, &err));
    ck_assert_ptr_null(yb_tls_set_new(NULL, 0, SECRET, TLS1_2_VERSION, &err));
}
END_TEST

/* It would ask for the passphrase on the terminal of whoever started the daemon. */
START_TEST(test_encrypted_key)
{
    struct yb_err err = { 0 };
    BIO *in = BIO_new_mem_buf(key[1], -1), *out = BIO_new(BIO_s_mem());
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    char *p;
    long n;

    PEM_write_bio_PrivateKey(out, pkey, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL,
                             NULL);
    n = BIO_get_mem_data(out, &p);
    p = yb_dup(p, (size_t)n);
    ck_assert_ptr_null(make(chain[1], p, SECRET, TLS1_2_VERSION, &err));
    yb_free(p);
    EVP_PKEY_free(pkey);
    BIO_free(in);
    BIO_free(out);
}
END_TEST

static void
tests(TCase *tc)
{
    tcase_add_test(tc, test_good);
    tcase_add_test(tc, test_refused);
    tcase_add_test(tc, test_encrypted_key);
}

int
main(void)
{
    return kit_main("tls", tests, setup, teardown);
}
