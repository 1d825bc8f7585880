/* How a province and a hub come to hold the same. */
#include "tests/scenario/world.h"

#include <criterion/criterion.h>

Test(first_sync, a_province_opens_its_log_and_the_hub_follows_it_and_gives_a_receipt)
{
    struct world *world = world_new();
    struct node *hub = world_add(world, "hub", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(ardabil, hub);
    world_start(world);
    world_wait(world, 3000);
    node_write(ardabil, 9);
    world_wait(world, 3000);
    world_expect(world, /* R3: a checkpoint before the records that prove against it */
                 "hub * opens hub/all/a1\n"
                 "ardabil <- hub  HEADS hub/all/a1@1 complete\n"
                 "ardabil * opens ardabil/hub/b1\n"
                 "hub <- ardabil  HEADS complete\n"
                 "hub <- ardabil  WANT hub/all/a1 next=0 pending=0\n"
                 "hub <- ardabil  HEADS ardabil/hub/b1@1\n"
                 "ardabil <- hub  CHECKPOINT hub/all/a1@1 from=0\n"
                 "ardabil <- hub  WANT ardabil/hub/b1 next=0 pending=0\n"
                 "ardabil <- hub  PACKAGE hub/all/a1 0..1 against=1\n"
                 "hub <- ardabil  CHECKPOINT ardabil/hub/b1@1 from=0\n"
                 "hub <- ardabil  PACKAGE ardabil/hub/b1 0..1 against=1\n"
                 "ardabil <- hub  RECEIPT ardabil/hub/b1@1\n"
                 "hub <- ardabil  CHECKPOINT ardabil/hub/b1@10 from=1\n"
                 "hub <- ardabil  PACKAGE ardabil/hub/b1 1..10 against=10\n"
                 "ardabil <- hub  RECEIPT ardabil/hub/b1@10\n");
    cr_assert(node_holds_all_of(hub, ardabil));
    cr_assert(node_holds_all_of(ardabil, hub));
    cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 10); /* R8 */
    cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 2), 0);
    world_free(world);
}

Test(first_sync, what_was_written_while_the_link_was_cut_goes_up_in_packages_of_a_block)
{
    struct world *world = world_new();
    struct node *hub = world_add(world, "hub", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(ardabil, hub);
    world_start(world);
    world_wait(world, 3000);
    world_cut(world);
    for (int i = 0; i < 6; i++)
        node_write(ardabil, 100); /* six groups */
    world_wait(world, 1000);
    world_forget_transcript(world);
    world_heal(world);
    world_wait(world, 60000);
    world_expect(world, "--- healed\n"
                        "ardabil <- hub  HEADS ardabil/hub/b1@1 hub/all/a1@1 complete\n"
                        "hub <- ardabil  HEADS ardabil/hub/b1@601 hub/all/a1@1 complete\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@1\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=1 pending=1\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b1@601 from=1\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 1..256 against=601\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 256..512 against=601\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 512..601 against=601\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@601\n");
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

Test(first_sync, a_long_backlog_earns_a_receipt_for_every_step_on_the_way)
{
    struct world *world = world_new();
    struct node *hub = world_add(world, "hub", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(ardabil, hub);
    ardabil->options.checkpoint_step = 256;
    world_start(world);
    world_wait(world, 3000);
    world_cut(world);
    for (int i = 0; i < 10; i++)
        node_write(ardabil, 100);
    world_wait(world, 1000);
    world_forget_transcript(world);
    world_heal(world);
    world_wait(world, 60000);
    cr_assert_eq(world_count(world, "RECEIPT"), 1 + 5); /* R8: 201, 401, 601, 801, 1001 */
    cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 1001);
    world_free(world);
}

Test(first_sync, a_hubs_log_for_one_province_goes_to_that_province_alone)
{
    struct world *world = world_new();
    struct node *hub = world_add(world, "hub", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    struct node *hormozgan = world_add(world, "hormozgan", ROLE_PROVINCE);
    world_peers(ardabil, hub);
    world_peers(hormozgan, hub);
    world_start(world);
    world_wait(world, 3000);
    node_open(hub, "ardabil");
    node_write(ardabil, 5);
    world_wait(world, 60000);
    cr_assert(store_find(&ardabil->store, &hub->live[1])); /* R12 */
    cr_assert_not(store_find(&hormozgan->store, &hub->live[1]));
    cr_assert_not(store_find(&hormozgan->store, &ardabil->live[0]));
    cr_assert(node_holds_all_of(hub, ardabil));
    cr_assert(node_holds_all_of(hub, hormozgan));
    world_free(world);
}
