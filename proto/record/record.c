#include "proto/record/record.h"

#include "proto/base/bug.h"
#include "proto/secure/merkle.h"
#include "proto/wire/head.h"
#include "proto/wire/pack.h"

#define RECORD_FIELDS 3

struct bytes record_unsalted(struct bytes salted_part)
{
    return salted_part.size < SALT_SIZE
               ? BYTES_NONE
               : bytes_of(salted_part.data + SALT_SIZE, salted_part.size - SALT_SIZE);
}

void record_commit(struct hash *out, struct bytes salted_part)
{
    hash_sha256(out, &salted_part, 1);
}

static enum err check_part(struct bytes part, const struct hash *commitment)
{
    struct hash hash;
    if (part.size < SALT_SIZE)
        return ERR_MALFORMED;
    record_commit(&hash, part);
    if (SAMAD_BUG(COMMITMENT_SKIPPED))
        return OK;
    return hash_equal(&hash, commitment) ? OK : ERR_COMMITMENT;
}

static enum err check_person(const struct record *record, const struct record_header *header)
{
    if (header->has_person && !record->person_absent)
        return check_part(record->person, &header->person);
    bool may_be_absent = header->has_person;
    return record->person.size == 0 && record->person_absent == may_be_absent ? OK : ERR_MALFORMED;
}

static bool is_too_large(const struct record *record)
{
    return record->header.size > RECORD_HEADER_SIZE_MAX ||
           record->facts.size > RECORD_PART_SIZE_MAX || record->person.size > RECORD_PART_SIZE_MAX;
}

enum err record_verify(const struct record *record, const struct log_id *log, uint64_t position,
                       struct record_header *header, struct hash *leaf)
{
    if (is_too_large(record))
        return ERR_TOO_LARGE;
    enum err err = record_header_decode(header, record->header);
    if (err == OK && (header->position != position || !log_id_equal(&header->log, log)))
        err = ERR_MALFORMED;
    if (err == OK)
        err = check_part(record->facts, &header->facts);
    if (err == OK)
        err = check_person(record, header);
    if (err == OK)
        merkle_leaf_hash(leaf, record->header);
    return err;
}

void record_encode(struct buffer *out, const struct record *record)
{
    pack_array(out, RECORD_FIELDS);
    pack_bin(out, record->header);
    pack_bin(out, record->facts);
    if (record->person_absent)
        pack_bool(out, false);
    else if (record->person.size == 0)
        pack_nil(out);
    else
        pack_bin(out, record->person);
}

/* A bin of any size; the limits are the caller's, so that too large is told from malformed. */
static struct bytes read_any_bin(struct reader *reader)
{
    return head_read_bin(reader, 0, UINT32_MAX);
}

static void read_person(struct reader *reader, struct record *record)
{
    record->person_absent = head_read_is(reader, HEAD_FALSE);
    if (record->person_absent || head_read_is(reader, HEAD_NIL))
        return;
    record->person = read_any_bin(reader);
    /* One form for «no person»: an empty bin would be a second one. */
    if (record->person.size < SALT_SIZE && reader->err == OK)
        reader->err = ERR_MALFORMED;
}

enum err record_decode(struct record *record, struct bytes *input)
{
    struct reader reader = reader_of(*input);
    *record = (struct record){ 0 };
    head_read_array(&reader, RECORD_FIELDS);
    record->header = read_any_bin(&reader);
    record->facts = read_any_bin(&reader);
    read_person(&reader, record);
    if (reader.err != OK)
        return reader.err;
    if (is_too_large(record))
        return ERR_TOO_LARGE;
    *input = reader.rest;
    return OK;
}
