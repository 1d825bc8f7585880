#include "node/config.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libconfuse's callbacks carry no context, so the load in progress is kept per thread. */
static _Thread_local struct buffer *loading_problems;

static void problem(struct buffer *problems, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void problem(struct buffer *problems, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buffer_append_string(problems, line);
    buffer_append_string(problems, "\n");
}

static void config_on_error(cfg_t *cfg, const char *format, va_list args)
{
    char line[400];
    vsnprintf(line, sizeof line, format, args);
    problem(loading_problems, "%s:%d: %s", cfg && cfg->filename ? cfg->filename : "config",
            cfg ? cfg->line : 0, line);
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

static void read_key(cfg_t *cfg, const char *option, uint8_t out[KEY_SIZE], const char *where,
                     struct buffer *problems)
{
    const char *hex = cfg_getstr(cfg, option);
    memset(out, 0, KEY_SIZE);
    if (!hex || !*hex)
        problem(problems, "%s: %s is missing; the other side prints it with `samadctl keygen`",
                where, option);
    else if (hex_decode(out, KEY_SIZE, hex, strlen(hex)) != OK)
        problem(problems, "%s: %s is not 64 lower-case hexadecimal digits", where, option);
}

static void read_name(const char *name, char out[NODE_NAME_SIZE_MAX + 1], const char *where,
                      struct buffer *problems)
{
    memset(out, 0, NODE_NAME_SIZE_MAX + 1);
    if (!name || !node_name_is_valid(bytes_of_string(name)))
        problem(problems,
                "%s: '%s' is not a node name (1 to 32 of a-z, 0-9, '-', beginning with a letter)",
                where, name ? name : "");
    else
        memcpy(out, name, strlen(name));
}

static enum err read_hubs(struct config *config, cfg_t *cfg, const char *path,
                          struct buffer *problems)
{
    config->hub_count = cfg_size(cfg, "hub");
    config->hubs = calloc(config->hub_count + 1, sizeof *config->hubs);
    if (!config->hubs)
        return ERR_NOMEM;
    for (size_t i = 0; i < config->hub_count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "hub", (unsigned)i);
        struct config_hub *hub = &config->hubs[i];
        char where[400], host[256], port[8];
        snprintf(where, sizeof where, "%.200s: hub \"%.64s\"", path, cfg_title(section));
        read_name(cfg_title(section), hub->name, where, problems);
        hub->address = copy_string(cfg_getstr(section, "address"));
        if (!hub->address || address_split(hub->address, host, port) != OK)
            problem(problems, "%s: address must be \"host:port\"", where);
        read_key(section, "link_key", hub->link_key.bytes, where, problems);
        read_key(section, "log_key", hub->log_key.bytes, where, problems);
        read_key(section, "receipt_key", hub->receipt_key.bytes, where, problems);
        if (strcmp(hub->name, config->node) == 0)
            problem(problems, "%s: this is the node itself", where);
    }
    return OK;
}

static enum err read_provinces(struct config *config, cfg_t *cfg, const char *path,
                               struct buffer *problems)
{
    config->province_count = cfg_size(cfg, "province");
    config->provinces = calloc(config->province_count + 1, sizeof *config->provinces);
    if (!config->provinces)
        return ERR_NOMEM;
    for (size_t i = 0; i < config->province_count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "province", (unsigned)i);
        struct config_province *province = &config->provinces[i];
        char where[400];
        snprintf(where, sizeof where, "%.200s: province \"%.64s\"", path, cfg_title(section));
        read_name(cfg_title(section), province->name, where, problems);
        read_key(section, "link_key", province->link_key.bytes, where, problems);
        read_key(section, "log_key", province->log_key.bytes, where, problems);
        for (size_t j = 0; j < i; j++)
            if (memcmp(config->provinces[j].link_key.bytes, province->link_key.bytes,
                       KEY_SIZE) == 0)
                problem(problems, "%s: has the same link_key as \"%s\"", where,
                        config->provinces[j].name);
    }
    return OK;
}

static size_t read_size(cfg_t *cfg, const char *option, long min, long max, const char *path,
                        struct buffer *problems)
{
    long value = cfg_getint(cfg, option);
    if (value < min || value > max) {
        problem(problems, "%s: %s = %ld is outside %ld..%ld", path, option, value, min, max);
        return (size_t)min;
    }
    return (size_t)value;
}

static void read_api(struct config *config, cfg_t *cfg, const char *path, struct buffer *problems)
{
    char host[256], port[8];
    config->api_listen = copy_string(cfg_getstr(cfg, "listen"));
    config->api_tls_certificate = copy_string(cfg_getstr(cfg, "tls_certificate"));
    config->api_tls_key = copy_string(cfg_getstr(cfg, "tls_key"));
    config->api_connections_max =
        (unsigned)read_size(cfg, "connections_max", 1, 65536, path, problems);
    if (config->api_listen && address_split(config->api_listen, host, port) != OK)
        problem(problems, "%s: api: listen must be \"host:port\"", path);
    else if (config->api_listen && !address_is_loopback(config->api_listen) &&
             (!config->api_tls_certificate || !config->api_tls_key))
        problem(problems,
                "%s: api: listen = \"%s\" is not on loopback and needs tls_certificate and tls_key"
                " (citizens' data never crosses a network in the clear)",
                path, config->api_listen);
    if (!config->api_tls_certificate != !config->api_tls_key)
        problem(problems, "%s: api: tls_certificate and tls_key go together", path);
}

static enum err read_all(struct config *config, cfg_t *cfg, const char *path,
                         struct buffer *problems)
{
    const char *role = cfg_getstr(cfg, "role");
    char host[256], port[8];
    read_name(cfg_getstr(cfg, "node"), config->node, path, problems);
    if (role && strcmp(role, "province") == 0)
        config->role = ROLE_PROVINCE;
    else if (role && strcmp(role, "hub") == 0)
        config->role = ROLE_HUB;
    else
        problem(problems, "%s: role must be \"province\" or \"hub\"", path);
    config->data = copy_string(cfg_getstr(cfg, "data"));
    config->keys = copy_string(cfg_getstr(cfg, "keys"));
    if (!config->data)
        problem(problems, "%s: data is missing: the folder that holds the stores", path);
    if (!config->keys)
        problem(problems, "%s: keys is missing: the folder that `samadctl keygen` filled", path);
    read_api(config, cfg_getsec(cfg, "api"), path, problems);

    config->replication_listen = copy_string(cfg_getstr(cfg_getsec(cfg, "replication"), "listen"));
    if (config->replication_listen && address_split(config->replication_listen, host, port) != OK)
        problem(problems, "%s: replication: listen must be \"host:port\"", path);
    config->catch_ups_max = (unsigned)read_size(cfg_getsec(cfg, "replication"), "catch_ups_max", 1,
                                                1000, path, problems);

    cfg_t *storage = cfg_getsec(cfg, "storage");
    size_t mib = (size_t)1 << 20;
    config->map_size = read_size(storage, "map_mib", 16, 1L << 24, path, problems) * mib;
    config->reserve_size = read_size(storage, "reserve_mib", 1, 1L << 20, path, problems) * mib;
    config->memory_size = read_size(storage, "memory_mib", 1, 1L << 16, path, problems) * mib;
    config->queue_max = read_size(storage, "queue_max", 16, 1L << 20, path, problems);
    config->group_max = read_size(storage, "group_max", 1, 1024, path, problems);
    config->verify_rate = read_size(storage, "verify_mib_per_s", 0, 4096, path, problems) * mib;

    enum err err = read_hubs(config, cfg, path, problems);
    if (err == OK)
        err = read_provinces(config, cfg, path, problems);
    if (err != OK)
        return err;
    config->national_receipts = (unsigned)cfg_getint(cfg_getsec(cfg, "national"), "receipts");
    if (config->role == ROLE_PROVINCE &&
        (config->national_receipts < 1 ||
         (config->hub_count > 0 && config->national_receipts > config->hub_count)))
        problem(problems, "%s: national: receipts must be between 1 and the number of hubs (%zu)",
                path, config->hub_count);
    return problems->size > 0 ? ERR_INVALID : problems->err;
}

enum err config_load(struct config **out, const char *path, struct buffer *problems)
{
    cfg_opt_t api[] = { CFG_STR("listen", NULL, CFGF_NONE),
                        CFG_STR("tls_certificate", NULL, CFGF_NONE),
                        CFG_STR("tls_key", NULL, CFGF_NONE),
                        CFG_INT("connections_max", 1024, CFGF_NONE), CFG_END() };
    cfg_opt_t replication[] = { CFG_STR("listen", NULL, CFGF_NONE),
                                CFG_INT("catch_ups_max", 32, CFGF_NONE), CFG_END() };
    cfg_opt_t storage[] = { CFG_INT("map_mib", 4096, CFGF_NONE),
                            CFG_INT("reserve_mib", 64, CFGF_NONE),
                            CFG_INT("memory_mib", 128, CFGF_NONE),
                            CFG_INT("queue_max", 4096, CFGF_NONE),
                            CFG_INT("group_max", 256, CFGF_NONE),
                            CFG_INT("verify_mib_per_s", 4, CFGF_NONE), CFG_END() };
    cfg_opt_t hub[] = { CFG_STR("address", NULL, CFGF_NONE), CFG_STR("link_key", NULL, CFGF_NONE),
                        CFG_STR("log_key", NULL, CFGF_NONE),
                        CFG_STR("receipt_key", NULL, CFGF_NONE), CFG_END() };
    cfg_opt_t province[] = { CFG_STR("link_key", NULL, CFGF_NONE),
                             CFG_STR("log_key", NULL, CFGF_NONE), CFG_END() };
    cfg_opt_t national[] = { CFG_INT("receipts", 1, CFGF_NONE), CFG_END() };
    cfg_opt_t options[] = { CFG_STR("node", NULL, CFGF_NONE),
                            CFG_STR("role", NULL, CFGF_NONE),
                            CFG_STR("data", NULL, CFGF_NONE),
                            CFG_STR("keys", NULL, CFGF_NONE),
                            CFG_SEC("api", api, CFGF_NONE),
                            CFG_SEC("replication", replication, CFGF_NONE),
                            CFG_SEC("storage", storage, CFGF_NONE),
                            CFG_SEC("national", national, CFGF_NONE),
                            CFG_SEC("hub", hub, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                            CFG_SEC("province", province,
                                    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                            CFG_END() };
    enum err err = OK;
    struct config *config = calloc(1, sizeof *config);
    cfg_t *cfg = cfg_init(options, CFGF_NONE);
    if (!config || !cfg) {
        err = ERR_NOMEM;
        goto out;
    }
    loading_problems = problems;
    cfg_set_error_function(cfg, config_on_error);
    switch (cfg_parse(cfg, path)) {
    case CFG_SUCCESS:
        err = read_all(config, cfg, path, problems);
        break;
    case CFG_FILE_ERROR:
        err = errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
        problem(problems, "%s: %s", path, strerror(errno));
        break;
    default:
        err = ERR_INVALID;
    }
out:
    loading_problems = NULL;
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
    free(config->keys);
    free(config->api_listen);
    free(config->api_tls_certificate);
    free(config->api_tls_key);
    free(config->replication_listen);
    free(config);
}
