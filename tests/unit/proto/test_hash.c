#include "proto/secure/hash.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static void assert_hash(const struct bytes *parts, size_t count, const char *expected)
{
    struct hash hash;
    char hex[2 * HASH_SIZE + 1];
    hash_sha256(&hash, parts, count);
    hex_encode(hex, BYTES_OF_ARRAY(hash.bytes));
    cr_assert_str_eq(hex, expected);
}

/* FIPS 180-2, appendix B, and the empty message. */
Test(hash, the_published_examples_of_sha_256_come_out)
{
    struct bytes abc = bytes_of_string("abc");
    struct bytes two_blocks =
        bytes_of_string("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
    assert_hash(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hash(&abc, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash(&two_blocks, 1, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

Test(hash, parts_are_hashed_as_one_run_however_they_are_cut)
{
    uint8_t data[200];
    struct hash whole, expected;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    crypto_hash_sha256(expected.bytes, data, sizeof data);
    for (size_t a = 0; a <= sizeof data; a += 13) {
        for (size_t b = a; b <= sizeof data; b += 17) {
            struct bytes parts[] = { bytes_of(data, a), bytes_of(data + a, b - a), BYTES_NONE,
                                     bytes_of(data + b, sizeof data - b) };
            hash_sha256(&whole, parts, 4);
            cr_assert(hash_equal(&whole, &expected));
        }
    }
}

Test(hash, hashes_that_differ_in_any_byte_are_not_equal)
{
    struct hash a = { { 0 } }, b = { { 0 } };
    cr_assert(hash_equal(&a, &b));
    for (size_t i = 0; i < HASH_SIZE; i++) {
        b.bytes[i] ^= 0x80;
        cr_assert(!hash_equal(&a, &b));
        b.bytes[i] ^= 0x80;
    }
}
