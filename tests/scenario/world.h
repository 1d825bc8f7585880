/* A small world for the replication core: nodes with real cores and stores in memory, links that
 * can be cut, virtual time, and a transcript that a test compares.
 *
 *   hub <- ardabil  WANT ardabil/hub/a1 next=0 pending=0      a message, as it is delivered
 *   hub ! ROLLBACK ardabil/hub/a1 held=9 seen=4               an alarm
 *   ardabil * opens ardabil/hub/a2 naming ardabil/hub/a1@9    what a node does by itself
 *
 * Everything is carried out in one order: messages and answers of the stores stand in one queue.
 * Time passes only in world_wait(). */
#ifndef TESTS_SCENARIO_WORLD_H
#define TESTS_SCENARIO_WORLD_H

#include "tests/scenario/store.h"

#define WORLD_NODE_MAX 8
#define NODE_LIVE_MAX  4

struct world;

struct node {
    struct world *world;
    char name[NODE_NAME_SIZE_MAX + 1];
    char key_name[NODE_NAME_SIZE_MAX + 1]; /* whom its link key belongs to; the name, normally */
    struct core_options options;           /* limits may be changed before the start */
    struct core_peer peers[WORLD_NODE_MAX];
    struct core *core; /* NULL: not running */
    struct store store;
    struct effects effects;
    struct log_id live[NODE_LIVE_MAX]; /* what it writes now */
    size_t live_count;
    unsigned process; /* counts its starts: answers to an earlier process are dropped */
    unsigned opened;  /* numbers its incarnations */
    bool passive;     /* does not open a log when it may write */
    bool slow;        /* its store answers nothing until this is taken back */
    bool full;        /* its store answers ERR_FULL */
    enum err receipt_err; /* what receipts and fork proofs are answered with, when not OK */
    uint8_t salt;
};

enum delivery { DELIVER, LOSE, DELIVER_TWICE };
/* May change the decoded message. */
typedef enum delivery world_meddle(struct node *to, struct message *message);

struct world {
    uint64_t now_ms;
    struct node nodes[WORLD_NODE_MAX];
    size_t node_count;
    struct wire *wires;
    size_t wire_count;
    struct item *first, *last;
    bool cut;         /* no link can be opened */
    bool silent;      /* everything sent is lost, and nobody is told */
    size_t delivered; /* messages so far */
    size_t cut_after; /* cut once, when that many have been delivered; 0 never */
    bool print_hello; /* also print HELLO, PING, PONG, CREDIT */
    world_meddle *meddle;
    struct buffer transcript;
};

struct world *world_new(void);
void world_free(struct world *world);
/* `a` opens links to `b`; both know each other. */
struct node *world_add(struct world *world, const char *name, enum node_role role);
void world_peers(struct node *a, struct node *b);
void world_start(struct world *world);

/* Until nothing is under way. */
void world_run(struct world *world);
/* The same, and time passes. */
void world_wait(struct world *world, uint64_t ms);
/* Every link ends, what is under way is lost, none can be opened until world_heal(). */
void world_cut(struct world *world);
void world_heal(struct world *world);

void node_start(struct node *node);
/* The process is gone; the store stays. */
void node_stop(struct node *node);
/* One group commit of `count` records on its (first) live log. */
void node_write(struct node *node, size_t count);
void node_open(struct node *node, const char *audience);
/* Its store comes to be that of a backup, which is consumed. The node must not run. */
void node_restore(struct node *node, struct store *backup);
/* The machine itself is set back, its memory included: it goes on writing the log of the backup. */
void node_rewind(struct node *node, struct store *backup);

/* Fails the test with both texts unless the transcript since the last call is this. */
void world_expect(struct world *world, const char *transcript);
void world_forget_transcript(struct world *world);
/* How often the transcript since then has this text. */
size_t world_count(struct world *world, const char *text);

/* True when `holder` has every record of every log that `author` holds of its own node. */
bool node_holds_all_of(struct node *holder, struct node *author);
struct store_log *node_log(struct node *node, const char *short_name);

#endif
