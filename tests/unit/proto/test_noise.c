#include "proto/secure/noise.h"
#include "tests/vectors/noise_vectors.h"

#include <criterion/criterion.h>
#include <string.h>

/* Both sides of a handshake, with everything a pattern may ask for. */
struct pair {
    struct link_key statics[2], ephemerals[2];
    uint8_t psk[32];
    struct noise sides[2];
};

static struct link_key key_of(uint8_t fill)
{
    struct link_key key;
    uint8_t seed[KEY_SIZE];
    memset(seed, fill, sizeof seed);
    link_key_from_seed(&key, seed);
    return key;
}

static struct noise_config config_of(const struct pair *pair, const char *pattern, int role)
{
    bool has_psk = strstr(pattern, "psk") != NULL;
    return (struct noise_config){
        .role = role == 0 ? NOISE_INITIATOR : NOISE_RESPONDER,
        .pattern = pattern,
        .prologue = bytes_of_string("prologue"),
        .local_static = &pair->statics[role],
        .local_ephemeral = &pair->ephemerals[role],
        .remote_static = role == 0 ? &pair->statics[1].public : NULL,
        .psks = { has_psk ? pair->psk : NULL },
        .psk_count = has_psk,
    };
}

static void pair_init(struct pair *pair, const char *pattern)
{
    *pair = (struct pair){ 0 };
    memset(pair->psk, 0x99, sizeof pair->psk);
    for (int role = 0; role < 2; role++) {
        pair->statics[role] = key_of((uint8_t)(0x10 + role));
        pair->ephemerals[role] = key_of((uint8_t)(0x20 + role));
    }
    for (int role = 0; role < 2; role++) {
        struct noise_config config = config_of(pair, pattern, role);
        cr_assert_eq(noise_init(&pair->sides[role], &config), OK);
    }
}

/* The whole handshake, and the initiator's sending cipher with the responder's receiving one. */
static void pair_complete(struct pair *pair, struct noise_cipher *sending,
                          struct noise_cipher *receiving)
{
    struct noise_cipher unused;
    for (int step = 0; step < 3; step++) {
        struct buffer message = { 0 }, payload = { 0 };
        cr_assert_eq(noise_write(&pair->sides[step % 2], BYTES_NONE, &message), OK);
        cr_assert_eq(noise_read(&pair->sides[1 - step % 2], buffer_bytes(&message), &payload), OK);
        buffer_close(&message);
        buffer_close(&payload);
    }
    noise_split(&pair->sides[0], sending, &unused);
    noise_split(&pair->sides[1], &unused, receiving);
}

Test(noise, the_frozen_vectors_of_the_project_pass)
{
    struct noise_vectors_result result;
    enum err err =
        noise_vectors_run(SAMAD_SOURCE_DIR "/tests/golden/noise_vectors.json", &result, stderr);
    cr_assert_eq(err, OK);
    cr_assert_eq(result.failed, 0);
    cr_assert_eq(result.passed, 28);
}

/* Reads `message` with a copy of the receiver, so that one handshake serves for every corruption.
 */
static enum err read_copy(const struct noise *receiver, struct bytes message)
{
    struct noise copy = *receiver;
    struct buffer payload = { 0 };
    enum err err = noise_read(&copy, message, &payload);
    if (err != OK) {
        cr_assert_eq(payload.size, 0);
        cr_assert_not(noise_is_complete(&copy));
        cr_assert_eq(noise_read(&copy, message, &payload), ERR_CLOSED, "a second try is possible");
    }
    buffer_close(&payload);
    noise_close(&copy);
    return err;
}

static void expect_every_corruption_refused(const struct noise *receiver, struct buffer *message)
{
    for (size_t at = 0; at < message->size; at++) {
        for (unsigned flip = 1; flip < 0x200; flip <<= 1) {
            uint8_t mask = (uint8_t)(flip < 0x100 ? flip : 0xff);
            message->data[at] ^= mask;
            cr_assert_neq(read_copy(receiver, buffer_bytes(message)), OK, "byte %zu flip %02x", at,
                          mask);
            message->data[at] ^= mask;
        }
        cr_assert_neq(read_copy(receiver, bytes_of(message->data, at)), OK, "cut at %zu", at);
    }
    buffer_append_u8(message, 0);
    cr_assert_neq(read_copy(receiver, buffer_bytes(message)), OK, "one byte more");
    message->size--;
    cr_assert_eq(read_copy(receiver, buffer_bytes(message)), OK);
}

static void corrupt_every_message(const char *pattern)
{
    struct pair pair;
    pair_init(&pair, pattern);
    for (int step = 0; step < 3; step++) {
        struct buffer message = { 0 }, payload = { 0 };
        struct noise *from = &pair.sides[step % 2], *to = &pair.sides[1 - step % 2];
        cr_assert_eq(noise_write(from, bytes_of_string(step ? "" : "token"), &message), OK);
        expect_every_corruption_refused(to, &message);
        cr_assert_eq(noise_read(to, buffer_bytes(&message), &payload), OK);
        buffer_close(&message);
        buffer_close(&payload);
    }
    cr_assert(noise_is_complete(&pair.sides[0]) && noise_is_complete(&pair.sides[1]));
    cr_assert_arr_eq(pair.sides[0].hash, pair.sides[1].hash, NOISE_HASH_SIZE);
}

Test(noise, every_corrupted_byte_and_every_cut_of_every_message_of_xk_is_refused)
{
    corrupt_every_message("XK");
}

Test(noise, every_corrupted_byte_and_every_cut_of_every_message_of_xkpsk3_is_refused)
{
    corrupt_every_message("XKpsk3");
}

Test(noise, another_prologue_or_psk_or_responder_key_ends_in_a_failed_authentication)
{
    for (int difference = 0; difference < 3; difference++) {
        struct pair pair;
        pair_init(&pair, "XKpsk3");
        struct noise_config config = config_of(&pair, "XKpsk3", 1);
        struct link_key other = key_of(0x77);
        uint8_t other_psk[32] = { 1 };
        if (difference == 0)
            config.prologue = bytes_of_string("Prologue");
        else if (difference == 1)
            config.psks[0] = other_psk;
        else
            config.local_static = &other;
        cr_assert_eq(noise_init(&pair.sides[1], &config), OK);
        enum err err = OK;
        for (int step = 0; err == OK && step < 3; step++) {
            struct buffer message = { 0 }, payload = { 0 };
            cr_assert_eq(noise_write(&pair.sides[step % 2], BYTES_NONE, &message), OK);
            err = noise_read(&pair.sides[1 - step % 2], buffer_bytes(&message), &payload);
            buffer_close(&message);
            buffer_close(&payload);
        }
        cr_assert_eq(err, ERR_AUTH);
    }
}

Test(noise, a_key_agreement_that_gives_the_zero_secret_is_refused)
{
    /* Points of low order, RFC 7748 section 6.1 and the usual list; the top bit does not count. */
    static const uint8_t points[][KEY_SIZE] = {
        { 0 },
        { 1 },
        { 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
          0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
          0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
    };
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct pair pair;
        struct buffer message = { 0 }, payload = { 0 };
        pair_init(&pair, "XK");
        /* as a received ephemeral key */
        buffer_append(&message, points[i], KEY_SIZE);
        buffer_append(&message, points[i], NOISE_TAG_SIZE);
        cr_assert_eq(noise_read(&pair.sides[1], buffer_bytes(&message), &payload), ERR_AUTH);
        /* as the static key we are told to talk to */
        struct noise_config config = config_of(&pair, "XK", 0);
        struct link_public bad;
        memcpy(bad.bytes, points[i], KEY_SIZE);
        config.remote_static = &bad;
        cr_assert_eq(noise_init(&pair.sides[0], &config), OK);
        buffer_clear(&message);
        cr_assert_eq(noise_write(&pair.sides[0], BYTES_NONE, &message), ERR_AUTH);
        cr_assert_eq(message.size, 0);
        buffer_close(&message);
        buffer_close(&payload);
    }
}

Test(noise, an_unknown_pattern_or_a_key_too_few_or_too_many_is_refused)
{
    static const char *const unknown[] = { "",
                                           "ZZ",
                                           "XXX",
                                           "XKpsk4",
                                           "XKpsk",
                                           "XKpsk3+",
                                           "XKpsk3psk3",
                                           "XKpsk3+psk3",
                                           "XKpsk3+psk1",
                                           "XKfallback",
                                           "Npsk2",
                                           "xk",
                                           "XK2",
                                           "XKpsk0+psk1+psk2+psk3+psk3" };
    struct pair pair;
    struct noise noise;
    pair_init(&pair, "XK");
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        struct noise_config config = config_of(&pair, unknown[i], 0);
        cr_assert_eq(noise_init(&noise, &config), ERR_INVALID, "%s", unknown[i]);
    }
    struct noise_config config = config_of(&pair, "XK", 0);
    config.remote_static = NULL;
    cr_assert_eq(noise_init(&noise, &config), ERR_INVALID);
    config = config_of(&pair, "XX", 0); /* would not check the key it is given */
    cr_assert_eq(noise_init(&noise, &config), ERR_INVALID);
    config = config_of(&pair, "XK", 1);
    config.local_static = NULL;
    cr_assert_eq(noise_init(&noise, &config), ERR_INVALID);
    config = config_of(&pair, "XK", 1);
    config.local_ephemeral = NULL;
    cr_assert_eq(noise_init(&noise, &config), ERR_INVALID);
    config = config_of(&pair, "XKpsk3", 0);
    config.psk_count = 0;
    cr_assert_eq(noise_init(&noise, &config), ERR_INVALID);
}

Test(noise, a_psk_may_come_during_the_handshake_but_not_later_than_its_message)
{
    for (int comes = 0; comes < 2; comes++) {
        struct pair pair;
        struct buffer message = { 0 }, payload = { 0 };
        pair_init(&pair, "XKpsk3");
        struct noise_config config = config_of(&pair, "XKpsk3", 1);
        config.psks[0] = NULL;
        cr_assert_eq(noise_init(&pair.sides[1], &config), OK);
        for (int step = 0; step < 3; step++) {
            if (step == 1 && comes)
                noise_set_psk(&pair.sides[1], 0, pair.psk);
            buffer_clear(&message);
            cr_assert_eq(noise_write(&pair.sides[step % 2], BYTES_NONE, &message), OK);
            enum err err = noise_read(&pair.sides[1 - step % 2], buffer_bytes(&message), &payload);
            cr_assert_eq(err, step == 2 && !comes ? ERR_INVALID : OK);
        }
        cr_assert_eq(noise_is_complete(&pair.sides[1]), comes != 0);
        buffer_close(&message);
        buffer_close(&payload);
    }
}

Test(noise, a_message_larger_than_65535_bytes_is_neither_written_nor_read)
{
    static const uint8_t large[NOISE_MESSAGE_SIZE_MAX + 1];
    struct pair pair;
    struct buffer message = { 0 }, payload = { 0 };
    size_t fits = NOISE_MESSAGE_SIZE_MAX - KEY_SIZE - NOISE_TAG_SIZE;
    pair_init(&pair, "XK");
    cr_assert_eq(noise_write(&pair.sides[0], bytes_of(large, fits), &message), OK);
    cr_assert_eq(message.size, NOISE_MESSAGE_SIZE_MAX);
    cr_assert_eq(noise_read(&pair.sides[1], buffer_bytes(&message), &payload), OK);
    cr_assert_eq(payload.size, fits);
    buffer_clear(&message);
    pair_init(&pair, "XK");
    cr_assert_eq(noise_write(&pair.sides[0], bytes_of(large, fits + 1), &message), ERR_TOO_LARGE);
    cr_assert_eq(message.size, 0);
    cr_assert_eq(noise_read(&pair.sides[1], BYTES_OF_ARRAY(large), &payload), ERR_MALFORMED);

    struct noise_cipher sending, receiving;
    pair_init(&pair, "XK");
    pair_complete(&pair, &sending, &receiving);
    fits = NOISE_MESSAGE_SIZE_MAX - NOISE_TAG_SIZE;
    cr_assert_eq(noise_encrypt(&sending, BYTES_NONE, bytes_of(large, fits + 1), &message),
                 ERR_TOO_LARGE);
    cr_assert_eq(noise_decrypt(&receiving, BYTES_NONE, BYTES_OF_ARRAY(large), &message),
                 ERR_MALFORMED);
    cr_assert_eq(message.size, 0);
    buffer_close(&message);
    buffer_close(&payload);
}

Test(noise, the_last_nonce_is_never_used)
{
    struct pair pair;
    struct noise_cipher sending, receiving;
    struct buffer sealed = { 0 }, opened = { 0 };
    pair_init(&pair, "XK");
    pair_complete(&pair, &sending, &receiving);
    sending.nonce = receiving.nonce = UINT64_MAX - 1;
    cr_assert_eq(noise_encrypt(&sending, BYTES_NONE, bytes_of_string("last"), &sealed), OK);
    cr_assert_eq(noise_decrypt(&receiving, BYTES_NONE, buffer_bytes(&sealed), &opened), OK);
    cr_assert_eq(noise_encrypt(&sending, BYTES_NONE, bytes_of_string("last"), &sealed), ERR_CLOSED);
    cr_assert_eq(noise_decrypt(&receiving, BYTES_NONE, buffer_bytes(&sealed), &opened), ERR_CLOSED);
    noise_rekey(&sending); /* a new key does not bring the nonces back */
    cr_assert_eq(noise_encrypt(&sending, BYTES_NONE, bytes_of_string("last"), &sealed), ERR_CLOSED);
    cr_assert_eq(opened.size, 4);
    buffer_close(&sealed);
    buffer_close(&opened);
}

Test(noise, a_rekey_changes_the_key_keeps_the_nonce_and_both_sides_agree)
{
    struct pair pair;
    struct noise_cipher sending, receiving;
    struct buffer sealed = { 0 }, opened = { 0 };
    pair_init(&pair, "XK");
    pair_complete(&pair, &sending, &receiving);
    sending.nonce = receiving.nonce = 5;
    uint8_t before[32];
    memcpy(before, sending.key, sizeof before);
    noise_rekey(&sending);
    cr_assert_eq(sending.nonce, 5);
    cr_assert_neq(memcmp(before, sending.key, sizeof before), 0);
    cr_assert_eq(noise_encrypt(&sending, BYTES_NONE, bytes_of_string("text"), &sealed), OK);
    cr_assert_eq(noise_decrypt(&receiving, BYTES_NONE, buffer_bytes(&sealed), &opened), ERR_AUTH);
    noise_rekey(&receiving);
    cr_assert_eq(noise_decrypt(&receiving, BYTES_NONE, buffer_bytes(&sealed), &opened), OK);
    cr_assert(bytes_equal(buffer_bytes(&opened), bytes_of_string("text")));
    buffer_close(&sealed);
    buffer_close(&opened);
}

Test(noise, text_is_encrypted_in_place_and_its_associated_data_is_bound)
{
    struct pair pair;
    struct noise_cipher sending, receiving;
    struct buffer sealed = { 0 }, opened = { 0 };
    pair_init(&pair, "XK");
    pair_complete(&pair, &sending, &receiving);
    uint8_t *room = buffer_reserve(&sealed, 1000 + NOISE_TAG_SIZE);
    memset(room, 0x5a, 1000);
    cr_assert_eq(noise_encrypt(&sending, bytes_of_string("ad"), bytes_of(room, 1000), &sealed), OK);
    cr_assert_eq(noise_decrypt(&receiving, bytes_of_string("aD"), buffer_bytes(&sealed), &opened),
                 ERR_AUTH);
    cr_assert_eq(noise_decrypt(&receiving, bytes_of_string("ad"), buffer_bytes(&sealed), &opened),
                 OK);
    cr_assert_eq(opened.size, 1000);
    for (size_t i = 0; i < opened.size; i++)
        cr_assert_eq(opened.data[i], 0x5a);
    buffer_close(&sealed);
    buffer_close(&opened);
}
