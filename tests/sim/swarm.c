#include "tests/sim/swarm.h"

#include "proto/base/require.h"
#include "tests/sim/random.h"
#include "tests/sim/second.h"

#define MIB ((size_t)1 << 20)

/* What a seed has about, so that thousands can be run. */
#define REQUESTS_MAX   400.0
#define FAULTS_MAX     80
#define IDLE_TICKS_MAX 3600  /* of an idle thread */
#define SHORT_NS       (1800 * SIM_S)
#define LONG_NS        (7 * SIM_DAY)
#define REQUESTS_LONG  190.0 /* a province and day, when it lasts for weeks */

const char *fault_name(enum fault_kind kind)
{
    static const char *const names[] = {
#define FAULT_TEXT(NAME, text) text,
        FAULT_LIST(FAULT_TEXT)
#undef FAULT_TEXT
    };
    return names[kind];
}

/* ---- what every seed draws ------------------------------------------------------------------- */

static int64_t draw_between(int64_t low, int64_t high)
{
    return dice_between(random_stream(STREAM_SWARM), low, high);
}

/* Evenly over the magnitudes between the two. */
static int64_t draw_magnitude(int64_t low, int64_t high)
{
    int64_t value = low;
    int octaves = 0;
    while (low << (octaves + 1) <= high)
        octaves++;
    value <<= draw_between(0, octaves);
    value += draw_between(0, value);
    return value > high ? high : value;
}

static bool draw_chance(unsigned count, unsigned of)
{
    return dice_chance(random_stream(STREAM_SWARM), count, of);
}

static void draw_world(struct swarm *swarm)
{
    swarm->hub_count = draw_chance(1, 2) ? 1 : (unsigned)draw_between(2, 3);
    swarm->province_count = (unsigned)draw_magnitude(1, 6);
    if (draw_chance(1, 25))
        swarm->province_count = 31;
    swarm->national_receipts = (unsigned)draw_between(1, swarm->hub_count);
    swarm->requests_a_day = (double)draw_magnitude(100, 800);
    swarm->follow_after_ns = 1800 * SIM_S;
    swarm->bother = 1;
    swarm->burst = 1;
    swarm->storm_ns = draw_magnitude(SIM_S * 3600 * 6, SIM_DAY * 4);
    swarm->delay_ns = draw_magnitude(100 * SIM_US, 400 * SIM_MS);
    swarm->jitter_ns = draw_chance(1, 2) ? 0 : swarm->delay_ns / 2;
    swarm->sync_ns = draw_magnitude(50 * SIM_US, 30 * SIM_MS);
    swarm->drift_ppm = draw_chance(1, 2) ? 0 : draw_magnitude(1, 300);
    swarm->clock_off_ns = draw_chance(1, 2) ? 0 : draw_magnitude(SIM_MS, 3600 * SIM_S);
    swarm->idle_ns = draw_chance(1, 8) ? 0 : draw_magnitude(SIM_S, 600 * SIM_S);
    swarm->ping_after_ns = draw_chance(1, 4) ? 15 * SIM_S : draw_magnitude(15 * SIM_S, 900 * SIM_S);
    swarm->yield_percent = draw_chance(1, 2) ? 0 : (unsigned)draw_between(1, 30);
    swarm->real_crypto = draw_chance(1, 10);
}

static void draw_sizes(struct swarm *swarm)
{
    swarm->map_size = (size_t)draw_magnitude(1, 64) * MIB;
    swarm->reserve_size = draw_chance(1, 2) ? MIB : (size_t)draw_between(1, 8) * MIB / 2;
    swarm->memory_size = (size_t)draw_magnitude(64, 8192) << 10;
    swarm->queue_max = (size_t)draw_magnitude(16, 4096);
    swarm->group_max = (size_t)draw_magnitude(2, 512);
    swarm->verify_rate = draw_chance(1, 3) ? 64 * MIB : 0;
}

/* A seed knows a part of the faults only: together they hide each other. */
static void draw_faults(struct swarm *swarm)
{
    swarm->fault_every_ns = draw_magnitude(60 * SIM_S, 7200 * SIM_S);
    swarm->fault_lasts_ns = draw_magnitude(SIM_S, 3600 * SIM_S);
    for (unsigned kind = 0; kind < FAULT_MIXED_COUNT; kind++)
        swarm->weight[kind] = draw_chance(1, 2) ? (unsigned)draw_between(1, 10) : 0;
}

/* How people call: one by one, or many in the same moment, as on the day after a storm. Then a group
 * commit, a package and a fold have many records. It came later than the rest: a stream of its own, whose
 * name is such that the seeds in `regress` have none, leaves their worlds as they were. */
static void draw_bursts(struct swarm *swarm)
{
    struct dice *dice = random_stream(STREAM_PACE);
    swarm->burst = 1;
    if (dice_chance(dice, 1, 2))
        return;
    swarm->burst = 2u << dice_below(dice, 6);
    /* A full queue refuses, as it should, and many small groups take their time. */
    while (swarm->burst > swarm->queue_max / 2 || swarm->burst > swarm->group_max)
        swarm->burst /= 2;
    swarm->requests_a_day *= 2.0 / (swarm->burst + 1);
}

static int64_t at_most(int64_t value, int64_t limit)
{
    return value < limit ? value : limit;
}

/* Many seeds say more than long ones: each incarnation is a log more that all nodes hold and compare
 * for ever after, and what idle threads do tells the least. Weeks are for the profiles that are
 * about them. */
static void keep_short(struct swarm *swarm)
{
    double requests_a_day =
        swarm->requests_a_day * (swarm->burst + 1) / 2 * swarm->province_count;
    int64_t limit = (int64_t)(REQUESTS_MAX / requests_a_day * (double)SIM_DAY);
    limit = at_most(limit, FAULTS_MAX * swarm->fault_every_ns);
    limit = at_most(limit, IDLE_TICKS_MAX * (swarm->idle_ns / 2 + SIM_S));
    swarm->storm_ns = at_most(swarm->storm_ns, limit > SHORT_NS ? limit : SHORT_NS);
}

static int64_t at_least(int64_t value, int64_t limit)
{
    return value > limit ? value : limit;
}

/* Weeks with as many records as a seed otherwise has in a day: they come in bursts, so that they cost
 * little; idle threads sleep, quiet links are left alone. A second device is harmed no more often than
 * other things happen: else a node lives through thousands of starts, which cost more than all else
 * in a month and which short seeds have as well. */
static void make_long(struct swarm *swarm, int64_t storm_ns, int64_t fault_every_ns)
{
    swarm->storm_ns = storm_ns;
    swarm->fault_every_ns = fault_every_ns;
    swarm->second.every_ns = at_least(swarm->second.every_ns, fault_every_ns);
    swarm->province_count = (unsigned)at_most(swarm->province_count, 6);
    swarm->idle_ns = 600 * SIM_S;
    swarm->ping_after_ns = 900 * SIM_S;
    swarm->burst = 64;
    if (swarm->queue_max < 4 * swarm->burst)
        swarm->queue_max = 4 * swarm->burst;
    if (swarm->group_max < 2 * swarm->burst)
        swarm->group_max = 2 * swarm->burst;
    swarm->requests_a_day = REQUESTS_LONG * 2.0 / (swarm->burst + 1);
}

static void keep_only(struct swarm *swarm, const enum fault_kind *kinds, size_t count)
{
    unsigned kept[FAULT_COUNT] = { 0 };
    for (size_t i = 0; i < count; i++)
        kept[kinds[i]] = (unsigned)draw_between(1, 10);
    for (unsigned kind = 0; kind < FAULT_SWARM_COUNT; kind++)
        swarm->weight[kind] = kept[kind];
}

/* ---- profiles -------------------------------------------------------------------------------- */

static void profile_calm(struct swarm *swarm)
{
    keep_only(swarm, NULL, 0);
}

static void profile_quiet_long(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_CUT, FAULT_KILL, FAULT_RESET, FAULT_LOSS };
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    make_long(swarm, 30 * SIM_DAY, 6 * 3600 * SIM_S);
}

static void profile_storm(struct swarm *swarm)
{
    for (unsigned kind = 0; kind < FAULT_MIXED_COUNT; kind++)
        swarm->weight[kind] = (unsigned)draw_between(1, 10);
    swarm->fault_every_ns = draw_magnitude(10 * SIM_S, 300 * SIM_S);
}

static void profile_thirty_days(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_ISLAND, FAULT_KILL, FAULT_POWER };
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    make_long(swarm, 32 * SIM_DAY, 12 * 3600 * SIM_S);
    swarm->fault_lasts_ns = 20 * SIM_DAY;
}

static void profile_clones(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_CLONE, FAULT_RESTORE, FAULT_HUB_RESTORE,
                                             FAULT_CUT, FAULT_POWER };
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->fault_every_ns = draw_magnitude(600 * SIM_S, 7200 * SIM_S);
}

static void profile_corrupt(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_CORRUPT, FAULT_BIT_FLIP, FAULT_STRANGER,
                                             FAULT_READ_ERROR, FAULT_SHORT_WRITE };
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
}

static void profile_disk_full(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_DISK_FULL, FAULT_POWER, FAULT_KILL, FAULT_CUT };
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->weight[FAULT_DISK_FULL] = 30;
    swarm->burst = 1;
    swarm->requests_a_day = (double)draw_between(2000, 8000);
}

static void profile_malicious(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_STRANGER, FAULT_CORRUPT, FAULT_CUT, FAULT_RESET,
                                             FAULT_KILL };
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->weight[FAULT_STRANGER] = 20;
    swarm->liar_one_in = 1u << dice_below(random_stream(STREAM_LIAR), 8);
}

static void profile_hub_churn(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_HUB_LOST, FAULT_HUB_RESTORE, FAULT_POWER,
                                             FAULT_CUT };
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->hub_count = (unsigned)draw_between(2, 3);
    swarm->national_receipts = (unsigned)draw_between(1, swarm->hub_count);
}

/* The core's limits, so low that a few hundred records reach them. */
static void draw_tight_core(struct swarm *swarm)
{
    swarm->credit_window = (uint64_t)draw_magnitude(1, 4) * MIB;
    swarm->checkpoint_step = (uint64_t)draw_magnitude(4, 1024);
    swarm->batch_size = (uint64_t)draw_magnitude(32, 1024) << 10;
    swarm->catchup_threshold = (uint64_t)draw_magnitude(8, 1024);
    swarm->catchup_quantum = (uint64_t)draw_magnitude(16, 4096);
    swarm->catchup_links = (size_t)draw_between(1, 3);
}

/* A quarter of an hour in which as much happens as otherwise in days: few nodes, many requests that
 * people soon come back to, everything small, faults that follow one another closely, and power that
 * goes just when something has been said. What needs two rare things at a time comes about here. */
static void profile_dense(struct swarm *swarm)
{
    swarm->hub_count = (unsigned)draw_between(1, 3);
    swarm->province_count = (unsigned)draw_between(1, 3);
    swarm->national_receipts = (unsigned)draw_between(1, swarm->hub_count);
    swarm->requests_a_day = (double)draw_magnitude(20000, 100000);
    swarm->storm_ns = draw_magnitude(300 * SIM_S, 1800 * SIM_S);
    swarm->follow_after_ns = draw_magnitude(SIM_S, 60 * SIM_S);
    swarm->bother = (double)draw_between(1, 5);
    swarm->burst = draw_chance(1, 2) ? 1 : (unsigned)draw_magnitude(2, 32);
    if (swarm->burst > 2 * swarm->group_max)
        swarm->burst = 2 * (unsigned)swarm->group_max; /* more, and the last ones wait too long: I22 */
    if (swarm->burst > swarm->queue_max / 2)
        swarm->burst = (unsigned)swarm->queue_max / 2; /* a full queue refuses, as it should */
    swarm->requests_a_day *= 2.0 / (1 + swarm->burst);
    swarm->text_size = draw_chance(1, 2) ? 0 : (size_t)draw_magnitude(256, 6000);
    swarm->idle_ns = draw_chance(1, 2) ? 0 : draw_magnitude(SIM_S, 10 * SIM_S);
    swarm->ping_after_ns = 15 * SIM_S;
    swarm->map_size = (size_t)draw_magnitude(1, 4) * MIB;
    swarm->memory_size = (size_t)draw_magnitude(64, 512) << 10;
    draw_tight_core(swarm);
    swarm->fault_every_ns = draw_magnitude(5 * SIM_S, 120 * SIM_S);
    swarm->fault_lasts_ns = draw_magnitude(SIM_S, 120 * SIM_S);
    for (unsigned kind = FAULT_MIXED_COUNT; kind < FAULT_SWARM_COUNT; kind++)
        swarm->weight[kind] = draw_chance(1, 2) ? (unsigned)draw_between(1, 10) : 0;
    swarm->weight[FAULT_TWINS] = 0;
}

/* ---- dense, with few kinds of faults: what one of them brings about is not hidden by the others ---- */

static void profile_twins(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_TWINS, FAULT_CUT, FAULT_KILL };
    profile_dense(swarm);
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
}

static void profile_two_devices(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_KILL,        FAULT_POWER,     FAULT_KILL_AT_IO,
                                             FAULT_CUT,         FAULT_DISK_FULL, FAULT_SLOW_DISK,
                                             FAULT_WRITE_ERROR, FAULT_READ_ERROR };
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    second_insist(swarm);
}

/* Minutes without a hub, and what piles up meanwhile. */
static void profile_islands(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_ISLAND, FAULT_KILL, FAULT_POWER_AT_WORD,
                                             FAULT_SLOW };
    profile_dense(swarm);
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->fault_every_ns = draw_magnitude(10 * SIM_S, 60 * SIM_S);
    swarm->fault_lasts_ns = draw_magnitude(30 * SIM_S, 240 * SIM_S);
    swarm->checkpoint_step = (uint64_t)draw_magnitude(4, 64);
}

/* Many provinces without a hub at a time, far away and so at it for seconds when they come back; it lets one
 * after the other catch up. */
static void profile_crowd(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_ISLAND, FAULT_SLOW };
    profile_dense(swarm);
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->hub_count = swarm->national_receipts = 1;
    swarm->province_count = (unsigned)draw_between(5, 9);
    swarm->storm_ns = 600 * SIM_S;
    swarm->fault_every_ns = 10 * SIM_S;
    swarm->fault_lasts_ns = 200 * SIM_S;
    swarm->delay_ns = draw_magnitude(300 * SIM_MS, 1500 * SIM_MS);
    swarm->catchup_threshold = 8;
    swarm->catchup_quantum = (uint64_t)draw_magnitude(16, 256);
    swarm->catchup_links = 1;
}

/* Long texts, and links that last. */
static void profile_bulk(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_SLOW, FAULT_CLOG, FAULT_PAUSE };
    profile_dense(swarm);
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->province_count = 1;
    swarm->storm_ns = 1800 * SIM_S;
    swarm->requests_a_day = 200000;
    swarm->text_size = (size_t)draw_magnitude(1500, 6000);
    swarm->fault_every_ns = 300 * SIM_S;
    swarm->fault_lasts_ns = 5 * SIM_S;
}

/* Incarnations are closed while groups are under way: clocks go back, own records come back, and syncs
 * are slow. */
static void profile_reopening(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_CLOCK_JUMP, FAULT_SLOW_DISK, FAULT_RESTORE };
    profile_dense(swarm);
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->sync_ns = draw_magnitude(10 * SIM_MS, 300 * SIM_MS);
    swarm->fault_every_ns = draw_magnitude(5 * SIM_S, 20 * SIM_S);
    swarm->fault_lasts_ns = draw_magnitude(5 * SIM_S, 60 * SIM_S);
}

static void profile_memory(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_MEMORY, FAULT_ISLAND, FAULT_KILL };
    profile_dense(swarm);
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->text_size = 0; /* else it is always the text that is hit */
    swarm->weight[FAULT_MEMORY] = 20;
    swarm->fault_every_ns = draw_magnitude(5 * SIM_S, 30 * SIM_S);
}

static void profile_no_room(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_NO_ROOM, FAULT_DISK_FULL, FAULT_KILL };
    profile_dense(swarm);
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->fault_every_ns = draw_magnitude(5 * SIM_S, 30 * SIM_S);
}

static void profile_crashes(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_KILL_AT_DEVICE, FAULT_POWER_AT_WORD,
                                             FAULT_KILL_AT_IO, FAULT_WRITE_ERROR };
    profile_dense(swarm);
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->memory_size = (size_t)64 << 10; /* views are written often */
    swarm->fault_every_ns = draw_magnitude(5 * SIM_S, 30 * SIM_S);
}

static void profile_put_back(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_RESTORE, FAULT_CUT, FAULT_DISK_LOST };
    profile_dense(swarm);
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->weight[FAULT_RESTORE] = 10;
}

/* Large groups, so that batches have pages of their own. */
static void profile_misdirected(struct swarm *swarm)
{
    static const enum fault_kind kinds[] = { FAULT_KILL, FAULT_POWER, FAULT_CUT };
    keep_only(swarm, kinds, sizeof kinds / sizeof kinds[0]);
    swarm->second.percent = (unsigned)draw_between(0, 2) * 50;
    swarm->second.weight[SECOND_HARM] = swarm->second.weight[SECOND_SPLIT] = 0;
    swarm->text_size = (size_t)draw_magnitude(1000, 6000);
    swarm->requests_a_day = (double)draw_between(400, 4000);
    swarm->verify_rate = draw_chance(1, 2) ? 64 * MIB : 0;
    swarm->misdirected_every_ns = draw_magnitude(60 * SIM_S, 1800 * SIM_S);
}

/* What most seeds draw, asked for by name. */
static void profile_mixed(struct swarm *swarm)
{
    (void)swarm;
}

static const struct profile {
    const char *name;
    const char *line;
    void (*apply)(struct swarm *swarm);
} PROFILES[] = {
    { "calm", "no faults", profile_calm },
    { "quiet-long", "a month with a few of the usual faults", profile_quiet_long },
    { "storm", "every kind of fault, often", profile_storm },
    { "thirty-day-partition", "provinces cut off for weeks", profile_thirty_days },
    { "clone-heavy", "restored, cloned nodes and hubs", profile_clones },
    { "corrupt-heavy", "damage on the wire and on the disk", profile_corrupt },
    { "disk-full", "disks run full and get room again", profile_disk_full },
    { "malicious", "a node with valid keys that lies; strangers, replays, damage", profile_malicious },
    { "hub-churn", "hubs are lost and come back from old backups", profile_hub_churn },
    { "dense", "a quarter of an hour in which much happens to little", profile_dense },
    { "twins", "dense: two machines from one image, with one random state", profile_twins },
    { "islands", "dense: minutes without a hub", profile_islands },
    { "crowd", "dense: many provinces come back to a hub that lets in one at a time", profile_crowd },
    { "bulk", "dense: much to carry over links that last", profile_bulk },
    { "reopening", "dense: clocks go back while slow disks sync", profile_reopening },
    { "memory", "dense: bits flip in senders' memory", profile_memory },
    { "no-room", "dense: writes find no room now and then", profile_no_room },
    { "crashes", "dense: processes and power end at the worst moments", profile_crashes },
    { "put-back", "dense: provinces from older snapshots and on empty disks", profile_put_back },
    { "two-devices", "a journal everywhere; one of two devices is lost or damaged",
      profile_two_devices },
    { "misdirected", "one node's disk writes to wrong places", profile_misdirected },
    { "mixed", "some kinds of faults, as most seeds have that ask for no profile", profile_mixed },
};
#define PROFILE_COUNT (sizeof PROFILES / sizeof PROFILES[0])
/* A seed draws from 0 to 18: 1 to 9 are the first of these profiles, all else is mixed. The later ones
 * have to be asked for. */
#define DRAWN_MAX    18
#define DRAWN_NAMED  9

const char *const *swarm_profiles(void)
{
    static const char *lines[2 * PROFILE_COUNT + 1];
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        lines[2 * i] = PROFILES[i].name;
        lines[2 * i + 1] = PROFILES[i].line;
    }
    return lines;
}

bool swarm_draw(struct swarm *swarm, const char *profile)
{
    *swarm = (struct swarm){ .profile = "mixed" };
    draw_world(swarm);
    draw_sizes(swarm);
    draw_faults(swarm);
    second_draw(swarm);
    draw_bursts(swarm);
    bool named = profile != NULL && profile[0] != '\0';
    size_t drawn = (size_t)draw_between(0, DRAWN_MAX);
    if (drawn > DRAWN_NAMED)
        drawn = 0;
    for (size_t i = 0; i < PROFILE_COUNT; i++)
        if (named ? strcmp(PROFILES[i].name, profile) == 0 : drawn > 0 && i == drawn) {
            swarm->profile = PROFILES[i].name;
            PROFILES[i].apply(swarm);
        }
    if (swarm->storm_ns < LONG_NS)
        keep_short(swarm);
    return !named || strcmp(profile, swarm->profile) == 0;
}
