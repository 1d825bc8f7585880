/* Arbitrary bytes to a channel whose handshake is not complete.
 *
 * Byte 0 chooses: bit 0 the role that is attacked, bit 1 an enrolment, bit 2 whether the input is
 * laid over (xor) the genuine bytes of the other side, so that small changes are reached, or stands
 * for itself, bit 3 whether it comes byte by byte. Nothing may ever be accepted but the genuine
 * bytes themselves. */
#include "proto/secure/channel.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const struct bytes TOKEN = { (const uint8_t *)"token", 5 };
static const uint8_t SECRET[32] = { 0x99 };

static struct link_key key_of(uint8_t fill)
{
    uint8_t seed[KEY_SIZE];
    struct link_key key;
    memset(seed, fill, sizeof seed);
    link_key_from_seed(&key, seed);
    return key;
}

static enum err find_psk(void *context, struct bytes token_id, uint8_t psk[32])
{
    (void)context;
    memcpy(psk, SECRET, sizeof SECRET);
    return bytes_equal(token_id, TOKEN) ? OK : ERR_NOT_FOUND;
}

static enum err no_message(void *context, struct bytes message)
{
    (void)context;
    (void)message;
    require(false); /* nobody with the keys has sent one */
    return OK;
}

static struct channel *channel_of(enum noise_role role, enum channel_purpose purpose,
                                  struct buffer *out)
{
    static struct link_key statics[2], ephemerals[2];
    static bool made;
    for (int i = 0; i < 2 && !made; i++) {
        statics[i] = key_of((uint8_t)(1 + i));
        ephemerals[i] = key_of((uint8_t)(11 + i));
    }
    made = true;
    int own = role == NOISE_INITIATOR ? 0 : 1;
    struct channel_config config = {
        .role = role,
        .local_static = &statics[own],
        .local_ephemeral = &ephemerals[own],
        .purpose = purpose,
        .remote_static = role == NOISE_INITIATOR ? &statics[1].public : NULL,
        .token_id = TOKEN,
        .psk = SECRET,
        .find_psk = find_psk,
        .message_size_max = 1000,
    };
    struct channel *channel;
    require(channel_new(&channel, &config) == OK);
    require(channel_start(channel, out) == OK);
    return channel;
}

/* What each side says to the other, of an undisturbed handshake. */
struct genuine {
    struct buffer said[2];
};

static struct genuine genuine_of(enum channel_purpose purpose)
{
    struct genuine genuine = { 0 };
    struct buffer more = { 0 };
    struct channel *initiator = channel_of(NOISE_INITIATOR, purpose, &genuine.said[0]);
    struct channel *responder = channel_of(NOISE_RESPONDER, purpose, &genuine.said[1]);
    require(channel_receive(responder, buffer_bytes(&genuine.said[0]), &genuine.said[1], no_message,
                            NULL) == OK);
    require(channel_receive(initiator, buffer_bytes(&genuine.said[1]), &more, no_message, NULL) ==
            OK);
    buffer_append_bytes(&genuine.said[0], buffer_bytes(&more));
    require(channel_receive(responder, buffer_bytes(&more), &genuine.said[1], no_message, NULL) ==
            OK);
    require(channel_is_open(initiator) && channel_is_open(responder));
    channel_free(initiator);
    channel_free(responder);
    buffer_close(&more);
    return genuine;
}

static void lay_over(struct buffer *out, struct bytes genuine, struct bytes changes)
{
    buffer_append_bytes(out, genuine);
    for (size_t i = 0; i < changes.size && i < out->size; i++)
        out->data[i] ^= changes.data[i];
}

static void attack(enum noise_role role, enum channel_purpose purpose, struct bytes input,
                   bool is_genuine, size_t piece)
{
    struct buffer out = { 0 };
    struct channel *channel = channel_of(role, purpose, &out);
    enum err err = OK;
    for (size_t at = 0; at < input.size; at += piece) {
        size_t size = input.size - at < piece ? input.size - at : piece;
        enum err now =
            channel_receive(channel, bytes_of(input.data + at, size), &out, no_message, NULL);
        require(err == OK || now == err); /* an error stays the same */
        err = now;
    }
    require(channel_is_open(channel) == (channel_peer(channel) != NULL));
    require(is_genuine || !channel_peer(channel));
    require(!is_genuine || (err == OK && channel_is_open(channel)));
    channel_free(channel);
    buffer_close(&out);
}

FUZZ_TARGET(handshake)
{
    static struct genuine sessions[2];
    if (input.size == 0)
        return;
    if (!sessions[0].said[0].data) {
        sessions[0] = genuine_of(CHANNEL_LINK);
        sessions[1] = genuine_of(CHANNEL_ENROL);
    }
    uint8_t choice = input.data[0];
    struct bytes rest = bytes_of(input.data + 1, input.size - 1);
    bool enrols = choice & 2;
    struct bytes genuine = buffer_bytes(&sessions[enrols].said[choice & 1 ? 0 : 1]);
    struct buffer mixed = { 0 };
    if (choice & 4)
        lay_over(&mixed, genuine, rest);
    else
        buffer_append_bytes(&mixed, rest);
    /* Genuine bytes and nothing else: more of them would be frames that fail. */
    bool is_genuine = bytes_equal(buffer_bytes(&mixed), genuine);
    if (is_genuine || mixed.size <= genuine.size ||
        memcmp(mixed.data, genuine.data, genuine.size) != 0)
        attack(choice & 1 ? NOISE_RESPONDER : NOISE_INITIATOR,
               enrols ? CHANNEL_ENROL : CHANNEL_LINK, buffer_bytes(&mixed), is_genuine,
               choice & 8 ? 1 : SIZE_MAX / 2);
    buffer_close(&mixed);
}
