#include "tests/check/check.h"

#include "tests/check/arena.h"
#include "tests/check/index.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const struct check_guarantee CHECK_GUARANTEES[] = {
#define CHECK_ROW(name, id, promise) { id, promise, check_##name },
    CHECK_LIST(CHECK_ROW)
#undef CHECK_ROW
};
const size_t CHECK_GUARANTEE_COUNT = sizeof CHECK_GUARANTEES / sizeof CHECK_GUARANTEES[0];

void check_violated(struct check_report *report, const char *format, ...)
{
    va_list arguments;
    report->violation_count++;
    if (report->counts[report->current]++ >= CHECK_KEPT)
        return;
    if (!arena_grow((void **)&report->violations, &report->kept_capacity, report->kept_count,
                    sizeof *report->violations)) {
        report->failed = true;
        return;
    }
    struct check_violation *kept = &report->violations[report->kept_count];
    *kept = (struct check_violation){ .guarantee = CHECK_GUARANTEES[report->current].id };
    va_start(arguments, format);
    if (vasprintf(&kept->text, format, arguments) < 0)
        report->failed = true;
    else
        report->kept_count++;
    va_end(arguments);
}

void check_report_free(struct check_report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->kept_count; i++)
        free(report->violations[i].text);
    free(report->violations);
    free(report->counts);
    free(report->judged);
    free(report);
}

static struct check_report *report_new(void)
{
    struct check_report *report = calloc(1, sizeof *report);
    if (!report)
        return NULL;
    report->counts = calloc(CHECK_GUARANTEE_COUNT, sizeof *report->counts);
    report->judged = calloc(CHECK_GUARANTEE_COUNT, sizeof *report->judged);
    if (!report->counts || !report->judged) {
        check_report_free(report);
        return NULL;
    }
    return report;
}

struct check_report *check_history(const struct history *history, const char *only)
{
    struct check_report *report = report_new();
    struct index *index = index_new(history);
    if (!report || !index) {
        check_report_free(report);
        index_free(index);
        return NULL;
    }
    for (size_t i = 0; i < CHECK_GUARANTEE_COUNT; i++) {
        report->current = i;
        if (!only || strcmp(only, CHECK_GUARANTEES[i].id) == 0)
            CHECK_GUARANTEES[i].judge(index, report);
    }
    index_free(index);
    return report;
}

void check_report_print(const struct check_report *report, FILE *file, bool all)
{
    for (size_t i = 0; i < report->kept_count; i++)
        fprintf(file, "%s violated: %s\n", report->violations[i].guarantee,
                report->violations[i].text);
    for (size_t i = 0; i < CHECK_GUARANTEE_COUNT; i++) {
        if (report->counts[i] > CHECK_KEPT)
            fprintf(file, "%s violated: %zu times more\n", CHECK_GUARANTEES[i].id,
                    report->counts[i] - CHECK_KEPT);
        if (all)
            fprintf(file, "%-4s %s: looked=%zu violations=%zu\n", CHECK_GUARANTEES[i].id,
                    CHECK_GUARANTEES[i].promise, report->judged[i], report->counts[i]);
    }
}
