/* Shared by the files of node/api only. */
#ifndef NODE_API_API_PRIVATE_H
#define NODE_API_API_PRIVATE_H

#include "node/api/api.h"
#include "node/api/guess.h"
#include "node/api/json.h"

#include <stdatomic.h>

struct api {
    struct api_options options;
    struct http_server *server;
    struct guesses *guesses;
    atomic_bool ready;
    int64_t started_ms;
    _Atomic uint64_t registered, duplicates, refused, refused_full, lookups, lookups_refused;
};

int64_t wall_ms(void);

typedef void api_refusal(struct http_exchange *exchange);

/* The refusals that every command shares: ERR_BUSY 503, ERR_FULL 507, ERR_CLOSED 503,
 * ERR_STALE and ERR_EXISTS (of a group whose log is given up) 503, others 500. */
void api_answer_err(struct http_exchange *exchange, enum err err);
/* Sends `json` (and frees it). */
void api_answer_json(struct http_exchange *exchange, unsigned status, json_t *json);

/* Not «there is no such request» but 503: the node lacks records of its own, and this may be one of
 * them. Whether it does is asked before the view is read: engine_missing(). */
api_refusal api_answer_missing;

/* An answer that leaves once everything that `group` holds is durable: content, or a refusal that
 * `refuse` gives. Also «not found» waits: it may have looked at an erasure that never comes to be.
 */
struct api_later {
    struct durable_wait wait;
    struct http_exchange *exchange;
    api_refusal *refuse; /* or NULL: the content */
    unsigned status;
    json_t *json;
};
void api_refuse_when_durable(struct api *api, struct http_exchange *exchange, uint64_t group,
                             api_refusal *refuse);
void api_answer_when_durable(struct api *api, struct http_exchange *exchange, uint64_t group,
                             unsigned status, json_t *json);

int64_t api_born_ms(struct api *api);
double api_autonomy_days(const struct engine_status *engine, int64_t born_ms);

http_handler api_register, api_lookup, api_list, api_show, api_erase, api_receipt, api_status,
    api_metrics, api_health, api_ready, api_directory;

#endif
