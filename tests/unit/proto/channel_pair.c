#include "tests/unit/proto/channel_pair.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct link_key key_of(uint8_t fill)
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

struct channel_config config_of(struct pair *pair, int role, enum channel_purpose purpose)
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

void pair_init(struct pair *pair, enum channel_purpose purpose, uint8_t session)
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

void pair_close(struct pair *pair)
{
    for (int role = 0; role < 2; role++) {
        channel_free(pair->sides[role].channel);
        buffer_close(&pair->sides[role].out);
        buffer_close(&pair->sides[role].received);
    }
}

void pair_start(struct pair *pair)
{
    for (int role = 0; role < 2; role++)
        cr_assert_eq(channel_start(pair->sides[role].channel, &pair->sides[role].out), OK);
}

enum err feed(struct side *side, struct bytes input)
{
    return channel_receive(side->channel, input, &side->out, keep_message, side);
}

enum err deliver(struct pair *pair, int from)
{
    struct buffer bytes = pair->sides[from].out;
    pair->sides[from].out = (struct buffer){ 0 };
    enum err err = feed(&pair->sides[1 - from], buffer_bytes(&bytes));
    buffer_close(&bytes);
    return err;
}

void pair_open(struct pair *pair, enum channel_purpose purpose, uint8_t session)
{
    pair_init(pair, purpose, session);
    pair_start(pair);
    cr_assert_eq(deliver(pair, INITIATOR), OK);
    cr_assert_eq(deliver(pair, RESPONDER), OK);
    cr_assert_eq(deliver(pair, INITIATOR), OK);
    cr_assert(channel_is_open(pair->sides[0].channel) && channel_is_open(pair->sides[1].channel));
}

void send_text(struct pair *pair, int from, const char *text)
{
    struct side *side = &pair->sides[from];
    cr_assert_eq(channel_send(side->channel, bytes_of_string(text), &side->out), OK);
}

void expect_messages(const struct side *side, const char *expected)
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

uint8_t *pattern_bytes(size_t size)
{
    uint8_t *bytes = malloc(size ? size : 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    return bytes;
}

void record_session(enum channel_purpose purpose, struct buffer said[2])
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
