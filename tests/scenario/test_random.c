/* Random worlds: whatever happened, when it is over every log is held by everybody who may hold it,
 * as far as anybody can prove it (R1, R5, R6). A failing seed is printed; SAMAD_SEED=n runs that
 * one alone, SAMAD_SEEDS=n as many. */
#include "tests/scenario/dice.h"
#include "tests/scenario/transcript.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void restart(struct node *node)
{
    node_stop(node);
    world_run(node->world);
    node->slow = false;
    node_start(node);
}

/* One thing happens. `backup` is the copy that a node may come back from. */
static void happen(struct world *world, uint64_t *random, struct store *backups)
{
    size_t index = dice_roll(random, world->node_count);
    struct node *node = &world->nodes[index];
    switch (dice_roll(random, 12)) {
    case 0:
        world_cut(world);
        break;
    case 1:
        world_heal(world);
        break;
    case 2:
        restart(node);
        break;
    case 3:
        node->slow = !node->slow;
        break;
    case 4:
        store_close(&backups[index]);
        store_copy(&backups[index], &node->store);
        break;
    case 5:
        if (dice_roll(random, 3) > 0)
            break;
        node_stop(node);
        world_run(world);
        node->slow = false;
        node_restore(node, &backups[index]);
        node_start(node);
        break;
    case 6: /* in the middle of something */
        world->cut_after = world->delivered + 1 + dice_roll(random, 20);
        break;
    default:
        if (node->live_count > 0)
            node_write(node, 1 + dice_roll(random, dice_roll(random, 4) == 0 ? 600 : 20));
        break;
    }
    world_wait(world, dice_roll(random, 3000));
}

static bool may_hold(const struct node *node, const struct log_id *id)
{
    return node->options.role == ROLE_HUB || strcmp(id->node, node->name) == 0 ||
           strcmp(id->audience, "all") == 0;
}

static void check_log(struct world *world, const struct store_log *log, uint64_t seed)
{
    char name[TRANSCRIPT_LOG_SIZE];
    uint64_t covered = history_cursor(&log->main).covered;
    for (size_t i = 0; i < world->node_count; i++) {
        struct node *node = &world->nodes[i];
        const struct store_log *held = store_find(&node->store, &log->id);
        if (!may_hold(node, &log->id) || covered == 0)
            continue;
        cr_assert(held && held->main.count >= covered, "seed %llu: %s holds %zu of %llu of %s",
                  (unsigned long long)seed, node->name, held ? held->main.count : 0,
                  (unsigned long long)covered, transcript_log(name, &log->id));
        for (uint64_t j = 0; j < covered; j++)
            cr_assert(bytes_equal(held->main.records[j], log->main.records[j]));
    }
}

static void run_seed(uint64_t seed)
{
    struct world *world = world_new();
    struct store backups[WORLD_NODE_MAX] = { 0 };
    uint64_t random = seed;
    struct node *tehran = world_add(world, "tehran", ROLE_HUB);
    struct node *shiraz = world_add(world, "shiraz", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    struct node *ilam = world_add(world, "ilam", ROLE_PROVINCE);
    world_peers(ardabil, tehran);
    world_peers(ardabil, shiraz);
    world_peers(ilam, tehran);
    world_peers(ilam, shiraz);
    world_peers(shiraz, tehran);
    for (size_t i = 0; i < world->node_count; i++) {
        world->nodes[i].options.checkpoint_step = 100;
        world->nodes[i].options.catchup_threshold = 200;
        world->nodes[i].options.catchup_quantum = 300;
        world->nodes[i].options.catchup_links_max = 1;
    }
    world_start(world);
    world_wait(world, 3000);
    for (int i = 0; i < 60; i++)
        happen(world, &random, backups);
    world->cut_after = 0;
    world_heal(world);
    for (size_t i = 0; i < world->node_count; i++)
        world->nodes[i].slow = false;
    world_wait(world, 30 * 60 * 1000);
    cr_assert_eq(world_count(world, "! FORK"), 0, "seed %llu", (unsigned long long)seed);
    cr_assert_eq(world_count(world, "! BAD_DATA"), 0, "seed %llu", (unsigned long long)seed);
    dice_show(world);
    for (size_t i = 0; i < world->node_count; i++)
        for (size_t j = 0; j < world->nodes[i].store.count; j++)
            check_log(world, world->nodes[i].store.logs[j], seed);
    for (size_t i = 0; i < WORLD_NODE_MAX; i++)
        store_close(&backups[i]);
    world_free(world);
}

Test(random_worlds, come_to_rest_with_everything_everywhere)
{
    dice_run_seeds(run_seed);
}
