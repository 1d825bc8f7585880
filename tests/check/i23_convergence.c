/* I23: when all faults have ended, within 60 s and one second for each 2,000 records that were behind,
 * every hub holds every log of every node, every province the hubs' logs for it, all the same; and
 * every node holds receipts for all of its own from as many hubs as it asks for.
 *
 * Judged from the last stores, read after CONVERGED; and a driver that never saw it is a violation. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

static const uint64_t BASE_NS = UINT64_C(60) * 1000000000;
static const uint64_t RECORD_NS = UINT64_C(1000000000) / 2000;

static void judge_time(const struct index *index, struct check_report *report)
{
    uint64_t healed = index_time(index, index->healed_at);
    check_looked(report);
    if (index->converged_at == INDEX_NEVER || index->converged_at < index->healed_at) {
        check_violated(report, "faults ended at %.3f s, and the holders did not agree up to %.3f s",
                       (double)healed / 1e9,
                       (double)index_time(index, history_count(index->history) - 1) / 1e9);
        return;
    }
    uint64_t behind = index_event(index, index->converged_at)->fault.number;
    uint64_t took = index_time(index, index->converged_at) - healed;
    if (took > BASE_NS + behind * RECORD_NS)
        check_violated(report, "faults ended at %.3f s; with %llu records behind it took %.3f s",
                       (double)healed / 1e9, (unsigned long long)behind, (double)took / 1e9);
}

/* When all agreed; for the last stores, all are stopped. */
static bool was_up(const struct index *index, uint32_t host)
{
    return index_is_up(index, host, index->converged_at, index->converged_at, 0, 0);
}

static bool is_judged(const struct index *index, const struct index_dump *dump)
{
    return dump->last && dump->settled && !dump->host->malicious &&
           (index_harms(index, dump->dump->host, 0, dump->at) & HARM_REST) == 0 &&
           was_up(index, dump->dump->host);
}

static bool is_for(const struct index_log *log, const struct history_host *author,
                   const struct history_host *holder)
{
    if (holder->hub)
        return true; /* a hub follows everybody, other hubs too */
    return author->hub && (strcmp(log->audience, "all") == 0 ||
                           strcmp(log->audience, holder->node) == 0);
}

static size_t live_hosts_of(const struct index *index, const char *node)
{
    size_t count = 0;
    for (size_t i = 0; i < index->dump_count; i++)
        count += index->dumps[i].last && strcmp(index->dumps[i].host->node, node) == 0 &&
                 was_up(index, index->dumps[i].dump->host);
    return count;
}

static void judge_pair(const struct index *index, struct check_report *report,
                       const struct index_log *log, const struct index_copy *author,
                       const struct index_dump *holder)
{
    const struct dump_log *held = index_dump_log(holder, log->origin, false);
    uint64_t size = held ? held->size : 0;
    check_looked(report);
    if (author->log->frozen || (held && held->frozen))
        return;
    bool behind = size < author->log->size;
    bool ahead = size > author->log->size && live_hosts_of(index, log->node) == 1;
    if (behind || ahead)
        check_violated(report, "in the end %s holds %llu records of %s, %s itself %llu",
                       holder->host->name, (unsigned long long)size, log->origin,
                       author->dump->host->name, (unsigned long long)author->log->size);
}

static void judge_receipts(const struct index *index, struct check_report *report,
                           const struct index_copy *author)
{
    uint32_t needed = author->dump->host->receipts_needed, receipts = 0, hubs = 0;
    for (size_t i = 0; i < author->log->receipt_count; i++)
        receipts += author->log->receipts[i].size == author->log->size;
    for (uint32_t i = 0; i < history_host_count(index->history); i++)
        hubs += index_host(index, i)->hub && !index_host(index, i)->malicious;
    check_looked(report);
    if (hubs > 0 && author->log->size > 0 && !author->log->frozen &&
        receipts < (needed ? needed : 1))
        check_violated(report, "in the end %s has %u receipts for all %llu records of %s",
                       author->dump->host->name, receipts, (unsigned long long)author->log->size,
                       author->log->origin);
}

static void judge_log(const struct index *index, struct check_report *report,
                      const struct index_log *log)
{
    for (size_t i = 0; i < log->copy_count; i++) {
        const struct index_copy *author = &log->copies[i];
        const struct history_host *host = author->dump->host;
        if (author->log->branch || strcmp(host->node, log->node) != 0 ||
            !is_judged(index, author->dump))
            continue;
        if (!host->hub)
            judge_receipts(index, report, author);
        for (size_t k = 0; k < index->dump_count; k++) {
            const struct index_dump *holder = &index->dumps[k];
            if (is_judged(index, holder) && strcmp(holder->host->node, log->node) != 0 &&
                is_for(log, host, holder->host))
                judge_pair(index, report, log, author, holder);
        }
    }
}

void check_i23(const struct index *index, struct check_report *report)
{
    if (index->healed_at == INDEX_NEVER)
        return;
    judge_time(index, report);
    for (size_t i = 0; i < index->log_count; i++)
        judge_log(index, report, &index->logs[i]);
}
