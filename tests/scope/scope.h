/* The small world of the exhaustive search: two provinces, their hub and, when a fault makes one, a
 * clone of the first province. Real cores (replication/core), records, notes, proofs and messages;
 * the stores are those of the scenarios (tests/scenario/store.h), with a commit in front of them:
 *
 *   what a core asks its store for gathers; a commit carries out all of it, then answers. A crash
 *   before loses it; a crash between commit and answers loses the answers.
 *
 * Nothing happens by itself: messages wait on their wires, commits wait, links are made when they
 * are told to. Which of these goes next is the search's to choose (script.h).
 *
 * A world lives in the arena (arena.h), all of it. */
#ifndef TESTS_SCOPE_SCOPE_H
#define TESTS_SCOPE_SCOPE_H

#include "tests/check/history.h"
#include "tests/scenario/store.h"

enum scope_place { PLACE_A, PLACE_B, PLACE_HUB, PLACE_CLONE, PLACE_COUNT };

#define SCOPE_WIRE_MAX 48
#define SCOPE_LIVE_MAX 2

/* Something that belongs into the history. `clock` orders it after what its host told before; what
 * several hosts told is in no order, unless something that concerns all came between
 * (scope_agree()). */
struct told {
    uint64_t clock;
    enum history_kind kind;
    uint64_t number; /* call, size, since (in clock), start */
    char *text;      /* note, name of an alarm or fault, origin; NULL none */
    char *subject;   /* of an alarm */
};

/* One message on its way, or, behind the last, the news that the other end is gone. */
struct packet {
    struct packet *next;
    bool is_end;
    struct buffer bytes;
};

struct wire {
    uint64_t id;
    struct scope_node *ends[2];
    bool open[2];
    bool mute;                         /* what is sent from now on is lost, and nobody is told */
    struct packet *first[2], *last[2]; /* on the way to that end */
};

/* A store effect that waits for the commit, with the message that it points into. */
struct work {
    struct work *next;
    struct effect effect;
    struct buffer message;
};

/* An event for the core that is due at once. */
struct due {
    struct due *next;
    struct event event;
    struct buffer bytes;
    struct log_head *parents;
};

struct scope_node {
    struct scope *scope;
    enum scope_place place;
    const char *host; /* "a", "b", "hub", "a.2" */
    struct core_options options;
    struct core_peer peers[3];
    struct core *core; /* NULL: not running */
    bool used, retired;
    bool calling; /* its core waits for a link that cannot be made yet */
    struct store store;
    struct store copy; /* its backup */
    uint64_t copy_clock;
    struct effects effects;
    struct work *work_first, *work_last;
    struct due *due_first, *due_last;
    struct bytes message; /* being delivered */
    struct log_id live[SCOPE_LIVE_MAX];
    size_t live_count;
    size_t live_size; /* of the first, as its writer knows it */
    enum scope_place generator; /* whose state its own began as; incarnations are drawn from it */
    unsigned opened, starts, calls;
    unsigned gathering[4]; /* calls that are decided and not committed */
    size_t gathering_count;
    uint64_t national; /* told last, of `national_log` */
    struct log_id national_log;
    uint64_t clock;
    struct told *told;
    size_t told_count;
};

struct scope {
    uint64_t now_ms;
    struct scope_node nodes[PLACE_COUNT];
    struct wire *wires[SCOPE_WIRE_MAX];
    size_t wire_count;
    unsigned wires_made[PLACE_COUNT];
    bool allowed[PLACE_COUNT]; /* the province's link may be made */
    bool gave_up[PLACE_COUNT]; /* and was not */
    struct store restored;     /* what a host was put back to */
    int restored_place;        /* -1: none was */
    /* of the script (script.c) */
    unsigned at[8];
    unsigned faults;
    bool rolled_back;
};

/* ---- world.c ---- */
struct scope *scope_new(void);
void scope_start(struct scope *scope, struct scope_node *node);
/* The process ends; nothing that it had not committed is left. */
void scope_end(struct scope *scope, struct scope_node *node);
void scope_step(struct scope_node *node, struct event *event);
/* Time passes up to the next thing that any core waits for, but not beyond `until_ms`. */
void scope_tick(struct scope *scope, uint64_t until_ms);
struct wire *scope_wire_of(struct scope *scope, const struct scope_node *province);
struct wire *scope_wire(struct scope *scope, uint64_t id);
/* The first message on the way to that end. */
void scope_deliver(struct scope *scope, struct wire *wire, int end, bool twice);
void scope_cut(struct scope *scope, struct wire *wire);
/* One end is gone; the other learns of it behind what is on the way to it. */
void scope_hang_up(struct scope *scope, struct wire *wire, int end);
/* What is on the way is lost, as is what follows; nobody is told. */
void scope_mute(struct wire *wire);
size_t scope_on_the_way(const struct wire *wire, int end);
/* What anybody told so far is before what anybody tells from now on. */
void scope_agree(struct scope *scope);
void scope_tell(struct scope_node *node, enum history_kind kind, uint64_t number, const char *text,
                const char *subject);

/* ---- shell.c: what cores ask for ---- */
void scope_carry_out(struct scope_node *node, const struct effect *effect);
/* Carries out what has gathered; the core hears of it if `answer`. */
void scope_commit(struct scope_node *node, bool answer);
/* An event for the core, to be filled in; it is told by scope_due_run(). */
struct event *scope_due(struct scope_node *node, enum event_type type);
void scope_due_run(struct scope_node *node);
void scope_due_forget(struct scope_node *node);
void scope_work_forget(struct scope_node *node);
/* Own records: one is decided; all that are decided are committed and answered. */
void scope_register(struct scope_node *node);
void scope_group(struct scope_node *node);
void scope_load(struct scope_node *node);
/* A link to the hub is wanted: made at once, or later, by calling once more, if it cannot be now.
 */
void scope_call(struct scope_node *node);
void scope_link(struct scope *scope, struct scope_node *node);
void scope_transmit(struct scope_node *from, uint64_t link, struct bytes message);

/* ---- digest.c ---- */
/* What a core uses during a step only is not part of a state. */
void scope_ignore_scratch(struct core *core);
/* Two worlds with one digest behave alike from here on, and are judged alike. */
void scope_digest(struct scope *scope, struct hash *out);

/* ---- judge.c ---- */
/* Ends all faults, lets time pass until all is at rest, and judges by tests/check. NULL: nothing is
 * violated; otherwise what is (static). */
const char *scope_judge(struct scope *scope, const char *history_path);

extern bool scope_print; /* the story, on standard output */
void scope_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
