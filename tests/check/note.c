#include "tests/check/note.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    LOG_TYPE = 1,
    RECEIPT_TYPE = 4,
    KEY_ID = 4,
    SIGNATURE_SIZE = 64,
    TIME_SIZE = 8,
    LINE_BYTES_MAX = 3072,
    LINES_MAX = 16,
};
static const char DASH[] = "\xe2\x80\x94 ";

/* ---- the form ------------------------------------------------------------------------------ */

/* Standard base64 with padding and no unused bits. */
static bool base64_read(const char *text, size_t size, uint8_t *out, size_t room, size_t *written)
{
    const char *end;
    char again[LINE_BYTES_MAX * 2];
    if (sodium_base642bin(out, room, text, size, NULL, written, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != text + size || sodium_base64_ENCODED_LEN(*written, sodium_base64_VARIANT_ORIGINAL) >
                                  sizeof again)
        return false;
    sodium_bin2base64(again, sizeof again, out, *written, sodium_base64_VARIANT_ORIGINAL);
    return strlen(again) == size && memcmp(again, text, size) == 0;
}

/* Up to, not including, the next newline; moves behind it. NULL: there is none. */
static const char *line_take(const char **at, size_t *size)
{
    const char *start = *at, *end = strchr(start, '\n');
    if (!end)
        return NULL;
    *size = (size_t)(end - start);
    *at = end + 1;
    return start;
}

static bool name_read(const char *text, size_t size, size_t *used)
{
    size_t i = 0;
    while (i < size && ((text[i] >= 'a' && text[i] <= 'z') || text[i] == '-' ||
                        (text[i] >= '0' && text[i] <= '9')))
        i++;
    *used = i;
    return i >= 1 && i <= 32 && text[0] >= 'a' && text[0] <= 'z';
}

/* samad/<node>/<audience>/<32 hexadecimal digits> */
static bool origin_read(struct check_note *note, const char *line, size_t size)
{
    size_t node, audience;
    if (size >= sizeof note->origin || size < 6 || memcmp(line, "samad/", 6) != 0 ||
        !name_read(line + 6, size - 6, &node))
        return false;
    const char *at = line + 6 + node, *end = line + size;
    if (at == end || *at++ != '/' || !name_read(at, (size_t)(end - at), &audience))
        return false;
    at += audience;
    if (end - at != 33 || *at++ != '/' || strspn(at, "0123456789abcdef") < 32)
        return false;
    snprintf(note->origin, sizeof note->origin, "%.*s", (int)size, line);
    snprintf(note->node, sizeof note->node, "%.*s", (int)node, line + 6);
    return true;
}

static bool size_read(struct check_note *note, const char *line, size_t size)
{
    if (size == 0 || size > 19 || (size > 1 && line[0] == '0'))
        return false;
    note->size = 0;
    for (size_t i = 0; i < size; i++) {
        if (line[i] < '0' || line[i] > '9')
            return false;
        note->size = note->size * 10 + (uint64_t)(line[i] - '0');
    }
    return note->size <= INT64_MAX;
}

/* — <name> <base64>: true when it has the form. */
static bool signature_line(const char *line, size_t size, const char **name, size_t *name_size,
                           uint8_t *bytes, size_t *byte_count)
{
    size_t dash = sizeof DASH - 1;
    if (size <= dash || memcmp(line, DASH, dash) != 0)
        return false;
    *name = line + dash;
    const char *space = memchr(*name, ' ', size - dash);
    if (!space || space == *name || memchr(*name, '+', (size_t)(space - *name)))
        return false;
    *name_size = (size_t)(space - *name);
    return base64_read(space + 1, (size_t)(line + size - space - 1), bytes, LINE_BYTES_MAX,
                       byte_count) &&
           *byte_count > KEY_ID;
}

static bool signature_lines(const char *at)
{
    size_t lines = 0, size, name_size, byte_count;
    const char *name, *line;
    uint8_t bytes[LINE_BYTES_MAX];
    while (*at) {
        line = line_take(&at, &size);
        if (!line || !signature_line(line, size, &name, &name_size, bytes, &byte_count))
            return false;
        lines++;
    }
    return lines >= 1 && lines <= LINES_MAX;
}

bool check_note_read(struct check_note *note, const char *text)
{
    size_t size, root_size;
    const char *at = text, *line;
    *note = (struct check_note){ .text = text };
    if (strlen(text) > CHECK_NOTE_SIZE_MAX)
        return false;
    if (!(line = line_take(&at, &size)) || !origin_read(note, line, size))
        return false;
    if (!(line = line_take(&at, &size)) || !size_read(note, line, size))
        return false;
    if (!(line = line_take(&at, &size)) ||
        !base64_read(line, size, note->root.bytes, sizeof note->root.bytes, &root_size) ||
        root_size != sizeof note->root.bytes)
        return false;
    note->text_size = (size_t)(at - text);
    if (!(line = line_take(&at, &size)) || size != 0)
        return false;
    note->lines_size = strlen(at);
    return signature_lines(at);
}

static bool form_is_trusted;

void check_note_trust_form(bool trusted)
{
    form_is_trusted = trusted;
}

static bool verifies(const uint8_t *signature, const char *text, size_t size,
                     const struct check_hash *key)
{
    return form_is_trusted || crypto_sign_verify_detached(signature, (const unsigned char *)text,
                                                          size, key->bytes) == 0;
}

/* ---- signatures ---------------------------------------------------------------------------- */

static void key_id_of(uint8_t id[KEY_ID], const char *name, uint8_t type,
                      const struct check_hash *key)
{
    uint8_t hash[32];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)name, strlen(name));
    crypto_hash_sha256_update(&state, (const unsigned char *)"\n", 1);
    crypto_hash_sha256_update(&state, &type, 1);
    crypto_hash_sha256_update(&state, key->bytes, sizeof key->bytes);
    crypto_hash_sha256_final(&state, hash);
    memcpy(id, hash, KEY_ID);
}

/* The bytes behind the key id of the one line of this name and id; the number of such lines. */
static unsigned lines_of(const struct check_note *note, const char *wanted, const uint8_t *id,
                         uint8_t *bytes, size_t *byte_count)
{
    unsigned found = 0;
    const char *at = note->text + note->text_size + 1, *name, *line;
    size_t size, name_size, count;
    uint8_t read[LINE_BYTES_MAX];
    while (*at && (line = line_take(&at, &size)) != NULL) {
        if (!signature_line(line, size, &name, &name_size, read, &count) ||
            name_size != strlen(wanted) || memcmp(name, wanted, name_size) != 0 ||
            memcmp(read, id, KEY_ID) != 0)
            continue;
        found++;
        *byte_count = count - KEY_ID;
        memcpy(bytes, read + KEY_ID, *byte_count);
    }
    return found;
}

enum check_signature check_note_signed(const struct check_note *note, const struct check_hash *key)
{
    uint8_t id[KEY_ID], bytes[LINE_BYTES_MAX];
    size_t size = 0;
    key_id_of(id, note->origin, LOG_TYPE, key);
    unsigned lines = lines_of(note, note->origin, id, bytes, &size);
    if (lines == 0)
        return SIGNATURE_MISSING;
    bool good = lines == 1 && size == SIGNATURE_SIZE &&
                verifies(bytes, note->text, note->text_size, key);
    return good ? SIGNATURE_GOOD : SIGNATURE_BAD;
}

enum check_signature check_note_cosigned(const struct check_note *note, const char *hub,
                                         const struct check_hash *key, uint64_t *time_s)
{
    char name[64], signed_text[CHECK_NOTE_SIZE_MAX + 64];
    uint8_t id[KEY_ID], bytes[LINE_BYTES_MAX];
    size_t size = 0;
    snprintf(name, sizeof name, "samad/%s/receipt", hub);
    key_id_of(id, name, RECEIPT_TYPE, key);
    unsigned lines = lines_of(note, name, id, bytes, &size);
    if (lines == 0)
        return SIGNATURE_MISSING;
    if (lines != 1 || size != TIME_SIZE + SIGNATURE_SIZE)
        return SIGNATURE_BAD;
    uint64_t time = 0;
    for (unsigned i = 0; i < TIME_SIZE; i++)
        time = time << 8 | bytes[i];
    int length = snprintf(signed_text, sizeof signed_text, "cosignature/v1\ntime %llu\n%.*s",
                          (unsigned long long)time, (int)note->text_size, note->text);
    if (time_s)
        *time_s = time;
    bool good = time <= INT64_MAX &&
                verifies(bytes + TIME_SIZE, signed_text, (size_t)length, key);
    return good ? SIGNATURE_GOOD : SIGNATURE_BAD;
}
