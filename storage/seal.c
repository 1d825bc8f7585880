#include "storage/seal.h"

#include "proto/base/require.h"

#include <sodium.h>

_Static_assert(SEAL_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");
_Static_assert(SEAL_OVERHEAD == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag size");
_Static_assert(HASH_SIZE >= crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce from a hash");

void seal(const struct seal_key *key, const struct hash *leaf, struct bytes plain, uint8_t *out)
{
    int failed = crypto_aead_xchacha20poly1305_ietf_encrypt(
        out, NULL, plain.data, plain.size, leaf->bytes, HASH_SIZE, NULL, leaf->bytes, key->bytes);
    require(failed == 0); /* it cannot, short of 256 GiB */
}

enum err seal_open(const struct seal_key *key, const struct hash *leaf, struct bytes sealed,
                   uint8_t *out)
{
    if (sealed.size < SEAL_OVERHEAD)
        return ERR_CORRUPT;
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        out, NULL, NULL, sealed.data, sealed.size, leaf->bytes, HASH_SIZE, leaf->bytes, key->bytes);
    return failed ? ERR_CORRUPT : OK;
}
