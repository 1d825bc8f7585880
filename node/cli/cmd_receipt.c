/* receipt export and verify: a request's proof as a file (node/api/RECEIPT.md). */
#include "node/api/receipt_file.h"
#include "node/casework/instant.h"
#include "node/casework/tracking_code.h"
#include "node/cli/answer.h"
#include "node/cli/api_client.h"
#include "node/cli/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- export ---------------------------------------------------------------------------------- */

static enum cli_exit write_file(const char *path, const char *text)
{
    FILE *file = path ? fopen(path, "w") : stdout;
    bool written = file && fputs(text, file) >= 0 && fputc('\n', file) != EOF;
    if (file && path)
        written = fclose(file) == 0 && written;
    return written ? CLI_OK : cli_fail_file(path ? path : "stdout", errno, NULL);
}

enum cli_exit cmd_receipt_export(struct cli *cli, int count, char **arguments)
{
    (void)count;
    char code[TRACKING_CODE_DIGITS + 1], path[64];
    struct api_client client;
    json_t *answer = NULL;
    if (tracking_code_parse(code, bytes_of_string(arguments[0])) != TRACKING_CODE_VALID)
        return cli_fail(CLI_USAGE, arguments[0], "is not a tracking code",
                        "read it again from where it was written down");
    snprintf(path, sizeof path, "/v1/requests/%s/receipt", code);
    enum cli_exit result = api_open(&client, cli);
    if (result == CLI_OK)
        result = api_call(&client, "GET", path, NULL, NULL, &answer);
    api_close(&client);
    char *text = answer ? json_dumps(answer, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
    if (result == CLI_OK && !text)
        result = cli_fail(CLI_UNREACHABLE, path, "the answer is not JSON",
                          "is this the address of a node's API?");
    else if (result == CLI_OK)
        result = write_file(cli_value(cli, "file"), text);
    free(text);
    json_decref(answer);
    return result;
}

/* ---- verify ---------------------------------------------------------------------------------- */

#define RECEIPT_FROM "`samadctl receipt export CODE --file FILE` at the node makes one"

static enum cli_exit read_file(const char *path, struct buffer *content)
{
    char block[65536];
    size_t size;
    errno = 0;
    FILE *file = fopen(path, "rb");
    if (!file)
        return cli_fail_file(path, errno, RECEIPT_FROM);
    while ((size = fread(block, 1, sizeof block, file)) > 0 &&
           content->size <= RECEIPT_FILE_SIZE_MAX)
        buffer_append(content, block, size);
    int code = ferror(file) ? errno : content->err != OK ? ENOMEM : 0;
    fclose(file);
    return code ? cli_fail_file(path, code, RECEIPT_FROM) : CLI_OK;
}

static bool read_key(const struct cli *cli, const char *option, struct sign_public *memory,
                     const struct sign_public **key)
{
    const char *hex = cli_value(cli, option);
    *key = NULL;
    if (!hex)
        return true;
    *key = memory;
    if (hex_decode(memory->bytes, KEY_SIZE, hex, strlen(hex)) == OK)
        return true;
    cli_fail(CLI_USAGE, option, "is not 64 lower-case hexadecimal digits",
             "`samadctl keygen` at the node shows its keys");
    return false;
}

static void utc_of(int64_t time_s, char out[40])
{
    struct tm utc;
    time_t seconds = (time_t)time_s;
    if (!gmtime_r(&seconds, &utc) || strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        snprintf(out, 40, "second %" PRId64, time_s);
}

static void print_claim(const struct receipt_claim *claim)
{
    char code[TRACKING_CODE_TEXT_SIZE + 1], origin[LOG_ORIGIN_SIZE_MAX + 1], time[40];
    tracking_code_format(code, claim->code);
    log_id_origin(&claim->log, origin);
    for (size_t i = 0; i < claim->hub_count; i++) {
        utc_of(claim->hubs[i].time_s, time);
        printf("proven: request %s is record %" PRIu64 " of %s, in a checkpoint of %" PRIu64
               " records signed by %s, held by hub %s since %s\n",
               code, claim->position, origin, claim->hubs[i].size, claim->log.node,
               claim->hubs[i].name, time);
    }
}

/* Without pins the file vouches for itself: whose keys they are is for the reader to know. */
static void print_keys(const struct receipt_claim *claim, const struct receipt_pins *pins)
{
    char hex[2 * KEY_SIZE + 1];
    if (!pins->log_key) {
        hex_encode(hex, BYTES_OF_ARRAY(claim->log_key.bytes));
        printf("  the key of %s is the one in the file; compare it: %s\n", claim->log.node, hex);
    }
    for (size_t i = 0; i < claim->hub_count; i++) {
        bool pinned =
            pins->hub_key && memcmp(pins->hub_key->bytes, claim->hubs[i].key.bytes, KEY_SIZE) == 0;
        if (pinned)
            continue;
        hex_encode(hex, BYTES_OF_ARRAY(claim->hubs[i].key.bytes));
        printf("  the key of hub %s is the one in the file; compare it: %s\n", claim->hubs[i].name,
               hex);
    }
}

static void print_claim_json(const struct receipt_claim *claim)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1], hex[2 * KEY_SIZE + 1], time[40];
    char occurred[INSTANT_TEXT_SIZE + 1], registered[INSTANT_TEXT_SIZE + 1];
    json_t *hubs = json_array();
    log_id_origin(&claim->log, origin);
    instant_format(occurred, claim->occurred_at_ms);
    instant_format(registered, claim->registered_at_ms);
    for (size_t i = 0; i < claim->hub_count; i++) {
        utc_of(claim->hubs[i].time_s, time);
        hex_encode(hex, BYTES_OF_ARRAY(claim->hubs[i].key.bytes));
        json_array_append_new(hubs, json_pack("{s:s, s:I, s:s, s:s}", "hub", claim->hubs[i].name,
                                              "size", (json_int_t)claim->hubs[i].size, "held_since",
                                              time, "key", hex));
    }
    hex_encode(hex, BYTES_OF_ARRAY(claim->log_key.bytes));
    json_t *json =
        json_pack("{s:b, s:s, s:s, s:I, s:s, s:s, s:s, s:o}", "proven", 1, "code", claim->code,
                  "log", origin, "position", (json_int_t)claim->position, "occurred_at", occurred,
                  "registered_at", registered, "log_key", hex, "hubs", hubs);
    answer_json(json);
}

enum cli_exit cmd_receipt_verify(struct cli *cli, int count, char **arguments)
{
    (void)count;
    struct sign_public log_key, hub_key;
    struct receipt_pins pins = { .hub = cli_value(cli, "hub") };
    struct receipt_claim claim;
    struct buffer content = { 0 };
    char reason[RECEIPT_FILE_REASON_MAX];
    if (!read_key(cli, "log-key", &log_key, &pins.log_key) ||
        !read_key(cli, "hub-key", &hub_key, &pins.hub_key))
        return CLI_USAGE;
    enum cli_exit result = read_file(arguments[0], &content);
    if (result == CLI_OK &&
        receipt_file_verify(buffer_bytes(&content), &pins, &claim, reason) != OK) {
        char why[RECEIPT_FILE_REASON_MAX + 16];
        snprintf(why, sizeof why, "not proven: %s", reason);
        result = cli_fail(CLI_NO, arguments[0], why,
                          "ask for the file anew (`samadctl receipt export CODE` at the node); as it "
                          "is, it proves nothing");
        if (cli->json)
            puts("{\"proven\": false}");
    } else if (result == CLI_OK && cli->json) {
        print_claim_json(&claim);
    } else if (result == CLI_OK) {
        print_claim(&claim);
        print_keys(&claim, &pins);
    }
    buffer_close(&content);
    return result;
}
