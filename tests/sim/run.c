#include "tests/sim/run.h"

#include "proto/base/require.h"
#include "tests/sim/clients.h"
#include "tests/sim/crypto.h"
#include "tests/sim/liar.h"
#include "tests/sim/net.h"
#include "tests/sim/recorder.h"
#include "tests/sim/replay.h"
#include "tests/sim/second.h"
#include "tests/sim/sim_private.h"
#include "tests/sim/storm.h"
#include "tests/sim/story.h"
#include "tests/sim/swarm.h"
#include "tests/sim/watch.h"
#include "tests/support/folder.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#define ANSWER_LIMIT_NS (30 * SIM_S)
#define LOOK_EVERY_NS   (2 * SIM_S)
#define CONVERGE_NS     (60 * SIM_S) /* I23, without the part for what is behind */
#define STARTS_MAX 5 /* failed ones, one after the other, after which somebody comes */
#define CONVERGE_RATE   2000         /* records a second */
#define LINGER_NS       (15 * SIM_S) /* after it: own logs that came back are named a little later */
/* Faults are over when the network has noticed: links that hang are given up after three times the
 * time between pings, and tried again within a minute and a half; nodes that were down are up. */
#define NOTICE_NS (120 * SIM_S)

static struct {
    struct clients *clients;
    struct client_site sites[SIM_NODE_MAX];
    struct sim_event client_event;
    struct run_result *result;
    int64_t node_ns[SIM_NODE_MAX]; /* since when it is up */
    int64_t up_ns;
    bool looked;
} run;

void run_violation(const char *guarantee, const char *form, const char *detail)
{
    struct run_result *result = run.result;
    if (result->violations++ == 0) {
        int size = snprintf(result->why, sizeof result->why, "%s: ", guarantee);
        snprintf(result->why + size, sizeof result->why - (size_t)size, form, detail);
    }
    sim_tell(NULL, "VIOLATION %s", result->why);
}

/* ---- clients --------------------------------------------------------------------------------- */

static uint64_t client_now(void *context)
{
    (void)context;
    return (uint64_t)sim_now_ns();
}

static void clients_arm(void)
{
    uint64_t next = clients_next_at(run.clients);
    if (next == UINT64_MAX)
        sim_cancel(&run.client_event);
    else
        sim_at(&run.client_event, (int64_t)next);
}

static void on_client_time(struct sim_event *event)
{
    (void)event;
    if (clients_next_at(run.clients) <= (uint64_t)sim_now_ns())
        clients_run(run.clients, (uint64_t)sim_now_ns());
    clients_arm();
}

static void count_client(const struct client_event *event)
{
    if (event->phase == CLIENT_OK)
        sim_sometimes(event->duplicate ? "duplicate answered" : "client answered");
    else if (event->phase == CLIENT_FAIL)
        sim_sometimes(event->status == 507 ? "507 answered" : "client refused");
    else if (event->phase == CLIENT_UNKNOWN)
        sim_sometimes("client unknown");
}

#define FOLDER_STEM "/dev/shm/samad-sim-"

/* An answer may tell a path (the status does), and each run has a folder with a name of its own. */
static void trace_content(const struct sim_node *node, struct bytes content)
{
    struct buffer same = { 0 };
    uint8_t *at = NULL;
    if (content.size > 0)
        at = memmem(content.data, content.size, FOLDER_STEM, strlen(FOLDER_STEM));
    if (at != NULL) {
        buffer_append_bytes(&same, content);
        require(same.err == OK);
        at = same.data + (at - content.data);
    }
    uint8_t *end = same.data + same.size;
    while (at != NULL) {
        at += strlen(FOLDER_STEM);
        memset(at, 'X', (size_t)(end - at) < 6 ? (size_t)(end - at) : 6);
        at = memmem(at, (size_t)(end - at), FOLDER_STEM, strlen(FOLDER_STEM));
    }
    sim_trace_bytes(node, "content", same.size > 0 ? buffer_bytes(&same) : content);
    buffer_close(&same);
}

/* On a node's fiber or on the driver. What the clients do next may have changed. */
static void on_client_event(void *context, const struct client_event *event)
{
    (void)context;
    struct sim_node *inside = sim_outside();
    struct sim_node *node = &world.nodes[event->site];
    sim_trace(node, "client", event->operation << 8 | event->action << 4 | event->phase,
              event->status);
    trace_content(node, event->content);
    if (event->phase == CLIENT_SENT)
        world_on_word(node);
    count_client(event);
    recorder_client(event);
    if (event->phase == CLIENT_SENT && event->status >= 200 && event->status < 300)
        second_on_answer(&world.nodes[event->site]);
    if (event->phase != CLIENT_INVOKE)
        sim_after(&run.client_event, 0);
    sim_inside(inside);
}

static void begin_clients(const struct swarm *swarm)
{
    struct clients_options options = { 0 };
    unsigned count = swarm->hub_count + swarm->province_count;
    for (unsigned i = 0; i < count; i++)
        run.sites[i] = (struct client_site){ .node = world.nodes[i].name,
                                             .address = world.nodes[i].api,
                                             .token = world.nodes[i].token,
                                             .takes_requests =
                                                 world.nodes[i].role == ROLE_PROVINCE };
    clients_defaults(&options);
    options.seed = dice_u64(random_stream(STREAM_WORKLOAD));
    options.sites = run.sites;
    options.site_count = count;
    options.requests_a_day = swarm->requests_a_day;
    options.follow_after_ns = (uint64_t)swarm->follow_after_ns;
    options.burst = swarm->burst;
    options.text_size = swarm->text_size;
    for (unsigned action = 0; action < CLIENT_ACTION_COUNT; action++)
        options.shares[action] *= swarm->bother;
    options.epoch_ms = SIM_EPOCH_S * 1000;
    options.answer_limit_ns = (uint64_t)ANSWER_LIMIT_NS;
    options.now_ns = client_now;
    options.on_event = on_client_event;
    require(clients_new(&run.clients, &options) == OK);
    run.client_event.run = on_client_time;
    clients_arm();
}

/* ---- lives ----------------------------------------------------------------------------------- */

/* A store that cannot be opened for its damage is replaced; without a cause in the disk it is a
 * violation that it came to this. */
static void look_after(struct sim_node *node)
{
    if (node->failed_starts < STARTS_MAX || node->retired)
        return;
    if (node->damaged) {
        storm_replace_disk(node);
    } else if (!storm_harms_disk(node) && !node->hopeless) {
        run_violation("start", "%s does not start, and its disk is good", node->name);
        node->hopeless = true;
    }
}

static void on_life(struct sim_node *node, enum node_end how, bool begins)
{
    if (!begins && how == END_FAILED)
        look_after(node);
    if (begins) {
        run.node_ns[node->index] = sim_now_ns();
        recorder_up(node);
    } else {
        run.up_ns += sim_now_ns() - run.node_ns[node->index];
        recorder_down(node, how);
    }
}

static void start_all(void)
{
    for (unsigned i = 0; i < world.node_count; i++)
        node_restart_after(&world.nodes[i],
                           dice_between(random_stream(STREAM_FAULTS), 0, 5 * SIM_S));
}

/* ---- the end of a run ------------------------------------------------------------------------ */

static void on_looked(void *context)
{
    (void)context;
    run.looked = true;
}

static bool look(char why[256])
{
    run.looked = false;
    watch_look(on_looked, NULL);
    sim_run(sim_now_ns() + LOOK_EVERY_NS);
    if (!run.looked) {
        snprintf(why, 256, "a store could not be looked at");
        return false;
    }
    return watch_converged(why);
}

static bool await_agreement(int64_t bound_ns)
{
    char why[256] = "";
    int64_t end_ns = sim_now_ns() + bound_ns;
    bool settled = false;
    while (sim_now_ns() < end_ns) {
        settled = clients_are_settled(run.clients);
        if (look(why) && settled)
            return true;
    }
    run_violation("I23 convergence", settled ? "%s" : "%s (and clients still wait for an answer)",
                  why);
    return false;
}

/* I23: what was behind when the faults ended is made up for in time. */
static void converge(void)
{
    char why[256] = "";
    clients_settle(run.clients);
    clients_arm();
    look(why);
    uint64_t was_missing = watch_missing();
    if (!await_agreement(CONVERGE_NS + (int64_t)(was_missing * (uint64_t)SIM_S / CONVERGE_RATE)))
        return;
    sim_sometimes("converged");
    recorder_converged(was_missing);
    sim_tell(NULL, "all nodes hold the same");
    sim_run(sim_now_ns() + LINGER_NS);
    await_agreement(CONVERGE_NS);
}

static void stop_all(void)
{
    sim_cancel(&run.client_event);
    for (unsigned i = 0; i < world.node_count; i++)
        node_stop(&world.nodes[i]);
    sim_run(sim_now_ns() + 60 * SIM_S);
    for (unsigned i = 0; i < world.node_count; i++)
        if (world.nodes[i].life != NODE_DOWN)
            run_violation("stopping", "%s did not stop within a minute", world.nodes[i].name);
}

static void on_judged(const char *guarantee, const char *text)
{
    run_violation(guarantee, "%s", text);
}

/* All nodes are down: what their stores hold, and what the checkers say of all of it. */
static void judge(const char *path)
{
    char why[400];
    for (unsigned i = 0; i < world.node_count; i++)
        if (!world.nodes[i].retired)
            recorder_dump(&world.nodes[i], "final");
    recorder_judge(on_judged);
    if (path != NULL && !recorder_save(path, why, sizeof why))
        run_violation("history", "%s", why);
}

static void describe(const struct run_options *options, unsigned count)
{
    char line[160];
    for (unsigned i = 0; i < count; i++)
        if ((options->faults_kept == NULL || options->faults_kept[i]) && storm_describe(i, line))
            printf("schedule %s\n", line);
}

/* ---- one seed -------------------------------------------------------------------------------- */

static void make_folder(char folder[64])
{
    snprintf(folder, 64, FOLDER_STEM "XXXXXX");
    require(mkdtemp(folder) != NULL);
}

void run_seed(const struct run_options *options, struct run_result *result)
{
    struct swarm swarm;
    char folder[64];
    *result = (struct run_result){ 0 };
    run.result = result;
    sim_begin();
    fibers_begin();
    random_begin(options->seed);
    json_object_seed(1);
    story_begin(options->tell);
    require(swarm_draw(&swarm, options->profile));
    if (options->days > 0)
        swarm.storm_ns = (int64_t)(options->days * (double)SIM_DAY);
    snprintf(result->profile, sizeof result->profile, "%s", swarm.profile);
    crypto_use_stand_ins(!options->real_crypto && !swarm.real_crypto);
    fibers_set_yield_rate(swarm.yield_percent);
    net_begin();
    make_folder(folder);
    world_on_life = on_life;
    world_build(&swarm, folder);
    liar_begin(&swarm);
    recorder_begin(!options->real_crypto && !swarm.real_crypto);
    result->schedule_size = storm_plan(&swarm, options->faults_kept);
    sim_tell(NULL, "seed %llu, profile %s: %u hubs, %u provinces, %u faults planned",
             (unsigned long long)options->seed, swarm.profile, swarm.hub_count,
             swarm.province_count, result->schedule_size);
    start_all();
    begin_clients(&swarm);
    storm_begin();
    sim_run(swarm.storm_ns);
    storm_heal();
    liar_repent();
    sim_run(sim_now_ns() + NOTICE_NS + 3 * swarm.ping_after_ns);
    recorder_healed();
    sim_run(sim_now_ns() + 5 * SIM_S);
    converge();
    if (result->violations == 0)
        replay_all();
    stop_all();
    judge(options->history);
    result->submissions = clients_counters(run.clients)->submissions;
    result->trace_hash = sim_trace_hash();
    if (options->describe)
        describe(options, result->schedule_size);
    storm_end();
    watch_end();
    world_end();
    recorder_end();
    clients_free(run.clients);
    result->virtual_s = (double)sim_now_ns() / (double)SIM_S;
    result->node_days = (double)run.up_ns / (double)SIM_DAY;
    result->faults = story_faults();
    folder_remove(folder);
}
