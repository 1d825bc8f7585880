/* GET /v1/requests/CODE/receipt: a file that proves the registration to anybody, without a node. */
#include "node/api/receipt_file.h"
#include "node/api/request_json.h"

#include "node/casework/find.h"
#include "node/casework/tracking_code.h"
#include "node/http/problem.h"

#include <string.h>

static void answer_not_yet(struct http_exchange *exchange)
{
    http_answer_header(exchange, "Retry-After", "5");
    http_answer_problem(exchange, 409, "not-national-yet", "No hub has confirmed the request yet",
                        "It is recorded durably at this node. The receipt exists as soon as a hub "
                        "has given its signature; the link may be down. Try again later.",
                        NULL);
}

static void answer_unknown(struct http_exchange *exchange)
{
    http_answer_problem(exchange, 404, "no-such-request", "There is no such request",
                        "No request of this node has this code.", NULL);
}

static enum err build(struct api *api, const struct request_entry *entry, struct buffer *json)
{
    struct log_store *logs = engine_logs(api->options.engine);
    const struct config *config = api->options.config;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    struct receipt_file_source source = { .logs = logs,
                                          .txn = &txn,
                                          .position = entry->record.position,
                                          .log_key = api->options.log_key,
                                          .hubs = config->hubs,
                                          .hub_count = config->hub_count };
    struct log_id log;
    enum err err = log_id_init(&log, bytes_of_string(config->node),
                               bytes_of_string(entry->record.audience),
                               entry->record.incarnation);
    if (err == OK)
        err = log_find(logs, &txn, &log, &source.number);
    if (err == OK)
        err = receipt_file_build(&source, json);
    store_abort(&txn);
    return err;
}

void api_receipt(void *context, struct http_exchange *exchange)
{
    struct api *api = context;
    char code[TRACKING_CODE_DIGITS + 1];
    struct views_reader reader;
    struct request_entry entry;
    struct buffer json = { 0 };
    size_t count = 0;
    bool missing = engine_missing(api->options.engine) > 0;
    if (tracking_code_parse(code, bytes_of_string(http_parameter(exchange))) !=
        TRACKING_CODE_VALID) {
        json_answer_fault(exchange, "code", "wrong_check",
                          "The code has fourteen digits, the last two of them check digits; they do "
                          "not fit.",
                          NULL);
        return;
    }
    enum err err = views_reader_begin(engine_views(api->options.engine), api->options.config->node,
                                      &reader);
    if (err == OK) {
        err = request_list_by_code(&reader.view, bytes_of_string(code), &entry, 1, &count);
        views_reader_end(&reader);
    }
    if (err == OK && count == 0) {
        api_refuse_when_durable(api, exchange, reader.group,
                                missing ? api_answer_missing : answer_unknown);
        return;
    }
    if (err == OK)
        err = build(api, &entry, &json);
    if (err == ERR_NOT_FOUND)
        api_refuse_when_durable(api, exchange, reader.group, answer_not_yet);
    else if (err != OK)
        api_answer_err(exchange, err);
    else /* a hub holds it, so it is durable here */
        http_answer(exchange, 200, "application/json", buffer_bytes(&json));
    buffer_close(&json);
}
