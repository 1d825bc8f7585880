/* When to connect again: full jitter over a window that doubles with every attempt since the link
 * was last useful, and that always ends in another attempt (R14). */
#include "replication/core/state.h"

#define WINDOW_FIRST_MS     2000
#define WINDOW_DISPLACED_MS 32000

uint64_t core_random(struct core *core)
{
    uint64_t z = core->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Within the window; `late`: within its second half. */
static void schedule(struct core *core, struct peer *peer, uint64_t window, bool late)
{
    const struct core_options *options = &core->options;
    if (!peer->options.connect)
        return;
    if (window > options->retry_delay_max_ms)
        window = options->retry_delay_max_ms;
    uint64_t least = late ? window / 2 : 0;
    if (least < options->retry_delay_min_ms)
        least = options->retry_delay_min_ms;
    uint64_t span = window > least ? window - least : 0;
    peer->attempts++;
    peer->connecting = false;
    peer->connect_at_ms = core->now_ms + least + core_random(core) % (span + 1);
}

void core_backoff_schedule(struct core *core, struct peer *peer)
{
    uint64_t window = WINDOW_FIRST_MS;
    for (unsigned i = 0; i < peer->attempts && window < core->options.retry_delay_max_ms; i++)
        window *= 2;
    schedule(core, peer, window, false);
}

void core_backoff_displaced(struct core *core, struct peer *peer)
{
    schedule(core, peer, WINDOW_DISPLACED_MS, true);
}

void core_backoff_run(struct core *core)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        struct peer *peer = &core->peers[i];
        if (peer->connect_at_ms > core->now_ms || peer->link)
            continue;
        peer->connect_at_ms = UINT64_MAX;
        peer->connecting = true;
        core_effect_add(core, EFFECT_CONNECT)->connect.node = peer->options.node;
    }
}
