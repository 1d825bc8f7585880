/* samadd: the daemon of a province or a hub. Exit codes: node/site.h. */
#include "node/config.h"
#include "node/runtime/log.h"
#include "node/site.h"
#include "node/version.h"

#include <argp.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct arguments {
    const char *config;
    bool check;
    bool debug;
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'c':
        arguments->config = value;
        return 0;
    case 'k':
        arguments->check = true;
        return 0;
    case 'v':
        arguments->debug = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option OPTIONS[] = {
    { "config", 'c', "FILE", 0, "the configuration file (/etc/samad/samad.conf)", 0 },
    { "check", 'k', NULL, 0, "check configuration, keys and tokens, then exit", 0 },
    { "verbose", 'v', NULL, 0, "log more, for finding faults", 0 },
    { 0 },
};

static const struct argp ARGP = {
    .options = OPTIONS,
    .parser = on_option,
    .doc = "The node of a province's centre, or a hub of the national centre.\v"
           "Exit status: 0 stopped as asked; 1 could not start; 2 arguments, configuration or keys "
           "need correction; 3 storage failed, a restart verifies the stores and goes on.\n"
           "SIGTERM and SIGINT stop it, SIGHUP reads the API's tokens again.",
};

static void print(FILE *stream, const struct buffer *text)
{
    size_t size = text->size;
    while (size > 0 && text->data[size - 1] == '\n')
        size--;
    fwrite(text->data, 1, size, stream);
    fputc('\n', stream);
}

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "samadd %s\n", VERSION_NUMBER);
}

/* Keys live in memory: no core file may hold them. */
static void harden(void)
{
    const struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGPIPE, SIG_IGN);
}

/* A service is given 1,024 open files unless its unit says otherwise, for the sake of programs that
 * use select(). This one does not, and its API alone may have as many connections: without files left
 * nobody could be accepted, and no link opened. */
static void open_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* libuv's pool verifies and reads; one thread a core is enough, the disk is not waited for there. */
static void size_pool(void)
{
    char count[8];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(count, sizeof count, "%ld", cores < 2 ? 2 : cores > 8 ? 8 : cores);
    setenv("UV_THREADPOOL_SIZE", count, 0);
}

/* A package is some 150 kB, and lives for a millisecond. By default the C library gives memory of
 * that size back to the system at once and gets it again page by page, each filled with zeros: a
 * tenth of the work of catching up. */
static void keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 8 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

struct running {
    struct site *site;
    uv_signal_t signals[3];
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct running *running = handle->data;
    if (number == SIGHUP) {
        site_reload(running->site);
        return;
    }
    log_event(LOG_EVENT_INFO, "node.stopping", "signal", number == SIGINT ? "INT" : "TERM", NULL);
    for (size_t i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&running->signals[i], NULL);
    site_stop(running->site);
}

/* Keys, tokens or folders that are not there or not those of this node. */
static bool is_of_configuration(enum err err)
{
    return err == ERR_NOT_FOUND || err == ERR_MALFORMED || err == ERR_AUTH || err == ERR_SIGNATURE;
}

static void log_not_started(enum err err, struct buffer *problem)
{
    char *what = "out of memory", *next = NULL;
    buffer_append_u8(problem, 0);
    if (problem->err == OK) {
        what = (char *)problem->data;
        next = strchr(what, '\n');
        if (next)
            *next++ = '\0';
    }
    log_event(LOG_EVENT_ERROR, "node.not_started", "error", err_name(err), "what", what,
              next ? "next" : NULL, next, NULL);
}

static enum site_exit run(const struct config *config)
{
    static const int NUMBERS[3] = { SIGTERM, SIGINT, SIGHUP };
    struct running running = { 0 };
    struct buffer problem = { 0 };
    uv_loop_t loop;
    if (uv_loop_init(&loop) != 0)
        return EXIT_START;
    log_event(LOG_EVENT_INFO, "node.starting", "node", config->node, "role",
              config->role == ROLE_HUB ? "hub" : "province", "data", config->data, NULL);
    enum err err = site_open(&running.site, config, &loop, &problem);
    if (err != OK) {
        log_not_started(err, &problem);
        buffer_close(&problem);
        uv_loop_close(&loop);
        return is_of_configuration(err) ? EXIT_CONFIG : EXIT_START;
    }
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&loop, &running.signals[i]);
        running.signals[i].data = &running;
        uv_signal_start(&running.signals[i], on_signal, NUMBERS[i]);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    site_close(running.site);
    uv_loop_close(&loop);
    buffer_close(&problem);
    log_event(LOG_EVENT_INFO, "node.stopped", "node", config->node, NULL);
    return EXIT_STOPPED;
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .config = "/etc/samad/samad.conf" };
    struct config *config = NULL;
    struct buffer problems = { 0 };
    argp_program_version_hook = print_version;
    argp_err_exit_status = EXIT_CONFIG;
    argp_parse(&ARGP, argc, argv, 0, NULL, &arguments);
    if (sodium_init() < 0)
        return EXIT_START;
    harden();
    size_pool();
    open_files();
    keep_memory();
    if (arguments.debug)
        log_event_threshold(LOG_EVENT_DEBUG);
    enum err err = config_load(&config, arguments.config, &problems);
    if (err == ERR_NOT_FOUND)
        buffer_append_string(&problems,
                             "  next: name the node's configuration with --config FILE\n");
    if (err == OK)
        err = site_check(config, &problems);
    enum site_exit status = EXIT_CONFIG;
    if (err != OK)
        print(stderr, &problems);
    else if (arguments.check)
        status = EXIT_STOPPED;
    else
        status = run(config);
    if (err == OK && arguments.check)
        puts("configuration ok");
    buffer_close(&problems);
    config_free(config);
    return (int)status;
}
