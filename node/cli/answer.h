/* The answer of a command under -o json. */
#ifndef NODE_CLI_ANSWER_H
#define NODE_CLI_ANSWER_H

#include <jansson.h>

/* Prints to stdout and frees; NULL (no memory for it) prints null. */
void answer_json(json_t *json);

#endif
