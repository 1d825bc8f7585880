/* Runs samadctl inside the test and keeps what it prints. */
#ifndef TESTS_UNIT_NODE_CLI_CAPTURE_H
#define TESTS_UNIT_NODE_CLI_CAPTURE_H

#include "node/cli/cli.h"

/* Words end with NULL; the first is the first after "samadctl". stdout's text is appended to `out`,
 * terminated (not counted in its size); stderr's is dropped unless `err_out` is given. */
enum cli_exit cli_capture(struct buffer *out, struct buffer *err_out, const char *const *words);

#define CLI(out, ...)           cli_capture(out, NULL, (const char *const[]){ __VA_ARGS__, NULL })
#define CLI_BOTH(out, err, ...) cli_capture(out, err, (const char *const[]){ __VA_ARGS__, NULL })

#endif
