#include "storage/group.h"

#include "proto/base/bug.h"
#include "storage/erase.h"

#include <stdlib.h>
#include <string.h>

#define GROUP_NOTE_SIZE 320 /* about: origin, size, root, one signature */

struct group {
    struct group_log *log;
    uint64_t number;
    bool opens;
    struct batch_builder batch;
    struct checkpoint checkpoint;
    struct buffer note;
    /* Erase records of the group: kept apart, because almost no group has one. */
    struct group_erase {
        struct record_header header;
        struct buffer facts;
    } *erases;
    size_t erase_count;
};

struct group *group_new(struct group_log *log, uint64_t number, bool opens,
                        const struct merkle_frontier *at)
{
    struct group *group = calloc(1, sizeof(*group));
    if (group == NULL)
        return NULL;
    group->log = log;
    group->number = number;
    group->opens = opens;
    batch_begin(&group->batch, at);
    return group;
}

void group_free(struct group *group)
{
    if (group == NULL)
        return;
    for (size_t i = 0; i < group->erase_count; i++)
        buffer_close(&group->erases[i].facts);
    free(group->erases);
    buffer_close(&group->note);
    batch_close(&group->batch);
    free(group);
}

static enum err group_add_erase(struct group *group, const struct record_header *header,
                                struct bytes facts)
{
    struct group_erase *grown =
        realloc(group->erases, (group->erase_count + 1) * sizeof(*group->erases));
    if (grown == NULL)
        return ERR_NOMEM;
    group->erases = grown;
    struct group_erase *erase = &grown[group->erase_count++];
    *erase = (struct group_erase){ .header = *header };
    buffer_append_bytes(&erase->facts, facts);
    return erase->facts.err;
}

enum err group_add(struct group *group, const struct record *record,
                   const struct record_header *header, const struct hash *leaf)
{
    batch_add(&group->batch, record, leaf, log_store_data_key(group->log->logs));
    if (group->batch.err != OK)
        return group->batch.err;
    if (header->kind != RECORD_ERASE)
        return OK;
    struct bytes facts = record_unsalted(record->facts);
    return group_add_erase(group, header, facts);
}

void group_close(struct group *group, const struct log_id *log, struct merkle_frontier *frontier)
{
    if (SAMAD_BUG(ROOT_BEFORE_GROUP))
        merkle_frontier_root(frontier, &group->checkpoint.root);
    *frontier = group->batch.frontier;
    group->checkpoint.log = *log;
    group->checkpoint.size = frontier->size;
    if (!SAMAD_BUG(ROOT_BEFORE_GROUP))
        merkle_frontier_root(frontier, &group->checkpoint.root);
}

static enum err group_apply_erases(struct group *group, struct store_txn *txn)
{
    for (size_t i = 0; i < group->erase_count; i++) {
        struct group_erase *erase = &group->erases[i];
        enum err err = erase_on_record(group->log->logs, txn, &erase->header,
                                       buffer_bytes(&erase->facts));
        if (err != OK)
            return err;
    }
    return OK;
}

enum err group_commit(struct group *group, struct store_txn *txn)
{
    struct group_log *log = group->log;
    enum err err = OK;

    if (group->note.size == 0)
        checkpoint_sign(&group->note, &group->checkpoint, log->key);
    if (group->note.err != OK)
        return group->note.err;
    if (group->opens)
        err = log_create(log->logs, txn, &group->checkpoint.log, &log->number);
    if (err == OK)
        err = log_append(log->logs, txn, log->number, &group->batch, buffer_bytes(&group->note));
    return err != OK ? err : group_apply_erases(group, txn);
}

uint64_t group_number(const struct group *group)
{
    return group->number;
}

size_t group_size(const struct group *group)
{
    return batch_size(&group->batch, GROUP_NOTE_SIZE);
}

size_t group_count(const struct group *group)
{
    return group->batch.count;
}

const struct checkpoint *group_checkpoint(const struct group *group)
{
    return &group->checkpoint;
}

struct bytes group_note(const struct group *group)
{
    return buffer_bytes(&group->note);
}

uint32_t group_log_number(const struct group *group)
{
    return group->log->number;
}
