/* samad-scope: every interleaving of a short script, with faults (README.md). */
#include "tests/scope/search.h"
#include "tests/sim/bugs.h"
#include "tests/sim/crypto.h"

#include <getopt.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const char USAGE[] =
    "usage: samad-scope [--faults N] [--grain burst|store|message] [--short] [--one | --forks]\n"
    "                   [--seconds S] [--violations N] [--bug NAME] [--case NAME [--history FILE]]\n"
    "Goes through all interleavings of the script of tests/scope/script.h with at most N faults "
    "(1).\n"
    "--short: a and b register and commit once and their links come up; --one: nothing happens at "
    "b.\n"
    "--forks: the other script, in which a log of a forks.\n"
    "--case replays one by its name and tells it. Exit 0: nothing is violated; 1: something is;\n"
    "2: it cannot be done, or --seconds were not enough.\n";

struct options {
    struct script script;
    struct search_limits limits;
    const char *name, *history_path;
};

enum {
    LONG_FAULTS = 1,
    LONG_GRAIN,
    LONG_SHORT,
    LONG_ONE,
    LONG_FORKS,
    LONG_SECONDS,
    LONG_VIOLATIONS,
    LONG_BUG,
    LONG_CASE,
    LONG_HISTORY
};

static const struct option LONG_OPTIONS[] = {
    { "faults", required_argument, NULL, LONG_FAULTS },
    { "grain", required_argument, NULL, LONG_GRAIN },
    { "short", no_argument, NULL, LONG_SHORT },
    { "one", no_argument, NULL, LONG_ONE },
    { "forks", no_argument, NULL, LONG_FORKS },
    { "seconds", required_argument, NULL, LONG_SECONDS },
    { "violations", required_argument, NULL, LONG_VIOLATIONS },
    { "bug", required_argument, NULL, LONG_BUG },
    { "case", required_argument, NULL, LONG_CASE },
    { "history", required_argument, NULL, LONG_HISTORY },
    { NULL, 0, NULL, 0 },
};

static bool grain_take(enum grain *grain, const char *name)
{
    static const char *const NAMES[] = { "burst", "store", "message" };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(NAMES[i], name) == 0) {
            *grain = (enum grain)i;
            return true;
        }
    return false;
}

static bool number_take(unsigned *number, const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *number = (unsigned)value;
    return end != text && *end == '\0' && *text != '-' && value <= UINT_MAX;
}

static bool option_take(struct options *options, int option)
{
    switch (option) {
    case LONG_FAULTS:
        return number_take(&options->script.fault_max, optarg);
    case LONG_GRAIN:
        return grain_take(&options->script.grain, optarg);
    case LONG_SHORT:
        return options->script.is_short = true;
    case LONG_ONE:
        return options->script.one_province = true;
    case LONG_FORKS:
        return options->script.forks = true;
    case LONG_SECONDS:
        return number_take(&options->limits.seconds, optarg);
    case LONG_VIOLATIONS:
        return number_take(&options->limits.violations_max, optarg) &&
               options->limits.violations_max > 0;
    case LONG_BUG:
        return bug_choose(optarg);
    case LONG_CASE:
        options->name = optarg;
        return true;
    case LONG_HISTORY:
        options->history_path = optarg;
        return true;
    default:
        return false;
    }
}

static int replay(const struct options *options)
{
    bool violated = false;
    if (!search_replay(&options->script, options->name, options->history_path, &violated))
        return 2;
    printf("scope: %s\n", violated ? "violated" : "nothing is violated");
    return violated;
}

static int run(const struct options *options)
{
    struct search_result result;
    search_run(&options->script, &options->limits, &result);
    printf("scope: interleavings=%.6g faults=%llu states=%llu steps=%llu judged=%llu "
           "forked=%llu violations=%llu%s\n",
           result.interleavings, (unsigned long long)result.faults,
           (unsigned long long)result.states, (unsigned long long)result.steps,
           (unsigned long long)result.judged, (unsigned long long)result.forked,
           (unsigned long long)result.violations,
           result.complete ? "" : " (not complete: out of time)");
    return result.violations > 0 ? 1 : result.complete ? 0 : 2;
}

int main(int argc, char **argv)
{
    struct options options = { .script = { .grain = GRAIN_BURST, .fault_max = 1 },
                               .limits = { .violations_max = 10 } };
    int option;
    crypto_use_stand_ins(true);
    if (sodium_init() < 0)
        return 2;
    while ((option = getopt_long(argc, argv, "", LONG_OPTIONS, NULL)) != -1)
        if (!option_take(&options, option)) {
            fputs(USAGE, stderr);
            return 2;
        }
    if (optind != argc) {
        fputs(USAGE, stderr);
        return 2;
    }
    return options.name != NULL ? replay(&options) : run(&options);
}
