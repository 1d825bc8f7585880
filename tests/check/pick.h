/* A reader of strict msgpack (proto/README.md, 1.4), of its own. After the first thing that is not
 * of the form everything reads as nothing and `bad` stays set. */
#ifndef CHECK_PICK_H
#define CHECK_PICK_H

#include "tests/check/pages.h"

struct pick {
    const uint8_t *at, *end;
    bool bad;
};

struct pick pick_of(struct span input);
bool pick_at_end(const struct pick *pick); /* and nothing was wrong */
/* Takes a nil if there is one. */
bool pick_nil(struct pick *pick);
bool pick_bool(struct pick *pick);
uint64_t pick_uint(struct pick *pick);
struct span pick_str(struct pick *pick);
struct span pick_bin(struct pick *pick);
void pick_bin_of(struct pick *pick, size_t size, uint8_t *out);
size_t pick_array(struct pick *pick);
void pick_array_of(struct pick *pick, size_t count);
size_t pick_map(struct pick *pick);
/* Passes over one value. */
void pick_skip(struct pick *pick);

bool text_is_utf8(struct span text);

#endif
