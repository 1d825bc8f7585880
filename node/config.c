#include "node/config.h"

#include "node/casework/province.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECEIPTS_MAX 1000

/* Where an option stands in the file: libconfuse knows it only while it reads. */
struct place {
    const cfg_t *section;
    char option[32];
    int line;
};

/* libconfuse's callbacks carry no context, so the load in progress is kept per thread. */
static _Thread_local struct {
    const char *path;
    struct buffer *problems, *unready;
    struct place *places;
    size_t place_count;
    int line;     /* of the last error of syntax */
    bool partial; /* it ended the reading: nothing can be said of what is not there */
} loading;

/* ---- problems ---------------------------------------------------------------------------- */

static void say(struct buffer *out, const char *place, int line, const char *section,
                const char *text)
{
    char number[16] = "";
    if (line > 0)
        snprintf(number, sizeof number, ":%d", line);
    buffer_append_string(out, place);
    buffer_append_string(out, number);
    buffer_append_string(out, ": ");
    buffer_append_string(out, section);
    buffer_append_string(out, text);
    buffer_append_string(out, "\n");
}

static void problem(const char *place, int line, const char *text)
{
    say(loading.problems, place, line, "", text);
}

/* What is wrong with `option`, with its line when it stands in the file. */
static void say_of(struct buffer *out, cfg_t *section, const char *option, const char *format,
                   va_list args)
{
    char text[768], name[128] = "";
    int line = 0;
    vsnprintf(text, sizeof text, format, args);
    for (size_t i = 0; i < loading.place_count; i++)
        if (loading.places[i].section == section && strcmp(loading.places[i].option, option) == 0)
            line = loading.places[i].line;
    if (cfg_title(section))
        snprintf(name, sizeof name, "%s \"%.64s\": ", cfg_name(section), cfg_title(section));
    else if (strcmp(cfg_name(section), "root") != 0) /* libconfuse's name for the file itself */
        snprintf(name, sizeof name, "%s: ", cfg_name(section));
    if (line > 0 || !loading.partial)
        say(out, loading.path, line, name, text);
}

/* The file cannot be used. */
static void fault(cfg_t *section, const char *option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(cfg_t *section, const char *option, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_of(loading.problems, section, option, format, args);
    va_end(args);
}

/* It can be used, but for starting the node. */
static void unready(cfg_t *section, const char *option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void unready(cfg_t *section, const char *option, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_of(loading.unready, section, option, format, args);
    va_end(args);
}

static void config_on_error(cfg_t *cfg, const char *format, va_list args)
{
    char line[400];
    vsnprintf(line, sizeof line, format, args);
    loading.line = cfg ? cfg->line : 0;
    problem(cfg && cfg->filename ? cfg->filename : loading.path, cfg ? cfg->line : 0, line);
}

/* libconfuse would take the last of two values, and nobody would know which one is in force. */
static void refuse_second(cfg_t *cfg, const char *option)
{
    char text[160];
    for (size_t i = 0; i < loading.place_count; i++) {
        if (loading.places[i].section != cfg || strcmp(loading.places[i].option, option) != 0)
            continue;
        snprintf(text, sizeof text, "%s is already set in line %d; keep one of the two", option,
                 loading.places[i].line);
        problem(loading.path, cfg->line, text);
        return;
    }
}

static int config_on_option(cfg_t *cfg, cfg_opt_t *opt)
{
    refuse_second(cfg, opt->name);
    struct place *places =
        realloc(loading.places, (loading.place_count + 1) * sizeof *loading.places);
    if (!places)
        return 0; /* a problem is then said without its line */
    loading.places = places;
    struct place *place = &places[loading.place_count++];
    *place = (struct place){ .section = cfg, .line = cfg->line };
    snprintf(place->option, sizeof place->option, "%s", opt->name);
    return 0;
}

static char *copy_string(const char *string)
{
    return string && *string ? strdup(string) : NULL;
}

enum err address_split(const char *address, char host[256], char port[8])
{
    const char *colon = strrchr(address, ':');
    const char *start = address;
    if (!colon)
        return ERR_INVALID;
    const char *end = colon;
    if (*start == '[') {
        start++;
        if (end == start || end[-1] != ']')
            return ERR_INVALID;
        end--;
    } else if (memchr(start, ':', (size_t)(end - start))) {
        return ERR_INVALID;
    }
    size_t host_size = (size_t)(end - start);
    size_t port_size = strlen(colon + 1);
    if (host_size == 0 || host_size >= 256 || port_size == 0 || port_size >= 8)
        return ERR_INVALID;
    for (const char *p = colon + 1; *p; p++)
        if (*p < '0' || *p > '9')
            return ERR_INVALID;
    if (strtol(colon + 1, NULL, 10) > 65535)
        return ERR_INVALID;
    memcpy(host, start, host_size);
    host[host_size] = '\0';
    memcpy(port, colon + 1, port_size + 1);
    return OK;
}

bool address_is_loopback(const char *address)
{
    char host[256], port[8];
    return address_split(address, host, port) == OK &&
           (strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
            strcmp(host, "localhost") == 0);
}

/* ---- one section each -------------------------------------------------------------------- */

/* `samadctl keygen` must run before the other side's keys are known, so zeros, as the examples have
 * them, are taken until the node is to start. */
static void read_key(cfg_t *cfg, const char *option, uint8_t out[KEY_SIZE])
{
    static const uint8_t zero[KEY_SIZE];
    const char *hex = cfg_getstr(cfg, option);
    memset(out, 0, KEY_SIZE);
    if (!hex || !*hex)
        fault(cfg, option, "%s is missing; the other side prints it with `samadctl keygen`",
              option);
    else if (hex_decode(out, KEY_SIZE, hex, strlen(hex)) != OK)
        fault(cfg, option, "%s is not 64 lower-case hexadecimal digits", option);
    else if (memcmp(out, zero, KEY_SIZE) == 0)
        unready(cfg, option, "%s is zero; the other side prints it with `samadctl keygen`", option);
}

/* `option` is NULL for a section's title. */
static void read_name(cfg_t *cfg, const char *option, char out[NODE_NAME_SIZE_MAX + 1])
{
    const char *name = option ? cfg_getstr(cfg, option) : cfg_title(cfg);
    memset(out, 0, NODE_NAME_SIZE_MAX + 1);
    if (!name || !node_name_is_valid(bytes_of_string(name)))
        fault(cfg, option ? option : "",
              "'%s' is not a node name (1 to 32 of a-z, 0-9, '-', beginning with a letter)",
              name ? name : "");
    else
        memcpy(out, name, strlen(name));
}

static char *read_address(cfg_t *cfg, const char *option)
{
    char host[256], port[8], *address = copy_string(cfg_getstr(cfg, option));
    if (address && address_split(address, host, port) != OK)
        fault(cfg, option, "%s = \"%s\" is not \"host:port\" with a port from 0 to 65535", option,
              address);
    return address;
}

static enum err read_hubs(struct config *config, cfg_t *cfg)
{
    config->hub_count = cfg_size(cfg, "hub");
    config->hubs = calloc(config->hub_count + 1, sizeof *config->hubs);
    if (!config->hubs)
        return ERR_NOMEM;
    for (size_t i = 0; i < config->hub_count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "hub", (unsigned)i);
        struct config_hub *hub = &config->hubs[i];
        read_name(section, NULL, hub->name);
        hub->address = read_address(section, "address");
        if (!hub->address)
            fault(section, "address", "address is missing: where the hub listens, \"host:port\"");
        read_key(section, "link_key", hub->link_key.bytes);
        read_key(section, "log_key", hub->log_key.bytes);
        read_key(section, "receipt_key", hub->receipt_key.bytes);
        if (strcmp(hub->name, config->node) == 0)
            fault(section, "", "this is the node itself");
    }
    return OK;
}

static enum err read_provinces(struct config *config, cfg_t *cfg)
{
    config->province_count = cfg_size(cfg, "province");
    config->provinces = calloc(config->province_count + 1, sizeof *config->provinces);
    if (!config->provinces)
        return ERR_NOMEM;
    for (size_t i = 0; i < config->province_count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "province", (unsigned)i);
        struct config_province *province = &config->provinces[i];
        read_name(section, NULL, province->name);
        read_key(section, "link_key", province->link_key.bytes);
        read_key(section, "log_key", province->log_key.bytes);
        for (size_t j = 0; j < i; j++)
            if (memcmp(config->provinces[j].link_key.bytes, province->link_key.bytes,
                       KEY_SIZE) == 0)
                fault(section, "link_key", "has the same link_key as \"%s\"",
                      config->provinces[j].name);
    }
    return OK;
}

/* Read as a string: libconfuse's own numbers end the reading of the file at the first that is none,
 * or beyond a long. */
static size_t read_size(cfg_t *cfg, const char *option, long min, long max)
{
    const char *text = cfg_getstr(cfg, option);
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end)
        fault(cfg, option, "%s = %.64s is not a number from %ld to %ld", option, text, min, max);
    else if (errno == ERANGE || value < min || value > max)
        fault(cfg, option, "%s = %.64s is outside %ld..%ld", option, text, min, max);
    else
        return (size_t)value;
    return (size_t)min;
}

static char *read_file_name(cfg_t *cfg, const char *option)
{
    char *path = copy_string(cfg_getstr(cfg, option));
    if (path && access(path, R_OK) != 0)
        unready(cfg, option, "%s = \"%s\": %s", option, path, strerror(errno));
    return path;
}

static void read_api(struct config *config, cfg_t *cfg)
{
    config->api_listen = read_address(cfg, "listen");
    config->api_tls_certificate = read_file_name(cfg, "tls_certificate");
    config->api_tls_key = read_file_name(cfg, "tls_key");
    config->api_connections_max = (unsigned)read_size(cfg, "connections_max", 1, 65536);
    bool has_tls = config->api_tls_certificate && config->api_tls_key;
    if (loading.partial)
        return; /* the rest may stand where nothing was read */
    char host[256], port[8];
    if (config->api_listen && address_split(config->api_listen, host, port) == OK &&
        !address_is_loopback(config->api_listen) && !has_tls)
        fault(cfg, "listen",
              "listen = \"%s\" is not on loopback and needs tls_certificate and tls_key"
              " (citizens' data never crosses a network in the clear)",
              config->api_listen);
    if (!config->api_tls_certificate != !config->api_tls_key)
        fault(cfg, config->api_tls_key ? "tls_key" : "tls_certificate",
              "tls_certificate and tls_key go together");
}

static void read_replication(struct config *config, cfg_t *cfg)
{
    config->replication_listen = read_address(cfg, "listen");
    config->catch_ups_max = (unsigned)read_size(cfg, "catch_ups_max", 1, 1000);
    if (config->role == ROLE_HUB && config->province_count > 0 && !config->replication_listen)
        unready(cfg, "listen",
                "listen is missing: where the provinces connect, \"host:port\"");
}

static void read_storage(struct config *config, cfg_t *cfg)
{
    size_t mib = (size_t)1 << 20;
    config->map_size = read_size(cfg, "map_mib", 16, 1L << 24) * mib;
    config->reserve_size = read_size(cfg, "reserve_mib", 1, 1L << 20) * mib;
    config->memory_size = read_size(cfg, "memory_mib", 1, 1L << 16) * mib;
    config->queue_max = read_size(cfg, "queue_max", 16, 1L << 20);
    config->group_max = read_size(cfg, "group_max", 1, 1024);
    config->verify_rate = read_size(cfg, "verify_mib_per_s", 0, 4096) * mib;
}

static void read_journal(struct config *config, cfg_t *cfg)
{
    size_t mib = (size_t)1 << 20;
    config->journal_path = copy_string(cfg_getstr(cfg, "path"));
    config->journal_segment_size = read_size(cfg, "segment_mib", 1, 512) * mib;
    config->journal_keep_size = read_size(cfg, "keep_mib", 1, 1L << 24) * mib;
    if (config->journal_path && config->data && strcmp(config->journal_path, config->data) == 0)
        fault(cfg, "path", "path = \"%s\" is the data folder; the journal is a second copy, on "
                           "another device", config->journal_path);
}

/* After the hubs were read. */
static void read_national(struct config *config, cfg_t *cfg)
{
    config->national_receipts = (unsigned)read_size(cfg, "receipts", 1, RECEIPTS_MAX);
    if (config->role == ROLE_PROVINCE && config->hub_count > 0 && !loading.partial &&
        config->national_receipts > config->hub_count)
        fault(cfg, "receipts", "receipts = %u is more than there are hubs (%zu)",
              config->national_receipts, config->hub_count);
}

static void read_role(struct config *config, cfg_t *cfg)
{
    const char *role = cfg_getstr(cfg, "role");
    if (role && strcmp(role, "province") == 0)
        config->role = ROLE_PROVINCE;
    else if (role && strcmp(role, "hub") == 0)
        config->role = ROLE_HUB;
    else
        fault(cfg, "role", "role must be \"province\" or \"hub\"");
}

/* The number of the province is in each tracking code, so a node of another name registers nothing. */
static void check_province(const struct config *config, cfg_t *cfg)
{
    char names[512] = "";
    if (config->role != ROLE_PROVINCE || config->node[0] == '\0' ||
        province_by_node(bytes_of_string(config->node)))
        return;
    for (size_t i = 0; i < PROVINCE_COUNT; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i > 0 ? ", " : "",
                 PROVINCES[i].node);
    unready(cfg, "node", "node = \"%s\": no province has this name; they are: %s", config->node,
            names);
}

static enum err read_all(struct config *config, cfg_t *cfg)
{
    read_name(cfg, "node", config->node);
    read_role(config, cfg);
    check_province(config, cfg);
    config->data = copy_string(cfg_getstr(cfg, "data"));
    config->keys = copy_string(cfg_getstr(cfg, "keys"));
    if (!config->data)
        fault(cfg, "data", "data is missing: the folder that holds the stores");
    if (!config->keys)
        fault(cfg, "keys", "keys is missing: the folder that `samadctl keygen` filled");
    read_api(config, cfg_getsec(cfg, "api"));
    read_storage(config, cfg_getsec(cfg, "storage"));
    read_journal(config, cfg_getsec(cfg, "journal"));
    enum err err = read_hubs(config, cfg);
    if (err == OK)
        err = read_provinces(config, cfg);
    if (err != OK)
        return err;
    read_replication(config, cfg_getsec(cfg, "replication"));
    read_national(config, cfg_getsec(cfg, "national"));
    return loading.problems->size > 0 ? ERR_INVALID : loading.problems->err;
}

/* ---- the whole file ---------------------------------------------------------------------- */

/* Has the line of every option of these kept. */
static void watch(cfg_opt_t *options)
{
    for (; options->name; options++)
        if (options->type == CFGT_SEC)
            watch(options->subopts);
        else
            options->validcb = config_on_option;
}

/* libconfuse ends the process when it is to read a folder. */
static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* What stands before an error of syntax is checked all the same. */
static enum err read_part(struct config *config, cfg_t *cfg)
{
    char text[128];
    loading.partial = true;
    enum err err = read_all(config, cfg);
    snprintf(text, sizeof text,
             "nothing behind line %d could be read; it is checked when that line is corrected",
             loading.line);
    problem(loading.path, 0, text);
    return err == ERR_NOMEM ? err : ERR_INVALID;
}

static enum err read_file(struct config *config, cfg_t *cfg)
{
    if (is_folder(loading.path)) {
        problem(loading.path, 0,
                "is a folder; name the configuration file in it, for example samad.conf");
        return ERR_INVALID;
    }
    switch (cfg_parse(cfg, loading.path)) {
    case CFG_SUCCESS:
        return read_all(config, cfg);
    case CFG_FILE_ERROR: {
        enum err err = errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
        problem(loading.path, 0, strerror(errno));
        return err;
    }
    default:
        return read_part(config, cfg);
    }
}

enum err config_load(struct config **out, const char *path, struct buffer *problems)
{
    cfg_opt_t api[] = { CFG_STR("listen", NULL, CFGF_NONE),
                        CFG_STR("tls_certificate", NULL, CFGF_NONE),
                        CFG_STR("tls_key", NULL, CFGF_NONE),
                        CFG_STR("connections_max", "1024", CFGF_NONE), CFG_END() };
    cfg_opt_t replication[] = { CFG_STR("listen", NULL, CFGF_NONE),
                                CFG_STR("catch_ups_max", "32", CFGF_NONE), CFG_END() };
    cfg_opt_t storage[] = { CFG_STR("map_mib", "4096", CFGF_NONE),
                            CFG_STR("reserve_mib", "64", CFGF_NONE),
                            CFG_STR("memory_mib", "128", CFGF_NONE),
                            CFG_STR("queue_max", "4096", CFGF_NONE),
                            CFG_STR("group_max", "256", CFGF_NONE),
                            CFG_STR("verify_mib_per_s", "4", CFGF_NONE), CFG_END() };
    cfg_opt_t journal[] = { CFG_STR("path", NULL, CFGF_NONE),
                            CFG_STR("segment_mib", "64", CFGF_NONE),
                            CFG_STR("keep_mib", "16384", CFGF_NONE), CFG_END() };
    cfg_opt_t hub[] = { CFG_STR("address", NULL, CFGF_NONE), CFG_STR("link_key", NULL, CFGF_NONE),
                        CFG_STR("log_key", NULL, CFGF_NONE),
                        CFG_STR("receipt_key", NULL, CFGF_NONE), CFG_END() };
    cfg_opt_t province[] = { CFG_STR("link_key", NULL, CFGF_NONE),
                             CFG_STR("log_key", NULL, CFGF_NONE), CFG_END() };
    cfg_opt_t national[] = { CFG_STR("receipts", "1", CFGF_NONE), CFG_END() };
    cfg_opt_t options[] = { CFG_STR("node", NULL, CFGF_NONE),
                            CFG_STR("role", NULL, CFGF_NONE),
                            CFG_STR("data", NULL, CFGF_NONE),
                            CFG_STR("keys", NULL, CFGF_NONE),
                            CFG_SEC("api", api, CFGF_NONE),
                            CFG_SEC("replication", replication, CFGF_NONE),
                            CFG_SEC("storage", storage, CFGF_NONE),
                            CFG_SEC("journal", journal, CFGF_NONE),
                            CFG_SEC("national", national, CFGF_NONE),
                            CFG_SEC("hub", hub, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                            CFG_SEC("province", province,
                                    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                            CFG_END() };
    enum err err = OK;
    struct config *config = calloc(1, sizeof *config);
    watch(options);
    /* With this flag an unknown option is an error that is said, and reading goes on behind it. */
    cfg_t *cfg = cfg_init(options, CFGF_KEYSTRVAL);
    if (!config || !cfg) {
        err = ERR_NOMEM;
        goto out;
    }
    loading.path = path;
    loading.problems = problems;
    loading.unready = &config->unready;
    cfg_set_error_function(cfg, config_on_error);
    err = read_file(config, cfg);
out:
    free(loading.places);
    memset(&loading, 0, sizeof loading);
    if (cfg)
        cfg_free(cfg);
    if (err == OK)
        *out = config;
    else
        config_free(config);
    return err;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->hub_count && config->hubs; i++)
        free(config->hubs[i].address);
    free(config->hubs);
    free(config->provinces);
    free(config->data);
    free(config->journal_path);
    free(config->keys);
    free(config->api_listen);
    free(config->api_tls_certificate);
    free(config->api_tls_key);
    free(config->replication_listen);
    buffer_close(&config->unready);
    free(config);
}
