/* UTF-8, one character (code point) at a time. */
#ifndef NODE_CASEWORK_UTF8_H
#define NODE_CASEWORK_UTF8_H

#include "proto/base/bytes.h"

/* Takes one code point off the front of `*rest`, which must not be empty. -1 for anything that is
 * not well-formed (overlong, surrogate, beyond U+10FFFF, cut off); `*rest` is then one byte
 * shorter. */
int32_t utf8_next(struct bytes *rest);

/* Appends a code point that utf8_next() could have returned. */
void utf8_append(struct buffer *out, int32_t code);

bool utf8_is_valid(struct bytes text);

/* How many characters; a byte that is not part of one counts as one. */
size_t utf8_length(struct bytes text);

#endif
