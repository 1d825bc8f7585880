#include "tests/sim/world.h"

#include "node/casework/province.h"
#include "node/runtime/log.h"
#include "node/site.h"
#include "proto/base/require.h"
#include "replication/core/core.h"
#include "tests/sim/disk.h"
#include "tests/sim/http.h"
#include "tests/sim/liar.h"
#include "tests/sim/net.h"
#include "tests/sim/recorder.h"
#include "tests/sim/second.h"
#include "tests/sim/sim_private.h"
#include "tests/sim/swarm.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <uv.h>

#define API_PORT         8111
#define LIAR_PING_MS     500
#define BACK_DELAY_NS    (2 * SIM_S) /* as the supervisor restarts what has failed */
/* What fails within a minute is restarted later each time, as supervisors do it, after some times at
 * once: one that reads damage again and again would start thousands of times until somebody mends it. */
#define SHORT_LIFE_NS    (60 * SIM_S)
#define SHORT_LIVES_MAX  16
#define BACK_DOUBLED_MAX 7 /* 256 s */
#define HOPELESS_DELAY_NS (3600 * SIM_S) /* weeks of starts that fail would cost minutes */

struct world world;
void (*world_on_life)(struct sim_node *node, enum node_end how, bool begins);

/* ---- building -------------------------------------------------------------------------------- */

static void folder_make(const char *path)
{
    require(mkdir(path, 0700) == 0 || errno == EEXIST);
}

static char *text(const char *form, const char *address, unsigned port)
{
    char out[64];
    snprintf(out, sizeof out, form, address, port);
    return strdup(out);
}

static void node_name(struct sim_node *node)
{
    if (node->role == ROLE_PROVINCE)
        snprintf(node->name, sizeof node->name, "%s",
                 PROVINCES[node->index - world.hub_count].node);
    else if (node->index == 0)
        snprintf(node->name, sizeof node->name, "centre");
    else
        snprintf(node->name, sizeof node->name, "centre-%u", node->index + 1);
}

static void node_make_keys(struct sim_node *node)
{
    struct buffer problem = { 0 };
    require(keyring_create(node->keys, &problem) == OK);
    require(keyring_load(&node->keyring, node->keys, &problem) == OK);
    require(tokens_add(node->keys, SCOPE_REGISTER | SCOPE_READ | SCOPE_PERSON | SCOPE_ADMIN, 0,
                       "simulation", node->token, &problem) == OK);
    buffer_close(&problem);
}

/* The call that it is to end in. */
static bool is_last_call(struct sim_node *node, const struct disk_call *call)
{
    if (node->crash_at_call != 0 && node->disk_calls >= node->crash_at_call)
        return true;
    return node->crash_at_device_call != 0 && call->action != DISK_READ &&
           strncmp(call->name, node->crash_device, strlen(node->crash_device)) == 0 &&
           --node->crash_at_device_call == 0;
}

/* Lets time pass for what a disk does, and ends the node inside the call that is its last. */
static void on_disk_begin(void *context, const struct disk_call *call)
{
    struct sim_node *node = context;
    if (sim_current() != node)
        return;
    node->disk_calls++;
    sim_trace(node, call->name, call->action, call->offset ^ call->size << 32);
    recorder_disk(node, call, true);
    if (is_last_call(node, call)) {
        node->crash_at_call = 0;
        node->crash_at_device_call = 0;
        sim_exit(137);
    }
    int64_t extra_ns = second_on_disk_begin(node, call);
    if (call->action == DISK_SYNC || call->action == DISK_WRITE_SYNCED)
        fiber_sleep(50 * SIM_US + extra_ns + dice_exponential(random_stream(STREAM_DISK),
                                                              world.swarm->sync_ns));
}

static void on_disk_end(void *context, const struct disk_call *call)
{
    struct sim_node *node = context;
    if (sim_current() != node)
        return;
    if (call->error == ENOSPC)
        sim_fault(node, "ENOSPC given");
    else if (call->error == EIO || call->error == EINTR) /* and not: there is no such file */
        sim_fault(node, call->error == EIO ? "EIO given" : "EINTR given");
    recorder_disk(node, call, false);
    second_on_disk_end(node, call);
}

static void node_make_folders(struct sim_node *node, const char *folder)
{
    snprintf(node->folder, sizeof node->folder, "%.100s/%u", folder, node->index);
    snprintf(node->data, sizeof node->data, "%.100s/%u/data", folder, node->index);
    snprintf(node->keys, sizeof node->keys, "%.100s/%u/keys", folder, node->index);
    folder_make(node->folder);
    folder_make(node->data);
}

static void node_make_disk(struct sim_node *node, const struct sim_node *twin)
{
    struct disk_options options = { .path = node->data,
                                    .seed = dice_u64(random_stream(STREAM_DISK)),
                                    .on_begin = on_disk_begin,
                                    .on_end = on_disk_end,
                                    .context = node };
    require(disk_new(&node->disk, &options) == OK);
    disk_set_capacity(node->disk, DISK_SIZE);
    second_make(node, twin, &options);
}

static void on_restart(struct sim_event *event)
{
    struct sim_node *node = (struct sim_node *)((char *)event - offsetof(struct sim_node, restart));
    if (node->life == NODE_DOWN && !node->retired)
        node_start(node);
}

static void on_crash(struct sim_event *event)
{
    struct sim_node *node = (struct sim_node *)((char *)event - offsetof(struct sim_node, crash));
    if (node->life != NODE_UP)
        return;
    node_kill(node, END_POWER);
    node_restart_after(node, BACK_DELAY_NS);
}

/* The word is on its way before the power goes: at once, or within the time of a few syncs. */
void world_on_word(struct sim_node *node)
{
    if (node->crash_at_word > 0 && --node->crash_at_word == 0)
        sim_after(&node->crash, node->crash_after_ns);
}

static struct sim_node *node_new(enum node_role role, const char *folder,
                                 const struct sim_node *twin)
{
    struct sim_node *node = &world.nodes[world.node_count];
    *node = (struct sim_node){ .index = world.node_count, .role = role };
    world.node_count++;
    char purpose[16];
    snprintf(purpose, sizeof purpose, "node %u", node->index);
    dice_seed(&node->ids, dice_u64(random_stream(STREAM_SWARM)), purpose);
    node->process = process_new(node);
    node->restart.run = on_restart;
    node->crash.run = on_crash;
    node_make_folders(node, folder);
    node_make_disk(node, twin);
    return node;
}

static void draw_clock(struct sim_node *node)
{
    struct dice *dice = random_stream(STREAM_CLOCK);
    const struct swarm *swarm = world.swarm;
    node->clock.rate_ppm = dice_between(dice, -swarm->drift_ppm, swarm->drift_ppm);
    node->clock.wall_ns = dice_between(dice, -swarm->clock_off_ns, swarm->clock_off_ns);
}

static void config_common(struct config *config, const struct sim_node *node)
{
    const struct swarm *swarm = world.swarm;
    char address[16];
    net_address(node, address);
    snprintf(config->node, sizeof config->node, "%s", node->name);
    config->role = node->role;
    config->data = strdup(node->data);
    config->keys = strdup(node->keys);
    config->api_listen = text("%s:%u", address, API_PORT);
    config->api_connections_max = 1024;
    config->national_receipts = swarm->national_receipts;
    config->map_size = swarm->map_size;
    config->reserve_size = swarm->reserve_size;
    config->memory_size = swarm->memory_size;
    config->queue_max = swarm->queue_max;
    config->group_max = swarm->group_max;
    config->catch_ups_max = 32;
    config->verify_rate = swarm->verify_rate;
    second_configure(node, config);
    if (node->role == ROLE_HUB)
        config->replication_listen = text("%s:%u", address, WORLD_REPLICATION_PORT);
}

static void config_hubs(struct config *config)
{
    config->hubs = calloc(world.hub_count, sizeof *config->hubs);
    require(config->hubs != NULL);
    for (unsigned i = 0; i < world.hub_count; i++) {
        const struct sim_node *other = &world.nodes[i];
        if (strcmp(other->name, config->node) == 0)
            continue;
        struct config_hub *hub = &config->hubs[config->hub_count++];
        char address[16];
        net_address(other, address);
        memcpy(hub->name, other->name, sizeof hub->name);
        hub->address = text("%s:%u", address, WORLD_REPLICATION_PORT);
        hub->link_key = other->keyring.link.public;
        hub->log_key = other->keyring.log.public;
        hub->receipt_key = other->keyring.receipt.public;
    }
}

static void config_provinces(struct config *config, unsigned count)
{
    config->provinces = calloc(count, sizeof *config->provinces);
    require(config->provinces != NULL);
    config->province_count = count;
    for (unsigned i = 0; i < count; i++) {
        const struct sim_node *other = &world.nodes[world.hub_count + i];
        struct config_province *province = &config->provinces[i];
        memcpy(province->name, other->name, sizeof province->name);
        province->link_key = other->keyring.link.public;
        province->log_key = other->keyring.log.public;
    }
}

static void node_configure(struct sim_node *node)
{
    node->config = calloc(1, sizeof *node->config);
    require(node->config != NULL);
    config_common(node->config, node);
    config_hubs(node->config);
    if (node->role == ROLE_HUB)
        config_provinces(node->config, world.swarm->province_count);
    snprintf(node->api, sizeof node->api, "%s", node->config->api_listen ? node->config->api_listen : "");
}

static void draw_paths(void)
{
    for (unsigned from = 0; from < SIM_NODE_MAX; from++)
        for (unsigned to = 0; to < SIM_NODE_MAX; to++) {
            static const struct sim_node none;
            struct sim_node a = none, b = none;
            a.index = from;
            b.index = to;
            *net_path(&a, &b) = (struct net_path){
                .delay_ns = world.swarm->delay_ns / 2 +
                            dice_between(random_stream(STREAM_NET), 0, world.swarm->delay_ns),
                .jitter_ns = world.swarm->jitter_ns,
            };
        }
}

void world_build(const struct swarm *swarm, const char *folder)
{
    memset(&world, 0, sizeof world);
    world.swarm = swarm;
    world.hub_count = swarm->hub_count;
    unsigned count = swarm->hub_count + swarm->province_count;
    require(count <= SIM_NODE_MAX && swarm->province_count <= PROVINCE_COUNT);
    draw_paths();
    for (unsigned i = 0; i < count; i++) {
        struct sim_node *node = node_new(i < swarm->hub_count ? ROLE_HUB : ROLE_PROVINCE, folder,
                                         NULL);
        node_name(node);
        node_make_keys(node);
        draw_clock(node);
    }
    for (unsigned i = 0; i < count; i++)
        node_configure(&world.nodes[i]);
}

struct sim_node *world_find(const char *name)
{
    for (unsigned i = 0; i < world.node_count; i++)
        if (strcmp(world.nodes[i].name, name) == 0)
            return &world.nodes[i];
    return NULL;
}

struct sim_node *world_add_twin(struct sim_node *twin)
{
    char folder[SIM_PATH_SIZE];
    if (world.node_count == SIM_NODE_MAX)
        return NULL;
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(twin->folder, '/') - twin->folder),
             twin->folder);
    struct sim_node *node = node_new(twin->role, folder, twin);
    memcpy(node->name, twin->name, sizeof node->name);
    memcpy(node->keys, twin->keys, sizeof node->keys);
    memcpy(node->token, twin->token, sizeof node->token);
    node->keyring = twin->keyring;
    node->clock = twin->clock;
    node_configure(node);
    return node;
}

int64_t world_lateness(void)
{
    int64_t most = world.swarm ? world.swarm->idle_ns : 0;
    if (world.healing && most > SIM_S)
        most = SIM_S;
    return most > 0 ? dice_between(random_stream(STREAM_SCHEDULE), most / 2, most) : 0;
}

/* What the daemon leaves to the core's defaults, a seed may draw. */
struct core *__real_core_new(const struct core_options *options);
struct core *__wrap_core_new(const struct core_options *options);
struct core *__wrap_core_new(const struct core_options *options)
{
    struct core_options drawn = *options;
    const struct swarm *swarm = world.swarm;
    drawn.ping_after_ms = (uint64_t)swarm->ping_after_ns / 1000000;
    drawn.silence_limit_ms = 3 * drawn.ping_after_ms;
    drawn.credit_window = swarm->credit_window;
    drawn.checkpoint_step = swarm->checkpoint_step;
    drawn.batch_size_max = swarm->batch_size;
    drawn.catchup_threshold = swarm->catchup_threshold;
    drawn.catchup_quantum = swarm->catchup_quantum;
    if (swarm->catchup_links > 0)
        drawn.catchup_links_max = swarm->catchup_links;
    if (liar_is(sim_current()) && liar_knows(LIE_PINGS))
        drawn.ping_after_ms = LIAR_PING_MS;
    return __real_core_new(&drawn);
}

struct link;
bool __real_core_admission_ask(struct core *core, struct link *link);
bool __wrap_core_admission_ask(struct core *core, struct link *link);
bool __wrap_core_admission_ask(struct core *core, struct link *link)
{
    bool admitted = __real_core_admission_ask(core, link);
    if (!admitted)
        sim_sometimes("admission queued");
    return admitted;
}

/* ---- starting -------------------------------------------------------------------------------- */

/* SIGTERM, on the loop. */
static void on_signal(uv_async_t *signal)
{
    struct sim_node *node = signal->data;
    node->signal = NULL;
    uv_close((uv_handle_t *)signal, NULL);
    site_stop(node->site);
}

/* The daemon, as samadd_main.c runs it. */
static void node_main(void *context)
{
    struct sim_node *node = context;
    struct buffer problem = { 0 };
    uv_loop_t loop;
    uv_async_t signal;
    require(uv_loop_init(&loop) == 0);
    enum err err = site_open(&node->site, node->config, &loop, &problem);
    if (err != OK) {
        sim_tell(node, "not started: %.*s", (int)problem.size, (const char *)problem.data);
        node->site = NULL;
        sim_exit(EXIT_START);
    }
    node->failed_starts = 0;
    uv_async_init(&loop, &signal, on_signal);
    signal.data = node;
    node->signal = &signal;
    uv_run(&loop, UV_RUN_DEFAULT);
    site_close(node->site);
    node->site = NULL;
    uv_loop_close(&loop);
    buffer_close(&problem);
    sim_exit(EXIT_STOPPED);
}

void node_start(struct sim_node *node)
{
    require(node->life == NODE_DOWN && !node->retired);
    sim_cancel(&node->restart);
    node->life = NODE_UP;
    node->starts++;
    node->disk_calls = 0;
    second_on_start(node);
    node->clock.boot_ns = sim_now_ns();
    node->clock.monotonic_ns = dice_between(random_stream(STREAM_CLOCK), SIM_S, SIM_DAY);
    net_host_back(node);
    sim_trace(node, "start", node->starts, 0);
    sim_tell(node, "starts, for the %u. time", node->starts);
    fiber_spawn(node, "main", node_main, node);
    if (world_on_life != NULL)
        world_on_life(node, END_STOPPED, true);
}

void node_restart_after(struct sim_node *node, int64_t delay_ns)
{
    sim_after(&node->restart, delay_ns);
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void disk_back(struct disk *disk, bool power)
{
    if (power)
        disk_plug(disk, disk_draw_fate(disk));
    else
        disk_plug_process(disk);
}

static void node_release(struct sim_node *node, enum node_end how)
{
    bool power = how == END_POWER;
    disk_unplug(node->disk);
    if (node->second.disk)
        disk_unplug(node->second.disk);
    node->second.entry_syncs = node->second.root_syncs = 0;
    http_cut(node->api);
    uv_killed(node);
    net_killed(node, power && dice_chance(random_stream(STREAM_NET), 1, 2));
    fibers_kill(node);
    node->life = NODE_DOWN;
    node->site = NULL;
    node->signal = NULL;
    process_release(node);
    disk_back(node->disk, power);
    if (node->second.disk)
        disk_back(node->second.disk, power);
}

void node_kill(struct sim_node *node, enum node_end how)
{
    if (node->life == NODE_DOWN)
        return;
    node->exit_code = 137;
    sim_trace(node, "killed", how, 0);
    sim_tell(node, how == END_POWER ? "loses its power" : "is killed");
    node_release(node, how);
    if (world_on_life != NULL)
        world_on_life(node, how, false);
}

static int64_t back_delay(const struct sim_node *node)
{
    if (node->hopeless)
        return HOPELESS_DELAY_NS;
    if (node->short_lives <= SHORT_LIVES_MAX)
        return BACK_DELAY_NS;
    unsigned doubled = node->short_lives - SHORT_LIVES_MAX;
    return BACK_DELAY_NS << (doubled < BACK_DOUBLED_MAX ? doubled : BACK_DOUBLED_MAX);
}

void world_on_exit(struct sim_node *node, int code)
{
    static const char *const words[] = { "has stopped", "could not start", "is misconfigured",
                                         "ended itself: its storage has failed" };
    enum node_end how = code == EXIT_STOPPED ? END_STOPPED
                        : code == 137        ? (dice_chance(random_stream(STREAM_FAULTS), 1, 2)
                                                    ? END_POWER
                                                    : END_PROCESS)
                                             : END_FAILED;
    node->exit_code = code;
    node->failed_starts += code == EXIT_START;
    bool short_lived = how == END_FAILED && sim_now_ns() - node->clock.boot_ns < SHORT_LIFE_NS;
    node->short_lives = short_lived ? node->short_lives + 1 : 0;
    sim_trace(node, "exit", (uint64_t)code, 0);
    sim_tell(node, "%s", code == 137 ? "is killed inside an I/O call" : words[code & 3]);
    node_release(node, how);
    if (world_on_life != NULL)
        world_on_life(node, how, false);
    if (how != END_STOPPED)
        node_restart_after(node, back_delay(node));
}

void node_stop(struct sim_node *node)
{
    if (node->life == NODE_DOWN)
        return;
    sim_tell(node, "is asked to stop");
    if (node->signal != NULL) {
        recorder_stopping(node);
        uv_async_send(node->signal);
    } else {
        node_kill(node, END_PROCESS); /* it does not listen to signals yet, or no longer */
    }
}

void node_pause(struct sim_node *node, bool paused)
{
    if (node->life != (paused ? NODE_UP : NODE_PAUSED))
        return;
    sim_trace(node, "pause", paused, 0);
    sim_tell(node, paused ? "stands still" : "goes on");
    node->life = paused ? NODE_PAUSED : NODE_UP;
    fibers_pause(node, paused);
    recorder_paused(node, paused);
}

void world_end(void)
{
    for (unsigned i = 0; i < world.node_count; i++) {
        struct sim_node *node = &world.nodes[i];
        node_kill(node, END_PROCESS);
        sim_cancel(&node->restart);
        sim_cancel(&node->crash);
        disk_free(node->disk);
        disk_free(node->second.disk);
        config_free(node->config);
        free(node->process);
    }
    net_begin();
    memset(&world, 0, sizeof world);
}
