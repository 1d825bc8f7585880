/* A peer with a configured key that does not keep to the protocol: what it can make a hub hold in
 * memory is bounded, whatever it sends. */
#include "node/transport/links_private.h"
#include "node/transport/replicator_private.h"
#include "tests/unit/node/member.h"

#include "node/runtime/log.h"
#include "proto/base/require.h"
#include "proto/base/utf8.h"
#include "proto/secure/note.h"
#include "replication/core/fork.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hostile {
    uv_loop_t loop;
    char folder[64], address[80];
    struct member hub;
    struct config_province province;
    struct link_key province_key;
    struct sign_key province_log_key;

    struct links_peer peer;
    struct links *links;
    struct link *link;
    bool gone;
    struct message *message;
    size_t queue_max;
    unsigned outgoings_max, intakes_max;
};

/* ---- the other end ---- */

static void on_link_opened(void *context, struct link *link)
{
    ((struct hostile *)context)->link = link;
}

static void on_link_heard(void *context, struct link *link)
{
    (void)context, (void)link;
}

static enum err on_link_message(void *context, struct link *link, struct bytes message)
{
    (void)context, (void)link, (void)message;
    return OK;
}

static void on_link_message_drained(void *context, struct link *link)
{
    (void)context, (void)link;
}

static void on_link_closed(void *context, struct link *link, const char *why)
{
    (void)link, (void)why;
    ((struct hostile *)context)->link = NULL;
}

static void on_link_failed(void *context, const char *node, const char *why)
{
    (void)context, (void)node;
    cr_assert_fail("%s", why);
}

static void on_links_gone(void *context)
{
    ((struct hostile *)context)->gone = true;
}

/* ---- both ---- */

static void peer_begin(struct hostile *hostile)
{
    struct buffer problem = { 0 };
    strcpy(hostile->peer.node, "centre");
    hostile->peer.key = hostile->hub.keyring.link.public;
    snprintf(hostile->address, sizeof hostile->address, "%s",
             replicator_address(hostile->hub.replicator));
    hostile->peer.address = hostile->address;
    struct links_options options = { .loop = &hostile->loop,
                                     .key = &hostile->province_key,
                                     .peers = &hostile->peer,
                                     .peer_count = 1,
                                     .events = { on_link_opened, on_link_heard, on_link_message,
                                                 on_link_message_drained, on_link_closed,
                                                 on_link_failed },
                                     .context = hostile };
    cr_assert_eq(links_open(&hostile->links, &options, &problem), OK);
    links_connect(hostile->links, "centre");
}

static void look(struct hostile *hostile)
{
    for (struct session *at = hostile->hub.replicator->sessions; at; at = at->next) {
        size_t size = at->link ? link_queue_size(at->link) : 0;
        hostile->queue_max = size > hostile->queue_max ? size : hostile->queue_max;
        if (at->outgoings > hostile->outgoings_max)
            hostile->outgoings_max = at->outgoings;
        if (at->intakes > hostile->intakes_max)
            hostile->intakes_max = at->intakes;
    }
}

static void turn(struct hostile *hostile)
{
    loop_turn(&hostile->loop, 2);
    look(hostile);
}

static void say(struct hostile *hostile)
{
    struct buffer bytes = { 0 };
    cr_assert_eq(message_encode(&bytes, hostile->message), OK);
    link_send(hostile->link, buffer_bytes(&bytes));
    buffer_close(&bytes);
}

static void say_hello(struct hostile *hostile)
{
    struct message *message = hostile->message;
    message->type = MESSAGE_HELLO;
    message->hello = (struct message_hello){ .protocol_min = PROTOCOL_VERSION_MIN,
                                             .protocol_max = PROTOCOL_VERSION_MAX,
                                             .role = ROLE_PROVINCE,
                                             .node = "ardabil",
                                             .software = bytes_of_string("hostile"),
                                             .binding = link_binding(hostile->link),
                                             .credit = 1 << 20 };
    say(hostile);
    link_flush(hostile->link);
}

static void hostile_open(struct hostile *hostile)
{
    uint8_t seed[KEY_SIZE] = { 1 };
    memset(hostile, 0, sizeof *hostile);
    cr_assert_geq(sodium_init(), 0);
    log_event_threshold(LOG_EVENT_ERROR);
    strcpy(hostile->folder, "/tmp/samad-hostile-XXXXXX");
    cr_assert_not_null(mkdtemp(hostile->folder));
    cr_assert_eq(uv_loop_init(&hostile->loop), 0);
    hostile->message = calloc(1, sizeof *hostile->message);
    require(hostile->message);
    member_init(&hostile->hub, &hostile->loop, hostile->folder, "centre", ROLE_HUB, 10);
    link_key_from_seed(&hostile->province_key, seed);
    sign_key_from_seed(&hostile->province_log_key, seed);
    strcpy(hostile->province.name, "ardabil");
    hostile->province.link_key = hostile->province_key.public;
    hostile->province.log_key = hostile->province_log_key.public;
    strcpy(hostile->address, "127.0.0.1:0");
    hostile->hub.config.replication_listen = hostile->address;
    hostile->hub.config.provinces = &hostile->province;
    hostile->hub.config.province_count = 1;
    member_begin(&hostile->hub);
    cr_assert(hostile->hub.may_write);
    member_turn(&hostile->hub);
    peer_begin(hostile);
    while (!hostile->link)
        turn(hostile);
    say_hello(hostile);
}

static void hostile_close(struct hostile *hostile)
{
    char command[128];
    links_close(hostile->links, on_links_gone, hostile);
    member_end(&hostile->hub);
    while (!hostile->gone)
        uv_run(&hostile->loop, UV_RUN_ONCE);
    uv_run(&hostile->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&hostile->loop), 0, "something is left on the loop");
    free(hostile->message);
    snprintf(command, sizeof command, "rm -rf %s", hostile->folder);
    cr_assert_eq(system(command), 0);
}

static struct log_id log_of(const char *node, uint32_t number)
{
    struct log_id log;
    uint8_t incarnation[INCARNATION_SIZE] = { (uint8_t)(number >> 8), (uint8_t)number };
    cr_assert_eq(log_id_init(&log, bytes_of_string(node), bytes_of_string("hub"), incarnation), OK);
    return log;
}

static void run_for(struct hostile *hostile, uint64_t ms)
{
    uint64_t end = uv_hrtime() + ms * 1000000;
    while (uv_hrtime() < end)
        turn(hostile);
}

/* ---- tests ---- */

enum { WANT_COUNT = 160000 };

Test(replicator_hostile, a_peer_that_asks_and_never_reads_is_not_read_either)
{
    struct hostile hostile;
    hostile_open(&hostile);
    int small = 65536;
    while (!hostile.hub.replicator->sessions)
        turn(&hostile);
    uv_recv_buffer_size((uv_handle_t *)&hostile.link->tcp, &small);
    uv_send_buffer_size((uv_handle_t *)&hostile.hub.replicator->sessions->link->tcp, &small);
    link_pause(hostile.link, true);
    hostile.message->type = MESSAGE_WANT;
    hostile.message->want = (struct message_want){ .log = log_of("hormozgan", 1) };
    for (unsigned i = 0; i < WANT_COUNT && hostile.link; i++) {
        say(&hostile);
        if (i % 1000 == 0)
            turn(&hostile);
    }
    if (hostile.link)
        link_flush(hostile.link);
    run_for(&hostile, 500);
    cr_assert_not_null(hostile.link);
    cr_expect_gt(link_queue_size(hostile.link), 100000u, "the hub has read everything");
    cr_expect_gt(hostile.queue_max, LINKS_QUEUE_LOW, "the test is too small");
    cr_expect_lt(hostile.queue_max, LINKS_QUEUE_HIGH + LINKS_READ_SIZE * 4);

    link_pause(hostile.link, false); /* once it reads it is answered whole */
    uint64_t until = uv_hrtime() + UINT64_C(5000000000);
    while (hostile.link && link_queue_size(hostile.link) > 0 && uv_hrtime() < until)
        turn(&hostile);
    cr_expect(hostile.link && link_queue_size(hostile.link) == 0);
    hostile_close(&hostile);
}

Test(replicator_hostile, fork_proofs_that_prove_nothing_do_not_pile_up)
{
    struct hostile hostile;
    struct buffer proof = { 0 }, note = { 0 };
    struct hash root = { { 1 } };
    hostile_open(&hostile);
    struct checkpoint checkpoint = { .log = log_of("ardabil", 1), .size = 5, .root = root };
    checkpoint_sign(&note, &checkpoint, &hostile.province_log_key);
    struct fork_proof *fork = calloc(1, sizeof *fork);
    require(fork);
    fork->a.note = fork->b.note = buffer_bytes(&note); /* one history, twice */
    fork_proof_encode(&proof, fork);
    hostile.message->type = MESSAGE_FORK;
    hostile.message->fork.proof = buffer_bytes(&proof);
    for (unsigned i = 0; i < 20000 && hostile.link; i++)
        say(&hostile);
    if (hostile.link)
        link_flush(hostile.link);
    uint64_t until = uv_hrtime() + UINT64_C(8000000000);
    while (hostile.link && link_queue_size(hostile.link) > 0 && uv_hrtime() < until)
        turn(&hostile);
    cr_expect_gt(hostile.intakes_max, 0u, "they are counted");
    cr_expect_lt(hostile.intakes_max, 2048u);
    free(fork);
    buffer_close(&proof);
    buffer_close(&note);
    hostile_close(&hostile);
}

/* Cut inside a character, the peer would vanish from every status page: JSON takes only UTF-8. */
Test(replicator_hostile, the_last_words_of_a_peer_are_cut_between_characters)
{
    struct hostile hostile;
    char text[120] = "a"; /* so that byte 80 is inside a character */
    struct replication_status *status = calloc(1, sizeof *status);
    require(status);
    for (size_t i = 0; i < 50; i++)
        strcat(text, "آ");
    hostile_open(&hostile);
    hostile.message->type = MESSAGE_CLOSE;
    hostile.message->close =
        (struct message_close){ .code = CLOSE_NORMAL, .text = bytes_of_string(text) };
    say(&hostile);
    link_flush(hostile.link);
    run_for(&hostile, 300);
    replicator_status(hostile.hub.replicator, status);
    cr_assert_eq(status->peer_count, 1u);
    cr_expect_eq(strlen(status->peers[0].last_error), strlen("the peer: ") + 79);
    cr_expect(utf8_is_valid(bytes_of_string(status->peers[0].last_error)));
    free(status);
    hostile_close(&hostile);
}
