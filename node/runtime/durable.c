/* Who waits for which group, and what is said to them. */
#include "node/runtime/engine_parts.h"

#include <stdlib.h>

void command_list_init(struct command_list *list)
{
    list->first = NULL;
    list->last = &list->first;
    list->count = 0;
}

void command_list_push(struct command_list *list, struct command *command)
{
    command->next = NULL;
    *list->last = command;
    list->last = &command->next;
    list->count++;
}

struct command *command_list_pop(struct command_list *list)
{
    struct command *command = list->first;
    if (command == NULL)
        return NULL;
    list->first = command->next;
    if (list->first == NULL)
        list->last = &list->first;
    list->count--;
    return command;
}

void command_list_move(struct command_list *list, struct command_list *to)
{
    if (list->first == NULL)
        return;
    *to->last = list->first;
    to->last = list->last;
    to->count += list->count;
    command_list_init(list);
}

void command_list_done(struct command_list *list, enum err err)
{
    struct command *command = list->first;
    command_list_init(list);
    while (command != NULL) {
        struct command *next = command->next; /* done() may submit it again */
        command->done(command, err != OK ? err : command->err);
        command = next;
    }
}

enum err durable_state(const struct engine *engine, uint64_t group)
{
    for (size_t i = engine->failed_range_count; i > 0; i--) {
        const struct failed_range *range = &engine->failed_ranges[i - 1];
        if (group > range->last)
            break; /* they ascend */
        if (group >= range->first)
            return range->err;
    }
    return group <= engine->durable_group ? OK : ERR_BUSY;
}

/* Takes the waits whose fate is known off the list. (L) */
static struct durable_wait *durable_take_waits(struct engine *engine, bool all)
{
    struct durable_wait *taken = NULL, **link = &engine->waits;
    while (*link != NULL) {
        struct durable_wait *wait = *link;
        if (all || durable_state(engine, wait->group) != ERR_BUSY) {
            *link = wait->next;
            wait->next = taken;
            taken = wait;
        } else {
            link = &wait->next;
        }
    }
    return taken;
}

static void durable_take_late(struct engine *engine, struct command_list *taken, bool all)
{
    struct command_list late;
    command_list_init(&late);
    command_list_move(&engine->late, &late);
    for (struct command *command; (command = command_list_pop(&late)) != NULL;) {
        bool known = all || durable_state(engine, command->group) != ERR_BUSY;
        command_list_push(known ? taken : &engine->late, command);
    }
}

static void durable_answer(struct durable_wait *waits, struct command_list *late, enum err err)
{
    command_list_done(late, err);
    while (waits != NULL) {
        struct durable_wait *next = waits->next;
        waits->done(waits, err);
        waits = next;
    }
}

void durable_advance(struct engine *engine, const struct group *group, struct durable_landed *landed)
{
    const struct checkpoint *checkpoint = group_checkpoint(group);
    engine->durable_group = group_number(group);
    engine->live = (struct log_head){ checkpoint->log, checkpoint->size, checkpoint->root };
    engine->group_count++;
    engine->record_count += group_count(group);
    if (engine->waits != NULL)
        landed->waits = durable_take_waits(engine, false);
    if (engine->late.first != NULL)
        durable_take_late(engine, &landed->late, false);
    if (engine->flush_wanted)
        pthread_cond_signal(&engine->views_wake);
}

void durable_answer_landed(struct durable_landed *landed, enum err err)
{
    command_list_done(&landed->commands, err);
    durable_answer(landed->waits, &landed->late, OK);
}

/* Remembers the range for ever, for readers that looked at it and have not asked yet. Failures
 * that follow each other are one range, so the list grows only with what succeeds between. (L) */
static bool durable_remember_failed(struct engine *engine, struct failed_range range)
{
    size_t count = engine->failed_range_count;
    if (count > 0 && engine->failed_ranges[count - 1].last + 1 == range.first) {
        engine->failed_ranges[count - 1].last = range.last;
        return true;
    }
    struct failed_range *grown =
        realloc(engine->failed_ranges, (count + 1) * sizeof(*engine->failed_ranges));
    if (grown == NULL)
        return false;
    grown[count] = range;
    engine->failed_ranges = grown;
    engine->failed_range_count++;
    return true;
}

void durable_fail(struct engine *engine, uint64_t first, uint64_t last, enum err err)
{
    struct command_list late;
    command_list_init(&late);

    engine_lock(engine);
    bool remembered = durable_remember_failed(engine, (struct failed_range){ first, last, err });
    struct durable_wait *waits = durable_take_waits(engine, false);
    durable_take_late(engine, &late, false);
    engine_unlock(engine);

    durable_answer(waits, &late, err);
    if (!remembered) /* could answer a later reader wrongly: better not at all */
        engine_fail(engine, ERR_NOMEM, "remembering a failed group");
}

void durable_close(struct engine *engine)
{
    struct command_list late;
    command_list_init(&late);

    engine_lock(engine);
    struct durable_wait *waits = durable_take_waits(engine, true);
    durable_take_late(engine, &late, true);
    engine_unlock(engine);
    durable_answer(waits, &late, ERR_CLOSED);
}

void engine_when_durable(struct engine *engine, struct durable_wait *wait)
{
    engine_lock(engine);
    enum err err = engine->failed != OK ? ERR_CLOSED : durable_state(engine, wait->group);
    if (err == ERR_BUSY) {
        wait->next = engine->waits;
        engine->waits = wait;
    }
    engine_unlock(engine);
    if (err != ERR_BUSY)
        wait->done(wait, err);
}
