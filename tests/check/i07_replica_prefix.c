/* I7: a copy of a log is at every moment a hole-free prefix of its author's: no hole, nothing that
 * differs (but in a fork), and never more than the author has afterwards, unless the author was put
 * back, lost its disk or was damaged. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

static bool is_harmed(const struct index *index, const struct index_dump *dump)
{
    return (index_harms(index, dump->dump->host, 0, dump->at) & HARM_REST) != 0;
}

/* The author's first store after that of the copy. */
static const struct index_copy *author_after(const struct index_log *log,
                                             const struct index_copy *copy)
{
    for (size_t i = 0; i < log->copy_count; i++) {
        const struct index_copy *other = &log->copies[i];
        if (!other->log->branch && other->dump->at >= copy->dump->at &&
            strcmp(other->dump->host->node, log->node) == 0 && !other->dump->host->malicious)
            return other;
    }
    return NULL;
}

/* Its author does not have the log at all in its next store. A start that puts one device right from the
 * other may be cut off before it came to this log. */
static const struct index_dump *author_without(const struct index *index, const struct index_log *log,
                                               const struct index_copy *copy)
{
    for (size_t i = 0; i < index->dump_count; i++) {
        const struct index_dump *dump = &index->dumps[i];
        if (dump->at < copy->dump->at || strcmp(dump->host->node, log->node) != 0 ||
            dump->host->malicious)
            continue;
        bool has = index_dump_log(dump, log->origin, false) != NULL;
        return has || index_harms_of_copies(index, dump->dump->host, 0, dump->at) ? NULL : dump;
    }
    return NULL;
}

static void judge_copy(const struct index *index, struct check_report *report,
                       const struct index_log *log, const struct index_copy *copy)
{
    const struct index_copy *author = author_after(log, copy);
    check_looked(report);
    if (copy->whole < copy->log->size)
        check_violated(report, "%s at «%s» has a hole in %s at %llu of %llu", copy->dump->host->name,
                       copy->dump->dump->label, log->origin, (unsigned long long)copy->whole,
                       (unsigned long long)copy->log->size);
    if (copy->whole > 0 && author_without(index, log, copy) &&
        !index_node_was_rolled_back(index, log->node))
        check_violated(report, "%s at «%s» holds %llu records of %s, its author later has none",
                       copy->dump->host->name, copy->dump->dump->label,
                       (unsigned long long)copy->log->size, log->origin);
    if (!author || copy->log->branch)
        return;
    uint64_t differs = index_difference(copy->log, author->log);
    bool known = copy->log->fork_count > 0 || author->log->fork_count > 0 ||
                 index_node_was_cloned(index, log->node);
    if (differs != UINT64_MAX && !known && !index_is_malicious(index, log->node))
        check_violated(report, "%s at «%s» holds another record %llu of %s than its author",
                       copy->dump->host->name, copy->dump->dump->label, (unsigned long long)differs,
                       log->origin);
    if (copy->log->size > author->log->size && !index_node_was_rolled_back(index, log->node))
        check_violated(report, "%s at «%s» holds %llu records of %s, its author later has %llu",
                       copy->dump->host->name, copy->dump->dump->label,
                       (unsigned long long)copy->log->size, log->origin,
                       (unsigned long long)author->log->size);
}

void check_i07(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->log_count; i++) {
        const struct index_log *log = &index->logs[i];
        for (size_t k = 0; k < log->copy_count; k++) {
            const struct index_copy *copy = &log->copies[k];
            if (strcmp(copy->dump->host->node, log->node) != 0 && !copy->dump->host->malicious &&
                !is_harmed(index, copy->dump))
                judge_copy(index, report, log, copy);
        }
    }
}
