/* Beside the straight path: the other branch of a forked log, and person parts that are missing. */
#include "storage/log_private.h"

#include <string.h>

/* Its name is the origin with one more character, which no origin has. */
enum err log_branch(struct log_store *logs, struct store_txn *txn, const struct log_id *id,
                    bool create, uint32_t *number)
{
    char name[LOG_ORIGIN_SIZE_MAX + 2];
    uint8_t row_number[4];
    struct bytes value;
    log_id_origin(id, name);
    strcat(name, "#");
    enum err err = store_get(txn, LOG_NAMES, bytes_of_string(name), &value);
    if (err == OK) {
        if (value.size != 4)
            return ERR_CORRUPT;
        *number = get_u32(value.data);
        return OK;
    }
    if (err != ERR_NOT_FOUND || !create)
        return err;
    *number = log_count(logs, txn);
    put_u32(row_number, *number);
    store_put(txn, LOG_NAMES, bytes_of_string(name), BYTES_OF_ARRAY(row_number));
    log_row_put(txn, *number, &(struct log_row){ .id = *id, .branch = true });
    return txn->err;
}

enum err log_withheld_add(struct log_store *logs, struct store_txn *txn, uint32_t number,
                          uint64_t position)
{
    struct log_key key = log_key_position(number, position);
    (void)logs;
    store_put(txn, LOG_WITHHELD, log_key_bytes(&key), BYTES_NONE);
    return txn->err;
}

enum err log_withheld_explain(struct log_store *logs, struct store_txn *txn, uint32_t number,
                              uint64_t position)
{
    struct log_key key = log_key_position(number, position);
    (void)logs;
    store_delete(txn, LOG_WITHHELD, log_key_bytes(&key));
    return txn->err;
}

enum err log_withheld_below(struct log_store *logs, struct store_txn *txn, uint32_t number,
                            uint64_t size, uint64_t *position)
{
    struct log_key from = log_key_position(number, 0);
    struct bytes key, value;
    (void)logs;
    struct store_cursor cursor = store_cursor_open(txn, LOG_WITHHELD);
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    store_cursor_close(&cursor);
    if (err == OK && (!log_key_is_position(key, number, position) || *position >= size))
        err = ERR_NOT_FOUND;
    return err == ERR_END ? ERR_NOT_FOUND : err;
}
