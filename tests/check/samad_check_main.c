/* samad-check [-v] [--only I4] FILE: judges a saved history. One line a violation, with -v one a
 * guarantee besides; the last line has the figures. 0: nothing violated; 1: something is; 2: the file
 * cannot be judged. */
#include "tests/check/check.h"
#include "tests/check/note.h"

#include <stdlib.h>
#include <string.h>

static int usage(void)
{
    fprintf(stderr, "usage: samad-check [-v] [--only I4] FILE\n");
    return 2;
}

static bool is_guarantee(const char *id)
{
    for (size_t i = 0; i < CHECK_GUARANTEE_COUNT; i++)
        if (strcmp(CHECK_GUARANTEES[i].id, id) == 0)
            return true;
    return false;
}

int main(int count, char **arguments)
{
    const char *path = NULL, *only = NULL;
    bool all = false;
    char why[400];
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "-v") == 0)
            all = true;
        else if (strcmp(arguments[i], "--only") == 0 && i + 1 < count)
            only = arguments[++i];
        else if (arguments[i][0] == '-' || path)
            return usage();
        else
            path = arguments[i];
    }
    if (!path)
        return usage();
    if (only && !is_guarantee(only)) {
        fprintf(stderr, "samad-check: nothing here judges «%s»\n", only);
        return 2;
    }
    struct history *history = history_load(path, why, sizeof why);
    if (!history) {
        fprintf(stderr, "samad-check: %s\n", why);
        return 2;
    }
    check_note_trust_form(history_has_stand_ins(history));
    struct check_report *report = check_history(history, only);
    if (!report || report->failed) {
        fprintf(stderr, "samad-check: no memory\n");
        return 2;
    }
    check_report_print(report, stdout, all);
    if (history_unknown_count(history) > 0)
        fprintf(stderr, "samad-check: %zu events of kinds that this version does not know\n",
                history_unknown_count(history));
    size_t judged = 0;
    for (size_t i = 0; i < CHECK_GUARANTEE_COUNT; i++)
        judged += report->judged[i] > 0;
    printf("check: events=%zu guarantees=%zu violations=%zu\n", history_count(history), judged,
           report->violation_count);
    int code = report->violation_count > 0;
    check_report_free(report);
    history_free(history);
    return code;
}
