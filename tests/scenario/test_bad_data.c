/* Data that does not verify, or does not follow: refused, told, and only that log waits. */
#include "tests/scenario/world.h"

#include <criterion/criterion.h>
#include <string.h>

static struct world *small_world(struct node **hub, struct node **ardabil)
{
    struct world *world = world_new();
    *hub = world_add(world, "hub", ROLE_HUB);
    *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(*ardabil, *hub);
    world_start(world);
    world_wait(world, 3000);
    world_forget_transcript(world);
    return world;
}

static bool is_first(struct message *message, enum message_type type)
{
    static enum message_type done;
    if (message->type != type || done == type)
        return false;
    done = type;
    return true;
}

static enum delivery twice(struct node *to, struct message *message)
{
    (void)to;
    return message->type == MESSAGE_HELLO || message->type == MESSAGE_CLOSE ? DELIVER
                                                                            : DELIVER_TWICE;
}

Test(bad_data, every_message_twice_changes_nothing)
{
    struct node *hub, *ardabil;
    struct world *world = small_world(&hub, &ardabil);
    world->meddle = twice;
    node_write(ardabil, 600);
    world_wait(world, 3000);
    node_stop(ardabil);
    world_run(world);
    node_start(ardabil);
    world_wait(world, 3000);
    node_write(ardabil, 6);
    world_wait(world, 120000);
    cr_assert(node_holds_all_of(hub, ardabil));
    cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 7);
    cr_assert_eq(world_count(world, "!"), 0);
    world_free(world);
}

static enum delivery lose_one_package(struct node *to, struct message *message)
{
    (void)to;
    return is_first(message, MESSAGE_PACKAGE) ? LOSE : DELIVER;
}

Test(bad_data, a_gap_is_refused_with_the_position_that_is_lacking)
{
    struct node *hub, *ardabil;
    struct world *world = small_world(&hub, &ardabil);
    world->meddle = lose_one_package;
    node_write(ardabil, 600);
    world_wait(world, 3000);
    world_expect(world, "hub <- ardabil  CHECKPOINT ardabil/hub/b1@601 from=1\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 1..256 against=601  (lost)\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 256..512 against=601\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 GAP next=1\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 512..601 against=601\n"
                        "hub <- ardabil  CHECKPOINT ardabil/hub/b1@601 from=601\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 1..256 against=601\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 256..512 against=601\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 512..601 against=601\n"
                        "ardabil <- hub  RECEIPT ardabil/hub/b1@601\n");
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

static enum delivery corrupt_package(struct node *to, struct message *message)
{
    (void)to;
    if (is_first(message, MESSAGE_PACKAGE)) {
        uint8_t *body = (uint8_t *)message->package.body.data;
        body[message->package.body.size - 2] ^= 1; /* the last byte of some facts */
    }
    return DELIVER;
}

Test(bad_data, a_corrupt_package_is_refused_and_asked_for_again_later)
{
    struct node *hub, *ardabil;
    struct world *world = small_world(&hub, &ardabil);
    world->meddle = corrupt_package;
    node_write(ardabil, 300);
    node_write(hub, 5);
    world_wait(world, 3000);
    world_expect(world, "hub <- ardabil  CHECKPOINT ardabil/hub/b1@301 from=1\n"
                        "ardabil <- hub  CHECKPOINT hub/all/a1@6 from=1\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 1..256 against=301\n"
                        "ardabil <- hub  PACKAGE hub/all/a1 1..6 against=6\n"
                        "hub ! BAD_DATA by ardabil\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 256..301 against=301\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 COMMITMENT next=1\n"
                        "ardabil ! REFUSED by hub ardabil/hub/b1 held=301 seen=5\n");
    cr_assert(node_holds_all_of(ardabil, hub)); /* the other direction went on */
    world_wait(world, 65000);
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

static enum delivery corrupt_proof(struct node *to, struct message *message)
{
    (void)to;
    if (is_first(message, MESSAGE_PACKAGE))
        message->package.proof.hashes[0].bytes[5] ^= 1;
    return DELIVER;
}

Test(bad_data, a_package_with_a_wrong_proof_is_refused)
{
    struct node *hub, *ardabil;
    struct world *world = small_world(&hub, &ardabil);
    world->meddle = corrupt_proof;
    node_write(ardabil, 600);
    world_wait(world, 3000);
    cr_assert_eq(world_count(world, "PROOF next=1\n"), 1);
    cr_assert_eq(world_count(world, "hub ! BAD_DATA by ardabil"), 1);
    cr_assert_eq(world_count(world, "ardabil ! REFUSED by hub"), 1);
    world_wait(world, 65000);
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

static enum delivery corrupt_signature(struct node *to, struct message *message)
{
    (void)to;
    if (is_first(message, MESSAGE_CHECKPOINT)) {
        uint8_t *end = (uint8_t *)message->checkpoint.note.data + message->checkpoint.note.size;
        end[-20] = end[-20] == 'A' ? 'B' : 'A'; /* inside the base64 of the signature */
    }
    return DELIVER;
}

Test(bad_data, a_wrong_signature_is_refused_and_nothing_after_it_is_taken)
{
    struct node *hub, *ardabil;
    struct world *world = small_world(&hub, &ardabil);
    world->meddle = corrupt_signature;
    node_write(ardabil, 300);
    world_wait(world, 3000);
    world_expect(world, "hub <- ardabil  CHECKPOINT ardabil/hub/b1@301 from=1\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 1..256 against=301\n"
                        "hub ! BAD_DATA by ardabil\n"
                        "hub <- ardabil  PACKAGE ardabil/hub/b1 256..301 against=301\n"
                        "ardabil <- hub  REFUSAL ardabil/hub/b1 SIGNATURE next=1\n"
                        "ardabil ! REFUSED by hub ardabil/hub/b1 held=301 seen=3\n");
    cr_assert_eq(node_log(hub, "ardabil/hub/b1")->main.count, 1); /* R3 */
    world_wait(world, 65000);
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

Test(bad_data, a_full_disk_refuses_and_heals_by_itself)
{
    struct node *hub, *ardabil;
    struct world *world = small_world(&hub, &ardabil);
    hub->full = true;
    node_write(ardabil, 300);
    world_wait(world, 3000);
    cr_assert_eq(world_count(world, "FULL next=1\n"), 1);
    cr_assert_eq(world_count(world, "!"), 0, "the disk has its own alarm");
    hub->full = false;
    world_wait(world, 65000);
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

/* Our own store's troubles are not the peer's fault. */
static const enum err own_troubles[] = { ERR_FULL, ERR_MAP_FULL, ERR_NOMEM };
#define OWN_TROUBLES (sizeof own_troubles / sizeof *own_troubles)

Test(bad_data, a_receipt_without_room_blames_nobody_and_the_next_one_is_kept)
{
    for (size_t i = 0; i < OWN_TROUBLES; i++) {
        struct node *hub, *ardabil;
        struct world *world = small_world(&hub, &ardabil);
        ardabil->receipt_err = own_troubles[i];
        node_write(ardabil, 5);
        world_wait(world, 3000);
        cr_assert_eq(world_count(world, "ardabil <- hub  RECEIPT ardabil/hub/b1@6\n"), 1);
        cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 1);
        ardabil->receipt_err = OK;
        node_write(ardabil, 1);
        world_wait(world, 3000);
        cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 7);
        cr_assert_eq(world_count(world, "!"), 0);
        world_free(world);
    }
}

/* R8: the log may have been closed since, and the link stays. */
Test(bad_data, a_receipt_without_room_is_asked_for_again_when_nothing_more_is_written)
{
    for (size_t i = 0; i < OWN_TROUBLES; i++) {
        struct node *hub, *ardabil;
        struct world *world = small_world(&hub, &ardabil);
        ardabil->receipt_err = own_troubles[i];
        node_write(ardabil, 5);
        world_wait(world, 3000);
        ardabil->receipt_err = OK;
        world_wait(world, 65000);
        cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 6);
        node_write(ardabil, 1);
        world_wait(world, 3000); /* and the log goes on */
        cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 7);
        cr_assert_eq(world_count(world, "!"), 0);
        world_free(world);
    }
}

Test(bad_data, a_receipt_that_meets_a_damaged_store_is_an_alarm_about_the_store)
{
    struct node *hub, *ardabil;
    struct world *world = small_world(&hub, &ardabil);
    ardabil->receipt_err = ERR_CORRUPT;
    node_write(ardabil, 5);
    world_wait(world, 3000);
    cr_assert_eq(world_count(world, "ardabil ! UNREADABLE by ardabil ardabil/hub/b1"), 1);
    cr_assert_eq(world_count(world, "BAD_DATA"), 0);
    world_free(world);
}

Test(bad_data, a_receipt_that_does_not_verify_is_blamed_on_the_hub)
{
    struct node *hub, *ardabil;
    struct world *world = small_world(&hub, &ardabil);
    ardabil->receipt_err = ERR_SIGNATURE;
    node_write(ardabil, 5);
    world_wait(world, 3000);
    cr_assert_eq(world_count(world, "ardabil ! BAD_DATA by hub"), 1);
    world_free(world);
}

Test(bad_data, a_receipt_that_finds_no_room_to_be_signed_follows_by_itself)
{
    for (size_t i = 0; i < OWN_TROUBLES; i++) {
        struct node *hub, *ardabil;
        struct world *world = small_world(&hub, &ardabil);
        hub->receipt_err = own_troubles[i];
        node_write(ardabil, 5);
        world_wait(world, 130000); /* it is tried again meanwhile */
        cr_assert_eq(world_count(world, "RECEIPT ardabil/hub/b1@6"), 0);
        hub->receipt_err = OK;
        world_wait(world, 65000); /* nothing more is written */
        cr_assert_eq(world_count(world, "RECEIPT ardabil/hub/b1@6"), 1);
        cr_assert_eq(core_national_size(ardabil->core, &ardabil->live[0], 1), 6);
        cr_assert_eq(world_count(world, "!"), 0);
        world_free(world);
    }
}

Test(bad_data, a_signature_that_fails_over_what_is_held_is_an_alarm)
{
    struct node *hub, *ardabil;
    struct world *world = small_world(&hub, &ardabil);
    hub->receipt_err = ERR_CORRUPT;
    node_write(ardabil, 5);
    world_wait(world, 3000);
    cr_assert_eq(world_count(world, "hub ! UNREADABLE by hub ardabil/hub/b1"), 1);
    world_free(world);
}
