/* A history put in order once, for all checkers: calls with their ends, stores with their logs and
 * requests, every signed note, and what happened to whom.
 *
 * «At» is an index of an event in the history: of two events at one instant the first is earlier. */
#ifndef CHECK_INDEX_H
#define CHECK_INDEX_H

#include "tests/check/dump.h"
#include "tests/check/history.h"
#include "tests/check/note.h"
#include "tests/check/tree.h"

#define INDEX_NEVER SIZE_MAX

struct index_call {
    const struct history_call *call;
    uint32_t host;
    size_t invoked_at, sent_at, ended_at; /* INDEX_NEVER: did not happen */
    enum history_kind end;                /* OK, FAIL, UNKNOWN; without an end UNKNOWN */
    const struct history_answer *answer;  /* of the end or, without one, as sent; NULL: none */
    /* The node has promised: the answer that left, or came, says success. At: */
    size_t promised_at;
};

/* One request in one store. */
struct index_request {
    const struct dump_log *log;
    const struct dump_record *record;
};

struct index_dump {
    const struct dump *dump;
    const struct history_host *host;
    size_t at;
    bool last;     /* of its host */
    bool settled;  /* after CONVERGED */
    const struct dump_log **logs; /* by origin, the branch behind */
    struct index_request *requests; /* by client, key, code */
    struct index_request *by_code;  /* the same by code */
    size_t request_count;
};

/* A log in one store. */
struct index_copy {
    const struct index_dump *dump;
    const struct dump_log *log;
    uint64_t whole; /* so many records from 0 are there, dense and undamaged */
    uint64_t differs; /* index_difference() from the log's main copy */
};

/* A log everywhere. Copies of branches of a fork are among them. */
struct index_log {
    const char *origin, *node, *audience;
    const struct index_copy *copies; /* in the order of the dumps */
    size_t copy_count;
    /* The longest whole copy of an honest host and, if there is a copy that contradicts it, the
     * longest of those. NULL: there is none. */
    const struct index_copy *main, *other;
    struct tree_table main_tree, other_tree; /* of their whole records */
};

/* One note, however often it was seen. */
struct index_note {
    const char *text;
    struct check_note note;
    uint32_t host; /* that was seen to send it, or holds it, first */
    size_t at;
    bool sent; /* seen on its way; otherwise only in stores */
    bool receipt;
    bool log_signed; /* good, or the log's key is not known */
    uint64_t cosigned_by; /* receipts: bit i: host i, a hub, has signed; of the first 64 hosts */
};

/* A fault and when it was over: at its end, at HEAL, or INDEX_NEVER. */
struct index_fault {
    const char *name;
    uint32_t host;
    size_t at, end;
};

struct index {
    const struct history *history;
    struct index_call *calls; /* by number of the call */
    size_t call_count, call_capacity;
    struct index_dump *dumps; /* as in the history */
    size_t dump_count;
    struct index_log *logs; /* by origin */
    size_t log_count, log_capacity;
    struct index_copy *copies;
    struct index_note *notes; /* by origin, size, text */
    size_t note_count, note_capacity;
    /* Events of hosts' lives, faults and I/O errors: few, unlike calls and notes. */
    size_t *incidents;
    size_t incident_count, incident_capacity;
    size_t *good_at; /* of each incident that harmed one of a host's two devices: from here on it is
                        made good from the other; INDEX_NEVER */
    size_t *harmful; /* the incidents after which a host's log was not what it had been: a handful */
    size_t harmful_count;
    struct index_fault *faults;
    size_t fault_count, fault_capacity;
    size_t healed_at, converged_at; /* INDEX_NEVER */
    uint64_t lateness_ns;           /* of time-outs, as the driver says */
    bool syncs_recorded, alarms_recorded; /* likewise: all there were */
    bool failed;
};

struct index *index_new(const struct history *history);
void index_free(struct index *index);

const struct history_event *index_event(const struct index *index, size_t at);
uint64_t index_time(const struct index *index, size_t at);
const struct history_host *index_host(const struct index *index, uint32_t host); /* NULL: none */

/* The host's last dump, or NULL. */
const struct index_dump *index_last_dump(const struct index *index, uint32_t host);
const struct dump_log *index_dump_log(const struct index_dump *dump, const char *origin,
                                      bool branch);
/* Requests of one client and key; *count of them from the result on. */
const struct index_request *index_requests(const struct index_dump *dump, const char *client,
                                           const char *key, size_t *count);
/* Likewise, of one tracking code. */
const struct index_request *index_requests_of_code(const struct index_dump *dump, const char *code,
                                                   size_t *count);
/* The one whose code and case the answer named, or NULL. */
const struct index_request *index_request_of(const struct index_dump *dump,
                                             const struct index_call *call);
bool index_record_is_of(const struct dump_record *record, const struct index_call *call);
/* A hub had given a receipt for it before `at`: then the journal may have given it up, and it comes
 * back from the hub. */
bool index_was_receipted(const struct index *index, const struct index_call *call, size_t at);
/* The writer of `later`, by what its log names, held `earlier`. */
bool index_knew(const struct index *index, const struct index_request *later,
                const struct index_request *earlier);
/* Of two requests under one key the first was with hubs alone when the second was decided, at `to`: it
 * was receipted, so that the journal may have given it up; log/ was harmed since `from`; and the writer
 * of the second did not hold it yet. Intake does not wait for a hub, so both are kept as one case. */
bool index_could_not_know(const struct index *index, uint32_t host,
                          const struct index_request *first, const struct index_request *second,
                          size_t from, size_t to);
/* The first note about a log of at least that size; NULL: none. Those behind it follow. */
const struct index_note *index_note_from(const struct index *index, const char *origin,
                                         uint64_t size);
/* It is about the same log as the one before it in the index. */
bool index_note_is_of(const struct index *index, const struct index_note *note, const char *origin);
bool index_is_cosigned(const struct index_note *note, uint32_t host);
const struct index_log *index_log_of(const struct index *index, const char *origin);
/* NULL: not held, or damaged. */
const struct dump_record *index_record(const struct dump_log *log, uint64_t position);

/* The first position at which two logs differ; UINT64_MAX when one is a prefix of the other. */
uint64_t index_difference(const struct dump_log *a, const struct dump_log *b);
/* The histories of the log, as bits, in which the first `size` records have that root: main, other,
 * and any further copy that contradicts both (a log forked more than once). */
enum index_history { HISTORY_MAIN = 1, HISTORY_OTHER = 2, HISTORY_FURTHER = 4 };
unsigned index_histories(const struct index_log *log, uint64_t size, const struct check_hash *root);
/* They are held, and have another root in each of them. */
bool index_root_is_wrong(const struct index_log *log, uint64_t size, const struct check_hash *root);
/* How much of `other` the writer of `origin` held, as it or one of its ancestors names it; 0: none. */
uint64_t index_covered(const struct index *index, const char *origin, const char *other);

/* What happened to a host in (from, to], and was not made good from its other device by then. */
enum index_harm {
    HARM_ROLLBACK = 1, /* RESTORE to before `from`, DISK_LOST */
    HARM_REST = 2,     /* a fault of class rest */
    HARM_LOST_SYNC = 4 /* rest.lost_sync: an older state that looks sound */
};
unsigned index_harms(const struct index *index, uint32_t host, size_t from, size_t to);
/* The same for copies of others' logs, which no other device has. */
unsigned index_harms_of_copies(const struct index *index, uint32_t host, size_t from, size_t to);
/* The node was ever put back, cloned, or lost a disk: it has, or had, several histories. */
bool index_node_was_rolled_back(const struct index *index, const char *node);
/* It was put back, cloned, or lost its log by then, also for good: so it may have met a key that it knew
 * no more, and two cases may have become one. Damage alone brings that about only where a log that is
 * damaged is made anew. */
bool index_node_was_put_back(const struct index *index, const char *node, size_t at);
/* As index_node_was_rolled_back(), also when its other device made it good: what no answer told of may be gone, and what its
 * journal had given up because hubs hold it comes back from them, later than the next incarnation. */
bool index_node_was_harmed(const struct index *index, const char *node);
/* Two hosts ran as this node. A twin with its random state, too, opens a log of the same id: then the
 * node honestly has two histories of one log, a fork like any other. */
bool index_node_was_cloned(const struct index *index, const char *node);
/* The host is without its journal at `at`: a call on that device failed since the start. */
bool index_journal_is_out(const struct index *index, uint32_t host, size_t at);
/* A fault whose name begins so is active on the host at any time in [from, to], or was over for no
 * longer than `recovering_ns` at `from`. */
bool index_fault_active(const struct index *index, const char *prefix, uint32_t host, size_t from,
                        size_t to, uint64_t recovering_ns);
/* It was up `settled_ns` before `at`, and nothing ended that up to `until` or `after_ns` later. */
bool index_is_up(const struct index *index, uint32_t host, size_t at, size_t until,
                 uint64_t settled_ns, uint64_t after_ns);

/* The key of a node's logs, of a hub's receipts; NULL: not known. */
const struct check_hash *index_log_key(const struct index *index, const char *node);
const struct check_hash *index_receipt_key(const struct index *index, const char *hub);
bool index_is_malicious(const struct index *index, const char *node);

#endif
