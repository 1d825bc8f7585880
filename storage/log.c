/* Opening, the state of logs, and appending. Reading is in log_read.c, proofs in log_proof.c, what
 * concerns followed logs in log_follow.c, incarnations in log_heads.c. */
#include "storage/log_private.h"

#include "proto/base/require.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char *const table_names[LOG_TABLE_COUNT] = {
    [LOG_META] = "meta",         [LOG_LOGS] = "logs",   [LOG_NAMES] = "names",
    [LOG_BATCHES] = "batches",   [LOG_TREE] = "tree",   [LOG_NOTES] = "notes",
    [LOG_RECEIPTS] = "receipts", [LOG_FORKS] = "forks", [LOG_ERASURES] = "erasures",
    [LOG_WITHHELD] = "withheld",
};

/* ---- keys ------------------------------------------------------------------------------------ */

struct bytes log_key_bytes(const struct log_key *key)
{
    return bytes_of(key->bytes, key->size);
}

struct log_key log_key_number(uint32_t number)
{
    struct log_key key = { .size = 4 };
    put_u32(key.bytes, number);
    return key;
}

struct log_key log_key_position(uint32_t number, uint64_t position)
{
    struct log_key key = { .size = 12 };
    put_u32(key.bytes, number);
    put_u64(key.bytes + 4, position);
    return key;
}

struct log_key log_key_tree(uint32_t number, unsigned level, uint64_t index)
{
    struct log_key key = { .size = 13 };
    put_u32(key.bytes, number);
    key.bytes[4] = (uint8_t)level;
    put_u64(key.bytes + 5, index);
    return key;
}

struct log_key log_key_hub(uint32_t number, const char *hub)
{
    size_t size = strlen(hub);
    require(size <= NODE_NAME_SIZE_MAX);
    struct log_key key = { .size = 4 + size };
    put_u32(key.bytes, number);
    memcpy(key.bytes + 4, hub, size);
    return key;
}

struct log_key log_key_fork(uint32_t number, uint32_t sequence)
{
    struct log_key key = { .size = 8 };
    put_u32(key.bytes, number);
    put_u32(key.bytes + 4, sequence);
    return key;
}

struct log_key log_key_erasure(const struct log_id *log, uint64_t position)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    log_id_origin(log, origin);
    size_t size = strlen(origin) + 1; /* with the terminator */
    struct log_key key = { .size = size + 8 };
    memcpy(key.bytes, origin, size);
    put_u64(key.bytes + size, position);
    return key;
}

bool log_erasure_is_formed(struct bytes key, struct bytes value)
{
    struct log_id id;
    return key.size > 9 && value.size == 0 && key.data[key.size - 9] == 0 &&
           log_id_from_origin(&id, bytes_of(key.data, key.size - 9)) == OK;
}

bool log_key_is_position(struct bytes key, uint32_t number, uint64_t *position)
{
    if (key.size != 12 || get_u32(key.data) != number)
        return false;
    *position = get_u64(key.data + 4);
    return true;
}

/* ---- open and close -------------------------------------------------------------------------- */

/* A store made by a newer program, or of another node, is left alone. */
static enum err meta_check(struct log_store *logs, struct store_txn *txn)
{
    struct bytes value;
    enum err err = store_get(txn, LOG_META, bytes_of_string("format"), &value);
    if (err != OK)
        return err;
    if (value.size != 4)
        return ERR_CORRUPT;
    if (get_u32(value.data) != STORAGE_FORMAT)
        return ERR_VERSION;
    err = store_get(txn, LOG_META, bytes_of_string("node"), &value);
    if (err != OK)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    if (!node_name_is_valid(value))
        return ERR_CORRUPT;
    if (logs->node[0] != '\0' && !bytes_equal(value, bytes_of_string(logs->node)))
        return ERR_CONFLICT;
    memcpy(logs->node, value.data, value.size);
    logs->node[value.size] = '\0';
    return OK;
}

static void meta_write(struct log_store *logs, struct store_txn *txn)
{
    uint8_t format[4];
    put_u32(format, STORAGE_FORMAT);
    store_put(txn, LOG_META, bytes_of_string("format"), BYTES_OF_ARRAY(format));
    store_put(txn, LOG_META, bytes_of_string("node"), bytes_of_string(logs->node));
}

static enum err log_store_begin(struct log_store *logs, bool create)
{
    struct store_txn txn = store_begin_read(logs->environment);
    enum err err = meta_check(logs, &txn);
    if (err == ERR_NOT_FOUND && store_count(&txn, LOG_LOGS) > 0)
        err = ERR_CORRUPT;
    store_abort(&txn);
    if (err != ERR_NOT_FOUND || !create)
        return err;
    txn = store_begin_write(logs->environment);
    meta_write(logs, &txn);
    return store_commit(&txn);
}

/* Without `create` nothing is made, not even the folder: a mistyped path stays visible. */
static enum err environment_open(struct log_store *logs, const struct log_store_options *options)
{
    struct store_options how = {
        .path = options->path,
        .tables = table_names,
        .table_count = LOG_TABLE_COUNT,
        .map_size = options->map_size,
        .reserve_size = options->reserve_size,
        .read_only = options->read_only,
        .must_exist = !options->create,
        .check_pages = options->check_pages,
    };
    return store_open(&logs->environment, &how);
}

enum err log_store_open(struct log_store **out, const struct log_store_options *options)
{
    *out = NULL;
    bool named = options->node != NULL;
    if ((!named && !options->read_only) ||
        (named && !node_name_is_valid(bytes_of_string(options->node))))
        return ERR_INVALID;
    if (sodium_init() < 0)
        return ERR_IO;
    struct log_store *logs = calloc(1, sizeof *logs);
    if (!logs)
        return ERR_NOMEM;
    logs->data_key = options->data_key;
    if (named)
        memcpy(logs->node, options->node, strlen(options->node));
    enum err err = environment_open(logs, options);
    if (err == OK)
        err = log_store_begin(logs, options->create && !options->read_only);
    if (err != OK) {
        log_store_close(logs);
        return err;
    }
    *out = logs;
    return OK;
}

void log_store_close(struct log_store *logs)
{
    if (!logs)
        return;
    store_close(logs->environment);
    free(logs->memory);
    sodium_memzero(&logs->data_key, sizeof logs->data_key);
    free(logs);
}

struct store *log_store_environment(struct log_store *logs)
{
    return logs->environment;
}

const struct seal_key *log_store_data_key(const struct log_store *logs)
{
    return &logs->data_key;
}

const char *log_store_node(const struct log_store *logs)
{
    return logs->node;
}

void log_store_note_changes(struct log_store *logs, struct journal_entry *entry)
{
    logs->changes = entry;
}

struct journal_entry *log_changes_of(const struct log_store *logs, const struct log_row *row)
{
    bool own = !row->branch && strcmp(row->id.node, logs->node) == 0;
    return own ? logs->changes : NULL;
}

/* ---- the state of a log ---------------------------------------------------------------------- */

#define ROW_FORMAT 1
#define ROW_FROZEN 1
#define ROW_BRANCH 2

enum err log_row_get(struct store_txn *txn, uint32_t number, struct log_row *row)
{
    struct log_key key = log_key_number(number);
    struct bytes value;
    enum err err = store_get(txn, LOG_LOGS, log_key_bytes(&key), &value);
    if (err != OK)
        return err;
    struct reader reader = reader_of(value);
    uint8_t format = read_u8(&reader);
    uint8_t flags = read_u8(&reader);
    uint16_t origin_size = read_u16(&reader);
    row->fork_count = read_u32(&reader);
    row->pending_size = read_u64(&reader);
    read_into(&reader, row->pending_root.bytes, HASH_SIZE);
    row->cosigned_size = read_u64(&reader);
    struct bytes origin = read_bytes(&reader, origin_size);
    row->frozen = flags & ROW_FROZEN;
    row->branch = flags & ROW_BRANCH;
    if (format > ROW_FORMAT)
        return ERR_VERSION;
    if (format != ROW_FORMAT || (flags & ~(ROW_FROZEN | ROW_BRANCH)) || reader.err != OK ||
        reader.rest.size > 0 || log_id_from_origin(&row->id, origin) != OK)
        return ERR_CORRUPT;
    return OK;
}

void log_row_put(struct store_txn *txn, uint32_t number, const struct log_row *row)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    uint8_t value[56 + LOG_ORIGIN_SIZE_MAX];
    log_id_origin(&row->id, origin);
    size_t origin_size = strlen(origin);
    value[0] = ROW_FORMAT;
    value[1] = (uint8_t)((row->frozen ? ROW_FROZEN : 0) | (row->branch ? ROW_BRANCH : 0));
    put_u16(value + 2, (uint16_t)origin_size);
    put_u32(value + 4, row->fork_count);
    put_u64(value + 8, row->pending_size);
    memcpy(value + 16, row->pending_root.bytes, HASH_SIZE);
    put_u64(value + 48, row->cosigned_size);
    memcpy(value + 56, origin, origin_size);
    struct log_key key = log_key_number(number);
    store_put(txn, LOG_LOGS, log_key_bytes(&key), bytes_of(value, 56 + origin_size));
}

struct log_memory *log_memory_of(struct log_store *logs, struct store_txn *txn, uint32_t number)
{
    require(txn->writes);
    uint64_t aborts = store_abort_count(logs->environment);
    if (aborts != logs->memory_aborts) {
        if (logs->memory_count > 0)
            memset(logs->memory, 0, logs->memory_count * sizeof *logs->memory);
        logs->memory_aborts = aborts;
    }
    if (number >= logs->memory_count) {
        size_t count = number < 32 ? 64 : 2 * (size_t)number;
        struct log_memory *memory = realloc(logs->memory, count * sizeof *memory);
        if (!memory)
            return NULL;
        memset(memory + logs->memory_count, 0, (count - logs->memory_count) * sizeof *memory);
        logs->memory = memory;
        logs->memory_count = count;
    }
    return &logs->memory[number];
}

static enum err log_size_stored(struct store_txn *txn, uint32_t number, uint64_t *size)
{
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    struct log_batch batch;
    enum err err = log_batch_before(&cursor, number, UINT64_MAX, &batch);
    store_cursor_close(&cursor);
    *size = err == OK ? log_batch_end(&batch) : 0;
    return err == ERR_NOT_FOUND ? OK : err;
}

/* Fills the writer's memory of a log from the store. */
static enum err log_recall(struct log_store *logs, struct store_txn *txn, uint32_t number,
                           struct log_memory **out)
{
    struct log_memory *memory = log_memory_of(logs, txn, number);
    *out = memory;
    if (!memory)
        return ERR_NOMEM;
    if (memory->known)
        return OK;
    struct log_row row;
    enum err err = log_row_get(txn, number, &row);
    if (err == OK)
        err = log_size_stored(txn, number, &memory->size);
    memory->frozen = err == OK && row.frozen;
    memory->known = err == OK;
    return err;
}

enum err log_size(struct log_store *logs, struct store_txn *txn, uint32_t number, uint64_t *size)
{
    struct log_memory *memory;
    if (!txn->writes)
        return log_size_stored(txn, number, size);
    enum err err = txn->err != OK ? txn->err : log_recall(logs, txn, number, &memory);
    *size = err == OK ? memory->size : 0;
    return err;
}

uint32_t log_count(struct log_store *logs, struct store_txn *txn)
{
    (void)logs;
    return (uint32_t)store_count(txn, LOG_LOGS);
}

enum err log_find(struct log_store *logs, struct store_txn *txn, const struct log_id *id,
                  uint32_t *number)
{
    (void)logs;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    struct bytes value;
    log_id_origin(id, origin);
    enum err err = store_get(txn, LOG_NAMES, bytes_of_string(origin), &value);
    if (err != OK)
        return err;
    if (value.size != 4)
        return ERR_CORRUPT;
    *number = get_u32(value.data);
    return OK;
}

enum err log_create(struct log_store *logs, struct store_txn *txn, const struct log_id *id,
                    uint32_t *number)
{
    enum err err = log_find(logs, txn, id, number);
    if (err != ERR_NOT_FOUND)
        return err == OK ? ERR_EXISTS : err;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    uint8_t value[4];
    *number = log_count(logs, txn);
    log_id_origin(id, origin);
    put_u32(value, *number);
    store_put(txn, LOG_NAMES, bytes_of_string(origin), BYTES_OF_ARRAY(value));
    log_row_put(txn, *number, &(struct log_row){ .id = *id });
    return txn->err;
}

enum err log_state_get(struct log_store *logs, struct store_txn *txn, uint32_t number,
                       struct log_state *state)
{
    struct log_row row;
    enum err err = log_row_get(txn, number, &row);
    if (err != OK)
        return err;
    *state = (struct log_state){
        .id = row.id,
        .number = number,
        .pending_size = row.pending_size,
        .pending_root = row.pending_root,
        .cosigned_size = row.cosigned_size,
        .frozen = row.frozen,
        .branch = row.branch,
    };
    return log_size(logs, txn, number, &state->size);
}

bool log_gives_receipts(struct log_store *logs, struct store_txn *txn)
{
    uint32_t count = log_count(logs, txn);
    struct log_row row;
    bool gives = false;
    for (uint32_t number = 0; number < count && !gives; number++)
        gives = log_row_get(txn, number, &row) == OK && row.cosigned_size > 0;
    return gives;
}

/* ---- appending ------------------------------------------------------------------------------- */

static void append_nodes(struct store_txn *txn, uint32_t number, const struct batch_builder *batch)
{
    for (size_t i = 0; i < batch->node_count; i++) {
        const struct batch_node *node = &batch->nodes[i];
        struct log_key key = log_key_tree(number, node->level, node->index);
        store_append(txn, LOG_TREE, log_key_bytes(&key), BYTES_OF_ARRAY(node->hash.bytes));
    }
}

static enum err append_note_change(struct log_store *logs, struct store_txn *txn, uint32_t number,
                                   uint64_t first, struct bytes value)
{
    struct log_row row;
    enum err err = log_row_get(txn, number, &row);
    struct journal_entry *changes = err == OK ? log_changes_of(logs, &row) : NULL;
    if (changes)
        journal_entry_batch(changes, &row.id, first, value);
    return err != OK || !changes ? err : changes->err;
}

enum err log_append(struct log_store *logs, struct store_txn *txn, uint32_t number,
                    const struct batch_builder *batch, struct bytes note)
{
    struct log_memory *memory;
    if (batch->err != OK)
        return batch->err;
    if (batch->count == 0 || note.size > NOTE_SIZE_MAX)
        return ERR_INVALID;
    if (txn->err != OK)
        return txn->err;
    enum err err = log_recall(logs, txn, number, &memory);
    if (err != OK)
        return err;
    if (memory->frozen && note.size > 0)
        return ERR_STALE; /* its writer goes on in another log */
    if (memory->size != batch->first)
        return ERR_GAP;
    require(batch->frontier.size == batch->first + batch->count);
    struct log_key key = log_key_position(number, batch->first);
    size_t size = batch_size(batch, note.size);
    uint8_t *room = store_reserve(txn, LOG_BATCHES, log_key_bytes(&key), size, true);
    if (!room)
        return txn->err;
    batch_write(batch, note, room);
    if (logs->changes)
        err = append_note_change(logs, txn, number, batch->first, bytes_of(room, size));
    if (err != OK)
        return err;
    append_nodes(txn, number, batch);
    memory->size = batch->frontier.size;
    return txn->err;
}
