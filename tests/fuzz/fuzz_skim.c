/* The skim, the reader of heads and msgpack-c over the same bytes: what the skim takes must unpack,
 * and pack again into the same bytes (one value has one encoding). */
#include "tests/fuzz/fuzz.h"

#include "proto/wire/head.h"
#include "proto/wire/pack.h"
#include "proto/wire/skim.h"

static void copy_values(struct unpack *unpack, struct buffer *again, struct bytes skimmed)
{
    struct reader heads = reader_of(skimmed);
    while (heads.rest.size > 0) {
        struct head head = head_read(&heads);
        require(head.type != HEAD_NONE);
        switch (head.type) {
        case HEAD_NIL:
            require(unpack_nil(unpack));
            pack_nil(again);
            break;
        case HEAD_FALSE:
        case HEAD_TRUE:
            pack_bool(again, unpack_bool(unpack));
            break;
        case HEAD_UINT:
            pack_uint(again, unpack_uint(unpack, head.value));
            break;
        case HEAD_NEGATIVE:
            pack_int(again, unpack_int(unpack));
            break;
        case HEAD_STR:
            pack_str(again, unpack_str(unpack, (size_t)head.value));
            read_bytes(&heads, (size_t)head.value);
            break;
        case HEAD_BIN:
            pack_bin(again, unpack_bin(unpack, (size_t)head.value));
            read_bytes(&heads, (size_t)head.value);
            break;
        case HEAD_ARRAY:
            pack_array(again, unpack_array(unpack, (size_t)head.value, (size_t)head.value));
            break;
        default:
            pack_map(again, unpack_map(unpack, (size_t)head.value));
        }
    }
}

FUZZ_TARGET(skim)
{
    size_t used;
    struct unpack unpack;
    struct buffer again = { 0 };
    if (skim_value(input, &used) != OK) {
        require(used == 0 && skim_whole(input) == ERR_MALFORMED);
        return;
    }
    require(used > 0 && used <= input.size);
    require((skim_whole(input) == OK) == (used == input.size));

    struct bytes skimmed = bytes_of(input.data, used);
    require(unpack_begin(&unpack, skimmed) == OK);
    copy_values(&unpack, &again, skimmed);
    require(unpack_end(&unpack) == OK);
    require(bytes_equal(buffer_bytes(&again), skimmed));
    buffer_close(&again);
}
