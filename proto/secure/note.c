#include "proto/secure/note.h"

#include "proto/base/require.h"
#include "proto/base/utf8.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define EM_DASH_SPACE      "\xe2\x80\x94 "
#define COSIGNATURE_HEADER "cosignature/v1\n"
#define BASE64             sodium_base64_VARIANT_ORIGINAL
#define BASE64_SIZE(size)  (((size) + 2) / 3 * 4)

#define KEY_ID_SIZE      4
#define TIME_SIZE        8
#define COSIGNATURE_SIZE (TIME_SIZE + SIGNATURE_SIZE)
#define DECIMAL_SIZE_MAX 20
#define CHECKPOINT_TEXT_SIZE_MAX                                                                   \
    (LOG_ORIGIN_SIZE_MAX + 1 + DECIMAL_SIZE_MAX + 1 + BASE64_SIZE(HASH_SIZE) + 1)

/* A key as notes name it. */
struct note_key {
    struct bytes name;
    uint8_t id[KEY_ID_SIZE];
};

/* A checkpoint note in its parts; the ranges point into the input. */
struct note {
    struct checkpoint checkpoint;
    struct bytes text;       /* with its last newline */
    struct bytes signatures; /* whole lines, each of the right form */
    size_t signature_count;
};

/* One signature line. */
struct note_signature {
    struct bytes name;
    uint8_t decoded[NOTE_SIZE_MAX];
    size_t decoded_size;
};

/* ---- small pieces --------------------------------------------------------------------------- */

static bool is_unicode_space(uint32_t c)
{
    return c == ' ' || (c >= 0x09 && c <= 0x0d) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

static bool key_name_is_valid(struct bytes name)
{
    if (name.size == 0)
        return false;
    while (name.size > 0) {
        uint32_t c;
        if (!utf8_take(&name, &c) || c < 0x20 || c == '+' || is_unicode_space(c))
            return false;
    }
    return true;
}

static bool note_characters_are_valid(struct bytes note)
{
    while (note.size > 0) {
        uint32_t c;
        if (!utf8_take(&note, &c) || (c < 0x20 && c != '\n'))
            return false;
    }
    return true;
}

/* The bytes before the next `end`, which is passed over; false when there is none. */
static bool take_until(struct bytes *rest, char end, struct bytes *taken)
{
    const uint8_t *found = rest->size ? memchr(rest->data, end, rest->size) : NULL;
    if (!found)
        return false;
    *taken = bytes_of(rest->data, (size_t)(found - rest->data));
    *rest = bytes_of(found + 1, rest->size - taken->size - 1);
    return true;
}

static bool take_prefix(struct bytes *rest, const char *prefix)
{
    size_t size = strlen(prefix);
    if (rest->size < size || memcmp(rest->data, prefix, size) != 0)
        return false;
    *rest = bytes_of(rest->data + size, rest->size - size);
    return true;
}

/* Strict, so that bytes have one encoding: libsodium demands padding and unused bits of zero, but
 * reads characters above 0x7f as negative numbers and takes some for digits (1.0.18; the fuzzer
 * found it). */
static bool base64_decode(uint8_t *out, size_t capacity, struct bytes text, size_t *size)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] > 0x7f)
            return false;
    return sodium_base642bin(out, capacity, (const char *)text.data, text.size, NULL, size, NULL,
                             BASE64) == 0;
}

static void append_base64(struct buffer *out, const uint8_t *data, size_t size)
{
    char text[BASE64_SIZE(KEY_ID_SIZE + COSIGNATURE_SIZE) + 1];
    require(BASE64_SIZE(size) < sizeof text);
    sodium_bin2base64(text, sizeof text, data, size, BASE64);
    buffer_append_string(out, text);
}

static struct note_key note_key_of(struct bytes name, enum note_key_type type,
                                   const struct sign_public *key)
{
    uint8_t separator_and_type[] = { '\n', (uint8_t)type };
    struct bytes parts[] = { name, BYTES_OF_ARRAY(separator_and_type), BYTES_OF_ARRAY(key->bytes) };
    struct hash hash;
    hash_sha256(&hash, parts, 3);
    struct note_key named = { .name = name };
    memcpy(named.id, hash.bytes, KEY_ID_SIZE);
    return named;
}

/* ---- writing -------------------------------------------------------------------------------- */

static size_t checkpoint_text(char out[CHECKPOINT_TEXT_SIZE_MAX + 1],
                              const struct checkpoint *checkpoint)
{
    require(checkpoint->size <= CHECKPOINT_TREE_SIZE_MAX);
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    char root[BASE64_SIZE(HASH_SIZE) + 1];
    log_id_origin(&checkpoint->log, origin);
    sodium_bin2base64(root, sizeof root, checkpoint->root.bytes, HASH_SIZE, BASE64);
    int size = snprintf(out, CHECKPOINT_TEXT_SIZE_MAX + 1, "%s\n%" PRIu64 "\n%s\n", origin,
                        checkpoint->size, root);
    require(size > 0 && size <= CHECKPOINT_TEXT_SIZE_MAX);
    return (size_t)size;
}

static void append_signature_line(struct buffer *out, const struct note_key *key,
                                  struct bytes signature)
{
    uint8_t raw[KEY_ID_SIZE + COSIGNATURE_SIZE];
    require(signature.size <= COSIGNATURE_SIZE);
    memcpy(raw, key->id, KEY_ID_SIZE);
    memcpy(raw + KEY_ID_SIZE, signature.data, signature.size);
    buffer_append_string(out, EM_DASH_SPACE);
    buffer_append_bytes(out, key->name);
    buffer_append_u8(out, ' ');
    append_base64(out, raw, KEY_ID_SIZE + signature.size);
    buffer_append_u8(out, '\n');
}

void checkpoint_sign(struct buffer *out, const struct checkpoint *checkpoint,
                     const struct sign_key *key)
{
    char text[CHECKPOINT_TEXT_SIZE_MAX + 1];
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    uint8_t signature[SIGNATURE_SIZE];
    size_t text_size = checkpoint_text(text, checkpoint);
    log_id_origin(&checkpoint->log, origin);
    struct note_key named = note_key_of(bytes_of_string(origin), NOTE_KEY_ED25519, &key->public);
    sign_message(key, bytes_of(text, text_size), signature);
    buffer_append(out, text, text_size);
    buffer_append_u8(out, '\n');
    append_signature_line(out, &named, BYTES_OF_ARRAY(signature));
}

/* ---- parsing -------------------------------------------------------------------------------- */

static bool decimal_parse(struct bytes digits, uint64_t max, uint64_t *out)
{
    bool leading_zero = digits.size > 1 && digits.data[0] == '0';
    if (digits.size == 0 || leading_zero)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        unsigned digit = digits.data[i] - '0';
        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static bool checkpoint_text_parse(struct checkpoint *out, struct bytes *rest)
{
    struct bytes origin, size, root;
    size_t root_size;
    return take_until(rest, '\n', &origin) && take_until(rest, '\n', &size) &&
           take_until(rest, '\n', &root) && log_id_from_origin(&out->log, origin) == OK &&
           decimal_parse(size, CHECKPOINT_TREE_SIZE_MAX, &out->size) &&
           base64_decode(out->root.bytes, HASH_SIZE, root, &root_size) && root_size == HASH_SIZE;
}

static bool take_signature(struct bytes *rest, struct note_signature *out)
{
    struct bytes line;
    return take_until(rest, '\n', &line) && take_prefix(&line, EM_DASH_SPACE) &&
           take_until(&line, ' ', &out->name) && key_name_is_valid(out->name) &&
           base64_decode(out->decoded, sizeof out->decoded, line, &out->decoded_size) &&
           out->decoded_size > KEY_ID_SIZE;
}

static bool note_parse(struct note *out, struct bytes input)
{
    if (input.size > NOTE_SIZE_MAX || !note_characters_are_valid(input))
        return false;
    struct bytes rest = input;
    if (!checkpoint_text_parse(&out->checkpoint, &rest))
        return false;
    out->text = bytes_of(input.data, input.size - rest.size);
    if (!take_prefix(&rest, "\n"))
        return false;
    out->signatures = rest;
    out->signature_count = 0;
    struct note_signature signature;
    while (rest.size > 0) {
        if (out->signature_count == NOTE_SIGNATURE_MAX || !take_signature(&rest, &signature))
            return false;
        out->signature_count++;
    }
    return out->signature_count > 0;
}

enum err checkpoint_parse(struct checkpoint *out, struct bytes input)
{
    struct note note;
    if (!note_parse(&note, input))
        return ERR_MALFORMED;
    *out = note.checkpoint;
    return OK;
}

/* ---- verifying ------------------------------------------------------------------------------ */

/* Copies this key's signature. ERR_NOT_FOUND without a line of it; ERR_SIGNATURE when it has two,
 * because then nobody can say which one counts, or one of another size. */
static enum err find_signature(const struct note *note, const struct note_key *key, uint8_t *out,
                               size_t size)
{
    struct bytes rest = note->signatures;
    struct note_signature signature;
    enum err result = ERR_NOT_FOUND;
    while (rest.size > 0) {
        bool taken = take_signature(&rest, &signature);
        require(taken); /* note_parse() has walked these lines */
        if (!bytes_equal(signature.name, key->name) ||
            memcmp(signature.decoded, key->id, KEY_ID_SIZE) != 0)
            continue;
        if (result != ERR_NOT_FOUND || signature.decoded_size != KEY_ID_SIZE + size)
            return ERR_SIGNATURE;
        memcpy(out, signature.decoded + KEY_ID_SIZE, size);
        result = OK;
    }
    return result;
}

enum err checkpoint_open(struct checkpoint *out, struct bytes input, const struct sign_public *key)
{
    struct note note;
    if (!note_parse(&note, input))
        return ERR_MALFORMED;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    uint8_t signature[SIGNATURE_SIZE];
    log_id_origin(&note.checkpoint.log, origin);
    struct note_key named = note_key_of(bytes_of_string(origin), NOTE_KEY_ED25519, key);
    if (find_signature(&note, &named, signature, sizeof signature) != OK ||
        sign_verify(key, note.text, signature) != OK)
        return ERR_SIGNATURE;
    *out = note.checkpoint;
    return OK;
}

/* ---- receipts ------------------------------------------------------------------------------- */

/* What a cosigner signs: header line, time line, the note's text. */
struct cosigned {
    char bytes[sizeof COSIGNATURE_HEADER + sizeof "time \n" + DECIMAL_SIZE_MAX +
               CHECKPOINT_TEXT_SIZE_MAX];
    size_t size;
};

static void cosigned_fill(struct cosigned *cosigned, struct bytes text, int64_t time_s)
{
    int size = snprintf(cosigned->bytes, sizeof cosigned->bytes,
                        COSIGNATURE_HEADER "time %" PRId64 "\n%.*s", time_s, (int)text.size,
                        (const char *)text.data);
    require(size > 0 && (size_t)size < sizeof cosigned->bytes);
    cosigned->size = (size_t)size;
}

enum err receipt_sign(struct buffer *out, struct bytes input, struct bytes cosigner, int64_t time_s,
                      const struct sign_key *key)
{
    struct note note;
    if (time_s < 0 || cosigner.size > NOTE_NAME_SIZE_MAX || !key_name_is_valid(cosigner))
        return ERR_INVALID;
    if (!note_parse(&note, input))
        return ERR_MALFORMED;

    struct note_key named = note_key_of(cosigner, NOTE_KEY_COSIGNATURE, &key->public);
    uint8_t signature[COSIGNATURE_SIZE];
    if (find_signature(&note, &named, signature, sizeof signature) != ERR_NOT_FOUND)
        return ERR_EXISTS;
    size_t line_size =
        strlen(EM_DASH_SPACE) + cosigner.size + 1 + BASE64_SIZE(KEY_ID_SIZE + COSIGNATURE_SIZE) + 1;
    if (note.signature_count == NOTE_SIGNATURE_MAX || input.size + line_size > NOTE_SIZE_MAX)
        return ERR_TOO_LARGE;

    struct cosigned cosigned;
    cosigned_fill(&cosigned, note.text, time_s);
    put_u64(signature, (uint64_t)time_s);
    sign_message(key, bytes_of(cosigned.bytes, cosigned.size), signature + TIME_SIZE);
    buffer_append_bytes(out, input);
    append_signature_line(out, &named, BYTES_OF_ARRAY(signature));
    return out->err;
}

enum err receipt_open(struct bytes input, struct bytes cosigner, const struct sign_public *key,
                      int64_t *time_s)
{
    struct note note;
    if (!note_parse(&note, input))
        return ERR_MALFORMED;
    struct note_key named = note_key_of(cosigner, NOTE_KEY_COSIGNATURE, key);
    uint8_t signature[COSIGNATURE_SIZE];
    enum err err = find_signature(&note, &named, signature, sizeof signature);
    if (err != OK)
        return err;
    uint64_t time = get_u64(signature);
    if (time > INT64_MAX)
        return ERR_SIGNATURE;
    struct cosigned cosigned;
    cosigned_fill(&cosigned, note.text, (int64_t)time);
    err = sign_verify(key, bytes_of(cosigned.bytes, cosigned.size), signature + TIME_SIZE);
    if (err == OK)
        *time_s = (int64_t)time;
    return err;
}

void receipt_key_name(char out[NOTE_NAME_SIZE_MAX + 1], const char *hub)
{
    int size = snprintf(out, NOTE_NAME_SIZE_MAX + 1, "samad/%s/receipt", hub);
    require(size > 0 && size <= NOTE_NAME_SIZE_MAX);
}

/* ---- verifier keys -------------------------------------------------------------------------- */

void note_vkey(char out[VKEY_SIZE_MAX + 1], struct bytes name, enum note_key_type type,
               const struct sign_public *key)
{
    require(name.size <= NOTE_NAME_SIZE_MAX && key_name_is_valid(name));
    struct note_key named = note_key_of(name, type, key);
    uint8_t material[1 + KEY_SIZE] = { (uint8_t)type };
    memcpy(material + 1, key->bytes, KEY_SIZE);
    char id[2 * KEY_ID_SIZE + 1];
    char encoded[BASE64_SIZE(sizeof material) + 1];
    hex_encode(id, BYTES_OF_ARRAY(named.id));
    sodium_bin2base64(encoded, sizeof encoded, material, sizeof material, BASE64);
    snprintf(out, VKEY_SIZE_MAX + 1, "%.*s+%s+%s", (int)name.size, (const char *)name.data, id,
             encoded);
}

enum err note_vkey_parse(struct bytes vkey, char name[NOTE_NAME_SIZE_MAX + 1],
                         enum note_key_type *type, struct sign_public *key)
{
    struct bytes key_name, id, material = vkey;
    uint8_t raw_id[KEY_ID_SIZE];
    uint8_t raw[1 + KEY_SIZE];
    size_t raw_size;
    if (!take_until(&material, '+', &key_name) || key_name.size > NOTE_NAME_SIZE_MAX ||
        !key_name_is_valid(key_name) || !take_until(&material, '+', &id) ||
        hex_decode(raw_id, sizeof raw_id, (const char *)id.data, id.size) != OK ||
        !base64_decode(raw, sizeof raw, material, &raw_size) || raw_size != sizeof raw)
        return ERR_MALFORMED;
    if (raw[0] != NOTE_KEY_ED25519 && raw[0] != NOTE_KEY_COSIGNATURE)
        return ERR_VERSION;

    struct sign_public parsed;
    memcpy(parsed.bytes, raw + 1, KEY_SIZE);
    struct note_key named = note_key_of(key_name, (enum note_key_type)raw[0], &parsed);
    if (memcmp(named.id, raw_id, KEY_ID_SIZE) != 0)
        return ERR_MALFORMED;
    memcpy(name, key_name.data, key_name.size);
    name[key_name.size] = '\0';
    *type = (enum note_key_type)raw[0];
    *key = parsed;
    return OK;
}
