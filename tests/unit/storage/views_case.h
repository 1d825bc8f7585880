/* What the tests of views share: one store of logs and one of views, and short words for using
 * them. */
#ifndef TESTS_UNIT_STORAGE_VIEWS_CASE_H
#define TESTS_UNIT_STORAGE_VIEWS_CASE_H

#include "storage/views_private.h"
#include "tests/unit/storage/views_fixture.h"

extern struct log_fixture logs;
extern struct views_fixture fixture;

void setup(void);
void teardown(void);

enum { A = 0x0a, B, C, D };

static const struct history_log LOG_A = { .incarnation = A };
static const struct history_log LOG_B = { .incarnation = B, .parents = { { A, 100, { { 0 } } } } };
static const struct history_log LOG_C = {
    .incarnation = C, .parents = { { A, 300, { { 0 } } }, { B, 40, { { 0 } } } }
};

struct view *decide(uint64_t group);
void put(struct view *view, const char *key, const char *value);
void expect(struct view *view, const char *key, const char *wanted);
struct log_head some_head(uint64_t size);
void flush(uint64_t group);

/* Readers must not move: the macro keeps the fact out of the tests' way. */
#define READER(name)                                                                               \
    struct views_reader name;                                                                      \
    cr_assert_eq(views_reader_begin(fixture.views, "ardabil", &(name)), OK)

void expect_applied(const char *wanted);

/* What the decider and the log thread do together: records are folded and stored, here one group.
 */
void record_group(const struct history_log *log, uint64_t group, uint64_t size);

void flush_log(const struct history_log *log, uint64_t group);
void hold_all(const int *arrival, uint64_t budget);

/* A@100 and B are applied; then A is handed back up to 300. */
void prepare_handback(void);

enum err check(struct views_check *result, uint64_t *progress);

#endif
