/* I5: in every store every log is as the formats say, its checkpoints and receipts are signed by the
 * keys in force, it begins with an incarnation, and what that names as held was so.
 *
 * Damage that was put into a store at rest is no violation here: I11 judges what follows from it. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

/* Of a log that hubs hold the journal may have given the beginning up (storage/README.md, section 11).
 * Damage there is not met at the start, which compares the two devices, but when the record is next read
 * or verified. */
static bool is_beyond_the_journal(const struct index *index, const struct index_dump *dump,
                                  const struct dump_problem *problem)
{
    if (dump->settled ||
        !(index_harms_of_copies(index, dump->dump->host, 0, dump->at) & HARM_REST))
        return false;
    const struct index_note *note = index_note_from(index, problem->log, problem->position + 1);
    for (; note && index_note_is_of(index, note, problem->log); note++)
        if (note->receipt && note->at < dump->at)
            return true;
    return false;
}

static void judge_problems(const struct index *index, struct check_report *report,
                           const struct index_dump *dump)
{
    for (size_t i = 0; i < dump->dump->problem_count; i++) {
        const struct dump_problem *problem = &dump->dump->problems[i];
        if (is_beyond_the_journal(index, dump, problem))
            continue;
        check_violated(report, "%s, store «%s»: %s %llu: %s", dump->host->name, dump->dump->label,
                       problem->log, (unsigned long long)problem->position, problem->text);
    }
}

static void judge_notes(const struct index *index, struct check_report *report,
                        const struct index_dump *dump, const struct dump_log *log)
{
    const struct check_hash *key = index_log_key(index, log->node);
    struct check_note note;
    if (!dump->last)
        return; /* the last store has the notes of the earlier ones, or newer ones */
    for (size_t i = 0; key && i < log->checkpoint_count; i++) {
        check_looked(report);
        if (!check_note_read(&note, log->checkpoints[i].text) ||
            check_note_signed(&note, key) != SIGNATURE_GOOD)
            check_violated(report, "%s: the checkpoint of %s at %llu is not signed by its node",
                           dump->host->name, log->origin,
                           (unsigned long long)log->checkpoints[i].size);
    }
    for (size_t i = 0; i < log->receipt_count; i++) {
        const struct check_hash *hub = index_receipt_key(index, log->receipts[i].hub);
        check_looked(report);
        if (hub && (!check_note_read(&note, log->receipts[i].text) ||
                    check_note_cosigned(&note, log->receipts[i].hub, hub, NULL) != SIGNATURE_GOOD))
            check_violated(report, "%s: the receipt of %s for %s at %llu is not signed by it",
                           dump->host->name, log->receipts[i].hub, log->origin,
                           (unsigned long long)log->receipts[i].size);
    }
}

static void judge_parents(const struct index *index, struct check_report *report,
                          const struct index_dump *dump, const struct dump_log *log)
{
    for (size_t i = 0; i < log->parent_count; i++) {
        const struct dump_head *parent = &log->parents[i];
        const struct index_log *named = index_log_of(index, parent->log);
        check_looked(report);
        if (named && strcmp(named->node, log->node) != 0)
            check_violated(report, "%s: %s names a log of another node, %s", dump->host->name,
                           log->origin, parent->log);
        else if (named && index_root_is_wrong(named, parent->size, &parent->root))
            check_violated(report, "%s: %s names %llu records of %s with a root they do not have",
                           dump->host->name, log->origin, (unsigned long long)parent->size,
                           parent->log);
    }
}

static void judge_log(const struct index *index, struct check_report *report,
                      const struct index_dump *dump, const struct dump_log *log)
{
    check_looked(report);
    if (log->record_count > 0 && log->records[0].position == 0 && !log->records[0].damaged &&
        log->records[0].kind != 1)
        check_violated(report, "%s: %s does not begin with an incarnation", dump->host->name,
                       log->origin);
    for (size_t i = 1; i < log->record_count; i++)
        if (log->records[i].kind == 1 && !log->records[i].damaged)
            check_violated(report, "%s: record %llu of %s is an incarnation", dump->host->name,
                           (unsigned long long)log->records[i].position, log->origin);
    judge_parents(index, report, dump, log);
    judge_notes(index, report, dump, log);
}

/* Only the first log that a node ever wrote for an audience has no parents. Of two without any, the
 * later writer did not look at what it held. */
static void judge_roots(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->log_count; i++) {
        const struct index_log *a = &index->logs[i];
        if (!a->main || a->main->whole == 0 || a->main->log->parent_count > 0 ||
            index_node_was_harmed(index, a->node) || index_is_malicious(index, a->node))
            continue;
        for (size_t k = i + 1; k < index->log_count; k++) {
            const struct index_log *b = &index->logs[k];
            if (strcmp(a->node, b->node) == 0 && strcmp(a->audience, b->audience) == 0 && b->main &&
                b->main->whole > 0 && b->main->log->parent_count == 0)
                check_violated(report, "%s and %s both name no parent", a->origin, b->origin);
        }
    }
}

void check_i05(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *dump = &index->dumps[i];
        if (dump->host->malicious)
            continue;
        if (index_harms(index, dump->dump->host, 0, dump->at) & HARM_REST)
            continue;
        check_looked(report);
        judge_problems(index, report, dump);
        for (size_t k = 0; k < dump->dump->log_count; k++)
            if (!index_is_malicious(index, dump->dump->logs[k].node))
                judge_log(index, report, dump, &dump->dump->logs[k]);
    }
    judge_roots(index, report);
}
