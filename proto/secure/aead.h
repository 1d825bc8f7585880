/* ChaCha20-Poly1305 of RFC 8439 without additional data, for the large frames of the transport
 * phase: OpenSSL's vector code does 3.6 GB/s where libsodium's does 1.5, and every byte of a
 * catch-up passes here at both ends. The bytes are the same; everything else (handshakes, rekeying,
 * small frames, sealing at rest) stays with libsodium, which is also what is used when OpenSSL cannot
 * be set up. The only use of OpenSSL in the project. */
#ifndef PROTO_SECURE_AEAD_H
#define PROTO_SECURE_AEAD_H

#include "proto/base/bytes.h"

#define AEAD_KEY_SIZE   32
#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE   16
/* Below, setting OpenSSL up costs more than it saves. */
#define AEAD_LARGE_MIN 4096

/* `out` has plain.size + AEAD_TAG_SIZE bytes and may begin where `plain` begins. */
void aead_seal_large(const uint8_t key[AEAD_KEY_SIZE], const uint8_t nonce[AEAD_NONCE_SIZE],
                     struct bytes plain, uint8_t *out);
/* `out` has sealed.size - AEAD_TAG_SIZE bytes, at least none. ERR_AUTH, and `out` is all zeros. */
enum err aead_open_large(const uint8_t key[AEAD_KEY_SIZE], const uint8_t nonce[AEAD_NONCE_SIZE],
                         struct bytes sealed, uint8_t *out);

#endif
