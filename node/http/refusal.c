#include "node/http/refusal.h"

#include "node/http/problem.h"
#include "node/http/server.h"
#include "proto/base/utf8.h"

#include <stdio.h>

static const struct text {
    unsigned status;
    const char *code, *title, *detail;
} TEXTS[] = {
    [REFUSAL_LENGTHS] = { 400, "bad-request", "The request is not valid HTTP",
                          "More than one Content-Length; send exactly one." },
    [REFUSAL_HOST] = { 400, "host-required", "The request is not valid HTTP",
                       "HTTP/1.1 wants one Host header; send exactly one, for example "
                       "\"Host: localhost\"." },
    [REFUSAL_TOKEN] = { 401, "token-required", "A valid bearer token is needed",
                        "Send \"Authorization: Bearer <token>\"; `samadctl token create` makes "
                        "one." },
    [REFUSAL_SCOPE] = { 403, "scope-missing", "The token does not allow this",
                        "Use a token with the scope that this call needs; see the API "
                        "description." },
    [REFUSAL_PATH] = { 404, "no-such-path", "There is nothing at this path",
                       "The paths are listed in the API description." },
    [REFUSAL_METHOD] = { 405, "wrong-method", "This path does not know this method",
                         "The methods of each path are listed in the API description." },
    [REFUSAL_TRANSFER] = { 411, "length-required", "A Content-Length is needed",
                           "Send the body with a Content-Length; transfer encodings are not "
                           "taken." },
    [REFUSAL_SIZE] = { 413, "too-large", "The body is too large",
                       "A body may have at most 256 KiB." },
    [REFUSAL_STOPPING] = { 503, "stopping", "The node is stopping",
                           "Nothing was recorded. Try again with the same Idempotency-Key." },
    [REFUSAL_VERSION] = { 505, "http-version", "Only HTTP/1.1 is spoken", "Use HTTP/1.1." },
};

void refusal_answer(struct http_exchange *exchange, enum refusal refusal)
{
    const struct text *text = &TEXTS[refusal];
    http_answer_problem(exchange, text->status, text->code, text->title, text->detail, NULL);
}

/* A name may be anything that was sent; JSON takes text only. */
static const char *shown(const char *name)
{
    return utf8_is_valid(bytes_of_string(name)) ? name : "(not UTF-8)";
}

void refusal_answer_query(struct http_exchange *exchange, enum query_fault fault, const char *name,
                          const char *known)
{
    static const struct {
        const char *code, *message;
    } texts[] = {
        [QUERY_UNKNOWN] = { "unknown_parameter", "There is no query parameter of this name here" },
        [QUERY_TWICE] = { "repeated", "This query parameter is there twice" },
        [QUERY_EMPTY] = { "required", "This query parameter has no value" },
    };
    char message[160];
    if (known)
        snprintf(message, sizeof message, "%s; this path knows: %.64s.", texts[fault].message,
                 known);
    else
        snprintf(message, sizeof message, "%s; this path knows none.", texts[fault].message);
    http_answer_faults(exchange, "invalid-query", "The query cannot be taken",
                       "Correct or leave out the parameter named in \"errors\" and send the "
                       "request again; nothing was recorded.",
                       json_pack("[{s:s, s:s, s:s}]", "field", shown(name), "code",
                                 texts[fault].code, "message", message));
}
