/* The stand-ins keep the contract of what they stand for: every test runs with both. */
#include "tests/sim/crypto.h"

#include "proto/secure/keys.h"
#include "proto/secure/noise.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 50, MESSAGE_SIZE = 100 };

struct pair {
    uint8_t public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
};

static void begin(int round)
{
    cr_assert_geq(sodium_init(), 0);
    crypto_use_stand_ins(round != 0);
    cr_expect_eq(crypto_uses_stand_ins(), round != 0);
}

static struct pair random_pair(void)
{
    struct pair pair;
    uint8_t seed[crypto_sign_SEEDBYTES];
    randombytes_buf(seed, sizeof seed);
    crypto_sign_seed_keypair(pair.public, pair.secret, seed);
    return pair;
}

Test(crypto, a_signature_verifies_under_its_key_and_message_and_no_other)
{
    for (int round = 0; round < 2; round++) {
        begin(round);
        for (int i = 0; i < ROUNDS; i++) {
            struct pair pair = random_pair(), other = random_pair();
            uint8_t message[MESSAGE_SIZE], signature[crypto_sign_BYTES];
            unsigned long long size = 0;
            randombytes_buf(message, sizeof message);
            cr_assert_eq(crypto_sign_detached(signature, &size, message, MESSAGE_SIZE, pair.secret),
                         0);
            cr_expect_eq(size, crypto_sign_BYTES);
            cr_expect_eq(crypto_sign_verify_detached(signature, message, MESSAGE_SIZE, pair.public),
                         0);
            cr_expect_neq(
                crypto_sign_verify_detached(signature, message, MESSAGE_SIZE - 1, pair.public), 0);
            cr_expect_neq(
                crypto_sign_verify_detached(signature, message, MESSAGE_SIZE, other.public), 0);
            message[i] ^= 1;
            cr_expect_neq(
                crypto_sign_verify_detached(signature, message, MESSAGE_SIZE, pair.public), 0);
            message[i] ^= 1;
            signature[i] ^= 1;
            cr_expect_neq(
                crypto_sign_verify_detached(signature, message, MESSAGE_SIZE, pair.public), 0);
        }
    }
}

Test(crypto, keys_and_signatures_are_functions_of_the_seed_and_message)
{
    for (int round = 0; round < 2; round++) {
        begin(round);
        uint8_t seed[crypto_sign_SEEDBYTES] = { 7 }, first[crypto_sign_BYTES],
                                         second[crypto_sign_BYTES];
        struct pair a, b;
        crypto_sign_seed_keypair(a.public, a.secret, seed);
        crypto_sign_seed_keypair(b.public, b.secret, seed);
        cr_expect_arr_eq(&a, &b, sizeof a);
        cr_expect_arr_eq(a.secret, seed, sizeof seed);
        cr_expect_arr_eq(a.secret + sizeof seed, a.public, sizeof a.public);
        crypto_sign_detached(first, NULL, seed, sizeof seed, a.secret);
        crypto_sign_detached(second, NULL, seed, sizeof seed, a.secret);
        cr_expect_arr_eq(first, second, sizeof first);
        seed[0] ^= 1;
        crypto_sign_seed_keypair(b.public, b.secret, seed);
        cr_expect_neq(memcmp(a.public, b.public, sizeof a.public), 0);
    }
}

Test(crypto, two_ends_share_a_secret_and_a_third_does_not)
{
    for (int round = 0; round < 2; round++) {
        begin(round);
        for (int i = 0; i < ROUNDS; i++) {
            uint8_t secret[3][32], public[3][32], ab[32], ba[32], cb[32];
            for (int end = 0; end < 3; end++) {
                randombytes_buf(secret[end], 32);
                cr_assert_eq(crypto_scalarmult_base(public[end], secret[end]), 0);
            }
            cr_assert_eq(crypto_scalarmult(ab, secret[0], public[1]), 0);
            cr_assert_eq(crypto_scalarmult(ba, secret[1], public[0]), 0);
            cr_assert_eq(crypto_scalarmult(cb, secret[2], public[1]), 0);
            cr_expect_arr_eq(ab, ba, 32);
            cr_expect_neq(memcmp(ab, cb, 32), 0);
            cr_expect_neq(memcmp(ab, public[0], 32), 0);
        }
    }
}

Test(crypto, points_of_low_order_are_refused)
{
    for (int round = 0; round < 2; round++) {
        begin(round);
        uint8_t secret[32] = { 9, 9 }, point[32] = { 0 }, shared[32];
        cr_expect_neq(crypto_scalarmult(shared, secret, point), 0);
        point[0] = 1;
        cr_expect_neq(crypto_scalarmult(shared, secret, point), 0);
    }
}

Test(crypto, a_damaged_public_key_gives_another_secret_and_no_error)
{
    for (int round = 0; round < 2; round++) {
        begin(round);
        uint8_t secret[2][32], public[32], good[32], bad[32];
        randombytes_buf(secret, sizeof secret);
        crypto_scalarmult_base(public, secret[1]);
        cr_assert_eq(crypto_scalarmult(good, secret[0], public), 0);
        public[5] ^= 4;
        cr_assert_eq(crypto_scalarmult(bad, secret[0], public), 0);
        cr_expect_neq(memcmp(good, bad, sizeof good), 0);
    }
}

static double seconds_of_signing(void)
{
    struct timespec from, to;
    struct pair pair = random_pair();
    uint8_t message[MESSAGE_SIZE] = { 0 }, signature[crypto_sign_BYTES];
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (int i = 0; i < 200; i++) {
        crypto_sign_detached(signature, NULL, message, sizeof message, pair.secret);
        cr_assert_eq(
            crypto_sign_verify_detached(signature, message, sizeof message, pair.public), 0);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

Test(crypto, the_stand_ins_are_what_runs_when_they_are_asked_for)
{
    begin(0);
    double real = seconds_of_signing();
    begin(1);
    cr_expect_lt(seconds_of_signing(), real / 4);
}
