#include "tests/check/content.h"
#include "tests/check/dump.h"
#include "tests/check/history.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct history *sample(void)
{
    struct history *history = history_new();
    struct check_hash key = { { 1, 2, 3 } };
    uint32_t ardabil = history_add_host(
        history, &(struct history_host){ .name = "ardabil", .node = "ardabil", .log_key = key });
    uint32_t hub = history_add_host(history, &(struct history_host){ .name = "hub-1",
                                                                      .node = "hub-1",
                                                                      .hub = true,
                                                                      .receipt_key = key });
    history_add(history, &(struct history_event){ .time_ns = 5,
                                                  .kind = HISTORY_INVOKE,
                                                  .host = ardabil,
                                                  .call = { .call = 1,
                                                            .operation = "register",
                                                            .client = "c7",
                                                            .key = "k-\"1\\\n",
                                                            .person = key } });
    history_add(history, &(struct history_event){ .time_ns = INT64_MAX,
                                                  .kind = HISTORY_OK,
                                                  .host = ardabil,
                                                  .answer = { .call = 1,
                                                              .status = 201,
                                                              .duplicate = true,
                                                              .code = "24053781930601" } });
    history_add(history, &(struct history_event){ .time_ns = 3,
                                                  .kind = HISTORY_CHECKPOINT,
                                                  .host = ardabil,
                                                  .note = { .peer = hub, .text = "a\nب\n" } });
    history_add(history, &(struct history_event){ .kind = HISTORY_FAULT,
                                                  .host = HISTORY_NO_HOST,
                                                  .fault = { .name = "net.cut",
                                                             .peer = HISTORY_NO_HOST } });
    struct dump *dump = dump_new("final");
    dump->readable = true;
    dump->node = arena_text(&dump->memory, "hub-1");
    struct dump_log *log = dump_add_log(dump, "samad/ardabil/hub/00", false);
    dump_add_record(dump, log,
                    &(struct dump_record){ .position = 3,
                                           .hash = key,
                                           .has_case = true,
                                           .case_id = { 9 },
                                           .person = PERSON_ABSENT,
                                           .client = "c7" });
    dump_add_checkpoint(dump, log, &(struct dump_note){ .size = 4, .text = "note\n" });
    dump_add_receipt(dump, log, &(struct dump_note){ .size = 4, .hub = "hub-1", .text = "r\n" });
    dump_add_parent(dump, log, &(struct dump_head){ "samad/ardabil/hub/01", 7, key });
    dump_add_fork(dump, log, "9701");
    dump_add_problem(dump, "samad/ardabil/hub/00", 2, "hole");
    dump->journal = dump_new("final");
    dump_add_record(dump->journal, dump_add_log(dump->journal, "samad/hub-1/all/02", false),
                    &(struct dump_record){ .position = 8, .code = "24053781930601" });
    history_add_dump(history, 9, hub, dump);
    return history;
}

static void write_text(char path[32], const char *text)
{
    strcpy(path, "/tmp/history-XXXXXX");
    int descriptor = mkstemp(path);
    cr_assert(write(descriptor, text, strlen(text)) == (ssize_t)strlen(text));
    close(descriptor);
}

static char *read_text(const char *path)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "r");
    cr_assert(file && fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

Test(history, a_saved_history_reads_back_as_it_was)
{
    char why[200] = "", path[32], again[32];
    struct history *history = sample();
    write_text(path, "");
    write_text(again, "");
    cr_assert(history_save(history, path, why, sizeof why), "%s", why);
    struct history *loaded = history_load(path, why, sizeof why);
    cr_assert(loaded, "%s", why);
    cr_assert_eq(history_count(loaded), 5);
    const struct history_event *event = history_at(loaded, 0);
    cr_assert_str_eq(event->call.key, "k-\"1\\\n");
    cr_assert_eq(event->call.person.bytes[2], 3);
    cr_assert_eq(history_at(loaded, 2)->note.peer, 1);
    cr_assert_str_eq(history_at(loaded, 2)->note.text, "a\nب\n");
    cr_assert_eq(history_at(loaded, 3)->host, HISTORY_NO_HOST);
    const struct dump *dump = history_dump_at(loaded, 0);
    cr_assert_eq(dump->host, 1);
    cr_assert_eq(dump->logs[0].records[0].person, PERSON_ABSENT);
    cr_assert_str_eq(dump->logs[0].node, "ardabil");
    cr_assert_str_eq(dump->logs[0].audience, "hub");
    cr_assert_eq(dump->logs[0].size, 4);
    cr_assert_eq(dump->problems[0].position, 2);
    cr_assert_eq(dump->log_count, 1);
    cr_assert_eq(dump->journal->logs[0].records[0].position, 8);
    cr_assert(history_save(loaded, again, why, sizeof why), "%s", why);
    char *first = read_text(path), *second = read_text(again);
    cr_assert_str_eq(first, second);
    free(first);
    free(second);
    unlink(path);
    unlink(again);
    history_free(loaded);
    history_free(history);
}

Test(history, time_never_goes_back)
{
    struct history *history = sample();
    for (size_t i = 1; i < history_count(history); i++)
        cr_assert_geq(history_at(history, i)->time_ns, history_at(history, i - 1)->time_ns);
    history_free(history);
}

Test(history, what_a_later_version_adds_is_passed_over_and_counted)
{
    char why[200] = "", path[32];
    write_text(path, "{\"samad_history\":1}\n"
                     "{\"e\":\"host\",\"name\":\"a\",\"colour\":\"red\"}\n"
                     "{\"e\":\"comet\",\"t\":1,\"h\":\"a\"}\n"
                     "{\"e\":\"up\",\"t\":2,\"h\":\"a\",\"number\":1,\"mood\":[1]}\n");
    struct history *history = history_load(path, why, sizeof why);
    cr_assert(history, "%s", why);
    cr_assert_eq(history_unknown_count(history), 1);
    cr_assert_eq(history_count(history), 1);
    cr_assert_str_eq(history_host(history, 0)->node, "a");
    history_free(history);
    unlink(path);
}

Test(history, a_wrong_line_is_named)
{
    static const struct {
        const char *text, *why;
    } WRONG[] = {
        { "", "it is empty" },
        { "{\"samad_history\":2}\n", ":1: it does not begin with samad_history" },
        { "{\"samad_history\":1}\n{\n", ":2: " },
        { "{\"samad_history\":1}\n{\"t\":1}\n", ":2: no member «e»" },
        { "{\"samad_history\":1}\n{\"e\":\"up\",\"h\":\"nobody\"}\n", ":2: member «h»" },
        { "{\"samad_history\":1}\n{\"e\":\"up\",\"t\":-1}\n", ":2: member «t»" },
        { "{\"samad_history\":1}\n{\"e\":\"state\",\"digest\":\"00\"}\n", ":2: member «digest»" },
        { "{\"samad_history\":1}\n{\"e\":\"d.log\"}\n", "no dump before it" },
        { "{\"samad_history\":1}\n{\"e\":\"dump\"}\n{\"e\":\"d.record\"}\n", "no log before it" },
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        char why[200] = "", path[32];
        write_text(path, WRONG[i].text);
        cr_assert_null(history_load(path, why, sizeof why));
        cr_assert(strstr(why, WRONG[i].why), "%zu: %s", i, why);
        unlink(path);
    }
}

Test(content, a_digest_tells_fields_apart_and_empty_from_nothing_not)
{
    struct check_hash a[2], b[2];
    content_digest(&(struct request_content){ .kind = 1, .name = "ab", .text = "c" }, &a[0], &a[1]);
    content_digest(&(struct request_content){ .kind = 1, .name = "a", .text = "bc" }, &b[0], &b[1]);
    cr_assert(memcmp(&a[0], &b[0], 32) == 0);
    cr_assert(memcmp(&a[1], &b[1], 32) != 0);
    content_digest(&(struct request_content){ .kind = 1, .name = "ab", .text = "c", .phone = "" },
                   &b[0], &b[1]);
    cr_assert(memcmp(&a[1], &b[1], 32) == 0);
}
