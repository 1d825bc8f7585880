/* Answers that say what is wrong, as RFC 9457 problems: {"type","title","status","detail"}. `type` is
 * "/problems/<code>", and stable. Made of http_answer() alone. */
#ifndef NODE_HTTP_PROBLEM_H
#define NODE_HTTP_PROBLEM_H

#include <jansson.h>

struct http_exchange;

/* `extra`: further members of the object without braces ("\"errors\":[...]"), or NULL. */
void http_answer_problem(struct http_exchange *exchange, unsigned status, const char *code,
                         const char *title, const char *detail, const char *extra);
/* A 422 problem with `faults`, a JSON array, as its "errors". Takes over the reference. */
void http_answer_faults(struct http_exchange *exchange, const char *code, const char *title,
                        const char *detail, json_t *faults);

#endif
