/* A link may end after any message; whatever was under way is lost, and nothing else (R1, R2). */
#include "tests/scenario/world.h"

#include <criterion/criterion.h>
#include <string.h>

/* Writes on both sides, a restart of the province included, with one cut after `cut_after`
 * messages. Gives the number of messages it took. */
static size_t run_with_cut(size_t cut_after)
{
    struct world *world = world_new();
    struct node *hub = world_add(world, "hub", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(ardabil, hub);
    ardabil->options.checkpoint_step = 256;
    world->cut_after = cut_after;
    world_start(world);
    world_wait(world, 2500);
    node_write(ardabil, 300);
    node_write(hub, 20);
    world_wait(world, 1000);
    node_write(ardabil, 300);
    node_write(ardabil, 1);
    world_wait(world, 1000);
    node_stop(ardabil);
    world_run(world);
    node_start(ardabil);
    world_wait(world, 3000);
    node_write(ardabil, 40);
    world_wait(world, 120000);

    size_t delivered = world->delivered;
    cr_assert(node_holds_all_of(hub, ardabil), "after a cut at message %zu", cut_after);
    cr_assert(node_holds_all_of(ardabil, hub), "after a cut at message %zu", cut_after);
    for (size_t i = 0; i < ardabil->store.count; i++) {
        const struct store_log *log = ardabil->store.logs[i];
        if (strcmp(log->id.node, "ardabil") == 0) /* R8: the receipt comes again */
            cr_assert_eq(core_national_size(ardabil->core, &log->id, 1), log->main.count,
                         "%zu, cut at %zu", i, cut_after);
    }
    cr_assert_eq(world_count(world, "!"), 0, "an alarm after a cut at message %zu", cut_after);
    world_free(world);
    return delivered;
}

Test(cut_and_resume, at_every_message_boundary_both_sides_end_up_with_everything)
{
    size_t messages = run_with_cut(0);
    cr_assert_gt(messages, 30);
    for (size_t n = 1; n <= messages; n++)
        run_with_cut(n);
}
