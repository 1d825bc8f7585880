/* workload: writes registered requests as JSON Lines, the objects that the API takes. */
#include "workload.h"

#include "node/casework/jalali.h"
#include "node/casework/request_words.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_SIZE = 256 * 1024, DEFAULT_DAYS = 2 };

struct settings {
    struct workload_options workload;
    bool stats;
};

enum option_key { OPTION_SCALE = 256, OPTION_START, OPTION_NO_BURST, OPTION_STATS };

static const struct argp_option OPTIONS[] = {
    { "seed", 's', "N", 0, "The same seed and options give the same bytes (1)", 0 },
    { "province", 'p', "NODE", 0, "Node name of the province, e.g. hormozgan (ardabil)", 0 },
    { "days", 'd', "N", 0, "Calendar days from the start (2, unless --count is given)", 0 },
    { "start", OPTION_START, "YYYY-MM-DD", 0,
      "First day; a year below 1700 is Jalali, another Gregorian (1404-02-06, a Saturday)", 0 },
    { "count", 'c', "N", 0,
      "Exactly N requests; with --days the scale is set so that they come in that time, without, "
      "it "
      "is raised if they would take more than two years",
      0 },
    { "scale", OPTION_SCALE, "X", 0, "Times the province's real volume (1)", 0 },
    { "no-burst", OPTION_NO_BURST, NULL, 0, "Leave out the monthly burst of similar cases", 0 },
    { "stats", OPTION_STATS, NULL, 0, "Counts to standard error at the end", 0 },
    { 0 }
};

static uint64_t parse_number(const char *text, struct argp_state *state)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-')
        argp_error(state, "not a number: %s", text);
    return number;
}

static double parse_scale(const char *text, struct argp_state *state)
{
    char *end = NULL;
    double scale = strtod(text, &end);
    if (end == text || *end != '\0' || !(scale > 0 && scale <= 1e6))
        argp_error(state, "not a scale above 0: %s", text);
    return scale;
}

static const struct province *parse_province(const char *text, struct argp_state *state)
{
    const struct province *province = province_by_node(bytes_of_string(text));
    if (!province)
        argp_error(state, "no such province: %s", text);
    return province;
}

static int32_t parse_day(const char *text, struct argp_state *state)
{
    int32_t day = 0;
    if (date_parse(&day, bytes_of_string(text)) != OK)
        argp_error(state, "not a date: %s", text);
    return day;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct settings *settings = state->input;
    struct workload_options *workload = &settings->workload;
    switch (key) {
    case 's':
        workload->seed = parse_number(argument, state);
        return 0;
    case 'p':
        workload->province = parse_province(argument, state);
        return 0;
    case 'd':
        workload->days = (int64_t)(parse_number(argument, state) % INT32_MAX);
        return 0;
    case 'c':
        workload->count = parse_number(argument, state);
        return 0;
    case OPTION_SCALE:
        workload->scale = parse_scale(argument, state);
        return 0;
    case OPTION_START:
        workload->first_day = parse_day(argument, state);
        return 0;
    case OPTION_NO_BURST:
        workload->bursts = false;
        return 0;
    case OPTION_STATS:
        settings->stats = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool write_all(struct buffer *out)
{
    bool written = out->err == OK && fwrite(out->data, 1, out->size, stdout) == out->size;
    buffer_clear(out);
    return written;
}

static bool write_lines(struct workload *workload)
{
    struct buffer out = { 0 };
    bool written = true;
    while (written && workload_next(workload, &out))
        if (out.size >= CHUNK_SIZE)
            written = write_all(&out);
    written = written && (out.size == 0 || write_all(&out)) && fflush(stdout) == 0;
    buffer_close(&out);
    return written;
}

static void print_stats(const struct workload_stats *stats)
{
    double registered = stats->registered > 0 ? (double)stats->registered : 1;
    fprintf(stderr,
            "calls=%" PRIu64 " registered=%" PRIu64 " registered_share=%.3f households=%" PRIu64
            " household_share=%.3f repeats=%" PRIu64 " repeat_share=%.3f bursts=%" PRIu64
            " burst_requests=%" PRIu64 " working_days=%" PRIu64,
            stats->calls, stats->registered,
            stats->calls > 0 ? (double)stats->registered / (double)stats->calls : 0,
            stats->households, (double)stats->households / registered, stats->repeats,
            (double)stats->repeats / registered, stats->bursts, stats->burst_requests,
            stats->working_days);
    for (uint32_t kind = 1; kind < WORKLOAD_KIND_COUNT; kind++)
        fprintf(stderr, " %s=%" PRIu64, request_kind_word(kind), stats->kinds[kind]);
    fputc('\n', stderr);
}

int main(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse_option,
        .doc = "Writes a province's registered requests as JSON Lines: realistic Persian texts, "
               "valid national IDs, the shape of real days. Deterministic."
    };
    struct settings settings = {
        .workload = { .seed = 1,
                      .province = province_by_node(bytes_of_string("ardabil")),
                      .first_day = jalali_to_day((struct jalali_date){ 1404, 2, 6 }),
                      .scale = 1,
                      .bursts = true },
    };
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &settings) != 0)
        return EXIT_FAILURE;
    if (settings.workload.days == 0 && settings.workload.count == 0)
        settings.workload.days = DEFAULT_DAYS;

    struct workload *workload = workload_new(&settings.workload);
    if (!workload) {
        fputs("workload: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    bool written = write_lines(workload);
    if (!written)
        fprintf(stderr, "workload: cannot write: %s\n", strerror(errno));
    if (settings.stats)
        print_stats(workload_stats(workload));
    workload_free(workload);
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}
