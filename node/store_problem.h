/* Why the stores of a data folder do not open, and what to do, in words for an operator. */
#ifndef NODE_STORE_PROBLEM_H
#define NODE_STORE_PROBLEM_H

#include "proto/base/bytes.h"

/* Appends "PATH: why" to `what`, and what to do to `next`, for the error with which opening the
 * stores under `data` failed. Looks at the files, because an error code does not say which of them
 * is missing or cannot be read; `read_only` when they were not to be written. deploy/README.md tells the same at more length. */
void store_problem(const char *data, enum err err, bool read_only, struct buffer *what,
                   struct buffer *next);

#endif
