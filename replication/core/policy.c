/* Who may hold which log (R12): one rule for asking and for sending, so that no configuration
 * error on one side alone shows a province another province's citizens. */
#include "replication/core/state.h"

#include <string.h>

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool role_of(const struct core *core, const char *node, enum node_role *role)
{
    if (same(node, core->options.node)) {
        *role = core->options.role;
        return true;
    }
    const struct peer *peer = core_peer_find((struct core *)core, node);
    if (peer)
        *role = peer->options.role;
    return peer != NULL;
}

bool core_policy_may_hold(const struct core *core, const char *node, enum node_role role,
                          const struct log_id *log)
{
    enum node_role author;
    if (!role_of(core, log->node, &author))
        return false; /* not a node that this one is configured to know */
    if (same(log->node, node) || role == ROLE_HUB)
        return true; /* a node its own, a hub everything */
    return author == ROLE_HUB && (same(log->audience, "all") || same(log->audience, node));
}

bool core_policy_we_follow(const struct core *core, const struct log_id *log)
{
    return core_policy_may_hold(core, core->options.node, core->options.role, log);
}

bool core_policy_peer_may_hold(const struct core *core, const struct peer *peer,
                               const struct log_id *log)
{
    return core_policy_may_hold(core, peer->options.node, peer->options.role, log);
}
