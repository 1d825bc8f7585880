/* A strict walk over msgpack bytes before anything allocates or decodes (guarantees row 48).
 *
 * Accepts exactly one value: nil, booleans, integers, str, bin, array, map; every integer and
 * length in its shortest form; str valid UTF-8; map keys unsigned integers, strictly ascending;
 * no float, no ext; depth and value counts bounded; every announced count not larger than the
 * bytes that are left. O(size) time, constant memory.
 *
 * The bound on values bounds what a decoder that builds a tree may allocate for a skimmed input
 * (24 bytes a value in msgpack-c), however large the input is. */
#ifndef PROTO_WIRE_SKIM_H
#define PROTO_WIRE_SKIM_H

#include "proto/base/utf8.h"

#define SKIM_DEPTH_MAX 8      /* containers inside one another */
#define SKIM_VALUE_MAX 32768  /* values, containers and keys included */

/* OK and *used = the size of the first value; trailing bytes are the caller's business.
 * ERR_MALFORMED otherwise. */
enum err skim_value(struct bytes input, size_t *used);
/* The whole input must be one value. */
enum err skim_whole(struct bytes input);

#endif
