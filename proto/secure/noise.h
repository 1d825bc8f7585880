/* The Noise Protocol Framework, revision 34, with 25519, ChaChaPoly and BLAKE2b on libsodium:
 * handshakes as pure steps. No I/O, no allocation, no randomness: keys come in from outside.
 *
 *   noise_init -> noise_write / noise_read in turn -> noise_split
 *
 * The pattern is data (a table of tokens), so the one-way, the fundamental interactive and the psk
 * variants are one piece of code. Links use XK, enrolment XKpsk3 (design D8). */
#ifndef PROTO_SECURE_NOISE_H
#define PROTO_SECURE_NOISE_H

#include "proto/secure/keys.h"

#define NOISE_MESSAGE_SIZE_MAX 65535
#define NOISE_TAG_SIZE 16
#define NOISE_HASH_SIZE 64
#define NOISE_PSK_MAX 4

struct noise_cipher {
    bool has_key;
    uint8_t key[32];
    uint64_t nonce;
};

enum noise_role { NOISE_INITIATOR, NOISE_RESPONDER };

/* What a side brings. Unused ones are left NULL. */
struct noise_config {
    enum noise_role role;
    const char *pattern; /* "XK", "XKpsk3", "NNpsk0+psk2" ... without primitives */
    struct bytes prologue;
    const struct link_key *local_static;
    const struct link_key *local_ephemeral; /* fresh for each handshake */
    const struct link_public *remote_static;
    const uint8_t *psks[NOISE_PSK_MAX]; /* 32 bytes each; NULL: noise_set_psk() gives it later */
    size_t psk_count;
};

struct noise {
    const struct noise_pattern *pattern;
    enum noise_role role;
    unsigned step; /* the next message, from 0 */
    bool failed;
    unsigned psk_places; /* bit 0: before message 1; bit n: after message n's tokens */
    struct noise_cipher cipher;
    uint8_t chaining_key[NOISE_HASH_SIZE];
    uint8_t hash[NOISE_HASH_SIZE];
    struct link_key local_static, local_ephemeral;
    struct link_public remote_static, remote_ephemeral;
    bool has_psk[NOISE_PSK_MAX];
    uint8_t psks[NOISE_PSK_MAX][32];
    size_t psk_count, psk_used;
};

/* ERR_INVALID for an unknown pattern, a missing key, another number of psks than the pattern has,
 * or a remote static key that the pattern does not know beforehand. Copies everything. */
enum err noise_init(struct noise *noise, const struct noise_config *config);
/* A psk that becomes known during the handshake, before the message that mixes it (which is
 * ERR_INVALID without it): a responder learns in message 1 which token's secret to take. */
void noise_set_psk(struct noise *noise, size_t index, const uint8_t psk[32]);
/* Wipes. */
void noise_close(struct noise *noise);
/* Whose turn it is; false for both sides once the handshake is complete. */
bool noise_writes_next(const struct noise *noise);
bool noise_is_complete(const struct noise *noise);
/* Appends one handshake message carrying `payload`. ERR_TOO_LARGE above NOISE_MESSAGE_SIZE_MAX;
 * ERR_AUTH when a key agreement gives the zero secret. After an error, here or in noise_read(), the
 * handshake is over: everything is wiped, nothing was appended, further steps are ERR_CLOSED. */
enum err noise_write(struct noise *noise, struct bytes payload, struct buffer *out);
/* Takes one message and appends its payload. ERR_AUTH or ERR_MALFORMED: the handshake is over. */
enum err noise_read(struct noise *noise, struct bytes message, struct buffer *payload);
/* The ciphers of a complete handshake, seen from this side. A one-way pattern gives only the
 * initiator's sending cipher (the responder's receiving one); the other has no key. */
void noise_split(const struct noise *noise, struct noise_cipher *sending,
                 struct noise_cipher *receiving);

/* AEAD of the transport phase; appends. `ad` may be empty. ERR_AUTH; ERR_CLOSED when the nonce is
 * used up; ERR_TOO_LARGE or ERR_MALFORMED for a size that no Noise message has. Nothing is appended
 * and the nonce stays after an error. `plain` may lie at out->data + out->size, in room reserved
 * for it and the tag: then it is encrypted in place. */
enum err noise_encrypt(struct noise_cipher *cipher, struct bytes ad, struct bytes plain,
                       struct buffer *out);
enum err noise_decrypt(struct noise_cipher *cipher, struct bytes ad, struct bytes sealed,
                       struct buffer *out);
/* REKEY of section 4.2: the key changes, the nonce does not. */
void noise_rekey(struct noise_cipher *cipher);

#endif
