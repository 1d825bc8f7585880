/* Finding and making of peers, links, logs and flows. Tables are sorted arrays of pointers: their
 * order depends on names alone, so that every run does the same. */
#include "replication/core/state.h"

#include <stdlib.h>
#include <string.h>

/* Makes room for one more pointer at `index`; false without memory. */
static bool array_open(void *array_ptr, size_t count, size_t *capacity, size_t index)
{
    void ***array = array_ptr;
    if (count == *capacity) {
        size_t larger = *capacity ? *capacity * 2 : 16;
        void **grown = realloc(*array, larger * sizeof *grown);
        if (!grown)
            return false;
        *array = grown;
        *capacity = larger;
    }
    memmove(*array + index + 1, *array + index, (count - index) * sizeof **array);
    return true;
}

struct peer *core_peer_find(struct core *core, const char *node)
{
    for (size_t i = 0; i < core->peer_count; i++)
        if (strcmp(core->peers[i].options.node, node) == 0)
            return &core->peers[i];
    return NULL;
}

struct link *core_link_find(struct core *core, uint64_t id)
{
    for (size_t i = 0; i < core->link_count; i++)
        if (core->links[i]->id == id && !core->links[i]->closed)
            return core->links[i];
    return NULL;
}

/* The place of `id`, or where it would stand. */
static size_t log_index(const struct core *core, const struct log_id *id)
{
    size_t low = 0, high = core->log_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log_id_compare(&core->logs[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct log *core_log_find(struct core *core, const struct log_id *id)
{
    size_t index = log_index(core, id);
    if (index < core->log_count && log_id_equal(&core->logs[index]->id, id))
        return core->logs[index];
    return NULL;
}

/* One author that opens logs without end must not take the room of all others. What is stored
 * already is loaded, however much it is. */
static bool author_has_room(struct core *core, const struct log_id *id)
{
    struct log_id first = { 0 }, last;
    if (!core->started || strcmp(id->node, core->options.node) == 0)
        return true;
    memset(&last, 0xff, sizeof last);
    memcpy(first.node, id->node, sizeof first.node);
    memcpy(last.node, id->node, sizeof last.node);
    size_t count = log_index(core, &last) - log_index(core, &first);
    if (count < core->options.author_log_max)
        return true;
    struct peer *author = core_peer_find(core, id->node);
    if (author)
        core_alarm_peer(core, author, ALARM_LIMIT, count);
    return false;
}

struct log *core_log_make(struct core *core, const struct log_id *id)
{
    size_t index = log_index(core, id);
    if (index < core->log_count && log_id_equal(&core->logs[index]->id, id))
        return core->logs[index];
    if (core->log_count >= core->options.log_max || !author_has_room(core, id))
        return NULL;
    struct log *log = calloc(1, sizeof *log);
    if (!log || !array_open(&core->logs, core->log_count, &core->log_capacity, index)) {
        free(log);
        return NULL;
    }
    log->id = *id;
    log->own = strcmp(id->node, core->options.node) == 0;
    log->retry_at_ms = UINT64_MAX;
    for (size_t i = 0; i < CORE_HUB_MAX; i++)
        log->hub_holds[i] = UINT64_MAX;
    core->logs[index] = log;
    core->log_count++;
    return log;
}

void core_log_free(struct log *log)
{
    if (log)
        free(log->mends);
    free(log);
}

/* Somebody announced it, and that is all there is to it. */
static bool log_is_hearsay(const struct log *log)
{
    return log->flow_count == 0 && log->held.size == 0 && log->held.pending == 0 &&
           log->branch.pending == 0 && log->named == 0 && !log->live && !log->frozen &&
           log->storing == 0 && !log->queued && log->retry_at_ms == UINT64_MAX;
}

static void log_forget(struct core *core, struct log *log)
{
    size_t index = log_index(core, &log->id);
    memmove(core->logs + index, core->logs + index + 1,
            (core->log_count - index - 1) * sizeof(struct log *));
    core->log_count--;
    core_log_free(log);
}

static size_t flow_index(const struct link *link, const struct log *log)
{
    size_t low = 0, high = link->flow_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log_id_compare(&link->flows[middle]->log->id, &log->id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct flow *core_flow_find(struct link *link, const struct log *log)
{
    size_t index = flow_index(link, log);
    if (index < link->flow_count && link->flows[index]->log == log)
        return link->flows[index];
    return NULL;
}

struct flow *core_flow_make(struct core *core, struct link *link, struct log *log)
{
    size_t index = flow_index(link, log);
    if (index < link->flow_count && link->flows[index]->log == log)
        return link->flows[index];
    struct flow *flow = calloc(1, sizeof *flow);
    if (!flow || !array_open(&link->flows, link->flow_count, &link->flow_capacity, index)) {
        free(flow);
        core_alarm_peer(core, link->peer, ALARM_LIMIT, 0);
        return NULL;
    }
    flow->log = log;
    flow->retry_at_ms = UINT64_MAX;
    link->flows[index] = flow;
    link->flow_count++;
    log->flow_count++;
    return flow;
}

struct flow *core_flow_of_stranger(struct core *core, struct link *link, const struct log_id *id)
{
    if (!core_policy_we_follow(core, id) || !core_policy_peer_may_hold(core, link->peer, id))
        return NULL;
    struct log *log = core_log_find(core, id);
    if (log && (log->held.size > 0 || log->live || core_flow_find(link, log)))
        return core_flow_make(core, link, log);
    if (link->unheld_count >= core->options.unheld_log_max || !(log = core_log_make(core, id))) {
        core_alarm_peer(core, link->peer, ALARM_LIMIT, link->unheld_count);
        return NULL;
    }
    struct flow *flow = core_flow_make(core, link, log);
    if (flow) {
        flow->unheld = true;
        link->unheld_count++;
    }
    return flow;
}

void core_log_release(struct core *core, struct log *log)
{
    if (log_is_hearsay(log))
        log_forget(core, log);
}

void core_link_free(struct core *core, struct link *link)
{
    for (size_t i = 0; i < link->flow_count; i++) {
        struct log *log = link->flows[i]->log;
        log->flow_count--;
        core_log_release(core, log);
        free(link->flows[i]);
    }
    free(link->flows);
    free(link);
}
