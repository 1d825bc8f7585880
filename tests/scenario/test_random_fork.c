/* Random worlds in which a machine is set back while running: whatever else happens, both histories
 * of its log end up at the hub and at the node, and are proven to both (R9). */
#include "tests/scenario/dice.h"
#include "tests/scenario/transcript.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void happen(struct world *world, struct node *hub, struct node *ardabil, uint64_t *random)
{
    switch (dice_roll(random, 7)) {
    case 0:
        world_cut(world);
        break;
    case 1:
        world_heal(world);
        break;
    case 2:
        hub->slow = !hub->slow;
        break;
    case 3:
        world->cut_after = world->delivered + 1 + dice_roll(random, 10);
        break;
    case 4:
        node_stop(hub);
        world_run(world);
        hub->slow = false;
        node_start(hub);
        break;
    default:
        if (ardabil->live_count > 0)
            node_write(ardabil, 1 + dice_roll(random, 300));
        break;
    }
    world_wait(world, dice_roll(random, 3000));
}

static bool begins_with(const struct history *history, const struct history *prefix)
{
    if (history->count < prefix->count)
        return false;
    for (size_t i = 0; i < prefix->count; i++)
        if (!hash_equal(&history->leaves[i], &prefix->leaves[i]))
            return false;
    return true;
}

static bool holds(const struct store_log *log, const struct history *history)
{
    return log && (begins_with(&log->main, history) || begins_with(&log->branch, history));
}

/* Both histories as the hub and the node had them; neither may be gone in the end. */
static void check(struct node *node, const struct store_log *first, const struct store_log *second,
                  uint64_t seed)
{
    struct store_log *log = store_find(&node->store, &second->id);
    cr_assert(holds(log, &first->main), "seed %llu: %s lacks the first history (%zu of %zu)",
              (unsigned long long)seed, node->name, log ? log->main.count : 0, first->main.count);
    cr_assert(holds(log, &second->main), "seed %llu: %s lacks the second history (%zu of %zu)",
              (unsigned long long)seed, node->name, log ? log->main.count : 0, second->main.count);
    cr_assert(log->frozen && log->proven, "seed %llu: %s has no proof", (unsigned long long)seed,
              node->name);
}

static void run_seed(uint64_t seed)
{
    struct world *world = world_new();
    struct node *hub = world_add(world, "hub", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    struct store backup, at_hub = { 0 }, at_node = { 0 };
    uint64_t random = seed;
    world_peers(ardabil, hub);
    hub->options.checkpoint_step = ardabil->options.checkpoint_step = 100;
    world_start(world);
    world_wait(world, 3000);
    node_write(ardabil, 1 + dice_roll(&random, 20));
    world_wait(world, 3000);
    store_copy(&backup, &ardabil->store);
    struct log_id forked = ardabil->live[0];
    node_write(ardabil, 1 + dice_roll(&random, 300));
    world_wait(world, 3000); /* the hub has the first history */
    for (uint64_t i = dice_roll(&random, 4); i > 0; i--)
        happen(world, hub, ardabil, &random);
    world_cut(world);
    world_run(world);
    hub->slow = false;
    world_run(world);
    store_copy(&at_hub, &hub->store);
    ardabil->salt = 77;
    node_rewind(ardabil, &backup);
    world_run(world);
    node_write(ardabil, 1 + dice_roll(&random, 300));
    world_run(world);
    store_copy(&at_node, &ardabil->store);
    for (int i = 0; i < 20; i++)
        happen(world, hub, ardabil, &random);
    world->cut_after = 0;
    hub->slow = false;
    world_heal(world);
    world_wait(world, 30 * 60 * 1000);
    dice_show(world);
    struct store_log *first = store_find(&at_hub, &forked);
    /* What lies beyond the last checkpoint the hub held wholly, it cannot prove to others. */
    uint64_t covered = history_cursor(&first->main).covered;
    while (first->main.count > covered)
        free((void *)first->main.records[--first->main.count].data);
    check(hub, first, store_find(&at_node, &forked), seed);
    check(ardabil, first, store_find(&at_node, &forked), seed);
    store_close(&at_hub);
    store_close(&at_node);
    world_free(world);
}

Test(random_forks, lose_neither_history)
{
    dice_run_seeds(run_seed);
}
