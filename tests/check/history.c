#include "tests/check/history.h"

#include "tests/check/arena.h"
#include "tests/check/dump.h"
#include "tests/check/history_private.h"

#include <stdlib.h>
#include <string.h>

const char *history_kind_name(enum history_kind kind)
{
    static const char *const NAMES[] = {
#define HISTORY_NAME(NAME, name, member) name,
        HISTORY_KIND_LIST(HISTORY_NAME)
#undef HISTORY_NAME
    };
    return NAMES[kind];
}

enum history_member history_kind_member(enum history_kind kind)
{
    static const enum history_member MEMBERS[] = {
#define HISTORY_MEMBER(NAME, name, member) MEMBER_##member,
        HISTORY_KIND_LIST(HISTORY_MEMBER)
#undef HISTORY_MEMBER
    };
    return MEMBERS[kind];
}

struct history *history_new(void)
{
    return calloc(1, sizeof(struct history));
}

void history_set_stand_ins(struct history *history, bool stand_ins)
{
    history->stand_ins = stand_ins;
}

bool history_has_stand_ins(const struct history *history)
{
    return history->stand_ins;
}

void history_free(struct history *history)
{
    if (!history)
        return;
    for (size_t i = 0; i < history->dump_count; i++)
        dump_free(history->dumps[i]);
    free(history->dumps);
    free(history->events);
    free(history->hosts);
    arena_close(&history->arena);
    free(history);
}

bool history_ok(const struct history *history)
{
    return !history->arena.failed;
}

uint32_t history_add_host(struct history *history, const struct history_host *host)
{
    if (!arena_grow((void **)&history->hosts, &history->host_capacity, history->host_count,
                    sizeof *history->hosts)) {
        history->arena.failed = true;
        return HISTORY_NO_HOST;
    }
    struct history_host *added = &history->hosts[history->host_count];
    *added = *host;
    added->name = arena_text(&history->arena, host->name);
    added->node = arena_text(&history->arena, host->node);
    added->successor_of = arena_text(&history->arena, host->successor_of);
    return (uint32_t)history->host_count++;
}

size_t history_host_count(const struct history *history)
{
    return history->host_count;
}

const struct history_host *history_host(const struct history *history, uint32_t index)
{
    return &history->hosts[index];
}

static void keep(struct history *history, const char **text)
{
    *text = arena_text(&history->arena, *text);
}

static void keep_strings(struct history *history, struct history_event *event)
{
    switch (history_kind_member(event->kind)) {
    case MEMBER_life:
        keep(history, &event->life.name);
        break;
    case MEMBER_fault:
        keep(history, &event->fault.name);
        break;
    case MEMBER_call:
        keep(history, &event->call.operation);
        keep(history, &event->call.client);
        keep(history, &event->call.key);
        keep(history, &event->call.code);
        break;
    case MEMBER_answer:
        keep(history, &event->answer.code);
        keep(history, &event->answer.case_id);
        break;
    case MEMBER_sync:
        keep(history, &event->sync.device);
        break;
    case MEMBER_note:
        keep(history, &event->note.text);
        break;
    case MEMBER_claim:
        keep(history, &event->claim.log);
        break;
    case MEMBER_alarm:
        keep(history, &event->alarm.name);
        keep(history, &event->alarm.subject);
        keep(history, &event->alarm.text);
        break;
    case MEMBER_mark:
        keep(history, &event->mark.name);
        break;
    case MEMBER_dump:
        break;
    }
}

void history_add(struct history *history, const struct history_event *event)
{
    if (!arena_grow((void **)&history->events, &history->event_capacity, history->event_count,
                    sizeof *history->events)) {
        history->arena.failed = true;
        return;
    }
    struct history_event *added = &history->events[history->event_count];
    *added = *event;
    if (history->event_count > 0 && added->time_ns < added[-1].time_ns)
        added->time_ns = added[-1].time_ns;
    keep_strings(history, added);
    history->event_count++;
}

size_t history_count(const struct history *history)
{
    return history->event_count;
}

const struct history_event *history_at(const struct history *history, size_t index)
{
    return &history->events[index];
}

void history_add_dump(struct history *history, uint64_t time_ns, uint32_t host, struct dump *dump)
{
    if (!dump || !arena_grow((void **)&history->dumps, &history->dump_capacity,
                             history->dump_count, sizeof *history->dumps)) {
        history->arena.failed = true;
        dump_free(dump);
        return;
    }
    dump->host = host;
    dump->time_ns = time_ns;
    history->dumps[history->dump_count] = dump;
    history_add(history, &(struct history_event){ .time_ns = time_ns,
                                                  .kind = HISTORY_DUMP,
                                                  .host = host,
                                                  .dump.index = (uint32_t)history->dump_count });
    history->dump_count++;
}

size_t history_dump_count(const struct history *history)
{
    return history->dump_count;
}

const struct dump *history_dump_at(const struct history *history, uint32_t index)
{
    return history->dumps[index];
}

size_t history_unknown_count(const struct history *history)
{
    return history->unknown_count;
}
