#include "storage/erase.h"
#include "tests/unit/storage/log_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#define ERASED 3

static enum err erase(struct log_fixture *fixture, struct store_txn *txn, const struct log_id *id)
{
    struct buffer part = { 0 };
    struct erase_facts facts = { .occurred_at_ms = 1,
                                 .log = *id,
                                 .position = ERASED,
                                 .reason = bytes_of_string("asked") };
    struct record_header header = { .kind = RECORD_ERASE, .log = *id };
    cr_assert_eq(erase_facts_encode(&part, &facts), OK);
    enum err err = erase_on_record(fixture->logs, txn, &header, buffer_bytes(&part));
    buffer_close(&part);
    return err;
}

static bool is_withheld(struct log_fixture *fixture, struct store_txn *txn, uint32_t number)
{
    uint64_t position;
    return log_withheld_below(fixture->logs, txn, number, 100, &position) == OK;
}

Test(erase, accounts_for_a_person_part_that_never_came)
{
    struct log_fixture fixture;
    log_fixture_open(&fixture);
    struct log_id id = sample_log("ardabil", "hub", 1);
    uint32_t number = fixture_create(&fixture, &id);
    fixture_append(&fixture, number, &id, 8, true);
    struct store_txn txn = store_begin_write(log_store_environment(fixture.logs));
    cr_assert_eq(log_withheld_add(fixture.logs, &txn, number, ERASED), OK);
    cr_assert(is_withheld(&fixture, &txn, number));
    cr_assert_eq(erase(&fixture, &txn, &id), OK);
    cr_expect(!is_withheld(&fixture, &txn, number), "receipts may cover the record now");
    cr_assert_eq(store_commit(&txn), OK);
    log_fixture_close(&fixture);
}

Test(erase, that_came_before_the_record_accounts_for_it_on_arrival)
{
    struct log_fixture fixture;
    log_fixture_open(&fixture);
    struct log_id id = sample_log("ardabil", "hub", 1);
    uint32_t number = fixture_create(&fixture, &id);
    struct store_txn txn = store_begin_write(log_store_environment(fixture.logs));
    cr_assert_eq(erase(&fixture, &txn, &id), OK);
    cr_assert_eq(store_commit(&txn), OK);
    fixture_append(&fixture, number, &id, 8, true);
    txn = store_begin_write(log_store_environment(fixture.logs));
    cr_assert_eq(log_withheld_add(fixture.logs, &txn, number, ERASED), OK);
    cr_assert_eq(erase_on_append(fixture.logs, &txn, number, &id, 0, 8), OK);
    cr_expect(!is_withheld(&fixture, &txn, number));
    cr_assert_eq(store_commit(&txn), OK);
    log_fixture_close(&fixture);
}
