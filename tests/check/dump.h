/* What the store of a host holds, read from its log/data.mdb by a reader of its own: neither the
 * product's storage nor its codecs have a part in it. Written from proto/README.md and
 * storage/README.md. A damaged store gives a dump, too, of all that can be read and checked, and
 * says what is wrong with the rest. */
#ifndef CHECK_DUMP_H
#define CHECK_DUMP_H

#include "tests/check/arena.h"
#include "tests/check/history.h"

struct dump_memo;

struct dump_head {
    const char *log; /* origin */
    uint64_t size;
    struct check_hash root;
};

enum dump_person {
    PERSON_NONE,    /* the record never had a person part */
    PERSON_HELD,    /* sealed bytes are there; opened and right where the data key was given */
    PERSON_ABSENT,  /* erased or withheld */
    PERSON_DAMAGED, /* there, but it does not open, or is not what the header commits to */
};

struct dump_record {
    uint64_t position;
    struct check_hash hash; /* H(00 || header), computed from the header as stored */
    uint64_t kind;
    uint64_t time_ms;
    uint8_t case_id[16];
    bool has_case;
    bool damaged; /* a problem names it; nothing but position may be relied on */
    enum dump_person person;
    bool person_opened; /* `person_content` is known */
    /* requests */
    const char *client, *key, *code;
    struct check_hash facts_content, person_content;
    /* erasures */
    const char *erased_log;
    uint64_t erased_position;
    /* the record it cites, "" when none */
    const char *cause_log;
    uint64_t cause_position;
    struct check_hash cause_hash;
};

struct dump_note {
    uint64_t size;
    const char *hub;  /* receipts: whose; "" for the log's own checkpoints */
    const char *text; /* the note, not judged */
};

struct dump_log {
    const char *origin;
    const char *node, *audience;
    bool branch;   /* the other branch of a forked log */
    bool frozen;
    bool readable; /* false: no more than the row could be read */
    uint64_t pending_size;
    struct check_hash pending_root;
    uint64_t cosigned_size;
    uint32_t fork_count_told; /* by the row */
    struct dump_record *records; /* by position; holes are possible in a damaged store */
    size_t record_count;
    uint64_t size; /* end of the last batch */
    struct dump_note *checkpoints; /* of batches and of `notes`, by size */
    size_t checkpoint_count;
    struct dump_note *receipts;
    size_t receipt_count;
    struct dump_head *parents; /* as the first record names them */
    size_t parent_count;
    const char **fork_proofs; /* hexadecimal */
    size_t fork_count;
};

/* Something that contradicts storage/README.md. `log` is "" for the store itself. */
struct dump_problem {
    const char *log;
    uint64_t position;
    const char *text;
};

struct dump {
    uint32_t host;
    uint64_t time_ns;
    const char *label; /* "final", or what the driver calls it */
    const char *node;  /* as meta says; "" unreadable */
    bool readable;     /* the file is there, has a root, and its tables were found */
    struct dump_log *logs;
    size_t log_count;
    struct dump_problem *problems;
    size_t problem_count;
    struct dump
        *journal; /* what its journal holds and it does not: records, with holes; NULL: none */
    struct arena memory; /* of all strings */
};

/* Signatures are judged by the checkers, with the keys of the history's hosts. */
struct dump_options {
    const char *label;
    const uint8_t *data_key; /* 32 bytes; NULL: person parts stay sealed */
    const char *journal;     /* folder of the node's journal; NULL: it has none */
    struct dump_memo *memo;  /* of earlier readings with this key (dump_memo.h); NULL: none */
};

/* Reads `<data_folder>/log/data.mdb`, page by page and with a reader of its own, so that a file
 * damaged anywhere can be read as far as it is good. Nothing is written, and no lock is taken: no
 * process may be writing the store meanwhile (stopped is good enough). NULL for lack of memory
 * only. */
struct dump *dump_read(const char *data_folder, const struct dump_options *options);
void dump_free(struct dump *dump);

/* Making one: by the reader, by the loader of histories, by tests. Strings are copied; a failed
 * allocation is remembered in memory.failed, and what could not be kept is left out. Pointers to
 * logs and records are valid until the next one of the kind is added. */
struct dump *dump_new(const char *label);
struct dump_log *dump_add_log(struct dump *dump, const char *origin, bool branch);
struct dump_record *dump_add_record(struct dump *dump, struct dump_log *log,
                                    const struct dump_record *record);
void dump_add_checkpoint(struct dump *dump, struct dump_log *log, const struct dump_note *note);
void dump_add_receipt(struct dump *dump, struct dump_log *log, const struct dump_note *note);
void dump_add_parent(struct dump *dump, struct dump_log *log, const struct dump_head *parent);
void dump_add_fork(struct dump *dump, struct dump_log *log, const char *proof);
void dump_add_problem(struct dump *dump, const char *log, uint64_t position, const char *text);

/* The root of the first `size` records, computed from their headers; false when they are not all
 * readable. */
bool dump_root_at(const struct dump_log *log, uint64_t size, struct check_hash *root);

#endif
