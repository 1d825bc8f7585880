/* samad-dump FOLDER [DATA-KEY-FILE]: what the independent reader finds in a data folder, as a history
 * of one dump on standard output; problems on standard error. 1 when there are any. */
#include "tests/check/dump.h"

#include <stdio.h>

int main(int count, char **arguments)
{
    uint8_t key[32];
    char why[300];
    struct dump_options options = { .label = "final" };
    FILE *key_file = count == 3 ? fopen(arguments[2], "rb") : NULL;
    if (count < 2 || count > 3 || (count == 3 && (!key_file || fread(key, 1, 32, key_file) != 32))) {
        fprintf(stderr, "usage: samad-dump FOLDER [DATA-KEY-FILE]\n");
        return 2;
    }
    if (key_file) {
        fclose(key_file);
        options.data_key = key;
    }
    struct history *history = history_new();
    struct dump *dump = dump_read(arguments[1], &options);
    if (!history || !dump)
        return 2;
    uint32_t host = history_add_host(
        history, &(struct history_host){ .name = *dump->node ? dump->node : "unknown",
                                         .node = dump->node });
    for (size_t i = 0; i < dump->problem_count; i++)
        fprintf(stderr, "%s %llu: %s\n", dump->problems[i].log,
                (unsigned long long)dump->problems[i].position, dump->problems[i].text);
    size_t problems = dump->problem_count;
    history_add_dump(history, 0, host, dump);
    if (!history_save(history, "/dev/stdout", why, sizeof why))
        fprintf(stderr, "%s\n", why);
    history_free(history);
    return problems > 0;
}
