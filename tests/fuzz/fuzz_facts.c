/* Parts: the first byte of the input chooses the kind. What is taken is written again, and the
 * written bytes are the input's, except where it had keys that this program does not know. */
#include "tests/fuzz/fuzz.h"

#include "proto/record/facts.h"

typedef enum err codec(struct buffer *again, struct bytes part);

static enum err incarnation(struct buffer *again, struct bytes part)
{
    static struct log_head parents[INCARNATION_PARENT_MAX];
    struct incarnation_facts facts = { .parents = parents }, counted = { .parents = NULL };
    enum err err = incarnation_facts_decode(&facts, part);
    require(incarnation_facts_decode(&counted, part) == err);
    if (err != OK)
        return err;
    require(counted.parent_count == facts.parent_count);
    require(incarnation_facts_encode(again, &facts) == OK);
    return OK;
}

#define KIND(kind, type)                                           \
    static enum err kind(struct buffer *again, struct bytes part)  \
    {                                                              \
        struct type facts;                                         \
        enum err err = type##_decode(&facts, part);                \
        if (err == OK)                                             \
            require(type##_encode(again, &facts) == OK);           \
        return err;                                                \
    }
KIND(request, request_facts)
KIND(person, request_person)
KIND(erase, erase_facts)
KIND(directory, directory_facts)

FUZZ_TARGET(facts)
{
    static codec *const codecs[] = { incarnation, request, person, erase, directory };
    struct buffer once = { 0 }, twice = { 0 };
    if (input.size == 0)
        return;
    codec *recode = codecs[input.data[0] % (sizeof codecs / sizeof *codecs)];
    struct bytes part = bytes_of(input.data + 1, input.size - 1);
    if (recode(&once, part) == OK) {
        require(once.size <= part.size);
        require(once.size < part.size || bytes_equal(buffer_bytes(&once), part));
        require(recode(&twice, buffer_bytes(&once)) == OK);
        require(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
    } else
        require(once.size == 0);
    buffer_close(&once);
    buffer_close(&twice);
}
