/* The large frames' cipher against libsodium's, which is the one that everything else uses. */
#include "proto/secure/aead.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#define SIZE_MAX_TESTED 65519

static const uint8_t key[AEAD_KEY_SIZE] = { 1, 2, 3, [31] = 4 };
static const size_t sizes[] = { 0, 1, 63, 64, 65, 4079, 4080, 4096, 8191, 65518, SIZE_MAX_TESTED };
#define SIZES (sizeof sizes / sizeof *sizes)

static uint8_t plain[SIZE_MAX_TESTED], own[SIZE_MAX_TESTED + AEAD_TAG_SIZE],
    sodium[SIZE_MAX_TESTED + AEAD_TAG_SIZE], opened[SIZE_MAX_TESTED];

static void prepare(size_t i, uint8_t nonce[AEAD_NONCE_SIZE])
{
    cr_assert_geq(sodium_init(), 0);
    memset(nonce, 0, AEAD_NONCE_SIZE);
    nonce[4] = (uint8_t)i;
    nonce[11] = 0xfe;
    for (size_t at = 0; at < sizes[i]; at++)
        plain[at] = (uint8_t)(at * 5 + at / 256 + i);
    crypto_aead_chacha20poly1305_ietf_encrypt(sodium, NULL, plain, sizes[i], NULL, 0, NULL, nonce,
                                              key);
}

Test(aead, it_is_the_chacha20_poly1305_of_libsodium_in_both_directions)
{
    uint8_t nonce[AEAD_NONCE_SIZE];
    for (size_t i = 0; i < SIZES; i++) {
        size_t size = sizes[i];
        prepare(i, nonce);
        aead_seal_large(key, nonce, bytes_of(plain, size), own);
        cr_assert(memcmp(own, sodium, size + AEAD_TAG_SIZE) == 0, "size %zu", size);
        memcpy(own, plain, size); /* in place */
        aead_seal_large(key, nonce, bytes_of(own, size), own);
        cr_assert(memcmp(own, sodium, size + AEAD_TAG_SIZE) == 0, "size %zu in place", size);
        cr_assert_eq(aead_open_large(key, nonce, bytes_of(sodium, size + AEAD_TAG_SIZE), opened),
                     OK);
        cr_assert(memcmp(opened, plain, size) == 0, "size %zu", size);
    }
}

Test(aead, a_flipped_bit_is_refused_and_leaves_nothing_decrypted)
{
    uint8_t nonce[AEAD_NONCE_SIZE];
    for (size_t i = 1; i < SIZES; i++) {
        size_t size = sizes[i], places[] = { 0, size / 2, size - 1, size, size + 15 };
        prepare(i, nonce);
        for (size_t j = 0; j < sizeof places / sizeof *places; j++) {
            sodium[places[j]] ^= 1;
            memset(opened, 0xff, size);
            cr_assert_eq(
                aead_open_large(key, nonce, bytes_of(sodium, size + AEAD_TAG_SIZE), opened),
                ERR_AUTH);
            cr_assert(sodium_is_zero(opened, size), "size %zu", size);
            sodium[places[j]] ^= 1;
        }
        nonce[5] ^= 1;
        cr_assert_eq(aead_open_large(key, nonce, bytes_of(sodium, size + AEAD_TAG_SIZE), opened),
                     ERR_AUTH);
    }
}
