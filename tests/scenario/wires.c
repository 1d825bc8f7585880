/* What is under way, in one queue, and the links between nodes. */
#include "tests/scenario/world_private.h"

#include <stdlib.h>
#include <string.h>

struct item *item_add(struct node *to, enum item_kind kind)
{
    struct world *world = to->world;
    struct item *item = must(calloc(1, sizeof *item));
    item->kind = kind;
    item->to = to;
    item->process = to->process;
    if (world->last)
        world->last->next = item;
    else
        world->first = item;
    world->last = item;
    return item;
}

struct event *event_add(struct node *to, enum event_type type)
{
    struct item *item = item_add(to, ITEM_EVENT);
    item->event.type = type;
    return &item->event;
}

void item_free(struct item *item)
{
    buffer_close(&item->bytes);
    free(item->parents);
    free(item);
}

struct item *last_item(struct node *node)
{
    return node->world->last;
}

/* ---- links ------------------------------------------------------------------------------------- */

struct wire *wire_find(struct world *world, uint64_t id)
{
    return id >= 1 && id <= world->wire_count ? &world->wires[id - 1] : NULL;
}

int wire_end(const struct wire *wire, const struct node *node)
{
    return wire->ends[1] == node;
}

static struct node *node_find(struct world *world, const char *name)
{
    for (size_t i = 0; i < world->node_count; i++)
        if (strcmp(world->nodes[i].name, name) == 0)
            return &world->nodes[i];
    return NULL;
}

static void opened_add(struct node *node, struct node *peer, uint64_t link, bool outbound)
{
    struct event *event = event_add(node, EVENT_LINK_OPENED);
    event->link_opened = (struct event_link_opened){ .link = link, .outbound = outbound };
    event->link_opened.node = peer->key_name;
    uint8_t id[8];
    put_u64(id, link);
    hash_sha256(&event->link_opened.binding, &(struct bytes){ id, sizeof id }, 1);
}

void connect_to(struct node *node, const char *name)
{
    struct world *world = node->world;
    struct node *peer = node_find(world, name);
    if (world->cut || !peer || !peer->core) {
        event_add(node, EVENT_CONNECT_FAILED)->connect_failed.node = peer ? peer->name : name;
        return;
    }
    world->wires = must(realloc(world->wires, (world->wire_count + 1) * sizeof *world->wires));
    struct wire *wire = &world->wires[world->wire_count++];
    *wire =
        (struct wire){ .id = world->wire_count, .ends = { node, peer }, .open = { true, true } };
    uint64_t id = wire->id;
    opened_add(node, peer, id, true);
    opened_add(peer, node, id, false);
}

void transmit(struct node *from, uint64_t link, struct bytes message)
{
    struct wire *wire = wire_find(from->world, link);
    int end = wire_end(wire, from);
    if (!wire->open[end] || !wire->open[!end] || from->world->silent)
        return;
    struct item *item = item_add(wire->ends[!end], ITEM_MESSAGE);
    item->link = link;
    buffer_append_bytes(&item->bytes, message);
}

void transmit_message(struct node *from, uint64_t link, const struct message *message)
{
    struct buffer bytes = { 0 };
    require(message_encode(&bytes, message) == OK);
    transmit(from, link, buffer_bytes(&bytes));
    buffer_close(&bytes);
}

void hang_up(struct node *node, uint64_t link)
{
    struct wire *wire = wire_find(node->world, link);
    int end = wire_end(wire, node);
    if (!wire->open[end])
        return;
    wire->open[end] = false;
    item_add(wire->ends[!end], ITEM_CLOSED)->link = link;
}

void wires_cut(struct world *world)
{
    for (size_t i = 0; i < world->wire_count; i++) {
        struct wire *wire = &world->wires[i];
        for (int end = 0; end < 2; end++)
            if (wire->open[end])
                event_add(wire->ends[end], EVENT_LINK_CLOSED)->link.link = wire->id;
        wire->open[0] = wire->open[1] = false;
    }
}
