#include "node/cli/api_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 5000L
#define TIMEOUT_MS         30000L
#define ANSWER_SIZE_MAX    ((size_t)64 << 20)

/* A node that listens everywhere is reached on loopback. */
static void base_of_config(char out[512], const struct config *config)
{
    const char *listen = config->api_listen;
    const char *scheme = config->api_tls_certificate ? "https" : "http";
    if (strncmp(listen, "0.0.0.0:", 8) == 0)
        snprintf(out, 512, "%s://127.0.0.1:%.400s", scheme, listen + 8);
    else if (strncmp(listen, "[::]:", 5) == 0)
        snprintf(out, 512, "%s://[::1]:%.400s", scheme, listen + 5);
    else
        snprintf(out, 512, "%s://%.400s", scheme, listen);
}

static enum cli_exit find_base(struct api_client *client, const struct cli *cli)
{
    const char *api = cli->api ? cli->api : getenv("SAMAD_API");
    if (api) {
        snprintf(client->base, sizeof client->base, "%.500s", api);
        size_t size = strlen(client->base);
        while (size > 0 && client->base[size - 1] == '/')
            client->base[--size] = '\0';
        return CLI_OK;
    }
    client->config = cli_config_of(cli->config_path, "-c FILE, or its API with --api URL");
    if (!client->config)
        return CLI_USAGE;
    if (!client->config->api_listen)
        return cli_fail(CLI_USAGE, cli->config_path, "this node has no API (api { listen = … })",
                        "name another node with --api URL");
    base_of_config(client->base, client->config);
    client->certificate = client->config->api_tls_certificate;
    return CLI_OK;
}

enum cli_exit api_open(struct api_client *client, const struct cli *cli)
{
    memset(client, 0, sizeof *client);
    enum cli_exit result = find_base(client, cli);
    if (result != CLI_OK)
        return result;
    if (!cli->token)
        return cli_fail(CLI_USAGE, "no token", "the API answers nobody without one",
                        "`samadctl token create --scope read --label me`, then SAMAD_TOKEN or "
                        "--token @FILE");
    if (strlen(cli->token) > 80 || strpbrk(cli->token, "\r\n"))
        return cli_fail(CLI_USAGE, "--token", "this is not a token",
                        "`samadctl token create` makes one; it begins with smd_");
    snprintf(client->authorization, sizeof client->authorization, "Authorization: Bearer %.80s",
             cli->token);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    client->curl = curl_easy_init();
    return client->curl ? CLI_OK : cli_fail_err("libcurl", ERR_NOMEM);
}

void api_close(struct api_client *client)
{
    if (client->curl) {
        curl_easy_cleanup(client->curl);
        curl_global_cleanup();
    }
    config_free(client->config);
    memset(client, 0, sizeof *client);
}

size_t api_on_body(char *data, size_t size, size_t count, void *buffer)
{
    struct buffer *body = buffer;
    if (body->size + size * count > ANSWER_SIZE_MAX)
        return 0;
    buffer_append(body, data, size * count);
    return body->err == OK ? size * count : 0;
}

struct curl_slist *api_prepare(const struct api_client *client, CURL *curl, const char *method,
                               const char *path, const char *text, const char *idempotency_key)
{
    char url[1024], key[128];
    struct curl_slist *headers = curl_slist_append(NULL, client->authorization);
    snprintf(url, sizeof url, "%s%s", client->base, path);
    if (text)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    if (idempotency_key) {
        snprintf(key, sizeof key, "Idempotency-Key: %.100s", idempotency_key);
        headers = curl_slist_append(headers, key);
    }
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
    curl_easy_setopt(curl, CURLOPT_HTTPGET, text ? 0L : 1L);
    if (text) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(text));
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, api_on_body);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    if (client->certificate)
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->certificate);
    return headers;
}

void api_print_problem(const char *what, long status, const json_t *problem)
{
    const json_t *fault;
    size_t i;
    const char *title = json_string_value(json_object_get(problem, "title"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    fprintf(stderr, "samadctl: %s: the node refuses (%ld): %s\n", what, status,
            title ? title : "without a reason that can be read");
    fprintf(stderr, "  next: %s\n", detail ? detail : "is this the address of a node's API?");
    json_array_foreach(json_object_get(problem, "errors"), i, fault)
    {
        const char *field = json_string_value(json_object_get(fault, "field"));
        const char *message = json_string_value(json_object_get(fault, "message"));
        fprintf(stderr, "  %s: %s\n", field ? field : "?", message ? message : "?");
    }
}

enum cli_exit api_call(struct api_client *client, const char *method, const char *path,
                       const json_t *body, const char *idempotency_key, json_t **json)
{
    struct buffer answer = { 0 };
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    long status = 0;
    enum cli_exit result = CLI_OK;
    struct curl_slist *headers =
        api_prepare(client, client->curl, method, path, text, idempotency_key);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &answer);
    CURLcode code = curl_easy_perform(client->curl);
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    *json = answer.size > 0
                ? json_loadb((const char *)answer.data, answer.size, JSON_REJECT_DUPLICATES, NULL)
                : NULL;
    if (code != CURLE_OK) {
        result = cli_fail(CLI_UNREACHABLE, client->base, curl_easy_strerror(code),
                          "check that samadd runs, and the address (--api, SAMAD_API, -c)");
    } else if (status < 200 || status > 299) {
        api_print_problem(path, status, *json);
        result = status == 404 ? CLI_NO : CLI_REFUSED;
    }
    if (result != CLI_OK) {
        json_decref(*json);
        *json = NULL;
    }
    curl_slist_free_all(headers);
    buffer_close(&answer);
    free(text);
    return result;
}
