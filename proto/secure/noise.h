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
    const char *pattern; /* "XK", "XKpsk3", ... without primitives */
    struct bytes prologue;
    const struct link_key *local_static;
    const struct link_key *local_ephemeral; /* fresh for each handshake */
    const struct link_public *remote_static;
    const uint8_t *psks[NOISE_PSK_MAX]; /* 32 bytes each */
    size_t psk_count;
};

struct noise {
    const struct noise_pattern *pattern;
    enum noise_role role;
    unsigned step; /* the next message, from 0 */
    struct noise_cipher cipher;
    uint8_t chaining_key[NOISE_HASH_SIZE];
    uint8_t hash[NOISE_HASH_SIZE];
    struct link_key local_static, local_ephemeral;
    struct link_public remote_static, remote_ephemeral;
    bool has_local_static, has_remote_static, has_remote_ephemeral;
    uint8_t psks[NOISE_PSK_MAX][32];
    size_t psk_count, psk_used;
};

/* ERR_INVALID for an unknown pattern or a missing key. Copies everything. */
enum err noise_init(struct noise *noise, const struct noise_config *config);
/* Wipes. */
void noise_close(struct noise *noise);
/* Whose turn it is; false for both sides once the handshake is complete. */
bool noise_writes_next(const struct noise *noise);
bool noise_is_complete(const struct noise *noise);
/* Appends one handshake message carrying `payload`. ERR_TOO_LARGE above NOISE_MESSAGE_SIZE_MAX;
 * ERR_AUTH when a key agreement gives the zero secret. */
enum err noise_write(struct noise *noise, struct bytes payload, struct buffer *out);
/* Takes one message and appends its payload. ERR_AUTH or ERR_MALFORMED: the handshake is over. */
enum err noise_read(struct noise *noise, struct bytes message, struct buffer *payload);
/* The ciphers of a complete handshake, seen from this side. A one-way pattern gives only the
 * initiator's sending cipher (the responder's receiving one); the other has no key. */
void noise_split(const struct noise *noise, struct noise_cipher *sending,
                 struct noise_cipher *receiving);

/* AEAD of the transport phase. `ad` may be empty. ERR_AUTH; ERR_CLOSED when the nonce is used up. */
enum err noise_encrypt(struct noise_cipher *cipher, struct bytes ad, struct bytes plain,
                       struct buffer *out);
enum err noise_decrypt(struct noise_cipher *cipher, struct bytes ad, struct bytes sealed,
                       struct buffer *out);
/* REKEY of section 4.2: the key changes, the nonce does not. */
void noise_rekey(struct noise_cipher *cipher);

#endif
