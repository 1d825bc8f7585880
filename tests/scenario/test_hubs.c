/* Several hubs, equal followers (design D16). */
#include "tests/scenario/world.h"

#include <criterion/criterion.h>

static void triangle(struct world **world, struct node **tehran, struct node **shiraz,
                     struct node **ardabil)
{
    *world = world_new();
    *tehran = world_add(*world, "tehran", ROLE_HUB);
    *shiraz = world_add(*world, "shiraz", ROLE_HUB);
    *ardabil = world_add(*world, "ardabil", ROLE_PROVINCE);
    world_peers(*ardabil, *tehran);
    world_peers(*ardabil, *shiraz);
    world_peers(*shiraz, *tehran);
    world_start(*world);
}

Test(hubs, national_is_what_enough_hubs_have_receipted)
{
    struct world *world;
    struct node *tehran, *shiraz, *ardabil;
    triangle(&world, &tehran, &shiraz, &ardabil);
    world_wait(world, 5000);
    world_forget_transcript(world);
    node_write(ardabil, 9);
    world_wait(world, 5000);
    world_expect(world, "tehran <- ardabil  CHECKPOINT ardabil/hub/c1@10 from=1\n"
                        "shiraz <- ardabil  CHECKPOINT ardabil/hub/c1@10 from=1\n"
                        "tehran <- ardabil  PACKAGE ardabil/hub/c1 1..10 against=10\n"
                        "shiraz <- ardabil  PACKAGE ardabil/hub/c1 1..10 against=10\n"
                        "shiraz <- tehran  HEADS ardabil/hub/c1@10\n"
                        "tehran <- shiraz  HEADS ardabil/hub/c1@10\n"
                        "ardabil <- tehran  RECEIPT ardabil/hub/c1@10\n"
                        "ardabil <- shiraz  RECEIPT ardabil/hub/c1@10\n");
    cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 2), 10);
    cr_assert(node_holds_all_of(shiraz, tehran));
    cr_assert(node_holds_all_of(tehran, shiraz));
    cr_assert(node_holds_all_of(ardabil, shiraz));
    node_stop(shiraz);
    world_run(world);
    node_write(ardabil, 5);
    world_wait(world, 5000);
    cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 15);
    cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 2), 10);
    world_free(world);
}

Test(hubs, a_hub_that_the_province_cannot_reach_gets_everything_from_the_other_hub)
{
    struct world *world = world_new();
    struct node *tehran = world_add(world, "tehran", ROLE_HUB);
    struct node *shiraz = world_add(world, "shiraz", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(ardabil, tehran);
    world_peers(shiraz, tehran);
    shiraz->peers[shiraz->options.peer_count++] =
        (struct core_peer){ .node = "ardabil", .role = ROLE_PROVINCE };
    world_start(world);
    world_wait(world, 5000);
    node_write(ardabil, 600);
    world_wait(world, 5000);
    node_stop(ardabil);
    world_run(world);
    node_start(ardabil);
    world_wait(world, 5000);
    node_write(ardabil, 3);
    world_wait(world, 5000);
    cr_assert(node_holds_all_of(shiraz, ardabil));
    cr_assert_eq(world_count(world, "!"), 0);
    world_free(world);
}

Test(hubs, a_hub_replaced_by_an_empty_one_is_filled_from_the_start)
{
    struct world *world;
    struct node *tehran, *shiraz, *ardabil;
    struct store empty = { 0 };
    triangle(&world, &tehran, &shiraz, &ardabil);
    world_wait(world, 5000);
    for (int i = 0; i < 3; i++) { /* three incarnations, each naming the one before */
        node_write(ardabil, 300);
        world_wait(world, 5000);
        node_stop(ardabil);
        world_run(world);
        node_start(ardabil);
        world_wait(world, 5000);
    }
    node_stop(tehran);
    world_run(world);
    node_restore(tehran, &empty);
    world_forget_transcript(world);
    node_start(tehran);
    world_wait(world, 120000);
    cr_assert(node_holds_all_of(tehran, ardabil));
    cr_assert(node_holds_all_of(tehran, shiraz));
    cr_assert(node_holds_all_of(shiraz, tehran));
    cr_assert_gt(world_count(world, "! HUB_ROLLBACK by tehran"), 0);
    cr_assert_eq(world_count(world, "! FORK"), 0);
    world_free(world);
}

Test(hubs, a_suffix_that_only_one_hub_had_comes_back_to_its_author_and_to_the_other_hub)
{
    struct world *world;
    struct node *tehran, *shiraz, *ardabil;
    struct store backup;
    triangle(&world, &tehran, &shiraz, &ardabil);
    world_wait(world, 5000);
    store_copy(&backup, &ardabil->store);
    node_stop(shiraz);
    world_run(world);
    node_write(ardabil, 50);
    world_wait(world, 5000);
    node_stop(ardabil);
    node_stop(tehran);
    world_run(world);
    node_restore(ardabil, &backup);
    node_start(shiraz);
    node_start(ardabil);
    world_wait(world, 5000);
    node_write(ardabil, 7); /* knowing nothing of the fifty */
    world_wait(world, 5000);
    node_start(tehran);
    world_wait(world, 120000);
    cr_assert_eq(node_log(ardabil, "ardabil/hub/c1")->main.count, 51);
    cr_assert_eq(node_log(shiraz, "ardabil/hub/c1")->main.count, 51);
    cr_assert(node_holds_all_of(tehran, ardabil));
    cr_assert(node_holds_all_of(shiraz, ardabil));
    world_free(world);
}
