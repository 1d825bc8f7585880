#include "proto/secure/aead.h"

#include "proto/base/require.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>

/* Ready for one message, or NULL. The system's openssl.cnf has no say in this. */
static EVP_CIPHER_CTX *cipher_begin(const uint8_t *key, const uint8_t *nonce, bool seals)
{
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return NULL;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    if (cipher && EVP_CipherInit_ex(cipher, EVP_chacha20_poly1305(), NULL, key, nonce, seals) == 1)
        return cipher;
    EVP_CIPHER_CTX_free(cipher); /* wipes; takes NULL */
    return NULL;
}

static bool cipher_update(EVP_CIPHER_CTX *cipher, struct bytes in, uint8_t *out)
{
    int done;
    return in.size <= INT_MAX &&
           EVP_CipherUpdate(cipher, out, &done, in.data, (int)in.size) == 1 &&
           (size_t)done == in.size;
}

void aead_seal_large(const uint8_t key[AEAD_KEY_SIZE], const uint8_t nonce[AEAD_NONCE_SIZE],
                     struct bytes plain, uint8_t *out)
{
    int none;
    EVP_CIPHER_CTX *cipher = cipher_begin(key, nonce, true);
    if (!cipher) {
        crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.size, NULL, 0, NULL,
                                                  nonce, key);
        return;
    }
    /* Once set up, it works in memory that it has: there is nothing left that may fail. Going on
     * with libsodium would read what may have been encrypted in place already. */
    require(cipher_update(cipher, plain, out) &&
            EVP_CipherFinal_ex(cipher, out + plain.size, &none) == 1 &&
            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE,
                                out + plain.size) == 1);
    EVP_CIPHER_CTX_free(cipher);
}

enum err aead_open_large(const uint8_t key[AEAD_KEY_SIZE], const uint8_t nonce[AEAD_NONCE_SIZE],
                         struct bytes sealed, uint8_t *out)
{
    int none;
    size_t size = sealed.size - AEAD_TAG_SIZE;
    uint8_t *tag = (uint8_t *)sealed.data + size; /* read only: an old interface */
    EVP_CIPHER_CTX *cipher = cipher_begin(key, nonce, false);
    if (!cipher) {
        int failed = crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data,
                                                               sealed.size, NULL, 0, nonce, key);
        return failed ? ERR_AUTH : OK;
    }
    bool opened = EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, tag) == 1 &&
                  cipher_update(cipher, bytes_of(sealed.data, size), out) &&
                  EVP_CipherFinal_ex(cipher, out + size, &none) == 1;
    EVP_CIPHER_CTX_free(cipher);
    if (opened)
        return OK;
    sodium_memzero(out, size); /* it was decrypted before it was judged */
    return ERR_AUTH;
}
