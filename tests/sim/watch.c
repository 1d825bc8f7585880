#include "tests/sim/watch.h"

#include "node/runtime/engine.h"
#include "node/site.h"
#include "proto/base/require.h"
#include "storage/log.h"
#include "tests/sim/fibers.h"
#include "tests/sim/liar.h"
#include "tests/sim/swarm.h"

#include <stdio.h>

struct seen_log {
    struct log_id id;
    uint64_t size, cosigned_size, national_size;
    struct hash root;
    bool frozen, branch;
};

struct seen_node {
    bool looked, ready;
    struct seen_log *logs;
    size_t count, room;
};

static struct {
    struct seen_node nodes[SIM_NODE_MAX];
    unsigned awaited;
    uint64_t missing;
    void (*done)(void *context);
    void *context;
    struct sim_event event;
} watch;

/* ---- looking --------------------------------------------------------------------------------- */

static struct seen_log *seen_add(struct seen_node *seen)
{
    if (seen->count == seen->room) {
        seen->room = seen->room ? 2 * seen->room : 16;
        seen->logs = realloc(seen->logs, seen->room * sizeof *seen->logs);
        require(seen->logs != NULL);
    }
    return &seen->logs[seen->count++];
}

/* The size that receipts of as many hubs cover as the configuration asks for. */
static uint64_t national_of(struct log_store *logs, struct store_txn *txn, uint32_t number)
{
    uint64_t sizes[SIM_NODE_MAX], best = 0;
    for (unsigned i = 0; i < world.hub_count; i++) {
        struct buffer receipt = { 0 };
        sizes[i] = 0;
        if (log_receipt_get(logs, txn, number, world.nodes[i].name, &receipt, &sizes[i]) != OK)
            sizes[i] = 0;
        buffer_close(&receipt);
    }
    for (unsigned i = 0; i < world.hub_count; i++) {
        unsigned covering = 0;
        for (unsigned j = 0; j < world.hub_count; j++)
            covering += sizes[j] >= sizes[i];
        if (covering >= world.swarm->national_receipts && sizes[i] > best)
            best = sizes[i];
    }
    return best;
}

static void look_at(struct sim_node *node, struct seen_node *seen)
{
    struct engine *engine = site_engine(node->site);
    struct engine_status status;
    struct log_store *logs = engine_logs(engine);
    engine_status(engine, &status);
    seen->ready = status.ready;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    uint32_t count = log_count(logs, &txn);
    for (uint32_t number = 0; number < count; number++) {
        struct log_state state;
        struct merkle_frontier frontier;
        if (log_state_get(logs, &txn, number, &state) != OK)
            break;
        struct seen_log log = { .id = state.id,
                                .size = state.size,
                                .cosigned_size = state.cosigned_size,
                                .frozen = state.frozen,
                                .branch = state.branch };
        if (state.size > 0 && log_frontier(logs, &txn, number, &frontier) == OK)
            merkle_frontier_root(&frontier, &log.root);
        if (strcmp(state.id.node, node->name) == 0 && node->role == ROLE_PROVINCE)
            log.national_size = national_of(logs, &txn, number);
        *seen_add(seen) = log;
    }
    store_abort(&txn);
    seen->looked = true;
}

static void on_all_looked(struct sim_event *event)
{
    (void)event;
    watch.done(watch.context);
}

static void look_main(void *context)
{
    struct sim_node *node = context;
    if (node->site != NULL)
        look_at(node, &watch.nodes[node->index]);
    if (--watch.awaited == 0)
        sim_after(&watch.event, 0);
}

void watch_look(void (*done)(void *context), void *context)
{
    watch.done = done;
    watch.context = context;
    watch.event.run = on_all_looked;
    watch.awaited = 1;
    for (unsigned i = 0; i < world.node_count; i++) {
        struct sim_node *node = &world.nodes[i];
        watch.nodes[i].looked = watch.nodes[i].ready = false;
        watch.nodes[i].count = 0;
        if (node->life != NODE_UP || node->site == NULL)
            continue;
        watch.awaited++;
        fiber_spawn(node, "observer", look_main, node);
    }
    if (--watch.awaited == 0)
        sim_after(&watch.event, 0);
}

/* ---- judging --------------------------------------------------------------------------------- */

static const struct seen_log *find_log(unsigned index, const struct log_id *id)
{
    const struct seen_node *seen = &watch.nodes[index];
    for (size_t i = 0; i < seen->count; i++)
        if (!seen->logs[i].branch && log_id_equal(&seen->logs[i].id, id))
            return &seen->logs[i];
    return NULL;
}

/* Whether `node` is to hold that log: its own, all at a hub, those of hubs for everybody. */
static bool is_for(const struct sim_node *node, const struct log_id *id)
{
    if (strcmp(node->name, id->node) == 0 || node->role == ROLE_HUB)
        return true;
    return strcmp(id->audience, "all") == 0 || strcmp(id->audience, node->name) == 0;
}

static void complain(char why[256], const struct sim_node *node, const struct seen_log *log,
                     const char *what, uint64_t held)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    log_id_origin(&log->id, origin);
    if (why[0] == '\0')
        snprintf(why, 256, "%s: %s %s: %llu of %llu", node->name, what, origin,
                 (unsigned long long)held, (unsigned long long)log->size);
}

/* One log as one node has it, at everybody else. */
static bool spread(const struct sim_node *holder, const struct seen_log *log, char why[256])
{
    bool all = true;
    for (unsigned i = 0; i < world.node_count; i++) {
        const struct sim_node *node = &world.nodes[i];
        if (node->retired || node == holder || liar_is(node) || !is_for(node, &log->id))
            continue;
        const struct seen_log *other = find_log(i, &log->id);
        if (log->frozen && other != NULL)
            continue; /* a fork: an alarm names it, and both branches are kept */
        if (other != NULL && other->size >= log->size &&
            (other->size > log->size || hash_equal(&other->root, &log->root)))
            continue;
        watch.missing += log->size - (other && other->size < log->size ? other->size : 0);
        complain(why, node, log, other && other->size == log->size ? "another root of" : "lacks",
                 other ? other->size : 0);
        all = false;
    }
    return all;
}

bool watch_converged(char why[256])
{
    bool all = true;
    why[0] = '\0';
    watch.missing = 0;
    for (unsigned i = 0; i < world.node_count; i++) {
        const struct sim_node *node = &world.nodes[i];
        const struct seen_node *seen = &watch.nodes[i];
        if (node->retired)
            continue;
        if (!seen->looked || !seen->ready) {
            if (why[0] == '\0')
                snprintf(why, 256, "%s is not ready", node->name);
            all = false;
            continue;
        }
        for (size_t j = 0; j < seen->count; j++) {
            const struct seen_log *log = &seen->logs[j];
            if (log->branch || log->size == 0 || liar_wrote(&log->id))
                continue;
            all &= spread(node, log, why);
            if (node->role == ROLE_PROVINCE && strcmp(log->id.node, node->name) == 0 &&
                !log->frozen && log->national_size < log->size) {
                complain(why, node, log, "lacks receipts for", log->national_size);
                all = false;
            }
        }
    }
    return all;
}

uint64_t watch_missing(void)
{
    return watch.missing;
}

void watch_end(void)
{
    for (unsigned i = 0; i < SIM_NODE_MAX; i++)
        free(watch.nodes[i].logs);
    memset(&watch, 0, sizeof watch);
}
