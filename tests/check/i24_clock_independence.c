/* I24: the time in a log never decreases, whatever the clocks did. (That the other guarantees hold
 * under any clock is their own checkers' matter.) */
#include "tests/check/check.h"
#include "tests/check/index.h"

void check_i24(const struct index *index, struct check_report *report)
{
    for (size_t i = 0; i < index->log_count; i++) {
        const struct index_log *log = &index->logs[i];
        if (!log->main || index_is_malicious(index, log->node))
            continue;
        for (uint64_t k = 1; k < log->main->whole; k++) {
            const struct dump_record *before = &log->main->log->records[k - 1];
            const struct dump_record *record = &log->main->log->records[k];
            check_looked(report);
            if (record->time_ms < before->time_ms)
                check_violated(report, "the time of record %llu of %s is %llu ms before that of the "
                                       "one before it",
                               (unsigned long long)record->position, log->origin,
                               (unsigned long long)(before->time_ms - record->time_ms));
        }
    }
}
