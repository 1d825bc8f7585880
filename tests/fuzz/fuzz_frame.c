/* An open channel, fed by a peer that has the keys and uses them as the input says, checked against
 * a model of what must come out.
 *
 * Byte 0: bit 0 the role that is attacked; the rest is the limit of a message. Then instructions:
 *
 *   0x00..0x3f  an authentic frame: u8 size, then that many bytes as plaintext (type and content)
 *   0x40..0x7f  the same, the bytes come one by one
 *   0x80..0xbf  raw bytes: u8 size, then the bytes
 *   0xc0..0xdf  the previous frame once more
 *   0xe0..0xff  an authentic frame with one byte altered: u8 place, u8 mask, then as 0x00 */
#include "proto/secure/channel.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

struct model {
    struct buffer message; /* parts so far */
    struct buffer expected, delivered;
    bool has_failed, has_ended;
};

struct attack {
    struct channel *channel;
    struct noise_cipher sending;
    size_t limit;
    struct buffer out, frame;
    struct model model;
};

static struct link_key key_of(uint8_t fill)
{
    uint8_t seed[KEY_SIZE];
    struct link_key key;
    memset(seed, fill, sizeof seed);
    link_key_from_seed(&key, seed);
    return key;
}

static enum err keep_message(void *context, struct bytes message)
{
    struct attack *attack = context;
    require(message.size <= attack->limit);
    buffer_append_u32(&attack->model.delivered, (uint32_t)message.size);
    buffer_append_bytes(&attack->model.delivered, message);
    return OK;
}

static enum err feed(struct attack *attack, struct bytes input)
{
    return channel_receive(attack->channel, input, &attack->out, keep_message, attack);
}

/* ---- the peer, by hand ----------------------------------------------------------------------- */

struct keys {
    struct link_key statics[2], ephemerals[2];
};

static const struct keys *keys(void)
{
    static struct keys keys;
    static bool made;
    for (int i = 0; i < 2 && !made; i++) {
        keys.statics[i] = key_of((uint8_t)(1 + i));
        keys.ephemerals[i] = key_of((uint8_t)(11 + i));
    }
    made = true;
    return &keys;
}

static void write_frame(struct attack *attack, struct noise *noise)
{
    buffer_append_u16(&attack->frame, (uint16_t)(noise->step == 2 ? 64 : 48));
    require(noise_write(noise, BYTES_NONE, &attack->frame) == OK);
    require(feed(attack, buffer_bytes(&attack->frame)) == OK);
    buffer_clear(&attack->frame);
}

static void read_frame(struct attack *attack, struct noise *noise)
{
    struct buffer payload = { 0 };
    size_t size = get_u16(attack->out.data);
    require(attack->out.size == 2 + size);
    require(noise_read(noise, bytes_of(attack->out.data + 2, size), &payload) == OK);
    buffer_clear(&attack->out);
    buffer_close(&payload);
}

static void handshake(struct attack *attack, bool peer_begins, const struct noise_config *config)
{
    struct noise noise;
    struct noise_cipher receiving;
    require(noise_init(&noise, config) == OK);
    if (peer_begins) {
        buffer_append_bytes(&attack->frame, config->prologue);
    } else { /* the preamble */
        attack->out.size -= 8;
        memmove(attack->out.data, attack->out.data + 8, attack->out.size);
    }
    while (!noise_is_complete(&noise)) {
        if (noise_writes_next(&noise))
            write_frame(attack, &noise);
        else
            read_frame(attack, &noise);
    }
    noise_split(&noise, &attack->sending, &receiving);
    require(channel_is_open(attack->channel));
    noise_close(&noise);
}

static void attack_open(struct attack *attack, enum noise_role attacked, size_t limit)
{
    int own = attacked == NOISE_INITIATOR ? 0 : 1, peer = 1 - own;
    *attack = (struct attack){ .limit = limit };
    struct channel_config channel_config = {
        .role = attacked,
        .local_static = &keys()->statics[own],
        .local_ephemeral = &keys()->ephemerals[own],
        .purpose = CHANNEL_LINK,
        .remote_static = attacked == NOISE_INITIATOR ? &keys()->statics[peer].public : NULL,
        .message_size_max = limit,
    };
    struct noise_config noise_config = {
        .role = attacked == NOISE_INITIATOR ? NOISE_RESPONDER : NOISE_INITIATOR,
        .pattern = "XK",
        .prologue = { (const uint8_t *)"SAMAD\0\1L", 8 },
        .local_static = &keys()->statics[peer],
        .local_ephemeral = &keys()->ephemerals[peer],
        .remote_static = attacked == NOISE_RESPONDER ? &keys()->statics[own].public : NULL,
    };
    require(channel_new(&attack->channel, &channel_config) == OK);
    require(channel_start(attack->channel, &attack->out) == OK);
    handshake(attack, attacked == NOISE_RESPONDER, &noise_config);
}

static void attack_close(struct attack *attack)
{
    channel_free(attack->channel);
    buffer_close(&attack->out);
    buffer_close(&attack->frame);
    buffer_close(&attack->model.message);
    buffer_close(&attack->model.expected);
    buffer_close(&attack->model.delivered);
}

/* ---- the model ------------------------------------------------------------------------------- */

static bool model_takes(struct model *model, struct bytes plain, size_t limit)
{
    if (model->has_ended || plain.size == 0 || plain.size - 1 > limit - model->message.size)
        return false;
    size_t before = model->message.size, size = plain.size - 1;
    uint8_t type = plain.data[0];
    if (type > 1) {
        model->has_ended = type == 3;
        return size == 0 && (type == 2 || (type == 3 && before == 0));
    }
    if (size == 0 && (type == 0 || before > 0))
        return false;
    buffer_append(&model->message, plain.data + 1, size);
    if (type == 0)
        return true;
    buffer_append_u32(&model->expected, (uint32_t)model->message.size);
    buffer_append_bytes(&model->expected, buffer_bytes(&model->message));
    buffer_clear(&model->message);
    return true;
}

/* ---- instructions ---------------------------------------------------------------------------- */

static void seal_frame(struct attack *attack, struct bytes plain)
{
    buffer_clear(&attack->frame);
    buffer_append_u16(&attack->frame, (uint16_t)(plain.size + NOISE_TAG_SIZE));
    require(noise_encrypt(&attack->sending, BYTES_NONE, plain, &attack->frame) == OK);
    if (plain.size == 1 && plain.data[0] == 2)
        noise_rekey(&attack->sending);
}

static void feed_pieces(struct attack *attack, struct bytes frame, bool one_by_one)
{
    size_t step = one_by_one ? 1 : frame.size;
    for (size_t at = 0; at < frame.size; at += step)
        feed(attack, bytes_of(frame.data + at, step));
}

static void send_authentic(struct attack *attack, struct bytes plain, bool one_by_one)
{
    struct model *model = &attack->model;
    seal_frame(attack, plain);
    if (!model->has_failed && !model_takes(model, plain, attack->limit))
        model->has_failed = true;
    feed_pieces(attack, buffer_bytes(&attack->frame), one_by_one);
    /* the error so far, without a byte more */
    require((feed(attack, BYTES_NONE) != OK) == model->has_failed);
}

static void send_altered(struct attack *attack, struct bytes plain, uint8_t place, uint8_t mask)
{
    seal_frame(attack, plain);
    attack->frame.data[2 + place % (attack->frame.size - 2)] ^= mask ? mask : 1;
    attack->model.has_failed = true;
    require(feed(attack, buffer_bytes(&attack->frame)) != OK);
}

/* Raw bytes may begin a frame that is never completed; so nothing after them is foretold but that
 * nothing more comes out. */
static void run_instructions(struct attack *attack, struct bytes input)
{
    struct reader reader = reader_of(input);
    while (!reader_at_end(&reader) && !attack->model.has_failed) {
        uint8_t code = read_u8(&reader);
        if (code < 0x80) {
            struct bytes plain = read_bytes(&reader, read_u8(&reader));
            send_authentic(attack, plain, code >= 0x40);
        } else if (code < 0xc0) {
            struct bytes raw = read_bytes(&reader, read_u8(&reader));
            attack->model.has_failed = raw.size > 0;
            feed_pieces(attack, raw, raw.size > 0 && code & 1);
        } else if (code < 0xe0) {
            attack->model.has_failed = attack->frame.size > 0;
            require(feed(attack, buffer_bytes(&attack->frame)) != OK || !attack->frame.size);
        } else {
            uint8_t place = read_u8(&reader), mask = read_u8(&reader);
            send_altered(attack, read_bytes(&reader, read_u8(&reader)), place, mask);
        }
    }
    feed(attack, reader.rest); /* what is left after a failure, raw */
}

FUZZ_TARGET(frame)
{
    struct attack attack;
    if (input.size == 0)
        return;
    attack_open(&attack, input.data[0] & 1 ? NOISE_RESPONDER : NOISE_INITIATOR,
                1 + input.data[0] / 2U);
    run_instructions(&attack, bytes_of(input.data + 1, input.size - 1));
    struct model *model = &attack.model;
    require(bytes_equal(buffer_bytes(&model->delivered), buffer_bytes(&model->expected)));
    require(!channel_peer_ended(attack.channel) || model->has_ended);
    attack_close(&attack);
}
