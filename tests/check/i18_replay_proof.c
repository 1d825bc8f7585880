/* I18: a host's state has the same digest before and after recorded bytes were said to it again. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

void check_i18(const struct index *index, struct check_report *report)
{
    size_t count = history_count(index->history);
    for (size_t i = 0; i < count; i++) {
        const struct history_event *before = index_event(index, i);
        if (before->kind != HISTORY_STATE || strcmp(before->mark.name, "before") != 0)
            continue;
        for (size_t k = i + 1; k < count; k++) {
            const struct history_event *after = index_event(index, k);
            if (after->kind != HISTORY_STATE || after->host != before->host ||
                after->mark.number != before->mark.number ||
                strcmp(after->mark.name, "after") != 0)
                continue;
            check_looked(report);
            if (!check_hash_equal(&before->mark.digest, &after->mark.digest))
                check_violated(report, "replay %llu changed the state of %s",
                               (unsigned long long)before->mark.number,
                               index_host(index, before->host)->name);
            break;
        }
    }
}
