/* Two sets of links on one loop, over real loopback sockets. */
#include "node/transport/links.h"

#include "node/runtime/log.h"
#include "proto/base/require.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_LIMIT_MS 5000

struct side {
    struct links *links;
    struct link_key key;
    struct links_peer peers[2];
    struct link *link; /* while it is open */
    char node[NODE_NAME_SIZE_MAX + 1];
    struct hash binding;
    struct buffer received;
    size_t message_count;
    unsigned opened, closed, connect_failed, drained;
    char why[80];
    enum err answer; /* of message() */
    bool gone;
};

struct world {
    uv_loop_t loop;
    struct side hub, province;
    char address[80];
};

static void note_why(struct side *side, const char *why)
{
    snprintf(side->why, sizeof side->why, "%s", why);
}

static void on_opened(void *context, struct link *link)
{
    struct side *side = context;
    side->opened++;
    side->link = link;
    side->binding = link_binding(link);
    snprintf(side->node, sizeof side->node, "%s", link_node(link));
    link_set_owner(link, side);
}

static void on_heard(void *context, struct link *link)
{
    (void)context;
    cr_assert_gt(link_bytes_received(link), 0u);
}

static enum err on_message(void *context, struct link *link, struct bytes message)
{
    struct side *side = context;
    cr_assert_eq(link_owner(link), side);
    side->message_count++;
    buffer_append_bytes(&side->received, message);
    return side->answer;
}

static void on_drained(void *context, struct link *link)
{
    struct side *side = context;
    cr_assert_lt(link_queue_size(link), LINKS_QUEUE_LOW);
    side->drained++;
}

static void on_closed(void *context, struct link *link, const char *why)
{
    struct side *side = context;
    (void)link;
    side->closed++;
    side->link = NULL;
    note_why(side, why);
}

static void on_connect_failed(void *context, const char *node, const char *why)
{
    struct side *side = context;
    (void)node;
    side->connect_failed++;
    note_why(side, why);
}

static void on_gone(void *context)
{
    ((struct side *)context)->gone = true;
}

static void key_make(struct link_key *key, uint8_t byte)
{
    uint8_t seed[KEY_SIZE];
    memset(seed, byte, sizeof seed);
    link_key_from_seed(key, seed);
}

static void side_open(struct world *world, struct side *side, const char *listen,
                      uint64_t handshake_limit_ms)
{
    struct buffer problem = { 0 };
    struct links_options options = {
        .loop = &world->loop,
        .key = &side->key,
        .peers = side->peers,
        .peer_count = 1,
        .listen = listen,
        .handshake_limit_ms = handshake_limit_ms,
        .events = { on_opened, on_heard, on_message, on_drained, on_closed, on_connect_failed },
        .context = side,
    };
    enum err err = links_open(&side->links, &options, &problem);
    cr_assert_eq(err, OK, "%.*s", (int)problem.size, (const char *)problem.data);
    buffer_close(&problem);
}

/* A hub that knows the province, and a province that knows the hub, not yet connected. */
static void world_open(struct world *world, uint64_t handshake_limit_ms)
{
    memset(world, 0, sizeof *world);
    log_event_threshold(LOG_EVENT_ERROR);
    cr_assert_eq(uv_loop_init(&world->loop), 0);
    key_make(&world->hub.key, 1);
    key_make(&world->province.key, 2);
    strcpy(world->hub.peers[0].node, "ardabil");
    world->hub.peers[0].key = world->province.key.public;
    side_open(world, &world->hub, "127.0.0.1:0", handshake_limit_ms);
    snprintf(world->address, sizeof world->address, "%s", links_address(world->hub.links));
    strcpy(world->province.peers[0].node, "centre");
    world->province.peers[0].key = world->hub.key.public;
    world->province.peers[0].address = world->address;
    side_open(world, &world->province, NULL, handshake_limit_ms);
}

static void on_limit(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    (void)handle;
}

/* Runs the loop until the condition holds. */
#define WAIT_FOR(world, condition)                                                     \
    do {                                                                               \
        uv_timer_t limit_;                                                             \
        bool late_ = false;                                                            \
        uv_timer_init(&(world)->loop, &limit_);                                        \
        limit_.data = &late_;                                                          \
        uv_timer_start(&limit_, on_limit, WAIT_LIMIT_MS, 0);                           \
        while (!(condition) && !late_)                                                 \
            uv_run(&(world)->loop, UV_RUN_ONCE);                                       \
        uv_close((uv_handle_t *)&limit_, on_timer_closed);                             \
        uv_run(&(world)->loop, UV_RUN_NOWAIT);                                         \
        cr_assert(condition, "not in time: %s", #condition);                           \
    } while (0)

static void world_connect(struct world *world)
{
    links_connect(world->province.links, "centre");
    WAIT_FOR(world, world->hub.opened == 1 && world->province.opened == 1);
}

/* Every test ends with an empty loop. */
static void world_close(struct world *world)
{
    links_close(world->hub.links, on_gone, &world->hub);
    links_close(world->province.links, on_gone, &world->province);
    WAIT_FOR(world, world->hub.gone && world->province.gone);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&world->loop), 0);
    buffer_close(&world->hub.received);
    buffer_close(&world->province.received);
}

static int dial(const struct world *world)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_port = htons((uint16_t)atoi(strrchr(world->address, ':') + 1));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static bool is_ended(int fd)
{
    char byte;
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    return poll(&poll_fd, 1, 0) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

Test(links, two_configured_peers_know_each_other_and_exchange_messages_both_ways)
{
    struct world world;
    world_open(&world, 0);
    world_connect(&world);
    cr_assert_str_eq(world.hub.node, "ardabil");
    cr_assert_str_eq(world.province.node, "centre");
    cr_assert(hash_equal(&world.hub.binding, &world.province.binding));
    cr_assert(link_is_outbound(world.province.link) && !link_is_outbound(world.hub.link));

    link_send(world.province.link, bytes_of_string("up"));
    link_send(world.hub.link, bytes_of_string("down"));
    link_flush(world.province.link);
    link_flush(world.hub.link);
    WAIT_FOR(&world, world.hub.message_count == 1 && world.province.message_count == 1);
    cr_assert(bytes_equal(buffer_bytes(&world.hub.received), bytes_of_string("up")));
    cr_assert(bytes_equal(buffer_bytes(&world.province.received), bytes_of_string("down")));
    world_close(&world);
}

Test(links, a_peer_with_a_key_that_is_not_configured_is_named_nobody_and_nothing_of_it_is_handed_on)
{
    struct world world;
    world_open(&world, 0);
    memset(world.hub.peers[0].key.bytes, 7, KEY_SIZE);
    world_connect(&world);
    cr_assert_str_eq(world.hub.node, "");

    link_send(world.province.link, bytes_of_string("up"));
    link_flush(world.province.link);
    WAIT_FOR(&world, world.hub.closed == 1 && world.province.closed == 1);
    cr_assert_eq(world.hub.message_count, 0u);
    world_close(&world);
}

Test(links, a_hub_that_does_not_hold_the_expected_key_never_becomes_a_link)
{
    struct world world;
    world_open(&world, 0);
    memset(world.province.peers[0].key.bytes, 9, KEY_SIZE);
    links_connect(world.province.links, "centre");
    WAIT_FOR(&world, world.province.connect_failed == 1);
    cr_assert_eq(world.hub.opened + world.province.opened, 0u);
    struct links_counters counters;
    links_counters(world.hub.links, &counters);
    cr_assert_eq(counters.failed, 1u);
    world_close(&world);
}

Test(links, bytes_that_are_no_handshake_are_closed_and_counted)
{
    struct world world;
    world_open(&world, 0);
    int fd = dial(&world);
    cr_assert_eq(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    WAIT_FOR(&world, is_ended(fd));
    struct links_counters counters;
    links_counters(world.hub.links, &counters);
    cr_assert_eq(counters.accepted, 1u);
    cr_assert_eq(counters.failed, 1u);
    cr_assert_eq(world.hub.opened, 0u);
    close(fd);
    world_close(&world);
}

Test(links, a_connection_that_stays_silent_is_closed_after_the_handshake_limit)
{
    struct world world;
    world_open(&world, 100);
    int fd = dial(&world);
    WAIT_FOR(&world, is_ended(fd));
    close(fd);
    world_close(&world);
}

Test(links, one_address_cannot_take_all_places_of_half_open_connections)
{
    struct world world;
    world_open(&world, 0);
    int fds[LINKS_HALF_OPEN_ADDRESS_MAX + 1];
    for (size_t i = 0; i <= LINKS_HALF_OPEN_ADDRESS_MAX; i++)
        fds[i] = dial(&world);
    struct links_counters counters;
    WAIT_FOR(&world, (links_counters(world.hub.links, &counters), counters.refused == 1));
    cr_assert_eq(counters.accepted, (uint64_t)LINKS_HALF_OPEN_ADDRESS_MAX);
    for (size_t i = 0; i <= LINKS_HALF_OPEN_ADDRESS_MAX; i++)
        close(fds[i]);
    world_close(&world);
}

Test(links, an_established_link_is_not_counted_as_half_open)
{
    struct world world;
    world_open(&world, 0);
    world_connect(&world);
    int fds[LINKS_HALF_OPEN_ADDRESS_MAX];
    struct links_counters counters;
    for (size_t i = 0; i < LINKS_HALF_OPEN_ADDRESS_MAX; i++)
        fds[i] = dial(&world);
    WAIT_FOR(&world, (links_counters(world.hub.links, &counters),
                      counters.accepted == LINKS_HALF_OPEN_ADDRESS_MAX + 1));
    cr_assert_eq(counters.refused, 0u);
    for (size_t i = 0; i < LINKS_HALF_OPEN_ADDRESS_MAX; i++)
        close(fds[i]);
    world_close(&world);
}

Test(links, what_is_queued_still_arrives_when_a_link_is_ended)
{
    struct world world;
    world_open(&world, 0);
    world_connect(&world);
    size_t size = 512 * 1024;
    uint8_t *content = calloc(1, size);
    require(content);
    for (unsigned i = 0; i < 16; i++)
        link_send(world.province.link, bytes_of(content, size));
    link_end(world.province.link);
    link_send(world.province.link, bytes_of_string("too late"));
    WAIT_FOR(&world, world.hub.closed == 1 && world.province.closed == 1);
    cr_assert_eq(world.hub.received.size, 16 * size);
    cr_assert_str_eq(world.hub.why, "ended by the peer");
    cr_assert_str_eq(world.province.why, "ended");
    free(content);
    world_close(&world);
}

Test(links, a_link_that_is_cut_is_told_apart_from_one_that_was_ended)
{
    struct world world;
    world_open(&world, 0);
    world_connect(&world);
    link_drop(world.province.link, "dropped");
    WAIT_FOR(&world, world.hub.closed == 1 && world.province.closed == 1);
    cr_assert_str_eq(world.hub.why, "cut before its end");
    world_close(&world);
}

Test(links, a_message_that_its_owner_refuses_ends_the_link)
{
    struct world world;
    world_open(&world, 0);
    world_connect(&world);
    world.hub.answer = ERR_MALFORMED;
    link_send(world.province.link, bytes_of_string("nonsense"));
    link_flush(world.province.link);
    WAIT_FOR(&world, world.hub.closed == 1 && world.province.closed == 1);
    cr_assert_str_eq(world.hub.why, err_text(ERR_MALFORMED));
    world_close(&world);
}

Test(links, a_peer_that_does_not_read_fills_the_queue_and_the_owner_hears_when_it_drains)
{
    struct world world;
    world_open(&world, 0);
    world_connect(&world);
    link_pause(world.hub.link, true);
    size_t size = 1024 * 1024;
    uint8_t *content = calloc(1, size);
    require(content);
    for (unsigned i = 0; i < 16; i++)
        link_send(world.province.link, bytes_of(content, size));
    link_flush(world.province.link);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    cr_assert_gt(link_queue_size(world.province.link), LINKS_QUEUE_LOW);
    unsigned before = world.province.drained;

    link_pause(world.hub.link, false);
    WAIT_FOR(&world, world.hub.received.size == 16 * size && world.province.drained > before);
    cr_assert_eq(link_queue_size(world.province.link), 0u);
    free(content);
    world_close(&world);
}

Test(links, connecting_to_a_port_where_nobody_listens_fails_with_the_reason)
{
    struct world world;
    world_open(&world, 0);
    world.province.peers[0].address = "127.0.0.1:1";
    links_connect(world.province.links, "centre");
    WAIT_FOR(&world, world.province.connect_failed == 1);
    cr_assert_str_eq(world.province.why, "connection refused");
    world_close(&world);
}

Test(links, closing_while_a_connection_is_under_way_leaves_an_empty_loop)
{
    struct world world;
    world_open(&world, 0);
    links_connect(world.province.links, "centre");
    world_close(&world);
    cr_assert_eq(world.province.connect_failed, 1u);
}

Test(links, an_address_in_use_is_refused_in_words)
{
    struct world world;
    world_open(&world, 0);
    struct links *second = NULL;
    struct buffer problem = { 0 };
    struct links_options options = { .loop = &world.loop,
                                     .key = &world.hub.key,
                                     .listen = world.address };
    cr_assert_eq(links_open(&second, &options, &problem), ERR_IO);
    cr_assert_gt(problem.size, 0u);
    buffer_close(&problem);
    world_close(&world);
}
