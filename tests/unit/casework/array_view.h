/* A view backed by a sorted array: the smallest thing that the contract of storage/view.h allows.
 */
#ifndef TESTS_UNIT_CASEWORK_ARRAY_VIEW_H
#define TESTS_UNIT_CASEWORK_ARRAY_VIEW_H

#include "storage/view.h"

struct array_row {
    struct buffer key;
    struct buffer value;
};

struct array_view {
    struct view view;
    struct array_row *rows;
    size_t count;
    size_t capacity;
    struct buffer lent_key; /* what the last call gave out: a copy, overwritten by the next call, */
    struct buffer lent_value; /* so that a caller who keeps it too long is found out */
    long calls_until_failure; /* < 0: never */
};

void array_view_init(struct array_view *array);
void array_view_close(struct array_view *array);
bool array_view_equal(const struct array_view *a, const struct array_view *b);
/* True when the bytes stand anywhere in a key or a value. */
bool array_view_contains(const struct array_view *array, struct bytes needle);

#endif
