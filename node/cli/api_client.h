/* The node's API as samadctl uses it: libcurl, one connection kept alive. */
#ifndef NODE_CLI_API_CLIENT_H
#define NODE_CLI_API_CLIENT_H

#include "node/cli/cli.h"

#include <curl/curl.h>
#include <jansson.h>

struct api_client {
    char base[512];          /* "http://127.0.0.1:8111" */
    char authorization[128]; /* the header line */
    const char *certificate; /* of the node's own, when it serves TLS; or NULL */
    struct config *config;   /* NULL when --api was given */
    CURL *curl;
};

/* Where and with which token: options, environment, configuration. Says the problem itself;
 * api_close() also after a failure. */
enum cli_exit api_open(struct api_client *client, const struct cli *cli);
void api_close(struct api_client *client);

/* One exchange. `body` may be NULL; `headers` may be NULL. On CLI_OK the answer is 2xx and the
 * caller owns *json (NULL when the answer is not JSON). Says why otherwise: CLI_UNREACHABLE,
 * CLI_REFUSED, and CLI_NO for 404. */
enum cli_exit api_call(struct api_client *client, const char *method, const char *path,
                       const json_t *body, const char *idempotency_key, json_t **json);

/* Sets URL, method, headers and body on a handle; used by api_call() and the import. The list must
 * be freed after the exchange; `text` must live until then. */
struct curl_slist *api_prepare(const struct api_client *client, CURL *curl, const char *method,
                               const char *path, const char *text, const char *idempotency_key);
/* A libcurl write callback that appends to a struct buffer. */
size_t api_on_body(char *data, size_t size, size_t count, void *buffer);
/* Prints a problem (RFC 9457) to stderr: title, detail, and each field's fault. */
void api_print_problem(const char *what, long status, const json_t *problem);

#endif
