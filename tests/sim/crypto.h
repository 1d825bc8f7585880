/* Stand-ins for the costly functions of libsodium, for simulated worlds where nobody forges.
 *
 * crypto.c defines crypto_sign_seed_keypair, crypto_sign_detached, crypto_sign_verify_detached,
 * crypto_scalarmult and crypto_scalarmult_base for the whole program. Off (as it starts): the real
 * ones. On: the same sizes and contracts at a hundredth of the cost, without any secrecy:
 *
 *   public signing key  BLAKE2b of the seed
 *   signature           BLAKE2b of the message, keyed with the public key (who knows it could sign)
 *   shared secret       Diffie-Hellman modulo 2^61 - 1, hashed; zero and one are refused like points
 *                       of low order
 *
 * Everything else (hashes, AEAD, Noise's own steps) is always the real thing. Keys made in one mode
 * are worthless in the other: set it before any key is made. */
#ifndef TESTS_SIM_CRYPTO_H
#define TESTS_SIM_CRYPTO_H

#include <stdbool.h>

void crypto_use_stand_ins(bool use);
bool crypto_uses_stand_ins(void);

#endif
