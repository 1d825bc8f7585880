#include "tests/unit/proto/channel_pair.h"

#include <criterion/criterion.h>

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

Test(channel_hostile, parts_of_any_size_are_joined_and_a_rekey_may_stand_between_them)
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

Test(channel_hostile, frames_that_make_no_sense_are_malformed)
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

Test(channel_hostile, a_frame_too_short_for_type_and_tag_is_malformed_at_its_size)
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

Test(channel_hostile, a_message_above_the_limit_is_refused_at_the_size_of_the_frame_that_exceeds_it)
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

Test(channel_hostile, a_peer_that_never_rekeys_is_refused)
{
    struct rogue rogue;
    rogue_open(&rogue, 10);
    for (size_t i = 0; i + 1 < CHANNEL_REKEY_FRAMES; i++)
        cr_assert_eq(rogue_send(&rogue, 1, ""), OK);
    cr_assert_eq(rogue_send(&rogue, 1, ""), ERR_MALFORMED);
    rogue_close(&rogue);
}

/* ---- somebody on the wire -------------------------------------------------------------------- */

Test(channel_hostile, a_frame_repeated_left_out_or_out_of_order_is_refused)
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

Test(channel_hostile, frames_of_another_session_or_sent_back_are_refused)
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

Test(channel_hostile, a_recorded_session_played_again_reaches_nothing)
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

Test(channel_hostile, every_cipher_frame_altered_in_any_byte_is_refused)
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
