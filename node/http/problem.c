#include "node/http/problem.h"

#include "node/http/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void http_answer_problem(struct http_exchange *exchange, unsigned status, const char *code,
                         const char *title, const char *detail, const char *extra)
{
    struct buffer out = { 0 };
    char type[96];
    snprintf(type, sizeof type, "/problems/%.64s", code);
    json_t *problem = json_pack("{s:s, s:s, s:i, s:s}", "type", type, "title", title, "status",
                                (int)status, "detail", detail);
    char *text = problem ? json_dumps(problem, JSON_COMPACT) : NULL;
    if (text) {
        buffer_append(&out, text, strlen(text) - 1);
        if (extra) {
            buffer_append_string(&out, ",");
            buffer_append_string(&out, extra);
        }
        buffer_append_string(&out, "}\n");
    }
    http_answer(exchange, status, "application/problem+json", buffer_bytes(&out));
    free(text);
    json_decref(problem);
    buffer_close(&out);
}

void http_answer_faults(struct http_exchange *exchange, const char *code, const char *title,
                        const char *detail, json_t *faults)
{
    char *list = json_dumps(faults, JSON_COMPACT);
    struct buffer extra = { 0 };
    buffer_append_string(&extra, "\"errors\":");
    buffer_append_string(&extra, list ? list : "[]");
    buffer_append_u8(&extra, 0);
    http_answer_problem(exchange, 422, code, title, detail,
                        extra.err == OK ? (const char *)extra.data : NULL);
    buffer_close(&extra);
    free(list);
    json_decref(faults);
}
