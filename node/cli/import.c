#include "node/cli/import.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_FORMAT "samad-import-1"
#define RETRY_MS     200
#define SAVE_MS      1000
#define POLL_MS      100

/* ---- state ----------------------------------------------------------------------------------- */

/* Written aside and renamed: a state is whole or the one before. */
static void save_state(struct import *import)
{
    char path[4200];
    snprintf(path, sizeof path, "%.4000s.new", import->state_path);
    FILE *file = fopen(path, "w");
    if (!file)
        return; /* the run goes on; only its continuation is lost */
    fprintf(file, STATE_FORMAT " %" PRIu64 " %ld\n", import->oldest - 1, import->offset);
    if (fclose(file) != 0 || rename(path, import->state_path) != 0)
        unlink(path);
    import->saved_ms = steady_ms();
}

bool import_resume(struct import *import)
{
    uint64_t lines;
    long offset;
    FILE *state = fopen(import->state_path, "r");
    if (!state)
        return false;
    int taken = fscanf(state, STATE_FORMAT " %" SCNu64 " %ld", &lines, &offset);
    fclose(state);
    /* It ended behind a newline of this file, or at its beginning. */
    if (taken != 2 || offset < 0 ||
        (offset > 0 &&
         (fseek(import->file, offset - 1, SEEK_SET) != 0 || fgetc(import->file) != '\n')))
        return false;
    if (fseek(import->file, offset, SEEK_SET) != 0)
        return false;
    import->oldest = import->next = lines + 1;
    import->offset = offset;
    return true;
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void fail(struct import *import, enum cli_exit code, const char *why)
{
    if (import->failure != CLI_OK)
        return;
    import->failure = code;
    snprintf(import->why, sizeof import->why, "%s", why);
}

static struct import_line *line_of(struct import *import, uint64_t line)
{
    return &import->lines[line % IMPORT_WINDOW];
}

static void refuse_line(struct import *import, uint64_t line, const char *field,
                        const char *message)
{
    progress_end(&import->progress);
    fprintf(stderr, "line %" PRIu64 ": %s: %s\n", line, field, message);
    line_of(import, line)->state = LINE_REFUSED;
}

static void refuse_answer(struct import *import, uint64_t line, long status, const json_t *problem)
{
    const json_t *errors = json_object_get(problem, "errors"), *fault;
    const char *title = json_string_value(json_object_get(problem, "title"));
    size_t i;
    char words[200];
    json_array_foreach(errors, i, fault)
    {
        const char *field = json_string_value(json_object_get(fault, "field"));
        const char *message = json_string_value(json_object_get(fault, "message"));
        refuse_line(import, line, field ? field : "?", message ? message : "?");
    }
    if (json_array_size(errors) == 0) {
        snprintf(words, sizeof words, "%ld %.180s", status, title ? title : "");
        refuse_line(import, line, "request", words);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

static void transfer_send(struct import *import, struct import_transfer *transfer)
{
    curl_slist_free_all(transfer->headers);
    buffer_clear(&transfer->answer);
    transfer->headers = api_prepare(import->client, transfer->curl, "POST", "/v1/requests",
                                    transfer->body, transfer->key);
    curl_easy_setopt(transfer->curl, CURLOPT_WRITEDATA, &transfer->answer);
    curl_easy_setopt(transfer->curl, CURLOPT_PRIVATE, transfer);
    transfer->retry_ms = 0;
    curl_multi_add_handle(import->multi, transfer->curl);
}

static void transfer_free(struct import_transfer *transfer)
{
    free(transfer->body);
    free(transfer->key);
    transfer->body = transfer->key = NULL;
    transfer->line = 0;
    transfer->retry_ms = 0;
}

static struct import_transfer *free_transfer(struct import *import)
{
    for (uint64_t i = 0; i < import->parallel; i++)
        if (import->transfers[i].line == 0)
            return &import->transfers[i];
    return NULL;
}

static bool key_is_valid(const char *key)
{
    for (const char *p = key; *p; p++)
        if (*p < '!' || *p > '~')
            return false;
    return *key != '\0' && strlen(key) <= 64;
}

/* Starts one line; a line that cannot be sent is refused here. */
static void start_line(struct import *import, struct import_transfer *transfer, uint64_t line,
                       const char *text, size_t size)
{
    json_error_t error;
    json_t *object = size <= IMPORT_LINE_SIZE_MAX
                         ? json_loadb(text, size, JSON_REJECT_DUPLICATES, &error)
                         : NULL;
    const char *key = json_string_value(json_object_get(object, "idempotency_key"));
    if (size > IMPORT_LINE_SIZE_MAX) {
        refuse_line(import, line, "line", "is too long");
    } else if (!json_is_object(object)) {
        refuse_line(import, line, "JSON", object ? "is not an object" : error.text);
    } else if (!key || !key_is_valid(key)) {
        refuse_line(import, line, "idempotency_key",
                    key ? "is not 1 to 64 printable ASCII characters without spaces"
                        : "is missing: a string that is another one for each request, so that a "
                          "repeated import registers nothing twice");
    } else {
        transfer->key = strdup(key);
        json_object_del(object, "idempotency_key");
        transfer->body = json_dumps(object, JSON_COMPACT);
        transfer->line = line;
        import->started++;
        if (transfer->key && transfer->body)
            transfer_send(import, transfer);
        else
            fail(import, CLI_STORE, "out of memory");
    }
    json_decref(object);
}

static bool may_start(const struct import *import)
{
    return !import->at_end && import->failure == CLI_OK &&
           import->next < import->oldest + IMPORT_WINDOW;
}

/* Until --rate lets the next line start. */
static int64_t rate_wait_ms(const struct import *import)
{
    if (import->rate == 0)
        return 0;
    int64_t due_ms = (int64_t)(import->started * 1000 / import->rate);
    int64_t wait_ms = due_ms - (steady_ms() - import->begun_ms);
    return wait_ms > 0 ? wait_ms : 0;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static void start_lines(struct import *import)
{
    struct import_transfer *transfer;
    char *text = NULL;
    size_t room = 0;
    while (may_start(import) && rate_wait_ms(import) == 0 &&
           (transfer = free_transfer(import)) != NULL) {
        ssize_t size = getline(&text, &room, import->file);
        if (size < 0) {
            import->at_end = true;
            if (ferror(import->file))
                fail(import, CLI_STORE, "the file cannot be read");
            break;
        }
        uint64_t line = import->next++;
        struct import_line *slot = line_of(import, line);
        *slot = (struct import_line){ .state = LINE_UNDER_WAY, .end = ftell(import->file) };
        if (is_blank(text))
            slot->state = LINE_BLANK;
        else
            start_line(import, transfer, line, text, (size_t)size);
    }
    free(text);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* The node may be restarting: the same line again, until --retry seconds went by without any
 * answer. */
static void try_again(struct import *import, struct import_transfer *transfer, enum cli_exit code,
                      const char *why)
{
    int64_t now_ms = steady_ms();
    transfer->retry_ms = now_ms + RETRY_MS;
    if (now_ms - import->answered_ms > (int64_t)import->retry_s * 1000)
        fail(import, code, why);
}

static void take_code(struct import *import, struct import_transfer *transfer, const json_t *answer)
{
    const char *code = json_string_value(json_object_get(answer, "code"));
    struct import_line *line = line_of(import, transfer->line);
    if (!code || strlen(code) >= sizeof line->code) {
        fail(import, CLI_UNREACHABLE, "the answer is not that of a node's API");
        return;
    }
    memcpy(line->code, code, strlen(code) + 1);
    line->state =
        json_is_true(json_object_get(answer, "duplicate")) ? LINE_DUPLICATE : LINE_REGISTERED;
    import->answered_ms = steady_ms();
    transfer_free(transfer);
}

static void on_answer(struct import *import, struct import_transfer *transfer, CURLcode code)
{
    long status = 0;
    char why[160];
    if (code != CURLE_OK) {
        try_again(import, transfer, CLI_UNREACHABLE, curl_easy_strerror(code));
        return;
    }
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    json_t *answer =
        json_loadb((const char *)transfer->answer.data, transfer->answer.size, 0, NULL);
    const char *title = json_string_value(json_object_get(answer, "title"));
    snprintf(why, sizeof why, "%ld %.120s", status, title ? title : "");
    if (status == 200 || status == 201) {
        take_code(import, transfer, answer);
    } else if (status == 429 || status >= 500) {
        try_again(import, transfer, CLI_REFUSED, why);
    } else if (status == 401 || status == 403 || status == 404 || status == 409) {
        fail(import, CLI_REFUSED, why); /* the same would be said of every line */
    } else {
        refuse_answer(import, transfer->line, status, answer);
        import->answered_ms = steady_ms();
        transfer_free(transfer);
    }
    json_decref(answer);
}

static void take_answers(struct import *import)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(import->multi, &left)) != NULL) {
        struct import_transfer *transfer;
        CURLcode code = message->data.result;
        CURL *curl = message->easy_handle;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&transfer);
        curl_multi_remove_handle(import->multi, curl);
        on_answer(import, transfer, code);
    }
}

static void send_again(struct import *import)
{
    int64_t now_ms = steady_ms();
    for (uint64_t i = 0; i < import->parallel; i++)
        if (import->transfers[i].retry_ms != 0 && import->transfers[i].retry_ms <= now_ms)
            transfer_send(import, &import->transfers[i]);
}

/* ---- finishing in the file's order ----------------------------------------------------------- */

static void finish_line(struct import *import, const struct import_line *line)
{
    import->registered += line->state == LINE_REGISTERED;
    import->duplicates += line->state == LINE_DUPLICATE;
    import->refused += line->state == LINE_REFUSED;
    if (import->codes && line->code[0])
        fprintf(import->codes, "%" PRIu64 "\t%s\n", import->oldest, line->code);
}

static void finish_lines(struct import *import)
{
    uint64_t before = import->oldest;
    while (import->oldest < import->next &&
           line_of(import, import->oldest)->state != LINE_UNDER_WAY) {
        struct import_line *line = line_of(import, import->oldest);
        finish_line(import, line);
        import->offset = line->end;
        import->oldest++;
    }
    if (import->oldest == before)
        return;
    /* Codes first: the state never says that a line is done whose code is not written. */
    if (import->codes && fflush(import->codes) != 0)
        fail(import, CLI_STORE, "the codes cannot be written");
    if (steady_ms() - import->saved_ms > SAVE_MS)
        save_state(import);
    progress_show(&import->progress, import->oldest - 1);
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Ctrl-C ends the run as any other failure does: the state says where to go on. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static bool begin(struct import *import)
{
    import->multi = curl_multi_init();
    if (!import->multi)
        return false;
    curl_multi_setopt(import->multi, CURLMOPT_MAXCONNECTS, (long)import->parallel);
    for (uint64_t i = 0; i < import->parallel; i++)
        if (!(import->transfers[i].curl = curl_easy_init()))
            return false;
    import->begun_ms = import->answered_ms = import->saved_ms = steady_ms();
    import->progress = progress_of("lines", 0);
    return true;
}

static void end(struct import *import)
{
    progress_end(&import->progress);
    for (uint64_t i = 0; i < import->parallel; i++) {
        struct import_transfer *transfer = &import->transfers[i];
        if (transfer->curl && import->multi)
            curl_multi_remove_handle(import->multi, transfer->curl);
        curl_easy_cleanup(transfer->curl);
        curl_slist_free_all(transfer->headers);
        buffer_close(&transfer->answer);
        transfer_free(transfer);
    }
    if (import->multi)
        curl_multi_cleanup(import->multi);
}

static bool is_finished(const struct import *import)
{
    return import->at_end && import->oldest == import->next;
}

static int poll_ms(struct import *import)
{
    int64_t wait_ms = POLL_MS;
    if (may_start(import) && free_transfer(import))
        wait_ms = rate_wait_ms(import);
    return (int)(wait_ms < POLL_MS ? wait_ms : POLL_MS);
}

enum cli_exit import_run(struct import *import)
{
    int running;
    const struct sigaction catch = { .sa_handler = on_interrupt };
    struct sigaction before;
    interrupted = 0;
    sigaction(SIGINT, &catch, &before);
    if (!begin(import))
        fail(import, CLI_STORE, "out of memory");
    while (import->failure == CLI_OK && !is_finished(import)) {
        start_lines(import);
        send_again(import);
        curl_multi_perform(import->multi, &running);
        take_answers(import);
        finish_lines(import);
        if (interrupted)
            fail(import, CLI_NO, "interrupted");
        if (import->failure == CLI_OK && !is_finished(import))
            curl_multi_poll(import->multi, NULL, 0, poll_ms(import), NULL);
    }
    end(import);
    sigaction(SIGINT, &before, NULL);
    if (is_finished(import))
        unlink(import->state_path);
    else
        save_state(import);
    return import->failure;
}
