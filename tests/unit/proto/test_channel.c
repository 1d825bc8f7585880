#include "proto/secure/channel.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_SIZE_MAX (1024 * 1024)
#define CONTENT_SIZE_MAX (NOISE_MESSAGE_SIZE_MAX - NOISE_TAG_SIZE - 1)
#define INITIATOR        0
#define RESPONDER        1

/* ---- two channels and what passed between them ----------------------------------------------- */

struct side {
    struct channel *channel;
    struct link_key local_static, local_ephemeral;
    struct buffer out;      /* bytes for the other side */
    struct buffer received; /* messages: u32 size, content */
    size_t messages;
    enum err stop; /* what on_message returns */
};

struct pair {
    struct side sides[2];
    uint8_t secret[32]; /* of the token "token-7" */
};

static struct link_key key_of(uint8_t fill)
{
    struct link_key key;
    uint8_t seed[KEY_SIZE];
    memset(seed, fill, sizeof seed);
    link_key_from_seed(&key, seed);
    return key;
}

static enum err find_token(void *context, struct bytes token_id, uint8_t psk[32])
{
    const struct pair *pair = context;
    if (!bytes_equal(token_id, bytes_of_string("token-7")))
        return ERR_NOT_FOUND;
    memcpy(psk, pair->secret, 32);
    return OK;
}

static enum err keep_message(void *context, struct bytes message)
{
    struct side *side = context;
    buffer_append_u32(&side->received, (uint32_t)message.size);
    buffer_append_bytes(&side->received, message);
    side->messages++;
    return side->stop;
}

static struct channel_config config_of(struct pair *pair, int role, enum channel_purpose purpose)
{
    struct side *side = &pair->sides[role];
    struct channel_config config = {
        .role = role == INITIATOR ? NOISE_INITIATOR : NOISE_RESPONDER,
        .local_static = &side->local_static,
        .local_ephemeral = &side->local_ephemeral,
        .message_size_max = MESSAGE_SIZE_MAX,
    };
    if (role == RESPONDER) {
        config.find_psk = find_token;
        config.context = pair;
        return config;
    }
    config.purpose = purpose;
    config.remote_static = &pair->sides[RESPONDER].local_static.public;
    config.token_id = bytes_of_string("token-7");
    config.psk = pair->secret;
    return config;
}

/* `session` makes other ephemeral keys. */
static void pair_init(struct pair *pair, enum channel_purpose purpose, uint8_t session)
{
    *pair = (struct pair){ 0 };
    memset(pair->secret, 0x99, sizeof pair->secret);
    for (int role = 0; role < 2; role++) {
        pair->sides[role].local_static = key_of((uint8_t)(0x10 + role));
        pair->sides[role].local_ephemeral = key_of((uint8_t)(0x20 + 2 * session + role));
    }
    for (int role = 0; role < 2; role++) {
        struct channel_config config = config_of(pair, role, purpose);
        cr_assert_eq(channel_new(&pair->sides[role].channel, &config), OK);
    }
}

static void pair_close(struct pair *pair)
{
    for (int role = 0; role < 2; role++) {
        channel_free(pair->sides[role].channel);
        buffer_close(&pair->sides[role].out);
        buffer_close(&pair->sides[role].received);
    }
}

static void pair_start(struct pair *pair)
{
    for (int role = 0; role < 2; role++)
        cr_assert_eq(channel_start(pair->sides[role].channel, &pair->sides[role].out), OK);
}

static enum err feed(struct side *side, struct bytes input)
{
    return channel_receive(side->channel, input, &side->out, keep_message, side);
}

/* Everything that waits in one direction arrives. */
static enum err deliver(struct pair *pair, int from)
{
    struct buffer bytes = pair->sides[from].out;
    pair->sides[from].out = (struct buffer){ 0 };
    enum err err = feed(&pair->sides[1 - from], buffer_bytes(&bytes));
    buffer_close(&bytes);
    return err;
}

static void pair_open(struct pair *pair, enum channel_purpose purpose, uint8_t session)
{
    pair_init(pair, purpose, session);
    pair_start(pair);
    cr_assert_eq(deliver(pair, INITIATOR), OK);
    cr_assert_eq(deliver(pair, RESPONDER), OK);
    cr_assert_eq(deliver(pair, INITIATOR), OK);
    cr_assert(channel_is_open(pair->sides[0].channel) && channel_is_open(pair->sides[1].channel));
}

static void send_text(struct pair *pair, int from, const char *text)
{
    struct side *side = &pair->sides[from];
    cr_assert_eq(channel_send(side->channel, bytes_of_string(text), &side->out), OK);
}

/* The messages a side has received, joined: "one|two|". */
static void expect_messages(const struct side *side, const char *expected)
{
    struct buffer joined = { 0 };
    struct reader reader = reader_of(buffer_bytes(&side->received));
    while (!reader_at_end(&reader)) {
        buffer_append_bytes(&joined, read_bytes(&reader, read_u32(&reader)));
        buffer_append_u8(&joined, '|');
    }
    cr_assert(bytes_equal(buffer_bytes(&joined), bytes_of_string(expected)), "%.*s",
              (int)joined.size, (const char *)joined.data);
    buffer_close(&joined);
}

static uint8_t *pattern_bytes(size_t size)
{
    uint8_t *bytes = malloc(size ? size : 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    return bytes;
}

/* ---- handshake ------------------------------------------------------------------------------- */

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

/* The bytes each side says in an undisturbed session: the initiator also one message. */
static void record_session(enum channel_purpose purpose, struct buffer said[2])
{
    struct pair pair;
    pair_init(&pair, purpose, 0);
    pair_start(&pair);
    for (int turn = 0; turn < 3; turn++) {
        if (turn == 2)
            send_text(&pair, INITIATOR, "hello");
        buffer_append_bytes(&said[turn % 2], buffer_bytes(&pair.sides[turn % 2].out));
        cr_assert_eq(deliver(&pair, turn % 2), OK);
    }
    expect_messages(&pair.sides[RESPONDER], "hello|");
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

/* ---- messages -------------------------------------------------------------------------------- */

Test(channel, messages_of_every_size_around_a_frame_arrive_whole_in_both_directions)
{
    static const size_t sizes[] = { 0,
                                    1,
                                    2,
                                    1000,
                                    CONTENT_SIZE_MAX - 1,
                                    CONTENT_SIZE_MAX,
                                    CONTENT_SIZE_MAX + 1,
                                    2 * CONTENT_SIZE_MAX,
                                    2 * CONTENT_SIZE_MAX + 1,
                                    MESSAGE_SIZE_MAX };
    struct pair pair;
    uint8_t *content = pattern_bytes(MESSAGE_SIZE_MAX);
    pair_open(&pair, CHANNEL_LINK, 0);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        struct bytes message = bytes_of(content, sizes[i / 2]);
        struct side *from = &pair.sides[i % 2], *to = &pair.sides[1 - i % 2];
        cr_assert_eq(channel_send(from->channel, message, &from->out), OK);
        size_t frames = message.size ? (message.size + CONTENT_SIZE_MAX - 1) / CONTENT_SIZE_MAX : 1;
        cr_assert_eq(from->out.size, message.size + frames * (2 + 1 + NOISE_TAG_SIZE));
        buffer_clear(&to->received);
        cr_assert_eq(deliver(&pair, (int)(i % 2)), OK);
        cr_assert_eq(to->received.size, 4 + message.size);
        cr_assert(bytes_equal(message, bytes_of(to->received.data + 4, message.size)));
    }
    cr_assert_eq(pair.sides[INITIATOR].messages, sizeof sizes / sizeof *sizes);
    free(content);
    pair_close(&pair);
}

/* The initiator's bytes of a session that has several messages, a rekey and the end. */
static void say_everything(struct pair *pair)
{
    struct side *side = &pair->sides[INITIATOR];
    uint8_t *content = pattern_bytes(150000);
    send_text(pair, INITIATOR, "first");
    cr_assert_eq(channel_rekey(side->channel, &side->out), OK);
    cr_assert_eq(channel_send(side->channel, bytes_of(content, 150000), &side->out), OK);
    send_text(pair, INITIATOR, "");
    send_text(pair, INITIATOR, "last");
    cr_assert_eq(channel_end(side->channel, &side->out), OK);
    free(content);
}

static void feed_in_pieces(struct side *side, struct bytes input, size_t size)
{
    for (size_t at = 0; at < input.size; at += size) {
        size_t piece = input.size - at < size ? input.size - at : size;
        /* a copy of exactly this size, so that a sanitizer sees a byte too far */
        uint8_t *copy = malloc(piece);
        memcpy(copy, input.data + at, piece);
        cr_assert_eq(feed(side, bytes_of(copy, piece)), OK);
        free(copy);
    }
}

Test(channel, bytes_cut_anywhere_give_the_same_as_all_at_once)
{
    static const size_t pieces[] = { 1, 2, 3, 7, 1000, 65536, 65537, 65538, SIZE_MAX / 2 };
    struct buffer expected = { 0 };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct pair pair;
        struct side *initiator = &pair.sides[INITIATOR], *responder = &pair.sides[RESPONDER];
        pair_init(&pair, CHANNEL_LINK, 0);
        pair_start(&pair);
        feed_in_pieces(responder, buffer_bytes(&initiator->out), pieces[i]);
        buffer_clear(&initiator->out);
        feed_in_pieces(initiator, buffer_bytes(&responder->out), pieces[i]);
        say_everything(&pair); /* follows the last handshake message without a break */
        feed_in_pieces(responder, buffer_bytes(&initiator->out), pieces[i]);
        cr_assert_eq(responder->messages, 4);
        cr_assert(channel_peer_ended(responder->channel));
        if (i == 0)
            buffer_append_bytes(&expected, buffer_bytes(&responder->received));
        cr_assert(bytes_equal(buffer_bytes(&responder->received), buffer_bytes(&expected)));
        pair_close(&pair);
    }
    buffer_close(&expected);
}

Test(channel, a_session_cut_at_any_byte_is_not_taken_for_one_that_ended)
{
    struct buffer session = { 0 };
    struct pair pair;
    pair_open(&pair, CHANNEL_LINK, 0);
    send_text(&pair, INITIATOR, "one");
    send_text(&pair, INITIATOR, "two");
    cr_assert_eq(channel_end(pair.sides[INITIATOR].channel, &pair.sides[INITIATOR].out), OK);
    buffer_append_bytes(&session, buffer_bytes(&pair.sides[INITIATOR].out));
    pair_close(&pair);
    for (size_t cut = 0; cut <= session.size; cut++) {
        pair_open(&pair, CHANNEL_LINK, 0);
        cr_assert_eq(feed(&pair.sides[RESPONDER], bytes_of(session.data, cut)), OK);
        cr_assert_eq(channel_peer_ended(pair.sides[RESPONDER].channel), cut == session.size);
        pair_close(&pair);
    }
    buffer_close(&session);
}

Test(channel, after_the_end_one_side_is_silent_and_the_other_may_go_on)
{
    struct pair pair;
    struct side *initiator = &pair.sides[INITIATOR];
    pair_open(&pair, CHANNEL_LINK, 0);
    cr_assert_eq(channel_end(initiator->channel, &initiator->out), OK);
    cr_assert_eq(channel_send(initiator->channel, bytes_of_string("x"), &initiator->out),
                 ERR_CLOSED);
    cr_assert_eq(channel_rekey(initiator->channel, &initiator->out), ERR_CLOSED);
    cr_assert_eq(channel_end(initiator->channel, &initiator->out), ERR_CLOSED);
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    send_text(&pair, RESPONDER, "still here");
    cr_assert_eq(deliver(&pair, RESPONDER), OK);
    expect_messages(initiator, "still here|");
    cr_assert_eq(feed(&pair.sides[RESPONDER], bytes_of("\0", 1)), ERR_MALFORMED);
    pair_close(&pair);
}

Test(channel, nothing_is_sent_before_the_handshake_is_complete)
{
    struct pair pair;
    struct side *side = &pair.sides[INITIATOR];
    pair_init(&pair, CHANNEL_LINK, 0);
    cr_assert_eq(channel_send(side->channel, bytes_of_string("x"), &side->out), ERR_CLOSED);
    cr_assert_eq(channel_rekey(side->channel, &side->out), ERR_CLOSED);
    cr_assert_eq(channel_end(side->channel, &side->out), ERR_CLOSED);
    cr_assert_eq(side->out.size, 0);
    pair_close(&pair);
}

Test(channel, what_on_message_returns_stops_the_channel_but_a_farewell_can_be_sent)
{
    struct pair pair;
    pair_open(&pair, CHANNEL_LINK, 0);
    send_text(&pair, INITIATOR, "one");
    send_text(&pair, INITIATOR, "two");
    pair.sides[RESPONDER].stop = ERR_CONFLICT;
    cr_assert_eq(deliver(&pair, INITIATOR), ERR_CONFLICT);
    expect_messages(&pair.sides[RESPONDER], "one|");
    cr_assert_eq(feed(&pair.sides[RESPONDER], bytes_of("\0", 1)), ERR_CONFLICT);
    send_text(&pair, RESPONDER, "go away");
    cr_assert_eq(deliver(&pair, RESPONDER), OK);
    expect_messages(&pair.sides[INITIATOR], "go away|");
    pair_close(&pair);
}

/* "> " and "< " lines of hexadecimal: what the initiator and the responder say. */
static void append_hex_line(struct buffer *text, const char *arrow, struct buffer *said)
{
    char *hex = malloc(2 * said->size + 1);
    hex_encode(hex, buffer_bytes(said));
    buffer_append_string(text, arrow);
    buffer_append_string(text, hex);
    buffer_append_string(text, "\n");
    free(hex);
}

Test(channel, the_bytes_of_a_session_are_those_of_the_specification)
{
    static const char expected[] =
        "> 53414d414400014c003006453fcd9cef5a1f53acc4f942104c0c8e9e27d5c7b37f5507cdcd162810"
        "59636da6a7adcdcc69fce7fe79af019adc9d\n"
        "< 00307d34a4815fa6b982535e60af3bd9b49556816080f1641ff81d2b7c8ae8268a4405469d198514"
        "a3ad9ef81f1445f43325\n"
        "> 0040836b62a37a334b41932d5dd248d2296f593882b36b60600d3bd7d6970b2dac290a165f225e34"
        "6346db70a6aa6e1976e9e65326aa27fc89d4becc8705bcfa0f7f\n"
        "> 0016a417ba2b2d22728227d6f2f363600e4bf0f37262a813\n"
        "> 001132a5234f90099202aa578afbbe30ea220c\n"
        "> 001144573a65ce27558f238291e71886113cbe\n";
    struct pair pair;
    struct buffer text = { 0 };
    struct side *initiator = &pair.sides[INITIATOR], *responder = &pair.sides[RESPONDER];
    pair_init(&pair, CHANNEL_LINK, 0);
    pair_start(&pair);
    append_hex_line(&text, "> ", &initiator->out);
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    append_hex_line(&text, "< ", &responder->out);
    cr_assert_eq(deliver(&pair, RESPONDER), OK);
    append_hex_line(&text, "> ", &initiator->out);
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    send_text(&pair, INITIATOR, "hello");
    append_hex_line(&text, "> ", &initiator->out);
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    cr_assert_eq(channel_rekey(initiator->channel, &initiator->out), OK);
    append_hex_line(&text, "> ", &initiator->out);
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    cr_assert_eq(channel_end(initiator->channel, &initiator->out), OK);
    append_hex_line(&text, "> ", &initiator->out);
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    cr_assert(bytes_equal(buffer_bytes(&text), bytes_of_string(expected)), "%.*s", (int)text.size,
              (const char *)text.data);
    cr_assert(channel_peer_ended(responder->channel));
    buffer_close(&text);
    pair_close(&pair);
}

/* ---- rekey ----------------------------------------------------------------------------------- */

Test(channel, the_sender_rekeys_by_itself_every_65536_frames_under_one_key)
{
    struct pair pair;
    struct side *side = &pair.sides[INITIATOR], *other = &pair.sides[RESPONDER];
    size_t rekeys = 0, total = 2 * CHANNEL_REKEY_FRAMES + 10;
    pair_open(&pair, CHANNEL_LINK, 0);
    cr_assert_eq(channel_rekey(side->channel, &side->out), OK); /* both counts begin again */
    cr_assert_eq(deliver(&pair, INITIATOR), OK);
    for (size_t i = 0; i < total; i++) {
        cr_assert_eq(channel_send(side->channel, BYTES_NONE, &side->out), OK);
        rekeys += side->out.size > 2 + 1 + NOISE_TAG_SIZE;
        if (side->out.size > 2 + 1 + NOISE_TAG_SIZE)
            cr_assert_eq((i + 1) % (CHANNEL_REKEY_FRAMES - 1), 0);
        cr_assert_eq(feed(other, buffer_bytes(&side->out)), OK);
        buffer_clear(&side->out);
        buffer_clear(&other->received);
    }
    cr_assert_eq(rekeys, 2);
    cr_assert_eq(other->messages, total);
    pair_close(&pair);
}

/* ---- a peer that has the keys but not the manners -------------------------------------------- */

/* Speaks Noise by hand to a responder of `message_size_max`. */
struct rogue {
    struct side responder;
    struct noise_cipher sending, receiving;
    struct buffer out;
};

static void rogue_open(struct rogue *rogue, size_t message_size_max)
{
    struct link_key ours = key_of(0x10), fresh = key_of(0x20);
    struct buffer payload = { 0 };
    struct noise noise;
    *rogue = (struct rogue){ 0 };
    struct side *side = &rogue->responder;
    side->local_static = key_of(0x11);
    side->local_ephemeral = key_of(0x21);
    struct channel_config config = {
        .role = NOISE_RESPONDER,
        .local_static = &side->local_static,
        .local_ephemeral = &side->local_ephemeral,
        .message_size_max = message_size_max,
    };
    cr_assert_eq(channel_new(&side->channel, &config), OK);
    cr_assert_eq(channel_start(side->channel, &side->out), OK);
    struct noise_config noise_config = {
        .role = NOISE_INITIATOR,
        .pattern = "XK",
        .prologue = bytes_of("SAMAD\0\1L", 8),
        .local_static = &ours,
        .local_ephemeral = &fresh,
        .remote_static = &side->local_static.public,
    };
    cr_assert_eq(noise_init(&noise, &noise_config), OK);
    buffer_append(&rogue->out, "SAMAD\0\1L\0\60", 10);
    cr_assert_eq(noise_write(&noise, BYTES_NONE, &rogue->out), OK);
    cr_assert_eq(feed(side, buffer_bytes(&rogue->out)), OK);
    cr_assert_eq(noise_read(&noise, bytes_of(side->out.data + 2, 48), &payload), OK);
    buffer_clear(&rogue->out);
    buffer_append_u16(&rogue->out, 64);
    cr_assert_eq(noise_write(&noise, BYTES_NONE, &rogue->out), OK);
    cr_assert_eq(feed(side, buffer_bytes(&rogue->out)), OK);
    noise_split(&noise, &rogue->sending, &rogue->receiving);
    cr_assert(channel_is_open(side->channel));
    buffer_close(&payload);
}

static void rogue_close(struct rogue *rogue)
{
    channel_free(rogue->responder.channel);
    buffer_close(&rogue->responder.out);
    buffer_close(&rogue->responder.received);
    buffer_close(&rogue->out);
}

/* One frame of any type and content. */
static enum err rogue_send(struct rogue *rogue, uint8_t type, const char *content)
{
    struct buffer plain = { 0 };
    buffer_append_u8(&plain, type);
    buffer_append_string(&plain, content);
    buffer_clear(&rogue->out);
    buffer_append_u16(&rogue->out, (uint16_t)(plain.size + NOISE_TAG_SIZE));
    cr_assert_eq(noise_encrypt(&rogue->sending, BYTES_NONE, buffer_bytes(&plain), &rogue->out), OK);
    buffer_close(&plain);
    return feed(&rogue->responder, buffer_bytes(&rogue->out));
}

Test(channel, parts_of_any_size_are_joined_and_a_rekey_may_stand_between_them)
{
    struct rogue rogue;
    rogue_open(&rogue, 100);
    cr_assert_eq(rogue_send(&rogue, 0, "a"), OK);
    cr_assert_eq(rogue_send(&rogue, 0, "bcd"), OK);
    cr_assert_eq(rogue_send(&rogue, 2, ""), OK);
    noise_rekey(&rogue.sending);
    cr_assert_eq(rogue_send(&rogue, 1, "ef"), OK);
    cr_assert_eq(rogue_send(&rogue, 1, "next"), OK);
    expect_messages(&rogue.responder, "abcdef|next|");
    rogue_close(&rogue);
}

Test(channel, frames_that_make_no_sense_are_malformed)
{
    static const struct {
        const char *first; /* of type part, unless empty */
        uint8_t type;
        const char *content;
    } cases[] = {
        { "", 4, "" },  { "", 0xff, "x" }, { "", 0, "" },     { "part", 1, "" },
        { "", 2, "x" }, { "", 3, "x" },    { "part", 3, "" }, { "part", 0, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rogue rogue;
        rogue_open(&rogue, 100);
        if (*cases[i].first)
            cr_assert_eq(rogue_send(&rogue, 0, cases[i].first), OK);
        cr_assert_eq(rogue_send(&rogue, cases[i].type, cases[i].content), ERR_MALFORMED, "%zu", i);
        cr_assert_eq(rogue.responder.messages, 0);
        cr_assert_not(channel_peer_ended(rogue.responder.channel));
        rogue_close(&rogue);
    }
}

Test(channel, a_frame_too_short_for_type_and_tag_is_malformed_at_its_size)
{
    for (uint16_t size = 0; size <= NOISE_TAG_SIZE + 1; size++) {
        struct rogue rogue;
        uint8_t head[2];
        rogue_open(&rogue, 100);
        put_u16(head, size);
        cr_assert_eq(feed(&rogue.responder, BYTES_OF_ARRAY(head)),
                     size <= NOISE_TAG_SIZE ? ERR_MALFORMED : OK);
        rogue_close(&rogue);
    }
}

Test(channel, a_message_above_the_limit_is_refused_at_the_size_of_the_frame_that_exceeds_it)
{
    struct rogue rogue;
    uint8_t head[2];
    rogue_open(&rogue, 10);
    cr_assert_eq(rogue_send(&rogue, 1, "0123456789"), OK);
    cr_assert_eq(rogue_send(&rogue, 0, "01234567"), OK);
    cr_assert_eq(rogue_send(&rogue, 1, "89"), OK);
    cr_assert_eq(rogue_send(&rogue, 0, "01234567"), OK);
    put_u16(head, 1 + 3 + NOISE_TAG_SIZE);
    cr_assert_eq(feed(&rogue.responder, BYTES_OF_ARRAY(head)), ERR_TOO_LARGE);
    expect_messages(&rogue.responder, "0123456789|0123456789|");
    rogue_close(&rogue);

    rogue_open(&rogue, 10);
    put_u16(head, 1 + 11 + NOISE_TAG_SIZE);
    cr_assert_eq(feed(&rogue.responder, BYTES_OF_ARRAY(head)), ERR_TOO_LARGE);
    struct bytes eleven = bytes_of_string("01234567890");
    cr_assert_eq(channel_send(rogue.responder.channel, eleven, &rogue.out), ERR_TOO_LARGE);
    rogue_close(&rogue);
}

Test(channel, a_peer_that_never_rekeys_is_refused)
{
    struct rogue rogue;
    rogue_open(&rogue, 10);
    for (size_t i = 0; i + 1 < CHANNEL_REKEY_FRAMES; i++)
        cr_assert_eq(rogue_send(&rogue, 1, ""), OK);
    cr_assert_eq(rogue_send(&rogue, 1, ""), ERR_MALFORMED);
    rogue_close(&rogue);
}

/* ---- somebody on the wire -------------------------------------------------------------------- */

Test(channel, a_frame_repeated_left_out_or_out_of_order_is_refused)
{
    enum { REPEATED, LEFT_OUT, REORDERED };
    for (int trick = REPEATED; trick <= REORDERED; trick++) {
        struct pair pair;
        struct buffer frames[3] = { { 0 }, { 0 }, { 0 } };
        static const char *const texts[] = { "one", "two", "three" };
        pair_open(&pair, CHANNEL_LINK, 0);
        struct side *from = &pair.sides[INITIATOR], *to = &pair.sides[RESPONDER];
        for (int i = 0; i < 3; i++)
            cr_assert_eq(channel_send(from->channel, bytes_of_string(texts[i]), &frames[i]), OK);
        if (trick != REORDERED)
            cr_assert_eq(feed(to, buffer_bytes(&frames[0])), OK);
        int second = trick == REPEATED ? 0 : trick == LEFT_OUT ? 2 : 1;
        cr_assert_eq(feed(to, buffer_bytes(&frames[second])), ERR_AUTH);
        cr_assert_eq(feed(to, buffer_bytes(&frames[1])), ERR_AUTH, "it does not go on after that");
        expect_messages(to, trick == REORDERED ? "" : "one|");
        for (int i = 0; i < 3; i++)
            buffer_close(&frames[i]);
        pair_close(&pair);
    }
}

Test(channel, frames_of_another_session_or_sent_back_are_refused)
{
    struct pair first, second;
    pair_open(&first, CHANNEL_LINK, 0);
    pair_open(&second, CHANNEL_LINK, 1);
    send_text(&first, INITIATOR, "secret");
    struct bytes frame = buffer_bytes(&first.sides[INITIATOR].out);
    cr_assert_eq(feed(&second.sides[RESPONDER], frame), ERR_AUTH);
    cr_assert_eq(feed(&first.sides[INITIATOR], frame), ERR_AUTH); /* reflection */
    cr_assert_eq(feed(&first.sides[RESPONDER], frame), OK);
    pair_close(&first);
    pair_close(&second);
}

Test(channel, a_recorded_session_played_again_reaches_nothing)
{
    struct buffer said[2] = { { 0 }, { 0 } };
    struct pair pair;
    record_session(CHANNEL_LINK, said);
    pair_init(&pair, CHANNEL_LINK, 1); /* a new connection has new ephemeral keys */
    pair_start(&pair);
    cr_assert_eq(feed(&pair.sides[RESPONDER], buffer_bytes(&said[INITIATOR])), ERR_AUTH);
    cr_assert_null(channel_peer(pair.sides[RESPONDER].channel));
    cr_assert_eq(feed(&pair.sides[INITIATOR], buffer_bytes(&said[RESPONDER])), ERR_AUTH);
    cr_assert_eq(pair.sides[RESPONDER].messages, 0);
    pair_close(&pair);
    buffer_close(&said[0]);
    buffer_close(&said[1]);
}

Test(channel, every_cipher_frame_altered_in_any_byte_is_refused)
{
    struct pair pair;
    struct buffer frame = { 0 };
    pair_open(&pair, CHANNEL_LINK, 0);
    struct side *from = &pair.sides[INITIATOR];
    cr_assert_eq(channel_send(from->channel, bytes_of_string("amount: 100"), &frame), OK);
    pair_close(&pair);
    for (size_t at = 2; at < frame.size; at++) {
        pair_open(&pair, CHANNEL_LINK, 0);
        frame.data[at] ^= 0x10;
        cr_assert_eq(feed(&pair.sides[RESPONDER], buffer_bytes(&frame)), ERR_AUTH);
        frame.data[at] ^= 0x10;
        cr_assert_eq(pair.sides[RESPONDER].messages, 0);
        pair_close(&pair);
    }
    buffer_close(&frame);
}
