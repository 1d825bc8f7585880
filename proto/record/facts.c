/* The facts of the kinds that keep a log and the network in order; request.c has the citizen's. */
#include "proto/record/facts.h"

#include "proto/record/part.h"

/* ---- incarnation ----------------------------------------------------------------------------- */

enum incarnation_key { INCARNATION_PARENTS = 1, INCARNATION_OCCURRED_AT, INCARNATION_FLAGS };
#define INCARNATION_KEYS_ALL \
    (1U << INCARNATION_PARENTS | 1U << INCARNATION_OCCURRED_AT | 1U << INCARNATION_FLAGS)
#define HEAD_FIELDS 3

static bool head_is_valid(const struct log_head *head)
{
    return log_id_is_valid(&head->log) && head->size <= POSITION_MAX;
}

static bool incarnation_is_valid(const struct incarnation_facts *facts)
{
    if (!time_ms_is_valid(facts->occurred_at_ms) || facts->parent_count > INCARNATION_PARENT_MAX)
        return false;
    for (size_t i = 0; i < facts->parent_count; i++)
        if (!head_is_valid(&facts->parents[i]))
            return false;
    return true;
}

static void pack_head(struct buffer *out, const struct log_head *head)
{
    pack_array(out, HEAD_FIELDS);
    pack_log_id(out, &head->log);
    pack_uint(out, head->size);
    pack_bin(out, BYTES_OF_ARRAY(head->root.bytes));
}

enum err incarnation_facts_encode(struct buffer *out, const struct incarnation_facts *facts)
{
    if (!incarnation_is_valid(facts))
        return ERR_INVALID;
    size_t start = out->size;
    pack_map(out, 3);
    pack_uint(out, INCARNATION_PARENTS);
    pack_array(out, facts->parent_count);
    for (size_t i = 0; i < facts->parent_count; i++)
        pack_head(out, &facts->parents[i]);
    part_put_uint(out, INCARNATION_OCCURRED_AT, (uint64_t)facts->occurred_at_ms);
    part_put_uint(out, INCARNATION_FLAGS, facts->flags);
    return part_end(out, start);
}

static void unpack_head(struct unpack *unpack, struct log_head *head)
{
    unpack_array(unpack, HEAD_FIELDS, HEAD_FIELDS);
    unpack_log_id(unpack, &head->log);
    head->size = unpack_uint(unpack, POSITION_MAX);
    unpack_bin_into(unpack, head->root.bytes, HASH_SIZE);
}

static void read_parents(struct unpack *unpack, struct incarnation_facts *facts)
{
    struct log_head unwanted;
    facts->parent_count = unpack_array(unpack, 0, INCARNATION_PARENT_MAX);
    for (size_t i = 0; i < facts->parent_count; i++)
        unpack_head(unpack, facts->parents ? &facts->parents[i] : &unwanted);
}

static void read_incarnation_field(struct unpack *unpack, struct incarnation_facts *facts,
                                   unsigned *seen)
{
    uint64_t key = unpack_uint(unpack, UINT64_MAX);
    switch (key) {
    case INCARNATION_PARENTS:
        read_parents(unpack, facts);
        break;
    case INCARNATION_OCCURRED_AT:
        facts->occurred_at_ms = part_read_time_ms(unpack);
        break;
    case INCARNATION_FLAGS:
        facts->flags = part_read_u32(unpack);
        break;
    default:
        unpack_skip(unpack);
        return;
    }
    *seen |= 1U << key;
}

enum err incarnation_facts_decode(struct incarnation_facts *facts, struct bytes part)
{
    struct unpack unpack;
    unsigned seen = 0;
    *facts = (struct incarnation_facts){ .parents = facts->parents };
    for (size_t left = part_begin(&unpack, part); left > 0; left--)
        read_incarnation_field(&unpack, facts, &seen);
    unpack_expect(&unpack, seen == INCARNATION_KEYS_ALL);
    return unpack_end(&unpack);
}

/* ---- erase ----------------------------------------------------------------------------------- */

enum erase_key { ERASE_OCCURRED_AT = 1, ERASE_RECORD, ERASE_REASON };
#define ERASE_RECORD_FIELDS 2
#define REASON_SIZE_MAX 200

static bool erase_is_valid(const struct erase_facts *facts)
{
    return time_ms_is_valid(facts->occurred_at_ms) && log_id_is_valid(&facts->log) &&
           facts->position <= POSITION_MAX && size_is_within(facts->reason, 1, REASON_SIZE_MAX);
}

enum err erase_facts_encode(struct buffer *out, const struct erase_facts *facts)
{
    if (!erase_is_valid(facts))
        return ERR_INVALID;
    size_t start = out->size;
    pack_map(out, 3);
    part_put_uint(out, ERASE_OCCURRED_AT, (uint64_t)facts->occurred_at_ms);
    pack_uint(out, ERASE_RECORD);
    pack_array(out, ERASE_RECORD_FIELDS);
    pack_log_id(out, &facts->log);
    pack_uint(out, facts->position);
    part_put_text(out, ERASE_REASON, facts->reason);
    return part_end(out, start);
}

static void read_erase_field(struct unpack *unpack, struct erase_facts *facts)
{
    switch (unpack_uint(unpack, UINT64_MAX)) {
    case ERASE_OCCURRED_AT:
        facts->occurred_at_ms = part_read_time_ms(unpack);
        break;
    case ERASE_RECORD:
        unpack_array(unpack, ERASE_RECORD_FIELDS, ERASE_RECORD_FIELDS);
        unpack_log_id(unpack, &facts->log);
        facts->position = unpack_uint(unpack, POSITION_MAX);
        break;
    case ERASE_REASON:
        facts->reason = unpack_text(unpack, REASON_SIZE_MAX);
        break;
    default:
        unpack_skip(unpack);
    }
}

enum err erase_facts_decode(struct erase_facts *facts, struct bytes part)
{
    struct unpack unpack;
    *facts = (struct erase_facts){ .occurred_at_ms = -1 };
    for (size_t left = part_begin(&unpack, part); left > 0; left--)
        read_erase_field(&unpack, facts);
    unpack_expect(&unpack, erase_is_valid(facts));
    return unpack_end(&unpack);
}

/* ---- directory ------------------------------------------------------------------------------- */

enum directory_key {
    DIRECTORY_OCCURRED_AT = 1, DIRECTORY_NODE, DIRECTORY_ISO, DIRECTORY_NAME_FA, DIRECTORY_NAME_EN,
    DIRECTORY_AREA_CODE, DIRECTORY_STATUS
};
#define ISO_SIZE_MAX 16
#define PROVINCE_NAME_SIZE_MAX 200
#define AREA_CODE_DIGITS_MAX 8
#define DIRECTORY_STATUS_MAX 2

static bool directory_is_valid(const struct directory_facts *facts)
{
    return time_ms_is_valid(facts->occurred_at_ms) && node_name_is_valid(facts->node) &&
           size_is_within(facts->iso, 1, ISO_SIZE_MAX) && ascii_is_printable(facts->iso) &&
           size_is_within(facts->name_fa, 1, PROVINCE_NAME_SIZE_MAX) &&
           size_is_within(facts->name_en, 1, PROVINCE_NAME_SIZE_MAX) &&
           size_is_within(facts->area_code, 1, AREA_CODE_DIGITS_MAX) &&
           ascii_is_digits(facts->area_code) && facts->status >= 1 &&
           facts->status <= DIRECTORY_STATUS_MAX;
}

enum err directory_facts_encode(struct buffer *out, const struct directory_facts *facts)
{
    if (!directory_is_valid(facts))
        return ERR_INVALID;
    size_t start = out->size;
    pack_map(out, 7);
    part_put_uint(out, DIRECTORY_OCCURRED_AT, (uint64_t)facts->occurred_at_ms);
    part_put_text(out, DIRECTORY_NODE, facts->node);
    part_put_text(out, DIRECTORY_ISO, facts->iso);
    part_put_text(out, DIRECTORY_NAME_FA, facts->name_fa);
    part_put_text(out, DIRECTORY_NAME_EN, facts->name_en);
    part_put_text(out, DIRECTORY_AREA_CODE, facts->area_code);
    part_put_uint(out, DIRECTORY_STATUS, facts->status);
    return part_end(out, start);
}

static void read_directory_field(struct unpack *unpack, struct directory_facts *facts)
{
    switch (unpack_uint(unpack, UINT64_MAX)) {
    case DIRECTORY_OCCURRED_AT:
        facts->occurred_at_ms = part_read_time_ms(unpack);
        break;
    case DIRECTORY_NODE:
        facts->node = unpack_text(unpack, NODE_NAME_SIZE_MAX);
        break;
    case DIRECTORY_ISO:
        facts->iso = unpack_text(unpack, ISO_SIZE_MAX);
        break;
    case DIRECTORY_NAME_FA:
        facts->name_fa = unpack_text(unpack, PROVINCE_NAME_SIZE_MAX);
        break;
    case DIRECTORY_NAME_EN:
        facts->name_en = unpack_text(unpack, PROVINCE_NAME_SIZE_MAX);
        break;
    case DIRECTORY_AREA_CODE:
        facts->area_code = unpack_text(unpack, AREA_CODE_DIGITS_MAX);
        break;
    case DIRECTORY_STATUS:
        facts->status = part_read_u32(unpack);
        break;
    default:
        unpack_skip(unpack);
    }
}

enum err directory_facts_decode(struct directory_facts *facts, struct bytes part)
{
    struct unpack unpack;
    *facts = (struct directory_facts){ .occurred_at_ms = -1 };
    for (size_t left = part_begin(&unpack, part); left > 0; left--)
        read_directory_field(&unpack, facts);
    unpack_expect(&unpack, directory_is_valid(facts));
    return unpack_end(&unpack);
}
