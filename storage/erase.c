#include "storage/erase.h"

#include "proto/base/bug.h"
#include "storage/log_private.h"

#include <string.h>

/* Also a person part that never came is then accounted for: receipts may cover the record. */
static enum err erase_one(struct log_store *logs, struct store_txn *txn, uint32_t number,
                          uint64_t position)
{
    if (SAMAD_BUG(ERASES_NOTHING))
        return OK;
    enum err err = log_erase_person(logs, txn, number, position);
    return err == OK ? log_withheld_explain(logs, txn, number, position) : err;
}

/* What is not held yet is left to erase_on_append. */
static enum err erase_if_held(struct log_store *logs, struct store_txn *txn, uint32_t number,
                              uint64_t position)
{
    struct log_state state;
    enum err err = log_state_get(logs, txn, number, &state);
    return err == OK && position < state.size ? erase_one(logs, txn, number, position) : err;
}

/* Both branches of a forked log: who erases cannot know which one another holder has. */
static enum err erase_everywhere(struct log_store *logs, struct store_txn *txn,
                                 const struct log_id *log, uint64_t position)
{
    uint32_t number;
    enum err err = log_find(logs, txn, log, &number);
    if (err == OK)
        err = erase_if_held(logs, txn, number, position);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    err = log_branch(logs, txn, log, false, &number);
    if (err == OK)
        err = erase_if_held(logs, txn, number, position);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err erase_put(struct log_store *logs, struct store_txn *txn, const struct log_id *log,
                   uint64_t position)
{
    struct log_key key = log_key_erasure(log, position);
    store_put(txn, LOG_ERASURES, log_key_bytes(&key), BYTES_NONE);
    return txn->err != OK ? txn->err : erase_everywhere(logs, txn, log, position);
}

enum err erase_named(const struct record_header *header, struct bytes facts,
                     struct erase_facts *erase)
{
    enum err err = header->kind == RECORD_ERASE ? erase_facts_decode(erase, facts) : ERR_INVALID;
    if (err == ERR_NOMEM)
        return err; /* says nothing of the facts: the erasure must not be forgotten */
    return err == OK && strcmp(erase->log.node, header->log.node) == 0 ? OK : ERR_NOT_FOUND;
}

enum err erase_on_record(struct log_store *logs, struct store_txn *txn,
                         const struct record_header *header, struct bytes facts)
{
    struct erase_facts erase;
    enum err err = erase_named(header, facts, &erase);
    return err == OK ? erase_put(logs, txn, &erase.log, erase.position)
                     : err == ERR_NOT_FOUND ? OK : err;
}

/* The position of an entry that belongs to the same log as `first`; false otherwise. */
static bool erase_key_position(const struct log_key *first, struct bytes key, uint64_t *position)
{
    if (key.size != first->size || memcmp(key.data, first->bytes, key.size - 8) != 0)
        return false;
    *position = get_u64(key.data + key.size - 8);
    return true;
}

enum err erase_on_append(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         const struct log_id *log, uint64_t first, uint64_t count)
{
    struct log_key from = log_key_erasure(log, first);
    struct store_cursor cursor = store_cursor_open(txn, LOG_ERASURES);
    struct bytes key, value;
    uint64_t position;

    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    while (err == OK && erase_key_position(&from, key, &position) && position < first + count) {
        err = erase_one(logs, txn, number, position);
        if (err == OK)
            err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? OK : err;
}
