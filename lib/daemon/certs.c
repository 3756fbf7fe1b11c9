#include "lib/daemon/certs.h"

#include "lib/base/clock.h"
#include "lib/daemon/common_conf.h"

#include <openssl/sha.h>
#include <stdio.h>

#define ENDING_SECONDS (14 * 86400)

int
yb_certs_load(const struct yb_conf *conf, struct yb_tls_set **out, struct yb_err *err)
{
    const struct yb_common_conf *c = yb_conf_common(conf);
    const int versions[] = { 0x0303, 0x0304 };
    size_t n = c->tls_certificates.n;
    unsigned char secret[SHA256_DIGEST_LENGTH];
    struct yb_str tickets = YB_STR("");
    struct yb_tls_pair *pairs;

    *out = NULL;
    if (n == 0)
        return 0;
    pairs = (struct yb_tls_pair *)yb_alloc(n, sizeof(*pairs));
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct yb_tls_pair){ c->tls_certificates.v[i].bytes, c->tls_keys.v[i].bytes };
    if (c->tls_ticket_secret.n > 0) { /* the file holds any 32 bytes or more; the engine wants 32 */
        const struct yb_str *file = &c->tls_ticket_secret.v[0].bytes;

        SHA256((const unsigned char *)file->p, file->n, secret);
        tickets = yb_str((const char *)secret, sizeof(secret));
    }
    *out = yb_tls_set_new(pairs, n, tickets, versions[c->tls_min_version], err);
    explicit_bzero(secret, sizeof(secret));
    yb_free(pairs);
    return *out == NULL ? -1 : 0;
}

void
yb_certs_ending(const struct yb_conf *conf,
                void (*fn)(void *arg, const char *path, const char *what), void *arg)
{
    const struct yb_conf_files *files = &yb_conf_common(conf)->tls_certificates;
    int64_t now = (int64_t)yb_clock_now();

    for (size_t i = 0; i < files->n; i++) {
        time_t ends = (time_t)yb_tls_chain_ends(files->v[i].bytes);
        char what[40], day[16] = "";
        struct tm tm;

        if (ends == 0 || ends - now > ENDING_SECONDS)
            continue;
        if (gmtime_r(&ends, &tm) != NULL)
            strftime(day, sizeof(day), "%Y-%m-%d", &tm);
        snprintf(what, sizeof(what), "%s on %s", ends > now ? "ends" : "has ended", day);
        fn(arg, files->v[i].path, what);
    }
}
