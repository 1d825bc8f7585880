/* I12: where two histories of one log exist among honest holders in the end, every honest hub that holds
 * the log has it frozen, holds a proof that anybody can verify, and both branches; so nothing that
 * either of them acknowledged is gone. And nobody can freeze the log of an author that has one history.
 *
 * A holder is a hub, or a host that was up when all had converged: what a clone wrote and nobody ever
 * saw is no history that anybody could prove. */
#include "tests/check/check.h"
#include "tests/check/fork.h"
#include "tests/check/index.h"

#include <string.h>

static bool is_holder(const struct index *index, const struct index_copy *copy)
{
    const struct index_dump *dump = copy->dump;
    uint32_t host = dump->dump->host;
    return dump->last && dump->settled && !dump->host->malicious && copy->whole > 0 &&
           (dump->host->hub || index_is_up(index, host, index->converged_at, index->converged_at, 0, 0));
}

/* Two copies of holders that contradict each other: the longest, and the longest of the others. */
static bool has_fork(const struct index *index, const struct index_log *log,
                     const struct index_copy *pair[2])
{
    pair[0] = pair[1] = NULL;
    for (size_t turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < log->copy_count; i++) {
            const struct index_copy *copy = &log->copies[i];
            if (is_holder(index, copy) && (!pair[turn] || copy->whole > pair[turn]->whole) &&
                (turn == 0 || index_difference(copy->log, pair[0]->log) != UINT64_MAX))
                pair[turn] = copy;
        }
    return pair[1] != NULL;
}

static bool has_proof(const struct index *index, const struct dump_log *log)
{
    const struct check_hash *key = index_log_key(index, log->node);
    for (size_t i = 0; i < log->fork_count; i++)
        if (*log->fork_proofs[i] &&
            (!key || check_fork_proof(log->fork_proofs[i], log->origin, key) == NULL))
            return true;
    return false;
}

/* Everything in `wanted` is in the hub's main log or branch. */
static bool keeps(const struct dump_log *main, const struct dump_log *branch,
                  const struct dump_log *wanted)
{
    const struct dump_log *kept[] = { main, branch };
    for (size_t i = 0; i < 2; i++)
        if (kept[i] && kept[i]->size >= wanted->size &&
            index_difference(kept[i], wanted) == UINT64_MAX)
            return true;
    return false;
}

/* A third history: holders keep two, whichever they met first (replication/README.md). */
static bool has_third(const struct index_log *log, const struct index_copy *const pair[2])
{
    for (size_t i = 0; i < log->copy_count; i++)
        if (index_difference(log->copies[i].log, pair[0]->log) != UINT64_MAX &&
            index_difference(log->copies[i].log, pair[1]->log) != UINT64_MAX)
            return true;
    return false;
}

static void judge_hub(const struct index *index, struct check_report *report,
                      const struct index_log *log, const struct index_copy *const pair[2],
                      const struct index_dump *hub)
{
    const struct dump_log *main = index_dump_log(hub, log->origin, false);
    const struct dump_log *branch = index_dump_log(hub, log->origin, true);
    const char *wrong = NULL;
    if (!main)
        return;
    check_looked(report);
    if (!main->frozen)
        wrong = "it goes on with it";
    else if (!has_proof(index, main))
        wrong = "it has no proof that verifies";
    else if (!has_third(log, pair) &&
             (!keeps(main, branch, pair[0]->log) || !keeps(main, branch, pair[1]->log)))
        wrong = "it does not keep both branches";
    if (wrong)
        check_violated(report, "%s has two histories from record %llu on (%s and %s); hub %s: %s",
                       log->origin,
                       (unsigned long long)index_difference(pair[0]->log, pair[1]->log),
                       pair[0]->dump->host->name, pair[1]->dump->host->name, hub->host->name, wrong);
}

/* Only an author can bring it about that its log is frozen: by two histories. One that is honest, and
 * was never put back or copied, has one. */
static void judge_frozen(const struct index *index, struct check_report *report,
                         const struct index_dump *dump, const struct dump_log *log)
{
    const struct index_log *all = index_log_of(index, log->origin);
    if (log->branch || index_is_malicious(index, log->node) || (all && all->other) ||
        index_node_was_rolled_back(index, log->node))
        return;
    check_looked(report);
    if (log->frozen)
        check_violated(report, "%s has frozen %s, whose author never wrote two histories",
                       dump->host->name, log->origin);
}

/* Every proof that is held proves. */
static void judge_proofs(const struct index *index, struct check_report *report,
                         const struct index_dump *dump, const struct dump_log *log)
{
    const struct check_hash *key = index_log_key(index, log->node);
    for (size_t i = 0; key && i < log->fork_count; i++) {
        const char *wrong = *log->fork_proofs[i]
                                ? check_fork_proof(log->fork_proofs[i], log->origin, key)
                                : NULL;
        check_looked(report);
        if (wrong)
            check_violated(report, "%s holds a proof of a fork of %s: %s", dump->host->name,
                           log->origin, wrong);
    }
}

void check_i12(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->log_count; i++) {
        const struct index_log *log = &index->logs[i];
        const struct index_copy *pair[2];
        bool forked = log->other && has_fork(index, log, pair);
        for (size_t k = 0; forked && k < index->dump_count; k++) {
            const struct index_dump *dump = &index->dumps[k];
            if (dump->last && dump->settled && dump->host->hub && !dump->host->malicious)
                judge_hub(index, report, log, pair, dump);
        }
    }
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *dump = &index->dumps[i];
        for (size_t k = 0; dump->last && !dump->host->malicious && k < dump->dump->log_count; k++) {
            judge_proofs(index, report, dump, &dump->dump->logs[k]);
            judge_frozen(index, report, dump, &dump->dump->logs[k]);
        }
    }
}
