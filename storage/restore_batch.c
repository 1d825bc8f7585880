/* One batch: verified as if a stranger had sent it. */
#include "storage/restore_private.h"

#include "storage/erase.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a batch does besides being there ---------------------------------------------------- */

struct erase_record {
    struct record_header header;
    struct buffer facts;
};

struct built {
    struct batch_builder batch;
    struct buffer note;
    struct erase_record *erases;
    size_t erase_count;
    uint64_t *absent; /* positions of person parts that are not there */
    size_t absent_count;
    uint64_t *damaged;
    size_t damaged_count;
};

static void built_close(struct built *built)
{
    for (size_t i = 0; i < built->erase_count; i++)
        buffer_close(&built->erases[i].facts);
    free(built->erases);
    free(built->absent);
    free(built->damaged);
    buffer_close(&built->note);
    batch_close(&built->batch);
}

static enum err positions_add(uint64_t **list, size_t *count, uint64_t position)
{
    uint64_t *grown = realloc(*list, (*count + 1) * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    *list = grown;
    grown[(*count)++] = position;
    return OK;
}

static enum err built_add_erase(struct built *built, const struct record_header *header,
                                struct bytes facts)
{
    struct erase_record *grown =
        realloc(built->erases, (built->erase_count + 1) * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    built->erases = grown;
    struct erase_record *erase = &grown[built->erase_count++];
    *erase = (struct erase_record){ .header = *header };
    buffer_append_bytes(&erase->facts, record_unsalted(facts));
    return erase->facts.err;
}

/* ---- building --------------------------------------------------------------------------------- */

/* Checks one record and adds it to the batch. */
static enum err build_record(struct restore *restore, const struct log_id *id, uint64_t position,
                             struct record sealed, const struct hash *leaf,
                             enum journal_person state, struct built *built)
{
    struct record open;
    struct record_header header;
    enum err err = OK;
    if (sealed.person.size > 0 && state != JOURNAL_PERSON_WHOLE) {
        if (state == JOURNAL_PERSON_DAMAGED)
            err = positions_add(&built->damaged, &built->damaged_count, position);
        sealed.person = BYTES_NONE;
        sealed.person_absent = true;
    }
    buffer_clear(&restore->person);
    uint8_t *room = buffer_reserve(&restore->person, sealed.person.size + 1);
    if (!room)
        return ERR_NOMEM;
    if (err == OK)
        err = log_record_check(restore->logs, id, position, &sealed, leaf, room, &open, &header);
    if (err == OK && sealed.person_absent)
        err = positions_add(&built->absent, &built->absent_count, position);
    if (err == OK && header.kind == RECORD_ERASE)
        err = built_add_erase(built, &header, open.facts);
    if (err == OK)
        batch_add(&built->batch, &open, leaf, log_store_data_key(restore->logs));
    return err == OK ? built->batch.err : err;
}

/* The records of a journalled batch from `from` on, behind `at`. */
static enum err build(struct restore *restore, const struct journal_item *item, uint64_t from,
                      const struct merkle_frontier *at, struct built *built)
{
    struct batch_view view;
    struct record sealed;
    struct hash leaf;
    struct merkle_frontier after;
    uint32_t mark = 0;
    memset(built, 0, sizeof *built);
    batch_begin(&built->batch, at);
    enum err err = batch_open(&view, item->payload);
    if (err != OK)
        return err;
    struct batch_walk walk = batch_walk(&view);
    while (err == OK && batch_next(&walk, &sealed, &leaf) == OK) {
        uint64_t position = item->position + walk.index - 1;
        enum journal_person state = JOURNAL_PERSON_WHOLE;
        if (sealed.person.size > 0)
            state = journal_person_state(item, mark++, sealed.person);
        if (position >= from)
            err = build_record(restore, &item->log, position, sealed, &leaf, state, built);
    }
    if (err == OK)
        err = batch_frontier(&view, item->position + view.count, &after);
    if (err == OK && !merkle_frontier_equal(&after, &built->batch.frontier))
        err = ERR_CORRUPT;
    if (err == OK)
        err = log_note_check(&item->log, view.note, &after, restore->keys.own);
    if (err == OK)
        buffer_append_bytes(&built->note, view.note);
    return err == OK ? built->note.err : err;
}

static enum err build_place(struct restore *restore, const struct journal_log *log,
                            const struct journal_place *place, uint64_t from,
                            const struct merkle_frontier *at, struct built *built)
{
    struct journal_item item;
    memset(built, 0, sizeof *built);
    enum err err = journal_read(restore->journal, log, place, &restore->scratch, &item);
    return err == OK ? build(restore, &item, from, at, built) : err;
}

/* ---- into log/ -------------------------------------------------------------------------------- */

/* Erasures apply again; what is absent without one is remembered as withheld (design D3). */
static enum err built_take_effect(struct restore *restore, uint32_t number, struct built *built,
                                  const struct log_id *id)
{
    enum err err = OK;
    for (size_t i = 0; i < built->absent_count && err == OK; i++)
        err = log_withheld_add(restore->logs, &restore->txn, number, built->absent[i]);
    for (size_t i = 0; i < built->erase_count && err == OK; i++)
        err = erase_on_record(restore->logs, &restore->txn, &built->erases[i].header,
                              buffer_bytes(&built->erases[i].facts));
    if (err == OK)
        err = erase_on_append(restore->logs, &restore->txn, number, id, built->batch.first,
                              built->batch.count);
    for (size_t i = 0; i < built->damaged_count && err == OK; i++) {
        uint64_t withheld;
        err = log_withheld_below(restore->logs, &restore->txn, number, built->damaged[i] + 1,
                                 &withheld);
        if (err == OK && withheld <= built->damaged[i])
            restore_tell_loss(restore, id, built->damaged[i], 1, true);
        err = err == ERR_NOT_FOUND ? OK : err;
    }
    return err;
}

enum err restore_append(struct restore *restore, uint32_t number, const struct journal_log *log,
                        const struct journal_place *place)
{
    struct merkle_frontier at;
    struct built built;
    enum err err = log_frontier(restore->logs, &restore->txn, number, &at);
    if (err != OK)
        return err;
    err = build_place(restore, log, place, at.size, &at, &built);
    if (err == OK)
        err = log_append(restore->logs, &restore->txn, number, &built.batch,
                         buffer_bytes(&built.note));
    if (err == OK)
        err = built_take_effect(restore, number, &built, &log->id);
    if (err == OK) {
        restore->report->records += built.batch.count;
        restore->txn_size += batch_size(&built.batch, built.note.size);
    }
    built_close(&built);
    return err;
}

static void replace_nodes(struct restore *restore, uint32_t number,
                          const struct batch_builder *batch)
{
    for (size_t i = 0; i < batch->node_count; i++) {
        const struct batch_node *node = &batch->nodes[i];
        struct log_key key = log_key_tree(number, node->level, node->index);
        store_put(&restore->txn, LOG_TREE, log_key_bytes(&key), BYTES_OF_ARRAY(node->hash.bytes));
    }
}

enum err restore_replace(struct restore *restore, uint32_t number, const struct journal_log *log,
                         const struct journal_place *place)
{
    struct merkle_frontier at;
    struct built built;
    enum err err = log_frontier_at(restore->logs, &restore->txn, number, place->first, &at);
    if (err != OK)
        return err;
    err = build_place(restore, log, place, place->first, &at, &built);
    if (err == OK) {
        size_t size = batch_size(&built.batch, built.note.size);
        struct log_key key = log_key_position(number, place->first);
        store_delete(&restore->txn, LOG_BATCHES, log_key_bytes(&key));
        uint8_t *room =
            store_reserve(&restore->txn, LOG_BATCHES, log_key_bytes(&key), size, false);
        if (room)
            batch_write(&built.batch, buffer_bytes(&built.note), room);
        replace_nodes(restore, number, &built.batch);
        restore->txn_size += size;
        err = restore->txn.err;
    }
    if (err == OK)
        err = built_take_effect(restore, number, &built, &log->id);
    restore->report->repaired += err == OK;
    built_close(&built);
    return err;
}

/* ---- of log/ ---------------------------------------------------------------------------------- */

enum err restore_check(struct restore *restore, uint32_t number, const struct log_id *id,
                       const struct log_batch *batch)
{
    struct merkle_frontier at;
    /* When the batch before is gone, the records and the signature are what can be checked. */
    bool leads =
        log_frontier_at(restore->logs, &restore->txn, number, batch->first, &at) == OK;
    if (restore->txn.err != OK)
        return restore->txn.err;
    return log_batch_check(restore->logs, id, batch, leads ? &at : NULL, restore->keys.own,
                           &restore->person);
}
