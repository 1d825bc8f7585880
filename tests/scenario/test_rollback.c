/* A node that comes back with an older copy of its data (R5): nothing is overwritten, the missing
 * suffix is handed back, and a new incarnation names it. */
#include "tests/scenario/world.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void pair(struct world **world, struct node **hub, struct node **ardabil)
{
    *world = world_new();
    *hub = world_add(*world, "hub", ROLE_HUB);
    *ardabil = world_add(*world, "ardabil", ROLE_PROVINCE);
    world_peers(*ardabil, *hub);
    world_start(*world);
    world_wait(*world, 3000);
}

Test(rollback, a_restored_node_gets_its_missing_suffix_back_and_names_it)
{
    struct world *world;
    struct node *hub, *ardabil;
    struct store backup;
    pair(&world, &hub, &ardabil);
    node_write(ardabil, 4);
    world_wait(world, 3000);
    store_copy(&backup, &ardabil->store);
    node_write(ardabil, 5);
    world_wait(world, 3000);
    node_stop(ardabil);
    world_run(world);
    node_restore(ardabil, &backup);
    world_forget_transcript(world);
    node_start(ardabil);
    world_wait(world, 60000);
    world_expect(world, "ardabil <- hub  HEADS ardabil/hub/b1@10 hub/all/a1@1 complete\n"
                        "ardabil ! ROLLBACK by ardabil ardabil/hub/b1 held=5 seen=10\n"
                        "ardabil * opens ardabil/hub/b2 naming ardabil/hub/b1@5\n"
                        "hub <- ardabil  HEADS ardabil/hub/b1@5 hub/all/a1@1 complete\n"
                        "hub ! ROLLBACK by ardabil ardabil/hub/b1 held=10 seen=5\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=5 pending=5\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@10\n"
                        "hub <- ardabil  HEADS ardabil/hub/b2@1\n"
                        "ardabil <- hub  CHECKPOINT ardabil/hub/b1@10 from=5\n"
                        "ardabil <- hub  WANT ardabil/hub/b2 next=0 pending=0\n"
                        "ardabil <- hub  PACKAGE ardabil/hub/b1 5..10 against=10\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b2@1 from=0\n"
                        "ardabil * needs an incarnation: MERGE\n"
                        "ardabil * opens ardabil/hub/b3 naming ardabil/hub/b1@10 ardabil/hub/b2@1\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b2 0..1 against=1\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b2@1\n"
                        "hub <- ardabil  HEADS ardabil/hub/b1@10 ardabil/hub/b3@1\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@10\n"
                        "ardabil <- hub  WANT ardabil/hub/b3 next=0 pending=0\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b3@1 from=0\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b3 0..1 against=1\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b3@1\n");
    cr_assert(node_holds_all_of(hub, ardabil));
    cr_assert(node_holds_all_of(ardabil, hub));
    cr_assert_eq(node_log(ardabil, "ardabil/hub/b1")->main.count, 10);
    world_free(world);
}

/* The province's first log does not come back. */
static enum delivery lose_the_first_log(struct node *to, struct message *message)
{
    bool lose = message->type == MESSAGE_PACKAGE && strcmp(to->name, "ardabil") == 0 &&
                strcmp(message->package.log.node, "ardabil") == 0 &&
                message->package.log.incarnation[0] == 0xb1;
    return lose ? LOSE : DELIVER;
}

static void restart(struct world *world, struct node *node)
{
    node_stop(node);
    world_run(world);
    node_start(node);
    world_wait(world, 3000);
}

/* Two logs, of which the second names the first, are at the hub; their author starts without a store. */
static void start_without_a_store(struct world *world, struct node *author, world_meddle *meddle)
{
    struct store empty = { 0 };
    node_write(author, 4);
    world_wait(world, 3000);
    restart(world, author);
    node_stop(author);
    world_run(world);
    node_restore(author, &empty);
    world->meddle = meddle;
    node_start(author);
    world_wait(world, 3000);
}

/* What is named is decided on: a log that came back before its parent is not, since nobody folds it
 * until the parent is here, nor anything that names it. Then it is. */
Test(rollback, a_log_that_comes_back_before_its_parent_is_named_when_that_is_here_too)
{
    struct world *world;
    struct node *hub, *ardabil;
    struct store empty = { 0 };
    pair(&world, &hub, &ardabil);
    node_write(ardabil, 4);
    world_wait(world, 3000);
    restart(world, ardabil);
    node_write(ardabil, 3);
    world_wait(world, 3000);
    node_stop(ardabil);
    world_run(world);
    node_restore(ardabil, &empty);
    world->meddle = lose_the_first_log;
    node_start(ardabil);
    world_wait(world, 3000);
    world_forget_transcript(world);
    restart(world, ardabil);
    cr_assert_eq(world_count(world, "ardabil * opens ardabil/hub/b4 naming ardabil/hub/b3@1\n"), 1);
    cr_assert_eq(node_log(ardabil, "ardabil/hub/b2")->main.count, 4);
    world_wait(world, 3600000);
    cr_assert_eq(world_count(world, " * opens "), 1, "nothing new has come");

    world->meddle = NULL;
    world_cut(world);
    world_heal(world);
    world_forget_transcript(world);
    world_wait(world, 120000);
    cr_assert_eq(world_count(world, " naming ardabil/hub/b2@4 ardabil/hub/b4@1\n"), 1);
    cr_assert_eq(world_count(world, " * opens "), 1);
    cr_assert(node_holds_all_of(hub, ardabil));
    cr_assert(node_holds_all_of(ardabil, hub));
    world_free(world);
}

/* Hubs announce tips. A copy made, or a process ended, while logs are handed back may hold those and
 * lack what they name: nothing that is announced tells of it. Found by samad-sim, profile put-back. */
Test(rollback, a_node_that_holds_the_tips_and_lacks_what_they_name_is_noticed)
{
    struct world *world;
    struct node *hub, *ardabil;
    pair(&world, &hub, &ardabil);
    start_without_a_store(world, ardabil, lose_the_first_log);
    cr_assert_eq(world_count(world, "ardabil ! ROLLBACK by ardabil ardabil/hub/b2 held=0 seen=1\n"), 1);
    world_forget_transcript(world);
    world->meddle = NULL;
    restart(world, ardabil);
    cr_assert_eq(world_count(world, "ardabil ! ROLLBACK by ardabil ardabil/hub/b1 held=0 seen=5\n"), 1);
    world_wait(world, 60000);
    cr_assert(node_holds_all_of(ardabil, hub));

    world_forget_transcript(world);
    restart(world, ardabil);
    cr_assert_eq(world_count(world, "ROLLBACK"), 0, "it lacks nothing any more");
    world_free(world);
}

Test(rollback, a_restored_node_that_could_not_ask_goes_on_and_merges_later)
{
    struct world *world;
    struct node *hub, *ardabil;
    struct store backup;
    pair(&world, &hub, &ardabil);
    node_write(ardabil, 4);
    world_wait(world, 3000);
    store_copy(&backup, &ardabil->store);
    node_write(ardabil, 5);
    world_wait(world, 3000);
    node_stop(ardabil);
    world_run(world);
    node_restore(ardabil, &backup);
    world_cut(world);
    node_start(ardabil);
    world_wait(world, 3000);
    node_write(ardabil, 7);
    world_wait(world, 3000);
    world_forget_transcript(world);
    world_heal(world);
    world_wait(world, 60000);
    world_expect(world, "--- healed\n"
                        "ardabil <- hub  HEADS ardabil/hub/b1@10 hub/all/a1@1 complete\n"
                        "ardabil ! ROLLBACK by ardabil ardabil/hub/b1 held=5 seen=10\n"
                        "hub <- ardabil  HEADS ardabil/hub/b2@8 hub/all/a1@1 complete\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=5 pending=5\n"
                        "ardabil <- hub  WANT ardabil/hub/b2 next=0 pending=0\n"
                        "ardabil <- hub  CHECKPOINT ardabil/hub/b1@10 from=5\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b2@8 from=0\n"
                        "ardabil <- hub  PACKAGE ardabil/hub/b1 5..10 against=10\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b2 0..8 against=8\n"
                        "ardabil * needs an incarnation: MERGE\n"
                        "ardabil * opens ardabil/hub/b3 naming ardabil/hub/b1@10 ardabil/hub/b2@8\n"
                        "hub ! ROLLBACK by ardabil ardabil/hub/b1 held=10 seen=5\n"
                        "hub <- ardabil  HEADS ardabil/hub/b1@10\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@10\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b2@8\n"
                        "hub <- ardabil  HEADS ardabil/hub/b3@1\n"
                        "ardabil <- hub  WANT ardabil/hub/b3 next=0 pending=0\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b3@1 from=0\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b3 0..1 against=1\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b3@1\n");
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

Test(rollback, a_machine_rewound_while_running_closes_its_log_and_gets_the_rest_back)
{
    struct world *world;
    struct node *hub, *ardabil;
    struct store backup;
    pair(&world, &hub, &ardabil);
    node_write(ardabil, 4);
    world_wait(world, 3000);
    store_copy(&backup, &ardabil->store);
    node_write(ardabil, 5);
    world_wait(world, 3000);
    node_rewind(ardabil, &backup);
    world_forget_transcript(world);
    world_wait(world, 60000);
    world_expect(world, "ardabil <- hub  HEADS ardabil/hub/b1@10 hub/all/a1@1 complete\n"
                        "ardabil ! ROLLBACK by ardabil ardabil/hub/b1 held=5 seen=10\n"
                        "ardabil * needs an incarnation: BEHIND\n"
                        "ardabil * opens ardabil/hub/b2 naming ardabil/hub/b1@5\n"
                        "hub <- ardabil  HEADS ardabil/hub/b1@5 hub/all/a1@1 complete\n"
                        "hub ! ROLLBACK by ardabil ardabil/hub/b1 held=10 seen=5\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@10\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=5 pending=5\n"
                        "hub <- ardabil  HEADS ardabil/hub/b2@1\n"
                        "ardabil <- hub  CHECKPOINT ardabil/hub/b1@10 from=5\n"
                        "ardabil <- hub  WANT ardabil/hub/b2 next=0 pending=0\n"
                        "ardabil <- hub  PACKAGE ardabil/hub/b1 5..10 against=10\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b2@1 from=0\n"
                        "ardabil * needs an incarnation: MERGE\n"
                        "ardabil * opens ardabil/hub/b3 naming ardabil/hub/b1@10 ardabil/hub/b2@1\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b2 0..1 against=1\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b2@1\n"
                        "hub <- ardabil  HEADS ardabil/hub/b1@10 ardabil/hub/b3@1\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@10\n"
                        "ardabil <- hub  WANT ardabil/hub/b3 next=0 pending=0\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b3@1 from=0\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b3 0..1 against=1\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b3@1\n");
    cr_assert(node_holds_all_of(hub, ardabil));
    cr_assert_eq(node_log(ardabil, "ardabil/hub/b1")->main.count, 10);
    world_free(world);
}

Test(rollback, a_hub_that_lost_everything_is_noticed_and_filled_again)
{
    struct world *world;
    struct node *hub, *ardabil;
    struct store empty = { 0 };
    pair(&world, &hub, &ardabil);
    node_write(ardabil, 9);
    world_wait(world, 3000);
    node_stop(ardabil);
    world_run(world);
    node_start(ardabil); /* so that there are two logs, one named by the other */
    world_wait(world, 3000);
    node_write(ardabil, 3);
    world_wait(world, 3000);
    node_stop(hub);
    world_run(world);
    node_restore(hub, &empty);
    world_forget_transcript(world);
    node_start(hub);
    world_wait(world, 60000);
    world_expect(world, "hub * opens hub/all/a2\n"
                        "ardabil <- hub  HEADS hub/all/a2@1 complete\n"
                        "ardabil ! HUB_ROLLBACK by hub ardabil/hub/b1 held=10 seen=0\n"
                        "ardabil ! HUB_ROLLBACK by hub ardabil/hub/b2 held=4 seen=0\n"
                        "hub <- ardabil  HEADS ardabil/hub/b2@4 hub/all/a1@1 complete\n"
                        "hub ! ROLLBACK by hub hub/all/a1 held=0 seen=1\n"
                        "hub <- ardabil  WANT hub/all/a2 next=0 pending=0\n"
                        "ardabil <- hub  WANT ardabil/hub/b2 next=0 pending=0\n"
                        "ardabil <- hub  WANT hub/all/a1 next=0 pending=0\n"
                        "ardabil <- hub  CHECKPOINT hub/all/a2@1 from=0\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b2@4 from=0\n"
                        "ardabil <- hub  PACKAGE hub/all/a2 0..1 against=1\n"
                        "hub <- ardabil  CHECKPOINT hub/all/a1@1 from=0\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b2 0..4 against=4\n"
                        "hub <- ardabil  PACKAGE hub/all/a1 0..1 against=1\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=0 pending=0\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b2@4\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b1@10 from=0\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 0..10 against=10\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@10\n");
    cr_assert(node_holds_all_of(hub, ardabil));
    cr_assert(node_holds_all_of(ardabil, hub));
    world_free(world);
}

/* The author's process lives through all of it. */
Test(rollback, a_hub_that_loses_everything_again_is_noticed_again)
{
    struct world *world;
    struct node *hub, *ardabil;
    pair(&world, &hub, &ardabil);
    node_write(ardabil, 9);
    world_wait(world, 3000);
    for (size_t times = 1; times <= 3; times++) {
        struct store empty = { 0 };
        node_stop(hub);
        world_run(world);
        node_restore(hub, &empty);
        node_start(hub);
        world_wait(world, 60000);
        cr_assert_eq(world_count(world, "ardabil ! HUB_ROLLBACK by hub ardabil/hub/b1"), times);
        cr_assert(node_holds_all_of(hub, ardabil));
        world_cut(world); /* that it is behind no more is no news either */
        world_heal(world);
        world_wait(world, 60000);
        cr_assert_eq(world_count(world, "! HUB_ROLLBACK"), times);
    }
    world_free(world);
}

Test(rollback, an_author_that_is_put_back_again_is_noticed_again_by_the_hub)
{
    struct world *world;
    struct node *hub, *ardabil;
    pair(&world, &hub, &ardabil);
    for (size_t times = 1; times <= 3; times++) {
        struct store backup;
        store_copy(&backup, &ardabil->store);
        node_write(ardabil, 5);
        world_wait(world, 3000);
        node_stop(ardabil);
        world_run(world);
        node_restore(ardabil, &backup);
        world_cut(world);
        node_start(ardabil);
        world_wait(world, 3000); /* without asking: so the hub learns it from what is announced */
        world_heal(world);
        world_wait(world, 60000);
        cr_assert_eq(world_count(world, "ardabil ! ROLLBACK by ardabil"), times);
        cr_assert_eq(world_count(world, "hub ! ROLLBACK by ardabil"), times);
    }
    world_free(world);
}

Test(rollback, two_processes_with_one_identity_are_noticed_and_both_their_logs_kept)
{
    struct world *world;
    struct node *hub, *ardabil;
    struct store copy;
    pair(&world, &hub, &ardabil);
    node_write(ardabil, 4);
    world_wait(world, 3000);
    store_copy(&copy, &ardabil->store);
    struct node *clone = world_add(world, "clone", ROLE_PROVINCE);
    snprintf(clone->key_name, sizeof clone->key_name, "ardabil");
    clone->options = ardabil->options;
    clone->options.peers = ardabil->peers;
    clone->options.seed = 99;
    node_restore(clone, &copy);
    node_start(clone);
    for (int i = 0; i < 20; i++) {
        world_wait(world, 10000);
        node_write(ardabil, 1);
        node_write(clone, 1);
    }
    cr_assert_eq(world_count(world, "hub ! TWO_WRITERS by ardabil"), 1);
    cr_assert_geq(world_count(world, "ardabil ! ROLLBACK by ardabil ardabil/hub/c1"), 1);
    cr_assert_eq(world_count(world, "FORK"), 0);
    cr_assert_leq(world_count(world, "* opens"), 20, "merging each other for ever");
    world_wait(world, 600000);
    cr_assert(node_holds_all_of(hub, ardabil));
    cr_assert(node_holds_all_of(hub, clone));
    world_free(world);
}

/* ---- what a cut transfer left behind; found by tests/models/replicate.pml ---------------------- */

static size_t packages_left;

static enum delivery lose_later_packages(struct node *to, struct message *message)
{
    (void)to;
    if (message->type != MESSAGE_PACKAGE)
        return DELIVER;
    if (packages_left == 0)
        return LOSE;
    packages_left--;
    return DELIVER;
}

/* The link is back for as long as one package takes: 256 records of those that were written. */
static void heal_for_one_package(struct world *world)
{
    packages_left = 1;
    world->meddle = lose_later_packages;
    world_heal(world);
    world_wait(world, 20000);
    world_cut(world);
    world->meddle = NULL;
}

Test(rollback, what_the_author_still_has_becomes_national_though_the_hub_holds_more_than_it_can_prove)
{
    struct world *world;
    struct node *hub, *ardabil;
    struct store backup;
    pair(&world, &hub, &ardabil);
    world_cut(world);
    node_write(ardabil, 100);
    store_copy(&backup, &ardabil->store);
    node_write(ardabil, 300);
    heal_for_one_package(world);
    struct store_log *held = node_log(hub, "ardabil/hub/b1");
    cr_assert_eq(history_cursor(&held->main).size, 256);
    cr_assert_eq(history_cursor(&held->main).covered, 1);
    node_stop(ardabil);
    world_run(world);
    node_restore(ardabil, &backup);
    world_heal(world);
    world_forget_transcript(world);
    node_start(ardabil);
    world_wait(world, 60000);
    cr_assert_eq(world_count(world, "ardabil ! ROLLBACK by ardabil ardabil/hub/b1 held=101 seen=256"), 1);
    held = node_log(hub, "ardabil/hub/b1");
    cr_assert_eq(held->cosigned, 101);
    cr_assert_eq(history_cursor(&held->main).size, 256, "nothing held is dropped");
    cr_assert_eq(core_national_size(ardabil->core, &held->id, 1), 101);
    world_free(world);
}

Test(rollback, the_same_when_the_hub_holds_exactly_what_the_author_has)
{
    struct world *world;
    struct node *hub, *ardabil;
    struct store backup;
    pair(&world, &hub, &ardabil);
    world_cut(world);
    node_write(ardabil, 255);
    store_copy(&backup, &ardabil->store);
    node_write(ardabil, 100);
    heal_for_one_package(world);
    node_stop(ardabil);
    world_run(world);
    node_restore(ardabil, &backup);
    world_heal(world);
    node_start(ardabil);
    world_wait(world, 60000);
    struct store_log *held = node_log(hub, "ardabil/hub/b1");
    cr_assert_eq(history_cursor(&held->main).covered, 256);
    cr_assert_eq(core_national_size(ardabil->core, &held->id, 1), 256);
    world_free(world);
}

Test(rollback, a_hub_that_can_prove_nothing_of_a_lost_log_says_that_it_holds_it)
{
    struct world *world;
    struct node *hub, *ardabil;
    struct store empty = { 0 };
    world = world_new();
    hub = world_add(world, "hub", ROLE_HUB);
    ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(ardabil, hub);
    world_start(world);
    world_wait(world, 3000);
    node_stop(ardabil);
    world_run(world);
    node_restore(ardabil, &empty);
    world_cut(world);
    node_start(ardabil);
    world_wait(world, 3000); /* opens b2, that names nothing */
    node_write(ardabil, 300);
    heal_for_one_package(world);
    cr_assert_eq(history_cursor(&node_log(hub, "ardabil/hub/b2")->main).covered, 0);
    node_stop(ardabil);
    world_run(world);
    node_restore(ardabil, &empty);
    world_heal(world);
    world_forget_transcript(world);
    node_start(ardabil);
    world_wait(world, 60000);
    cr_assert_eq(world_count(world, "ardabil ! ROLLBACK by ardabil ardabil/hub/b2 held=0 seen=256"), 1);
    world_free(world);
}

Test(rollback, a_log_named_only_by_one_that_cannot_be_shown_is_handed_back_all_the_same)
{
    struct world *world;
    struct node *hub, *ardabil;
    struct store empty = { 0 };
    pair(&world, &hub, &ardabil);
    node_write(ardabil, 9);
    world_wait(world, 3000);
    cr_assert_eq(node_log(hub, "ardabil/hub/b1")->cosigned, 10);
    node_stop(ardabil);
    world_run(world);
    world_cut(world);
    node_start(ardabil);
    world_wait(world, 3000); /* opens b2, that names b1 */
    node_write(ardabil, 300);
    heal_for_one_package(world);
    cr_assert_eq(history_cursor(&node_log(hub, "ardabil/hub/b2")->main).covered, 0);
    node_stop(ardabil);
    world_run(world);
    node_restore(ardabil, &empty);
    world_heal(world);
    node_start(ardabil);
    world_wait(world, 60000);
    struct store_log *back = node_log(ardabil, "ardabil/hub/b1");
    cr_assert_not_null(back, "ten national records have come back");
    cr_assert_eq(back->main.count, 10);
    world_free(world);
}

/* Its store answers when the next link has begun: after our announcement there, before the hub's. */
static enum delivery store_the_first_log_slowly(struct node *to, struct message *message)
{
    if (lose_the_first_log(to, message) == LOSE)
        to->slow = true;
    if (message->type == MESSAGE_HELLO)
        to->slow = false;
    return DELIVER;
}

/* The first announcement on a link lacks the log; and once it is here, the hub, which does not announce
 * it because another one names it, is not asked for it. */
Test(rollback, a_log_that_was_handed_back_over_the_link_before_gets_its_receipt_again)
{
    struct world *world;
    struct node *hub, *ardabil;
    pair(&world, &hub, &ardabil);
    start_without_a_store(world, ardabil, store_the_first_log_slowly);
    cr_assert(ardabil->slow);
    world_cut(world);
    world_heal(world);
    world_wait(world, 60000);
    struct store_log *back = node_log(ardabil, "ardabil/hub/b1");
    cr_assert_eq(back->main.count, 5);
    cr_assert_eq(core_national_size(ardabil->core, &back->id, 1), 5);
    world_free(world);
}
