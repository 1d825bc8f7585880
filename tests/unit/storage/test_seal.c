#include "storage/seal.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static const struct seal_key key = { { 1, 2, 3 } };
static const struct hash leaf = { { 9, 8, 7 } };

Test(seal, what_was_sealed_opens_to_the_same_bytes_of_any_size)
{
    uint8_t plain[100], sealed[116], opened[100];
    memset(plain, 0x5a, sizeof plain);
    for (size_t size = 0; size <= sizeof plain; size++) {
        seal(&key, &leaf, bytes_of(plain, size), sealed);
        cr_assert_eq(seal_open(&key, &leaf, bytes_of(sealed, size + SEAL_OVERHEAD), opened), OK);
        cr_assert(bytes_equal(bytes_of(plain, size), bytes_of(opened, size)));
    }
}

/* The format on disk: storage/seal.c builds it from primitives up to some size. */
Test(seal, it_is_the_librarys_xchacha20_poly1305_at_every_size)
{
    uint8_t plain[1100], sealed[1116], expected[1116], opened[1100];
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 7 + i / 256);
    cr_assert_geq(sodium_init(), 0);
    for (size_t size = 0; size <= sizeof plain; size++) {
        struct hash own = { { (uint8_t)size, (uint8_t)(size >> 8), 3 } };
        own.bytes[23] = (uint8_t)(255 - size); /* the nonce's last byte, and beyond it */
        own.bytes[31] = (uint8_t)size;
        crypto_aead_xchacha20poly1305_ietf_encrypt(expected, NULL, plain, size, own.bytes,
                                                   HASH_SIZE, NULL, own.bytes, key.bytes);
        seal(&key, &own, bytes_of(plain, size), sealed);
        cr_assert(memcmp(sealed, expected, size + SEAL_OVERHEAD) == 0, "size %zu", size);
        cr_assert_eq(seal_open(&key, &own, bytes_of(expected, size + SEAL_OVERHEAD), opened), OK);
        cr_assert(memcmp(opened, plain, size) == 0, "size %zu", size);
        expected[size] ^= 1; /* the tag */
        cr_assert_eq(seal_open(&key, &own, bytes_of(expected, size + SEAL_OVERHEAD), opened),
                     ERR_CORRUPT);
    }
}

Test(seal, every_flipped_bit_is_refused)
{
    uint8_t sealed[16 + SEAL_OVERHEAD], opened[16];
    seal(&key, &leaf, bytes_of("0123456789abcdef", 16), sealed);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_eq(seal_open(&key, &leaf, BYTES_OF_ARRAY(sealed), opened), ERR_CORRUPT);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

Test(seal, another_key_another_leaf_and_a_short_range_are_refused)
{
    uint8_t sealed[4 + SEAL_OVERHEAD], opened[4];
    struct seal_key other_key = key;
    struct hash other_leaf = leaf;
    other_key.bytes[31] ^= 1;
    other_leaf.bytes[31] ^= 1; /* beyond the nonce: only the additional data sees it */
    seal(&key, &leaf, bytes_of("text", 4), sealed);
    cr_assert_eq(seal_open(&other_key, &leaf, BYTES_OF_ARRAY(sealed), opened), ERR_CORRUPT);
    cr_assert_eq(seal_open(&key, &other_leaf, BYTES_OF_ARRAY(sealed), opened), ERR_CORRUPT);
    cr_assert_eq(seal_open(&key, &leaf, bytes_of(sealed, SEAL_OVERHEAD - 1), opened), ERR_CORRUPT);
}
