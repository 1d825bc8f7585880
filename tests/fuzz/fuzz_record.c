/* Records off the wire, and headers: whatever is taken is written again in the same bytes. The
 * input is read as records one after the other, and as a header. */
#include "tests/fuzz/fuzz.h"

#include "proto/record/record.h"
#include "proto/wire/skim.h"

static void check_header(struct bytes form)
{
    struct record_header header;
    struct buffer again = { 0 };
    if (record_header_decode(&header, form) != OK)
        return;
    require(skim_whole(form) == OK); /* a header is msgpack like everything else */
    require(record_header_encode(&again, &header) == OK);
    require(bytes_equal(buffer_bytes(&again), form));
    buffer_close(&again);
}

static void check_record(const struct record *record, struct bytes form)
{
    struct record_header header;
    struct hash leaf;
    struct buffer again = { 0 };
    require(skim_whole(form) == OK);
    record_encode(&again, record);
    require(bytes_equal(buffer_bytes(&again), form));
    check_header(record->header);
    if (record_header_decode(&header, record->header) == OK)
        (void)record_verify(record, &header.log, header.position, &header, &leaf);
    buffer_close(&again);
}

FUZZ_TARGET(record)
{
    struct record record;
    check_header(input);
    for (struct bytes rest = input, before = input; record_decode(&record, &rest) == OK;
         before = rest) {
        require(rest.size < before.size);
        check_record(&record, bytes_of(before.data, before.size - rest.size));
    }
}
