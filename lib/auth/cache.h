/*
 * Passwords that were verified a short time ago, so that the next login of the same mail program
 * costs no hashing. What is kept is HMAC(process key, account, verifier, password): nothing can be
 * read from it, and after a change of the password (another verifier) it cannot hit. Bounded; the
 * oldest goes first. Thread safe.
 */
#ifndef YB_AUTH_CACHE_H
#define YB_AUTH_CACHE_H

#include "lib/base/id.h"
#include "lib/base/str.h"

struct yb_auth_cache;

#define YB_AUTH_TOKEN 32
struct yb_auth_token {
    uint8_t v[YB_AUTH_TOKEN];
};

/* `size` tokens at most, each for `ttl_ms`. */
struct yb_auth_cache *yb_auth_cache_new(size_t size, int64_t ttl_ms) YB_MUST_USE;
void yb_auth_cache_free(struct yb_auth_cache **c);
/* Was it put less than ttl_ms before now_ms? A hit does not make it younger. */
bool yb_auth_cache_has(struct yb_auth_cache *c, const struct yb_auth_token *t, int64_t now_ms);
void yb_auth_cache_put(struct yb_auth_cache *c, const struct yb_auth_token *t, int64_t now_ms);
size_t yb_auth_cache_count(struct yb_auth_cache *c);

/* The token of a password for an account's verifier under this process's key. */
struct yb_auth_token yb_auth_token_of(struct yb_str key, struct yb_str whose,
                                      struct yb_str verifier, struct yb_str password);

#endif
