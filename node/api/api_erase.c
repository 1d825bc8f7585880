/* POST /v1/requests/CODE/erase: deletes the personal data of a request, here and at every holder
 * that the erasure record reaches (design D3). Counts and facts stay. */
#include "node/api/request_json.h"

#include "node/casework/find.h"
#include "node/casework/persian.h"
#include "node/casework/tracking_code.h"
#include "node/http/problem.h"
#include "node/runtime/log.h"

#include <stdlib.h>
#include <string.h>

enum { SAME_CODE_MAX = 8, REASON_SIZE_MAX = 200 };

struct erasure {
    struct command command;
    struct api *api;
    struct http_exchange *exchange;
    char code[TRACKING_CODE_DIGITS + 1];
    char actor[TOKEN_ID_SIZE + 1];
    char reason[REASON_SIZE_MAX + 1];
    unsigned erased, erased_before;
    bool missing; /* records of the node, before this was decided */
};

static enum err propose_erase(struct erasure *erasure, struct writer *writer,
                              const struct request_entry *entry, int64_t now_ms)
{
    struct erase_facts facts = { .occurred_at_ms = now_ms,
                                 .position = entry->record.position,
                                 .reason = bytes_of_string(erasure->reason) };
    struct buffer part = { 0 };
    uint64_t position;
    enum err err = log_id_init(&facts.log, bytes_of_string(erasure->api->options.config->node),
                               bytes_of_string(entry->record.audience),
                               entry->record.incarnation);
    if (err == OK)
        err = erase_facts_encode(&part, &facts);
    if (err == OK)
        err = writer_propose(writer,
                             &(struct proposal){ .kind = RECORD_ERASE,
                                                 .actor = bytes_of_string(erasure->actor),
                                                 .case_id = entry->case_id,
                                                 .facts = buffer_bytes(&part) },
                             &position);
    buffer_close(&part);
    return err;
}

static enum err erasure_decide(struct command *command, struct writer *writer, int64_t now_ms)
{
    struct erasure *erasure = (struct erasure *)command;
    struct request_entry entries[SAME_CODE_MAX];
    size_t count = 0;
    enum err err = request_list_by_code(writer_view(writer), bytes_of_string(erasure->code),
                                        entries, SAME_CODE_MAX, &count);
    if (err == OK && count == 0)
        err = ERR_NOT_FOUND;
    for (size_t i = 0; i < count && err == OK; i++) {
        if (entries[i].flags & REQUEST_ERASED) {
            erasure->erased_before++;
            continue;
        }
        err = propose_erase(erasure, writer, &entries[i], now_ms);
        erasure->erased += err == OK;
    }
    return err;
}

static void erasure_done(struct command *command, enum err err)
{
    struct erasure *erasure = (struct erasure *)command;
    if (err == OK)
        api_answer_json(erasure->exchange, 200,
                        json_pack("{s:s, s:i, s:i}", "code", erasure->code, "erased",
                                  (int)erasure->erased, "erased_before",
                                  (int)erasure->erased_before));
    else if (err == ERR_NOT_FOUND && erasure->missing)
        api_answer_missing(erasure->exchange);
    else if (err == ERR_NOT_FOUND)
        http_answer_problem(erasure->exchange, 404, "no-such-request", "There is no such request",
                            "No request of this node has this code.", NULL);
    else
        api_answer_err(erasure->exchange, err);
    if (err == OK)
        log_event(LOG_EVENT_INFO, "person.erased", "token", erasure->actor, "code", erasure->code,
                  NULL);
    free(erasure);
}

/* The reason as it is kept, in one line; what is only spaces is none. */
static enum err read_reason(char out[REASON_SIZE_MAX + 1], struct bytes typed)
{
    struct buffer reason = { 0 };
    enum err err = persian_clean(&reason, typed, PERSIAN_ONE_LINE);
    if (err == OK && (reason.size == 0 || reason.size > REASON_SIZE_MAX))
        err = ERR_INVALID;
    if (err == OK)
        memcpy(out, reason.data, reason.size);
    buffer_close(&reason);
    return err;
}

void api_erase(void *context, struct http_exchange *exchange)
{
    struct api *api = context;
    struct json_member members[] = { { "reason", JSON_STRING, true, NULL } };
    json_t *object = json_body(exchange, members, 1);
    if (!object)
        return;
    struct erasure *erasure = calloc(1, sizeof *erasure);
    if (!erasure) {
        api_answer_err(exchange, ERR_NOMEM);
    } else if (tracking_code_parse(erasure->code, bytes_of_string(http_parameter(exchange))) !=
               TRACKING_CODE_VALID) {
        json_answer_fault(exchange, "code", "wrong_check",
                          "The code has fourteen digits, the last two of them check digits; they do "
                          "not fit.",
                          NULL);
        free(erasure);
    } else if (read_reason(erasure->reason, json_bytes(members[0].value)) != OK) {
        json_answer_fault(exchange, "reason", "length",
                          "Say why in 1 to 200 bytes, without personal data: it is kept for ever.",
                          NULL);
        free(erasure);
    } else {
        erasure->command =
            (struct command){ .decide = erasure_decide, .done = erasure_done, .intake = false };
        erasure->api = api;
        erasure->exchange = exchange;
        erasure->missing = engine_missing(api->options.engine) > 0;
        memcpy(erasure->actor, http_token(exchange)->id, sizeof erasure->actor);
        enum err err = engine_submit(api->options.engine, &erasure->command);
        if (err != OK) {
            api_answer_err(exchange, err);
            free(erasure);
        }
    }
    json_decref(object);
}
