/* I2: what a hub has receipted is in each of its later stores, and what an answer called national is at
 * the hub in the end.
 *
 * A hub that was put back or lost its disk must have it again once all have converged, if anybody
 * else still has it. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <stdio.h>
#include <string.h>

/* The host holds the first `size` records under that root, in one of its branches. */
static bool holds(const struct index_dump *dump, const struct index_log *log, uint64_t size,
                  const struct check_hash *root)
{
    for (size_t i = 0; i < log->copy_count; i++) {
        const struct index_copy *copy = &log->copies[i];
        struct check_hash is;
        if (copy->dump != dump || copy->whole < size)
            continue;
        if (copy->differs >= size && size <= log->main_tree.count)
            is = tree_table_root(&log->main_tree, size);
        else if (copy == log->other)
            is = tree_table_root(&log->other_tree, size);
        else if (!dump_root_at(copy->log, size, &is))
            continue;
        if (check_hash_equal(&is, root))
            return true;
    }
    return false;
}

static bool is_held_elsewhere(const struct index *index, const struct index_dump *hub,
                              const struct index_log *log, uint64_t size,
                              const struct check_hash *root)
{
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *dump = &index->dumps[i];
        if (dump->last && dump != hub && dump->settled && !dump->host->malicious &&
            holds(dump, log, size, root))
            return true;
    }
    return false;
}

static bool is_excused(const struct index *index, const struct index_dump *hub, size_t since,
                       const struct index_log *log, uint64_t size, const struct check_hash *root)
{
    unsigned harms = index_harms(index, hub->dump->host, since, hub->at);
    unsigned ever = index_harms(index, hub->dump->host, 0, hub->at); /* damage stays */
    if ((ever & HARM_REST) && ((ever & HARM_LOST_SYNC) || hub->dump->problem_count > 0))
        return true;
    return (harms & HARM_ROLLBACK) &&
           (!hub->settled || !is_held_elsewhere(index, hub, log, size, root));
}

static void judge_receipt(const struct index *index, struct check_report *report,
                          const struct index_note *note, const struct index_dump *hub)
{
    static const struct index_log NO_LOG = { .origin = "" };
    const struct index_log *log = index_log_of(index, note->note.origin);
    bool seen = note->at <= hub->at || (hub->last && !note->sent);
    if (!index_is_cosigned(note, hub->dump->host) || !seen)
        return;
    if (!log)
        log = &NO_LOG;
    check_looked(report);
    if (!holds(hub, log, note->note.size, &note->note.root) &&
        !is_excused(index, hub, note->at, log, note->note.size, &note->note.root))
        check_violated(report, "%s gave a receipt for %llu records of %s and its store «%s» does "
                               "not hold them",
                       hub->host->name, (unsigned long long)note->note.size, note->note.origin,
                       hub->dump->label);
}

/* A look-up said «national»: the record is at as many hubs as the node asks for. */
static void judge_lookup(const struct index *index, struct check_report *report,
                         const struct index_call *call)
{
    const struct history_host *host = index_host(index, call->host);
    uint32_t holders = 0, excused = 0, hubs = 0;
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *hub = &index->dumps[i];
        bool found = false;
        size_t count;
        if (!hub->last || !hub->host->hub)
            continue;
        if (hub->host->malicious) { /* its receipt counted, as nobody could know better */
            excused++;
            continue;
        }
        const struct index_request *requests =
            index_requests_of_code(hub, call->call->code, &count);
        hubs++;
        for (size_t k = 0; k < count && !found; k++)
            found = strcmp(requests[k].log->node, host->node) == 0;
        holders += found;
        excused += !found && index_harms(index, hub->dump->host, call->invoked_at, hub->at) != 0;
    }
    uint32_t needed = host->receipts_needed ? host->receipts_needed : 1;
    if (hubs == 0)
        return;
    check_looked(report);
    if (holders + excused < needed)
        check_violated(report, "%s called code %s national (call %llu), and %u of the hubs hold it",
                       host->name, call->call->code, (unsigned long long)call->call->call, holders);
}

static bool says_national(const struct index *index, const struct index_call *call)
{
    const struct history_host *host = index_host(index, call->host);
    return call->promised_at != INDEX_NEVER && call->answer->national && *call->call->code && host &&
           !host->malicious && !host->hub;
}

void check_i02(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *hub = &index->dumps[i];
        if (!hub->host->hub || hub->host->malicious)
            continue;
        for (size_t k = 0; k < index->note_count; k++)
            if (index->notes[k].receipt)
                judge_receipt(index, report, &index->notes[k], hub);
    }
    for (size_t i = 0; i < index->call_count; i++)
        if (says_national(index, &index->calls[i]))
            judge_lookup(index, report, &index->calls[i]);
}
