#include "node/hub/directory.h"

#include "node/casework/directory_entry.h"
#include "node/casework/province.h"
#include "node/runtime/log.h"

#include <stdlib.h>
#include <string.h>

enum { STATUS_ACTIVE = 1, STATUS_RETIRED = 2, RETIRED_MAX = 64 };

struct update {
    struct command command;
    const struct config *config;
    unsigned recorded;
    size_t retired_count;
    struct directory_entry retired[RETIRED_MAX];
};

static void propose(struct update *update, struct writer *writer,
                    const struct directory_facts *facts, enum err *err)
{
    struct buffer part = { 0 };
    uint64_t position;
    *err = directory_facts_encode(&part, facts);
    if (*err == OK)
        *err = writer_propose(
            writer,
            &(struct proposal){ .kind = RECORD_DIRECTORY, .facts = buffer_bytes(&part) },
            &position);
    buffer_close(&part);
    update->recorded += *err == OK;
}

static bool text_equals(struct bytes text, const char *string)
{
    return bytes_equal(text, bytes_of_string(string));
}

static bool is_announced(struct view *view, const struct directory_facts *facts, enum err *err)
{
    struct directory_entry entry;
    *err = directory_entry_get(view, facts->node, &entry);
    if (*err == ERR_NOT_FOUND) {
        *err = OK;
        return false;
    }
    return *err == OK && entry.status == facts->status && text_equals(facts->iso, entry.iso) &&
           text_equals(facts->name_fa, entry.name_fa) &&
           text_equals(facts->name_en, entry.name_en) &&
           text_equals(facts->area_code, entry.area_code);
}

static bool is_configured(const struct config *config, const char *node)
{
    for (size_t i = 0; i < config->province_count; i++)
        if (strcmp(config->provinces[i].name, node) == 0)
            return true;
    return false;
}

static void on_entry(void *context, const struct directory_entry *entry)
{
    struct update *update = context;
    if (entry->status == STATUS_ACTIVE && !is_configured(update->config, entry->node) &&
        update->retired_count < RETIRED_MAX)
        update->retired[update->retired_count++] = *entry;
}

static struct directory_facts facts_of_entry(const struct directory_entry *entry)
{
    return (struct directory_facts){ .node = bytes_of_string(entry->node),
                                     .iso = bytes_of_string(entry->iso),
                                     .name_fa = bytes_of_string(entry->name_fa),
                                     .name_en = bytes_of_string(entry->name_en),
                                     .area_code = bytes_of_string(entry->area_code) };
}

static enum err decide(struct command *command, struct writer *writer, int64_t wall_ms)
{
    struct update *update = (struct update *)command;
    struct view *view = writer_view(writer);
    update->retired_count = 0;
    enum err err = directory_list(view, on_entry, update);
    for (size_t i = 0; err == OK && i < update->retired_count; i++) {
        struct directory_facts facts = facts_of_entry(&update->retired[i]);
        facts.occurred_at_ms = wall_ms;
        facts.status = STATUS_RETIRED;
        propose(update, writer, &facts, &err);
    }
    for (size_t i = 0; err == OK && i < update->config->province_count; i++) {
        struct bytes node = bytes_of_string(update->config->provinces[i].name);
        const struct province *province = province_by_node(node);
        if (!province)
            continue; /* a node of another sort has no entry */
        struct directory_facts facts = { .occurred_at_ms = wall_ms,
                                         .node = node,
                                         .iso = bytes_of_string(province->iso),
                                         .name_fa = bytes_of_string(province->name_fa),
                                         .name_en = bytes_of_string(province->name_en),
                                         .area_code = bytes_of_string(province->area_code),
                                         .status = STATUS_ACTIVE };
        if (!is_announced(view, &facts, &err) && err == OK)
            propose(update, writer, &facts, &err);
    }
    return err;
}

static void done(struct command *command, enum err err)
{
    struct update *update = (struct update *)command;
    if (err != OK)
        log_event(LOG_EVENT_WARNING, "directory.failed", "error", err_name(err), NULL);
    else if (update->recorded > 0)
        log_event(LOG_EVENT_INFO, "directory.updated", "entries", log_number(update->recorded),
                  NULL);
    free(update);
}

void directory_update(struct engine *engine, const struct config *config)
{
    struct update *update = calloc(1, sizeof *update);
    enum err err = update ? OK : ERR_NOMEM;
    if (err == OK) {
        update->command = (struct command){ .decide = decide, .done = done };
        update->config = config;
        err = engine_submit(engine, &update->command);
    }
    if (err != OK) {
        log_event(LOG_EVENT_WARNING, "directory.failed", "error", err_name(err), NULL);
        free(update);
    }
}
