#include "tests/golden/golden_log.h"

#include "proto/base/require.h"
#include "storage/log_private.h"
#include "storage/verify.h"
#include "tests/support/records.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SEED           111
#define OWN_KEY        1
#define OTHER_KEY      2
#define HUB_KEY        3
#define RECEIPT_TIME_S 1700000000

struct seal_key golden_data_key(void)
{
    struct seal_key key;
    memset(key.bytes, 0x6b, sizeof key.bytes);
    return key;
}

bool golden_log_key(void *context, const struct log_id *id, struct sign_public *key)
{
    (void)context;
    *key = sample_key(OWN_KEY).public;
    return strcmp(id->node, "ardabil") == 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

struct maker {
    struct log_store *logs;
    struct store_txn txn;
};

static void batch_put(struct maker *maker, uint32_t number, const struct log_id *id,
                      struct batch_builder *batch, const struct sign_key *key)
{
    struct buffer note = { 0 };
    if (key)
        sample_note(&note, id, &batch->frontier, key);
    require(log_append(maker->logs, &maker->txn, number, batch, buffer_bytes(&note)) == OK);
    batch_close(batch);
    buffer_close(&note);
}

static void batch_start(struct maker *maker, uint32_t number, struct batch_builder *batch)
{
    struct merkle_frontier frontier;
    require(log_frontier(maker->logs, &maker->txn, number, &frontier) == OK);
    batch_begin(batch, &frontier);
}

static void add_sample(struct maker *maker, struct batch_builder *batch, struct sample *sample)
{
    batch_add(batch, &sample->record, &sample->leaf, log_store_data_key(maker->logs));
    sample_close(sample);
}

static void add_requests(struct maker *maker, uint32_t number, const struct log_id *id,
                         uint32_t count, const struct sign_key *key)
{
    struct batch_builder batch;
    batch_start(maker, number, &batch);
    sample_batch(&batch, id, SEED, count, 60, log_store_data_key(maker->logs));
    batch_put(maker, number, id, &batch, key);
}

/* The row that keeps an erasure in mind: origin 0x00 position. */
static void remember_erasure(struct maker *maker, const struct log_id *id, uint64_t position)
{
    uint8_t key[LOG_ORIGIN_SIZE_MAX + 1 + 8];
    log_id_origin(id, (char *)key);
    size_t size = strlen((char *)key) + 1;
    put_u64(key + size, position);
    store_put(&maker->txn, LOG_ERASURES, bytes_of(key, size + 8), BYTES_NONE);
}

/* An erasure, and a record of a kind that no program knows yet. */
static void add_special(struct maker *maker, uint32_t number, const struct log_id *id,
                        const struct sign_key *key)
{
    struct batch_builder batch;
    struct sample sample;
    struct buffer facts = { 0 };
    struct erase_facts erase = { .occurred_at_ms = 1700000100000,
                                 .log = *id,
                                 .position = 4,
                                 .reason = bytes_of_string("asked by the citizen") };
    require(erase_facts_encode(&facts, &erase) == OK);
    batch_start(maker, number, &batch);
    sample_record(&sample, id, batch.first, SEED, RECORD_ERASE, buffer_bytes(&facts), BYTES_NONE);
    add_sample(maker, &batch, &sample);
    sample_record(&sample, id, batch.first + 1, SEED, 4000, bytes_of_string("facts of tomorrow"),
                  bytes_of_string("person of tomorrow"));
    add_sample(maker, &batch, &sample);
    batch_put(maker, number, id, &batch, key);
    require(log_erase_person(maker->logs, &maker->txn, number, 4) == OK);
    remember_erasure(maker, id, 4);
    buffer_close(&facts);
}

static struct buffer note_at_end(struct maker *maker, uint32_t number, const struct log_id *id,
                                 uint8_t key_seed, struct checkpoint *checkpoint)
{
    struct merkle_frontier frontier;
    struct buffer note = { 0 };
    struct sign_key key = sample_key(key_seed);
    require(log_frontier(maker->logs, &maker->txn, number, &frontier) == OK);
    sample_note(&note, id, &frontier, &key);
    require(checkpoint_parse(checkpoint, buffer_bytes(&note)) == OK);
    return note;
}

static void put_receipt(struct maker *maker, uint32_t number, const char *hub, bool given,
                        struct bytes note, uint64_t size)
{
    char name[NOTE_NAME_SIZE_MAX + 1];
    struct buffer receipt = { 0 };
    struct sign_key key = sample_key(HUB_KEY);
    receipt_key_name(name, hub);
    require(receipt_sign(&receipt, note, bytes_of_string(name), RECEIPT_TIME_S, &key) == OK);
    enum err err =
        given
            ? log_cosign(maker->logs, &maker->txn, number, size, buffer_bytes(&receipt))
            : log_receipt_put(maker->logs, &maker->txn, number, hub, size, buffer_bytes(&receipt));
    require(err == OK);
    buffer_close(&receipt);
}

static uint32_t make_own(struct maker *maker, const struct log_id *id)
{
    struct sign_key key = sample_key(OWN_KEY);
    struct checkpoint checkpoint;
    uint32_t number;
    require(log_create(maker->logs, &maker->txn, id, &number) == OK);
    add_requests(maker, number, id, 1, &key);
    add_requests(maker, number, id, 7, &key);
    struct buffer note = note_at_end(maker, number, id, OWN_KEY, &checkpoint);
    put_receipt(maker, number, "tehran", false, buffer_bytes(&note), checkpoint.size);
    buffer_close(&note);
    add_special(maker, number, id, &key);
    return number;
}

/* The next incarnation of the node, which names the one before it. */
static void make_next(struct maker *maker, const struct log_id *id, uint32_t parent_number,
                      const struct log_id *parent)
{
    struct sign_key key = sample_key(OWN_KEY);
    struct log_head head = { .log = *parent };
    struct merkle_frontier frontier;
    struct batch_builder batch;
    struct sample sample;
    uint32_t number;
    require(log_frontier(maker->logs, &maker->txn, parent_number, &frontier) == OK);
    head.size = frontier.size;
    merkle_frontier_root(&frontier, &head.root);
    require(log_create(maker->logs, &maker->txn, id, &number) == OK);
    batch_start(maker, number, &batch);
    sample_incarnation(&sample, id, SEED, &head, 1);
    add_sample(maker, &batch, &sample);
    batch_put(maker, number, id, &batch, &key);
    add_requests(maker, number, id, 3, &key);
}

/* A log of another node: packages without notes, an accepted checkpoint, a receipt, a fork. */
static void make_followed(struct maker *maker, const struct log_id *id)
{
    struct checkpoint checkpoint;
    uint32_t number;
    require(log_create(maker->logs, &maker->txn, id, &number) == OK);
    add_requests(maker, number, id, 5, NULL);
    add_requests(maker, number, id, 6, NULL);
    struct buffer note = note_at_end(maker, number, id, OTHER_KEY, &checkpoint);
    require(log_pending_advance(maker->logs, &maker->txn, number, 0, &checkpoint,
                                buffer_bytes(&note)) == OK);
    put_receipt(maker, number, "ardabil", true, buffer_bytes(&note), checkpoint.size);
    require(log_freeze(maker->logs, &maker->txn, number,
                       bytes_of_string("two records at one position")) == OK);
    buffer_close(&note);
}

/* The other branch of the followed log; a person part of it never came. */
static void make_branch(struct maker *maker, const struct log_id *id)
{
    struct batch_builder batch;
    struct sample sample;
    uint32_t number;
    require(log_branch(maker->logs, &maker->txn, id, true, &number) == OK);
    add_requests(maker, number, id, 3, NULL);
    batch_start(maker, number, &batch);
    sample_record(&sample, id, batch.first, SEED + 1, RECORD_REQUEST,
                  bytes_of_string("other facts"), bytes_of_string("other person"));
    sample.record.person = BYTES_NONE;
    sample.record.person_absent = true;
    add_sample(maker, &batch, &sample);
    batch_put(maker, number, id, &batch, NULL);
    require(log_withheld_add(maker->logs, &maker->txn, number, 3) == OK);
}

void golden_log_make(const char *folder)
{
    struct log_store_options options = { .path = folder,
                                         .node = "ardabil",
                                         .create = true,
                                         .data_key = golden_data_key(),
                                         .map_size = 1 << 20 };
    struct maker maker;
    struct log_id own = sample_log("ardabil", "hub", 0x11),
                  next = sample_log("ardabil", "hub", 0x22);
    struct log_id followed = sample_log("gilan", "hub", 0x33);
    require(log_store_open(&maker.logs, &options) == OK);
    maker.txn = store_begin_write(log_store_environment(maker.logs));
    uint32_t number = make_own(&maker, &own);
    make_next(&maker, &next, number, &own);
    make_followed(&maker, &followed);
    make_branch(&maker, &followed);
    require(store_commit(&maker.txn) == OK);
    log_store_close(maker.logs);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) say(struct buffer *out, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buffer_append_string(out, line);
}

static void say_hash(struct buffer *out, const char *what, struct bytes bytes)
{
    struct hash hash;
    char hex[2 * HASH_SIZE + 1];
    hash_sha256(&hash, &bytes, 1);
    hex_encode(hex, BYTES_OF_ARRAY(hash.bytes));
    say(out, " %s=%zu:%s", what, bytes.size, bytes.size ? hex : "-");
}

static enum err say_record(void *context, uint64_t position, const struct record *record,
                           const struct record_header *header, const struct hash *leaf)
{
    struct buffer *out = context;
    char hex[2 * HASH_SIZE + 1];
    hex_encode(hex, BYTES_OF_ARRAY(leaf->bytes));
    say(out, "  record %llu kind=%u leaf=%s", (unsigned long long)position, header->kind, hex);
    say_hash(out, "facts", record->facts);
    say_hash(out, "person", record->person);
    say(out, "%s\n", record->person_absent ? " absent" : "");
    return OK;
}

static void say_state(struct buffer *out, const struct log_state *state, const struct hash *root)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1], hex[2 * HASH_SIZE + 1];
    log_id_origin(&state->id, origin);
    hex_encode(hex, BYTES_OF_ARRAY(root->bytes));
    say(out, "log %u %s\n  size=%llu root=%s pending=%llu cosigned=%llu frozen=%d branch=%d\n",
        state->number, origin, (unsigned long long)state->size, hex,
        (unsigned long long)state->pending_size, (unsigned long long)state->cosigned_size,
        state->frozen, state->branch);
}

static void say_kept(struct log_store *logs, struct store_txn *txn, uint32_t number,
                     struct buffer *out)
{
    static const char *const hubs[] = { "ardabil", "tehran" };
    struct buffer bytes = { 0 };
    struct log_head parents[4];
    uint64_t size;
    size_t count;
    for (size_t i = 0; i < 2; i++, buffer_clear(&bytes))
        if (log_receipt_get(logs, txn, number, hubs[i], &bytes, &size) == OK) {
            say(out, "  receipt %s size=%llu", hubs[i], (unsigned long long)size);
            say_hash(out, "note", buffer_bytes(&bytes));
            say(out, "\n");
        }
    if (log_note(logs, txn, number, 1, UINT64_MAX, &bytes, &size) == OK) {
        say(out, "  note size=%llu", (unsigned long long)size);
        say_hash(out, "note", buffer_bytes(&bytes));
        say(out, "\n");
    }
    if (log_withheld_below(logs, txn, number, UINT64_MAX, &size) == OK)
        say(out, "  withheld %llu\n", (unsigned long long)size);
    buffer_clear(&bytes);
    if (log_fork_get(logs, txn, number, 0, &bytes) == OK)
        say(out, "  fork %.*s\n", (int)bytes.size, (const char *)bytes.data);
    if (log_parents(logs, txn, number, parents, 4, &count) == OK)
        for (size_t i = 0; i < count; i++)
            say(out, "  parent size=%llu\n", (unsigned long long)parents[i].size);
    buffer_close(&bytes);
}

static enum err dump_log(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         struct buffer *out)
{
    struct log_state state;
    struct merkle_frontier frontier;
    struct hash root;
    enum err err = log_state_get(logs, txn, number, &state);
    if (err == OK)
        err = log_frontier(logs, txn, number, &frontier);
    if (err != OK)
        return err;
    merkle_frontier_root(&frontier, &root);
    say_state(out, &state, &root);
    say_kept(logs, txn, number, out);
    return log_scan(logs, txn, number, 0, state.size, true, say_record, out);
}

static enum err dump_erasures(struct store_txn *txn, struct buffer *out)
{
    struct store_cursor cursor = store_cursor_open(txn, LOG_ERASURES);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
    while (err == OK) {
        if (key.size > 9)
            say(out, "erased %.*s %llu\n", (int)(key.size - 9), (const char *)key.data,
                (unsigned long long)get_u64(key.data + key.size - 8));
        err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? OK : err;
}

static enum err dump_verification(struct log_store *logs, struct store_txn *txn, struct buffer *out)
{
    struct verify verify;
    enum err err = verify_open(&verify, logs, golden_log_key, NULL);
    if (err != OK)
        return err;
    while ((err = verify_step(&verify, txn, 1 << 20)) == OK)
        ;
    say(out, "verified records=%llu absent=%llu failures=%llu\n",
        (unsigned long long)verify.report.records, (unsigned long long)verify.report.absent,
        (unsigned long long)verify.report.failures);
    verify_close(&verify);
    return err == ERR_END ? OK : err;
}

enum err golden_log_dump(const char *folder, struct buffer *out)
{
    struct log_store_options options = {
        .path = folder, .node = "ardabil", .data_key = golden_data_key(), .map_size = 1 << 20
    };
    struct log_store *logs;
    enum err err = log_store_open(&logs, &options);
    if (err != OK)
        return err;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    uint32_t count = log_count(logs, &txn);
    for (uint32_t number = 0; err == OK && number < count; number++)
        err = dump_log(logs, &txn, number, out);
    if (err == OK)
        err = dump_erasures(&txn, out);
    if (err == OK)
        err = dump_verification(logs, &txn, out);
    store_abort(&txn);
    log_store_close(logs);
    return err != OK ? err : out->err;
}
