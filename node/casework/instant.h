/* Moments: milliseconds since 1970 UTC, and their ISO 8601 text on the wire. */
#ifndef NODE_CASEWORK_INSTANT_H
#define NODE_CASEWORK_INSTANT_H

#include "proto/base/bytes.h"

#define INSTANT_TEXT_SIZE 25 /* "2025-04-26T08:14:09+03:30" */

/* Iran's clock since 1 Farvardin 1402, when summer time was repealed. It is used for every moment,
 * so that the day of a record never depends on a time-zone file; summers before that are an hour
 * off, and no record of this system is that old. */
#define IRAN_OFFSET_S 12600

#define DAY_MS INT64_C(86400000)

/* The day in Iran (see jalali.h) of a moment, and the first moment of a day in Iran. */
int32_t instant_iran_day(int64_t time_ms);
int64_t instant_of_iran_day(int32_t day);

/* Iran's time, to the second, terminated. The year must lie in 1..9999. */
void instant_format(char out[INSTANT_TEXT_SIZE + 1], int64_t time_ms);

/* Reads YYYY-MM-DDThh:mm[:ss[.fraction]](Z | ±hh:mm); the offset is not optional, because a moment
 * without one is a guess. Digits after the third of the fraction are cut off. ERR_MALFORMED for
 * another form, ERR_INVALID for a date or time that does not exist. */
enum err instant_parse(int64_t *time_ms, struct bytes text);

#endif
