#include "tests/sim/crypto.h"

#include "proto/base/require.h"

#include <dlfcn.h>
#include <sodium.h>
#include <string.h>

static bool stand_ins;

void crypto_use_stand_ins(bool use)
{
    stand_ins = use;
}

bool crypto_uses_stand_ins(void)
{
    return stand_ins;
}

/* The library's own function, behind the one that is defined here. */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (!real)                                                                                     \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

static void hash_of(uint8_t *out, size_t size, const char *purpose, const void *content,
                    size_t content_size)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, size);
    crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
    crypto_generichash_update(&state, content, content_size);
    crypto_generichash_final(&state, out, size);
}

/* ---- signatures ------------------------------------------------------------------------------ */

/* As in libsodium, a secret key is the seed and the public key. */
int crypto_sign_seed_keypair(unsigned char *public, unsigned char *secret,
                             const unsigned char *seed)
{
    REAL(crypto_sign_seed_keypair);
    if (!stand_ins)
        return real(public, secret, seed);
    uint8_t kept[crypto_sign_SEEDBYTES]; /* `secret` may be where the seed is */
    memcpy(kept, seed, sizeof kept);
    hash_of(public, crypto_sign_PUBLICKEYBYTES, "public", kept, sizeof kept);
    memcpy(secret, kept, sizeof kept);
    memcpy(secret + sizeof kept, public, crypto_sign_PUBLICKEYBYTES);
    return 0;
}

static void stand_in_signature(uint8_t *signature, const unsigned char *message,
                               unsigned long long size, const uint8_t *public)
{
    crypto_generichash(signature, crypto_sign_BYTES, message, size, public,
                       crypto_sign_PUBLICKEYBYTES);
}

int crypto_sign_detached(unsigned char *signature, unsigned long long *signature_size,
                         const unsigned char *message, unsigned long long size,
                         const unsigned char *secret)
{
    REAL(crypto_sign_detached);
    if (!stand_ins)
        return real(signature, signature_size, message, size, secret);
    stand_in_signature(signature, message, size, secret + crypto_sign_SEEDBYTES);
    if (signature_size)
        *signature_size = crypto_sign_BYTES;
    return 0;
}

int crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *message,
                                unsigned long long size, const unsigned char *public)
{
    REAL(crypto_sign_verify_detached);
    if (!stand_ins)
        return real(signature, message, size, public);
    uint8_t expected[crypto_sign_BYTES];
    stand_in_signature(expected, message, size, public);
    return sodium_memcmp(expected, signature, sizeof expected);
}

/* ---- shared secrets -------------------------------------------------------------------------- */

#define PRIME ((UINT64_C(1) << 61) - 1)
#define GENERATOR 37

__extension__ typedef unsigned __int128 wide;

static uint64_t multiply(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    uint64_t sum = (uint64_t)(product & PRIME) + (uint64_t)(product >> 61);
    return sum >= PRIME ? sum - PRIME : sum;
}

static uint64_t power(uint64_t base, uint64_t exponent)
{
    uint64_t result = 1;
    for (; exponent; exponent >>= 1, base = multiply(base, base))
        if (exponent & 1)
            result = multiply(result, base);
    return result;
}

/* All bits of a secret count. */
static uint64_t exponent_of(const uint8_t *secret)
{
    uint64_t exponent;
    uint8_t hash[16];
    hash_of(hash, sizeof hash, "exponent", secret, crypto_scalarmult_SCALARBYTES);
    memcpy(&exponent, hash, sizeof exponent);
    return exponent % (PRIME - 1) | 1;
}

/* A public key is the number and a hash of it: one with a wrong hash is no key. */
static void element_write(uint8_t *out, uint64_t element)
{
    memcpy(out, &element, sizeof element);
    hash_of(out + sizeof element, crypto_scalarmult_BYTES - sizeof element, "element", &element,
            sizeof element);
}

static uint64_t element_read(const uint8_t *public)
{
    uint8_t expected[crypto_scalarmult_BYTES];
    uint64_t element;
    memcpy(&element, public, sizeof element);
    element_write(expected, element);
    return memcmp(expected, public, sizeof expected) == 0 && element < PRIME ? element : 0;
}

int crypto_scalarmult_base(unsigned char *public, const unsigned char *secret)
{
    REAL(crypto_scalarmult_base);
    if (!stand_ins)
        return real(public, secret);
    element_write(public, power(GENERATOR, exponent_of(secret)));
    return 0;
}

/* What is no point at all is a point of another curve to X25519, and gives a secret that nobody
 * shares; zero and one give what a point of low order gives: a refusal. */
int crypto_scalarmult(unsigned char *shared, const unsigned char *secret,
                      const unsigned char *public)
{
    REAL(crypto_scalarmult);
    if (!stand_ins)
        return real(shared, secret, public);
    uint8_t together[crypto_scalarmult_SCALARBYTES + crypto_scalarmult_BYTES];
    uint64_t element = element_read(public), result = power(element, exponent_of(secret));
    uint64_t low;
    memcpy(&low, public, sizeof low);
    if (low <= 1 && sodium_is_zero(public + sizeof low, crypto_scalarmult_BYTES - sizeof low))
        return -1;
    if (element > 1) {
        hash_of(shared, crypto_scalarmult_BYTES, "shared", &result, sizeof result);
        return 0;
    }
    memcpy(together, secret, crypto_scalarmult_SCALARBYTES);
    memcpy(together + crypto_scalarmult_SCALARBYTES, public, crypto_scalarmult_BYTES);
    hash_of(shared, crypto_scalarmult_BYTES, "nobody", together, sizeof together);
    return 0;
}
