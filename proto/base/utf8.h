/* Well-formed UTF-8: nothing overlong, no surrogates, nothing above U+10FFFF. */
#ifndef PROTO_BASE_UTF8_H
#define PROTO_BASE_UTF8_H

#include "proto/base/bytes.h"

bool utf8_is_valid(struct bytes text);

/* Takes one code point off the front. False, and `rest` unchanged, at the end of the range and where
 * the bytes are not UTF-8. */
bool utf8_take(struct bytes *rest, uint32_t *code_point);

#endif
