/* The first message in each direction: version, identity, credit. */
#include "replication/core/state.h"

#include <string.h>

/* The name and role must be those of the link's key, the binding that of this very handshake. */
static bool identity_matches(const struct link *link, const struct message_hello *hello)
{
    return strcmp(hello->node, link->peer->options.node) == 0 &&
           hello->role == link->peer->options.role && hash_equal(&hello->binding, &link->binding);
}

void core_on_hello(struct core *core, struct link *link, const struct message_hello *hello)
{
    if (link->state != LINK_HELLO) {
        core_link_close(core, link, CLOSE_MALFORMED, "a second hello");
        return;
    }
    if (!identity_matches(link, hello)) {
        core_alarm_peer(core, link->peer, ALARM_IDENTITY, 0);
        core_link_close(core, link, CLOSE_IDENTITY,
                        "the hello is not of the node that owns this key");
        return;
    }
    if (hello->protocol_min > PROTOCOL_VERSION_MAX || hello->protocol_max < PROTOCOL_VERSION_MIN) {
        core_alarm_peer(core, link->peer, ALARM_VERSION, hello->protocol_max);
        core_link_close(core, link, CLOSE_VERSION, "no common protocol version");
        return;
    }
    link->state = LINK_READY;
    link->version =
        hello->protocol_max < PROTOCOL_VERSION_MAX ? hello->protocol_max : PROTOCOL_VERSION_MAX;
    link->credit_send = hello->credit;
    link->peer->alarms &= 1u << ALARM_TWO_WRITERS; /* that one is not about the hello */
    core_announce_all(core, link);
    core_fork_tell_all(core, link);
}
