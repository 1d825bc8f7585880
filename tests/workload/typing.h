/* How text is typed: the same words, written the ways people write them. */
#ifndef TESTS_WORKLOAD_TYPING_H
#define TESTS_WORKLOAD_TYPING_H

#include "proto/base/bytes.h"

#include "random.h"

enum digit_script { DIGITS_ASCII, DIGITS_PERSIAN, DIGITS_ARABIC };
enum zwnj_habit { ZWNJ_KEPT, ZWNJ_JOINED, ZWNJ_SPACED };

/* One call-taker's habits in one request. */
struct typing {
    bool arabic_letters; /* ي and ك from an Arabic keyboard */
    bool colloquial;     /* as it is said */
    enum zwnj_habit zwnj;
    enum digit_script digits;
};

struct typing typing_draw(struct random *random);

/* Appends `text`, which has Persian letters, ASCII digits, single spaces, and nothing that JSON
 * would escape, as it is typed. */
void typing_write(struct buffer *out, const struct typing *typing, struct bytes text);

#endif
