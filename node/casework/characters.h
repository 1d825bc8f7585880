/* Text, one character (code point) at a time. */
#ifndef NODE_CASEWORK_CHARACTERS_H
#define NODE_CASEWORK_CHARACTERS_H

#include "proto/base/bytes.h"

/* Takes one character off the front of `*rest`, which must not be empty. -1 where the bytes are not
 * UTF-8; `*rest` is then one byte shorter. */
int32_t character_next(struct bytes *rest);

/* Appends, in UTF-8, a character that character_next() could have returned. */
void character_append(struct buffer *out, int32_t code);

/* How many characters `text`, which is UTF-8, has. */
size_t characters_count(struct bytes text);

#endif
