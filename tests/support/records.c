#include "tests/support/records.h"

#include "proto/base/require.h"

#include <string.h>

struct log_id sample_log(const char *node, const char *audience, uint8_t incarnation)
{
    struct log_id id;
    uint8_t bytes[INCARNATION_SIZE];
    memset(bytes, incarnation, sizeof bytes);
    require(log_id_init(&id, bytes_of_string(node), bytes_of_string(audience), bytes) == OK);
    return id;
}

struct sign_key sample_key(uint8_t seed)
{
    struct sign_key key;
    uint8_t bytes[KEY_SIZE];
    memset(bytes, seed, sizeof bytes);
    sign_key_from_seed(&key, bytes);
    return key;
}

void sample_close(struct sample *sample)
{
    buffer_close(&sample->bytes);
    buffer_close(&sample->facts);
    buffer_close(&sample->person);
}

static void salted(struct buffer *out, uint64_t seed, uint64_t position, uint8_t which,
                   struct bytes part)
{
    uint8_t input[17];
    struct hash salt;
    put_u64(input, seed);
    put_u64(input + 8, position);
    input[16] = which;
    hash_sha256(&salt, &BYTES_OF_ARRAY(input), 1);
    buffer_append(out, salt.bytes, HASH_SIZE);
    buffer_append_bytes(out, part);
}

void sample_record(struct sample *sample, const struct log_id *log, uint64_t position,
                   uint64_t seed, uint32_t kind, struct bytes facts, struct bytes person)
{
    memset(sample, 0, sizeof *sample);
    struct record_header *header = &sample->header;
    header->kind = kind;
    header->log = *log;
    header->position = position;
    header->time_ms = (int64_t)(1700000000000 + position * 1000);
    memcpy(header->actor, "clerk-7", 7);
    salted(&sample->facts, seed, position, 'f', facts);
    record_commit(&header->facts, buffer_bytes(&sample->facts));
    if (person.size > 0) {
        salted(&sample->person, seed, position, 'p', person);
        header->has_person = true;
        record_commit(&header->person, buffer_bytes(&sample->person));
    }
    require(record_header_encode(&sample->bytes, header) == OK);
    sample->record.header = buffer_bytes(&sample->bytes);
    sample->record.facts = buffer_bytes(&sample->facts);
    sample->record.person = buffer_bytes(&sample->person);
    merkle_leaf_hash(&sample->leaf, sample->record.header);
}

void sample_incarnation(struct sample *sample, const struct log_id *log, uint64_t seed,
                        const struct log_head *parents, size_t parent_count)
{
    struct buffer facts = { 0 };
    struct incarnation_facts incarnation = {
        .occurred_at_ms = 1700000000000,
        .parent_count = parent_count,
        .parents = (struct log_head *)(uintptr_t)parents,
    };
    require(incarnation_facts_encode(&facts, &incarnation) == OK);
    sample_record(sample, log, 0, seed, RECORD_INCARNATION, buffer_bytes(&facts), BYTES_NONE);
    buffer_close(&facts);
}

void sample_request(struct sample *sample, const struct log_id *log, uint64_t position,
                    uint64_t seed, size_t text_size)
{
    struct buffer facts = { 0 }, person = { 0 };
    char code[] = "10000000000000", text[8192];
    require(text_size > 0 && text_size <= sizeof text);
    if (position == 0) {
        sample_incarnation(sample, log, seed, NULL, 0);
        return;
    }
    for (size_t i = 0; i < 10; i++)
        code[13 - i] = (char)('0' + (position / (i < 9 ? 1 : 10) + seed + i * i) % 10);
    for (size_t i = 0; i < text_size; i++)
        text[i] = (char)('a' + (i * i + position + seed) % 26);
    struct request_facts request = {
        .occurred_at_ms = (int64_t)(1700000000000 + position * 1000),
        .code = bytes_of_string(code),
        .kind = REQUEST_COMPLAINT,
        .channel = CHANNEL_PHONE,
        .subject = bytes_of_string("water.outage"),
        .place = bytes_of_string("IR-24"),
        .client = bytes_of_string("desk"),
        .idempotency_key = bytes_of_string(code),
    };
    struct request_person citizen = {
        .name = bytes_of_string("Citizen Canary"),
        .national_id = bytes_of_string("0012345679"),
        .phone = bytes_of_string("+989121112233"),
        .text = bytes_of(text, text_size),
    };
    require(request_facts_encode(&facts, &request) == OK);
    require(request_person_encode(&person, &citizen) == OK);
    sample_record(sample, log, position, seed, RECORD_REQUEST, buffer_bytes(&facts),
                  buffer_bytes(&person));
    buffer_close(&facts);
    buffer_close(&person);
}

void sample_batch(struct batch_builder *batch, const struct log_id *log, uint64_t seed,
                  uint32_t count, size_t text_size, const struct seal_key *key)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sample sample;
        sample_request(&sample, log, batch->first + batch->count, seed, text_size);
        batch_add(batch, &sample.record, &sample.leaf, key);
        sample_close(&sample);
    }
    require(batch->err == OK);
}

void sample_note(struct buffer *note, const struct log_id *log,
                 const struct merkle_frontier *frontier, const struct sign_key *key)
{
    struct checkpoint checkpoint = { .log = *log, .size = frontier->size };
    merkle_frontier_root(frontier, &checkpoint.root);
    checkpoint_sign(note, &checkpoint, key);
    require(note->err == OK);
}
