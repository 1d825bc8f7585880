/* Published examples, and the inputs on which careless Ed25519 implementations disagree. */
#include "proto/secure/keys.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static void from_hex(uint8_t *out, size_t size, const char *hex)
{
    cr_assert_eq(hex_decode(out, size, hex, strlen(hex)), OK);
}

static struct sign_key test_key(void)
{
    uint8_t seed[KEY_SIZE];
    struct sign_key key;
    memset(seed, 7, sizeof seed);
    sign_key_from_seed(&key, seed);
    return key;
}

/* RFC 8032, section 7.1, tests 1 and 2. */
Test(keys, the_published_ed25519_examples_come_out)
{
    static const struct {
        const char *seed, *public, *message, *signature;
    } cases[] = {
        { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
          "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
          "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
        { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
          "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
          "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t seed[KEY_SIZE], public[KEY_SIZE], expected[SIGNATURE_SIZE], got[SIGNATURE_SIZE];
        struct sign_key key;
        from_hex(seed, sizeof seed, cases[i].seed);
        from_hex(public, sizeof public, cases[i].public);
        from_hex(expected, sizeof expected, cases[i].signature);
        sign_key_from_seed(&key, seed);
        cr_assert_arr_eq(key.public.bytes, public, KEY_SIZE);
        sign_message(&key, bytes_of_string(cases[i].message), got);
        cr_assert_arr_eq(got, expected, SIGNATURE_SIZE);
        cr_assert_eq(sign_verify(&key.public, bytes_of_string(cases[i].message), got), OK);
    }
}

/* RFC 7748, section 6.1. */
Test(keys, the_published_x25519_example_comes_out)
{
    uint8_t secret[KEY_SIZE], public[KEY_SIZE];
    struct link_key key;
    from_hex(secret, sizeof secret,
             "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    from_hex(public, sizeof public,
             "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    link_key_from_seed(&key, secret);
    cr_assert_arr_eq(key.secret, secret, KEY_SIZE);
    cr_assert_arr_eq(key.public.bytes, public, KEY_SIZE);
}

Test(keys, a_signature_with_any_bit_flipped_is_refused)
{
    struct sign_key key = test_key();
    uint8_t signature[SIGNATURE_SIZE];
    uint8_t text[] = "three records";
    struct bytes message = BYTES_OF_ARRAY(text);
    sign_message(&key, message, signature);
    for (size_t i = 0; i < 8 * SIGNATURE_SIZE; i++) {
        signature[i / 8] ^= (uint8_t)(1 << i % 8);
        cr_assert_eq(sign_verify(&key.public, message, signature), ERR_SIGNATURE, "bit %zu", i);
        signature[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < 8 * sizeof text; i++) {
        text[i / 8] ^= (uint8_t)(1 << i % 8);
        cr_assert_eq(sign_verify(&key.public, message, signature), ERR_SIGNATURE);
        text[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < 8 * KEY_SIZE; i++) {
        key.public.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        cr_assert_eq(sign_verify(&key.public, message, signature), ERR_SIGNATURE);
        key.public.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    cr_assert_eq(sign_verify(&key.public, message, signature), OK);
}

/* The order of the group, 2^252 + 27742317777372353535851937790883648493, little-endian. */
static const uint8_t group_order[KEY_SIZE] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10
};

/* S and S + L satisfy the same equation: accepting both makes two signatures of one. */
Test(keys, a_signature_whose_s_is_not_below_the_group_order_is_refused)
{
    struct sign_key key = test_key();
    struct bytes message = bytes_of_string("one signature, one form");
    uint8_t signature[SIGNATURE_SIZE];
    sign_message(&key, message, signature);
    for (int multiple = 1; multiple <= 14; multiple++) {
        unsigned carry = 0;
        for (size_t i = 0; i < KEY_SIZE; i++) {
            carry += signature[KEY_SIZE + i] + (unsigned)group_order[i];
            signature[KEY_SIZE + i] = (uint8_t)carry;
            carry >>= 8;
        }
        cr_assert_eq(carry, 0, "S still fits its 32 bytes");
        cr_assert_eq(sign_verify(&key.public, message, signature), ERR_SIGNATURE);
    }
}

/* Every encoding of a point of small order: the canonical ones, those with y + p instead of y, and
 * those with a sign bit on x = 0. */
static const char *const small_order_points[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

/* h = SHA-512(R || A || M) mod L, the factor of A in the equation. */
static uint8_t challenge_low_byte(const uint8_t r[KEY_SIZE], const uint8_t a[KEY_SIZE],
                                  struct bytes message)
{
    crypto_hash_sha512_state state;
    uint8_t wide[crypto_hash_sha512_BYTES], reduced[crypto_core_ed25519_SCALARBYTES];
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, r, KEY_SIZE);
    crypto_hash_sha512_update(&state, a, KEY_SIZE);
    crypto_hash_sha512_update(&state, message.data, message.size);
    crypto_hash_sha512_final(&state, wide);
    crypto_core_ed25519_scalar_reduce(reduced, wide);
    return reduced[0];
}

/* A key of small order with a forged signature that satisfies S*B = R + h*A without any secret:
 * R = S*B, and the message is tried until h is a multiple of 8, so that h*A vanishes. A verifier
 * that only computes the equation accepts it. */
Test(keys, a_public_key_of_small_order_is_refused_although_its_forgery_satisfies_the_equation)
{
    for (size_t i = 0; i < sizeof small_order_points / sizeof *small_order_points; i++) {
        struct sign_public public;
        uint8_t signature[SIGNATURE_SIZE] = { 0 };
        from_hex(public.bytes, KEY_SIZE, small_order_points[i]);
        signature[KEY_SIZE] = 5; /* S */
        cr_assert_eq(crypto_scalarmult_ed25519_base_noclamp(signature, signature + KEY_SIZE), 0);
        char text[32];
        struct bytes message;
        int attempt = 0;
        do {
            snprintf(text, sizeof text, "attempt %d", attempt++);
            message = bytes_of_string(text);
        } while (challenge_low_byte(signature, public.bytes, message) % 8 != 0);
        cr_assert_eq(sign_verify(&public, message, signature), ERR_SIGNATURE, "point %zu", i);
    }
}

/* R of small order, S = h*a: satisfies the equation up to a point of small order, which a
 * verifier that multiplies by the cofactor does not see. */
Test(keys, a_signature_whose_r_is_of_small_order_is_refused)
{
    struct sign_key key = test_key();
    for (size_t i = 0; i < sizeof small_order_points / sizeof *small_order_points; i++) {
        uint8_t expanded[crypto_hash_sha512_BYTES], wide[crypto_hash_sha512_BYTES];
        uint8_t signature[SIGNATURE_SIZE], h[KEY_SIZE], a[KEY_SIZE], padded[64] = { 0 };
        struct bytes message = bytes_of_string("R of small order");
        from_hex(signature, KEY_SIZE, small_order_points[i]);
        crypto_hash_sha512(expanded, key.secret, KEY_SIZE);
        expanded[0] &= 248;
        expanded[31] = (uint8_t)((expanded[31] & 127) | 64);
        memcpy(padded, expanded, KEY_SIZE);
        crypto_core_ed25519_scalar_reduce(a, padded);

        crypto_hash_sha512_state state;
        crypto_hash_sha512_init(&state);
        crypto_hash_sha512_update(&state, signature, KEY_SIZE);
        crypto_hash_sha512_update(&state, key.public.bytes, KEY_SIZE);
        crypto_hash_sha512_update(&state, message.data, message.size);
        crypto_hash_sha512_final(&state, wide);
        crypto_core_ed25519_scalar_reduce(h, wide);
        crypto_core_ed25519_scalar_mul(signature + KEY_SIZE, h, a);
        cr_assert_eq(sign_verify(&key.public, message, signature), ERR_SIGNATURE, "point %zu", i);
    }
}

/* The nineteen y that have a second encoding y + p below 2^255: whatever point they are, a key has
 * one form only. */
Test(keys, a_public_key_that_is_not_canonically_encoded_is_refused)
{
    struct bytes message = bytes_of_string("any");
    uint8_t signature[SIGNATURE_SIZE] = { 0 };
    signature[KEY_SIZE] = 1;
    crypto_scalarmult_ed25519_base_noclamp(signature, signature + KEY_SIZE);
    for (int y = 0; y < 19; y++) {
        for (int sign = 0; sign < 2; sign++) {
            struct sign_public public;
            memset(public.bytes, 0xff, KEY_SIZE);
            public.bytes[0] = (uint8_t)(0xed + y);
            public.bytes[31] = (uint8_t)(0x7f | sign << 7);
            cr_assert_eq(sign_verify(&public, message, signature), ERR_SIGNATURE);
        }
    }
}
