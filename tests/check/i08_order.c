/* I8: if one registration was acknowledged before another was asked for, at one host, it comes first in
 * the node's logs: at a lower position of the same log, or in a log that does not descend from the
 * other's. And nothing cites a record that comes later. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <stdlib.h>
#include <string.h>

/* A registration and where it stands in its host's last store. */
struct placed {
    const struct index_call *call;
    const struct dump_log *log;
    uint64_t position;
};

static int placed_order(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    int order = strcmp(x->log->origin, y->log->origin);
    return order ? order : (x->position > y->position) - (x->position < y->position);
}

static size_t place_all(const struct index *index, const struct index_dump *dump,
                        struct placed *placed)
{
    size_t count = 0;
    for (size_t i = 0; i < index->call_count; i++) {
        const struct index_call *call = &index->calls[i];
        if (call->host != dump->dump->host || call->promised_at == INDEX_NEVER ||
            strcmp(call->call->operation, "register") != 0 || call->answer->duplicate)
            continue;
        const struct index_request *request = index_request_of(dump, call);
        if (request && !request->log->branch)
            placed[count++] = (struct placed){ call, request->log, request->record->position };
    }
    if (count > 0)
        qsort(placed, count, sizeof *placed, placed_order);
    return count;
}

static void report_pair(struct check_report *report, const struct placed *first,
                        const struct placed *second)
{
    check_violated(report,
                   "call %llu was asked for after call %llu was acknowledged, and stands before it: "
                   "%s %llu and %s %llu",
                   (unsigned long long)first->call->call->call,
                   (unsigned long long)second->call->call->call, first->log->origin,
                   (unsigned long long)first->position, second->log->origin,
                   (unsigned long long)second->position);
}

/* Within a log: nothing was acknowledged before something that stands before it was asked for. */
static void judge_log(struct check_report *report, const struct placed *placed, size_t count)
{
    const struct placed *latest = placed; /* asked for, of those that stand before */
    for (size_t i = 0; i < count; i++) {
        check_looked(report);
        if (placed[i].call->promised_at < latest->call->invoked_at)
            report_pair(report, latest, &placed[i]);
        if (placed[i].call->invoked_at > latest->call->invoked_at)
            latest = &placed[i];
    }
}

/* Between logs: nothing in the descendant b was acknowledged before something was asked for that its
 * writer found in the ancestor a. */
static void judge_logs(const struct index *index, struct check_report *report,
                       const struct placed *placed, size_t a, size_t b, size_t count)
{
    uint64_t covered = index_covered(index, placed[b].log->origin, placed[a].log->origin);
    const struct placed *latest = NULL;
    for (size_t i = a; i < count && placed[i].log == placed[a].log; i++)
        if (placed[i].position < covered &&
            (!latest || placed[i].call->invoked_at > latest->call->invoked_at))
            latest = &placed[i];
    if (!latest)
        return;
    check_looked(report);
    for (size_t i = b; i < count && placed[i].log == placed[b].log; i++)
        if (placed[i].call->promised_at < latest->call->invoked_at)
            report_pair(report, latest, &placed[i]);
}

static size_t log_end(const struct placed *placed, size_t from, size_t count)
{
    size_t end = from + 1;
    while (end < count && placed[end].log == placed[from].log)
        end++;
    return end;
}

static void judge_host(const struct index *index, struct check_report *report,
                       const struct index_dump *dump)
{
    struct placed *placed = calloc(index->call_count + 1, sizeof *placed);
    if (!placed) {
        report->failed = true;
        return;
    }
    size_t count = place_all(index, dump, placed);
    bool one_history = !index_node_was_rolled_back(index, dump->host->node);
    for (size_t i = 0; i < count; i = log_end(placed, i, count)) {
        judge_log(report, placed + i, log_end(placed, i, count) - i);
        for (size_t k = 0; one_history && k < count; k = log_end(placed, k, count))
            if (k != i)
                judge_logs(index, report, placed, i, k, count);
    }
    free(placed);
}

/* ---- cause and effect ---------------------------------------------------------------------- */

static void judge_reference(const struct index *index, struct check_report *report,
                            const struct index_log *log, const struct dump_record *record,
                            const char *cited, uint64_t position, const struct check_hash *hash)
{
    const struct index_log *target = index_log_of(index, cited);
    check_looked(report);
    if (strcmp(cited, log->origin) == 0 && position >= record->position) {
        check_violated(report, "record %llu of %s cites record %llu, which is not before it",
                       (unsigned long long)record->position, log->origin,
                       (unsigned long long)position);
        return;
    }
    const struct dump_record *there =
        target && target->main ? index_record(target->main->log, position) : NULL;
    const struct dump_record *other =
        target && target->other ? index_record(target->other->log, position) : NULL;
    if (hash && there && !check_hash_equal(&there->hash, hash) &&
        !(other && check_hash_equal(&other->hash, hash)))
        check_violated(report, "record %llu of %s cites another record %llu of %s than there is",
                       (unsigned long long)record->position, log->origin,
                       (unsigned long long)position, cited);
}

static void judge_references(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->log_count; i++) {
        const struct index_log *log = &index->logs[i];
        if (!log->main || index_is_malicious(index, log->node))
            continue;
        for (size_t k = 0; k < log->main->log->record_count; k++) {
            const struct dump_record *record = &log->main->log->records[k];
            if (!record->damaged && *record->cause_log)
                judge_reference(index, report, log, record, record->cause_log,
                                record->cause_position, &record->cause_hash);
            if (!record->damaged && *record->erased_log)
                judge_reference(index, report, log, record, record->erased_log,
                                record->erased_position, NULL);
        }
    }
}

void check_i08(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->dump_count; i++)
        if (index->dumps[i].last && !index->dumps[i].host->malicious)
            judge_host(index, report, &index->dumps[i]);
    judge_references(index, report);
}
