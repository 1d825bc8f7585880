/* node/http/server.h without sockets: requests come from the simulation's clients and answers go back
 * by callback. Routing, tokens and refusals before the body are as in node/http/server.c.
 *
 * A server has as many threads as the real one (pthread_create: fibers of the node in the simulator),
 * which call handlers side by side. The server is known by the address it listens on. */
#ifndef TESTS_SIM_HTTP_H
#define TESTS_SIM_HTTP_H

#include "node/http/server.h"

/* Copied. */
struct http_call {
    const char *address; /* as in api_listen of the node's config */
    const char *method;
    const char *path;            /* with its query: "/v1/requests?limit=5" */
    const char *token;           /* or NULL */
    const char *idempotency_key; /* or NULL */
    struct bytes body;           /* application/json */
};

/* Called once for each call that was taken, on the answering thread: schedules what follows, does
 * not call back into the server. Status 0: the connection ended without an answer. `content` is
 * valid during the call. */
typedef void http_on_answer(void *context, unsigned status, struct bytes content);

/* ERR_CLOSED: nobody listens there. ERR_NOMEM. From any thread, and from none (the driver). */
enum err http_call(const struct http_call *call, http_on_answer *on_answer, void *context);

/* The node behind this address dies: each call under way ends with status 0 now, and whatever its
 * handlers still answer is swallowed. New calls are refused. A new server may take the address: the
 * threads of this one must have ended by then. */
void http_cut(const char *address);

/* The same after the node's threads were ended on the spot: its server is forgotten and freed, nothing
 * of it may be called any more. */
void http_killed(const char *address);

/* How many calls wait for an answer there. */
size_t http_waiting(const char *address);

#endif
