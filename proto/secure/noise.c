/* Noise revision 34: section numbers in the comments are of its specification. */
#include "proto/secure/noise.h"

#include "proto/base/require.h"
#include "proto/secure/aead.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define DH_SIZE               32
#define BLAKE2B_BLOCK_SIZE    128
#define PATTERN_NAME_SIZE_MAX 32 /* with it the protocol name stays within NOISE_HASH_SIZE */
#define PATTERN_MESSAGE_MAX   4

/* ---- patterns (section 7 and appendix 18.1) -------------------------------------------------- */

/* Tokens stand as in the specification. "es" is the initiator's e with the responder's s. */
struct noise_pattern {
    const char *name;
    const char *before_initiator, *before_responder; /* pre-messages: "s" or nothing */
    const char *messages[PATTERN_MESSAGE_MAX];       /* the initiator's first; NULL ends */
};

static const struct noise_pattern PATTERNS[] = {
    /* one-way */
    { "N", "", "s", { "e es" } },
    { "K", "s", "s", { "e es ss" } },
    { "X", "", "s", { "e es s ss" } },
    /* interactive, fundamental */
    { "NN", "", "", { "e", "e ee" } },
    { "NK", "", "s", { "e es", "e ee" } },
    { "NX", "", "", { "e", "e ee s es" } },
    { "KN", "s", "", { "e", "e ee se" } },
    { "KK", "s", "s", { "e es ss", "e ee se" } },
    { "KX", "s", "", { "e", "e ee se s es" } },
    { "XN", "", "", { "e", "e ee", "s se" } },
    { "XK", "", "s", { "e es", "e ee", "s se" } },
    { "XX", "", "", { "e", "e ee s es", "s se" } },
    { "IN", "", "", { "e s", "e ee se" } },
    { "IK", "", "s", { "e es s ss", "e ee se" } },
    { "IX", "", "", { "e s", "e ee se s es" } },
    /* interactive, deferred */
    { "NK1", "", "s", { "e", "e ee es" } },
    { "NX1", "", "", { "e", "e ee s", "es" } },
    { "X1N", "", "", { "e", "e ee", "s", "se" } },
    { "X1K", "", "s", { "e es", "e ee", "s", "se" } },
    { "XK1", "", "s", { "e", "e ee es", "s se" } },
    { "X1K1", "", "s", { "e", "e ee es", "s", "se" } },
    { "X1X", "", "", { "e", "e ee s es", "s", "se" } },
    { "XX1", "", "", { "e", "e ee s", "es s se" } },
    { "X1X1", "", "", { "e", "e ee s", "es s", "se" } },
    { "K1N", "s", "", { "e", "e ee", "se" } },
    { "K1K", "s", "s", { "e es", "e ee", "se" } },
    { "KK1", "s", "s", { "e", "e ee se es" } },
    { "K1K1", "s", "s", { "e", "e ee es", "se" } },
    { "K1X", "s", "", { "e", "e ee s es", "se" } },
    { "KX1", "s", "", { "e", "e ee se s", "es" } },
    { "K1X1", "s", "", { "e", "e ee s", "se es" } },
    { "I1N", "", "", { "e s", "e ee", "se" } },
    { "I1K", "", "s", { "e es s", "e ee", "se" } },
    { "IK1", "", "s", { "e s", "e ee se es" } },
    { "I1K1", "", "s", { "e s", "e ee es", "se" } },
    { "I1X", "", "", { "e s", "e ee s es", "se" } },
    { "IX1", "", "", { "e s", "e ee se s", "es" } },
    { "I1X1", "", "", { "e s", "e ee s", "se es" } },
};

static unsigned pattern_message_count(const struct noise_pattern *pattern)
{
    unsigned count = 0;
    while (count < PATTERN_MESSAGE_MAX && pattern->messages[count])
        count++;
    return count;
}

static bool pattern_is_one_way(const struct noise_pattern *pattern)
{
    return pattern_message_count(pattern) == 1;
}

static const struct noise_pattern *pattern_find(const char *name, size_t name_size)
{
    for (size_t i = 0; i < sizeof PATTERNS / sizeof *PATTERNS; i++)
        if (strlen(PATTERNS[i].name) == name_size && !memcmp(PATTERNS[i].name, name, name_size))
            return &PATTERNS[i];
    return NULL;
}

/* "psk0+psk2" becomes a mask of places: 0 before the first message, n after the tokens of the n-th
 * one. Ascending, each once. */
static enum err parse_psk_places(const char *modifiers, unsigned message_count, unsigned *places)
{
    *places = 0;
    while (*modifiers) {
        if (strncmp(modifiers, "psk", 3) != 0 || modifiers[3] < '0' || modifiers[3] > '9')
            return ERR_INVALID;
        unsigned place = (unsigned)(modifiers[3] - '0');
        if (place > message_count || *places >> place)
            return ERR_INVALID;
        *places |= 1U << place;
        modifiers += 4;
        if (*modifiers == '+' && modifiers[1])
            modifiers++;
        else if (*modifiers)
            return ERR_INVALID;
    }
    return OK;
}

static enum err parse_pattern(struct noise *noise, const char *name)
{
    if (strlen(name) > PATTERN_NAME_SIZE_MAX)
        return ERR_INVALID;
    size_t base_size = strcspn(name, "p");
    noise->pattern = pattern_find(name, base_size);
    if (!noise->pattern)
        return ERR_INVALID;
    return parse_psk_places(name + base_size, pattern_message_count(noise->pattern),
                            &noise->psk_places);
}

/* Copies the next token of a line; false at its end. */
static bool next_token(const char **line, char token[3])
{
    size_t size = strcspn(*line, " ");
    if (size == 0)
        return false;
    require(size <= 2);
    memcpy(token, *line, size);
    token[size] = '\0';
    *line += size + ((*line)[size] == ' ');
    return true;
}

static bool line_has(const char *line, const char *wanted)
{
    char token[3];
    while (next_token(&line, token))
        if (strcmp(token, wanted) == 0)
            return true;
    return false;
}

/* ---- hash functions (section 4.3) ------------------------------------------------------------ */

static void hash_two(uint8_t out[NOISE_HASH_SIZE], struct bytes a, struct bytes b)
{
    crypto_generichash_blake2b_state state;
    crypto_generichash_blake2b_init(&state, NULL, 0, NOISE_HASH_SIZE);
    crypto_generichash_blake2b_update(&state, a.data, a.size);
    crypto_generichash_blake2b_update(&state, b.data, b.size);
    crypto_generichash_blake2b_final(&state, out, NOISE_HASH_SIZE);
}

/* HMAC of RFC 2104 over BLAKE2b (Noise does not use BLAKE2b's own keyed mode). */
static void hmac(uint8_t out[NOISE_HASH_SIZE], const uint8_t key[NOISE_HASH_SIZE], struct bytes a,
                 struct bytes b)
{
    uint8_t pad[BLAKE2B_BLOCK_SIZE], inner[NOISE_HASH_SIZE];
    crypto_generichash_blake2b_state state;
    memset(pad, 0x36, sizeof pad);
    for (size_t i = 0; i < NOISE_HASH_SIZE; i++)
        pad[i] ^= key[i];
    crypto_generichash_blake2b_init(&state, NULL, 0, NOISE_HASH_SIZE);
    crypto_generichash_blake2b_update(&state, pad, sizeof pad);
    crypto_generichash_blake2b_update(&state, a.data, a.size);
    crypto_generichash_blake2b_update(&state, b.data, b.size);
    crypto_generichash_blake2b_final(&state, inner, sizeof inner);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    hash_two(out, BYTES_OF_ARRAY(pad), BYTES_OF_ARRAY(inner));
    sodium_memzero(pad, sizeof pad);
    sodium_memzero(inner, sizeof inner);
    sodium_memzero(&state, sizeof state);
}

/* `count` (2 or 3) outputs. An output may be the chaining key itself. */
static void hkdf(const uint8_t chaining_key[NOISE_HASH_SIZE], struct bytes input, unsigned count,
                 uint8_t outputs[][NOISE_HASH_SIZE])
{
    uint8_t temp[NOISE_HASH_SIZE];
    hmac(temp, chaining_key, input, BYTES_NONE);
    for (unsigned i = 0; i < count; i++) {
        uint8_t number = (uint8_t)(i + 1);
        struct bytes previous = i ? bytes_of(outputs[i - 1], NOISE_HASH_SIZE) : BYTES_NONE;
        hmac(outputs[i], temp, previous, bytes_of(&number, 1));
    }
    sodium_memzero(temp, sizeof temp);
}

/* ---- cipher state (section 5.1) -------------------------------------------------------------- */

static void cipher_set_key(struct noise_cipher *cipher, const uint8_t key[32])
{
    cipher->has_key = true;
    cipher->nonce = 0;
    memcpy(cipher->key, key, sizeof cipher->key);
}

/* 4 zero bytes, then the counter in little-endian (section 12.3). */
static void nonce_bytes(uint8_t out[12], uint64_t nonce)
{
    memset(out, 0, 4);
    for (int i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(nonce >> 8 * i);
}

/* `out` has room for plain.size + NOISE_TAG_SIZE and may begin where `plain` begins. */
static enum err seal(struct noise_cipher *cipher, struct bytes ad, struct bytes plain, uint8_t *out)
{
    uint8_t nonce[12];
    if (cipher->nonce == UINT64_MAX) /* reserved: REKEY uses it */
        return ERR_CLOSED;
    nonce_bytes(nonce, cipher->nonce++);
    if (plain.size >= AEAD_LARGE_MIN && ad.size == 0) {
        aead_seal_large(cipher->key, nonce, plain, out);
        return OK;
    }
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.size, ad.data, ad.size,
                                              NULL, nonce, cipher->key);
    return OK;
}

/* `out` has room for sealed.size - NOISE_TAG_SIZE. The nonce advances only on success. */
static enum err unseal(struct noise_cipher *cipher, struct bytes ad, struct bytes sealed,
                       uint8_t *out)
{
    uint8_t nonce[12];
    if (cipher->nonce == UINT64_MAX)
        return ERR_CLOSED;
    if (sealed.size < NOISE_TAG_SIZE)
        return ERR_MALFORMED;
    nonce_bytes(nonce, cipher->nonce);
    enum err err = OK;
    if (sealed.size >= AEAD_LARGE_MIN && ad.size == 0)
        err = aead_open_large(cipher->key, nonce, sealed, out);
    else if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.size,
                                                       ad.data, ad.size, nonce, cipher->key) != 0)
        err = ERR_AUTH;
    if (err == OK)
        cipher->nonce++;
    return err;
}

enum err noise_encrypt(struct noise_cipher *cipher, struct bytes ad, struct bytes plain,
                       struct buffer *out)
{
    require(cipher->has_key);
    if (plain.size > NOISE_MESSAGE_SIZE_MAX - NOISE_TAG_SIZE)
        return ERR_TOO_LARGE;
    uint8_t *room = buffer_reserve(out, plain.size + NOISE_TAG_SIZE);
    if (!room)
        return out->err;
    enum err err = seal(cipher, ad, plain, room);
    if (err == OK)
        out->size += plain.size + NOISE_TAG_SIZE;
    return err;
}

enum err noise_decrypt(struct noise_cipher *cipher, struct bytes ad, struct bytes sealed,
                       struct buffer *out)
{
    require(cipher->has_key);
    if (sealed.size < NOISE_TAG_SIZE || sealed.size > NOISE_MESSAGE_SIZE_MAX)
        return ERR_MALFORMED;
    uint8_t *room = buffer_reserve(out, sealed.size - NOISE_TAG_SIZE);
    if (!room)
        return out->err;
    enum err err = unseal(cipher, ad, sealed, room);
    if (err == OK)
        out->size += sealed.size - NOISE_TAG_SIZE;
    return err;
}

void noise_rekey(struct noise_cipher *cipher)
{
    static const uint8_t zeros[32];
    uint8_t sealed[sizeof zeros + NOISE_TAG_SIZE], nonce[12];
    require(cipher->has_key);
    nonce_bytes(nonce, UINT64_MAX);
    crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, zeros, sizeof zeros, NULL, 0, NULL,
                                              nonce, cipher->key);
    memcpy(cipher->key, sealed, sizeof cipher->key);
    sodium_memzero(sealed, sizeof sealed);
}

/* ---- symmetric state (section 5.2) ----------------------------------------------------------- */

static void mix_hash(struct noise *noise, struct bytes data)
{
    hash_two(noise->hash, BYTES_OF_ARRAY(noise->hash), data);
}

static void mix_key(struct noise *noise, struct bytes input)
{
    uint8_t outputs[2][NOISE_HASH_SIZE];
    hkdf(noise->chaining_key, input, 2, outputs);
    memcpy(noise->chaining_key, outputs[0], NOISE_HASH_SIZE);
    cipher_set_key(&noise->cipher, outputs[1]);
    sodium_memzero(outputs, sizeof outputs);
}

static void mix_key_and_hash(struct noise *noise, struct bytes input)
{
    uint8_t outputs[3][NOISE_HASH_SIZE];
    hkdf(noise->chaining_key, input, 3, outputs);
    memcpy(noise->chaining_key, outputs[0], NOISE_HASH_SIZE);
    mix_hash(noise, BYTES_OF_ARRAY(outputs[1]));
    cipher_set_key(&noise->cipher, outputs[2]);
    sodium_memzero(outputs, sizeof outputs);
}

static enum err encrypt_and_hash(struct noise *noise, struct bytes plain, struct buffer *out)
{
    size_t start = out->size;
    enum err err = OK;
    if (noise->cipher.has_key)
        err = noise_encrypt(&noise->cipher, BYTES_OF_ARRAY(noise->hash), plain, out);
    else
        buffer_append_bytes(out, plain);
    if (err == OK)
        err = out->err;
    if (err == OK)
        mix_hash(noise, bytes_of(out->data + start, out->size - start));
    return err;
}

static enum err decrypt_and_hash(struct noise *noise, struct bytes sealed, struct buffer *out)
{
    enum err err = OK;
    if (noise->cipher.has_key)
        err = noise_decrypt(&noise->cipher, BYTES_OF_ARRAY(noise->hash), sealed, out);
    else
        buffer_append_bytes(out, sealed);
    if (err == OK)
        err = out->err;
    if (err == OK)
        mix_hash(noise, sealed);
    return err;
}

/* ---- handshake state (section 5.3) ----------------------------------------------------------- */

static bool is_my_turn(const struct noise *noise)
{
    return (noise->step % 2 == 0) == (noise->role == NOISE_INITIATOR);
}

/* A secret key of ours that some token uses: "s" or "e", alone or in an agreement. */
static bool needs_local(const struct noise *noise, char kind)
{
    const struct noise_pattern *pattern = noise->pattern;
    bool initiator = noise->role == NOISE_INITIATOR;
    if (kind == 's' && *(initiator ? pattern->before_initiator : pattern->before_responder))
        return true;
    for (unsigned i = initiator ? 0 : 1; i < pattern_message_count(pattern); i += 2)
        if (line_has(pattern->messages[i], kind == 's' ? "s" : "e"))
            return true;
    return false;
}

static enum err take_keys(struct noise *noise, const struct noise_config *config)
{
    const struct noise_pattern *pattern = noise->pattern;
    const char *theirs =
        config->role == NOISE_INITIATOR ? pattern->before_responder : pattern->before_initiator;
    /* A key given but not demanded by the pattern would look like a check that is never made. */
    if ((*theirs != '\0') != (config->remote_static != NULL))
        return ERR_INVALID;
    if (needs_local(noise, 's') && !config->local_static)
        return ERR_INVALID;
    if (needs_local(noise, 'e') && !config->local_ephemeral)
        return ERR_INVALID;
    if (config->remote_static)
        noise->remote_static = *config->remote_static;
    if (config->local_static)
        noise->local_static = *config->local_static;
    if (config->local_ephemeral)
        noise->local_ephemeral = *config->local_ephemeral;
    return OK;
}

static enum err take_psks(struct noise *noise, const struct noise_config *config)
{
    size_t wanted = 0;
    for (unsigned places = noise->psk_places; places; places >>= 1)
        wanted += places & 1;
    if (wanted > NOISE_PSK_MAX || config->psk_count != wanted)
        return ERR_INVALID;
    noise->psk_count = wanted;
    for (size_t i = 0; i < wanted; i++)
        if (config->psks[i])
            noise_set_psk(noise, i, config->psks[i]);
    return OK;
}

static void mix_public(struct noise *noise, const struct link_public *key)
{
    mix_hash(noise, BYTES_OF_ARRAY(key->bytes));
}

static void begin_hash(struct noise *noise, const struct noise_config *config)
{
    bool initiator = noise->role == NOISE_INITIATOR;
    char name[NOISE_HASH_SIZE + 1] = {
        0
    }; /* not longer than a hash, so it is padded, not hashed */
    snprintf(name, sizeof name, "Noise_%s_25519_ChaChaPoly_BLAKE2b", config->pattern);
    memcpy(noise->hash, name, sizeof noise->hash);
    memcpy(noise->chaining_key, noise->hash, sizeof noise->hash);
    mix_hash(noise, config->prologue);
    if (*noise->pattern->before_initiator)
        mix_public(noise, initiator ? &noise->local_static.public : &noise->remote_static);
    if (*noise->pattern->before_responder)
        mix_public(noise, initiator ? &noise->remote_static : &noise->local_static.public);
}

enum err noise_init(struct noise *noise, const struct noise_config *config)
{
    /* Chooses the fastest implementation of each primitive; once a process, safe from threads. */
    require(sodium_init() >= 0);
    *noise = (struct noise){ .role = config->role };
    enum err err = parse_pattern(noise, config->pattern);
    if (err == OK)
        err = take_keys(noise, config);
    if (err == OK)
        err = take_psks(noise, config);
    if (err == OK)
        begin_hash(noise, config);
    else
        noise_close(noise);
    return err;
}

void noise_close(struct noise *noise)
{
    sodium_memzero(noise, sizeof *noise);
}

void noise_set_psk(struct noise *noise, size_t index, const uint8_t psk[32])
{
    require(index < noise->psk_count);
    memcpy(noise->psks[index], psk, sizeof noise->psks[index]);
    noise->has_psk[index] = true;
}

bool noise_is_complete(const struct noise *noise)
{
    return noise->pattern && !noise->failed && noise->step == pattern_message_count(noise->pattern);
}

bool noise_writes_next(const struct noise *noise)
{
    return noise->pattern && !noise->failed && !noise_is_complete(noise) && is_my_turn(noise);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* In a psk handshake the ephemeral key is also mixed into the key (section 9.2). */
static void mix_ephemeral(struct noise *noise, const struct link_public *key)
{
    mix_public(noise, key);
    if (noise->psk_places)
        mix_key(noise, BYTES_OF_ARRAY(key->bytes));
}

static enum err write_key(struct noise *noise, char kind, struct buffer *out)
{
    if (kind == 's')
        return encrypt_and_hash(noise, BYTES_OF_ARRAY(noise->local_static.public.bytes), out);
    buffer_append(out, noise->local_ephemeral.public.bytes, KEY_SIZE);
    mix_ephemeral(noise, &noise->local_ephemeral.public);
    return out->err;
}

static enum err read_static(struct noise *noise, struct reader *in)
{
    struct bytes raw = read_bytes(in, KEY_SIZE + (noise->cipher.has_key ? NOISE_TAG_SIZE : 0));
    if (in->err != OK)
        return in->err;
    struct buffer key = { .data = noise->remote_static.bytes, .capacity = KEY_SIZE };
    return decrypt_and_hash(noise, raw, &key); /* exactly KEY_SIZE bytes: it never grows */
}

static enum err read_key(struct noise *noise, char kind, struct reader *in)
{
    if (kind == 's')
        return read_static(noise, in);
    read_into(in, noise->remote_ephemeral.bytes, KEY_SIZE);
    if (in->err != OK)
        return in->err;
    mix_ephemeral(noise, &noise->remote_ephemeral);
    return OK;
}

/* "ee", "es", "se", "ss": the first letter is the initiator's key. */
static enum err mix_agreement(struct noise *noise, const char *token)
{
    bool initiator = noise->role == NOISE_INITIATOR;
    char mine = token[initiator ? 0 : 1], theirs = token[initiator ? 1 : 0];
    const struct link_key *local = mine == 'e' ? &noise->local_ephemeral : &noise->local_static;
    const struct link_public *remote =
        theirs == 'e' ? &noise->remote_ephemeral : &noise->remote_static;
    uint8_t shared[DH_SIZE];
    if (crypto_scalarmult(shared, local->secret, remote->bytes) != 0)
        return ERR_AUTH; /* a low-order point: the secret would be zero whatever our key is */
    mix_key(noise, BYTES_OF_ARRAY(shared));
    sodium_memzero(shared, sizeof shared);
    return OK;
}

static enum err mix_psk_at(struct noise *noise, unsigned place)
{
    if (!(noise->psk_places >> place & 1))
        return OK;
    size_t index = noise->psk_used++;
    if (!noise->has_psk[index])
        return ERR_INVALID;
    mix_key_and_hash(noise, BYTES_OF_ARRAY(noise->psks[index]));
    return OK;
}

/* The tokens of the current message, read from `in` or, without it, written to `out`. */
static enum err walk_tokens(struct noise *noise, struct reader *in, struct buffer *out)
{
    const char *line = noise->pattern->messages[noise->step];
    char token[3];
    enum err err = noise->step == 0 ? mix_psk_at(noise, 0) : OK;
    while (err == OK && next_token(&line, token)) {
        if (token[1])
            err = mix_agreement(noise, token);
        else if (in)
            err = read_key(noise, token[0], in);
        else
            err = write_key(noise, token[0], out);
    }
    return err == OK ? mix_psk_at(noise, noise->step + 1) : err;
}

/* After a failure the half-mixed state is of no use to anyone but an attacker. */
static enum err finish_message(struct noise *noise, enum err err)
{
    if (err == OK) {
        noise->step++;
    } else {
        noise_close(noise);
        noise->failed = true;
    }
    return err;
}

enum err noise_write(struct noise *noise, struct bytes payload, struct buffer *out)
{
    if (noise->failed)
        return ERR_CLOSED;
    require(noise_writes_next(noise));
    size_t start = out->size;
    enum err err = payload.size > NOISE_MESSAGE_SIZE_MAX ? ERR_TOO_LARGE : OK;
    if (err == OK)
        err = walk_tokens(noise, NULL, out);
    if (err == OK)
        err = encrypt_and_hash(noise, payload, out);
    if (err == OK && out->size - start > NOISE_MESSAGE_SIZE_MAX)
        err = ERR_TOO_LARGE;
    if (err != OK)
        out->size = start;
    return finish_message(noise, err);
}

enum err noise_read(struct noise *noise, struct bytes message, struct buffer *payload)
{
    if (noise->failed)
        return ERR_CLOSED;
    require(!noise_is_complete(noise) && !is_my_turn(noise));
    struct reader in = reader_of(message);
    enum err err = message.size > NOISE_MESSAGE_SIZE_MAX ? ERR_MALFORMED : OK;
    if (err == OK)
        err = walk_tokens(noise, &in, NULL);
    if (err == OK)
        err = decrypt_and_hash(noise, in.rest, payload);
    return finish_message(noise, err);
}

void noise_split(const struct noise *noise, struct noise_cipher *sending,
                 struct noise_cipher *receiving)
{
    uint8_t outputs[2][NOISE_HASH_SIZE];
    bool initiator = noise->role == NOISE_INITIATOR;
    struct noise_cipher *forth = initiator ? sending : receiving; /* initiator to responder */
    struct noise_cipher *back = initiator ? receiving : sending;
    require(noise_is_complete(noise));
    hkdf(noise->chaining_key, BYTES_NONE, 2, outputs);
    cipher_set_key(forth, outputs[0]);
    *back = (struct noise_cipher){ 0 };
    if (!pattern_is_one_way(noise->pattern))
        cipher_set_key(back, outputs[1]);
    sodium_memzero(outputs, sizeof outputs);
}
