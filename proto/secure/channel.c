/* Received bytes pass three stages, each of which waits for a known number of bytes:
 *
 *   PREAMBLE (responder only) ──> SIZE <──> FRAME
 *
 * A frame that lies wholly in the caller's input is decrypted from there; only one that is cut by
 * the end of the input is collected in `partial` first. Its content is decrypted to the place in
 * `message` where it belongs. */
#include "proto/secure/channel.h"

#include "proto/base/require.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIELD       2
#define TYPE_SIZE        1
#define CONTENT_SIZE_MAX (NOISE_MESSAGE_SIZE_MAX - NOISE_TAG_SIZE - TYPE_SIZE)
#define FRAMING_VERSION  1

static const uint8_t MAGIC[6] = { 'S', 'A', 'M', 'A', 'D', 0 };

enum stage { STAGE_PREAMBLE, STAGE_SIZE, STAGE_FRAME };
enum frame_type { FRAME_PART = 0, FRAME_LAST = 1, FRAME_REKEY = 2, FRAME_END = 3 };

struct channel {
    enum noise_role role;
    enum channel_purpose purpose;
    struct noise noise;
    struct link_key local_static, local_ephemeral; /* until the handshake begins */
    uint8_t token_id[CHANNEL_TOKEN_ID_SIZE_MAX];
    size_t token_id_size;
    enum err (*find_psk)(void *context, struct bytes token_id, uint8_t psk[32]);
    void *find_psk_context;
    size_t message_size_max;

    /* The first of each direction, for good. Apart, so that a peer that sends nonsense can still be
     * told so. */
    enum err receive_err, send_err;
    bool started, open, ended, peer_ended;
    struct link_public peer;
    uint8_t binding[32];

    struct noise_cipher sending, receiving;
    uint64_t sent_frames, received_frames; /* under the present key */

    enum stage stage;
    size_t wanted;         /* bytes that the stage waits for */
    struct buffer partial; /* those of them that came in earlier input */
    struct buffer message; /* one spare byte (see take_transport), then what has come of it */
};

/* ---- life ------------------------------------------------------------------------------------ */

static void preamble_write(uint8_t out[CHANNEL_PREAMBLE_SIZE], enum channel_purpose purpose)
{
    memcpy(out, MAGIC, sizeof MAGIC);
    out[6] = FRAMING_VERSION;
    out[7] = (uint8_t)purpose;
}

static enum err begin_handshake(struct channel *channel, const struct link_public *remote_static,
                                const uint8_t *psk)
{
    uint8_t preamble[CHANNEL_PREAMBLE_SIZE];
    bool enrols = channel->purpose == CHANNEL_ENROL;
    preamble_write(preamble, channel->purpose);
    struct noise_config config = {
        .role = channel->role,
        .pattern = enrols ? "XKpsk3" : "XK",
        .prologue = BYTES_OF_ARRAY(preamble),
        .local_static = &channel->local_static,
        .local_ephemeral = &channel->local_ephemeral,
        .remote_static = remote_static,
        .psks = { psk },
        .psk_count = enrols ? 1 : 0,
    };
    enum err err = noise_init(&channel->noise, &config);
    sodium_memzero(&channel->local_static, sizeof channel->local_static);
    sodium_memzero(&channel->local_ephemeral, sizeof channel->local_ephemeral);
    return err;
}

static bool config_is_complete(const struct channel_config *config)
{
    if (!config->local_static || !config->local_ephemeral || config->message_size_max == 0)
        return false;
    if (config->role == NOISE_RESPONDER)
        return true;
    bool has_token = config->psk && config->token_id.size >= 1 &&
                     config->token_id.size <= CHANNEL_TOKEN_ID_SIZE_MAX;
    return config->remote_static &&
           (config->purpose == CHANNEL_LINK || (config->purpose == CHANNEL_ENROL && has_token));
}

static enum err channel_init(struct channel *channel, const struct channel_config *config)
{
    *channel = (struct channel){
        .role = config->role,
        .local_static = *config->local_static,
        .local_ephemeral = *config->local_ephemeral,
        .find_psk = config->find_psk,
        .find_psk_context = config->context,
        .message_size_max = config->message_size_max,
        .stage = STAGE_PREAMBLE,
        .wanted = CHANNEL_PREAMBLE_SIZE,
    };
    if (config->role == NOISE_RESPONDER)
        return OK;
    channel->purpose = config->purpose;
    channel->stage = STAGE_SIZE;
    channel->wanted = SIZE_FIELD;
    if (config->purpose == CHANNEL_ENROL) {
        memcpy(channel->token_id, config->token_id.data, config->token_id.size);
        channel->token_id_size = config->token_id.size;
    }
    return begin_handshake(channel, config->remote_static, config->psk);
}

enum err channel_new(struct channel **out, const struct channel_config *config)
{
    *out = NULL;
    if (!config_is_complete(config))
        return ERR_INVALID;
    struct channel *channel = malloc(sizeof *channel);
    if (!channel)
        return ERR_NOMEM;
    enum err err = channel_init(channel, config);
    if (err == OK)
        *out = channel;
    else
        channel_free(channel);
    return err;
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    if (channel->message.data)
        sodium_memzero(channel->message.data, channel->message.capacity);
    buffer_close(&channel->message);
    buffer_close(&channel->partial);
    sodium_memzero(channel, sizeof *channel);
    free(channel);
}

bool channel_is_open(const struct channel *channel)
{
    return channel->open && !channel->ended && channel->send_err == OK;
}

bool channel_peer_ended(const struct channel *channel)
{
    return channel->peer_ended;
}

enum channel_purpose channel_purpose_of(const struct channel *channel)
{
    return channel->purpose;
}

const struct link_public *channel_peer(const struct channel *channel)
{
    return channel->open ? &channel->peer : NULL;
}

void channel_binding(const struct channel *channel, uint8_t out[32])
{
    memcpy(out, channel->binding, sizeof channel->binding);
}

/* ---- handshake ------------------------------------------------------------------------------- */

static enum err send_handshake(struct channel *channel, struct buffer *out)
{
    struct bytes payload = BYTES_NONE;
    if (channel->noise.step == 0)
        payload = bytes_of(channel->token_id, channel->token_id_size);
    size_t start = out->size;
    buffer_append_u16(out, 0);
    enum err err = out->err;
    if (err == OK)
        err = noise_write(&channel->noise, payload, out);
    if (err == OK)
        put_u16(out->data + start, (uint16_t)(out->size - start - SIZE_FIELD));
    return err;
}

/* Every handshake message has one size, but the first of an enrolment, which has the token's id:
 * so no other payload can come in. */
static bool handshake_size_is_right(const struct channel *channel, size_t size)
{
    static const size_t sizes[] = {
        KEY_SIZE + NOISE_TAG_SIZE,                  /* e, payload */
        KEY_SIZE + NOISE_TAG_SIZE,                  /* e, payload */
        KEY_SIZE + NOISE_TAG_SIZE + NOISE_TAG_SIZE, /* s, payload */
    };
    size_t without_payload = sizes[channel->noise.step];
    if (channel->noise.step == 0 && channel->purpose == CHANNEL_ENROL)
        return size > without_payload && size - without_payload <= CHANNEL_TOKEN_ID_SIZE_MAX;
    return size == without_payload;
}

static enum err find_psk(struct channel *channel, struct bytes token_id)
{
    uint8_t psk[32] = { 0 };
    enum err err = channel->find_psk(channel->find_psk_context, token_id, psk);
    if (err == OK)
        noise_set_psk(&channel->noise, 0, psk);
    sodium_memzero(psk, sizeof psk);
    return err;
}

static void open_channel(struct channel *channel)
{
    noise_split(&channel->noise, &channel->sending, &channel->receiving);
    memcpy(channel->binding, channel->noise.hash, sizeof channel->binding);
    channel->peer = channel->noise.remote_static;
    channel->open = true;
    noise_close(&channel->noise);
}

static enum err take_handshake(struct channel *channel, struct bytes frame, struct buffer *out)
{
    uint8_t token_id[CHANNEL_TOKEN_ID_SIZE_MAX];
    struct buffer payload = { .data = token_id, .capacity = sizeof token_id }; /* never grows */
    enum err err = noise_read(&channel->noise, frame, &payload);
    if (err == OK && payload.size > 0)
        err = find_psk(channel, buffer_bytes(&payload));
    if (err == OK && noise_writes_next(&channel->noise))
        err = send_handshake(channel, out);
    if (err == OK && noise_is_complete(&channel->noise))
        open_channel(channel);
    return err;
}

static enum err take_preamble(struct channel *channel, struct bytes preamble)
{
    uint8_t purpose = preamble.data[7];
    if (memcmp(preamble.data, MAGIC, sizeof MAGIC) != 0)
        return ERR_MALFORMED;
    if (preamble.data[6] != FRAMING_VERSION)
        return ERR_VERSION;
    if (purpose != CHANNEL_LINK && (purpose != CHANNEL_ENROL || !channel->find_psk))
        return ERR_REFUSED;
    channel->purpose = purpose == CHANNEL_LINK ? CHANNEL_LINK : CHANNEL_ENROL;
    return begin_handshake(channel, NULL, NULL);
}

enum err channel_start(struct channel *channel, struct buffer *out)
{
    require(!channel->started);
    channel->started = true;
    if (channel->role == NOISE_RESPONDER)
        return OK;
    uint8_t preamble[CHANNEL_PREAMBLE_SIZE];
    preamble_write(preamble, channel->purpose);
    buffer_append(out, preamble, sizeof preamble);
    channel->send_err = send_handshake(channel, out);
    return channel->send_err;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static enum err take_content(struct channel *channel, enum frame_type type, size_t size,
                             channel_on_message *on_message, void *context)
{
    struct buffer *message = &channel->message;
    size_t before = message->size - TYPE_SIZE - size;
    if (type == FRAME_PART) /* an empty part would be work without progress */
        return size > 0 ? OK : ERR_MALFORMED;
    if (size == 0 && before > 0)
        return ERR_MALFORMED;
    struct bytes whole = bytes_of(message->data + TYPE_SIZE, message->size - TYPE_SIZE);
    enum err err = on_message(context, whole);
    message->size = TYPE_SIZE;
    return err;
}

/* The byte before the content's place is lent to the type byte, so that the content is decrypted
 * to where it stays: for the first frame a spare byte, later the last byte of the frame before. */
static enum err take_transport(struct channel *channel, struct bytes frame,
                               channel_on_message *on_message, void *context)
{
    struct buffer *message = &channel->message;
    if (message->size == 0)
        buffer_append_u8(message, 0);
    if (message->err != OK)
        return message->err;
    size_t type_place = message->size - TYPE_SIZE;
    uint8_t lent = message->data[type_place];
    message->size = type_place;
    enum err err = noise_decrypt(&channel->receiving, BYTES_NONE, frame, message);
    if (err != OK)
        return err;
    uint8_t type = message->data[type_place];
    message->data[type_place] = lent;

    size_t size = frame.size - NOISE_TAG_SIZE - TYPE_SIZE;
    bool must_rekey = ++channel->received_frames == CHANNEL_REKEY_FRAMES;
    if (must_rekey && type != FRAME_REKEY)
        return ERR_MALFORMED;
    if (type == FRAME_PART || type == FRAME_LAST)
        return take_content(channel, type, size, on_message, context);
    if (size > 0)
        return ERR_MALFORMED;
    if (type == FRAME_REKEY) {
        noise_rekey(&channel->receiving);
        channel->received_frames = 0;
        return OK;
    }
    if (type == FRAME_END && message->size == TYPE_SIZE) {
        channel->peer_ended = true;
        return OK;
    }
    return ERR_MALFORMED;
}

/* Looked at before any byte of the frame is kept. */
static enum err take_size(struct channel *channel, struct bytes field)
{
    size_t size = get_u16(field.data);
    channel->wanted = size;
    if (!channel->open)
        return handshake_size_is_right(channel, size) ? OK : ERR_MALFORMED;
    if (size < TYPE_SIZE + NOISE_TAG_SIZE)
        return ERR_MALFORMED;
    size_t held = channel->message.size ? channel->message.size - TYPE_SIZE : 0;
    size_t content = size - TYPE_SIZE - NOISE_TAG_SIZE;
    return content <= channel->message_size_max - held ? OK : ERR_TOO_LARGE;
}

/* Takes from the front of `input` what the stage still waits for; false when that is not all. The
 * piece is valid until the next call. */
static bool collect(struct channel *channel, struct bytes *input, struct bytes *piece)
{
    struct buffer *partial = &channel->partial;
    size_t missing = channel->wanted - partial->size;
    size_t taken = missing < input->size ? missing : input->size;
    struct bytes front = bytes_of(input->data, taken);
    *input = bytes_of(input->data + taken, input->size - taken);
    if (partial->size == 0 && taken == missing) {
        *piece = front;
        return true;
    }
    buffer_append_bytes(partial, front);
    if (partial->err != OK)
        channel->receive_err = partial->err;
    *piece = buffer_bytes(partial);
    return partial->err == OK && partial->size == channel->wanted;
}

/* The caller of channel_receive, for the stages. */
struct receiver {
    struct buffer *out;
    channel_on_message *on_message;
    void *context;
};

static enum err take_piece(struct channel *channel, struct bytes piece,
                           const struct receiver *receiver)
{
    if (channel->stage == STAGE_SIZE) {
        channel->stage = STAGE_FRAME;
        return take_size(channel, piece);
    }
    enum err err;
    if (channel->stage == STAGE_PREAMBLE)
        err = take_preamble(channel, piece);
    else if (channel->open)
        err = take_transport(channel, piece, receiver->on_message, receiver->context);
    else
        err = take_handshake(channel, piece, receiver->out);
    channel->stage = STAGE_SIZE;
    channel->wanted = SIZE_FIELD;
    return err;
}

enum err channel_receive(struct channel *channel, struct bytes input, struct buffer *out,
                         channel_on_message *on_message, void *context)
{
    struct receiver receiver = { out, on_message, context };
    struct bytes piece;
    require(channel->started);
    while (channel->receive_err == OK && input.size > 0) {
        if (channel->peer_ended) {
            channel->receive_err = ERR_MALFORMED;
        } else if (collect(channel, &input, &piece)) {
            channel->partial.size = 0; /* the bytes stay until the next collect() */
            channel->receive_err = take_piece(channel, piece, &receiver);
        }
    }
    return channel->receive_err;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* One copy of the content, then encryption in place. */
static enum err send_frame(struct channel *channel, enum frame_type type, struct bytes content,
                           struct buffer *out)
{
    size_t plain_size = TYPE_SIZE + content.size;
    uint8_t *room = buffer_reserve(out, SIZE_FIELD + plain_size + NOISE_TAG_SIZE);
    if (!room)
        return out->err;
    put_u16(room, (uint16_t)(plain_size + NOISE_TAG_SIZE));
    room[SIZE_FIELD] = (uint8_t)type;
    if (content.size > 0)
        memcpy(room + SIZE_FIELD + TYPE_SIZE, content.data, content.size);
    out->size += SIZE_FIELD;
    channel->sent_frames++;
    return noise_encrypt(&channel->sending, BYTES_NONE, bytes_of(room + SIZE_FIELD, plain_size),
                         out);
}

static enum err send_rekey(struct channel *channel, struct buffer *out)
{
    enum err err = send_frame(channel, FRAME_REKEY, BYTES_NONE, out);
    if (err == OK) {
        noise_rekey(&channel->sending);
        channel->sent_frames = 0;
    }
    return err;
}

static enum err send_part(struct channel *channel, enum frame_type type, struct bytes content,
                          struct buffer *out)
{
    enum err err = send_frame(channel, type, content, out);
    if (err == OK && channel->sent_frames == CHANNEL_REKEY_FRAMES - 1)
        err = send_rekey(channel, out);
    return err;
}

/* A nonce may be spent on bytes that never leave: then nothing may follow them. */
static enum err finish_sending(struct channel *channel, struct buffer *out, size_t start,
                               enum err err)
{
    if (err != OK) {
        out->size = start;
        channel->send_err = err;
    }
    return err;
}

enum err channel_send(struct channel *channel, struct bytes message, struct buffer *out)
{
    if (!channel_is_open(channel))
        return ERR_CLOSED;
    if (message.size > channel->message_size_max)
        return ERR_TOO_LARGE;
    size_t start = out->size;
    size_t frames = message.size / CONTENT_SIZE_MAX + 1;
    enum err err = OK;
    if (!buffer_reserve(out, message.size + frames * (CHANNEL_FRAME_SIZE_MAX - CONTENT_SIZE_MAX)))
        err = out->err;
    while (err == OK && message.size > CONTENT_SIZE_MAX) {
        err = send_part(channel, FRAME_PART, bytes_of(message.data, CONTENT_SIZE_MAX), out);
        message = bytes_of(message.data + CONTENT_SIZE_MAX, message.size - CONTENT_SIZE_MAX);
    }
    if (err == OK)
        err = send_part(channel, FRAME_LAST, message, out);
    return finish_sending(channel, out, start, err);
}

enum err channel_rekey(struct channel *channel, struct buffer *out)
{
    if (!channel_is_open(channel))
        return ERR_CLOSED;
    size_t start = out->size;
    return finish_sending(channel, out, start, send_rekey(channel, out));
}

enum err channel_end(struct channel *channel, struct buffer *out)
{
    if (!channel_is_open(channel))
        return ERR_CLOSED;
    size_t start = out->size;
    enum err err = send_frame(channel, FRAME_END, BYTES_NONE, out);
    channel->ended = err == OK;
    return finish_sending(channel, out, start, err);
}
