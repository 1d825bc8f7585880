/* Several hubs, equal followers (design D16). */
#include "tests/scenario/world.h"

#include <criterion/criterion.h>
#include <string.h>

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

/* ---- what a hub may do to another's log, and what not (R9) ---- */

/* Ardabil writes to tehran and isfahan; shiraz can reach it only through them. */
static struct world *relayed_world(struct node **shiraz, struct node **ardabil)
{
    struct world *world = world_new();
    struct node *tehran = world_add(world, "tehran", ROLE_HUB);
    struct node *isfahan = world_add(world, "isfahan", ROLE_HUB);
    *shiraz = world_add(world, "shiraz", ROLE_HUB);
    *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(*ardabil, tehran);
    world_peers(*ardabil, isfahan);
    world_peers(*shiraz, tehran);
    world_peers(*shiraz, isfahan);
    (*shiraz)->peers[(*shiraz)->options.peer_count++] =
        (struct core_peer){ .node = "ardabil", .role = ROLE_PROVINCE };
    world_start(world);
    world_wait(world, 5000);
    node_write(*ardabil, 2);
    world_wait(world, 5000);
    world_forget_transcript(world);
    return world;
}

static bool spoilt;

/* A genuine note with a proof that was made up. */
static enum delivery spoil_one_proof(struct node *to, struct message *message)
{
    if (!spoilt && strcmp(to->name, "shiraz") == 0 && message->type == MESSAGE_CHECKPOINT &&
        message->checkpoint.from > 0 && message->checkpoint.proof.count > 0) {
        message->checkpoint.proof.hashes[0].bytes[7] ^= 1;
        spoilt = true;
    }
    return DELIVER;
}

Test(hubs, a_hub_cannot_freeze_the_log_of_another_by_a_proof_that_it_made_up)
{
    struct node *shiraz, *ardabil;
    struct world *world = relayed_world(&shiraz, &ardabil);
    world->meddle = spoil_one_proof;
    node_write(ardabil, 600);
    world_wait(world, 5000); /* not a minute: the other hub is asked at once */
    cr_assert(spoilt);
    cr_assert_eq(world_count(world, "! FORK"), 0);
    cr_assert_eq(world_count(world, "shiraz ! BAD_DATA by "), 1);
    cr_assert_eq(world_count(world, "REFUSAL ardabil/hub/d1 PROOF"), 1);
    cr_assert(!node_log(shiraz, "ardabil/hub/d1")->frozen);
    cr_assert(node_holds_all_of(shiraz, ardabil));
    world_wait(world, 120000);
    node_write(ardabil, 5);
    world_wait(world, 5000);
    cr_assert(node_holds_all_of(shiraz, ardabil));
    world_free(world);
}

/* Tehran says that it has more of the log than anybody, and gives none of it. */
static enum delivery promise_and_give_nothing(struct node *to, struct message *message)
{
    bool to_shiraz = strcmp(to->name, "shiraz") == 0;
    if (to_shiraz && message->type == MESSAGE_HEADS)
        for (size_t i = 0; i < message->heads.count; i++)
            if (strcmp(message->heads.heads[i].log.node, "ardabil") == 0)
                message->heads.heads[i].size += 1000;
    bool is_want = message->type == MESSAGE_WANT && strcmp(message->want.log.node, "ardabil") == 0;
    return is_want && strcmp(to->name, "tehran") == 0 ? LOSE : DELIVER;
}

Test(hubs, a_hub_that_promises_records_and_gives_none_does_not_keep_the_author_from_giving_them)
{
    struct world *world;
    struct node *tehran, *shiraz, *ardabil;
    triangle(&world, &tehran, &shiraz, &ardabil);
    world_wait(world, 5000);
    node_stop(shiraz);
    world_run(world);
    node_write(ardabil, 20);
    world_wait(world, 5000);
    node_stop(ardabil);
    world_run(world);
    world->meddle = promise_and_give_nothing;
    node_start(shiraz);
    world_wait(world, 5000);
    cr_assert_eq(node_log(shiraz, "ardabil/hub/c1")->main.count, 1);
    node_start(ardabil);
    world_wait(world, 70000);
    cr_assert(node_holds_all_of(shiraz, ardabil));
    world_free(world);
}

/* One process was set back, and each hub has heard of one of its histories only. */
static void check_fork_between_hubs(size_t common, size_t at_tehran, size_t at_shiraz)
{
    struct world *world;
    struct node *tehran, *shiraz, *ardabil;
    struct store backup;
    triangle(&world, &tehran, &shiraz, &ardabil);
    world_wait(world, 5000);
    if (common > 1)
        node_write(ardabil, common - 1); /* the log has its first record */
    world_wait(world, 5000);
    store_copy(&backup, &ardabil->store);
    node_stop(shiraz);
    world_run(world);
    node_write(ardabil, at_tehran - common);
    world_wait(world, 5000);
    node_stop(tehran);
    world_run(world);
    ardabil->salt = 77;
    node_rewind(ardabil, &backup);
    node_start(shiraz);
    world_wait(world, 65000);
    node_write(ardabil, at_shiraz - common);
    world_wait(world, 5000);
    cr_assert_eq(node_log(tehran, "ardabil/hub/c1")->main.count, at_tehran);
    cr_assert_eq(node_log(shiraz, "ardabil/hub/c1")->main.count, at_shiraz);
    node_stop(ardabil);
    world_run(world);
    node_start(tehran);
    world_wait(world, 65000);
    struct store_log *a = node_log(tehran, "ardabil/hub/c1");
    struct store_log *b = node_log(shiraz, "ardabil/hub/c1");
    cr_assert(a->frozen && a->proven, "%zu %zu %zu", common, at_tehran, at_shiraz);
    cr_assert(b->frozen && b->proven, "%zu %zu %zu", common, at_tehran, at_shiraz);
    cr_assert_eq(a->branch.count, at_shiraz);
    cr_assert_eq(b->branch.count, at_tehran);
    world_free(world);
}

Test(hubs, a_true_fork_that_one_hub_shows_another_freezes_the_log_at_both_whatever_the_sizes)
{
    for (size_t common = 1; common <= 3; common++)
        for (size_t a = common + 1; a <= 9; a++)
            for (size_t b = common + 1; b <= 9; b += a < 5 ? 1 : 3)
                if (a != b) /* of equal sizes neither asks the other: the author finds that out,
                               by the receipts of both */
                    check_fork_between_hubs(common, a, b);
    check_fork_between_hubs(5, 256, 700);
    check_fork_between_hubs(300, 512, 513);
}

/* ---- what «national» says after a hub has lost what it gave receipts for ---- */

static enum delivery lose_wants(struct node *to, struct message *message)
{
    (void)to;
    return message->type == MESSAGE_WANT ? LOSE : DELIVER;
}

static void check_national(struct node *ardabil, const char *log, size_t k, uint64_t size)
{
    uint64_t found = core_national_size(ardabil->core, &node_log(ardabil, log)->id, k);
    cr_assert_eq(found, size, "%s is national to %zu", log, (size_t)found);
}

Test(hubs, national_is_not_what_no_hub_holds_any_more)
{
    struct world *world;
    struct node *tehran, *shiraz, *ardabil;
    struct store old, empty = { 0 };
    triangle(&world, &tehran, &shiraz, &ardabil);
    world_wait(world, 5000);
    node_write(ardabil, 9);
    world_wait(world, 5000);
    store_copy(&old, &tehran->store);
    node_write(ardabil, 20);
    world_wait(world, 5000);
    node_stop(ardabil);
    world_run(world);
    node_start(ardabil); /* a second log, which names the first */
    world_wait(world, 5000);
    node_write(ardabil, 4);
    world_wait(world, 5000);
    check_national(ardabil, "ardabil/hub/c1", 2, 30);
    check_national(ardabil, "ardabil/hub/c2", 2, 5);

    world->meddle = lose_wants; /* they come back, and cannot catch up yet */
    node_stop(tehran);
    node_stop(shiraz);
    world_run(world);
    node_restore(tehran, &old);
    node_restore(shiraz, &empty);
    check_national(ardabil, "ardabil/hub/c1", 2, 30); /* nobody has shown anything else */
    world_forget_transcript(world);
    node_start(tehran);
    node_start(shiraz);
    world_wait(world, 65000);
    check_national(ardabil, "ardabil/hub/c1", 1, 10);
    check_national(ardabil, "ardabil/hub/c1", 2, 0);
    check_national(ardabil, "ardabil/hub/c2", 1, 0);
    cr_assert_gt(world_count(world, "ardabil ! HUB_ROLLBACK by "), 0);

    world->meddle = NULL;
    world_cut(world);
    world_heal(world);
    world_wait(world, 120000);
    cr_assert(node_holds_all_of(tehran, ardabil));
    cr_assert(node_holds_all_of(shiraz, ardabil));
    check_national(ardabil, "ardabil/hub/c1", 2, 30);
    check_national(ardabil, "ardabil/hub/c2", 2, 5);
    node_write(ardabil, 3);
    world_wait(world, 5000);
    check_national(ardabil, "ardabil/hub/c2", 2, 8);
    world_free(world);
}

/* ---- one author that opens logs without end ---- */

Test(hubs, an_author_that_opens_logs_without_end_takes_no_room_of_others)
{
    struct world *world = world_new();
    struct node *hub = world_add(world, "tehran", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    struct node *gilan = world_add(world, "gilan", ROLE_PROVINCE);
    world_peers(ardabil, hub);
    world_peers(gilan, hub);
    hub->options.log_max = 20;
    hub->options.author_log_max = 6;
    world_start(world);
    for (int i = 0; i < 12; i++) {
        node_stop(ardabil);
        world_run(world);
        node_start(ardabil);
        world_wait(world, 5000);
    }
    cr_assert_gt(world_count(world, "tehran ! LIMIT by ardabil"), 0);
    cr_assert(!node_holds_all_of(hub, ardabil));
    for (int i = 0; i < 3; i++) {
        node_stop(gilan);
        world_run(world);
        node_start(gilan);
        world_wait(world, 5000);
        node_write(gilan, 3);
    }
    world_wait(world, 5000);
    cr_assert(node_holds_all_of(hub, gilan));
    cr_assert_eq(world_count(world, "LIMIT by gilan"), 0);
    world_free(world);
}
