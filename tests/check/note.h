/* Signed notes: checkpoints and receipts (proto/README.md, 4), read and judged by a parser of its
 * own. Signatures are verified by libsodium. */
#ifndef CHECK_NOTE_H
#define CHECK_NOTE_H

#include "tests/check/history.h"

#define CHECK_NOTE_SIZE_MAX 4096

struct check_note {
    char origin[105]; /* of the log */
    char node[33];    /* its second part */
    uint64_t size;
    struct check_hash root;
    const char *text; /* the note; its first text_size bytes are what is signed */
    size_t text_size;
    size_t lines_size; /* of the signature lines behind text and empty line */
};

/* false: not of the form. `text` stays the caller's. */
bool check_note_read(struct check_note *note, const char *text);

enum check_signature {
    SIGNATURE_MISSING, /* no line of that name and key */
    SIGNATURE_GOOD,
    SIGNATURE_BAD,     /* two lines, a wrong length, or it does not verify */
};

/* The history's signatures were made by stand-ins that this program does not have: a line of the right
 * name, key id and size counts as good. For the whole process. */
void check_note_trust_form(bool trusted);

/* The log's own signature under its node's key. */
enum check_signature check_note_signed(const struct check_note *note, const struct check_hash *key);
/* The hub's line under its receipt key. time_s may be NULL. */
enum check_signature check_note_cosigned(const struct check_note *note, const char *hub,
                                         const struct check_hash *key, uint64_t *time_s);

#endif
