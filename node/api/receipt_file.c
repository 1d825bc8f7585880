#include "node/api/receipt_file.h"

#include "proto/secure/note.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT        "samad-receipt-1"
#define SIGNATURE_BAR "\xe2\x80\x94 "

/* ---- building -------------------------------------------------------------------------------- */

static json_t *hex_json(struct bytes bytes)
{
    char *hex = malloc(2 * bytes.size + 1);
    if (!hex)
        return NULL;
    hex_encode(hex, bytes);
    json_t *json = json_string(hex);
    free(hex);
    return json;
}

static json_t *vkey_json(const char *name, enum note_key_type type, const struct sign_public *key)
{
    char vkey[VKEY_SIZE_MAX + 1];
    note_vkey(vkey, bytes_of_string(name), type, key);
    return json_string(vkey);
}

static json_t *proof_json(const struct merkle_proof *proof)
{
    json_t *list = json_array();
    for (size_t i = 0; i < proof->count; i++)
        json_array_append_new(list, hex_json(BYTES_OF_ARRAY(proof->hashes[i].bytes)));
    return list;
}

/* The end of the line that begins at `at`, behind its newline. */
static size_t line_end(struct bytes note, size_t at)
{
    const uint8_t *newline = memchr(note.data + at, '\n', note.size - at);
    return newline ? (size_t)(newline - note.data) + 1 : note.size;
}

/* Appends the lines of a note that are signed in this name. */
static void pick_lines(struct buffer *out, struct bytes note, size_t first, const char *name)
{
    char begin[sizeof SIGNATURE_BAR + NOTE_NAME_SIZE_MAX + 1];
    size_t size = (size_t)snprintf(begin, sizeof begin, SIGNATURE_BAR "%s ", name);
    for (size_t at = first, end; at < note.size; at = end) {
        end = line_end(note, at);
        if (end - at > size && memcmp(note.data + at, begin, size) == 0)
            buffer_append(out, note.data + at, end - at);
    }
}

/* The note with the log's line and this hub's, in this order, and no others: what nobody checks
 * could be altered unnoticed. */
static void reduce_note(struct buffer *out, struct bytes note, const char *origin, const char *hub)
{
    size_t text_size = 0;
    while (text_size < note.size && note.data[text_size] != '\n')
        text_size = line_end(note, text_size);
    if (text_size < note.size)
        text_size++;
    buffer_append(out, note.data, text_size);
    pick_lines(out, note, text_size, origin);
    pick_lines(out, note, text_size, hub);
}

/* ERR_NOT_FOUND when this hub's receipt does not cover the record. */
static enum err add_receipt(const struct receipt_file_source *source, struct log_source *tree,
                            const char *origin, const struct config_hub *hub, json_t *receipts)
{
    struct buffer note = { 0 }, reduced = { 0 };
    struct merkle_source hashes = log_merkle_source(tree);
    struct merkle_proof proof;
    char hub_key_name[NOTE_NAME_SIZE_MAX + 1];
    uint64_t size = 0;
    enum err err =
        log_receipt_get(source->logs, source->txn, source->number, hub->name, &note, &size);
    if (err == OK && size <= source->position)
        err = ERR_NOT_FOUND;
    if (err == OK)
        err = merkle_prove_inclusion(&hashes, source->position, size, &proof);
    if (err == OK) {
        receipt_key_name(hub_key_name, hub->name);
        reduce_note(&reduced, buffer_bytes(&note), origin, hub_key_name);
        err = reduced.err;
    }
    if (err == OK) {
        json_t *receipt =
            json_pack("{s:s, s:o, s:I, s:o, s:s%}", "hub", hub->name, "hub_key",
                      vkey_json(hub_key_name, NOTE_KEY_COSIGNATURE, &hub->receipt_key), "size",
                      (json_int_t)size, "proof", proof_json(&proof), "checkpoint",
                      (const char *)reduced.data, reduced.size);
        if (!receipt || json_array_append_new(receipts, receipt) != 0)
            err = ERR_NOMEM;
    }
    buffer_close(&note);
    buffer_close(&reduced);
    return err;
}

static enum err add_receipts(const struct receipt_file_source *source, const char *origin,
                             json_t *receipts)
{
    struct log_source *tree = calloc(1, sizeof *tree);
    if (!tree)
        return ERR_NOMEM;
    *tree =
        (struct log_source){ .logs = source->logs, .txn = source->txn, .number = source->number };
    enum err err = OK;
    for (size_t i = 0; i < source->hub_count && err == OK; i++) {
        if (json_array_size(receipts) == RECEIPT_FILE_HUB_MAX)
            break;
        err = add_receipt(source, tree, origin, &source->hubs[i], receipts);
        if (err == ERR_NOT_FOUND)
            err = OK;
    }
    free(tree);
    return err == OK && json_array_size(receipts) == 0 ? ERR_NOT_FOUND : err;
}

static enum err write_checked(json_t *root, struct buffer *json)
{
    struct receipt_claim claim;
    char reason[RECEIPT_FILE_REASON_MAX];
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    if (!text)
        return ERR_NOMEM;
    enum err err =
        receipt_file_verify(bytes_of_string(text), &(struct receipt_pins){ 0 }, &claim, reason);
    if (err == OK) {
        buffer_append_string(json, text);
        buffer_append_string(json, "\n");
        err = json->err;
    }
    free(text);
    return err;
}

enum err receipt_file_build(const struct receipt_file_source *source, struct buffer *json)
{
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct request_facts facts;
    struct hash leaf;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    json_t *root = NULL, *receipts = json_array();
    enum err err = log_read(source->logs, source->txn, source->number, source->position, &scratch,
                            &record, &header, &leaf);
    if (err == OK && header.kind != RECORD_REQUEST)
        err = ERR_INVALID;
    if (err == OK)
        err = request_facts_decode(
            &facts, record_unsalted(record.facts));
    if (err != OK)
        goto out;
    log_id_origin(&header.log, origin);
    err = add_receipts(source, origin, receipts);
    if (err != OK)
        goto out;
    root =
        json_pack("{s:s, s:s%, s:s, s:I, s:o, s:o, s:o, s:O}", "format", FORMAT, "code",
                  (const char *)facts.code.data, facts.code.size, "log", origin, "position",
                  (json_int_t)source->position, "log_key",
                  vkey_json(origin, NOTE_KEY_ED25519, source->log_key), "header",
                  hex_json(record.header), "facts", hex_json(record.facts), "receipts", receipts);
    err = root ? write_checked(root, json) : ERR_NOMEM;
out:
    json_decref(root);
    json_decref(receipts);
    buffer_close(&scratch);
    return err;
}

/* ---- verifying ------------------------------------------------------------------------------- */

struct check {
    const struct receipt_pins *pins;
    struct receipt_claim *claim;
    char *reason;
    uint8_t header[RECORD_HEADER_SIZE_MAX];
    size_t header_size;
    uint8_t facts[RECORD_PART_SIZE_MAX];
    size_t facts_size;
    struct hash leaf;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
};

static enum err refuse(struct check *check, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err refuse(struct check *check, enum err err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(check->reason, RECEIPT_FILE_REASON_MAX, format, args);
    va_end(args);
    return err;
}

/* ---- the members of an object: all of them, of their type, and no others ---- */

struct member {
    const char *name;
    json_type type;
    json_t *value; /* borrowed */
};

static const char *type_name(json_type type)
{
    switch (type) {
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_ARRAY:
        return "a list";
    default:
        return "an object";
    }
}

/* `where` says which object it is: "" for the file itself, or "receipts[0]: ". */
static enum err take_members(struct check *check, const char *where, json_t *object,
                             struct member *members, size_t count)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return refuse(check, ERR_MALFORMED, "%sthis is not a JSON object", where);
    for (size_t i = 0; i < count; i++) {
        members[i].value = json_object_get(object, members[i].name);
        if (!members[i].value)
            return refuse(check, ERR_MALFORMED, "%sthe member %s is missing", where,
                          members[i].name);
        if (json_typeof(members[i].value) != members[i].type)
            return refuse(check, ERR_MALFORMED, "%sthe member %s is not %s", where, members[i].name,
                          type_name(members[i].type));
    }
    json_object_foreach (object, name, value) {
        size_t i = 0;
        while (i < count && strcmp(members[i].name, name) != 0)
            i++;
        if (i == count)
            return refuse(check, ERR_MALFORMED, "%sthere is no member %.64s in this format", where,
                          name);
    }
    return OK;
}

/* Hexadecimal of at most `max` bytes. */
static bool take_hex(const json_t *json, uint8_t *out, size_t max, size_t *size)
{
    size_t digits = json_string_length(json);
    *size = digits / 2;
    return digits % 2 == 0 && *size <= max &&
           hex_decode(out, *size, json_string_value(json), digits) == OK;
}

static struct bytes string_bytes(const json_t *json)
{
    return bytes_of(json_string_value(json), json_string_length(json));
}

/* A verifier key of just this name and type. */
static enum err take_key(struct check *check, const char *member, const json_t *json,
                         const char *name, enum note_key_type type, struct sign_public *key)
{
    char found_name[NOTE_NAME_SIZE_MAX + 1];
    enum note_key_type found_type;
    if (note_vkey_parse(string_bytes(json), found_name, &found_type, key) != OK ||
        found_type != type)
        return refuse(check, ERR_MALFORMED, "%s is not a verifier key of type %02x", member, type);
    if (strcmp(found_name, name) != 0)
        return refuse(check, ERR_CONFLICT, "%s is the key of another name than %s", member, name);
    return OK;
}

/* Header and facts say the same as code, log and position beside them. */
static enum err check_record(struct check *check, const json_t *code, const json_t *log,
                             json_int_t position)
{
    struct record_header header;
    struct request_facts facts;
    struct hash commitment;
    struct receipt_claim *claim = check->claim;
    if (record_header_decode(&header, bytes_of(check->header, check->header_size)) != OK)
        return refuse(check, ERR_MALFORMED, "header is not the header of a record");
    log_id_origin(&header.log, check->origin);
    if (!bytes_equal(string_bytes(log), bytes_of_string(check->origin)))
        return refuse(check, ERR_CONFLICT, "log is not the log that the header names");
    if (position < 0 || (uint64_t)position != header.position)
        return refuse(check, ERR_CONFLICT, "position is not the one that the header names");
    if (header.kind != RECORD_REQUEST)
        return refuse(check, ERR_CONFLICT, "the record is not a request");
    record_commit(&commitment, bytes_of(check->facts, check->facts_size));
    if (check->facts_size < SALT_SIZE || !hash_equal(&commitment, &header.facts))
        return refuse(check, ERR_COMMITMENT, "facts are not those that the header commits to");
    if (request_facts_decode(
            &facts, record_unsalted(bytes_of(check->facts, check->facts_size))) != OK)
        return refuse(check, ERR_MALFORMED, "facts are not those of a request");
    if (!bytes_equal(string_bytes(code), facts.code))
        return refuse(check, ERR_CONFLICT, "code is not the one in the facts");
    merkle_leaf_hash(&check->leaf, bytes_of(check->header, check->header_size));
    memcpy(claim->code, facts.code.data, TRACKING_CODE_DIGITS);
    claim->log = header.log;
    claim->position = header.position;
    claim->occurred_at_ms = facts.occurred_at_ms;
    claim->registered_at_ms = header.time_ms;
    return OK;
}

/* Exactly two signature lines, so that none is there that nobody checks. */
static bool has_two_signatures(struct bytes note)
{
    size_t lines = 0;
    for (size_t i = 0; i < note.size; i++)
        lines += note.data[i] == '\n';
    return lines == 3 + 1 + 2;
}

static enum err check_notes(struct check *check, struct bytes note, struct receipt_claim_hub *hub,
                            const char *hub_key_name, struct checkpoint *checkpoint)
{
    enum err err = checkpoint_open(checkpoint, note, &check->claim->log_key);
    if (err == ERR_SIGNATURE)
        return refuse(check, err, "the log's signature on the checkpoint does not verify");
    if (err != OK || !has_two_signatures(note))
        return refuse(check, ERR_MALFORMED,
                      "checkpoint is not a note with the log's line and the hub's");
    err = receipt_open(note, bytes_of_string(hub_key_name), &hub->key, &hub->time_s);
    if (err != OK)
        return refuse(check, ERR_SIGNATURE, "the cosignature of hub %s does not verify", hub->name);
    if (!log_id_equal(&checkpoint->log, &check->claim->log))
        return refuse(check, ERR_CONFLICT, "the checkpoint is of another log");
    return OK;
}

static enum err check_path(struct check *check, const json_t *list,
                           const struct checkpoint *checkpoint)
{
    struct merkle_proof proof = { .count = json_array_size(list) };
    if (proof.count > MERKLE_PROOF_MAX)
        return refuse(check, ERR_MALFORMED, "proof is too long");
    for (size_t i = 0; i < proof.count; i++) {
        size_t size;
        const json_t *hash = json_array_get(list, i);
        if (!json_is_string(hash) || !take_hex(hash, proof.hashes[i].bytes, HASH_SIZE, &size) ||
            size != HASH_SIZE)
            return refuse(check, ERR_MALFORMED, "proof %zu is not a hash in hexadecimal", i);
    }
    if (merkle_verify_inclusion(&check->leaf, check->claim->position, checkpoint->size, &proof,
                                &checkpoint->root) != OK)
        return refuse(check, ERR_PROOF, "the header is not in the log under this checkpoint");
    return OK;
}

static enum err check_receipt(struct check *check, size_t index, json_t *json)
{
    struct member members[] = { { "hub", JSON_STRING, NULL },
                                { "hub_key", JSON_STRING, NULL },
                                { "size", JSON_INTEGER, NULL },
                                { "proof", JSON_ARRAY, NULL },
                                { "checkpoint", JSON_STRING, NULL } };
    char where[32];
    char hub_key_name[NOTE_NAME_SIZE_MAX + 1];
    struct checkpoint checkpoint;
    struct receipt_claim_hub *hub = &check->claim->hubs[check->claim->hub_count];
    snprintf(where, sizeof where, "receipts[%zu]: ", index);
    enum err err = take_members(check, where, json, members, sizeof members / sizeof *members);
    if (err != OK)
        return err;
    const json_t *name = members[0].value, *key = members[1].value, *note = members[4].value;
    json_int_t size = json_integer_value(members[2].value);
    if (!node_name_is_valid(string_bytes(name)))
        return refuse(check, ERR_MALFORMED, "%shub is not a node's name", where);
    memset(hub, 0, sizeof *hub);
    memcpy(hub->name, json_string_value(name), json_string_length(name));
    for (size_t i = 0; i < check->claim->hub_count; i++)
        if (strcmp(check->claim->hubs[i].name, hub->name) == 0)
            return refuse(check, ERR_MALFORMED, "receipts: hub %s stands there twice", hub->name);
    receipt_key_name(hub_key_name, hub->name);
    err = take_key(check, "hub_key", key, hub_key_name, NOTE_KEY_COSIGNATURE, &hub->key);
    if (err == OK)
        err = check_notes(check, string_bytes(note), hub, hub_key_name, &checkpoint);
    if (err == OK && (size < 0 || checkpoint.size != (uint64_t)size))
        err = refuse(check, ERR_CONFLICT, "size is not the one in the checkpoint");
    if (err == OK)
        err = check_path(check, members[3].value, &checkpoint);
    hub->size = checkpoint.size;
    check->claim->hub_count += err == OK;
    return err;
}

static bool key_equal(const struct sign_public *a, const struct sign_public *b)
{
    return memcmp(a->bytes, b->bytes, KEY_SIZE) == 0;
}

static enum err check_pins(struct check *check)
{
    const struct receipt_pins *pins = check->pins;
    const struct receipt_claim *claim = check->claim;
    if (pins->log_key && !key_equal(pins->log_key, &claim->log_key))
        return refuse(check, ERR_CONFLICT, "the log key in the file is not the given one");
    for (size_t i = 0; i < claim->hub_count; i++)
        if ((!pins->hub || strcmp(pins->hub, claim->hubs[i].name) == 0) &&
            (!pins->hub_key || key_equal(pins->hub_key, &claim->hubs[i].key)))
            return OK;
    return refuse(check, ERR_CONFLICT, "no receipt in the file is of the given hub and key");
}

static enum err check_file(struct check *check, json_t *root)
{
    struct member members[] = { { "format", JSON_STRING, NULL }, { "code", JSON_STRING, NULL },
                                { "log", JSON_STRING, NULL },    { "position", JSON_INTEGER, NULL },
                                { "log_key", JSON_STRING, NULL }, { "header", JSON_STRING, NULL },
                                { "facts", JSON_STRING, NULL },  { "receipts", JSON_ARRAY, NULL } };
    const char *format = json_string_value(json_object_get(root, "format"));
    if (format && strcmp(format, FORMAT) != 0)
        return refuse(check, ERR_VERSION, "format is not " FORMAT);
    enum err err = take_members(check, "", root, members, sizeof members / sizeof *members);
    if (err != OK)
        return err;
    const json_t *code = members[1].value, *log = members[2].value, *log_key = members[4].value;
    const json_t *header = members[5].value, *facts = members[6].value;
    const json_t *receipts = members[7].value;
    if (!take_hex(header, check->header, sizeof check->header, &check->header_size) ||
        !take_hex(facts, check->facts, sizeof check->facts, &check->facts_size))
        return refuse(check, ERR_MALFORMED, "header and facts are lower-case hexadecimal");
    size_t count = json_array_size(receipts);
    if (count < 1 || count > RECEIPT_FILE_HUB_MAX)
        return refuse(check, ERR_MALFORMED, "receipts are 1 to %d", RECEIPT_FILE_HUB_MAX);
    err = check_record(check, code, log, json_integer_value(members[3].value));
    if (err == OK)
        err = take_key(check, "log_key", log_key, check->origin, NOTE_KEY_ED25519,
                       &check->claim->log_key);
    for (size_t i = 0; i < count && err == OK; i++)
        err = check_receipt(check, i, json_array_get(receipts, i));
    return err == OK ? check_pins(check) : err;
}

enum err receipt_file_verify(struct bytes json, const struct receipt_pins *pins,
                             struct receipt_claim *claim, char reason[RECEIPT_FILE_REASON_MAX])
{
    json_error_t error;
    memset(claim, 0, sizeof *claim);
    reason[0] = '\0';
    struct check *check = calloc(1, sizeof *check);
    if (!check)
        return ERR_NOMEM;
    check->pins = pins;
    check->claim = claim;
    check->reason = reason;
    json_t *root =
        json.size <= RECEIPT_FILE_SIZE_MAX
            ? json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, &error)
            : NULL;
    enum err err = root ? check_file(check, root) : ERR_MALFORMED;
    if (!root)
        refuse(check, err, "the file is not one JSON document of a receipt's size");
    if (err != OK)
        memset(claim, 0, sizeof *claim);
    json_decref(root);
    free(check);
    return err;
}
