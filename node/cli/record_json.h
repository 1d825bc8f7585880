/* A record as people and programs read it. */
#ifndef NODE_CLI_RECORD_JSON_H
#define NODE_CLI_RECORD_JSON_H

#include "proto/record/facts.h"

#include <jansson.h>
#include <stdio.h>

/* Everything but the person part; that only `with_person`, and when the record has it. Parts that
 * do not decode are given as hexadecimal. The caller owns the object. */
json_t *record_json(const struct record *record, const struct record_header *header,
                    const struct hash *leaf, bool with_person);
/* One line: position, time, kind, and the fields of the parts as key=value. */
void record_print(FILE *out, const json_t *record);

/* "request"; "kind-9" for one that this program does not know. `memory` holds the latter. */
const char *record_kind_word(uint32_t kind, char memory[24]);

#endif
