/* A line on stderr that says how far long work is; nothing when stderr is not a terminal. */
#ifndef NODE_CLI_PROGRESS_H
#define NODE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "records" */
    uint64_t total;   /* 0: not known */
    bool shown;
    int64_t next_ms;
};

struct progress progress_of(const char *what, uint64_t total);
/* Cheap; draws at most five times a second. */
void progress_show(struct progress *progress, uint64_t done);
/* Removes the line. */
void progress_end(struct progress *progress);
int64_t steady_ms(void);

#endif
