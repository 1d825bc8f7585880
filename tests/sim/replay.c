#include "tests/sim/replay.h"

#include "tests/sim/liar.h"
#include "tests/sim/net.h"
#include "tests/sim/recorder.h"

#include <arpa/inet.h>
#include <string.h>

#define QUIET_NS (5 * SIM_S)
#define SPEAK_NS (2 * SIM_S)
#define HEARD_NS (15 * SIM_S) /* a handshake that does not go on is given up before */

struct listener {
    const struct sim_node *hub;
    struct check_hash before;
    struct socket *callers[NET_RECORDING_COUNT];
};

static struct {
    struct listener listeners[SIM_NODE_MAX];
    unsigned count;
} replay;

static struct socket *call(const struct sim_node *hub)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(WORLD_REPLICATION_PORT) };
    char address[16];
    net_address(hub, address);
    inet_pton(AF_INET, address, &to.sin_addr);
    struct socket *caller = socket_new(NULL);
    socket_connect_from(caller, &world.nodes[(hub->index + 1) % world.node_count],
                        (struct sockaddr *)&to);
    return caller;
}

/* Those whose stores stand still, and that can be listened to. */
static void find_listeners(void)
{
    replay.count = 0;
    for (unsigned i = 0; i < world.hub_count; i++) {
        struct listener *listener = &replay.listeners[replay.count];
        *listener = (struct listener){ .hub = &world.nodes[i] };
        if (world.nodes[i].life == NODE_UP && !liar_is(&world.nodes[i]) &&
            recorder_digest(&world.nodes[i], &listener->before))
            replay.count++;
    }
    sim_run(sim_now_ns() + QUIET_NS);
    for (unsigned i = 0; i < replay.count;) {
        struct listener *listener = &replay.listeners[i];
        struct check_hash now;
        if (recorder_digest(listener->hub, &now) && memcmp(&now, &listener->before, sizeof now) == 0)
            i++;
        else
            *listener = replay.listeners[--replay.count];
    }
}

static void say(struct listener *listener, unsigned recording)
{
    struct socket *caller = listener->callers[recording];
    if (caller != NULL)
        socket_write(caller, net_recording(recording));
}

static void hang_up(struct listener *listener)
{
    for (unsigned i = 0; i < NET_RECORDING_COUNT; i++)
        if (listener->callers[i] != NULL)
            socket_close(listener->callers[i], false);
}

void replay_all(void)
{
    find_listeners();
    for (unsigned i = 0; i < replay.count; i++) {
        recorder_state(replay.listeners[i].hub, "before", i, &replay.listeners[i].before);
        for (unsigned k = 0; k < net_recording_count(); k++)
            replay.listeners[i].callers[k] = call(replay.listeners[i].hub);
    }
    sim_run(sim_now_ns() + SPEAK_NS);
    for (unsigned i = 0; i < replay.count; i++)
        for (unsigned k = 0; k < net_recording_count(); k++)
            say(&replay.listeners[i], k);
    sim_run(sim_now_ns() + HEARD_NS);
    for (unsigned i = 0; i < replay.count; i++) {
        struct check_hash after = { { 0 } };
        hang_up(&replay.listeners[i]);
        recorder_digest(replay.listeners[i].hub, &after);
        recorder_state(replay.listeners[i].hub, "after", i, &after);
        sim_sometimes("replayed in quiet");
    }
}
