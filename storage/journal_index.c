/* What stands where in the journal, in memory: 32 bytes a batch. */
#include "storage/journal_private.h"

#include <stdlib.h>
#include <string.h>

struct journal_log *index_log(struct journal *journal, const struct log_id *id)
{
    for (size_t i = journal->log_count; i > 0; i--) /* the live log is the last */
        if (log_id_equal(&journal->logs[i - 1].id, id))
            return &journal->logs[i - 1];
    return NULL;
}

static struct journal_log *index_log_or_new(struct journal *journal, const struct log_id *id)
{
    struct journal_log *log = index_log(journal, id);
    if (log)
        return log;
    struct journal_log *grown =
        realloc(journal->logs, (journal->log_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    journal->logs = grown;
    log = &grown[journal->log_count++];
    *log = (struct journal_log){ .id = *id };
    return log;
}

static enum err index_batch(struct journal_log *log, const struct journal_place *place)
{
    if (log->place_count == log->place_room) {
        size_t room = log->place_room ? 2 * log->place_room : 16;
        struct journal_place *grown = realloc(log->places, room * sizeof *grown);
        if (!grown)
            return ERR_NOMEM;
        log->places = grown;
        log->place_room = room;
    }
    size_t at = log->place_count++;
    for (; at > 0 && log->places[at - 1].first > place->first; at--)
        log->places[at] = log->places[at - 1];
    log->places[at] = *place;
    return OK;
}

/* Of each hub the largest receipt, of each size one note. */
static bool note_takes_place_of(const struct journal_note *old, const struct journal_item *item)
{
    if (item->kind == JOURNAL_RECEIPT)
        return strcmp(old->hub, item->hub) == 0;
    return old->size == item->position;
}

static enum err index_note(struct journal_note **list, size_t *count, uint32_t segment,
                           uint32_t offset, const struct journal_item *item)
{
    struct journal_note *note = NULL;
    for (size_t i = *count; i > 0 && !note; i--)
        if (note_takes_place_of(&(*list)[i - 1], item))
            note = &(*list)[i - 1];
    if (note && note->size > item->position)
        return OK;
    if (!note) {
        struct journal_note *grown = realloc(*list, (*count + 1) * sizeof *grown);
        if (!grown)
            return ERR_NOMEM;
        *list = grown;
        note = &grown[(*count)++];
        *note = (struct journal_note){ 0 };
        if (item->kind == JOURNAL_NOTE) /* by size */
            for (; note > *list && note[-1].size > item->position; note--) {
                struct journal_note before = note[-1];
                note[-1] = note[0];
                note[0] = before;
            }
    }
    note->size = item->position;
    note->segment = segment;
    note->offset = offset;
    memcpy(note->hub, item->hub, sizeof note->hub);
    buffer_clear(&note->note);
    buffer_append_bytes(&note->note, item->payload);
    return note->note.err;
}

static enum err index_item(struct journal *journal, uint32_t segment, uint64_t offset,
                           const uint8_t *entry, const struct journal_item *item)
{
    struct journal_log *log = index_log_or_new(journal, &item->log);
    struct batch_view batch;
    if (!log)
        return ERR_NOMEM;
    switch (item->kind) {
    case JOURNAL_BATCH:
        if (batch_open(&batch, item->payload) != OK)
            return ERR_CORRUPT;
        return index_batch(
            log, &(struct journal_place){
                     .first = item->position,
                     .count = batch.count,
                     .segment = segment,
                     .offset = (uint32_t)(offset + (uint64_t)(item->payload.data - entry)),
                     .size = (uint32_t)item->payload.size,
                     .marks_size = (uint32_t)item->marks.size });
    case JOURNAL_NOTE:
        return index_note(&log->notes, &log->note_count, segment, (uint32_t)offset, item);
    case JOURNAL_RECEIPT:
        return index_note(&log->receipts, &log->receipt_count, segment, (uint32_t)offset, item);
    case JOURNAL_BASE:
        if (item->position >= log->base) {
            log->base = item->position;
            log->base_segment = segment;
        }
    }
    return OK;
}

enum err index_entry(struct journal *journal, uint32_t segment, uint64_t offset,
                     const uint8_t *entry, struct bytes body)
{
    struct journal_item item;
    enum err err;
    while ((err = journal_item_next(&body, &item)) == OK) {
        err = index_item(journal, segment, offset, entry, &item);
        if (err != OK)
            return err;
    }
    return err == ERR_END ? OK : err;
}

/* ---- forgetting ------------------------------------------------------------------------------- */

struct forget {
    uint32_t segment; /* this one from an offset on, or those below it */
    uint64_t from;
    bool below;
};

static bool is_forgotten(const struct forget *forget, uint32_t segment, uint64_t offset)
{
    return forget->below ? segment < forget->segment
                         : segment == forget->segment && offset >= forget->from;
}

static void notes_forget(struct journal_note *list, size_t *count, const struct forget *forget)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (is_forgotten(forget, list[i].segment, list[i].offset))
            buffer_close(&list[i].note);
        else
            list[kept++] = list[i];
    }
    *count = kept;
}

static void forget_all(struct journal *journal, const struct forget *forget)
{
    for (size_t l = 0; l < journal->log_count; l++) {
        struct journal_log *log = &journal->logs[l];
        size_t kept = 0;
        for (size_t i = 0; i < log->place_count; i++)
            if (!is_forgotten(forget, log->places[i].segment, log->places[i].offset))
                log->places[kept++] = log->places[i];
        log->place_count = kept;
        notes_forget(log->notes, &log->note_count, forget);
        notes_forget(log->receipts, &log->receipt_count, forget);
    }
}

void index_forget(struct journal *journal, uint32_t segment, uint64_t from)
{
    forget_all(journal, &(struct forget){ .segment = segment, .from = from });
}

void index_forget_below(struct journal *journal, uint32_t segment)
{
    forget_all(journal, &(struct forget){ .segment = segment, .below = true });
}

void index_close(struct journal *journal)
{
    index_forget_below(journal, UINT32_MAX);
    for (size_t i = 0; i < journal->log_count; i++) {
        free(journal->logs[i].places);
        free(journal->logs[i].notes);
        free(journal->logs[i].receipts);
    }
    free(journal->logs);
}

/* ---- looking up ------------------------------------------------------------------------------- */

size_t journal_log_count(const struct journal *journal)
{
    return journal->log_count;
}

const struct journal_log *journal_log_at(const struct journal *journal, size_t index)
{
    return &journal->logs[index];
}

const struct journal_log *journal_log_find(const struct journal *journal, const struct log_id *id)
{
    return index_log((struct journal *)(uintptr_t)journal, id);
}

/* How many places begin at or before `position`. */
static size_t places_until(const struct journal_log *log, uint64_t position)
{
    size_t low = 0, high = log->place_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->places[middle].first <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct journal_place *journal_place_of(const struct journal_log *log, uint64_t position)
{
    const struct journal_place *found = NULL;
    for (size_t i = places_until(log, position); i > 0; i--) {
        const struct journal_place *place = &log->places[i - 1];
        if (place->first + BATCH_RECORD_MAX <= position)
            break;
        bool holds = position < place->first + place->count;
        if (holds && (!found || place->segment > found->segment))
            found = place;
    }
    return found;
}

bool journal_place_after(const struct journal_log *log, uint64_t position, uint64_t *first)
{
    size_t at = places_until(log, position);
    if (at == log->place_count)
        return false;
    *first = log->places[at].first;
    return true;
}
