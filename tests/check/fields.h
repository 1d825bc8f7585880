/* Structs as members of JSON objects: one table says it for writing and for reading. Values that
 * are zero, empty or false are not written. */
#ifndef CHECK_FIELDS_H
#define CHECK_FIELDS_H

#include "tests/check/arena.h"
#include "tests/check/history.h"

#include <jansson.h>
#include <stdio.h>

enum field_type {
    FIELD_TEXT,   /* const char * */
    FIELD_U64,
    FIELD_U32,
    FIELD_BOOL,
    FIELD_HASH,   /* struct check_hash; 64 hexadecimal digits */
    FIELD_CASE,   /* uint8_t[16]; 32 hexadecimal digits */
    FIELD_HOST,   /* uint32_t; the host's name */
    FIELD_PERSON, /* enum dump_person; "held", "absent", "damaged" */
};

struct field {
    const char *name;
    enum field_type type;
    size_t offset;
};

#define FIELD(type, of, member) { #member, type, offsetof(struct of, member) }

/* Appends `,"name":value` for each field that is not empty. */
void fields_write(FILE *file, const struct history *history, const struct field *fields,
                  size_t count, const void *from);
void fields_write_text(FILE *file, const char *text); /* with its quotes */

/* Sets what the object has. Strings go to `arena`. false: a member has the wrong type or form; *bad
 * is its name. */
bool fields_read(const json_t *object, const struct history *history, struct arena *arena,
                 const struct field *fields, size_t count, void *to, const char **bad);

#endif
