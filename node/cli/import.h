/* Registers the lines of a file through the API, several at once, each exactly once.
 *
 * Lines are answered in any order and finished in the file's: codes are written, and the state is
 * kept, only for lines whose predecessors are all finished. So a run that ends in the middle is
 * gone on with from there, and what was sent beyond counts as duplicate. */
#ifndef NODE_CLI_IMPORT_H
#define NODE_CLI_IMPORT_H

#include "node/cli/api_client.h"
#include "node/cli/progress.h"

#include <stdio.h>

#define IMPORT_WINDOW        1024 /* lines between the oldest unfinished one and the newest read */
#define IMPORT_PARALLEL_MAX  256
#define IMPORT_LINE_SIZE_MAX (200 * 1024)

enum line_state {
    LINE_FREE,
    LINE_UNDER_WAY,
    LINE_REGISTERED,
    LINE_DUPLICATE,
    LINE_REFUSED,
    LINE_BLANK
};

struct import_line {
    enum line_state state;
    char code[16];
    long end; /* offset in the file behind it */
};

struct import_transfer {
    CURL *curl;
    struct curl_slist *headers;
    struct buffer answer;
    char *body, *key;
    uint64_t line;    /* 0: free */
    int64_t retry_ms; /* when to try again; 0: under way */
};

struct import {
    /* set by the caller */
    struct api_client *client;
    FILE *file;
    FILE *codes;            /* or NULL */
    const char *state_path; /* where the run's progress is kept */
    uint64_t parallel, rate, retry_s;
    /* numbers of lines, from 1: everything before `oldest` is finished, `next` is read next */
    uint64_t oldest, next;
    long offset; /* behind the last finished line */
    bool at_end;
    struct import_line lines[IMPORT_WINDOW];
    struct import_transfer transfers[IMPORT_PARALLEL_MAX];
    CURLM *multi;
    int64_t begun_ms, answered_ms, saved_ms;
    uint64_t started;
    struct progress progress;
    /* the answer */
    uint64_t registered, duplicates, refused;
    enum cli_exit failure; /* CLI_OK while it goes on */
    char why[256];
};

/* Runs until the end of the file or a failure that concerns every line. The state file is removed
 * when every line is finished. */
enum cli_exit import_run(struct import *import);
/* Reads what an earlier run has finished: sets oldest, next and offset. False when there is none or
 * it does not belong to this file. */
bool import_resume(struct import *import);

#endif
