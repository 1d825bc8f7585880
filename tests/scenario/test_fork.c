/* Two histories of one log (R9): frozen, both kept, proven to anybody; everything else goes on. */
#include "replication/core/fork.h"
#include "replication/core/state.h"
#include "tests/scenario/world.h"

#include <criterion/criterion.h>

/* A machine is set back while running, and writes `more` records before the hub hears of it. */
static void fork_world(struct world **world, struct node **hub, struct node **ardabil, size_t more)
{
    struct store backup;
    *world = world_new();
    *hub = world_add(*world, "hub", ROLE_HUB);
    *ardabil = world_add(*world, "ardabil", ROLE_PROVINCE);
    world_peers(*ardabil, *hub);
    world_start(*world);
    world_wait(*world, 3000);
    node_write(*ardabil, 3);
    world_wait(*world, 3000);
    store_copy(&backup, &(*ardabil)->store);
    node_write(*ardabil, 5);
    world_wait(*world, 3000);
    world_cut(*world);
    world_run(*world);
    (*ardabil)->salt = 77; /* what it writes from now on is another history */
    node_rewind(*ardabil, &backup);
    world_run(*world);
    node_write(*ardabil, more);
    world_run(*world);
}

/* The same, and they have met. */
static void forked_world(struct world **world, struct node **hub, struct node **ardabil,
                         size_t more)
{
    fork_world(world, hub, ardabil, more);
    world_forget_transcript(*world);
    world_heal(*world);
    world_wait(*world, 60000);
}

static void check_both_branches(struct node *node, size_t main, size_t branch)
{
    struct store_log *log = node_log(node, "ardabil/hub/b1");
    struct sign_key key;
    struct log_id id;
    store_log_key("ardabil", &key);
    cr_assert(log->frozen);
    cr_assert(log->proven);
    cr_assert_eq(log->main.count, main);
    cr_assert_eq(log->branch.count, branch, "%zu", log->branch.count);
    cr_assert_eq(fork_proof_verify(buffer_bytes(&log->proof), &key.public, &id), OK);
}

Test(fork, a_shorter_branch_is_found_by_the_author_and_proven_to_the_hub)
{
    struct world *world;
    struct node *hub, *ardabil;
    forked_world(&world, &hub, &ardabil, 2);
    world_expect(world, "--- healed\n"
                        "ardabil <- hub  HEADS ardabil/hub/b1@9 hub/all/a1@1 complete\n"
                        "ardabil ! ROLLBACK by ardabil ardabil/hub/b1 held=6 seen=9\n"
                        "ardabil * needs an incarnation: BEHIND\n"
                        "ardabil * opens ardabil/hub/b2 naming ardabil/hub/b1@6\n"
                        "hub <- ardabil  HEADS ardabil/hub/b1@6 hub/all/a1@1 complete\n"
                        "hub ! ROLLBACK by ardabil ardabil/hub/b1 held=9 seen=6\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@9\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=6 pending=6\n"
                        "hub <- ardabil  HEADS ardabil/hub/b2@1\n"
                        "ardabil <- hub  CHECKPOINT ardabil/hub/b1@9 from=6\n"
                        "ardabil <- hub  WANT ardabil/hub/b2 next=0 pending=0\n"
                        "ardabil <- hub  PACKAGE ardabil/hub/b1 6..9 against=9\n"
                        "ardabil ! FORK by hub ardabil/hub/b1 held=6 seen=9\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b2@1 from=0\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 FORK next=6\n"
                        "hub ! FORK by ardabil ardabil/hub/b1 held=9 seen=6\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b2 0..1 against=1\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=6 pending=6 of 7271\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 BRANCH next=0\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b2@1\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=0 pending=9 of fcc8\n"
                        "ardabil <- hub  CHECKPOINT ardabil/hub/b1@9 from=9\n"
                        "ardabil <- hub  PACKAGE ardabil/hub/b1 0..9 against=9\n"
                        "ardabil ! FORK_PROVEN by hub ardabil/hub/b1 held=6 seen=9\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 BRANCH next=9\n"
                        "hub <- ardabil  FORK ardabil/hub/b1@6 >< ardabil/hub/b1@9 position=4\n"
                        "hub ! FORK_PROVEN by ardabil ardabil/hub/b1 held=9 seen=0\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 FORK next=9\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=9 pending=9 of fcc8\n"
                        "ardabil <- hub  HEADS ardabil/hub/b1@9\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=6 pending=6 of 7271\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 BRANCH next=9\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=0 pending=6 of 7271\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 BRANCH next=0\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=9 pending=9 of fcc8\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b1@6 from=6\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 0..6 against=6\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 BRANCH next=9\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 BRANCH next=6\n");
    check_both_branches(hub, 9, 6);
    check_both_branches(ardabil, 6, 9);
    node_write(ardabil, 4);
    node_write(hub, 4);
    world_wait(world, 60000);
    cr_assert(node_holds_all_of(ardabil, hub)); /* everything else goes on */
    cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 5);
    world_free(world);
}

Test(fork, a_longer_branch_is_found_by_the_hub_and_proven_to_the_author)
{
    struct world *world;
    struct node *hub, *ardabil;
    forked_world(&world, &hub, &ardabil, 10);
    world_expect(world, "--- healed\n"
                        "ardabil <- hub  HEADS ardabil/hub/b1@9 hub/all/a1@1 complete\n"
                        "hub <- ardabil  HEADS ardabil/hub/b1@14 hub/all/a1@1 complete\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@9\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=9 pending=9\n"
                        "ardabil ! FORK by hub ardabil/hub/b1 held=14 seen=9\n"
                        "ardabil * needs an incarnation: FORKED\n"
                        "ardabil * opens ardabil/hub/b2 naming ardabil/hub/b1@14\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b1@14 from=9\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 FORK next=14\n"
                        "hub ! FORK by ardabil ardabil/hub/b1 held=9 seen=14\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 9..14 against=14\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=14 pending=14 of cbc1\n"
                        "hub <- ardabil  HEADS ardabil/hub/b2@1\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 FORK next=9\n"
                        "ardabil <- hub  WANT ardabil/hub/b2 next=0 pending=0\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=9 pending=9 of fcc8\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 BRANCH next=0\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b2@1 from=0\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=0 pending=9 of fcc8\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b2 0..1 against=1\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 BRANCH next=0\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=0 pending=14 of cbc1\n"
                        "ardabil <- hub  CHECKPOINT ardabil/hub/b1@9 from=9\n"
                        "ardabil <- hub  PACKAGE ardabil/hub/b1 0..9 against=9\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b2@1\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b1@14 from=14\n"
                        "ardabil ! FORK_PROVEN by hub ardabil/hub/b1 held=14 seen=9\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 BRANCH next=9\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 0..14 against=14\n"
                        "hub <- ardabil  FORK ardabil/hub/b1@14 >< ardabil/hub/b1@9 position=4\n"
                        "hub ! FORK_PROVEN by ardabil ardabil/hub/b1 held=9 seen=14\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 BRANCH next=14\n"
                        "ardabil <- hub  FORK ardabil/hub/b1@9 >< ardabil/hub/b1@14 position=4\n");
    check_both_branches(hub, 9, 14);
    check_both_branches(ardabil, 14, 9);
    world_free(world);
}

Test(fork, a_branch_of_the_same_length_is_found_by_the_receipt)
{
    struct world *world;
    struct node *hub, *ardabil;
    forked_world(&world, &hub, &ardabil, 5);
    world_expect(world, "--- healed\n"
                        "ardabil <- hub  HEADS ardabil/hub/b1@9 hub/all/a1@1 complete\n"
                        "hub <- ardabil  HEADS ardabil/hub/b1@9 hub/all/a1@1 complete\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@9\n"
                        "ardabil ! FORK by hub ardabil/hub/b1 held=9 seen=9\n"
                        "ardabil * needs an incarnation: FORKED\n"
                        "ardabil * opens ardabil/hub/b2 naming ardabil/hub/b1@9\n"
                        "ardabil ! FORK_PROVEN by hub ardabil/hub/b1 held=9 seen=0\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 FORK next=9\n"
                        "hub ! FORK by ardabil ardabil/hub/b1 held=9 seen=9\n"
                        "hub <- ardabil  FORK ardabil/hub/b1@9 >< ardabil/hub/b1@9\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=9 pending=9 of 135f\n"
                        "hub <- ardabil  HEADS ardabil/hub/b2@1\n"
                        "hub ! FORK_PROVEN by ardabil ardabil/hub/b1 held=9 seen=0\n"
                        "ardabil <- hub  WANT ardabil/hub/b2 next=0 pending=0\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 FORK next=9\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=9 pending=9 of fcc8\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 BRANCH next=0\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b2@1 from=0\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=0 pending=9 of fcc8\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b2 0..1 against=1\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 BRANCH next=0\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=0 pending=9 of 135f\n"
                        "ardabil <- hub  CHECKPOINT ardabil/hub/b1@9 from=9\n"
                        "ardabil <- hub  PACKAGE ardabil/hub/b1 0..9 against=9\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b2@1\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b1@9 from=9\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 BRANCH next=9\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 0..9 against=9\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 BRANCH next=9\n");
    check_both_branches(hub, 9, 9);
    check_both_branches(ardabil, 9, 9);
    world_free(world);
}

/* The author's store is slow with the hub's receipt, and so with the proof, until it is asked for the
 * other branch. */
static enum delivery quick_when_asked(struct node *to, struct message *message)
{
    if (message->type == MESSAGE_WANT && message->want.pending == 14)
        to->slow = false;
    return DELIVER;
}

Test(fork, an_order_that_the_proof_overtakes_is_given_anew)
{
    struct world *world;
    struct node *hub, *ardabil;
    fork_world(&world, &hub, &ardabil, 5);
    node_write(ardabil, 5);
    world_run(world);
    world_forget_transcript(world);
    ardabil->slow = true;
    world->meddle = quick_when_asked;
    world_heal(world);
    world_wait(world, 60000);
    world_expect(world, "--- healed\n"
                        "ardabil <- hub  HEADS ardabil/hub/b1@9 hub/all/a1@1 complete\n"
                        "hub <- ardabil  HEADS ardabil/hub/b1@14 hub/all/a1@1 complete\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@9\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=9 pending=9\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b1@14 from=9\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 9..14 against=14\n"
                        "hub ! FORK by ardabil ardabil/hub/b1 held=9 seen=14\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 FORK next=9\n"
                        "ardabil ! FORK by hub ardabil/hub/b1 held=14 seen=9\n"
                        "ardabil * needs an incarnation: FORKED\n"
                        "ardabil * opens ardabil/hub/b2 naming ardabil/hub/b1@14\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=9 pending=9 of fcc8\n"
                        "hub <- ardabil  HEADS ardabil/hub/b2@1\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 BRANCH next=0\n"
                        "ardabil <- hub  WANT ardabil/hub/b2 next=0 pending=0\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=0 pending=14 of cbc1\n"
                        "ardabil ! FORK_PROVEN by hub ardabil/hub/b1 held=14 seen=0\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b2@1 from=0\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 FORK next=14\n"
                        "hub <- ardabil  FORK ardabil/hub/b1@9 >< ardabil/hub/b1@9\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=14 pending=14 of cbc1\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b2 0..1 against=1\n"
                        "hub ! FORK_PROVEN by ardabil ardabil/hub/b1 held=9 seen=0\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b1@14 from=14\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 BRANCH next=0\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 0..14 against=14\n"
                        "hub <- ardabil  WANT ardabil/hub/b1 next=0 pending=9 of fcc8\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b2@1\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 BRANCH next=14\n"
                        "ardabil <- hub  WANT ardabil/hub/b1 next=0 pending=9 of 135f\n"
                        "ardabil <- hub  CHECKPOINT ardabil/hub/b1@9 from=9\n"
                        "ardabil <- hub  PACKAGE ardabil/hub/b1 0..9 against=9\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b1@14 from=9\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 BRANCH next=9\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 0..14 against=14\n"
                        "hub <- ardabil  REFUSAL ardabil/hub/b1 BRANCH next=14\n");
    check_both_branches(hub, 9, 14);
    check_both_branches(ardabil, 14, 9);
    world_free(world);
}

/* What a peer merely says has to wait then; a log that is frozen takes no request. */
Test(fork, a_frozen_live_log_is_closed_at_once_however_lately_another_was)
{
    struct world *world;
    struct node *hub, *ardabil;
    fork_world(&world, &hub, &ardabil, 5);
    ardabil->core->reopen_at_ms = world->now_ms + 3600000;
    world_forget_transcript(world);
    world_heal(world);
    world_wait(world, 60000);
    cr_assert_eq(world_count(world, "ardabil * opens ardabil/hub/b2"), 1);
    world_free(world);
}

Test(fork, both_branches_are_still_there_after_restarts_on_both_sides)
{
    struct world *world;
    struct node *hub, *ardabil;
    forked_world(&world, &hub, &ardabil, 10);
    node_stop(hub);
    node_stop(ardabil);
    world_run(world);
    ardabil->passive = false;
    world_forget_transcript(world);
    node_start(hub);
    node_start(ardabil);
    world_wait(world, 60000);
    cr_assert_eq(world_count(world, "! FORK"), 0, "an old fork is no news");
    check_both_branches(hub, 9, 14);
    check_both_branches(ardabil, 14, 9);
    node_write(ardabil, 4);
    world_wait(world, 10000);
    cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 5);
    world_free(world);
}

Test(fork, a_cut_at_every_message_does_not_keep_the_proof_from_both_sides)
{
    for (size_t n = 0; n < 60; n++) {
        struct world *world;
        struct node *hub, *ardabil;
        fork_world(&world, &hub, &ardabil, 10);
        world_heal(world);
        world->cut_after = world->delivered + n;
        world_wait(world, 300000);
        check_both_branches(hub, 9, 14);
        check_both_branches(ardabil, 14, 9);
        world_free(world);
    }
}

Test(fork, a_proof_without_room_blames_nobody_and_is_told_again)
{
    static const enum err own_troubles[] = { ERR_FULL, ERR_MAP_FULL, ERR_NOMEM };
    for (size_t i = 0; i < sizeof own_troubles / sizeof *own_troubles; i++) {
        struct world *world;
        struct node *hub, *ardabil;
        fork_world(&world, &hub, &ardabil, 2);
        hub->receipt_err = own_troubles[i];
        world_heal(world);
        world_wait(world, 60000);
        cr_assert_gt(world_count(world, "hub <- ardabil  FORK ardabil/hub/b1"), 0);
        cr_assert_eq(world_count(world, "BAD_DATA"), 0);
        cr_assert_eq(world_count(world, "UNREADABLE"), 0);
        hub->receipt_err = OK;
        world_cut(world);
        world_run(world);
        world_heal(world);
        world_wait(world, 60000);
        cr_assert(node_log(hub, "ardabil/hub/b1")->proven);
        world_free(world);
    }
}

Test(fork, a_proof_that_proves_nothing_is_blamed_on_who_sent_it)
{
    struct world *world;
    struct node *hub, *ardabil;
    fork_world(&world, &hub, &ardabil, 2);
    hub->receipt_err = ERR_PROOF;
    world_heal(world);
    world_wait(world, 60000);
    cr_assert_eq(world_count(world, "hub ! BAD_DATA by ardabil"), 1);
    world_free(world);
}
