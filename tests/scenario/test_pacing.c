/* Credit (R10) and the admission of catch-ups (R11). */
#include "tests/scenario/world.h"

#include <criterion/criterion.h>
#include <string.h>

static uint64_t package_bytes; /* delivered to a slow hub */

static enum delivery count_packages(struct node *to, struct message *message)
{
    if (message->type == MESSAGE_PACKAGE && to->options.role == ROLE_HUB)
        package_bytes += message->package.body.size;
    return DELIVER;
}

Test(pacing, a_slow_store_is_sent_no_more_than_the_window_and_everything_in_the_end)
{
    struct world *world = world_new();
    struct node *hub = world_add(world, "hub", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(ardabil, hub);
    hub->options.credit_window = 4 * PACKAGE_ROOM;
    world_start(world);
    world_wait(world, 3000);
    package_bytes = 0;
    world->meddle = count_packages;
    hub->slow = true;
    for (int i = 0; i < 16; i++)
        node_write(ardabil, 1000);
    for (int i = 0; i < 10; i++) /* links live on pings meanwhile */
        world_wait(world, 10000);
    cr_assert_gt(package_bytes, 2 * PACKAGE_ROOM); /* R10: credit exhausted ... */
    cr_assert_lt(package_bytes, 4 * PACKAGE_ROOM); /* ... and never exceeded */
    cr_assert_eq(world_count(world, "CLOSE"), 0);
    struct core_peer_status status;
    core_peer_status(ardabil->core, 0, &status);
    cr_assert_lt(status.credit_to_send, PACKAGE_ROOM);
    hub->slow = false;
    world_wait(world, 10000);
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

static struct world *many(struct node **hub, size_t provinces, size_t records, uint64_t quantum)
{
    static const char *const names[] = { "ardabil", "fars", "gilan", "hormozgan", "ilam" };
    struct world *world = world_new();
    *hub = world_add(world, "hub", ROLE_HUB);
    (*hub)->options.catchup_threshold = 1000;
    (*hub)->options.catchup_links_max = 1;
    (*hub)->options.catchup_quantum = quantum;
    (*hub)->options.credit_window = 4 * PACKAGE_ROOM;
    for (size_t i = 0; i < provinces; i++)
        world_peers(world_add(world, names[i], ROLE_PROVINCE), *hub);
    world_start(world);
    world_wait(world, 5000);
    world_cut(world);
    world_run(world);
    for (size_t i = 1; i <= provinces; i++)
        for (size_t done = 0; done < records; done += 500)
            node_write(&world->nodes[i], 500);
    world_wait(world, 1000);
    return world;
}

/* All come at once: until the last is there, the hub's store answers nothing. */
static void heal_all_at_once(struct world *world, struct node *hub)
{
    hub->slow = true;
    world_heal(world);
    world_wait(world, 70000);
    hub->slow = false;
    world_wait(world, 120000);
}

static size_t admitted(struct node *hub)
{
    size_t count = 0;
    for (size_t i = 0; i < core_peer_count(hub->core); i++) {
        struct core_peer_status status;
        core_peer_status(hub->core, i, &status);
        count += status.catchup == CATCHUP_ADMITTED;
    }
    return count;
}

static enum delivery check_admitted(struct node *to, struct message *message)
{
    (void)message;
    cr_assert_leq(admitted(&to->world->nodes[0]), 1); /* R11 */
    return DELIVER;
}

Test(pacing, catch_ups_are_admitted_one_after_the_other_and_all_end)
{
    struct node *hub;
    struct world *world = many(&hub, 4, 3000, 0);
    world_forget_transcript(world);
    world->meddle = check_admitted;
    heal_all_at_once(world, hub);
    for (size_t i = 1; i <= 4; i++)
        cr_assert(node_holds_all_of(hub, &world->nodes[i]), "%zu", i);
    cr_assert_eq(admitted(hub), 0);
    world_free(world);
}

Test(pacing, small_live_traffic_passes_while_others_wait)
{
    struct node *hub;
    struct world *world = many(&hub, 2, 3000, 0);
    hub->slow = true; /* the admitted one does not get on */
    world_heal(world);
    world_wait(world, 5000);
    cr_assert_eq(admitted(hub), 1);
    struct node *waiting = NULL;
    for (size_t i = 0; i < core_peer_count(hub->core); i++) {
        struct core_peer_status status;
        core_peer_status(hub->core, i, &status);
        if (status.catchup == CATCHUP_WAITING)
            waiting = &world->nodes[i + 1];
    }
    cr_assert(waiting);
    node_write(hub, 3);
    world_wait(world, 5000);
    cr_assert(node_holds_all_of(waiting, hub));
    hub->slow = false;
    world_wait(world, 60000);
    cr_assert(node_holds_all_of(hub, waiting));
    world_free(world);
}

static size_t turns; /* how often the place went to another link */

static enum delivery count_turns(struct node *to, struct message *message)
{
    static size_t last;
    struct node *hub = &to->world->nodes[0];
    for (size_t i = 0; i < core_peer_count(hub->core); i++) {
        struct core_peer_status status;
        core_peer_status(hub->core, i, &status);
        if (status.catchup == CATCHUP_ADMITTED && i != last) {
            last = i;
            turns++;
        }
    }
    return check_admitted(to, message);
}

Test(pacing, an_admitted_link_gives_way_after_its_quantum)
{
    struct node *hub;
    struct world *world = many(&hub, 3, 16000, 2000);
    turns = 0;
    world->meddle = count_turns;
    heal_all_at_once(world, hub);
    for (size_t i = 1; i <= 3; i++)
        cr_assert(node_holds_all_of(hub, &world->nodes[i]), "%zu", i);
    cr_assert_geq(turns, 6, "%zu", turns); /* R11: not one after the other */
    world_free(world);
}

static const char *stuck; /* its packages never arrive, though its link lives */

static enum delivery lose_packages_of_stuck(struct node *to, struct message *message)
{
    (void)to;
    return message->type == MESSAGE_PACKAGE && strcmp(message->package.log.node, stuck) == 0
               ? LOSE
               : DELIVER;
}

Test(pacing, a_place_that_is_not_used_goes_to_a_link_that_waits)
{
    struct node *hub;
    struct world *world = many(&hub, 2, 3000, 0);
    struct node *first = &world->nodes[1], *second = &world->nodes[2];
    stuck = first->name;
    world->meddle = lose_packages_of_stuck;
    node_stop(second);
    world_heal(world);
    world_wait(world, 65000);
    cr_assert_eq(admitted(hub), 1);
    node_start(second);
    world_wait(world, 5000); /* the first has had its place for longer than half a minute */
    cr_assert(node_holds_all_of(hub, second));
    cr_assert(!node_holds_all_of(hub, first));
    world->meddle = NULL;
    world_cut(world);
    world_heal(world);
    world_wait(world, 65000);
    cr_assert(node_holds_all_of(hub, first));
    world_free(world);
}
