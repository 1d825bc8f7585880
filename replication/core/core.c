/* The core's life, its step, and what it tells about itself. */
#include "replication/core/state.h"

#include "proto/base/bug.h"

#include <stdlib.h>
#include <string.h>

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value ? value : otherwise;
}

static void options_fill(struct core_options *options)
{
    options->credit_window = or_default(options->credit_window, 4 * 1024 * 1024);
    options->checkpoint_step = or_default(options->checkpoint_step, 1024);
    options->batch_size_max = or_default(options->batch_size_max, 1024 * 1024);
    options->catchup_threshold = or_default(options->catchup_threshold, 4096);
    options->catchup_quantum = or_default(options->catchup_quantum, 16384);
    options->catchup_links_max = or_default(options->catchup_links_max, 32);
    options->link_max = or_default(options->link_max, 256);
    options->log_max = or_default(options->log_max, 1 << 20);
    options->author_log_max = or_default(options->author_log_max, 1 << 15);
    options->unheld_log_max = or_default(options->unheld_log_max, 1024);
    options->hello_limit_ms = or_default(options->hello_limit_ms, 10 * 1000);
    options->ask_limit_ms = or_default(options->ask_limit_ms, 2 * 1000);
    options->ping_after_ms = or_default(options->ping_after_ms, 15 * 1000);
    options->silence_limit_ms = or_default(options->silence_limit_ms, 45 * 1000);
    options->announce_after_ms = or_default(options->announce_after_ms, 1000);
    options->retry_delay_min_ms = or_default(options->retry_delay_min_ms, 500);
    options->retry_delay_max_ms = or_default(options->retry_delay_max_ms, 60 * 1000);
    options->refused_delay_ms = or_default(options->refused_delay_ms, 60 * 1000);
}

static bool options_are_valid(const struct core_options *options)
{
    return node_name_is_valid(bytes_of_string(options->node)) &&
           (options->role == ROLE_PROVINCE || options->role == ROLE_HUB) &&
           options->credit_window >= 4 * PACKAGE_ROOM &&
           options->batch_size_max >= PACKAGE_ROOM_MIN &&
           options->retry_delay_min_ms <= options->retry_delay_max_ms &&
           options->software.size <= sizeof((struct core *)NULL)->software;
}

/* False for a name that is invalid, our own or there already, or for too many hubs. */
static bool peer_add(struct core *core, const struct core_peer *options)
{
    bool hub = options->role == ROLE_HUB;
    if (!node_name_is_valid(bytes_of_string(options->node)) ||
        core_peer_find(core, options->node) || strcmp(options->node, core->options.node) == 0 ||
        (!hub && options->role != ROLE_PROVINCE) || (hub && core->hub_count == CORE_HUB_MAX))
        return false;
    core->peers[core->peer_count++] = (struct peer){
        .options = *options,
        .hub_index = hub ? core->hub_count++ : CORE_HUB_MAX,
        .connect_at_ms = UINT64_MAX,
    };
    return true;
}

struct core *core_new(const struct core_options *options)
{
    struct core *core = calloc(1, sizeof *core);
    if (!core)
        return NULL;
    core->options = *options;
    options_fill(&core->options);
    core->options.peers = NULL;
    core->random = options->seed;
    core->retry_at_ms = UINT64_MAX;
    core->receipt_at_ms = UINT64_MAX;
    core->peers = calloc(options->peer_count ? options->peer_count : 1, sizeof *core->peers);
    bool ok = core->peers && options_are_valid(&core->options);
    for (size_t i = 0; ok && i < options->peer_count; i++)
        ok = peer_add(core, &options->peers[i]);
    if (!ok) {
        core_free(core);
        return NULL;
    }
    if (options->software.size > 0)
        memcpy(core->software, options->software.data, options->software.size);
    core->options.software = bytes_of(core->software, options->software.size);
    return core;
}

void core_free(struct core *core)
{
    if (!core)
        return;
    for (size_t i = 0; i < core->link_count; i++)
        core_link_free(core, core->links[i]);
    for (size_t i = 0; i < core->log_count; i++)
        core_log_free(core->logs[i]);
    free(core->links);
    free(core->logs);
    free(core->peers);
    free(core);
}

static void dispatch(struct core *core, const struct event *event)
{
    switch (event->type) {
    case EVENT_LOG_LOADED:
        core_on_log_loaded(core, &event->log_loaded);
        break;
    case EVENT_START:
        core_on_start(core);
        break;
    case EVENT_TICK:
        break; /* time is looked at in every step */
    case EVENT_LINK_OPENED:
        core_on_link_opened(core, &event->link_opened);
        break;
    case EVENT_LINK_HEARD:
        core_on_link_heard(core, &event->link);
        break;
    case EVENT_LINK_CLOSED:
        core_on_link_closed(core, &event->link);
        break;
    case EVENT_CONNECT_FAILED:
        core_on_connect_failed(core, &event->connect_failed);
        break;
    case EVENT_MESSAGE:
        core_on_message(core, &event->message);
        break;
    case EVENT_LOG_OPENED:
        core_on_log_opened(core, &event->own_log);
        break;
    case EVENT_LOG_ADVANCED:
        core_on_log_advanced(core, &event->own_log);
        break;
    case EVENT_LOG_CLOSED:
        core_on_log_closed(core, &event->own_log);
        break;
    case EVENT_LOG_PUT_BACK:
        core_on_log_put_back(core, &event->log_put_back);
        break;
    case EVENT_LOG_DAMAGED:
        core_on_log_damaged(core, &event->log_damaged);
        break;
    case EVENT_CHECKPOINT_SENT:
        core_on_checkpoint_sent(core, &event->checkpoint_sent);
        break;
    case EVENT_RECORDS_SENT:
        core_on_records_sent(core, &event->records_sent);
        break;
    case EVENT_CHECKPOINT_STORED:
        core_on_checkpoint_stored(core, &event->stored);
        break;
    case EVENT_PACKAGE_STORED:
        core_on_package_stored(core, &event->stored);
        break;
    case EVENT_RECEIPT_SIGNED:
        core_on_receipt_signed(core, &event->receipt_signed);
        break;
    case EVENT_RECEIPT_STORED:
        core_on_receipt_stored(core, &event->receipt_stored);
        break;
    case EVENT_FORK_STORED:
        core_on_fork_stored(core, &event->fork_stored);
        break;
    case EVENT_BRANCH_FOUND:
        core_on_branch_found(core, &event->branch_found);
        break;
    case EVENT_WANT_UNSENT:
        core_on_want_unsent(core, &event->want_unsent);
        break;
    }
}

/* A link that was ended in this step may still be on the stack above; now it is not. */
static void free_closed_links(struct core *core)
{
    size_t kept = 0;
    for (size_t i = 0; i < core->link_count; i++) {
        if (core->links[i]->closed)
            core_link_free(core, core->links[i]);
        else
            core->links[kept++] = core->links[i];
    }
    core->link_count = kept;
}

void core_step(struct core *core, const struct event *event, struct effects *effects)
{
    if (event->now_ms > core->now_ms)
        core->now_ms = event->now_ms;
    core->out = effects;
    dispatch(core, event);
    if (core->started) {
        core_on_tick(core);
        core_fetch_run(core);
        core_incarnation_merge(core);
        for (size_t i = 0; i < core->link_count; i++) {
            core_announce_run(core, core->links[i]);
            core_sending_run(core, core->links[i]);
        }
        free_closed_links(core);
    }
    core->out = NULL;
}

uint64_t national_size(const uint64_t *sizes, size_t count, size_t k)
{
    if (k == 0 || k > count)
        return 0;
    uint64_t best = 0; /* the largest size that at least k of them reach */
    for (size_t i = 0; i < count; i++) {
        size_t reached = 0;
        for (size_t j = 0; j < count; j++)
            reached += sizes[j] >= sizes[i];
        if ((reached >= k || SAMAD_BUG(ANY_RECEIPT_WILL_DO)) && sizes[i] > best)
            best = sizes[i];
    }
    return best;
}

uint64_t core_national_size(const struct core *core, const struct log_id *id, size_t k)
{
    const struct log *log = core_log_find((struct core *)core, id);
    uint64_t sizes[CORE_HUB_MAX];
    if (!log || !log->own)
        return 0;
    if (SAMAD_BUG(NATIONAL_WITHOUT_RECEIPT))
        return log->held.covered;
    for (size_t i = 0; i < core->hub_count; i++)
        sizes[i] = core_receipted(log, i);
    return national_size(sizes, core->hub_count, k);
}

size_t core_log_count(const struct core *core)
{
    return core->log_count;
}

void core_log_status(const struct core *core, size_t index, struct core_log_status *status)
{
    const struct log *log = core->logs[index];
    *status = (struct core_log_status){
        .log = log->id,
        .held = log->held,
        .branch = log->branch,
        .named = log->named,
        .cosigned = log->cosigned,
        .own = log->own,
        .live = log->live,
        .frozen = log->frozen,
        .proven = log->proven,
        .source = log->source ? log->source->peer->options.node : "",
    };
    for (size_t i = 0; i < core->hub_count; i++)
        status->receipts[i] = core_receipted(log, i);
}

size_t core_peer_count(const struct core *core)
{
    return core->peer_count;
}

void core_peer_status(const struct core *core, size_t index, struct core_peer_status *status)
{
    const struct peer *peer = &core->peers[index];
    *status = (struct core_peer_status){ .node = peer->options.node };
    if (peer->link) {
        status->ready = peer->link->state == LINK_READY;
        status->link = peer->link->id;
        status->credit_to_send = peer->link->credit_send;
        status->catchup = peer->link->catchup;
        for (size_t i = 0; i < peer->link->flow_count; i++) {
            const struct flow *flow = peer->link->flows[i];
            if (flow->offered > flow->log->held.size && !flow->log->frozen)
                status->missing += flow->offered - flow->log->held.size;
        }
    }
}
