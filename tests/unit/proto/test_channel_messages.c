#include "tests/unit/proto/channel_pair.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* ---- messages -------------------------------------------------------------------------------- */

Test(channel_messages, messages_of_every_size_around_a_frame_arrive_whole_in_both_directions)
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

Test(channel_messages, bytes_cut_anywhere_give_the_same_as_all_at_once)
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

Test(channel_messages, a_session_cut_at_any_byte_is_not_taken_for_one_that_ended)
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

Test(channel_messages, after_the_end_one_side_is_silent_and_the_other_may_go_on)
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

Test(channel_messages, nothing_is_sent_before_the_handshake_is_complete)
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

Test(channel_messages, what_on_message_returns_stops_the_channel_but_a_farewell_can_be_sent)
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

Test(channel_messages, the_bytes_of_a_session_are_those_of_the_specification)
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

Test(channel_messages, the_sender_rekeys_by_itself_every_65536_frames_under_one_key)
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
