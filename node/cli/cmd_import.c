/* request import: the command around import.h. */
#include "node/cli/answer.h"
#include "node/cli/commands.h"
#include "node/cli/import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Forgets codes of lines that the state does not count as finished, and goes on behind the rest. */
static FILE *open_codes(const char *path, uint64_t finished)
{
    unsigned long long line;
    char code[32];
    long keep = 0;
    if (finished == 0)
        return fopen(path, "w");
    FILE *file = fopen(path, "r+");
    if (!file)
        return errno == ENOENT ? fopen(path, "w") : NULL;
    while (fscanf(file, "%llu\t%31[0-9]", &line, code) == 2 && line <= finished &&
           fgetc(file) == '\n')
        keep = ftell(file);
    if (ftruncate(fileno(file), keep) != 0 || fseek(file, keep, SEEK_SET) != 0) {
        fclose(file);
        return NULL;
    }
    return file;
}

static void print_summary(const struct cli *cli, const struct import *import)
{
    double seconds = (double)(steady_ms() - import->begun_ms) / 1000.0;
    uint64_t lines = import->oldest - 1, done = import->registered + import->duplicates;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    if (cli->json) {
        json_t *json =
            json_pack("{s:I, s:I, s:I, s:I, s:f, s:f}", "lines", (json_int_t)lines, "registered",
                      (json_int_t)import->registered, "duplicates", (json_int_t)import->duplicates,
                      "refused", (json_int_t)import->refused, "seconds", seconds, "rate", rate);
        answer_json(json);
    } else {
        printf("import: lines=%" PRIu64 " registered=%" PRIu64 " duplicates=%" PRIu64
               " refused=%" PRIu64 " seconds=%.1f rate=%.0f/s\n",
               lines, import->registered, import->duplicates, import->refused, seconds, rate);
    }
}

static enum cli_exit open_files(struct cli *cli, const char *path, char state_path[4096],
                                struct import *import)
{
    const char *codes = cli_value(cli, "codes");
    snprintf(state_path, 4096, "%.4000s.imported", path);
    import->state_path = state_path;
    import->oldest = import->next = 1;
    import->file = fopen(path, "r");
    if (!import->file)
        return cli_fail_file(path, errno,
                             "check the path; `samadctl request import --help` says what the file "
                             "holds");
    if (cli_value(cli, "resume")) {
        if (import_resume(import))
            fprintf(stderr, "going on behind line %" PRIu64 "\n", import->oldest - 1);
        else
            rewind(import->file);
    }
    if (codes && !(import->codes = open_codes(codes, import->oldest - 1)))
        return cli_fail_file(codes, errno, NULL);
    return CLI_OK;
}

static enum cli_exit run(struct cli *cli, struct import *import)
{
    enum cli_exit result = import_run(import);
    print_summary(cli, import);
    if (result != CLI_OK)
        return cli_fail(result, "the import stopped", import->why,
                        "run it again with --resume: nothing is registered twice");
    return import->refused > 0 ? CLI_NO : CLI_OK;
}

enum cli_exit cmd_request_import(struct cli *cli, int count, char **arguments)
{
    (void)count;
    char state_path[4096];
    struct api_client client;
    struct import *import = calloc(1, sizeof *import);
    if (!import)
        return cli_fail_err("import", ERR_NOMEM);
    if (!cli_number(cli, "parallel", 1, IMPORT_PARALLEL_MAX, 16, &import->parallel) ||
        !cli_number(cli, "rate", 1, 1000000, 0, &import->rate) ||
        !cli_number(cli, "retry", 0, 86400, 5, &import->retry_s)) {
        free(import);
        return CLI_USAGE;
    }
    enum cli_exit result = api_open(&client, cli);
    import->client = &client;
    if (result == CLI_OK)
        result = open_files(cli, arguments[0], state_path, import);
    if (result == CLI_OK)
        result = run(cli, import);
    if (import->codes && fclose(import->codes) != 0 && result == CLI_OK)
        result = cli_fail_file(cli_value(cli, "codes"), errno, NULL);
    if (import->file)
        fclose(import->file);
    api_close(&client);
    free(import);
    return result;
}
