/* Both branches of a forked log come to everybody who may hold it, whatever was there before (R9):
 * a branch is asked for by a root, so that nobody is sent the one that it has. */
#include "replication/core/fork.h"
#include "tests/scenario/world.h"

#include <criterion/criterion.h>
#include <string.h>

/* Ardabil opens links to both hubs, shiraz one to tehran. */
static struct world *triangle(struct node **tehran, struct node **shiraz, struct node **ardabil)
{
    struct world *world = world_new();
    *tehran = world_add(world, "tehran", ROLE_HUB);
    *shiraz = world_add(world, "shiraz", ROLE_HUB);
    *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(*ardabil, *tehran);
    world_peers(*ardabil, *shiraz);
    world_peers(*shiraz, *tehran);
    return world;
}

/* Ardabil's machine is set back while running: tehran has 9 records of the first history, then
 * ardabil writes to 14 of the second; they agree in 4. Shiraz does not run. `common` is what tehran
 * held before. */
static void fork_log_after(struct world *world, struct node *tehran, struct node *ardabil,
                           struct store *common)
{
    struct store backup;
    node_start(tehran);
    node_start(ardabil);
    world_wait(world, 5000);
    node_write(ardabil, 3);
    world_wait(world, 5000);
    store_copy(&backup, &ardabil->store);
    store_copy(common, &tehran->store);
    node_write(ardabil, 5);
    world_wait(world, 5000);
    world_cut(world);
    ardabil->salt = 77;
    node_rewind(ardabil, &backup);
    world_run(world);
    node_write(ardabil, 10);
    world_run(world);
}

static void fork_log(struct world *world, struct node *tehran, struct node *ardabil)
{
    struct store common;
    fork_log_after(world, tehran, ardabil, &common);
    store_close(&common);
}

static const char LOG[] = "ardabil/hub/c1";

static bool has_both(const struct store_log *log)
{
    size_t a = log->main.count, b = log->branch.count;
    return log->frozen && log->proven && ((a == 9 && b == 14) || (a == 14 && b == 9)) &&
           hash_equal(&log->main.leaves[3], &log->branch.leaves[3]) &&
           !hash_equal(&log->main.leaves[4], &log->branch.leaves[4]);
}

static void expect_both(struct node *node)
{
    struct store_log *log = node_log(node, LOG);
    cr_assert(log != NULL, "%s", node->name);
    cr_assert(has_both(log), "%s: %zu and %zu", node->name, log->main.count, log->branch.count);
}

static void empty(struct node *node)
{
    struct store nothing = { 0 };
    node_stop(node);
    world_run(node->world);
    node_restore(node, &nothing);
}

Test(branches, a_hub_that_hears_of_the_fork_before_it_holds_a_record_gets_both_from_the_other_hub)
{
    struct node *tehran, *shiraz, *ardabil;
    struct world *world = triangle(&tehran, &shiraz, &ardabil);
    fork_log(world, tehran, ardabil);
    world_heal(world);
    world_wait(world, 60000);
    expect_both(tehran);
    node_stop(ardabil);
    world_run(world);
    world_forget_transcript(world);
    node_start(shiraz);
    world_wait(world, 60000);
    expect_both(shiraz);
    expect_both(tehran);
    cr_assert_eq(world_count(world, "shiraz ! FORK by tehran"), 1);
    cr_assert_eq(world_count(world, "BAD_DATA"), 0);
    world_free(world);
}

Test(branches, a_hub_that_has_the_same_one_as_the_other_hub_gets_the_one_that_it_lacks)
{
    struct node *tehran, *shiraz, *ardabil;
    struct world *world = triangle(&tehran, &shiraz, &ardabil);
    struct store at_tehran;
    fork_log(world, tehran, ardabil);
    store_copy(&at_tehran, &tehran->store); /* nine records of the first history */
    world_heal(world);
    world_wait(world, 60000);
    node_stop(ardabil);
    world_run(world);
    world_cut(world);
    node_restore(shiraz, &at_tehran);
    world_heal(world);
    node_start(shiraz);
    world_wait(world, 60000);
    expect_both(shiraz);
    cr_assert_eq(node_log(shiraz, LOG)->main.count, 9);
    cr_assert_eq(world_count(world, "BAD_DATA"), 0);
    world_free(world);
}

Test(branches, each_hub_has_one_of_them_and_in_the_end_both)
{
    struct node *tehran, *shiraz, *ardabil;
    struct world *world = triangle(&tehran, &shiraz, &ardabil);
    fork_log(world, tehran, ardabil);
    node_stop(tehran);
    world_run(world);
    world_heal(world);
    node_start(shiraz);
    world_wait(world, 60000);
    cr_assert_eq(node_log(shiraz, LOG)->main.count, 14);
    node_stop(ardabil);
    world_run(world);
    node_start(tehran);
    world_wait(world, 60000);
    expect_both(tehran);
    expect_both(shiraz);
    node_start(ardabil);
    world_wait(world, 60000);
    expect_both(ardabil);
    world_free(world);
}

Test(branches, an_author_that_lost_its_disk_is_frozen_without_a_record_and_gets_both_back)
{
    struct node *tehran, *shiraz, *ardabil;
    struct world *world = triangle(&tehran, &shiraz, &ardabil);
    fork_log(world, tehran, ardabil);
    world_heal(world);
    world_wait(world, 60000);
    empty(ardabil);
    ardabil->passive = false;
    node_start(ardabil);
    world_wait(world, 60000);
    expect_both(ardabil);
    node_write(ardabil, 3);
    world_wait(world, 5000);
    cr_assert(node_holds_all_of(tehran, ardabil));
    world_free(world);
}

/* A store as it was left by a version that kept no note of the other branch: frozen, proven, empty.
 */
Test(branches, a_node_that_was_left_frozen_with_an_empty_log_gets_out_after_a_restart)
{
    struct node *tehran, *shiraz, *ardabil;
    struct world *world = triangle(&tehran, &shiraz, &ardabil);
    fork_log(world, tehran, ardabil);
    world_heal(world);
    world_wait(world, 60000);
    node_stop(ardabil);
    world_run(world);
    struct store_log *full = node_log(tehran, LOG);
    struct store_log *left = store_make(&shiraz->store, &full->id);
    left->frozen = left->proven = true;
    strcpy(left->fork_node, "tehran");
    buffer_append_bytes(&left->proof, buffer_bytes(&full->proof));
    node_start(shiraz);
    world_wait(world, 60000);
    expect_both(shiraz);
    world_free(world);
}

Test(branches, a_hub_that_holds_only_what_both_have_in_common_gets_both)
{
    struct node *tehran, *shiraz, *ardabil;
    struct world *world = triangle(&tehran, &shiraz, &ardabil);
    struct store common;
    fork_log_after(world, tehran, ardabil, &common);
    world_heal(world);
    world_wait(world, 60000);
    node_stop(ardabil);
    world_run(world);
    node_restore(shiraz, &common);
    cr_assert_eq(node_log(shiraz, LOG)->main.count, 4);
    node_start(shiraz);
    world_wait(world, 60000);
    expect_both(shiraz);
    cr_assert_eq(world_count(world, "BAD_DATA"), 0);
    world_free(world);
}

Test(branches, a_cut_at_every_message_does_not_keep_either_branch_from_anybody)
{
    for (size_t n = 0; n < 90; n++) {
        struct node *tehran, *shiraz, *ardabil;
        struct world *world = triangle(&tehran, &shiraz, &ardabil);
        fork_log(world, tehran, ardabil);
        node_start(shiraz);
        world_heal(world);
        world->cut_after = world->delivered + n;
        world_wait(world, 300000);
        expect_both(tehran);
        expect_both(shiraz);
        expect_both(ardabil);
        cr_assert_eq(world_count(world, "BAD_DATA"), 0);
        world_free(world);
    }
}

static bool lost_one;

static enum delivery lose_one_package(struct node *to, struct message *message)
{
    bool of_branch = message->type == MESSAGE_PACKAGE && strcmp(to->name, "shiraz") == 0 &&
                     strcmp(message->package.log.node, "ardabil") == 0;
    bool lose = of_branch && !lost_one && message->package.first == 0;
    lost_one |= lose;
    return lose ? LOSE : DELIVER;
}

Test(branches, a_gap_in_a_branch_is_filled_from_the_same_branch)
{
    struct node *tehran, *shiraz, *ardabil;
    struct world *world = triangle(&tehran, &shiraz, &ardabil);
    fork_log(world, tehran, ardabil);
    node_write(ardabil, 600);
    world_run(world);
    world_heal(world);
    world_wait(world, 60000);
    node_stop(ardabil);
    world_run(world);
    lost_one = false;
    world->meddle = lose_one_package;
    node_start(shiraz);
    world_wait(world, 60000);
    cr_assert(lost_one);
    struct store_log *log = node_log(shiraz, LOG);
    cr_assert_eq(log->main.count + log->branch.count, 9 + 614);
    cr_assert_eq(world_count(world, "BAD_DATA"), 0);
    world_free(world);
}

/* A peer of version 1 would take a WANT that names a branch for malformed, and end the link. */
static enum delivery only_version_1(struct node *to, struct message *message)
{
    (void)to;
    if (message->type == MESSAGE_HELLO)
        message->hello.protocol_max = 1;
    cr_assert(message->type != MESSAGE_WANT || !message->want.names_branch);
    return DELIVER;
}

Test(branches, of_a_peer_that_speaks_version_1_no_branch_is_asked_and_all_else_goes_on)
{
    struct node *tehran, *shiraz, *ardabil;
    struct world *world = triangle(&tehran, &shiraz, &ardabil);
    fork_log(world, tehran, ardabil);
    world->meddle = only_version_1;
    world_heal(world);
    world_wait(world, 60000);
    cr_assert(node_log(ardabil, LOG)->frozen && node_log(tehran, LOG)->frozen);
    node_write(ardabil, 3);
    world_wait(world, 5000);
    cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 4);
    world->meddle = NULL;
    world_cut(world);
    world_heal(world);
    world_wait(world, 60000);
    expect_both(tehran);
    expect_both(ardabil);
    world_free(world);
}
