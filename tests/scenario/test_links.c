/* Who may open a session, and when it ends (R13, R14). */
#include "tests/scenario/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct world *two(struct node **hub, struct node **ardabil)
{
    struct world *world = world_new();
    *hub = world_add(world, "hub", ROLE_HUB);
    *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    world_peers(*ardabil, *hub);
    return world;
}

static enum delivery another_version(struct node *to, struct message *message)
{
    if (message->type == MESSAGE_HELLO && strcmp(to->name, "hub") == 0)
        message->hello.protocol_min = message->hello.protocol_max = PROTOCOL_VERSION_MAX + 1;
    return DELIVER;
}

Test(links, a_peer_without_a_common_version_is_told_so_and_tries_again)
{
    struct node *hub, *ardabil;
    struct world *world = two(&hub, &ardabil);
    world->meddle = another_version;
    world_start(world);
    world_wait(world, 10000);
    cr_assert_geq(world_count(world, "ardabil <- hub  CLOSE VERSION\n"), 2);
    cr_assert_eq(world_count(world, "hub ! VERSION by ardabil\n"), 1);
    cr_assert_eq(world_count(world, "WANT"), 0);
    world->meddle = NULL;
    world_wait(world, 120000);
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

Test(links, a_hello_of_another_node_than_the_key_is_refused_with_an_alarm)
{
    struct world *world = world_new();
    struct node *hub = world_add(world, "hub", ROLE_HUB);
    struct node *ardabil = world_add(world, "ardabil", ROLE_PROVINCE);
    struct node *hormozgan = world_add(world, "hormozgan", ROLE_PROVINCE);
    world_peers(ardabil, hub);
    world_peers(hormozgan, hub);
    snprintf(ardabil->key_name, sizeof ardabil->key_name, "hormozgan");
    node_start(hub);
    node_start(ardabil);
    world_wait(world, 1000);
    world_expect(world, "hub * opens hub/all/a1\n"
                        "hub ! IDENTITY by hormozgan\n"
                        "ardabil <- hub  CLOSE IDENTITY\n");
    world_free(world);
}

static enum delivery another_binding(struct node *to, struct message *message)
{
    if (message->type == MESSAGE_HELLO && strcmp(to->name, "hub") == 0)
        message->hello.binding.bytes[0] ^= 1;
    return DELIVER;
}

Test(links, a_hello_from_another_handshake_is_refused)
{
    struct node *hub, *ardabil;
    struct world *world = two(&hub, &ardabil);
    world->meddle = another_binding;
    world_start(world);
    world_wait(world, 1000);
    cr_assert_geq(world_count(world, "ardabil <- hub  CLOSE IDENTITY\n"), 1);
    world_free(world);
}

Test(links, a_key_of_no_known_node_is_refused)
{
    struct node *hub, *ardabil;
    struct world *world = two(&hub, &ardabil);
    snprintf(ardabil->key_name, sizeof ardabil->key_name, "nobody");
    world_start(world);
    world_wait(world, 1000);
    cr_assert_geq(world_count(world, "ardabil <- hub  CLOSE UNKNOWN_NODE\n"), 1);
    cr_assert_eq(world_count(world, "HEADS"), 0);
    world_free(world);
}

Test(links, a_dead_link_is_noticed_by_silence_and_opened_again)
{
    struct node *hub, *ardabil;
    struct world *world = two(&hub, &ardabil);
    world_start(world);
    world_wait(world, 3000);
    world->print_hello = true;
    world_wait(world, 20000);
    cr_assert_geq(world_count(world, "PONG"), 1);
    world_forget_transcript(world);
    world->silent = true; /* cables are cut, and nobody is told */
    node_write(ardabil, 9);
    world_wait(world, 70000);
    cr_assert_not(node_holds_all_of(hub, ardabil));
    world->silent = false;
    world_wait(world, 120000);
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

Test(links, the_newer_session_of_a_node_wins)
{
    struct node *hub, *ardabil;
    struct world *world = two(&hub, &ardabil);
    world_start(world);
    world_wait(world, 3000);
    world_forget_transcript(world);
    world->silent = true; /* the province sees the end, the hub does not yet */
    node_stop(ardabil);
    world->silent = false;
    node_start(ardabil);
    world_wait(world, 1000);
    node_write(ardabil, 3);
    world_wait(world, 3000);
    cr_assert(node_holds_all_of(hub, ardabil));
    cr_assert_eq(world_count(world, "!"), 0);
    world_free(world);
}

Test(links, retries_go_on_for_ever_and_never_more_than_a_minute_apart)
{
    struct node *hub, *ardabil;
    struct world *world = two(&hub, &ardabil);
    node_start(ardabil);
    world_wait(world, 30ull * 24 * 3600 * 1000); /* a month */
    node_write(ardabil, 9);
    node_start(hub);
    world_wait(world, 61000);
    cr_assert(node_holds_all_of(hub, ardabil));
    world_free(world);
}

Test(links, a_node_writes_after_two_seconds_when_no_hub_answers)
{
    struct node *hub, *ardabil;
    struct world *world = two(&hub, &ardabil);
    node_start(ardabil);
    world_wait(world, 1999);
    world_expect(world, "");
    world_wait(world, 1);
    world_expect(world, "ardabil * opens ardabil/hub/b1 unasked\n");
    world_free(world);
}
