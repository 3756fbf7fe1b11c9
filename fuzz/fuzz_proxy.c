/* PROXY v2: the size and the parser agree, addresses are of the family said, nothing is over-read.
 */
#include "lib/net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = yb_dup((const char *)data, size); /* so that ASan sees its end */
    struct yb_str in = yb_str(copy, size);
    union yb_addr peer = { .any = { .sa_family = AF_UNSPEC } }, local = peer;
    size_t want = yb_proxy_size(in);
    bool given;

    yb_assert(want == 0 || (want >= YB_PROXY_HEAD && want <= YB_PROXY_MAX));
    yb_assert(size < YB_PROXY_HEAD || want == yb_proxy_size(yb_str_head(in, YB_PROXY_HEAD)));
    if (yb_proxy_parse(in, &peer, &local, &given)) {
        yb_assert(want == size);
        yb_assert(!yb_proxy_parse(yb_str_head(in, size - 1), &peer, &local, &given) || !given);
        yb_assert(yb_proxy_parse(in, &peer, &local, &given));
        yb_assert(given == (peer.any.sa_family != AF_UNSPEC));
        yb_assert(peer.any.sa_family == local.any.sa_family);
    } else {
        yb_assert(peer.any.sa_family == AF_UNSPEC);
    }
    yb_free(copy);
    return 0;
}
