/* I9: between a registration's call and its answer lies a whole commit: a sync of the data that began
 * after the call and succeeded, after it a synced root, likewise, both before the answer left; and,
 * where there is a journal, a sync of that. A journal whose device has failed since the start is not
 * waited for: the node says so (I10) and goes on with one device.
 *
 * The call comes before the decision and the decision before the commit, so a commit that began
 * earlier cannot hold the record. That the commit did hold it is judged by I1 after a crash. */
#include "tests/check/check.h"
#include "tests/check/arena.h"
#include "tests/check/index.h"

#include <stdlib.h>
#include <string.h>

struct sync {
    uint32_t host;
    const struct history_sync *sync;
    size_t begun_at, ended_at; /* INDEX_NEVER: it did not succeed */
};

struct syncs {
    struct sync *items; /* by time of their beginning */
    size_t count, capacity;
};

static bool is_device(const struct sync *sync, uint32_t host, const char *device, bool root)
{
    return sync->host == host && sync->sync->root == root &&
           strcmp(sync->sync->device, device) == 0;
}

static void sync_end(struct syncs *syncs, const struct history_event *event, size_t at)
{
    for (size_t i = syncs->count; i-- > 0;) {
        struct sync *sync = &syncs->items[i];
        if (sync->sync->number != event->sync.number ||
            !is_device(sync, event->host, event->sync.device, event->sync.root))
            continue;
        if (event->sync.ok)
            sync->ended_at = at;
        return;
    }
}

static bool syncs_read(struct syncs *syncs, const struct index *index)
{
    for (size_t at = 0; at < history_count(index->history); at++) {
        const struct history_event *event = index_event(index, at);
        if (event->kind == HISTORY_SYNC_END)
            sync_end(syncs, event, at);
        if (event->kind != HISTORY_SYNC_BEGIN)
            continue;
        if (!arena_grow((void **)&syncs->items, &syncs->capacity, syncs->count,
                        sizeof *syncs->items))
            return false;
        syncs->items[syncs->count++] =
            (struct sync){ event->host, &event->sync, at, INDEX_NEVER };
    }
    return true;
}

/* The end of the first sync of the kind that began after `at` and succeeded. */
static size_t sync_after(const struct syncs *syncs, size_t at, uint32_t host, const char *device,
                         bool root)
{
    size_t low = 0, high = syncs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (syncs->items[middle].begun_at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < syncs->count; low++)
        if (is_device(&syncs->items[low], host, device, root) &&
            syncs->items[low].ended_at != INDEX_NEVER)
            return syncs->items[low].ended_at;
    return INDEX_NEVER;
}

/* The history tells of the host's syncs: its driver says so, or there are some. */
static bool is_recorded(const struct index *index, const struct syncs *syncs, uint32_t host)
{
    for (size_t i = 0; i < syncs->count && !index->syncs_recorded; i++)
        if (syncs->items[i].host == host)
            return true;
    return index->syncs_recorded;
}

static void judge_call(const struct index *index, struct check_report *report,
                       const struct syncs *syncs, const struct index_call *call)
{
    bool journal = index_host(index, call->host)->journal;
    const char *missing = NULL;
    size_t synced = sync_after(syncs, call->invoked_at, call->host, "log", false);
    if (synced > call->promised_at)
        missing = "the data";
    else if (sync_after(syncs, synced, call->host, "log", true) > call->promised_at)
        missing = "the root";
    else if (journal && !index_journal_is_out(index, call->host, call->promised_at) &&
             sync_after(syncs, call->invoked_at, call->host, "journal", false) > call->promised_at)
        missing = "the journal";
    check_looked(report);
    if (missing)
        check_violated(report,
                       "%s answered call %llu (key %s, code %s) before a sync of %s that began "
                       "after the call had succeeded",
                       index_host(index, call->host)->name, (unsigned long long)call->call->call,
                       call->call->key, call->answer->code, missing);
}

void check_i09(const struct index *index, struct check_report *report)
{
    struct syncs syncs = { 0 };
    size_t hosts = history_host_count(index->history);
    bool *recorded = calloc(hosts + 1, sizeof *recorded);
    report->failed |= !recorded || !syncs_read(&syncs, index);
    for (uint32_t i = 0; recorded && i < hosts; i++)
        recorded[i] = is_recorded(index, &syncs, i);
    for (size_t i = 0; recorded && i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        if (call->host < hosts && recorded[call->host] && call->promised_at != INDEX_NEVER &&
            strcmp(call->call->operation, "register") == 0 && !call->answer->duplicate)
            judge_call(index, report, &syncs, call);
    }
    free(recorded);
    free(syncs.items);
}
