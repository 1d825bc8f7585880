/* A history as a file: JSON Lines, see README.md. */
#include "tests/check/dump.h"
#include "tests/check/fields.h"
#include "tests/check/history_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is written of what --------------------------------------------------------------- */

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const struct field HOST[] = {
    FIELD(FIELD_TEXT, history_host, name),         FIELD(FIELD_TEXT, history_host, node),
    FIELD(FIELD_BOOL, history_host, hub),          FIELD(FIELD_BOOL, history_host, journal),
    FIELD(FIELD_BOOL, history_host, malicious),    FIELD(FIELD_TEXT, history_host, successor_of),
    FIELD(FIELD_HASH, history_host, log_key),      FIELD(FIELD_HASH, history_host, receipt_key),
    FIELD(FIELD_U32, history_host, receipts_needed),
};

#define OF_EVENT(type, of, member)                                                                 \
    { #member, type, offsetof(struct history_event, of) + offsetof(struct history_##of, member) }

static const struct field LIFE[] = {
    OF_EVENT(FIELD_TEXT, life, name),
    OF_EVENT(FIELD_U64, life, since_ns),
    OF_EVENT(FIELD_U64, life, number),
    OF_EVENT(FIELD_HOST, life, peer),
};
static const struct field FAULT[] = {
    OF_EVENT(FIELD_TEXT, fault, name),
    OF_EVENT(FIELD_U64, fault, number),
    OF_EVENT(FIELD_HOST, fault, peer),
};
static const struct field CALL[] = {
    OF_EVENT(FIELD_U64, call, call),     OF_EVENT(FIELD_TEXT, call, operation),
    OF_EVENT(FIELD_TEXT, call, client),  OF_EVENT(FIELD_TEXT, call, key),
    OF_EVENT(FIELD_TEXT, call, code),    OF_EVENT(FIELD_HASH, call, facts),
    OF_EVENT(FIELD_HASH, call, person),
};
static const struct field ANSWER[] = {
    OF_EVENT(FIELD_U64, answer, call),       OF_EVENT(FIELD_U32, answer, status),
    OF_EVENT(FIELD_BOOL, answer, duplicate), OF_EVENT(FIELD_BOOL, answer, national),
    OF_EVENT(FIELD_TEXT, answer, code),      OF_EVENT(FIELD_TEXT, answer, case_id),
};
static const struct field SYNC[] = {
    OF_EVENT(FIELD_U64, sync, number),
    OF_EVENT(FIELD_TEXT, sync, device),
    OF_EVENT(FIELD_BOOL, sync, root),
    OF_EVENT(FIELD_BOOL, sync, ok),
};
static const struct field NOTE[] = {
    OF_EVENT(FIELD_HOST, note, peer),
    OF_EVENT(FIELD_TEXT, note, text),
};
static const struct field CLAIM[] = {
    OF_EVENT(FIELD_TEXT, claim, log),   OF_EVENT(FIELD_U64, claim, size),
    OF_EVENT(FIELD_U64, claim, end),    OF_EVENT(FIELD_U64, claim, age_ms),
    OF_EVENT(FIELD_HASH, claim, root),
};
static const struct field ALARM[] = {
    OF_EVENT(FIELD_TEXT, alarm, name),
    OF_EVENT(FIELD_TEXT, alarm, subject),
    OF_EVENT(FIELD_TEXT, alarm, text),
};
static const struct field MARK[] = {
    OF_EVENT(FIELD_TEXT, mark, name),
    OF_EVENT(FIELD_U64, mark, number),
    OF_EVENT(FIELD_HASH, mark, digest),
};

static const struct table {
    const struct field *fields;
    size_t count;
} MEMBERS[] = {
    [MEMBER_life] = { LIFE, COUNT_OF(LIFE) },       [MEMBER_fault] = { FAULT, COUNT_OF(FAULT) },
    [MEMBER_call] = { CALL, COUNT_OF(CALL) },       [MEMBER_answer] = { ANSWER, COUNT_OF(ANSWER) },
    [MEMBER_sync] = { SYNC, COUNT_OF(SYNC) },       [MEMBER_note] = { NOTE, COUNT_OF(NOTE) },
    [MEMBER_claim] = { CLAIM, COUNT_OF(CLAIM) },    [MEMBER_alarm] = { ALARM, COUNT_OF(ALARM) },
    [MEMBER_mark] = { MARK, COUNT_OF(MARK) },       [MEMBER_dump] = { NULL, 0 },
};

static const struct field DUMP[] = {
    FIELD(FIELD_TEXT, dump, label),
    FIELD(FIELD_TEXT, dump, node),
    FIELD(FIELD_BOOL, dump, readable),
};
static const struct field LOG[] = {
    FIELD(FIELD_TEXT, dump_log, origin),      FIELD(FIELD_BOOL, dump_log, branch),
    FIELD(FIELD_BOOL, dump_log, frozen),      FIELD(FIELD_BOOL, dump_log, readable),
    FIELD(FIELD_U64, dump_log, pending_size), FIELD(FIELD_HASH, dump_log, pending_root),
    FIELD(FIELD_U64, dump_log, cosigned_size), FIELD(FIELD_U64, dump_log, size),
};
static const struct field RECORD[] = {
    FIELD(FIELD_U64, dump_record, position),
    FIELD(FIELD_HASH, dump_record, hash),
    FIELD(FIELD_U64, dump_record, kind),
    FIELD(FIELD_U64, dump_record, time_ms),
    FIELD(FIELD_CASE, dump_record, case_id),
    FIELD(FIELD_BOOL, dump_record, has_case),
    FIELD(FIELD_BOOL, dump_record, damaged),
    FIELD(FIELD_PERSON, dump_record, person),
    FIELD(FIELD_BOOL, dump_record, person_opened),
    FIELD(FIELD_TEXT, dump_record, client),
    FIELD(FIELD_TEXT, dump_record, key),
    FIELD(FIELD_TEXT, dump_record, code),
    FIELD(FIELD_HASH, dump_record, facts_content),
    FIELD(FIELD_HASH, dump_record, person_content),
    FIELD(FIELD_TEXT, dump_record, erased_log),
    FIELD(FIELD_U64, dump_record, erased_position),
    FIELD(FIELD_TEXT, dump_record, cause_log),
    FIELD(FIELD_U64, dump_record, cause_position),
    FIELD(FIELD_HASH, dump_record, cause_hash),
};
static const struct field DUMP_NOTE[] = {
    FIELD(FIELD_U64, dump_note, size),
    FIELD(FIELD_TEXT, dump_note, hub),
    FIELD(FIELD_TEXT, dump_note, text),
};
static const struct field PARENT[] = {
    FIELD(FIELD_TEXT, dump_head, log),
    FIELD(FIELD_U64, dump_head, size),
    FIELD(FIELD_HASH, dump_head, root),
};
struct dump_fork {
    const char *text;
};
static const struct field FORK[] = { FIELD(FIELD_TEXT, dump_fork, text) };
static const struct field PROBLEM[] = {
    FIELD(FIELD_TEXT, dump_problem, log),
    FIELD(FIELD_U64, dump_problem, position),
    FIELD(FIELD_TEXT, dump_problem, text),
};

/* ---- writing ------------------------------------------------------------------------------- */

struct writer {
    FILE *file;
    const struct history *history;
};

static void write_line(struct writer *writer, const char *kind, const struct field *fields,
                       size_t count, const void *from)
{
    fprintf(writer->file, "{\"e\":\"%s\"", kind);
    fields_write(writer->file, writer->history, fields, count, from);
    fputs("}\n", writer->file);
}

static void write_dump_log(struct writer *writer, const struct dump_log *log)
{
    write_line(writer, "d.log", LOG, COUNT_OF(LOG), log);
    for (size_t i = 0; i < log->parent_count; i++)
        write_line(writer, "d.parent", PARENT, COUNT_OF(PARENT), &log->parents[i]);
    for (size_t i = 0; i < log->record_count; i++)
        write_line(writer, "d.record", RECORD, COUNT_OF(RECORD), &log->records[i]);
    for (size_t i = 0; i < log->checkpoint_count; i++)
        write_line(writer, "d.checkpoint", DUMP_NOTE, COUNT_OF(DUMP_NOTE), &log->checkpoints[i]);
    for (size_t i = 0; i < log->receipt_count; i++)
        write_line(writer, "d.receipt", DUMP_NOTE, COUNT_OF(DUMP_NOTE), &log->receipts[i]);
    for (size_t i = 0; i < log->fork_count; i++)
        write_line(writer, "d.fork", FORK, COUNT_OF(FORK),
                   &(struct dump_fork){ log->fork_proofs[i] });
}

/* Records, and nothing else, are judged of a journal. */
static void write_journal(struct writer *writer, const struct dump *journal)
{
    for (size_t i = 0; journal && i < journal->log_count; i++) {
        const struct dump_log *log = &journal->logs[i];
        write_line(writer, "d.journal", LOG, COUNT_OF(LOG), log);
        for (size_t k = 0; k < log->record_count; k++)
            write_line(writer, "d.record", RECORD, COUNT_OF(RECORD), &log->records[k]);
    }
}

static void write_dump(struct writer *writer, const struct dump *dump)
{
    for (size_t i = 0; i < dump->log_count; i++)
        write_dump_log(writer, &dump->logs[i]);
    for (size_t i = 0; i < dump->problem_count; i++)
        write_line(writer, "d.problem", PROBLEM, COUNT_OF(PROBLEM), &dump->problems[i]);
    write_journal(writer, dump->journal);
}

static void write_event(struct writer *writer, const struct history_event *event)
{
    enum history_member member = history_kind_member(event->kind);
    const struct dump *dump =
        member == MEMBER_dump ? writer->history->dumps[event->dump.index] : NULL;
    fprintf(writer->file, "{\"e\":\"%s\",\"t\":%" PRIu64, history_kind_name(event->kind),
            event->time_ns);
    if (event->host != HISTORY_NO_HOST) {
        fputs(",\"h\":", writer->file);
        fields_write_text(writer->file, writer->history->hosts[event->host].name);
    }
    if (dump)
        fields_write(writer->file, writer->history, DUMP, COUNT_OF(DUMP), dump);
    else
        fields_write(writer->file, writer->history, MEMBERS[member].fields, MEMBERS[member].count,
                     event);
    fputs("}\n", writer->file);
    if (dump)
        write_dump(writer, dump);
}

bool history_save(const struct history *history, const char *path, char *why, size_t why_size)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return false;
    }
    struct writer writer = { file, history };
    fprintf(file, "{\"samad_history\":%d%s}\n", HISTORY_FORMAT,
            history->stand_ins ? ",\"stand_ins\":true" : "");
    for (size_t i = 0; i < history->host_count; i++)
        write_line(&writer, "host", HOST, COUNT_OF(HOST), &history->hosts[i]);
    for (size_t i = 0; i < history->event_count; i++)
        write_event(&writer, &history->events[i]);
    bool failed = ferror(file);
    if (fclose(file) != 0 || failed) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

/* ---- reading ------------------------------------------------------------------------------- */

struct loader {
    struct history *history;
    struct dump *dump; /* the one being read */
    struct dump *part; /* the same, or its journal */
    const char *bad;   /* what is wrong with the line; or the member of it that is: */
    bool bad_member;
};

static bool load_fields(struct loader *loader, const json_t *object, const struct field *fields,
                        size_t count, void *to)
{
    loader->bad_member = !fields_read(object, loader->history, &loader->history->arena, fields, count,
                                      to, &loader->bad);
    return !loader->bad_member;
}

static bool load_host(struct loader *loader, const json_t *object)
{
    struct history_host host = { 0 };
    if (!load_fields(loader, object, HOST, COUNT_OF(HOST), &host))
        return false;
    if (!*host.node)
        host.node = host.name;
    history_add_host(loader->history, &host);
    return true;
}

static bool load_dump_log(struct loader *loader, const json_t *object)
{
    struct dump_log read = { 0 };
    if (!load_fields(loader, object, LOG, COUNT_OF(LOG), &read))
        return false;
    struct dump_log *log = dump_add_log(loader->part, read.origin, read.branch);
    if (log) {
        log->frozen = read.frozen;
        log->readable = read.readable;
        log->pending_size = read.pending_size;
        log->pending_root = read.pending_root;
        log->cosigned_size = read.cosigned_size;
        log->size = read.size;
    }
    return true;
}

static bool load_problem(struct loader *loader, const json_t *object)
{
    struct dump_problem problem;
    problem.position = 0;
    if (!load_fields(loader, object, PROBLEM, COUNT_OF(PROBLEM), &problem))
        return false;
    dump_add_problem(loader->dump, problem.log, problem.position, problem.text);
    return true;
}

/* A line that belongs to the log before it. */
static bool load_of_log(struct loader *loader, const char *kind, const json_t *object,
                        struct dump_log *log)
{
    struct dump *dump = loader->part;
    struct dump_record record = { 0 };
    struct dump_note note = { 0 };
    struct dump_head parent = { 0 };
    struct dump_fork fork = { 0 };
    if (strcmp(kind, "record") == 0) {
        if (!load_fields(loader, object, RECORD, COUNT_OF(RECORD), &record))
            return false;
        dump_add_record(dump, log, &record);
    } else if (strcmp(kind, "parent") == 0) {
        if (!load_fields(loader, object, PARENT, COUNT_OF(PARENT), &parent))
            return false;
        dump_add_parent(dump, log, &parent);
    } else if (strcmp(kind, "fork") == 0) {
        if (!load_fields(loader, object, FORK, COUNT_OF(FORK), &fork))
            return false;
        dump_add_fork(dump, log, fork.text);
    } else if (strcmp(kind, "checkpoint") == 0 || strcmp(kind, "receipt") == 0) {
        if (!load_fields(loader, object, DUMP_NOTE, COUNT_OF(DUMP_NOTE), &note))
            return false;
        (*kind == 'c' ? dump_add_checkpoint : dump_add_receipt)(dump, log, &note);
    }
    return true;
}

static bool load_of_dump(struct loader *loader, const char *kind, const json_t *object)
{
    struct dump *dump = loader->dump;
    if (dump && strcmp(kind, "journal") == 0) {
        if (!dump->journal)
            dump->journal = dump_new(dump->label);
        loader->part = dump->journal ? dump->journal : dump;
        return load_dump_log(loader, object);
    }
    if (!dump) {
        loader->bad = "a part of a dump, and no dump before it";
        return false;
    }
    if (strcmp(kind, "log") == 0)
        return load_dump_log(loader, object);
    if (strcmp(kind, "problem") == 0)
        return load_problem(loader, object);
    if (loader->part->log_count == 0) {
        loader->bad = "a part of a log, and no log before it";
        return false;
    }
    return load_of_log(loader, kind, object, &loader->part->logs[loader->part->log_count - 1]);
}

static bool load_dump(struct loader *loader, const json_t *object, const struct history_event *event)
{
    struct dump read = { 0 };
    if (!load_fields(loader, object, DUMP, COUNT_OF(DUMP), &read))
        return false;
    struct dump *dump = dump_new(read.label);
    if (dump) {
        dump->node = arena_text(&dump->memory, read.node);
        dump->readable = read.readable;
    }
    loader->dump = loader->part = dump;
    history_add_dump(loader->history, event->time_ns, event->host, dump);
    return true;
}

static bool load_event(struct loader *loader, const char *name, const json_t *object)
{
    static const struct field HEAD[] = {
        { "t", FIELD_U64, offsetof(struct history_event, time_ns) },
        { "h", FIELD_HOST, offsetof(struct history_event, host) },
    };
    struct history_event event = { 0 };
    int kind = 0;
    while (kind < HISTORY_KIND_COUNT && strcmp(history_kind_name((enum history_kind)kind), name) != 0)
        kind++;
    if (kind == HISTORY_KIND_COUNT) {
        loader->history->unknown_count++;
        return true;
    }
    event.kind = (enum history_kind)kind;
    if (!load_fields(loader, object, HEAD, COUNT_OF(HEAD), &event))
        return false;
    const struct table *table = &MEMBERS[history_kind_member(event.kind)];
    if (event.kind == HISTORY_DUMP)
        return load_dump(loader, object, &event);
    if (!load_fields(loader, object, table->fields, table->count, &event))
        return false;
    history_add(loader->history, &event);
    return true;
}

static bool load_line(struct loader *loader, size_t number, const json_t *object)
{
    const json_t *format = json_object_get(object, "samad_history");
    const char *kind = json_string_value(json_object_get(object, "e"));
    if (number == 1) {
        loader->bad = "it does not begin with samad_history, or has another format";
        loader->history->stand_ins = json_is_true(json_object_get(object, "stand_ins"));
        return json_is_integer(format) && json_integer_value(format) == HISTORY_FORMAT;
    }
    loader->bad = "no member «e» says what the line is";
    if (!kind)
        return false;
    if (strcmp(kind, "host") == 0)
        return load_host(loader, object);
    if (strncmp(kind, "d.", 2) == 0)
        return load_of_dump(loader, kind + 2, object);
    return load_event(loader, kind, object);
}

static bool load_file(struct loader *loader, FILE *file, const char *path, char *why,
                      size_t why_size)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    bool good = true;
    ssize_t size;
    while (good && (size = getline(&line, &room, file)) >= 0) {
        json_error_t error;
        json_t *object = json_loadb(line, (size_t)size, JSON_REJECT_DUPLICATES, &error);
        number++;
        loader->bad = object ? "" : error.text;
        good = object && load_line(loader, number, object);
        if (!good)
            snprintf(why, why_size, loader->bad_member ? "%s:%zu: member «%s» cannot be read"
                                                       : "%s:%zu: %s",
                     path, number, loader->bad);
        json_decref(object);
    }
    if (good && (ferror(file) || number == 0)) {
        good = false;
        snprintf(why, why_size, "%s: %s", path, ferror(file) ? strerror(errno) : "it is empty");
    }
    free(line);
    return good;
}

struct history *history_load(const char *path, char *why, size_t why_size)
{
    FILE *file = fopen(path, "r");
    struct loader loader = { .history = history_new() };
    if (!file || !loader.history) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        if (file)
            fclose(file);
        history_free(loader.history);
        return NULL;
    }
    bool good = load_file(&loader, file, path, why, why_size);
    if (good && !history_ok(loader.history)) {
        good = false;
        snprintf(why, why_size, "%s: no memory", path);
    }
    fclose(file);
    if (!good) {
        history_free(loader.history);
        return NULL;
    }
    return loader.history;
}
