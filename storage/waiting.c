#include "storage/waiting.h"

#include "storage/log_private.h"
#include "storage/order.h"

#include <stdlib.h>
#include <string.h>

struct waiting {
    struct memory *memory;
    struct log_store *logs;
    struct waiting_options options;
    struct waiting_reader writer; /* while it is being made */
    struct buffer person, scratch;
    uint64_t records;
};

enum { GROUP = 1 }; /* of everything: it is durable */

/* ---- the view --------------------------------------------------------------------------- */

static enum err waiting_get(void *context, struct bytes key, struct bytes *value)
{
    struct waiting_reader *reader = context;
    uint64_t group;
    *value = BYTES_NONE;
    enum err err = reader->open ? memory_get(&reader->pin, key, value, &group) : ERR_NOT_FOUND;
    return err == ERR_ERASED ? ERR_NOT_FOUND : err;
}

static enum err waiting_seek(void *context, struct bytes from, bool backward, struct bytes *key,
                             struct bytes *value)
{
    struct waiting_reader *reader = context;
    uint64_t group;
    return reader->open ? memory_seek(&reader->pin, from, backward, NULL, key, value, &group)
                        : ERR_END;
}

static enum err waiting_put(void *context, struct bytes key, struct bytes value)
{
    struct waiting_reader *reader = context;
    return memory_put(reader->pin.memory, GROUP, key, value.data ? value : bytes_of_string(""));
}

static enum err waiting_del(void *context, struct bytes key)
{
    struct waiting_reader *reader = context;
    return memory_put(reader->pin.memory, GROUP, key, BYTES_NONE);
}

static enum err waiting_refuse_put(void *context, struct bytes key, struct bytes value)
{
    (void)context, (void)key, (void)value;
    return ERR_INVALID;
}

static enum err waiting_refuse_del(void *context, struct bytes key)
{
    (void)context, (void)key;
    return ERR_INVALID;
}

void waiting_reader_begin(struct waiting *waiting, struct waiting_reader *reader)
{
    static const struct view_ops OPS = { waiting_get, waiting_refuse_put, waiting_refuse_del,
                                         waiting_seek };
    *reader = (struct waiting_reader){ .view = { .ops = &OPS, .context = reader },
                                       .open = waiting != NULL };
    if (reader->open)
        memory_pin(waiting->memory, &reader->pin);
}

void waiting_reader_end(struct waiting_reader *reader)
{
    if (reader->open)
        memory_unpin(&reader->pin);
    reader->open = false;
}

static void writer_begin(struct waiting *waiting)
{
    static const struct view_ops OPS = { waiting_get, waiting_put, waiting_del, waiting_seek };
    struct waiting_reader *writer = &waiting->writer;
    *writer = (struct waiting_reader){ .view = { .ops = &OPS, .context = writer }, .open = true };
    memory_pin_newest(waiting->memory, &writer->pin);
}

/* ---- folding ---------------------------------------------------------------------------- */

static enum err fold_one(void *context, uint64_t position, const struct record *record,
                         const struct record_header *header, const struct hash *leaf)
{
    struct waiting *waiting = context;
    const struct rules *rules = &waiting->options.rules;
    (void)position, (void)leaf;
    if (memory_is_full(waiting->memory))
        return ERR_END;
    waiting->records++;
    return rules_fold(rules, &waiting->writer.view, header, record);
}

/* A record that fails its check is not answered from, nor is what follows it in its log. */
static enum err passed(enum err err)
{
    return err == ERR_CORRUPT || err == ERR_VERSION || err == ERR_NOT_FOUND || err == ERR_END ? OK
                                                                                              : err;
}

static bool stands(const struct order_entry *order, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++)
        if (order[i].number == number)
            return true;
    return false;
}

static bool folds(const struct waiting *waiting, const struct log_id *id)
{
    return strcmp(id->node, waiting->options.node) == 0 &&
           strcmp(id->audience, waiting->options.audience) == 0;
}

/* Logs in log/ that are not in the order. */
static enum err fold_logs(struct waiting *waiting, struct store_txn *txn)
{
    struct order_entry *order;
    size_t order_count;
    uint32_t count = log_count(waiting->logs, txn);
    enum err err = order_of_node(waiting->logs, txn, waiting->options.node,
                                 waiting->options.audience, &order, &order_count);
    for (uint32_t number = 0; number < count && err == OK; number++) {
        struct log_state state;
        err = log_state_get(waiting->logs, txn, number, &state);
        if (err == OK && state.size > 0 && !state.branch && folds(waiting, &state.id) &&
            !stands(order, order_count, number))
            err = passed(
                log_scan(waiting->logs, txn, number, 0, UINT64_MAX, true, fold_one, waiting));
    }
    free(order);
    return err == OK ? txn->err : err;
}

/* ---- of the journal --------------------------------------------------------------------- */

static enum err fold_sealed(struct waiting *waiting, const struct log_id *id, uint64_t position,
                            struct record sealed, const struct hash *leaf,
                            enum journal_person state)
{
    struct record open;
    struct record_header header;
    if (sealed.person.size > 0 && state != JOURNAL_PERSON_WHOLE) {
        sealed.person = BYTES_NONE;
        sealed.person_absent = true;
    }
    buffer_clear(&waiting->person);
    uint8_t *room = buffer_reserve(&waiting->person, sealed.person.size + 1);
    if (!room)
        return ERR_NOMEM;
    enum err err =
        log_record_check(waiting->logs, id, position, &sealed, leaf, room, &open, &header);
    return err == OK ? fold_one(waiting, position, &open, &header, leaf) : err;
}

static enum err fold_place(struct waiting *waiting, struct journal *journal,
                           const struct journal_log *log, const struct journal_place *place,
                           uint64_t from)
{
    struct journal_item item;
    struct batch_view view;
    struct record sealed;
    struct hash leaf;
    uint32_t mark = 0;
    enum err err = journal_read(journal, log, place, &waiting->scratch, &item);
    if (err == ERR_IO)
        return ERR_CORRUPT; /* whoever writes to it next finds that its device is lost */
    if (err == OK)
        err = batch_open(&view, item.payload);
    if (err != OK)
        return err;
    struct batch_walk walk = batch_walk(&view);
    while (err == OK && batch_next(&walk, &sealed, &leaf) == OK) {
        uint64_t position = item.position + walk.index - 1;
        enum journal_person state = JOURNAL_PERSON_WHOLE;
        if (sealed.person.size > 0)
            state = journal_person_state(&item, mark++, sealed.person);
        if (position >= from)
            err = fold_sealed(waiting, &log->id, position, sealed, &leaf, state);
    }
    return err;
}

static uint64_t held_of(struct waiting *waiting, struct store_txn *txn, const struct log_id *id)
{
    struct log_state state;
    uint32_t number;
    return log_find(waiting->logs, txn, id, &number) == OK &&
                   log_state_get(waiting->logs, txn, number, &state) == OK
               ? state.size
               : 0;
}

/* What of it is not in log/. */
static enum err fold_journalled(struct waiting *waiting, struct store_txn *txn,
                                struct journal *journal, const struct journal_log *log)
{
    uint64_t at = held_of(waiting, txn, &log->id);
    enum err err = OK;
    for (bool more = true; more && err == OK;) {
        const struct journal_place *place = journal_place_of(log, at);
        if (place) {
            err = fold_place(waiting, journal, log, place, at);
            at = place->first + place->count;
        } else {
            more = journal_place_after(log, at, &at);
        }
    }
    return passed(err);
}

/* ---- all of it -------------------------------------------------------------------------- */

static enum err waiting_fold(struct waiting *waiting, struct journal *journal)
{
    struct store_txn txn = store_begin_read(log_store_environment(waiting->logs));
    enum err err = txn.err;
    writer_begin(waiting);
    if (err == OK)
        err = fold_logs(waiting, &txn);
    for (size_t i = 0; journal && i < journal_log_count(journal) && err == OK; i++)
        if (folds(waiting, &journal_log_at(journal, i)->id))
            err = fold_journalled(waiting, &txn, journal, journal_log_at(journal, i));
    memory_publish(waiting->memory);
    waiting_reader_end(&waiting->writer);
    store_abort(&txn);
    buffer_close(&waiting->person);
    buffer_close(&waiting->scratch);
    return err;
}

enum err waiting_new(struct waiting **out, struct log_store *logs, struct journal *journal,
                     const struct waiting_options *options)
{
    *out = NULL;
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (!waiting)
        return ERR_NOMEM;
    waiting->logs = logs;
    waiting->options = *options;
    enum err err = memory_new(&waiting->memory, options->size_max);
    if (err == OK)
        err = waiting_fold(waiting, journal);
    if (err == OK && waiting->records > 0)
        *out = waiting;
    else
        waiting_free(waiting);
    return err;
}

void waiting_free(struct waiting *waiting)
{
    if (!waiting)
        return;
    if (waiting->memory)
        memory_free(waiting->memory);
    free(waiting);
}

void waiting_clear(struct waiting *waiting)
{
    if (waiting && memory_size(waiting->memory) > 0)
        (void)memory_clear(waiting->memory); /* without memory for another table this one stays */
}
