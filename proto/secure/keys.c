#include "proto/secure/keys.h"

#include "proto/base/require.h"

#include <sodium.h>
#include <string.h>

_Static_assert(KEY_SIZE == crypto_sign_SEEDBYTES && KEY_SIZE == crypto_sign_PUBLICKEYBYTES, "");
_Static_assert(KEY_SIZE == crypto_scalarmult_SCALARBYTES && KEY_SIZE == crypto_scalarmult_BYTES,
               "");
_Static_assert(sizeof((struct sign_key){ 0 }.secret) == crypto_sign_SECRETKEYBYTES, "");
_Static_assert(SIGNATURE_SIZE == crypto_sign_BYTES, "");

void sign_key_from_seed(struct sign_key *key, const uint8_t seed[KEY_SIZE])
{
    int failed = crypto_sign_seed_keypair(key->public.bytes, key->secret, seed);
    require(!failed);
}

void link_key_from_seed(struct link_key *key, const uint8_t seed[KEY_SIZE])
{
    memcpy(key->secret, seed, KEY_SIZE);
    /* Clamping sets bit 254 of the scalar, so the product with the base point is never zero. */
    int failed = crypto_scalarmult_base(key->public.bytes, key->secret);
    require(!failed);
}

void sign_message(const struct sign_key *key, struct bytes message, uint8_t out[SIGNATURE_SIZE])
{
    int failed = crypto_sign_detached(out, NULL, message.data, message.size, key->secret);
    require(!failed);
}

/* libsodium refuses S >= L, an R or key of small order and a key that is not canonically encoded,
 * and compares R as bytes, which refuses a non-canonical R; the tests hold it to that. */
enum err sign_verify(const struct sign_public *key, struct bytes message,
                     const uint8_t signature[SIGNATURE_SIZE])
{
    if (crypto_sign_verify_detached(signature, message.data, message.size, key->bytes) != 0)
        return ERR_SIGNATURE;
    return OK;
}
