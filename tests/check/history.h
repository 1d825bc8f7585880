/* The recorded history of a run: what clients were told, what disks had confirmed, which signatures
 * were seen, which faults happened, and what every store held. Checkers (i01_… to i30_…) judge a
 * history and nothing else, so that a saved one can be judged again by a later version.
 *
 * Nothing here uses the product's code. The file form is JSON Lines (README.md); other languages
 * write it directly. A history is filled by one thread, in the order of time_ns.
 *
 * A *host* is one data folder and what runs on it. It carries a node name; two hosts with one name
 * are a clone. A *node* is a name. */
#ifndef CHECK_HISTORY_H
#define CHECK_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_FORMAT  1
#define HISTORY_NO_HOST UINT32_MAX

struct check_hash {
    uint8_t bytes[32];
};

/* kind, its name in the file, which member of the union of struct history_event it uses */
#define HISTORY_KIND_LIST(X)                                                                       \
    /* life of hosts: `life` */                                                                    \
    X(UP, "up", life)             /* site opened, answers from now on; number: which start */      \
    X(STOPPING, "stopping", life) /* asked to stop in order: it takes no calls from here on */     \
    X(DOWN, "down", life)         /* stopped in order */                                           \
    X(CRASH, "crash", life)       /* process killed or power cut; nothing leaves from here on */   \
    X(PAUSE, "pause", life)       /* stopped running, memory kept; ends with RESUME */             \
    X(RESUME, "resume", life)                                                                      \
    X(RESTORE, "restore", life)   /* while down: folder replaced by its copy of since_ns; that     \
                                     copy held what was durable then */                            \
    X(CLONE, "clone", life)       /* the new host `peer` begins with this one's folder of          \
                                     since_ns, same node name and keys */                          \
    X(DISK_LOST, "disk_lost", life) /* while down: device `name` gone for good */                  \
    /* faults: `fault` */                                                                          \
    X(FAULT, "fault", fault)      /* injected: name; host, peer: where, or HISTORY_NO_HOST */      \
    X(FAULT_END, "fault_end", fault) /* that one is over */                                        \
    X(HEAL, "heal", fault)        /* all faults are over, all hosts up or about to be; I23 counts  \
                                     from here */                                                  \
    X(CONVERGED, "converged", fault) /* the driver saw equal heads; number: records that were      \
                                     behind at HEAL */                                             \
    /* client calls: `call`, then exactly one `answer` */                                          \
    X(INVOKE, "invoke", call)                                                                      \
    X(OK, "ok", answer)           /* done, as the answer says */                                   \
    X(FAIL, "fail", answer)       /* refused: the client may believe that nothing was done */      \
    X(UNKNOWN, "unknown", answer) /* no answer, or one that leaves it open */                      \
    X(SENT, "sent", answer)       /* the answer leaves the host; comes before OK */                \
    /* the disk: `sync` */                                                                         \
    X(SYNC_BEGIN, "sync_begin", sync)                                                              \
    X(SYNC_END, "sync_end", sync) /* same number; ok: it returned success */                       \
    X(IO_ERROR, "io_error", sync) /* a write or sync of the device failed, and the process was told; \
                                     not lack of space. Of the journal reads, too, and lack of     \
                                     space where it takes the journal away: at the start, and in   \
                                     the midst of a segment */                                     \
    /* signed statements, as bytes: `note` */                                                      \
    X(CHECKPOINT, "checkpoint", note) /* leaves host for peer; peer HISTORY_NO_HOST: given to a    \
                                     client or seen in a store */                                  \
    X(RECEIPT, "receipt", note)   /* the same, with a hub's line */                                \
    X(FORK_PROOF, "fork_proof", note) /* the msgpack of replication/README.md, in hexadecimal */   \
    /* what a host says of itself or of what it holds: `claim` */                                  \
    X(HEAD, "head", claim)        /* it holds `size` records of `log`, root `root` */              \
    X(SERVED, "served", claim)    /* an answer of a hub to a reader, with log, size, age_ms */     \
    X(NATIONAL, "national", claim) /* it calls the first `size` records of `log` national */       \
    X(LOSS, "loss", claim)        /* it reports records [size, end) of `log` as lost */            \
    X(ALARM, "alarm", alarm)                                                                       \
    X(ALARM_END, "alarm_end", alarm)                                                               \
    /* other: `mark` */                                                                            \
    X(STATE, "state", mark)       /* digest of a host's whole state; name: "before" or "after",    \
                                     number: of the replay it belongs to (I18) */                  \
    X(TRACE, "trace", mark)       /* digest of a run's trace; name: what identifies the run (I29) */ \
    X(TOTAL, "total", mark)       /* a number of the driver, by name: "lateness_ns", how much later  \
                                     than asked a time-out of an idle thread may come;             \
                                     "syncs_recorded", "alarms_recorded", 1: every sync, every     \
                                     alarm there is is told */                                     \
    X(DUMP, "dump", dump)         /* an independent reading of a host's store */

enum history_kind {
#define HISTORY_ENUM(NAME, name, member) HISTORY_##NAME,
    HISTORY_KIND_LIST(HISTORY_ENUM)
#undef HISTORY_ENUM
        HISTORY_KIND_COUNT
};

struct history_life {
    const char *name; /* DISK_LOST, RESTORE: "log", "views", "journal", "all" or ""; otherwise "" */
    uint64_t since_ns;
    uint64_t number;
    uint32_t peer;
};

/* The name is "<class>.<what>"; checkers go by the class:
 *   net.cut, net.clog, net.delay, net.reset, …   between host and peer, or of everybody
 *   wire.corrupt, wire.replay, wire.drop, …      bytes on the way are altered or repeated
 *   disk.full, disk.error, disk.short, disk.slow, disk.torn, …   the device misbehaves as the
 *                                                failure model of a crash or an error allows
 *   disk.journal_…                               the same of the journal's device
 *   rest.flip, rest.misdirected, rest.truncated, rest.lost_sync, …   what was durable is damaged
 *   rest.journal_flip, …                         the same of the journal
 *   clock.jump, clock.drift, clock.stuck         number: how far, in ms
 *   run.memory, run.slow, …                      the process itself
 *   peer.…                                       what a malicious host does */
struct history_fault {
    const char *name; /* "" for HEAL */
    uint64_t number;
    uint32_t peer;
};

/* What a client asks. `facts` and `person` are digests of what must be stored, made by
 * content_digest() (content.h); all zero where an operation has none. */
struct history_call {
    uint64_t call; /* unique in the history, from 1 */
    const char *operation; /* "register", "erase", "lookup", "guess" (a look-up with a wrong second
                              factor), "list", "status", "directory", "show", "receipt" */
    const char *client;    /* "" when it had no valid token: must then be refused */
    const char *key;       /* idempotency key, or "" */
    const char *code;      /* erase, lookup: which code; otherwise "" */
    struct check_hash facts, person;
};

struct history_answer {
    uint64_t call;
    uint32_t status;     /* HTTP; 0: none came */
    bool duplicate;      /* register: «registered before» */
    bool national;       /* lookup: it says that the record is national */
    const char *code;    /* 14 digits, or "" */
    const char *case_id; /* 32 hexadecimal digits, or "" */
};

struct history_sync {
    uint64_t number;    /* of the sync on this host, the same at begin and end */
    const char *device; /* "log", "views", "journal" */
    bool root;          /* the write through O_DSYNC that switches LMDB to a new root; false: data */
    bool ok;
};

struct history_note {
    uint32_t peer;
    const char *text; /* the whole note; FORK_PROOF: hexadecimal */
};

struct history_claim {
    const char *log; /* origin; "#" behind it: the other branch of a fork */
    uint64_t size, end, age_ms;
    struct check_hash root; /* all zero: not told */
};

struct history_alarm {
    const char *name;    /* as the status has it: "fork", "rollback", … */
    const char *subject; /* log or node */
    const char *text;    /* the peer concerned, or "" */
};

struct history_mark {
    const char *name;
    uint64_t number;
    struct check_hash digest;
};

struct history_dump {
    uint32_t index; /* of history_dump_at() */
};

/* Strings are copied by history_add() and never NULL in what is read back (NULL becomes ""). */
struct history_event {
    uint64_t time_ns; /* of the world, never decreasing */
    enum history_kind kind;
    uint32_t host;
    union {
        struct history_life life;
        struct history_fault fault;
        struct history_call call;
        struct history_answer answer;
        struct history_sync sync;
        struct history_note note;
        struct history_claim claim;
        struct history_alarm alarm;
        struct history_mark mark;
        struct history_dump dump;
    };
};

struct history_host {
    const char *name; /* unique: "ardabil", its clone "ardabil.2" */
    const char *node; /* "ardabil" */
    bool hub;
    bool journal;              /* has one on a second device */
    bool malicious;            /* its words and records are not judged, those about it are */
    const char *successor_of;  /* host whose records must be here from its DISK_LOST on, or "" */
    struct check_hash log_key; /* Ed25519 public keys; zero: it has none */
    struct check_hash receipt_key;
    uint32_t receipts_needed; /* for «national», k of design D16; 0 counts as 1 */
};

struct dump;
struct history;

/* NULL when there is no memory. */
struct history *history_new(void);
/* Its signatures are by stand-ins: only the program that recorded it can verify them. */
void history_set_stand_ins(struct history *history, bool stand_ins);
bool history_has_stand_ins(const struct history *history);
void history_free(struct history *history);

/* The new host's index. Strings are copied. */
uint32_t history_add_host(struct history *history, const struct history_host *host);
size_t history_host_count(const struct history *history);
const struct history_host *history_host(const struct history *history, uint32_t index);

/* Copies the event. Running out of memory is remembered: history_ok(). An event that is older than
 * the one before it gets that one's time. */
void history_add(struct history *history, const struct history_event *event);
size_t history_count(const struct history *history);
/* Valid until the next addition. */
const struct history_event *history_at(const struct history *history, size_t index);
bool history_ok(const struct history *history);

/* Takes the dump over (dump.h) and adds its DUMP event. */
void history_add_dump(struct history *history, uint64_t time_ns, uint32_t host, struct dump *dump);
size_t history_dump_count(const struct history *history);
const struct dump *history_dump_at(const struct history *history, uint32_t index);

/* false: `why` (of `why_size` bytes) says what failed. A loader passes over members and kinds of
 * events that it does not know, and counts the latter. */
bool history_save(const struct history *history, const char *path, char *why, size_t why_size);
struct history *history_load(const char *path, char *why, size_t why_size);
size_t history_unknown_count(const struct history *history);

/* "sync_begin". Static storage. */
const char *history_kind_name(enum history_kind kind);

#endif
