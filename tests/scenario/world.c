/* Nodes, links, time: see world.h. */
#include "tests/scenario/world_private.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world *world_new(void)
{
    return must(calloc(1, sizeof(struct world)));
}

void world_free(struct world *world)
{
    while (world->first) {
        struct item *item = world->first;
        world->first = item->next;
        item_free(item);
    }
    for (size_t i = 0; i < world->node_count; i++) {
        core_free(world->nodes[i].core);
        store_close(&world->nodes[i].store);
        effects_close(&world->nodes[i].effects);
    }
    buffer_close(&world->transcript);
    free(world->wires);
    free(world);
}

struct node *world_add(struct world *world, const char *name, enum node_role role)
{
    require(world->node_count < WORLD_NODE_MAX);
    struct node *node = &world->nodes[world->node_count++];
    node->world = world;
    snprintf(node->name, sizeof node->name, "%s", name);
    snprintf(node->key_name, sizeof node->key_name, "%s", name);
    snprintf(node->options.node, sizeof node->options.node, "%s", name);
    node->options.role = role;
    node->options.peers = node->peers;
    node->options.seed = world->node_count;
    node->salt = (uint8_t)world->node_count;
    return node;
}

static void peer_add(struct node *node, const struct node *peer, bool connect)
{
    struct core_peer *added = &node->peers[node->options.peer_count++];
    *added = (struct core_peer){ .role = peer->options.role, .connect = connect };
    snprintf(added->node, sizeof added->node, "%s", peer->name);
}

void world_peers(struct node *a, struct node *b)
{
    peer_add(a, b, true);
    peer_add(b, a, false);
}

void world_start(struct world *world)
{
    for (size_t i = 0; i < world->node_count; i++)
        node_start(&world->nodes[i]);
}

void world_cut(struct world *world)
{
    world->cut = true;
    transcript_add(world, "--- cut\n");
    wires_cut(world);
}

void world_heal(struct world *world)
{
    world->cut = false;
    transcript_add(world, "--- healed\n");
}

static void deliver(struct item *item)
{
    static struct message message, twin;
    struct node *to = item->to;
    struct world *world = to->world;
    struct wire *wire = wire_find(world, item->link);
    int end = wire_end(wire, to);
    if (!wire->open[end])
        return;
    require(message_decode(&message, buffer_bytes(&item->bytes)) == OK);
    enum delivery delivery = world->meddle ? world->meddle(to, &message) : DELIVER;
    transcript_message(to, wire->ends[!end], &message, delivery);
    world->delivered++;
    twin = message;
    struct event event = { .type = EVENT_MESSAGE };
    event.message =
        (struct event_message){ .link = item->link, .message = &message, .size = item->bytes.size };
    for (int times = delivery == LOSE ? 0 : delivery == DELIVER ? 1 : 2; times > 0; times--) {
        node_step(to, &event);
        event.message.message = &twin;
    }
    if (world->delivered == world->cut_after) {
        transcript_add(world, "--- cut\n");
        wires_cut(world);
    }
}

static void item_run(struct item *item)
{
    struct node *to = item->to;
    if (!to->core || item->process != to->process)
        return;
    switch (item->kind) {
    case ITEM_MESSAGE:
        deliver(item);
        break;
    case ITEM_EVENT:
        node_step(to, &item->event);
        break;
    case ITEM_CLOSED: {
        struct event event = { .type = EVENT_LINK_CLOSED, .link.link = item->link };
        struct wire *wire = wire_find(to->world, item->link);
        wire->open[wire_end(wire, to)] = false;
        node_step(to, &event);
        break;
    }
    }
}

static bool is_kept_back(const struct item *item)
{
    return item->to->slow && item->kind == ITEM_EVENT &&
           (item->event.type == EVENT_PACKAGE_STORED ||
            item->event.type == EVENT_CHECKPOINT_STORED ||
            item->event.type == EVENT_RECEIPT_STORED);
}

/* The first item that may be carried out; those that a slow store keeps back stay. */
static struct item *item_take(struct world *world)
{
    struct item *before = NULL;
    for (struct item *item = world->first; item; before = item, item = item->next) {
        if (is_kept_back(item))
            continue;
        if (before)
            before->next = item->next;
        else
            world->first = item->next;
        if (world->last == item)
            world->last = before;
        return item;
    }
    return NULL;
}

void world_run(struct world *world)
{
    size_t steps = 0;
    for (struct item *item; (item = item_take(world)); item_free(item)) {
        item_run(item);
        if (++steps > 100000) {
            buffer_append_u8(&world->transcript, 0);
            size_t size = world->transcript.size > 4000 ? world->transcript.size - 4000 : 0;
            fprintf(stderr, "%s", (const char *)world->transcript.data + size);
            require(false); /* it goes on for ever */
        }
    }
}

static uint64_t next_deadline(const struct world *world)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < world->node_count; i++) {
        const struct core *core = world->nodes[i].core;
        uint64_t deadline = core ? core_deadline(core) : UINT64_MAX;
        if (deadline < next)
            next = deadline;
    }
    return next;
}

void world_wait(struct world *world, uint64_t ms)
{
    uint64_t until = world->now_ms + ms;
    world_run(world);
    for (uint64_t next; (next = next_deadline(world)) <= until; world_run(world)) {
        require(next >= world->now_ms);
        world->now_ms = next;
        for (size_t i = 0; i < world->node_count; i++) {
            struct event tick = { .type = EVENT_TICK };
            if (world->nodes[i].core && core_deadline(world->nodes[i].core) <= next)
                node_step(&world->nodes[i], &tick);
        }
    }
    world->now_ms = until;
}

static bool log_is_held(struct node *holder, const struct store_log *log)
{
    const struct store_log *held = store_find(&holder->store, &log->id);
    if (!held || held->main.count < log->main.count)
        return false;
    for (size_t i = 0; i < log->main.count; i++)
        if (!bytes_equal(held->main.records[i], log->main.records[i]))
            return false;
    return true;
}

bool node_holds_all_of(struct node *holder, struct node *author)
{
    for (size_t i = 0; i < author->store.count; i++) {
        const struct store_log *log = author->store.logs[i];
        if (strcmp(log->id.node, author->options.node) == 0 && !log_is_held(holder, log))
            return false;
    }
    return true;
}

struct store_log *node_log(struct node *node, const char *short_name)
{
    char name[TRANSCRIPT_LOG_SIZE];
    for (size_t i = 0; i < node->store.count; i++)
        if (strcmp(transcript_log(name, &node->store.logs[i]->id), short_name) == 0)
            return node->store.logs[i];
    cr_assert_fail("%s does not hold %s", node->name, short_name);
    return NULL;
}
