#include "storage/seal.h"

#include <criterion/criterion.h>
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
