/* I29: runs of one name (program, seed, options) have one trace. */
#include "tests/check/check.h"
#include "tests/check/index.h"

#include <string.h>

void check_i29(const struct index *index, struct check_report *report)
{
    size_t count = history_count(index->history);
    for (size_t i = 0; i < count; i++) {
        const struct history_event *a = index_event(index, i);
        if (a->kind != HISTORY_TRACE)
            continue;
        for (size_t k = i + 1; k < count; k++) {
            const struct history_event *b = index_event(index, k);
            if (b->kind != HISTORY_TRACE || strcmp(a->mark.name, b->mark.name) != 0)
                continue;
            check_looked(report);
            if (!check_hash_equal(&a->mark.digest, &b->mark.digest))
                check_violated(report, "two runs of «%s» have different traces", a->mark.name);
            break; /* the next ones are compared with that one */
        }
    }
}
