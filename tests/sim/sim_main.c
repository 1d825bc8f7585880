/* samad-sim: whole nodes in one thread and in virtual time. tests/sim/README.md tells what and why. */
#include "tests/sim/bugs.h"
#include "tests/sim/minimise.h"
#include "tests/sim/run.h"
#include "tests/sim/storm.h"
#include "tests/sim/story.h"
#include "tests/sim/swarm.h"
#include "tests/support/parent.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define DAYS_MAX 365

struct arguments {
    struct run_options run;
    uint64_t runs;
    unsigned jobs;
    bool minimise, twice, counters;
};

/* A seed in a process of its own: one that crashes is a finding, and the next one begins clean. */
struct job {
    pid_t pid;
    int pipe;
    uint64_t seed;
    struct run_result result;
    bool reported;
    char text[65536];
    size_t size;
};

struct total {
    uint64_t seeds, submissions, failed;
    double node_days;
};

enum { OPTION_PROFILE = 256, OPTION_TRACE, OPTION_REAL, OPTION_MINIMISE, OPTION_TWICE, OPTION_DAYS,
       OPTION_COUNTERS, OPTION_FAULTS, OPTION_HISTORY, OPTION_BUG };

static const struct argp_option OPTIONS[] = {
    { "seed", 's', "S", 0, "the first seed (1)", 0 },
    { "runs", 'n', "N", 0, "so many seeds, one after the other (1)", 0 },
    { "jobs", 'j', "N", 0, "so many at a time (2)", 0 },
    { "profile", OPTION_PROFILE, "NAME", 0, "instead of what the seed draws; «help» lists them", 0 },
    { "days", OPTION_DAYS, "D", 0, "so long a storm, instead of what the seed draws", 0 },
    { "trace", OPTION_TRACE, NULL, 0, "print the story", 0 },
    { "real-crypto", OPTION_REAL, NULL, 0, "no stand-ins for signatures and key agreement", 0 },
    { "minimise", OPTION_MINIMISE, NULL, 0, "a violation: find the faults that it takes", 0 },
    { "twice", OPTION_TWICE, NULL, 0, "each seed twice: the traces must be equal (I29)", 0 },
    { "faults", OPTION_FAULTS, "LIST", 0, "of the schedule only these, by number: 3,17", 0 },
    { "history", OPTION_HISTORY, "FILE", 0, "save the history, for samad-check (of the last seed)", 0 },
    { "counters", OPTION_COUNTERS, NULL, 0, "print what was injected and what was reached", 0 },
    { "bug", OPTION_BUG, "NAME", 0, "with this seeded bug (a build with SAMAD_BUGS); «help» lists them",
      0 },
    { 0 },
};

static void list_bugs(void)
{
    if (bug_at(0) == NULL)
        puts("this build has no seeded bugs: cmake --preset bugs");
    for (size_t i = 0; bug_at(i) != NULL; i++)
        printf("%-26s %-10s %s\n", bug_at(i)->name, bug_at(i)->breaks, bug_at(i)->text);
}

static void list_profiles(void)
{
    for (const char *const *line = swarm_profiles(); *line; line += 2)
        printf("%-22s %s\n", line[0], line[1]);
}

/* A number from `least` on, and nothing behind it: a slip of the keyboard must not run no seed at all
 * and call it good. */
static uint64_t number_of(const struct argp_state *state, const char *value, uint64_t least)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(value, &end, 10);
    if (end == value || *end != '\0' || *value == '-' || errno != 0 || number < least)
        argp_error(state, "«%s» is no number from %" PRIu64 " on", value, least);
    return number;
}

static double days_of(const struct argp_state *state, const char *value)
{
    char *end;
    double days = strtod(value, &end);
    if (end == value || *end != '\0' || !(days > 0) || days > DAYS_MAX)
        argp_error(state, "«%s» is no number of days above 0 and up to %d", value, DAYS_MAX);
    return days;
}

static bool is_profile(const char *name)
{
    const char *const *line = swarm_profiles();
    while (*line && strcmp(line[0], name) != 0)
        line += 2;
    return *line != NULL;
}

static bool *read_faults(const char *list)
{
    bool *kept = calloc(RUN_FAULT_KEPT_MAX, sizeof *kept);
    for (char *end; kept && *list; list = *end ? end + 1 : end) {
        unsigned long number = strtoul(list, &end, 10);
        if (end == list || number >= RUN_FAULT_KEPT_MAX)
            return NULL;
        kept[number] = true;
    }
    return kept;
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 's':
        arguments->run.seed = number_of(state, value, 0);
        return 0;
    case 'n':
        arguments->runs = number_of(state, value, 1);
        return 0;
    case 'j':
        arguments->jobs = (unsigned)number_of(state, value, 1);
        if (arguments->jobs > JOBS_MAX)
            argp_error(state, "at most %d at a time", JOBS_MAX);
        return 0;
    case OPTION_PROFILE:
        if (strcmp(value, "help") == 0) {
            list_profiles();
            exit(0);
        }
        if (!is_profile(value))
            argp_error(state, "there is no profile «%s»; --profile help lists them", value);
        arguments->run.profile = value;
        return 0;
    case OPTION_BUG:
        if (strcmp(value, "help") == 0) {
            list_bugs();
            exit(0);
        }
        if (!bug_choose(value))
            argp_error(state, "this build has no bug «%s»; --bug help lists them", value);
        return 0;
    case OPTION_FAULTS:
        arguments->run.faults_kept = read_faults(value);
        if (!arguments->run.faults_kept)
            argp_error(state, "«%s» is no list of numbers below %d", value, RUN_FAULT_KEPT_MAX);
        return 0;
    case OPTION_DAYS:
        arguments->run.days = days_of(state, value);
        return 0;
    case OPTION_TRACE:
        arguments->run.tell = true;
        return 0;
    case OPTION_REAL:
        arguments->run.real_crypto = true;
        return 0;
    case OPTION_MINIMISE:
        arguments->minimise = true;
        return 0;
    case OPTION_TWICE:
        arguments->twice = true;
        return 0;
    case OPTION_HISTORY:
        arguments->run.history = value;
        return 0;
    case OPTION_COUNTERS:
        arguments->counters = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "«%s»: there is nothing to say without an option", value);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    .options = OPTIONS,
    .parser = on_option,
    .doc = "Runs seeds of the simulation; exit status 0 when no guarantee was violated.",
};

/* ---- one seed in a child --------------------------------------------------------------------- */

static void child(const struct arguments *arguments, uint64_t seed, int out)
{
    struct run_options options = arguments->run;
    struct run_result result;
    options.seed = seed;
    if (!options.tell)
        dup2(out, STDOUT_FILENO);
    run_seed(&options, &result);
    fflush(stdout);
    if (options.tell)
        dup2(out, STDOUT_FILENO);
    story_print_counters();
    printf("result %016" PRIx64 " %.6f %" PRIu64 " %u %u %s %s\n", result.trace_hash,
           result.node_days, result.submissions, result.violations, result.schedule_size,
           result.profile, result.violations ? result.why : "-");
    fflush(stdout);
    syscall(SYS_exit_group, 0);
}

static void job_start(struct job *job, const struct arguments *arguments, uint64_t seed)
{
    int ends[2];
    *job = (struct job){ .seed = seed };
    fflush(stdout);
    if (pipe(ends) != 0 || (job->pid = fork()) < 0) {
        perror("samad-sim");
        exit(2);
    }
    if (job->pid == 0) {
        end_with_parent();
        close(ends[0]);
        child(arguments, seed, ends[1]);
    }
    close(ends[1]);
    job->pipe = ends[0];
}

static void job_line(struct job *job, const char *line)
{
    struct run_result *result = &job->result;
    int at = 0;
    if (story_add_line(line))
        return;
    if (strncmp(line, "schedule ", 9) == 0) {
        printf("    %s\n", line + 9);
        return;
    }
    if (sscanf(line, "result %" SCNx64 " %lf %" SCNu64 " %u %u %31s %n", &result->trace_hash,
               &result->node_days, &result->submissions, &result->violations,
               &result->schedule_size, result->profile, &at) >= 6 &&
        at > 0) {
        snprintf(result->why, sizeof result->why, "%s", line + at);
        job->reported = true;
    }
}

/* False when the child has closed its end. */
static bool job_read(struct job *job)
{
    ssize_t size = read(job->pipe, job->text + job->size, sizeof job->text - job->size - 1);
    if (size <= 0)
        return false;
    job->size += (size_t)size;
    job->text[job->size] = '\0';
    char *line = job->text, *end;
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        job_line(job, line);
        line = end + 1;
    }
    job->size -= (size_t)(line - job->text);
    memmove(job->text, line, job->size + 1);
    return true;
}

static void job_end(struct job *job)
{
    int status = 0;
    close(job->pipe);
    waitpid(job->pid, &status, 0);
    job->pid = 0;
    if (job->reported)
        return;
    job->result.violations = 1;
    snprintf(job->result.why, sizeof job->result.why, "the process died: %s %d",
             WIFSIGNALED(status) ? "signal" : "exit",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

void minimise_run(const struct run_options *options, struct run_result *result)
{
    static struct job job;
    struct arguments arguments = { .run = *options };
    arguments.run.tell = false;
    job_start(&job, &arguments, options->seed);
    while (job_read(&job))
        continue;
    job_end(&job);
    *result = job.result;
}

/* ---- many seeds ------------------------------------------------------------------------------ */

#ifndef SAMAD_COMMIT
#define SAMAD_COMMIT "unknown"
#endif

void minimise_command(const struct run_options *options)
{
    printf("samad-sim --seed %" PRIu64, options->seed);
    if (options->profile)
        printf(" --profile %s", options->profile);
    if (options->days > 0)
        printf(" --days %g", options->days);
    if (options->real_crypto)
        printf(" --real-crypto");
    if (bug_name())
        printf(" --bug %s", bug_name());
}

static void report(const struct arguments *arguments, const struct job *job)
{
    const struct run_result *result = &job->result;
    struct run_options again = arguments->run;
    again.seed = job->seed;
    printf("VIOLATION seed=%" PRIu64 " profile=%s hash=%016" PRIx64 "\n  %s\n  command: ",
           job->seed, result->profile, result->trace_hash, result->why);
    minimise_command(&again);
    printf(" --trace   commit: %s\n", SAMAD_COMMIT);
    if (!arguments->minimise)
        printf("  with --minimise: which faults it takes\n");
    if (arguments->minimise) {
        struct run_options options = arguments->run;
        options.seed = job->seed;
        minimise(&options, result);
    }
}

static void job_count(const struct arguments *arguments, struct job *job, struct total *total)
{
    total->seeds++;
    total->submissions += job->result.submissions;
    total->node_days += job->result.node_days;
    if (arguments->twice && job->result.violations == 0) {
        struct run_options options = arguments->run;
        struct run_result again;
        options.seed = job->seed;
        minimise_run(&options, &again);
        if (again.trace_hash != job->result.trace_hash) {
            job->result.violations = 1;
            snprintf(job->result.why, sizeof job->result.why,
                     "I29 determinism: the second run's trace is %016" PRIx64, again.trace_hash);
        }
    }
    if (arguments->runs == 1 || arguments->run.tell)
        printf("seed %" PRIu64 ": trace %016" PRIx64 ", profile %s, %u faults planned\n", job->seed,
               job->result.trace_hash, job->result.profile, job->result.schedule_size);
    if (job->result.violations > 0) {
        total->failed++;
        report(arguments, job);
    }
    fflush(stdout);
}

static void run_all(const struct arguments *arguments, struct total *total)
{
    static struct job jobs[JOBS_MAX];
    uint64_t next = 0, running = 0;
    while (next < arguments->runs || running > 0) {
        struct pollfd waits[JOBS_MAX];
        for (unsigned i = 0; i < arguments->jobs; i++) {
            if (jobs[i].pid == 0 && next < arguments->runs) {
                job_start(&jobs[i], arguments, arguments->run.seed + next++);
                running++;
            }
            waits[i] = (struct pollfd){ .fd = jobs[i].pid ? jobs[i].pipe : -1, .events = POLLIN };
        }
        if (poll(waits, arguments->jobs, -1) < 0)
            continue;
        for (unsigned i = 0; i < arguments->jobs; i++)
            if (jobs[i].pid != 0 && waits[i].revents != 0 && !job_read(&jobs[i])) {
                job_end(&jobs[i]);
                job_count(arguments, &jobs[i], total);
                running--;
            }
    }
}

static double seconds(void)
{
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .run = { .seed = 1 }, .runs = 1, .jobs = 2 };
    struct total total = { 0 };
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &arguments) != 0 || sodium_init() < 0)
        return 2;
    double began = seconds();
    story_begin(false);
    run_all(&arguments, &total);
    if (arguments.counters)
        story_print_counters();
    double took = seconds() - began;
    printf("speed: %.1f s, %.2f node-years a minute\n", took,
           total.node_days / 365.25 / (took / 60));
    printf("sim: seeds=%" PRIu64 " node_years=%.3f submissions=%" PRIu64 " faults=%" PRIu64
           " sometimes=%u/%u violations=%" PRIu64 "\n",
           total.seeds, total.node_days / 365.25, total.submissions, story_faults(),
           story_reached(), story_wanted(), total.failed);
    return total.failed > 0;
}
