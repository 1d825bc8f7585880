#include "tests/sim/storm.h"

#include "proto/base/require.h"
#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/recorder.h"
#include "tests/sim/second.h"
#include "tests/sim/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* The key of a batch: log number and first position; and what is no smaller value of another sort. */
#define BATCH_KEY_SIZE 12
#define BATCH_SIZE_MIN 64

struct fault {
    unsigned number;
    enum fault_kind kind;
    bool kept;
    int64_t at_ns, lasts_ns;
    uint64_t draw; /* of its own stream: targets and sizes */
    struct dice dice;
    struct sim_node *a, *b;
    bool lasts; /* began, and has not ended */
    unsigned phase; /* of flapping */
    struct net_path path; /* as it was */
    bool second; /* on the node's second device */
    struct harm harm;
    char snapshot[SIM_PATH_SIZE];
    bool damaged; /* the snapshot: it is of a damaged store */
    struct sim_node *twin;
    struct socket *socket; /* a stranger's */
    struct sim_event begin, end;
};

static struct {
    struct fault faults[STORM_FAULT_MAX];
    unsigned count;
    const struct swarm *swarm;
    struct sim_node *victim; /* the one node of a run whose disk may lose what it held: more than one
                                device at a time is outside of the failure model */
} storm;

/* As the history classes them (tests/check/history.h). NULL: it is told as what happens to a node. */
static const char *const TOLD[FAULT_COUNT] = {
    [FAULT_CUT] = "net.cut",
    [FAULT_CUT_ONE_WAY] = "net.cut_one_way",
    [FAULT_FLAP] = "net.flap",
    [FAULT_ISLAND] = "net.island",
    [FAULT_CLOG] = "net.clog",
    [FAULT_RESET] = "net.reset",
    [FAULT_BREAK_SILENT] = "net.silent_break",
    [FAULT_SLOW] = "net.slow",
    [FAULT_LOSS] = "net.loss",
    [FAULT_CORRUPT] = "wire.damage",
    [FAULT_STRANGER] = "wire.stranger",
    [FAULT_WRITE_ERROR] = "disk.error",
    [FAULT_READ_ERROR] = "disk.read_error",
    [FAULT_SHORT_WRITE] = "disk.short",
    [FAULT_NO_ROOM] = "disk.no_room",
    [FAULT_DISK_FULL] = "disk.full",
    [FAULT_SLOW_DISK] = "disk.slow",
    [FAULT_BIT_FLIP] = "rest.flip",
    [FAULT_MEMORY] = "wire.memory",
    [FAULT_CLOCK_JUMP] = "clock.jump",
    [FAULT_CLOCK_STUCK] = "clock.stuck",
    [FAULT_SPLIT_SYNCS] = "disk.slow", /* by half a second, until it dies between two */
    [FAULT_MISDIRECTED] = "rest.misdirected",
};

/* The same on a second device. */
static const char *const TOLD_OF_SECOND[FAULT_COUNT] = {
    [FAULT_WRITE_ERROR] = "disk.journal_error",
    [FAULT_READ_ERROR] = "disk.journal_read_error",
    [FAULT_SHORT_WRITE] = "disk.journal_short",
    [FAULT_DISK_FULL] = "disk.journal_full",
    [FAULT_SLOW_DISK] = "disk.journal_slow",
    [FAULT_MISDIRECTED] = "rest.journal_misdirected",
};

static void record(const struct fault *fault, bool begins)
{
    if (fault->second)
        recorder_fault(fault->a, TOLD_OF_SECOND[fault->kind], NULL, begins);
    else if (TOLD[fault->kind] != NULL)
        recorder_fault(fault->a, TOLD[fault->kind], fault->b, begins);
}

/* ---- targets --------------------------------------------------------------------------------- */

static struct sim_node *any_node(struct fault *fault)
{
    return &world.nodes[dice_below(&fault->dice, world.node_count)];
}

static struct sim_node *any_hub(struct fault *fault)
{
    return &world.nodes[dice_below(&fault->dice, world.hub_count)];
}

static struct sim_node *any_province(struct fault *fault)
{
    unsigned provinces = storm.swarm->province_count;
    return &world.nodes[world.hub_count + dice_below(&fault->dice, provinces)];
}

/* Two that have a link: one is a hub. */
static void any_pair(struct fault *fault)
{
    fault->b = any_hub(fault);
    do
        fault->a = any_node(fault);
    while (fault->a == fault->b);
}

static bool is_up(const struct sim_node *node)
{
    return node->life == NODE_UP && !node->retired;
}

/* ---- the network ----------------------------------------------------------------------------- */

static void cut(const struct sim_node *from, const struct sim_node *to, bool closed)
{
    net_path(from, to)->cut = closed;
    if (!closed)
        net_path_opened(from, to);
}

static void cut_both(struct fault *fault, bool closed)
{
    cut(fault->a, fault->b, closed);
    cut(fault->b, fault->a, closed);
}

static void cut_from_all(struct fault *fault, bool closed)
{
    for (unsigned i = 0; i < world.node_count; i++)
        if (&world.nodes[i] != fault->a) {
            cut(fault->a, &world.nodes[i], closed);
            cut(&world.nodes[i], fault->a, closed);
        }
}

static void flap(struct fault *fault)
{
    fault->phase++;
    cut_both(fault, fault->phase % 2 == 1);
    if (fault->phase > 1 && fault->phase % 2 == 1)
        sim_fault(fault->a, "cut by flapping");
    sim_after(&fault->begin, dice_between(&fault->dice, 200 * SIM_MS, 5 * SIM_S));
}

static void clog_path(struct fault *fault)
{
    net_path(fault->a, fault->b)->clogged_until_ns = sim_now_ns() + fault->lasts_ns;
}

static void slow(struct fault *fault)
{
    struct net_path *path = net_path(fault->a, fault->b);
    fault->path = *path;
    path->bandwidth = (uint64_t)dice_between(&fault->dice, 1000, 8000);
    path->delay_ns = dice_between(&fault->dice, 500 * SIM_MS, 2 * SIM_S);
    *net_path(fault->b, fault->a) = *path;
}

static void slow_over(struct fault *fault)
{
    struct net_path *ways[2] = { net_path(fault->a, fault->b), net_path(fault->b, fault->a) };
    for (int i = 0; i < 2; i++) {
        ways[i]->bandwidth = fault->path.bandwidth;
        ways[i]->delay_ns = fault->path.delay_ns;
    }
}

static void lose(struct fault *fault, bool on)
{
    unsigned percent = on ? (unsigned)dice_between(&fault->dice, 1, 40) : 0;
    net_path(fault->a, fault->b)->loss_percent = percent;
    net_path(fault->b, fault->a)->loss_percent = percent;
}

static void corrupt(struct fault *fault, bool on)
{
    struct net_path *path = net_path(fault->a, fault->b);
    unsigned rate = on ? (unsigned)dice_between(&fault->dice, 1000, 100000) : 0;
    unsigned which = (unsigned)dice_between(&fault->dice, 1, 15);
    path->corrupt = which & 1 ? rate : 0;
    path->duplicate = which & 2 ? rate : 0;
    path->reorder = which & 4 ? rate : 0;
    path->drop = which & 8 ? rate : 0;
}

/* ---- processes ------------------------------------------------------------------------------- */

static int64_t down_time(struct fault *fault)
{
    return dice_chance(&fault->dice, 1, 2) ? dice_between(&fault->dice, 10 * SIM_MS, 5 * SIM_S)
                                           : fault->lasts_ns;
}

static void end_node(struct fault *fault, enum node_end how)
{
    node_kill(fault->a, how);
    node_restart_after(fault->a, down_time(fault));
}

static void stop_node(struct fault *fault)
{
    node_stop(fault->a);
    node_restart_after(fault->a, 20 * SIM_S + down_time(fault));
}

static void kill_at_io(struct fault *fault)
{
    fault->a->crash_at_call =
        fault->a->disk_calls + 1 + dice_below(&fault->dice, dice_chance(&fault->dice, 1, 2) ? 20
                                                                                           : 300);
}

static void kill_at_device(struct fault *fault)
{
    static const char *const devices[] = { "log/", "views/" };
    fault->a->crash_device = devices[dice_below(&fault->dice, 2)];
    fault->a->crash_at_device_call =
        1 + (unsigned)dice_below(&fault->dice, dice_chance(&fault->dice, 1, 2) ? 8 : 64);
}

static void kill_at_word(struct fault *fault)
{
    fault->a->crash_at_word = 1 + (unsigned)dice_below(&fault->dice, 8);
    fault->a->crash_after_ns = SIM_US + dice_exponential(&fault->dice, storm.swarm->sync_ns);
}

/* ---- disks ----------------------------------------------------------------------------------- */

/* Which of a node's devices a fault is on. */
static struct disk *disk_of(const struct fault *fault)
{
    return fault->second ? fault->a->second.disk : fault->a->disk;
}

static void set_faults(struct fault *fault, bool on)
{
    struct disk_faults faults = { 0 };
    double rate = on ? (double)dice_between(&fault->dice, 1, 200) / 100000.0 : 0;
    if (fault->kind == FAULT_READ_ERROR)
        faults.read_error = rate;
    else if (fault->kind == FAULT_SHORT_WRITE)
        faults.short_write = faults.interrupted = on ? rate * 5 : 0;
    else if (fault->kind == FAULT_NO_ROOM)
        faults.no_room = rate * 100;
    disk_set_faults(disk_of(fault), &faults);
}

static void write_error(struct fault *fault)
{
    static const enum disk_action actions[] = { DISK_WRITE, DISK_WRITE_SYNCED, DISK_SYNC,
                                                DISK_RESIZE };
    enum disk_action action = actions[dice_below(&fault->dice, 4)];
    bool no_room = (action == DISK_WRITE || action == DISK_RESIZE) &&
                   dice_chance(&fault->dice, 1, 2); /* as if somebody else filled the disk */
    disk_fail_next(disk_of(fault), action, no_room ? ENOSPC : EIO);
}

/* What did not happen meanwhile does not happen later, when nobody expects it. */
static void write_error_over(struct fault *fault)
{
    for (enum disk_action action = 0; action < DISK_ACTION_COUNT; action++)
        disk_fail_next(disk_of(fault), action, 0);
}

static void fill_disk(struct fault *fault)
{
    uint64_t used = disk_used(disk_of(fault));
    disk_set_capacity(disk_of(fault), used + 1 + dice_below(&fault->dice, 4 << 20));
}

static void slow_disk(struct fault *fault, bool on)
{
    int64_t *extra_ns = fault->second ? &fault->a->second.sync_extra_ns : &fault->a->sync_extra_ns;
    *extra_ns = on ? dice_between(&fault->dice, SIM_S, 30 * SIM_S) : 0;
}

/* One bit of a stored batch. The store is not to be trusted from here on; what is done about it is
 * the operator's part: heal_node(). */
static bool flip_bit(struct fault *fault)
{
    uint64_t offset;
    if (!disk_flip(fault->a->disk, "log/data.mdb", BATCH_KEY_SIZE, BATCH_SIZE_MIN, &offset))
        return false;
    fault->a->damaged = fault->a->second.log_out = true;
    sim_tell(fault->a, "a bit is flipped at %" PRIu64, offset);
    return true;
}

/* Sectors of one stored batch also stand where another one was; or the same in the journal. */
static bool misdirect(struct fault *fault)
{
    uint64_t offset;
    if (fault->second || (fault->a->second.disk && fault->a->role == ROLE_PROVINCE)) {
        if (!second_misdirect(fault->a, fault->second, &fault->dice))
            return false;
        node_restart_after(fault->a, down_time(fault));
        return true;
    }
    if (!disk_misdirect(fault->a->disk, "log/data.mdb", BATCH_KEY_SIZE, BATCH_SIZE_MIN, &offset))
        return false;
    fault->a->damaged = fault->a->second.log_out = true;
    sim_tell(fault->a, "a write went to %" PRIu64, offset);
    return true;
}

/* ---- two devices ----------------------------------------------------------------------------- */

static bool harm_device(struct fault *fault)
{
    if (!second_harm(&fault->harm, fault->a, &fault->dice))
        return false;
    if (fault->a->life == NODE_DOWN)
        node_restart_after(fault->a, down_time(fault));
    return true;
}

static bool split_syncs(struct fault *fault)
{
    if (fault->a->second.disk == NULL)
        return false;
    second_split_syncs(fault->a, dice_chance(&fault->dice, 1, 2));
    return true;
}

/* ---- copies ---------------------------------------------------------------------------------- */

static bool take_victim(struct fault *fault)
{
    if (storm.victim == NULL)
        storm.victim = fault->a;
    return storm.victim == fault->a;
}

static bool take_snapshot(struct fault *fault)
{
    snprintf(fault->snapshot, sizeof fault->snapshot, "%.100s/snapshot-%u", fault->a->folder,
             fault->number);
    fault->damaged = fault->a->damaged;
    char store[SIM_PATH_SIZE + 16];
    snprintf(store, sizeof store, "%s/log/data.mdb", fault->snapshot);
    return disk_snapshot(fault->a->disk, fault->snapshot, disk_draw_fate(fault->a->disk)) == OK &&
           second_snapshot(fault->a, fault->snapshot) &&
           access(store, F_OK) == 0; /* a copy from before there was a store is of no interest */
}

/* The snapshot comes back, at the end of the fault. */
static void restore(struct fault *fault)
{
    struct sim_node *node = fault->a;
    node_kill(node, END_POWER);
    require(disk_restore(node->disk, fault->snapshot) == OK);
    second_restore(node, fault->snapshot);
    node->damaged = fault->damaged;
    recorder_restored(node, fault->at_ns, "all");
    sim_tell(node, "is restored from fault %u's snapshot", fault->number);
    if (!node->retired)
        node_restart_after(node, down_time(fault));
}

bool storm_harms_disk(const struct sim_node *node)
{
    for (unsigned i = 0; i < storm.count; i++) {
        const struct fault *fault = &storm.faults[i];
        if (fault->lasts && fault->a == node && TOLD[fault->kind] != NULL &&
            strncmp(TOLD[fault->kind], "disk.", 5) == 0)
            return true;
    }
    return node->damaged;
}

void storm_replace_disk(struct sim_node *node)
{
    node_kill(node, END_PROCESS);
    require(disk_restore(node->disk, "") == OK);
    recorder_lost(node, node->second.disk ? "log" : "all");
    node->damaged = false;
    node->failed_starts = 0;
    node->short_lives = 0;
    sim_tell(node, "has an empty disk");
}

static bool lose_disk(struct fault *fault)
{
    if (!take_victim(fault))
        return false;
    storm_replace_disk(fault->a);
    if (fault->a->second.disk && dice_chance(&fault->dice, 1, 2)) { /* the whole site burns */
        second_restore(fault->a, "");
        recorder_lost(fault->a, "all");
    }
    node_restart_after(fault->a, down_time(fault));
    return true;
}

/* A second process with the same identity, from a copy of the first one's disk. */
static bool clone_node(struct fault *fault)
{
    if (!take_snapshot(fault))
        return false;
    fault->twin = world_add_twin(fault->a);
    if (fault->twin == NULL)
        return false;
    require(disk_restore(fault->twin->disk, fault->snapshot) == OK);
    second_restore(fault->twin, fault->snapshot);
    recorder_cloned(fault->twin, fault->a, sim_now_ns());
    if (fault->a->damaged)
        recorder_fault(fault->twin, "rest.flip", NULL, true);
    fault->twin->damaged = fault->a->damaged;
    if (dice_chance(&fault->dice, 1, 2)) /* the machine was copied with its random generator */
        fault->twin->ids = fault->a->ids;
    node_start(fault->twin);
    return true;
}

/* Both begin where the image was made, with the same random numbers before them: they open logs of one
 * id. */
static bool start_twins(struct fault *fault)
{
    if (!clone_node(fault))
        return false;
    fault->twin->ids = fault->a->ids;
    node_kill(fault->a, END_PROCESS);
    node_restart_after(fault->a, SIM_MS);
    return true;
}

static void end_clone(struct fault *fault)
{
    node_kill(fault->twin, END_PROCESS);
    fault->twin->retired = true;
}

/* ---- strangers ------------------------------------------------------------------------------- */

static bool begin_stranger(struct fault *fault)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(WORLD_REPLICATION_PORT) };
    char address[16];
    fault->b = any_hub(fault);
    if (fault->a == fault->b)
        return false;
    net_address(fault->b, address);
    inet_pton(AF_INET, address, &to.sin_addr);
    fault->socket = socket_new(NULL);
    socket_connect_from(fault->socket, fault->a, (struct sockaddr *)&to);
    fault->lasts = true;
    sim_after(&fault->begin, dice_between(&fault->dice, SIM_MS, 2 * SIM_S));
    return true;
}

/* Noise, or what somebody else once said to a hub. */
static void stranger_speaks(struct fault *fault)
{
    uint8_t content[4096];
    size_t size = (size_t)dice_between(&fault->dice, 1, sizeof content);
    struct bytes recorded = net_recording(dice_u64(&fault->dice));
    if (recorded.size > 0 && dice_chance(&fault->dice, 3, 4)) {
        socket_write(fault->socket, recorded);
        sim_fault(fault->b, "stream replayed");
    } else {
        dice_bytes(&fault->dice, content, size);
        socket_write(fault->socket, bytes_of(content, size));
        sim_fault(fault->b, "noise sent");
    }
    sim_after(&fault->begin, dice_between(&fault->dice, SIM_MS, 5 * SIM_S));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void flip_memory(struct fault *fault)
{
    fault->a->flip_packages = 1 + (unsigned)dice_below(&fault->dice, 4);
    fault->a->flip_draw = dice_u64(&fault->dice);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static void jump(struct fault *fault)
{
    static const int64_t sizes[] = { SIM_S, 60 * SIM_S, 3600 * SIM_S, SIM_DAY, 3650 * SIM_DAY };
    int64_t size = dice_between(&fault->dice, 1, sizes[dice_below(&fault->dice, 5)]);
    clock_jump(fault->a, dice_chance(&fault->dice, 1, 2) ? size : -size);
}

static void stick(struct fault *fault)
{
    fault->a->clock.stuck_ns = clock_wall_ns(fault->a);
    fault->a->clock.stuck = true;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void choose(struct fault *fault)
{
    switch (fault->kind) {
    case FAULT_CUT:
    case FAULT_CUT_ONE_WAY:
    case FAULT_FLAP:
    case FAULT_CLOG:
    case FAULT_RESET:
    case FAULT_BREAK_SILENT:
    case FAULT_SLOW:
    case FAULT_LOSS:
    case FAULT_CORRUPT:
        any_pair(fault);
        if (dice_chance(&fault->dice, 1, 2)) {
            struct sim_node *swap = fault->a;
            fault->a = fault->b;
            fault->b = swap;
        }
        break;
    case FAULT_HUB_LOST:
    case FAULT_HUB_RESTORE:
        fault->a = any_hub(fault);
        break;
    case FAULT_ISLAND:
    case FAULT_RESTORE:
    case FAULT_CLONE:
    case FAULT_TWINS:
    case FAULT_DISK_LOST:
        fault->a = any_province(fault);
        break;
    case FAULT_DEVICE:
        fault->a = dice_chance(&fault->dice, 1, 5) ? any_hub(fault) : any_province(fault);
        break;
    default:
        fault->a = any_node(fault);
        break;
    }
    if (TOLD_OF_SECOND[fault->kind] && fault->a->second.disk)
        fault->second = dice_chance(&fault->dice, 1, 2);
}

/* False: it does not fit what the world is like now. `begin` may schedule itself again. */
static bool inflict(struct fault *fault)
{
    switch (fault->kind) {
    case FAULT_CUT:
        cut_both(fault, true);
        return true;
    case FAULT_CUT_ONE_WAY:
        cut(fault->a, fault->b, true);
        return true;
    case FAULT_FLAP:
        flap(fault);
        return true;
    case FAULT_ISLAND:
        cut_from_all(fault, true);
        return true;
    case FAULT_CLOG:
        clog_path(fault);
        return true;
    case FAULT_RESET:
    case FAULT_BREAK_SILENT:
        net_break(fault->a, fault->b, fault->kind == FAULT_BREAK_SILENT);
        return true;
    case FAULT_SLOW:
        slow(fault);
        return true;
    case FAULT_LOSS:
        lose(fault, true);
        return true;
    case FAULT_CORRUPT:
        corrupt(fault, true);
        return true;
    default:
        break;
    }
    if (!is_up(fault->a))
        return false;
    switch (fault->kind) {
    case FAULT_KILL:
        end_node(fault, END_PROCESS);
        return true;
    case FAULT_POWER:
        end_node(fault, END_POWER);
        return true;
    case FAULT_KILL_AT_IO:
        kill_at_io(fault);
        return true;
    case FAULT_POWER_AT_WORD:
        kill_at_word(fault);
        return true;
    case FAULT_KILL_AT_DEVICE:
        kill_at_device(fault);
        return true;
    case FAULT_STOP:
        stop_node(fault);
        return true;
    case FAULT_PAUSE:
        node_pause(fault->a, true);
        return true;
    case FAULT_WRITE_ERROR:
        write_error(fault);
        return true;
    case FAULT_READ_ERROR:
    case FAULT_SHORT_WRITE:
    case FAULT_NO_ROOM:
        set_faults(fault, true);
        return true;
    case FAULT_DISK_FULL:
        fill_disk(fault);
        return true;
    case FAULT_SLOW_DISK:
        slow_disk(fault, true);
        return true;
    case FAULT_BIT_FLIP:
        return take_victim(fault) && flip_bit(fault);
    case FAULT_MISDIRECTED:
        return take_victim(fault) && misdirect(fault);
    case FAULT_RESTORE:
    case FAULT_HUB_RESTORE:
        return take_victim(fault) && take_snapshot(fault);
    case FAULT_DISK_LOST:
    case FAULT_HUB_LOST:
        return lose_disk(fault);
    case FAULT_CLONE:
        return clone_node(fault);
    case FAULT_TWINS:
        return start_twins(fault);
    case FAULT_STRANGER:
        return begin_stranger(fault);
    case FAULT_MEMORY:
        flip_memory(fault);
        return true;
    case FAULT_CLOCK_JUMP:
        jump(fault);
        return true;
    case FAULT_CLOCK_STUCK:
        stick(fault);
        return true;
    case FAULT_DEVICE:
        return harm_device(fault);
    case FAULT_SPLIT_SYNCS:
        return split_syncs(fault);
    default:
        return false; /* not yet */
    }
}

static void relieve(struct fault *fault)
{
    if (!fault->lasts)
        return;
    fault->lasts = false;
    record(fault, false);
    sim_cancel(&fault->begin);
    sim_cancel(&fault->end);
    switch (fault->kind) {
    case FAULT_CUT:
    case FAULT_FLAP:
        cut_both(fault, false);
        break;
    case FAULT_CUT_ONE_WAY:
        cut(fault->a, fault->b, false);
        break;
    case FAULT_ISLAND:
        cut_from_all(fault, false);
        break;
    case FAULT_SLOW:
        slow_over(fault);
        break;
    case FAULT_LOSS:
        lose(fault, false);
        break;
    case FAULT_CORRUPT:
        corrupt(fault, false);
        break;
    case FAULT_PAUSE:
        node_pause(fault->a, false);
        break;
    case FAULT_WRITE_ERROR:
        write_error_over(fault);
        break;
    case FAULT_READ_ERROR:
    case FAULT_SHORT_WRITE:
    case FAULT_NO_ROOM:
        set_faults(fault, false);
        break;
    case FAULT_DISK_FULL:
        disk_set_capacity(disk_of(fault), DISK_SIZE);
        break;
    case FAULT_SLOW_DISK:
        slow_disk(fault, false);
        break;
    case FAULT_RESTORE:
    case FAULT_HUB_RESTORE:
        restore(fault);
        break;
    case FAULT_CLONE:
    case FAULT_TWINS:
        end_clone(fault);
        break;
    case FAULT_STRANGER:
        socket_close(fault->socket, false);
        break;
    case FAULT_MEMORY:
        fault->a->flip_packages = 0;
        break;
    case FAULT_CLOCK_STUCK:
        fault->a->clock.stuck = false;
        break;
    case FAULT_DEVICE:
        if (second_harm_end(&fault->harm, &fault->dice))
            node_restart_after(fault->a, down_time(fault));
        break;
    case FAULT_SPLIT_SYNCS:
        fault->a->second.split = SPLIT_NOT;
        break;
    default:
        return;
    }
    sim_tell(fault->a, "is over: fault %u, %s", fault->number, fault_name(fault->kind));
}

static void on_end(struct sim_event *event)
{
    relieve((struct fault *)((char *)event - offsetof(struct fault, end)));
}

static void on_begin(struct sim_event *event)
{
    struct fault *fault = (struct fault *)((char *)event - offsetof(struct fault, begin));
    if (fault->lasts) {
        if (fault->kind == FAULT_FLAP)
            flap(fault);
        else
            stranger_speaks(fault);
        return;
    }
    choose(fault);
    if (!inflict(fault))
        return;
    sim_fault(fault->a, fault_name(fault->kind));
    record(fault, true);
    sim_tell(fault->a, "FAULT %u: %s%s%s", fault->number, fault_name(fault->kind),
             fault->b ? ", with " : "", fault->b ? fault->b->name : "");
    fault->lasts = true;
    sim_after(&fault->end, fault->lasts_ns);
}

/* ---- the schedule ---------------------------------------------------------------------------- */

/* One of the kinds from `first` on. */
static enum fault_kind draw_kind(struct dice *dice, const unsigned *weight, unsigned first,
                                 unsigned sum)
{
    uint64_t draw = dice_below(dice, sum);
    unsigned kind = 0;
    while (draw >= weight[kind])
        draw -= weight[kind++];
    return (enum fault_kind)(first + kind);
}

static void plan(const struct swarm *swarm, const bool *kept, struct dice *dice,
                 const unsigned *weight, unsigned first, unsigned count, int64_t every_ns)
{
    unsigned sum = 0;
    for (unsigned kind = 0; kind < count; kind++)
        sum += weight[kind];
    if (sum == 0)
        return;
    int64_t at_ns = 10 * SIM_S;
    while (storm.count < STORM_FAULT_MAX) {
        at_ns += SIM_MS + dice_exponential(dice, every_ns);
        if (at_ns >= swarm->storm_ns)
            break;
        struct fault *fault = &storm.faults[storm.count];
        fault->number = storm.count;
        fault->kind = draw_kind(dice, weight, first, sum);
        fault->at_ns = at_ns;
        fault->lasts_ns = SIM_MS + dice_exponential(dice, swarm->fault_lasts_ns);
        fault->draw = dice_u64(dice);
        dice_seed(&fault->dice, fault->draw, "fault");
        fault->kept = kept == NULL || kept[storm.count];
        fault->begin.run = on_begin;
        fault->end.run = on_end;
        storm.count++;
    }
}

unsigned storm_plan(const struct swarm *swarm, const bool *kept)
{
    memset(&storm, 0, sizeof storm);
    storm.swarm = swarm;
    plan(swarm, kept, random_stream(STREAM_FAULTS), swarm->weight, 0, FAULT_SWARM_COUNT,
         swarm->fault_every_ns);
    if (swarm->second.percent > 0)
        plan(swarm, kept, random_stream(STREAM_SECOND), swarm->second.weight, FAULT_SWARM_COUNT,
             SECOND_KIND_COUNT, swarm->second.every_ns);
    static const unsigned always = 1;
    if (swarm->misdirected_every_ns > 0)
        plan(swarm, kept, random_stream(STREAM_MISDIRECTED), &always, FAULT_MISDIRECTED, 1,
             swarm->misdirected_every_ns);
    return storm.count;
}

void storm_begin(void)
{
    for (unsigned i = 0; i < storm.count; i++)
        if (storm.faults[i].kept)
            sim_at(&storm.faults[i].begin, storm.faults[i].at_ns);
}

/* A start compares a province's log/ with its journal, and makes good what was damaged. */
static void mend(struct sim_node *node)
{
    if (node->second.disk == NULL || node->second.journal_out || node->role == ROLE_HUB) {
        storm_replace_disk(node);
        return;
    }
    node_kill(node, END_PROCESS);
    node->damaged = false;
}

static void heal_disk(struct disk *disk)
{
    if (disk == NULL)
        return;
    disk_set_faults(disk, &(struct disk_faults){ 0 });
    disk_set_capacity(disk, DISK_SIZE);
}

static void heal_node(struct sim_node *node)
{
    heal_disk(node->disk);
    heal_disk(node->second.disk);
    node->second.sync_extra_ns = 0;
    node->crash_at_call = 0;
    node->crash_at_word = 0;
    node->crash_at_device_call = 0;
    sim_cancel(&node->crash);
    node->sync_extra_ns = 0;
    node->clock.stuck = false;
    node->short_lives = 0;
    if (node->damaged && !node->retired)
        mend(node);
    node_pause(node, false);
    if (node->life == NODE_DOWN && !node->retired && !sim_is_scheduled(&node->restart))
        node_restart_after(node, SIM_S);
    else if (sim_is_scheduled(&node->restart))
        node_restart_after(node, SIM_S);
}

void storm_heal(void)
{
    world.healing = true;
    for (unsigned i = 0; i < storm.count; i++) {
        sim_cancel(&storm.faults[i].begin);
        relieve(&storm.faults[i]);
    }
    for (unsigned from = 0; from < world.node_count; from++) {
        for (unsigned to = 0; to < world.node_count; to++) {
            struct net_path *path = net_path(&world.nodes[from], &world.nodes[to]);
            path->clogged_until_ns = 0;
            path->corrupt = path->duplicate = path->reorder = path->drop = 0;
            path->loss_percent = 0;
            path->bandwidth = 0;
            cut(&world.nodes[from], &world.nodes[to], false);
        }
        heal_node(&world.nodes[from]);
    }
    sim_tell(NULL, "all faults are over");
}

bool storm_describe(unsigned number, char out[160])
{
    if (number >= storm.count)
        return false;
    const struct fault *fault = &storm.faults[number];
    int64_t second = fault->at_ns / SIM_S;
    snprintf(out, 160,
             "fault %u at %" PRId64 "d %02" PRId64 ":%02" PRId64 ":%02" PRId64 ": %s %s%s%s, %.1f s",
             number, second / 86400, second / 3600 % 24, second / 60 % 60, second % 60,
             fault_name(fault->kind), fault->a ? fault->a->name : "(did not come to it)",
             fault->b ? " " : "", fault->b ? fault->b->name : "",
             (double)fault->lasts_ns / (double)SIM_S);
    return true;
}

void storm_end(void)
{
    for (unsigned i = 0; i < storm.count; i++) {
        sim_cancel(&storm.faults[i].begin);
        sim_cancel(&storm.faults[i].end);
    }
    storm.count = 0;
}
