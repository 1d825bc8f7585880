/* How a link ends, and when it has been useful. */
#include "replication/core/state.h"

#include "proto/base/bug.h"

void core_link_useful(struct link *link)
{
    link->peer->attempts = 0;
}

void core_link_forget(struct core *core, struct link *link)
{
    if (link->closed)
        return;
    link->closed = true;
    for (size_t i = 0; i < link->flow_count; i++)
        if (link->flows[i]->log->source == link)
            core_fetch_stop(core, link->flows[i]->log);
    link->catchup = CATCHUP_NONE;
    if (link->peer->link == link) {
        link->peer->link = NULL;
        if (!SAMAD_BUG(RECONNECT_FORGOTTEN))
            core_backoff_schedule(core, link->peer);
    }
}

void core_link_close(struct core *core, struct link *link, enum close_code code, const char *text)
{
    if (link->closed)
        return;
    core_effect_add(core, EFFECT_CLOSE)->close =
        (struct effect_close){ .link = link->id, .code = code, .text = text };
    core_link_forget(core, link);
}
