/* Links come and go.
 *
 *   LINK_OPENED -> [HELLO] -- a good hello --> [READY] --+
 *                     |                                  | closed by either side, by silence,
 *                     +-- bad, late, or displaced -------+ or displaced by a newer one
 *
 * A node has one live session. The newest wins: the older one is most often the dead half of a
 * connection that the network cut, and both have proven the same key (R13). */
#include "replication/core/state.h"

#include <stdlib.h>
#include <string.h>

/* Pushing each other out this often, each time while the other was alive, is not a bad network. */
#define DISPLACED_MAX       3
#define DISPLACED_WITHIN_MS 60000
#define ALIVE_WITHIN_MS     5000

static void send_hello(struct core *core, struct link *link)
{
    core->scratch.type = MESSAGE_HELLO;
    struct message_hello *hello = &core->scratch.hello;
    *hello = (struct message_hello){
        .protocol_min = PROTOCOL_VERSION_MIN,
        .protocol_max = PROTOCOL_VERSION_MAX,
        .role = core->options.role,
        .software = core->options.software,
        .binding = link->binding,
        .credit = core->options.credit_window,
    };
    memcpy(hello->node, core->options.node, sizeof hello->node);
    core_send_message(core, link, &core->scratch);
}

static void displace(struct core *core, struct link *older)
{
    struct peer *peer = older->peer;
    bool alive = core->now_ms - older->heard_at_ms <= ALIVE_WITHIN_MS;
    if (core->now_ms - peer->displaced_at_ms > DISPLACED_WITHIN_MS)
        peer->displaced_count = 0;
    peer->displaced_at_ms = core->now_ms;
    if (alive && ++peer->displaced_count >= DISPLACED_MAX)
        core_alarm_peer(core, peer, ALARM_TWO_WRITERS, 0);
    peer->link = NULL; /* so that closing it schedules no reconnect */
    core_link_close(core, older, CLOSE_DUPLICATE, "a newer session of the same node");
}

static void refuse(struct core *core, uint64_t id, enum close_code code, const char *text)
{
    core_effect_add(core, EFFECT_CLOSE)->close =
        (struct effect_close){ .link = id, .code = code, .text = text };
}

static struct link *link_make(struct core *core, uint64_t id)
{
    if (core->link_count >= core->options.link_max)
        return NULL;
    struct link **grown = realloc(core->links, (core->link_count + 1) * sizeof(struct link *));
    if (!grown)
        return NULL;
    core->links = grown;
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->id = id;
    core->links[core->link_count++] = link;
    return link;
}

void core_on_link_opened(struct core *core, const struct event_link_opened *event)
{
    struct peer *peer = core_peer_find(core, event->node);
    if (!peer) {
        refuse(core, event->link, CLOSE_UNKNOWN_NODE, "this key belongs to no known node");
        return;
    }
    peer->connecting = false;
    struct link *link = link_make(core, event->link);
    if (!link) {
        refuse(core, event->link, CLOSE_BUSY, "too many links");
        if (event->outbound && !peer->link)
            core_backoff_schedule(core, peer);
        return;
    }
    if (peer->link)
        displace(core, peer->link);
    link->peer = peer;
    link->outbound = event->outbound;
    link->binding = event->binding;
    link->opened_at_ms = link->heard_at_ms = link->pinged_at_ms = core->now_ms;
    link->credit_receive = core->options.credit_window;
    link->batch_size = PACKAGE_ROOM;
    if (link->batch_size > core->options.batch_size_max)
        link->batch_size = core->options.batch_size_max;
    peer->link = link;
    peer->connect_at_ms = UINT64_MAX;
    send_hello(core, link);
}

void core_on_link_heard(struct core *core, const struct event_link *event)
{
    struct link *link = core_link_find(core, event->link);
    if (link)
        link->heard_at_ms = core->now_ms;
}

void core_on_link_closed(struct core *core, const struct event_link *event)
{
    struct link *link = core_link_find(core, event->link);
    if (link)
        core_link_forget(core, link);
}

void core_on_connect_failed(struct core *core, const struct event_connect_failed *event)
{
    struct peer *peer = core_peer_find(core, event->node);
    if (peer && peer->connecting)
        core_backoff_schedule(core, peer);
}
