#include "tests/vectors/noise_vectors.h"

#include "proto/base/require.h"

#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX        "Noise_"
#define SUFFIX        "_25519_ChaChaPoly_BLAKE2b"
#define NAME_SIZE_MAX 128

/* ---- both sides of a conversation ------------------------------------------------------------ */

/* What one side brings, with memory of its own. */
struct party {
    struct link_key local_static, local_ephemeral;
    struct link_public remote_static;
    uint8_t psks[NOISE_PSK_MAX][32];
    struct buffer prologue;
    struct noise_config config;
};

struct conversation {
    struct party parties[2]; /* by enum noise_role */
    struct noise sides[2];
    struct noise_cipher sending[2], receiving[2];
    uint8_t hash[NOISE_HASH_SIZE];
    bool is_one_way, is_split;
};

static enum err conversation_begin(struct conversation *talk, const char *pattern)
{
    talk->is_one_way = strcspn(pattern, "p") == 1;
    for (int role = 0; role < 2; role++) {
        struct noise_config *config = &talk->parties[role].config;
        config->role = role == 0 ? NOISE_INITIATOR : NOISE_RESPONDER;
        config->pattern = pattern;
        config->prologue = buffer_bytes(&talk->parties[role].prologue);
        enum err err = noise_init(&talk->sides[role], config);
        if (err != OK)
            return err;
    }
    return OK;
}

static enum err conversation_split(struct conversation *talk)
{
    for (int role = 0; role < 2; role++) {
        if (!noise_is_complete(&talk->sides[role]))
            return ERR_INVALID;
        noise_split(&talk->sides[role], &talk->sending[role], &talk->receiving[role]);
    }
    memcpy(talk->hash, talk->sides[0].hash, sizeof talk->hash);
    talk->is_split = true;
    return memcmp(talk->hash, talk->sides[1].hash, sizeof talk->hash) == 0 ? OK : ERR_AUTH;
}

/* Message `index` from its sender to its receiver: what travelled, and what the receiver read. */
static enum err conversation_send(struct conversation *talk, size_t index, struct bytes payload,
                                  struct buffer *sealed, struct buffer *opened)
{
    int from = talk->is_one_way ? 0 : (int)(index % 2), to = 1 - from;
    enum err err;
    buffer_clear(sealed);
    buffer_clear(opened);
    if (talk->is_split) {
        err = noise_encrypt(&talk->sending[from], BYTES_NONE, payload, sealed);
        return err != OK
                   ? err
                   : noise_decrypt(&talk->receiving[to], BYTES_NONE, buffer_bytes(sealed), opened);
    }
    err = noise_write(&talk->sides[from], payload, sealed);
    if (err == OK)
        err = noise_read(&talk->sides[to], buffer_bytes(sealed), opened);
    if (err == OK && noise_is_complete(&talk->sides[from]))
        err = conversation_split(talk);
    return err;
}

static void conversation_close(struct conversation *talk)
{
    for (int role = 0; role < 2; role++)
        buffer_close(&talk->parties[role].prologue);
}

/* ---- running a file -------------------------------------------------------------------------- */

/* A vector being run; the first complaint stays. */
struct run {
    FILE *log;
    size_t index;
    const char *name;
    bool is_malformed, has_failed;
};

__attribute__((format(printf, 2, 3))) static void run_malformed(struct run *run, const char *format,
                                                                ...)
{
    if (run->is_malformed)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(run->log, "vector %zu (%s) is malformed: ", run->index + 1, run->name);
    vfprintf(run->log, format, arguments);
    fputc('\n', run->log);
    va_end(arguments);
    run->is_malformed = true;
}

__attribute__((format(printf, 2, 3))) static void run_failed(struct run *run, const char *format,
                                                             ...)
{
    if (run->has_failed)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(run->log, "vector %zu (%s) failed: ", run->index + 1, run->name);
    vfprintf(run->log, format, arguments);
    fputc('\n', run->log);
    va_end(arguments);
    run->has_failed = true;
}

static void take_hex(struct run *run, const json_t *value, const char *what, struct buffer *out)
{
    const char *text = json_string_value(value);
    size_t size = text ? strlen(text) / 2 : 0;
    buffer_clear(out);
    uint8_t *room = buffer_reserve(out, size);
    require(room);
    if (!text || hex_decode(room, size, text, strlen(text)) != OK)
        run_malformed(run, "%s is not lower-case hexadecimal", what);
    else
        out->size = size;
}

/* Exactly 32 bytes; false when the field is absent. */
static bool take_key(struct run *run, const json_t *value, const char *what, uint8_t out[32])
{
    struct buffer raw = { 0 };
    if (!value)
        return false;
    take_hex(run, value, what, &raw);
    if (raw.size == 32)
        memcpy(out, raw.data, 32);
    else
        run_malformed(run, "%s is not 32 bytes", what);
    buffer_close(&raw);
    return true;
}

static const json_t *party_field(const json_t *vector, const char *prefix, const char *field)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%s", prefix, field);
    return json_object_get(vector, name);
}

static void take_psks(struct run *run, const json_t *psks, struct party *party)
{
    if (!psks)
        return;
    if (!json_is_array(psks) || json_array_size(psks) > NOISE_PSK_MAX) {
        run_malformed(run, "psks is not an array of at most %d", NOISE_PSK_MAX);
        return;
    }
    for (size_t i = 0; i < json_array_size(psks); i++) {
        take_key(run, json_array_get(psks, i), "psk", party->psks[i]);
        party->config.psks[i] = party->psks[i];
    }
    party->config.psk_count = json_array_size(psks);
}

static void take_party(struct run *run, const json_t *vector, const char *prefix,
                       struct party *party)
{
    uint8_t secret[32] = { 0 };
    const json_t *prologue = party_field(vector, prefix, "prologue");
    if (prologue)
        take_hex(run, prologue, "prologue", &party->prologue);
    if (take_key(run, party_field(vector, prefix, "static"), "static", secret)) {
        link_key_from_seed(&party->local_static, secret);
        party->config.local_static = &party->local_static;
    }
    if (take_key(run, party_field(vector, prefix, "ephemeral"), "ephemeral", secret)) {
        link_key_from_seed(&party->local_ephemeral, secret);
        party->config.local_ephemeral = &party->local_ephemeral;
    }
    if (take_key(run, party_field(vector, prefix, "remote_static"), "remote_static",
                 party->remote_static.bytes))
        party->config.remote_static = &party->remote_static;
    take_psks(run, party_field(vector, prefix, "psks"), party);
}

static void run_message(struct run *run, struct conversation *talk, size_t index,
                        const json_t *message)
{
    struct buffer payload = { 0 }, expected = { 0 }, sealed = { 0 }, opened = { 0 };
    take_hex(run, json_object_get(message, "payload"), "payload", &payload);
    take_hex(run, json_object_get(message, "ciphertext"), "ciphertext", &expected);
    if (!run->is_malformed && !run->has_failed) {
        enum err err = conversation_send(talk, index, buffer_bytes(&payload), &sealed, &opened);
        if (err != OK)
            run_failed(run, "message %zu: %s", index + 1, err_name(err));
        else if (!bytes_equal(buffer_bytes(&sealed), buffer_bytes(&expected)))
            run_failed(run, "message %zu: another ciphertext", index + 1);
        else if (!bytes_equal(buffer_bytes(&opened), buffer_bytes(&payload)))
            run_failed(run, "message %zu: another payload", index + 1);
    }
    buffer_close(&payload);
    buffer_close(&expected);
    buffer_close(&sealed);
    buffer_close(&opened);
}

static void run_messages(struct run *run, struct conversation *talk, const json_t *vector)
{
    const json_t *messages = json_object_get(vector, "messages"), *hash;
    struct buffer expected = { 0 };
    if (!json_is_array(messages) || json_array_size(messages) == 0)
        run_malformed(run, "there are no messages");
    for (size_t i = 0; i < json_array_size(messages); i++)
        run_message(run, talk, i, json_array_get(messages, i));
    if (!talk->is_split)
        run_failed(run, "the handshake is not complete at the end");
    hash = json_object_get(vector, "handshake_hash");
    if (hash)
        take_hex(run, hash, "handshake_hash", &expected);
    if (hash && !bytes_equal(buffer_bytes(&expected), BYTES_OF_ARRAY(talk->hash)))
        run_failed(run, "another handshake hash");
    buffer_close(&expected);
}

/* The pattern's name inside the protocol's; false for other primitives. */
static bool pattern_of(const char *protocol, char pattern[NAME_SIZE_MAX])
{
    size_t size = strlen(protocol), around = strlen(PREFIX) + strlen(SUFFIX);
    if (size <= around || size - around >= NAME_SIZE_MAX ||
        strncmp(protocol, PREFIX, strlen(PREFIX)) != 0 ||
        strcmp(protocol + size - strlen(SUFFIX), SUFFIX) != 0)
        return false;
    memcpy(pattern, protocol + strlen(PREFIX), size - around);
    pattern[size - around] = '\0';
    return true;
}

static void run_vector(struct run *run, const json_t *vector)
{
    struct conversation *talk = calloc(1, sizeof *talk);
    char pattern[NAME_SIZE_MAX];
    require(talk);
    take_party(run, vector, "init", &talk->parties[0]);
    take_party(run, vector, "resp", &talk->parties[1]);
    if (!pattern_of(run->name, pattern))
        run_failed(run, "the protocol is not supported");
    if (!run->is_malformed && !run->has_failed) {
        enum err err = conversation_begin(talk, pattern);
        if (err != OK)
            run_failed(run, "the handshake does not begin: %s", err_name(err));
    }
    if (!run->is_malformed && !run->has_failed)
        run_messages(run, talk, vector);
    conversation_close(talk);
    free(talk);
}

enum err noise_vectors_run(const char *path, struct noise_vectors_result *result, FILE *log)
{
    json_error_t error;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    const json_t *vectors = json_object_get(file, "vectors");
    struct run run = { .log = log };
    *result = (struct noise_vectors_result){ 0 };
    if (!file) {
        fprintf(log, "%s:%d: %s\n", path, error.line, error.text);
        return ERR_MALFORMED;
    }
    if (!json_is_array(vectors)) {
        fprintf(log, "%s: there is no array \"vectors\"\n", path);
        run.is_malformed = true;
    }
    for (; !run.is_malformed && run.index < json_array_size(vectors); run.index++) {
        const json_t *vector = json_array_get(vectors, run.index);
        run.name = json_string_value(json_object_get(vector, "protocol_name"));
        run.has_failed = false;
        if (!run.name) {
            run.name = "unnamed";
            run_malformed(&run, "there is no protocol_name");
        } else {
            run_vector(&run, vector);
        }
        result->passed += !run.has_failed;
        result->failed += run.has_failed;
    }
    json_decref(file);
    return run.is_malformed ? ERR_MALFORMED : OK;
}

/* ---- writing a file -------------------------------------------------------------------------- */

/* A stream of bytes that follows from the seed, the pattern and a counter. */
struct source {
    uint64_t seed;
    const char *pattern;
    uint64_t count;
};

static void source_draw(struct source *source, uint8_t *out, size_t size)
{
    char label[NAME_SIZE_MAX];
    uint8_t key[32] = { 0 };
    snprintf(label, sizeof label, "samad noise vector %llu %s %llu",
             (unsigned long long)source->seed, source->pattern,
             (unsigned long long)source->count++);
    crypto_generichash(key, sizeof key, (const uint8_t *)label, strlen(label), NULL, 0);
    randombytes_buf_deterministic(out, size, key);
}

static json_t *hex_json(struct bytes bytes)
{
    char *text = malloc(2 * bytes.size + 1);
    require(text);
    hex_encode(text, bytes);
    json_t *value = json_string(text);
    free(text);
    return value;
}

static void set_hex(json_t *object, const char *prefix, const char *field, struct bytes bytes)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, field);
    require(json_object_set_new(object, name, hex_json(bytes)) == 0);
}

static void draw_key(struct source *source, struct link_key *key)
{
    uint8_t secret[32];
    source_draw(source, secret, sizeof secret);
    link_key_from_seed(key, secret);
}

/* Keys that the two letters of a pattern's name speak of: 'N' none, 'K' known beforehand. */
static void draw_parties(struct source *source, struct conversation *talk, const char *pattern)
{
    struct party *initiator = &talk->parties[0], *responder = &talk->parties[1];
    bool one_way = strcspn(pattern, "p") == 1;
    char first = pattern[0], second = one_way ? 'K' : pattern[1 + (pattern[1] == '1')];
    draw_key(source, &initiator->local_static);
    draw_key(source, &initiator->local_ephemeral);
    draw_key(source, &responder->local_static);
    draw_key(source, &responder->local_ephemeral);
    initiator->remote_static = responder->local_static.public;
    responder->remote_static = initiator->local_static.public;
    initiator->config.local_ephemeral = &initiator->local_ephemeral;
    if (!one_way)
        responder->config.local_ephemeral = &responder->local_ephemeral;
    if (first != 'N')
        initiator->config.local_static = &initiator->local_static;
    if (first == 'K')
        responder->config.remote_static = &responder->remote_static;
    if (second != 'N')
        responder->config.local_static = &responder->local_static;
    if (second == 'K')
        initiator->config.remote_static = &initiator->remote_static;
}

static void draw_psks(struct source *source, struct conversation *talk, const char *pattern)
{
    size_t count = 0;
    for (const char *p = pattern; (p = strstr(p, "psk")); p += 3) {
        source_draw(source, talk->parties[0].psks[count], 32);
        memcpy(talk->parties[1].psks[count], talk->parties[0].psks[count], 32);
        count++;
    }
    for (int role = 0; role < 2; role++) {
        talk->parties[role].config.psk_count = count;
        for (size_t i = 0; i < count; i++)
            talk->parties[role].config.psks[i] = talk->parties[role].psks[i];
    }
}

static void write_party(json_t *vector, const char *prefix, const struct party *party)
{
    const struct noise_config *config = &party->config;
    set_hex(vector, prefix, "prologue", buffer_bytes(&party->prologue));
    if (config->local_static)
        set_hex(vector, prefix, "static", BYTES_OF_ARRAY(party->local_static.secret));
    if (config->local_ephemeral)
        set_hex(vector, prefix, "ephemeral", BYTES_OF_ARRAY(party->local_ephemeral.secret));
    if (config->remote_static)
        set_hex(vector, prefix, "remote_static", BYTES_OF_ARRAY(party->remote_static.bytes));
    if (config->psk_count == 0)
        return;
    char name[64];
    json_t *psks = json_array();
    for (size_t i = 0; i < config->psk_count; i++)
        json_array_append_new(psks, hex_json(BYTES_OF_ARRAY(party->psks[i])));
    snprintf(name, sizeof name, "%spsks", prefix);
    json_object_set_new(vector, name, psks);
}

static enum err write_messages(json_t *vector, struct source *source, struct conversation *talk)
{
    static const size_t sizes[] = { 0, 1, 16, 0, 100, 33 };
    struct buffer sealed = { 0 }, opened = { 0 };
    json_t *messages = json_array();
    enum err err = OK;
    for (size_t i = 0; err == OK && i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t payload[128];
        source_draw(source, payload, sizes[i]);
        err = conversation_send(talk, i, bytes_of(payload, sizes[i]), &sealed, &opened);
        json_t *message = json_object();
        set_hex(message, "", "payload", bytes_of(payload, sizes[i]));
        set_hex(message, "", "ciphertext", buffer_bytes(&sealed));
        json_array_append_new(messages, message);
    }
    json_object_set_new(vector, "messages", messages);
    buffer_close(&sealed);
    buffer_close(&opened);
    return err;
}

static enum err write_vector(json_t *vectors, const char *pattern, uint64_t seed)
{
    struct source source = { seed, pattern, 0 };
    struct conversation *talk = calloc(1, sizeof *talk);
    char name[NAME_SIZE_MAX];
    uint8_t prologue[20];
    json_t *vector = json_object();
    require(talk);
    snprintf(name, sizeof name, "%s%s%s", PREFIX, pattern, SUFFIX);
    json_object_set_new(vector, "protocol_name", json_string(name));
    source_draw(&source, prologue, sizeof prologue);
    for (int role = 0; role < 2; role++)
        buffer_append(&talk->parties[role].prologue, prologue, sizeof prologue);
    draw_parties(&source, talk, pattern);
    draw_psks(&source, talk, pattern);
    write_party(vector, "init_", &talk->parties[0]);
    write_party(vector, "resp_", &talk->parties[1]);
    enum err err = conversation_begin(talk, pattern);
    if (err == OK)
        err = write_messages(vector, &source, talk);
    set_hex(vector, "", "handshake_hash", BYTES_OF_ARRAY(talk->hash));
    json_array_append_new(vectors, vector);
    conversation_close(talk);
    free(talk);
    return err;
}

enum err noise_vectors_write(FILE *out, const char *const *patterns, size_t count, uint64_t seed)
{
    json_t *file = json_object(), *vectors = json_array();
    enum err err = OK;
    for (size_t i = 0; err == OK && i < count; i++)
        err = write_vector(vectors, patterns[i], seed);
    json_object_set_new(file, "vectors", vectors);
    if (err == OK && (json_dumpf(file, out, JSON_INDENT(1)) != 0 || fputc('\n', out) == EOF))
        err = ERR_IO;
    json_decref(file);
    return err;
}
