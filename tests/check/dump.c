#include "tests/check/dump.h"

#include <stdlib.h>
#include <string.h>

struct dump *dump_new(const char *label)
{
    struct dump *dump = calloc(1, sizeof *dump);
    if (!dump)
        return NULL;
    dump->host = HISTORY_NO_HOST;
    dump->label = arena_text(&dump->memory, label);
    dump->node = "";
    return dump;
}

static void log_close(struct dump_log *log)
{
    free(log->records);
    free(log->checkpoints);
    free(log->receipts);
    free(log->parents);
    free(log->fork_proofs);
}

void dump_free(struct dump *dump)
{
    if (!dump)
        return;
    for (size_t i = 0; i < dump->log_count; i++)
        log_close(&dump->logs[i]);
    free(dump->logs);
    free(dump->problems);
    dump_free(dump->journal);
    arena_close(&dump->memory);
    free(dump);
}

/* Room for one more: the array grows at every power of two. NULL when memory ends. */
static void *one_more(struct dump *dump, void **items, size_t *count, size_t size)
{
    if ((*count & (*count - 1)) == 0) {
        void *grown = realloc(*items, (*count ? 2 * *count : 1) * size);
        if (!grown) {
            dump->memory.failed = true;
            return NULL;
        }
        *items = grown;
    }
    return memset((char *)*items + (*count)++ * size, 0, size);
}

/* The second part of "samad/<node>/<audience>/<incarnation>", and so on; "" when there is none. */
static const char *origin_part(struct dump *dump, const char *origin, unsigned index)
{
    for (; index > 0 && origin; index--) {
        origin = strchr(origin, '/');
        origin = origin ? origin + 1 : NULL;
    }
    return origin ? arena_string(&dump->memory, origin, strcspn(origin, "/")) : "";
}

struct dump_log *dump_add_log(struct dump *dump, const char *origin, bool branch)
{
    struct dump_log *log =
        one_more(dump, (void **)&dump->logs, &dump->log_count, sizeof *dump->logs);
    if (!log)
        return NULL;
    log->origin = arena_text(&dump->memory, origin);
    log->node = origin_part(dump, origin, 1);
    log->audience = origin_part(dump, origin, 2);
    log->branch = branch;
    log->readable = true;
    return log;
}

struct dump_record *dump_add_record(struct dump *dump, struct dump_log *log,
                                    const struct dump_record *record)
{
    struct dump_record *added =
        one_more(dump, (void **)&log->records, &log->record_count, sizeof *log->records);
    if (!added)
        return NULL;
    *added = *record;
    added->client = arena_text(&dump->memory, record->client);
    added->key = arena_text(&dump->memory, record->key);
    added->code = arena_text(&dump->memory, record->code);
    added->erased_log = arena_text(&dump->memory, record->erased_log);
    added->cause_log = arena_text(&dump->memory, record->cause_log);
    if (log->size <= record->position)
        log->size = record->position + 1;
    return added;
}

static void add_note(struct dump *dump, struct dump_note **notes, size_t *count,
                     const struct dump_note *note)
{
    struct dump_note *added = one_more(dump, (void **)notes, count, sizeof **notes);
    if (added)
        *added = (struct dump_note){ .size = note->size,
                                     .hub = arena_text(&dump->memory, note->hub),
                                     .text = arena_text(&dump->memory, note->text) };
}

void dump_add_checkpoint(struct dump *dump, struct dump_log *log, const struct dump_note *note)
{
    add_note(dump, &log->checkpoints, &log->checkpoint_count, note);
}

void dump_add_receipt(struct dump *dump, struct dump_log *log, const struct dump_note *note)
{
    add_note(dump, &log->receipts, &log->receipt_count, note);
}

void dump_add_parent(struct dump *dump, struct dump_log *log, const struct dump_head *parent)
{
    struct dump_head *added =
        one_more(dump, (void **)&log->parents, &log->parent_count, sizeof *log->parents);
    if (added)
        *added = (struct dump_head){ .log = arena_text(&dump->memory, parent->log),
                                     .size = parent->size,
                                     .root = parent->root };
}

void dump_add_fork(struct dump *dump, struct dump_log *log, const char *proof)
{
    const char **added = one_more(dump, (void **)&log->fork_proofs, &log->fork_count,
                                  sizeof *log->fork_proofs);
    if (added)
        *added = arena_text(&dump->memory, proof);
}

void dump_add_problem(struct dump *dump, const char *log, uint64_t position, const char *text)
{
    struct dump_problem *added =
        one_more(dump, (void **)&dump->problems, &dump->problem_count, sizeof *dump->problems);
    if (added)
        *added = (struct dump_problem){ .log = arena_text(&dump->memory, log),
                                        .position = position,
                                        .text = arena_text(&dump->memory, text) };
}
