/* The JSON API of a node under /v1 (node/api/openapi.yaml describes it for clients).
 *
 * One file a resource: api_register.c, api_lookup.c, api_list.c, api_erase.c, api_receipt.c,
 * api_status.c, api_metrics.c. Handlers run on the HTTP threads, several at a time; what they learn from the store is
 * answered only when it is durable (design D4). */
#ifndef NODE_API_API_H
#define NODE_API_API_H

#include "node/config.h"
#include "node/http/server.h"
#include "node/runtime/engine.h"
#include "node/status.h"

struct province; /* node/casework/province.h */

struct api_options {
    const struct config *config;
    struct engine *engine;
    struct tokens *tokens;
    const struct province *province; /* of this node; NULL at a hub */
    const uint8_t *lookup_key;       /* 32 bytes */
    const struct sign_public *log_key;
    /* Fills a copy of what replication knows. Any thread. */
    void (*replication_status)(void *context, struct replication_status *status);
    /* Of one own log: records that are national. Any thread. */
    uint64_t (*national_size)(void *context, const struct log_id *log);
    void *context;
};

struct api;

enum err api_start(struct api **out, const struct api_options *options, struct buffer *problem);
/* Answers what is under way; call it while the engine still runs. */
void api_stop(struct api *api);
uint16_t api_port(const struct api *api);
/* Ready: the engine has opened its incarnation and answers. */
void api_set_ready(struct api *api, bool ready);

#endif
