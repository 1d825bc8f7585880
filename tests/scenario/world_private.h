/* What the files of the world share: what is under way, and the links it goes on. */
#ifndef TESTS_SCENARIO_WORLD_PRIVATE_H
#define TESTS_SCENARIO_WORLD_PRIVATE_H

#include "proto/base/require.h"
#include "tests/scenario/transcript.h"
#include "tests/scenario/world.h"

struct wire {
    uint64_t id;
    struct node *ends[2];
    bool open[2];
};

enum item_kind { ITEM_MESSAGE, ITEM_EVENT, ITEM_CLOSED };

/* Something under way to a node. */
struct item {
    struct item *next;
    enum item_kind kind;
    struct node *to;
    unsigned process;
    uint64_t link;
    struct buffer bytes; /* a message; or what an event refers to */
    struct event event;
    struct log_head *parents;
};

static inline void *must(void *memory)
{
    require(memory);
    return memory;
}

/* ---- wires.c: the queue, and links ---- */

/* At the end of the queue. */
struct item *item_add(struct node *to, enum item_kind kind);
struct event *event_add(struct node *to, enum event_type type);
struct item *last_item(struct node *node);
void item_free(struct item *item);

struct wire *wire_find(struct world *world, uint64_t id);
int wire_end(const struct wire *wire, const struct node *node);
void connect_to(struct node *node, const char *name);
void transmit(struct node *from, uint64_t link, struct bytes message);
void transmit_message(struct node *from, uint64_t link, const struct message *message);
/* This end is done; the other one hears of it after what was sent before. */
void hang_up(struct node *node, uint64_t link);
void wires_cut(struct world *world);

/* ---- node.c: what a node does by itself ---- */

/* The parents live as long as the item. */
void add_parents(struct item *item, const struct history *history, const struct log_head **parents,
                 size_t *count);
void open_log(struct node *node, const char *audience, bool unasked);
void reopen(struct node *node, const struct effect_need_incarnation *need);

/* ---- node_effects.c ---- */

/* One step of its core, whose effects are carried out. */
void node_step(struct node *node, struct event *event);

#endif
