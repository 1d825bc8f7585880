/* What a node does by itself, its start and its end. */
#include "tests/scenario/world_private.h"

#include <stdlib.h>
#include <string.h>

void add_parents(struct item *item, const struct history *history,
                        const struct log_head **parents, size_t *count)
{
    const struct log_head *found = history_parents(history, count);
    item->parents = must(calloc(*count + 1, sizeof *item->parents));
    memcpy(item->parents, found, *count * sizeof *found);
    *parents = item->parents;
}

void open_log(struct node *node, const char *audience, bool unasked)
{
    struct log_id id;
    uint8_t incarnation[INCARNATION_SIZE] = { 0 };
    incarnation[0] = (uint8_t)(0xa0 + 0x10 * (node - node->world->nodes) + ++node->opened);
    require(log_id_init(&id, bytes_of_string(node->options.node), bytes_of_string(audience),
                        incarnation) == OK);
    require(node->live_count < NODE_LIVE_MAX);
    node->live[node->live_count++] = id;
    struct store_log *log = store_make(&node->store, &id);
    store_write(&node->store, log, 1, node->salt);
    struct event *event = event_add(node, EVENT_LOG_OPENED);
    event->own_log = (struct event_own_log){ .log = id, .size = log->main.count };
    add_parents(last_item(node), &log->main, &event->own_log.parents, &event->own_log.parent_count);
    transcript_opens(node, event, unasked);
}

void node_open(struct node *node, const char *audience)
{
    open_log(node, audience, false);
}

void reopen(struct node *node, const struct effect_need_incarnation *need)
{
    transcript_addf(node->world, "%s * needs an incarnation: %s\n", node->name,
                    incarnation_reason_name(need->reason));
    for (size_t i = 0; i < node->live_count; i++)
        if (log_id_equal(&node->live[i], &need->log)) {
            node->live[i] = node->live[--node->live_count];
            event_add(node, EVENT_LOG_CLOSED)->own_log.log = need->log;
            node_open(node, need->log.audience);
            return;
        }
    require(false); /* the core asks for live logs only, and once */
}

void node_write(struct node *node, size_t count)
{
    require(node->live_count > 0);
    struct store_log *log = store_make(&node->store, &node->live[0]);
    store_write(&node->store, log, count, node->salt);
    struct event *event = event_add(node, EVENT_LOG_ADVANCED);
    event->own_log = (struct event_own_log){ .log = log->id, .size = log->main.count };
}

/* ---- its life ---------------------------------------------------------------------------------- */

static void load(struct node *node)
{
    for (size_t i = 0; i < node->store.count; i++) {
        struct event event = store_loaded(node->store.logs[i]);
        node_step(node, &event);
    }
}

void node_start(struct node *node)
{
    struct event start = { .type = EVENT_START };
    node->core = must(core_new(&node->options));
    load(node);
    node_step(node, &start);
}

void node_stop(struct node *node)
{
    struct world *world = node->world;
    core_free(node->core);
    node->core = NULL;
    node->process++;
    node->live_count = 0;
    for (size_t i = 0; i < world->wire_count; i++) {
        struct wire *wire = &world->wires[i];
        if (wire->ends[0] == node || wire->ends[1] == node)
            hang_up(node, wire->id);
    }
    transcript_addf(world, "--- %s stops\n", node->name);
}

void node_restore(struct node *node, struct store *backup)
{
    require(!node->core);
    store_close(&node->store);
    node->store = *backup;
    *backup = (struct store){ 0 };
}

void node_rewind(struct node *node, struct store *backup)
{
    struct log_id live = node->live[0];
    node_stop(node);
    world_run(node->world);
    node_restore(node, backup);
    node->core = must(core_new(&node->options));
    load(node);
    node->passive = true; /* it believes that it writes already */
    struct event start = { .type = EVENT_START };
    node_step(node, &start);
    node->live[node->live_count++] = live;
    struct store_log *log = store_find(&node->store, &live);
    struct event *event = event_add(node, EVENT_LOG_OPENED);
    event->own_log = (struct event_own_log){ .log = live, .size = log->main.count };
}
