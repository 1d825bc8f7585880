/* Batches and the records in them: storage/README.md, 3, and the invariants S1 to S4 and S6. */
#include "tests/check/dump_reader.h"

#include "tests/check/dump_memo.h"
#include "tests/check/record.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    BATCH_HEAD = 16,
    RECORDS_MAX = 1024,
    SEAL_SIZE = 16,
    NONCE_SIZE = 24,
};
#define PERSON_MISSING UINT32_MAX

struct batch {
    uint32_t records, roots, note_size;
    const uint8_t *sizes;   /* 12 a record */
    const uint8_t *leaves;  /* 32 a record */
    const uint8_t *frontier;
    const uint8_t *note;
    struct span rest;
};

static bool batch_open(struct batch *batch, struct span value)
{
    if (value.size < BATCH_HEAD || value.data[0] != 1 || value.data[1] != 0 ||
        dump_big_endian(value.data + 12, 4) != 0)
        return false;
    batch->roots = (uint32_t)dump_big_endian(value.data + 2, 2);
    batch->records = (uint32_t)dump_big_endian(value.data + 4, 4);
    batch->note_size = (uint32_t)dump_big_endian(value.data + 8, 4);
    if (batch->records < 1 || batch->records > RECORDS_MAX || batch->note_size > 4096)
        return false;
    size_t fixed = BATCH_HEAD + 44 * (size_t)batch->records + 32 * (size_t)batch->roots +
                   batch->note_size;
    if (value.size < fixed)
        return false;
    batch->sizes = value.data + BATCH_HEAD;
    batch->leaves = batch->sizes + 12 * (size_t)batch->records;
    batch->frontier = batch->leaves + 32 * (size_t)batch->records;
    batch->note = batch->frontier + 32 * (size_t)batch->roots;
    batch->rest = (struct span){ batch->note + batch->note_size, value.size - fixed };
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 3 * batch->records; i++) {
        uint64_t size = dump_big_endian(batch->sizes + 4 * (size_t)i, 4);
        sum += i % 3 == 2 && size == PERSON_MISSING ? 0 : size;
    }
    return sum == batch->rest.size;
}

/* ---- one record ---------------------------------------------------------------------------- */

static struct span part_take(struct batch *batch, uint64_t size)
{
    struct span part = { batch->rest.data, (size_t)size };
    batch->rest.data += size;
    batch->rest.size -= (size_t)size;
    return part;
}

static struct dump_stored record_take(struct batch *batch, uint32_t index)
{
    const uint8_t *sizes = batch->sizes + 12 * (size_t)index;
    struct dump_stored stored;
    uint64_t person = dump_big_endian(sizes + 8, 4);
    stored.header = part_take(batch, dump_big_endian(sizes, 4));
    stored.facts = part_take(batch, dump_big_endian(sizes + 4, 4));
    stored.person_missing = person == PERSON_MISSING;
    stored.person = part_take(batch, stored.person_missing ? 0 : person);
    memcpy(stored.leaf.bytes, batch->leaves + 32 * (size_t)index, 32);
    return stored;
}

static void read_person(const struct dump_reading *reading, const struct dump_stored *stored,
                        const struct check_header *header, struct dump_record *record,
                        const char **wrong)
{
    unsigned char plain[65536];
    unsigned long long size = 0;
    bool there = stored->person_missing || stored->person.size > 0;
    if (there != header->has_person) {
        *wrong = "its header and its sizes do not agree on a person part";
        record->person = there ? PERSON_DAMAGED : PERSON_NONE;
        return;
    }
    record->person = !there ? PERSON_NONE : stored->person_missing ? PERSON_ABSENT : PERSON_HELD;
    if (record->person != PERSON_HELD || !reading->options->data_key)
        return;
    bool opened = stored->person.size >= SEAL_SIZE &&
                  stored->person.size <= sizeof plain + SEAL_SIZE &&
                  crypto_aead_xchacha20poly1305_ietf_decrypt(
                      plain, &size, NULL, stored->person.data, stored->person.size,
                      stored->leaf.bytes, 32, stored->leaf.bytes, reading->options->data_key) == 0;
    struct span part = { plain, (size_t)size };
    if (!opened || !check_part_matches(part, &header->person)) {
        *wrong = opened ? "its person part is not what its header commits to"
                        : "its person part does not open";
        record->person = PERSON_DAMAGED;
    } else if (header->kind == CHECK_KIND_REQUEST) {
        record->person_opened = check_person_read(&record->person_content, part) == NULL;
    }
    sodium_memzero(plain, (size_t)size);
}

struct parents {
    struct dump *dump;
    struct dump_log *log;
};

static void parent_found(void *context, const char *origin, uint64_t size,
                         const struct check_hash *root)
{
    struct parents *parents = context;
    dump_add_parent(parents->dump, parents->log,
                    &(struct dump_head){ .log = origin, .size = size, .root = *root });
}

/* What the kinds that are known here say; nothing when the facts are not those of the kind, for a
 * store takes what verifies and leaves sense to those who fold. Strings are kept in the dump. */
static void read_facts(struct dump_reading *reading, struct dump_log *log,
                              const struct check_header *header, struct span facts,
                              struct dump_record *record)
{
    struct arena *memory = &reading->dump->memory;
    if (header->kind == CHECK_KIND_REQUEST) {
        struct check_request request;
        if (check_request_read(&request, facts))
            return;
        record->facts_content = request.facts_content;
        record->client =
            arena_string(memory, (const char *)request.client.data, request.client.size);
        record->key = arena_string(memory, (const char *)request.key.data, request.key.size);
        record->code = arena_string(memory, (const char *)request.code.data, request.code.size);
    } else if (header->kind == CHECK_KIND_ERASE) {
        struct check_erase erase;
        if (check_erase_read(&erase, facts))
            return;
        record->erased_log = arena_text(memory, erase.origin);
        record->erased_position = erase.position;
    } else if (header->kind == CHECK_KIND_INCARNATION) {
        struct parents parents = { reading->dump, log };
        if (header->position == 0)
            (void)check_incarnation_read(facts, parent_found, &parents);
    }
}

/* NULL: the record is as it should be. */
static const char *record_read(struct dump_reading *reading, struct dump_log *log,
                               const struct dump_stored *stored, struct dump_record *record)
{
    struct check_header header;
    record->hash = tree_leaf(stored->header.data, stored->header.size);
    const char *wrong = check_header_read(&header, stored->header);
    if (!check_hash_equal(&record->hash, &stored->leaf))
        return "its leaf hash is not that of its header";
    if (wrong)
        return wrong;
    if (strcmp(header.origin, log->origin) != 0 || header.position != record->position)
        return "its header names another log or position";
    record->kind = header.kind;
    record->time_ms = header.time_ms;
    record->has_case = header.has_case;
    memcpy(record->case_id, header.case_id, sizeof record->case_id);
    record->cause_log = header.has_cause ? arena_text(&reading->dump->memory, header.cause_origin)
                                         : "";
    record->cause_position = header.cause_position;
    record->cause_hash = header.cause_hash;
    if (!check_part_matches(stored->facts, &header.facts))
        return "its facts are not what its header commits to";
    read_person(reading, stored, &header, record, &wrong);
    read_facts(reading, log, &header, stored->facts, record);
    return wrong;
}

static bool is_good(struct dump_reading *reading, struct dump_log *log,
                    const struct dump_stored *stored, struct dump_record *record)
{
    const char *wrong = record_read(reading, log, stored, record);
    record->damaged = wrong != NULL;
    if (wrong)
        dump_add_problem(reading->dump, log->origin, record->position, wrong);
    return !wrong;
}

/* First records are read each time: their parents go into the dump. */
static void record_learn(struct dump_reading *reading, struct dump_log *log,
                         const struct dump_stored *stored, struct dump_record *record)
{
    struct dump_memo *memo = reading->options->memo;
    const struct dump_record *known =
        memo ? dump_memo_find(memo, log->origin, record->position, stored) : NULL;
    if (known)
        *record = *known;
    else if (is_good(reading, log, stored, record) && memo && record->position > 0)
        dump_memo_keep(memo, log->origin, stored, record);
}

/* ---- the batch ----------------------------------------------------------------------------- */

static void subtree_made(void *context, unsigned level, uint64_t index,
                         const struct check_hash *hash)
{
    struct log_reading *log = context;
    (void)index; /* they are made in order */
    if (level < DUMP_STORED_LEVEL)
        return;
    struct dump_level *list = &log->levels[level - DUMP_STORED_LEVEL];
    if (arena_grow((void **)&list->hashes, &list->capacity, list->count, sizeof *list->hashes))
        list->hashes[list->count++] = *hash;
}

static bool frontier_matches(const struct batch *batch, const struct tree *tree)
{
    uint32_t index = 0;
    for (unsigned level = 64; level-- > 0;) {
        if ((tree->count >> level & 1) == 0)
            continue;
        if (index == batch->roots ||
            memcmp(batch->frontier + 32 * (size_t)index, tree->levels[level].bytes, 32) != 0)
            return false;
        index++;
    }
    return index == batch->roots;
}

static void batch_records(struct dump_reading *reading, uint32_t number, uint64_t first,
                          struct batch *batch)
{
    struct dump_log *log = &reading->dump->logs[number];
    struct log_reading *state = &reading->logs[number];
    for (uint32_t i = 0; i < batch->records; i++) {
        struct dump_stored stored = record_take(batch, i);
        struct dump_record record = { .position = first + i,
                                      .client = "",
                                      .key = "",
                                      .code = "",
                                      .erased_log = "",
                                      .cause_log = "" };
        record_learn(reading, log, &stored, &record);
        /* The tree goes on with the stored leaf: one damaged header is one problem. */
        if (state->whole)
            tree_append_noting(&state->tree, &stored.leaf, subtree_made, state);
        dump_add_record(reading->dump, log, &record);
    }
}

void dump_batch(struct dump_reading *reading, uint32_t number, uint64_t first, struct span value)
{
    struct dump_log *log = &reading->dump->logs[number];
    struct log_reading *state = &reading->logs[number];
    struct batch batch;
    if (first != log->size) {
        dump_add_problem(reading->dump, log->origin, log->size,
                         "a hole, or an overlap, before the next batch");
        state->whole = false;
    }
    if (!batch_open(&batch, value)) {
        dump_add_problem(reading->dump, log->origin, first, "a batch is not of the form");
        state->whole = false;
        return;
    }
    batch_records(reading, number, first, &batch);
    log->size = first + batch.records;
    if (state->whole && !frontier_matches(&batch, &state->tree)) {
        dump_add_problem(reading->dump, log->origin, first,
                         "the leaf hashes do not lead to the frontier of their batch");
        state->whole = false;
    }
    if (batch.note_size == 0)
        return;
    struct dump_note note = { .size = log->size, .hub = "" };
    note.text = dump_note_text(reading, number, log->size,
                               (struct span){ batch.note, batch.note_size });
    if (*note.text)
        dump_add_checkpoint(reading->dump, log, &note);
}
