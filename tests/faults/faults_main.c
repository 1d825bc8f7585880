/* samad-faults: storage faults at every point of a script, on the product's own objects (README.md). */
#include "tests/faults/faults.h"

#include "proto/base/require.h"
#include "tests/support/folder.h"
#include "tests/support/parent.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 16 };

static const char USAGE[] =
    "usage: samad-faults [--nth N|all] [--images N|all] [--flips N] [--jobs N] [--only CASE] [--list] [--canary]\n";

static uint64_t number_of(const char *text)
{
    char *end;
    if (strcmp(text, "all") == 0)
        return UINT64_MAX;
    uint64_t number = strtoull(text, &end, 10);
    if (*end || end == text || *text == '-') {
        fputs(USAGE, stderr);
        exit(2);
    }
    return number;
}

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED);
    return memory;
}

static void worker_run(struct options *options, struct totals *totals, const char *folder)
{
    notes = shared(sizeof *notes);
    path_form(options->folder, "%s/%u", folder, options->worker);
    folder_copy(NULL, options->folder);
    if (options->nth > 0)
        nth_run(options, totals);
    if (options->images > 0)
        images_run(options, totals);
    if (options->flips > 0)
        flips_run(options, totals);
}

static double real_seconds(void)
{
    struct timespec now; /* clock_gettime is simulated */
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void only_of(struct options *options)
{
    const char *only = options->only;
    options->workers = 1;
    options->nth = strncmp(only, "nth:", 4) == 0;
    options->images = strncmp(only, "image:", 6) == 0;
    options->flips = strncmp(only, "flip:", 5) == 0;
}

static void options_read(struct options *options, int count, char **arguments)
{
    static const struct option known[] = {
        { "nth", required_argument, NULL, 'n' },   { "images", required_argument, NULL, 'i' },
        { "flips", required_argument, NULL, 'f' }, { "jobs", required_argument, NULL, 'j' },
        { "only", required_argument, NULL, 'o' },  { "list", no_argument, NULL, 'l' },
        { "canary", no_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 }
    };
    *options = (struct options){ .images = 5000, .flips = 5000, .nth = 150, .workers = 2 };
    for (int found; (found = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        switch (found) {
        case 'n': options->nth = number_of(optarg); break;
        case 'i': options->images = number_of(optarg); break;
        case 'f': options->flips = number_of(optarg); break;
        case 'j': options->workers = (unsigned)number_of(optarg); break;
        case 'o': options->only = optarg; break;
        case 'l': options->list = true; break;
        case 'c': options->canary = true; break;
        default: fputs(USAGE, stderr); exit(2);
        }
    }
    if (options->only)
        only_of(options);
    if (optind != count || options->workers < 1 || options->workers > WORKERS_MAX) {
        fputs(USAGE, stderr);
        exit(2);
    }
}

static void totals_add(struct totals *to, const struct totals *more)
{
    uint64_t *at = (uint64_t *)to;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *to / sizeof *at; i++)
        at[i] += from[i];
}

int main(int count, char **arguments)
{
    struct options options;
    struct totals all = { 0 };
    char folder[FOLDER_PATH_SIZE];
    pid_t workers[WORKERS_MAX];
    bool ended = true;
    setvbuf(stdout, NULL, _IOLBF, 0);
    options_read(&options, count, arguments);
    folder_make(folder);
    struct totals *totals = shared(sizeof *totals * WORKERS_MAX);
    double begun = real_seconds();
    for (options.worker = 0; options.worker < options.workers; options.worker++) {
        workers[options.worker] = fork();
        require(workers[options.worker] >= 0);
        if (workers[options.worker] == 0) {
            end_with_parent();
            worker_run(&options, &totals[options.worker], folder);
            fflush(stdout);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < options.workers; i++) {
        int status;
        require(waitpid(workers[i], &status, 0) == workers[i]);
        ended &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
        totals_add(&all, &totals[i]);
    }
    folder_remove(folder);
    if (!ended) {
        printf("violation: the runner itself came to a bad end\n");
        all.violations++;
    }
    if (options.only && all.nth + all.images + all.nested + all.flips == 0) {
        fprintf(stderr, "samad-faults: there is no case «%s»; --list tells their names\n",
                options.only);
        return 2;
    }
    printf("faults: nth=%llu images=%llu nested=%llu flips=%llu two_devices=%llu refused=%llu found=%llu silent=%llu "
           "ended_log=%llu ended_views=%llu healed=%llu repaired=%llu unnoticed=%llu seconds=%.0f "
           "violations=%llu\n",
           (unsigned long long)all.nth, (unsigned long long)all.images,
           (unsigned long long)all.nested, (unsigned long long)all.flips,
           (unsigned long long)all.two_devices, (unsigned long long)all.refused, (unsigned long long)all.found,
           (unsigned long long)all.silent, (unsigned long long)all.ended_log,
           (unsigned long long)all.ended_views, (unsigned long long)all.healed,
           (unsigned long long)all.repaired, (unsigned long long)all.unnoticed,
           real_seconds() - begun, (unsigned long long)all.violations);
    return all.violations > 0;
}
