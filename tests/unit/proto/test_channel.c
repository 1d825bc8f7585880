#include "tests/unit/proto/channel_pair.h"

#include <criterion/criterion.h>

Test(channel, a_link_opens_with_the_documented_bytes_and_both_sides_know_each_other)
{
    struct pair pair;
    struct side *sides = pair.sides;
    uint8_t bindings[2][32], zero[32] = { 0 };
    pair_init(&pair, CHANNEL_LINK, 0);
    pair_start(&pair);
    cr_assert_eq(sides[RESPONDER].out.size, 0);
    cr_assert_eq(sides[INITIATOR].out.size, CHANNEL_PREAMBLE_SIZE + 2 + 48);
    cr_assert_arr_eq(sides[INITIATOR].out.data, "SAMAD\0\1L\0\60", 10);
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    cr_assert_eq(sides[RESPONDER].out.size, 2 + 48);
    cr_assert_null(channel_peer(sides[RESPONDER].channel));
    channel_binding(sides[RESPONDER].channel, bindings[0]);
    cr_assert_arr_eq(bindings[0], zero, 32);

    cr_assert_eq(deliver(&pair, RESPONDER), OK);
    cr_assert_eq(sides[INITIATOR].out.size, 2 + 64);
    cr_assert(channel_is_open(sides[INITIATOR].channel));
    cr_assert_not(channel_is_open(sides[RESPONDER].channel));
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    cr_assert(channel_is_open(sides[RESPONDER].channel));
    for (int role = 0; role < 2; role++) {
        channel_binding(sides[role].channel, bindings[role]);
        cr_assert_eq(channel_purpose_of(sides[role].channel), CHANNEL_LINK);
        cr_assert_arr_eq(channel_peer(sides[role].channel)->bytes,
                         sides[1 - role].local_static.public.bytes, KEY_SIZE);
    }
    cr_assert_arr_eq(bindings[0], bindings[1], 32);
    cr_assert_arr_neq(bindings[0], zero, 32);
    pair_close(&pair);
}

Test(channel, an_enrolment_carries_its_token_and_opens_only_with_its_secret)
{
    struct pair pair;
    pair_open(&pair, CHANNEL_ENROL, 0);
    cr_assert_eq(channel_purpose_of(pair.sides[RESPONDER].channel), CHANNEL_ENROL);
    send_text(&pair, INITIATOR, "let me in");
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    expect_messages(&pair.sides[RESPONDER], "let me in|");
    pair_close(&pair);

    pair_init(&pair, CHANNEL_ENROL, 0);
    pair_start(&pair);
    pair.secret[0] ^= 1; /* what the responder finds */
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    cr_assert_eq(deliver(&pair, RESPONDER), OK);
    cr_assert_eq(deliver(&pair, INITIATOR), ERR_AUTH);
    cr_assert_null(channel_peer(pair.sides[RESPONDER].channel));
    pair_close(&pair);
}

Test(channel, an_unknown_token_and_an_enrolment_where_none_is_served_are_told_apart)
{
    struct pair pair;
    pair_init(&pair, CHANNEL_ENROL, 0);
    channel_free(pair.sides[INITIATOR].channel);
    struct channel_config config = config_of(&pair, INITIATOR, CHANNEL_ENROL);
    config.token_id = bytes_of_string("token-8");
    cr_assert_eq(channel_new(&pair.sides[INITIATOR].channel, &config), OK);
    pair_start(&pair);
    cr_assert_eq(deliver(&pair, INITIATOR), ERR_NOT_FOUND);
    cr_assert_eq(pair.sides[RESPONDER].out.size, 0);
    pair_close(&pair);

    pair_init(&pair, CHANNEL_ENROL, 0);
    channel_free(pair.sides[RESPONDER].channel);
    config = config_of(&pair, RESPONDER, CHANNEL_ENROL);
    config.find_psk = NULL;
    cr_assert_eq(channel_new(&pair.sides[RESPONDER].channel, &config), OK);
    pair_start(&pair);
    cr_assert_eq(deliver(&pair, INITIATOR), ERR_REFUSED);
    pair_close(&pair);
}

Test(channel, a_wrong_magic_or_version_or_purpose_has_an_error_of_its_own)
{
    static const struct {
        const char *preamble;
        enum err err;
    } cases[] = {
        { "GET / HT", ERR_MALFORMED }, { "SAMAD\1\1L", ERR_MALFORMED },
        { "SAMAD\0\2L", ERR_VERSION }, { "SAMAD\0\0L", ERR_VERSION },
        { "SAMAD\0\1X", ERR_REFUSED }, { "SAMAD\0\1\0", ERR_REFUSED },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair pair;
        pair_init(&pair, CHANNEL_LINK, 0);
        pair_start(&pair);
        struct side *side = &pair.sides[RESPONDER];
        cr_assert_eq(feed(side, bytes_of(cases[i].preamble, 7)), OK);
        cr_assert_eq(feed(side, bytes_of(cases[i].preamble + 7, 1)), cases[i].err);
        cr_assert_eq(feed(side, bytes_of_string("more")), cases[i].err, "the error is kept");
        cr_assert_eq(side->out.size, 0);
        pair_close(&pair);
    }
}

Test(channel, an_incomplete_configuration_is_refused)
{
    struct pair pair;
    struct channel *channel;
    pair_init(&pair, CHANNEL_LINK, 0);
    struct channel_config config = config_of(&pair, INITIATOR, CHANNEL_LINK);
    config.remote_static = NULL;
    cr_assert_eq(channel_new(&channel, &config), ERR_INVALID);
    cr_assert_null(channel);
    config = config_of(&pair, INITIATOR, CHANNEL_ENROL);
    config.psk = NULL;
    cr_assert_eq(channel_new(&channel, &config), ERR_INVALID);
    config = config_of(&pair, INITIATOR, CHANNEL_ENROL);
    config.token_id = BYTES_NONE;
    cr_assert_eq(channel_new(&channel, &config), ERR_INVALID);
    config = config_of(&pair, INITIATOR, (enum channel_purpose)'Z');
    cr_assert_eq(channel_new(&channel, &config), ERR_INVALID);
    config = config_of(&pair, RESPONDER, CHANNEL_LINK);
    config.local_ephemeral = NULL;
    cr_assert_eq(channel_new(&channel, &config), ERR_INVALID);
    pair_close(&pair);
}

static void expect_no_altered_byte_passes(enum channel_purpose purpose)
{
    static const uint8_t flips[] = { 0x01, 0x80, 0xff };
    struct buffer said[2] = { { 0 }, { 0 } };
    record_session(purpose, said);
    for (int from = 0; from < 2; from++) {
        for (size_t at = 0; at < said[from].size * sizeof flips; at++) {
            struct pair pair;
            uint8_t *byte = &said[from].data[at / sizeof flips], flip = flips[at % sizeof flips];
            pair_init(&pair, purpose, 0);
            pair_start(&pair);
            *byte ^= flip;
            feed(&pair.sides[1 - from], buffer_bytes(&said[from]));
            *byte ^= flip;
            cr_assert_eq(pair.sides[1 - from].messages, 0, "byte %zu", at / sizeof flips);
            if (from == RESPONDER)
                cr_assert_null(channel_peer(pair.sides[INITIATOR].channel));
            pair_close(&pair);
        }
    }
    buffer_close(&said[0]);
    buffer_close(&said[1]);
}

Test(channel, an_altered_byte_anywhere_in_a_link_session_delivers_nothing)
{
    expect_no_altered_byte_passes(CHANNEL_LINK);
}

Test(channel, an_altered_byte_anywhere_in_an_enrolment_session_delivers_nothing)
{
    expect_no_altered_byte_passes(CHANNEL_ENROL);
}

Test(channel, a_handshake_frame_of_another_size_is_refused_before_it_is_kept)
{
    static const uint16_t sizes[] = { 0, 1, 47, 49, 65535 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct pair pair;
        uint8_t head[10] = "SAMAD\0\1L";
        pair_init(&pair, CHANNEL_LINK, 0);
        pair_start(&pair);
        put_u16(head + 8, sizes[i]);
        cr_assert_eq(feed(&pair.sides[RESPONDER], BYTES_OF_ARRAY(head)), ERR_MALFORMED);
        pair_close(&pair);
    }
}
