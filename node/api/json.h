/* Strict JSON objects in: no duplicate keys, no unknown members, every fault named by its field. */
#ifndef NODE_API_JSON_H
#define NODE_API_JSON_H

#include "node/http/server.h"

#include <jansson.h>

/* One member that an object may have. */
struct json_member {
    const char *name;
    json_type type; /* JSON_STRING, JSON_INTEGER, JSON_TRUE for a boolean */
    bool required;
    json_t *value; /* out: borrowed from the object, NULL when absent or null */
};

/* Parses the exchange's body as one object with just these members. On a fault answers 400, 415 or
 * 422 with an "errors" list and returns NULL; otherwise the caller owns the object. */
json_t *json_body(struct http_exchange *exchange, struct json_member *members, size_t count);

struct bytes json_bytes(const json_t *string); /* empty for NULL */

/* A list of {"field","code","message","message_fa"} for problems. */
json_t *json_fault(const char *field, const char *code, const char *message,
                   const char *message_fa);
/* Answers 422 with the list (and frees it). */
void json_answer_faults(struct http_exchange *exchange, json_t *faults);
/* The same with one fault; message_fa may be NULL. */
void json_answer_fault(struct http_exchange *exchange, const char *field, const char *code,
                       const char *message, const char *message_fa);

#endif
