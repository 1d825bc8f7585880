/* Nettle, not libsodium: on processors with SHA extensions nettle uses them and hashes about five
 * times as fast as libsodium's portable code, and every record costs several hashes. It is the
 * only use of nettle in the project. */
#include "proto/secure/hash.h"

#include <nettle/sha2.h>
#include <string.h>

_Static_assert(HASH_SIZE == SHA256_DIGEST_SIZE, "struct hash holds a SHA-256 digest");

void hash_sha256(struct hash *out, const struct bytes *parts, size_t count)
{
    struct sha256_ctx context;
    sha256_init(&context);
    for (size_t i = 0; i < count; i++)
        if (parts[i].size > 0)
            sha256_update(&context, parts[i].size, parts[i].data);
    sha256_digest(&context, HASH_SIZE, out->bytes);
}

bool hash_equal(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_SIZE) == 0;
}
