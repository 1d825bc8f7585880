/* The construction is libsodium's crypto_aead_xchacha20poly1305_ietf, byte for byte. For parts of
 * the usual size it is put together here from libsodium's own primitives: the AEAD asks for the
 * key stream in two calls, each of which ends in single blocks, the slow way through the vector
 * code; one call for whole groups of blocks takes a third less time in all, and every record
 * that is stored or sent passes here. Larger parts go to the AEAD itself. */
#include "storage/seal.h"

#include "proto/base/require.h"

#include <sodium.h>
#include <string.h>

_Static_assert(SEAL_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");
_Static_assert(SEAL_OVERHEAD == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag size");
_Static_assert(HASH_SIZE >= crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce from a hash");

#define BLOCK_SIZE  64  /* of the key stream: the first is the one-time key of the tag */
#define STREAM_SMALL 256 /* groups of blocks that the vector code takes at once */
#define STREAM_SIZE  512
#define PART_SMALL_MAX (STREAM_SIZE - BLOCK_SIZE)

static void seal_stream(const struct seal_key *key, const struct hash *leaf, size_t size,
                        uint8_t stream[STREAM_SIZE])
{
    uint8_t subkey[crypto_stream_chacha20_ietf_KEYBYTES];
    uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES] = { 0 };
    crypto_core_hchacha20(subkey, leaf->bytes, key->bytes, NULL);
    memcpy(nonce + 4, leaf->bytes + crypto_core_hchacha20_INPUTBYTES, 8);
    crypto_stream_chacha20_ietf(stream, BLOCK_SIZE + size <= STREAM_SMALL ? STREAM_SMALL
                                                                          : STREAM_SIZE,
                                nonce, subkey);
    sodium_memzero(subkey, sizeof subkey);
}

static void put_u64_little(uint8_t *out, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

/* Of the additional data (the leaf) and the sealed bytes: each filled up to 16, then their sizes. */
static void seal_tag(const uint8_t *one_time_key, const struct hash *leaf, const uint8_t *sealed,
                     size_t size, uint8_t tag[SEAL_OVERHEAD])
{
    uint8_t input[HASH_SIZE + PART_SMALL_MAX + 16];
    size_t filled = (size + 15) / 16 * 16;
    memcpy(input, leaf->bytes, HASH_SIZE);
    memcpy(input + HASH_SIZE, sealed, size);
    memset(input + HASH_SIZE + size, 0, filled - size);
    put_u64_little(input + HASH_SIZE + filled, HASH_SIZE);
    put_u64_little(input + HASH_SIZE + filled + 8, size);
    crypto_onetimeauth_poly1305(tag, input, HASH_SIZE + filled + 16, one_time_key);
}

static void xor_into(uint8_t *out, const uint8_t *in, const uint8_t *stream, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = in[i] ^ stream[i];
}

static void seal_small(const struct seal_key *key, const struct hash *leaf, struct bytes plain,
                       uint8_t *out)
{
    uint8_t stream[STREAM_SIZE];
    seal_stream(key, leaf, plain.size, stream);
    xor_into(out, plain.data, stream + BLOCK_SIZE, plain.size);
    seal_tag(stream, leaf, out, plain.size, out + plain.size);
    sodium_memzero(stream, sizeof stream);
}

static enum err seal_open_small(const struct seal_key *key, const struct hash *leaf,
                                struct bytes sealed, uint8_t *out)
{
    uint8_t stream[STREAM_SIZE], tag[SEAL_OVERHEAD];
    size_t size = sealed.size - SEAL_OVERHEAD;
    seal_stream(key, leaf, size, stream);
    seal_tag(stream, leaf, sealed.data, size, tag);
    enum err err = crypto_verify_16(tag, sealed.data + size) == 0 ? OK : ERR_CORRUPT;
    if (err == OK)
        xor_into(out, sealed.data, stream + BLOCK_SIZE, size);
    sodium_memzero(stream, sizeof stream);
    return err;
}

void seal(const struct seal_key *key, const struct hash *leaf, struct bytes plain, uint8_t *out)
{
    if (plain.size <= PART_SMALL_MAX) {
        seal_small(key, leaf, plain, out);
        return;
    }
    int failed = crypto_aead_xchacha20poly1305_ietf_encrypt(
        out, NULL, plain.data, plain.size, leaf->bytes, HASH_SIZE, NULL, leaf->bytes, key->bytes);
    require(failed == 0); /* it cannot, short of 256 GiB */
}

enum err seal_open(const struct seal_key *key, const struct hash *leaf, struct bytes sealed,
                   uint8_t *out)
{
    if (sealed.size < SEAL_OVERHEAD)
        return ERR_CORRUPT;
    if (sealed.size - SEAL_OVERHEAD <= PART_SMALL_MAX)
        return seal_open_small(key, leaf, sealed, out);
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        out, NULL, NULL, sealed.data, sealed.size, leaf->bytes, HASH_SIZE, leaf->bytes, key->bytes);
    return failed ? ERR_CORRUPT : OK;
}
