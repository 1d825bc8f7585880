#include "tests/sim/second.h"

#include "proto/base/require.h"
#include "tests/sim/recorder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_KEY_SIZE    12
#define BATCH_SIZE_MIN    64
#define META_SIZE         8192 /* both of LMDB's meta pages */
#define SEGMENT_COUNT_MAX 256
#define SPLIT_SLOW_NS     (500 * SIM_MS)
#define VERIFY_RATE       (64U << 20)

enum variant {
    LOG_DELETED,
    DATA_EMPTIED,
    LOG_FLIPPED,
    LOG_BEHEADED,
    LOG_CUT,
    LOG_PUT_BACK,
    VIEWS_DELETED, /* from here on of hubs, too */
    JOURNAL_EMPTIED,
    JOURNAL_FLIPPED,
    JOURNAL_CUT,
    JOURNAL_PUT_BACK,
    VARIANT_COUNT
};

static const struct {
    const char *told;    /* in the story and the counters */
    const char *history; /* of a fault at rest; NULL: told as a loss or as a restore */
} VARIANTS[VARIANT_COUNT] = {
    [LOG_DELETED] = { "log/ deleted", NULL },
    [DATA_EMPTIED] = { "data device emptied", NULL },
    [LOG_FLIPPED] = { "log/ flipped", "rest.flip" },
    [LOG_BEHEADED] = { "log/ beheaded", "rest.beheaded" },
    [LOG_CUT] = { "log/ cut", "rest.cut" },
    [LOG_PUT_BACK] = { "log/ put back", NULL },
    [VIEWS_DELETED] = { "views/ deleted", NULL },
    [JOURNAL_EMPTIED] = { "journal device emptied", NULL },
    [JOURNAL_FLIPPED] = { "journal flipped", "rest.journal_flip" },
    [JOURNAL_CUT] = { "journal cut", "rest.journal_cut" },
    [JOURNAL_PUT_BACK] = { "journal put back", NULL },
};

/* ---- what a seed draws ----------------------------------------------------------------------- */

static int64_t draw(int64_t low, int64_t high)
{
    return dice_between(random_stream(STREAM_SECOND), low, high);
}

void second_draw(struct swarm *swarm)
{
    bool any = draw(1, 3) == 1;
    struct swarm_second *second = &swarm->second;
    second->percent = any ? (unsigned)draw(1, 2) * 50 : 0;
    second->segment_size = (uint64_t)64 << (10 + draw(0, 3));
    second->keep_size = second->segment_size * (uint64_t)draw(2, 16);
    second->weight[SECOND_HARM] = (unsigned)draw(0, 4);
    second->weight[SECOND_SPLIT] = (unsigned)draw(0, 4);
    second->every_ns = draw(300, 7200) * SIM_S;
}

void second_insist(struct swarm *swarm)
{
    swarm->second.percent = 100;
    swarm->second.weight[SECOND_HARM] = 4;
    swarm->second.weight[SECOND_SPLIT] = 1;
    swarm->second.every_ns = draw(60, 1800) * SIM_S;
    swarm->second.keep_size = swarm->second.segment_size * (uint64_t)draw(1, 4);
    swarm->requests_a_day = (double)draw(400, 6000); /* so that segments are recycled */
    swarm->verify_rate = VERIFY_RATE;
}

/* ---- a node's ----------------------------------------------------------------------------------- */

/* The same hooks as the first device's: who calls tells them apart by the disk. */
static void make_disk(struct sim_node *node, const struct disk_options *first)
{
    struct disk_options options = *first;
    snprintf(node->second.folder, sizeof node->second.folder, "%.100s/second", node->folder);
    require(mkdir(node->second.folder, 0700) == 0 || errno == EEXIST);
    options.path = node->second.folder;
    options.seed = dice_u64(random_stream(STREAM_SECOND));
    require(disk_new(&node->second.disk, &options) == OK);
    disk_set_capacity(node->second.disk, DISK_SIZE);
}

void second_make(struct sim_node *node, const struct sim_node *twin,
                 const struct disk_options *first)
{
    bool has = twin ? twin->second.disk != NULL
                    : draw(1, 100) <= (int64_t)world.swarm->second.percent;
    if (has)
        make_disk(node, first);
}

void second_configure(const struct sim_node *node, struct config *config)
{
    char path[SIM_PATH_SIZE + 16];
    if (node->second.disk == NULL)
        return;
    snprintf(path, sizeof path, "%s/journal", node->second.folder);
    config->journal_path = strdup(path);
    config->journal_segment_size = world.swarm->second.segment_size;
    config->journal_keep_size = world.swarm->second.keep_size;
}

/* ---- which of the two is whole ------------------------------------------------------------------ */

void second_on_start(struct sim_node *node)
{
    node->second.proven = node->second.failed = node->second.lacks = false;
}

/* What waits in the journal for records that only a hub has stands nowhere else until the hub is reached: to lose
 * the journal as well would be a second loss. */
void second_on_event(struct sim_node *node, const char *event)
{
    if (strcmp(event, "records.missing") == 0)
        node->second.lacks = true;
    else if (strcmp(event, "records.complete") == 0)
        node->second.lacks = false;
    else
        return;
    if (node->second.proven && !node->second.lacks)
        node->second.log_out = false;
}

/* A node that answers has compared both. */
void second_on_answer(struct sim_node *node)
{
    if (node->second.proven)
        return;
    node->second.proven = true;
    node->second.log_out = node->second.log_out && node->second.lacks;
    node->second.journal_out = node->second.failed;
}

/* ---- harms -------------------------------------------------------------------------------------- */

static bool is_of_journal(unsigned variant)
{
    return variant >= JOURNAL_EMPTIED;
}

static bool is_within_model(const struct sim_node *node, unsigned variant)
{
    const struct second *second = &node->second;
    if (variant == VIEWS_DELETED)
        return true;
    if (variant == LOG_FLIPPED && world.swarm->verify_rate == 0)
        return false; /* behind what the journal has, only verification finds it */
    return !node->damaged && (is_of_journal(variant) ? !second->log_out : !second->journal_out);
}

static int number_order(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

/* Some segment of the journal; false when there is none. */
static bool any_segment(const struct sim_node *node, struct dice *dice, char out[64])
{
    char path[SIM_PATH_SIZE + 16];
    unsigned numbers[SEGMENT_COUNT_MAX], count = 0;
    snprintf(path, sizeof path, "%s/journal", node->second.folder);
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        if (count < SEGMENT_COUNT_MAX &&
            sscanf(entry->d_name, "segment-%8u", &numbers[count]) == 1)
            count++;
    if (folder)
        closedir(folder);
    if (count == 0)
        return false;
    qsort(numbers, count, sizeof numbers[0], number_order);
    snprintf(out, 64, "journal/segment-%08u", numbers[dice_below(dice, count)]);
    return true;
}

static bool flip_batches(struct sim_node *node, struct dice *dice)
{
    uint64_t offset;
    unsigned times = (unsigned)dice_between(dice, 1, 8), done = 0;
    for (unsigned i = 0; i < times; i++)
        done += disk_flip(node->disk, "log/data.mdb", BATCH_KEY_SIZE, BATCH_SIZE_MIN, &offset);
    return done > 0;
}

static bool harm_journal(struct sim_node *node, unsigned variant, struct dice *dice)
{
    char segment[64];
    if (!any_segment(node, dice, segment))
        return false;
    return variant == JOURNAL_CUT
               ? disk_cut(node->second.disk, segment)
               : disk_scribble(node->second.disk, segment, (unsigned)dice_between(dice, 1, 8));
}

static void stop_for_harm(struct sim_node *node, struct dice *dice)
{
    node_kill(node, dice_chance(dice, 1, 2) ? END_POWER : END_PROCESS);
}

bool second_misdirect(struct sim_node *node, bool journal, struct dice *dice)
{
    char segment[64];
    uint64_t offset;
    if (!is_within_model(node, journal ? JOURNAL_FLIPPED : LOG_FLIPPED) ||
        (journal && !any_segment(node, dice, segment)))
        return false;
    stop_for_harm(node, dice);
    if (journal)
        disk_misplace(node->second.disk, segment);
    else
        disk_misdirect(node->disk, "log/data.mdb", BATCH_KEY_SIZE, BATCH_SIZE_MIN, &offset);
    *(journal ? &node->second.journal_out : &node->second.log_out) = true;
    sim_tell(node, "a write went to a wrong place of %s", journal ? segment : "log/data.mdb");
    return true;
}

/* Of a node that is down. */
static bool do_harm(struct sim_node *node, unsigned variant, struct dice *dice)
{
    switch (variant) {
    case LOG_DELETED:
        return disk_remove(node->disk, "log") == OK;
    case DATA_EMPTIED:
        return disk_restore(node->disk, "") == OK;
    case LOG_FLIPPED:
        return flip_batches(node, dice);
    case LOG_BEHEADED:
        return disk_behead(node->disk, "log/data.mdb", META_SIZE);
    case LOG_CUT:
        return disk_cut(node->disk, "log/data.mdb");
    case VIEWS_DELETED:
        return disk_remove(node->disk, "views") == OK;
    case JOURNAL_EMPTIED:
        return disk_restore(node->second.disk, "") == OK;
    default:
        return harm_journal(node, variant, dice);
    }
}

static void tell(struct sim_node *node, unsigned variant)
{
    sim_fault(node, VARIANTS[variant].told);
    sim_tell(node, "%s", VARIANTS[variant].told);
    if (is_of_journal(variant))
        node->second.journal_out = true;
    else if (variant != VIEWS_DELETED)
        node->second.log_out = true;
    if (VARIANTS[variant].history) {
        recorder_fault(node, VARIANTS[variant].history, NULL, true);
        recorder_fault(node, VARIANTS[variant].history, NULL, false);
    } else if (variant != LOG_PUT_BACK && variant != JOURNAL_PUT_BACK) {
        recorder_lost(node, is_of_journal(variant)     ? "journal"
                            : variant == VIEWS_DELETED ? "views"
                                                       : "log");
    }
}

bool second_harm(struct harm *harm, struct sim_node *node, struct dice *dice)
{
    unsigned first = node->role == ROLE_HUB ? VIEWS_DELETED : 0;
    *harm = (struct harm){ .node = node,
                           .variant = first + (unsigned)dice_below(dice, VARIANT_COUNT - first) };
    if (node->second.disk == NULL || !is_within_model(node, harm->variant))
        return false;
    if (harm->variant == LOG_PUT_BACK || harm->variant == JOURNAL_PUT_BACK) {
        struct disk *disk = harm->variant == LOG_PUT_BACK ? node->disk : node->second.disk;
        snprintf(harm->snapshot, sizeof harm->snapshot, "%.100s/harm-%08x", node->folder,
                 (unsigned)dice_u64(dice));
        harm->since_ns = sim_now_ns();
        return disk_snapshot(disk, harm->snapshot, disk_draw_fate(disk)) == OK;
    }
    stop_for_harm(node, dice);
    if (do_harm(node, harm->variant, dice))
        tell(node, harm->variant);
    return true;
}

bool second_harm_end(struct harm *harm, struct dice *dice)
{
    struct sim_node *node = harm->node;
    if (harm->snapshot[0] == '\0' || node->retired || !is_within_model(node, harm->variant))
        return false;
    bool journal = harm->variant == JOURNAL_PUT_BACK;
    stop_for_harm(node, dice);
    require((journal ? disk_restore(node->second.disk, harm->snapshot)
                     : disk_put_back(node->disk, harm->snapshot, "log")) == OK);
    tell(node, harm->variant);
    recorder_restored(node, harm->since_ns, journal ? "journal" : "log");
    return true;
}

/* ---- both at one moment ------------------------------------------------------------------------- */

static void snapshot_path(char out[SIM_PATH_SIZE + 16], const char *path)
{
    snprintf(out, SIM_PATH_SIZE + 16, "%s.second", path);
}

bool second_snapshot(struct sim_node *node, const char *path)
{
    char of_second[SIM_PATH_SIZE + 16];
    snapshot_path(of_second, path);
    struct disk *disk = node->second.disk;
    return disk == NULL || disk_snapshot(disk, of_second, disk_draw_fate(disk)) == OK;
}

void second_restore(struct sim_node *node, const char *path)
{
    char of_second[SIM_PATH_SIZE + 16];
    snapshot_path(of_second, path);
    if (node->second.disk != NULL)
        require(disk_restore(node->second.disk, *path ? of_second : "") == OK);
}

/* ---- between two syncs -------------------------------------------------------------------------- */

void second_split_syncs(struct sim_node *node, bool journal_first)
{
    node->second.split = journal_first ? SPLIT_JOURNAL_FIRST : SPLIT_LOG_FIRST;
}

static bool is_entry(const struct sim_node *node, const struct disk_call *call)
{
    return call->disk == node->second.disk && call->action == DISK_SYNC &&
           strncmp(call->name, "journal/segment-", 16) == 0;
}

static bool is_root(const struct sim_node *node, const struct disk_call *call)
{
    return call->disk == node->disk && call->action == DISK_WRITE_SYNCED &&
           strcmp(call->name, "log/data.mdb") == 0;
}

int64_t second_on_disk_begin(struct sim_node *node, const struct disk_call *call)
{
    struct second *second = &node->second;
    second->entry_syncs += is_entry(node, call);
    second->root_syncs += is_root(node, call);
    bool slow = (second->split == SPLIT_JOURNAL_FIRST && is_root(node, call)) ||
                (second->split == SPLIT_LOG_FIRST && is_entry(node, call));
    return (slow ? SPLIT_SLOW_NS : 0) +
           (call->disk == second->disk ? second->sync_extra_ns : node->sync_extra_ns);
}

void second_on_disk_end(struct sim_node *node, const struct disk_call *call)
{
    struct second *second = &node->second;
    second->entry_syncs -= is_entry(node, call);
    second->root_syncs -= is_root(node, call);
    if (call->disk == second->disk && (call->error == EIO || call->error == ENOSPC))
        second->failed = second->journal_out = true;
    bool dies = call->error == 0 &&
                ((second->split == SPLIT_JOURNAL_FIRST && is_entry(node, call) &&
                  second->root_syncs > 0) ||
                 (second->split == SPLIT_LOG_FIRST && is_root(node, call) &&
                  second->entry_syncs > 0));
    if (!dies)
        return;
    second->split = SPLIT_NOT;
    sim_sometimes("died between the two syncs");
    sim_exit(137);
}
