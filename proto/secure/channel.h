/* The encrypted channel of a link: preamble, handshake, frames, messages. Sans-I/O: bytes in,
 * messages and bytes out.
 *
 *   preamble  (initiator, clear)  "SAMAD" 0x00, framing version 1, purpose 'L' or 'E'
 *             — these 8 bytes are the Noise prologue
 *   frame     u16 size || Noise message (handshake, then transport)
 *   transport plaintext: one type byte, then content
 *             0x00 part of a message, more follow   0x01 last part of a message
 *             0x02 rekey: the sender's cipher rekeys after this frame
 *             0x03 end: no further bytes follow in this direction
 *   A message of up to MESSAGE_SIZE_MAX bytes is carried in as many frames as it needs.
 *   The sender rekeys every 2^16 frames, the rekey frame included, and the receiver insists on it;
 *   the caller may ask for it at any time (hourly). */
#ifndef PROTO_SECURE_CHANNEL_H
#define PROTO_SECURE_CHANNEL_H

#include "proto/secure/noise.h"

#define CHANNEL_PREAMBLE_SIZE 8
#define CHANNEL_FRAME_SIZE_MAX (2 + NOISE_MESSAGE_SIZE_MAX)
#define CHANNEL_REKEY_FRAMES (UINT64_C(1) << 16)
#define CHANNEL_TOKEN_ID_SIZE_MAX 64

enum channel_purpose { CHANNEL_LINK = 'L', CHANNEL_ENROL = 'E' };

struct channel;

struct channel_config {
    enum noise_role role;
    const struct link_key *local_static;
    const struct link_key *local_ephemeral;
    /* Initiator: the responder's key, the purpose, and for enrolment the token's id and secret. */
    enum channel_purpose purpose;
    const struct link_public *remote_static;
    struct bytes token_id; /* payload of message 1, 1..CHANNEL_TOKEN_ID_SIZE_MAX bytes */
    const uint8_t *psk;    /* 32 bytes */
    /* Responder: finds the secret of an enrolment token. An error refuses the handshake and is what
     * channel_receive() returns. NULL refuses enrolment. */
    enum err (*find_psk)(void *context, struct bytes token_id, uint8_t psk[32]);
    void *context;
    size_t message_size_max; /* larger ones are refused with ERR_TOO_LARGE */
};

/* Copies everything. ERR_INVALID for an incomplete configuration. */
enum err channel_new(struct channel **out, const struct channel_config *config);
/* Wipes keys and content. NULL is allowed. */
void channel_free(struct channel *channel);

/* Once, before anything else: appends an initiator's first bytes to `out`; nothing of a
 * responder. */
enum err channel_start(struct channel *channel, struct buffer *out);
/* Feed received bytes, cut anywhere. Calls `on_message` for each complete message (valid during the
 * call) and appends handshake answers to `out`. An error is kept and returned again: nothing more is
 * taken, the connection must be closed, after a last channel_send() if there is something to say:
 *   ERR_MALFORMED  not this protocol, or bytes after the peer's end
 *   ERR_VERSION    another framing version       ERR_REFUSED    a purpose that is not served
 *   ERR_AUTH       altered, replayed, reordered, or of another connection
 *   ERR_TOO_LARGE  a message above the limit: known from a frame's size, before it is kept
 *   what find_psk or on_message returned to stop
 * The first messages may come in the same call that completes the handshake: on_message looks at
 * channel_peer() before it trusts them. It may send on this channel, not feed or free it. Memory
 * grows with what was received: at most one frame, and twice the part of a message. */
typedef enum err channel_on_message(void *context, struct bytes message);
enum err channel_receive(struct channel *channel, struct bytes input, struct buffer *out,
                         channel_on_message *on_message, void *context);
/* True when messages may be sent: after the handshake, before channel_end(). */
bool channel_is_open(const struct channel *channel);
/* False at the end of the stream means that it was cut: what came is genuine, but not all. */
bool channel_peer_ended(const struct channel *channel);
/* Of a responder: once the handshake is complete. */
enum channel_purpose channel_purpose_of(const struct channel *channel);
/* The peer's static key; NULL until the handshake is complete. */
const struct link_public *channel_peer(const struct channel *channel);
/* First 32 bytes of the handshake hash; zero before the handshake is complete. */
void channel_binding(const struct channel *channel, uint8_t out[32]);
/* Appends the frames of one message, encrypted; it must not lie in `out`. ERR_CLOSED unless open;
 * ERR_TOO_LARGE above the limit, nothing sent. Any other error (ERR_NOMEM) closes the channel. */
enum err channel_send(struct channel *channel, struct bytes message, struct buffer *out);
/* New key for what this side sends from now on. */
enum err channel_rekey(struct channel *channel, struct buffer *out);
/* Nothing more is sent; receiving goes on. */
enum err channel_end(struct channel *channel, struct buffer *out);

#endif
