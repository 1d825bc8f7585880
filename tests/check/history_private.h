#ifndef CHECK_HISTORY_PRIVATE_H
#define CHECK_HISTORY_PRIVATE_H

#include "tests/check/arena.h"
#include "tests/check/history.h"

struct history {
    struct arena arena;
    struct history_host *hosts;
    size_t host_count, host_capacity;
    struct history_event *events;
    size_t event_count, event_capacity;
    struct dump **dumps;
    size_t dump_count, dump_capacity;
    bool stand_ins; /* see history_set_stand_ins() */
    size_t unknown_count; /* events of kinds that this version does not know */
};

/* Which member of the union a kind uses. */
enum history_member {
    MEMBER_life,
    MEMBER_fault,
    MEMBER_call,
    MEMBER_answer,
    MEMBER_sync,
    MEMBER_note,
    MEMBER_claim,
    MEMBER_alarm,
    MEMBER_mark,
    MEMBER_dump,
};

enum history_member history_kind_member(enum history_kind kind);

#endif
