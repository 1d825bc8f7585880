/* Two channels and what passed between them. */
#ifndef TESTS_UNIT_PROTO_CHANNEL_PAIR_H
#define TESTS_UNIT_PROTO_CHANNEL_PAIR_H

#include "proto/secure/channel.h"

#define MESSAGE_SIZE_MAX (1024 * 1024)
#define CONTENT_SIZE_MAX (NOISE_MESSAGE_SIZE_MAX - NOISE_TAG_SIZE - 1)
#define INITIATOR        0
#define RESPONDER        1

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

struct link_key key_of(uint8_t fill);
struct channel_config config_of(struct pair *pair, int role, enum channel_purpose purpose);

/* `session` makes other ephemeral keys. */
void pair_init(struct pair *pair, enum channel_purpose purpose, uint8_t session);

void pair_close(struct pair *pair);
void pair_start(struct pair *pair);
enum err feed(struct side *side, struct bytes input);

/* Everything that waits in one direction arrives. */
enum err deliver(struct pair *pair, int from);

void pair_open(struct pair *pair, enum channel_purpose purpose, uint8_t session);
void send_text(struct pair *pair, int from, const char *text);

/* The messages a side has received, joined: "one|two|". */
void expect_messages(const struct side *side, const char *expected);

uint8_t *pattern_bytes(size_t size);

/* The bytes each side says in an undisturbed session: the initiator also one message. */
void record_session(enum channel_purpose purpose, struct buffer said[2]);

#endif
