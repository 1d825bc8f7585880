#include "storage/writer.h"

#include "proto/base/bug.h"
#include "proto/base/require.h"
#include "storage/entropy.h"

#include <stdlib.h>
#include <string.h>

/* A clock that went back less than this is held still; beyond it a new incarnation opens (D14). */
#define WRITER_CLOCK_BACK_MAX_MS (5 * 60 * 1000)

struct writer {
    struct group_log log;
    struct views *views;
    struct rules rules;
    struct log_id id;
    struct entropy entropy;
    size_t memory_share;
    enum err err; /* what broke it */

    /* where the log stands */
    uint64_t position; /* of the next record */
    int64_t time_ms;   /* of the newest record */
    struct merkle_frontier frontier; /* after the last taken group */
    struct log_head taken;           /* the same as a head */
    struct record_receipt receipt;
    bool has_receipt;

    /* the current group */
    uint64_t group_number;
    struct group *group; /* NULL: no record yet */

    /* the command under way */
    struct view *view;
    int64_t wall_ms;
    uint64_t command_group;

    /* the last freeze of the memory table */
    bool flush_wanted;
    uint64_t flush_group;
    struct log_head flush_head;

    /* scratch of writer_propose */
    struct buffer header, facts, person;
};

/* ---- opening ---- */

/* The first record of the log: which logs of this node it hangs from. */
static enum err writer_propose_incarnation(struct writer *writer, const struct log_head *tips,
                                           size_t count, uint32_t flags, int64_t wall_ms)
{
    struct incarnation_facts incarnation = {
        .occurred_at_ms = wall_ms,
        .flags = flags,
        .parent_count = count,
        .parents = (struct log_head *)tips,
    };
    struct buffer facts = { 0 };
    enum err err = incarnation_facts_encode(&facts, &incarnation);
    if (err == OK)
        err = facts.err;
    if (err == OK)
        err = writer_begin_command(writer, wall_ms);
    if (err == OK) {
        uint64_t position;
        struct proposal proposal = { .kind = RECORD_INCARNATION, .facts = buffer_bytes(&facts) };
        err = writer_propose(writer, &proposal, &position);
        writer_end_command(writer);
    }
    buffer_close(&facts);
    return err;
}

static enum err writer_name_tips(struct writer *writer, const struct writer_options *options)
{
    struct log_head *tips = calloc(INCARNATION_PARENT_MAX, sizeof(*tips));
    if (tips == NULL)
        return ERR_NOMEM;
    size_t count = 0;
    struct store_txn txn = store_begin_read(log_store_environment(options->logs));
    enum err err = log_tips(options->logs, &txn, options->node, options->audience, tips,
                            INCARNATION_PARENT_MAX, &count);
    if (err == OK)
        err = txn.err;
    store_abort(&txn);
    if (SAMAD_BUG(PARENTS_FORGOTTEN))
        count = 0;
    if (err == OK)
        err = writer_propose_incarnation(writer, tips, count, options->flags, options->wall_ms);
    free(tips);
    return err;
}

enum err writer_open(struct writer **out, const struct writer_options *options)
{
    *out = NULL;
    require(options->first_group > 0);
    struct writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        return ERR_NOMEM;
    writer->log = (struct group_log){ .logs = options->logs, .key = options->log_key };
    writer->views = options->views;
    writer->rules = options->rules;
    writer->memory_share = options->memory_share;
    writer->group_number = options->first_group;
    entropy_init(&writer->entropy, options->entropy);

    enum err err = log_id_init(&writer->id, bytes_of_string(options->node),
                               bytes_of_string(options->audience), options->incarnation);
    writer->taken.log = writer->id;
    if (err == OK)
        err = writer_name_tips(writer, options);
    if (err != OK) {
        writer_close(writer);
        return err;
    }
    *out = writer;
    return OK;
}

void writer_close(struct writer *writer)
{
    if (writer == NULL)
        return;
    writer_pause(writer);
    group_free(writer->group);
    buffer_close(&writer->header);
    buffer_close(&writer->facts);
    buffer_close(&writer->person);
    entropy_wipe(&writer->entropy);
    free(writer);
}

const struct log_id *writer_log(const struct writer *writer)
{
    return &writer->id;
}

uint64_t writer_position(const struct writer *writer)
{
    return writer->position;
}

enum err writer_error(const struct writer *writer)
{
    return writer->err;
}

/* ---- one command ---- */

enum err writer_begin_command(struct writer *writer, int64_t wall_ms)
{
    if (writer->err != OK)
        return writer->err;
    if (wall_ms < writer->time_ms - WRITER_CLOCK_BACK_MAX_MS)
        return ERR_CONFLICT;
    writer->command_group = 0;
    writer->wall_ms =
        wall_ms > writer->time_ms || SAMAD_BUG(TIME_GOES_BACK) ? wall_ms : writer->time_ms;
    if (writer->views == NULL)
        return OK;
    if (memory_is_full(views_memory(writer->views)))
        return ERR_BUSY;
    writer->view = views_decider_begin(writer->views, writer->group_number);
    enum err err = writer->view != NULL ? writer->view->err : ERR_NOMEM;
    if (err == ERR_CORRUPT || err == ERR_IO)
        writer->err = err; /* waiting does not mend it */
    return err;
}

struct view *writer_view(struct writer *writer)
{
    return writer->view;
}

void writer_entropy(struct writer *writer, uint8_t *out, size_t size)
{
    entropy_take(&writer->entropy, out, size);
}

void writer_receipt(struct writer *writer, const struct record_receipt *receipt)
{
    writer->receipt = *receipt;
    writer->has_receipt = true;
}

void writer_end_command(struct writer *writer)
{
    if (writer->views == NULL)
        return;
    uint64_t seen = views_decider_group(writer->views);
    if (seen > writer->command_group)
        writer->command_group = seen;
    if (writer->err == OK && writer->view != NULL)
        writer->err = writer->view->err;
}

uint64_t writer_command_group(const struct writer *writer)
{
    return writer->command_group;
}

void writer_pause(struct writer *writer)
{
    if (writer->view != NULL)
        views_decider_end(writer->views);
    writer->view = NULL;
}

/* ---- one record ---- */

/* salt || part, and its commitment. */
static void writer_salt_part(struct writer *writer, struct buffer *out, struct bytes part,
                             struct hash *commitment)
{
    buffer_clear(out);
    uint8_t *salted = buffer_reserve(out, SALT_SIZE + part.size);
    if (salted == NULL)
        return;
    entropy_take(&writer->entropy, salted, SALT_SIZE);
    memcpy(salted + SALT_SIZE, part.data, part.size);
    out->size += SALT_SIZE + part.size;
    record_commit(commitment, buffer_bytes(out));
}

static void writer_fill_header(const struct writer *writer, const struct proposal *proposal,
                               struct record_header *header)
{
    header->kind = proposal->kind;
    header->log = writer->id;
    header->position = writer->position;
    header->time_ms = writer->wall_ms;
    memset(header->actor, 0, sizeof(header->actor));
    if (proposal->actor.size > 0)
        memcpy(header->actor, proposal->actor.data, proposal->actor.size);
    header->has_case = proposal->case_id != NULL;
    if (header->has_case)
        memcpy(header->case_id, proposal->case_id, CASE_ID_SIZE);
    header->has_cause = proposal->cause != NULL;
    if (header->has_cause)
        header->cause = *proposal->cause;
    header->has_receipt = writer->has_receipt;
    if (header->has_receipt)
        header->receipt = writer->receipt;
    header->has_person = proposal->person.size > 0;
}

/* The record in the writer's scratch: header, facts, person. */
static enum err writer_make_record(struct writer *writer, const struct proposal *proposal,
                                   struct record_header *header, struct record *record)
{
    if (proposal->actor.size > RECORD_ACTOR_SIZE_MAX)
        return ERR_INVALID;
    if (proposal->facts.size > RECORD_PART_SIZE_MAX - SALT_SIZE ||
        proposal->person.size > RECORD_PART_SIZE_MAX - SALT_SIZE)
        return ERR_TOO_LARGE;
    writer_fill_header(writer, proposal, header);
    writer_salt_part(writer, &writer->facts, proposal->facts, &header->facts);
    buffer_clear(&writer->person);
    if (header->has_person)
        writer_salt_part(writer, &writer->person, proposal->person, &header->person);
    buffer_clear(&writer->header);
    enum err err = record_header_encode(&writer->header, header);
    if (err != OK)
        return err;
    if (writer->header.err != OK || writer->facts.err != OK || writer->person.err != OK)
        return ERR_NOMEM;
    *record = (struct record){ .header = buffer_bytes(&writer->header),
                               .facts = buffer_bytes(&writer->facts),
                               .person = buffer_bytes(&writer->person) };
    return OK;
}

static enum err writer_need_group(struct writer *writer)
{
    if (writer->group != NULL)
        return group_count(writer->group) < BATCH_RECORD_MAX ? OK : ERR_BUSY;
    writer->group = group_new(&writer->log, writer->group_number, writer->position == 0,
                              &writer->frontier);
    return writer->group != NULL ? OK : ERR_NOMEM;
}

static enum err writer_fold(struct writer *writer, const struct record_header *header,
                            const struct proposal *proposal)
{
    if (writer->views == NULL)
        return OK;
    return writer->rules.fold(writer->rules.context, writer->view, header, proposal->facts,
                              proposal->person, false);
}

enum err writer_propose(struct writer *writer, const struct proposal *proposal, uint64_t *position)
{
    struct record_header header;
    struct record record;

    enum err err = writer->err;
    if (err == OK)
        err = writer_need_group(writer);
    if (err == OK)
        err = writer_make_record(writer, proposal, &header, &record);
    if (err != OK)
        return err; /* nothing happened */

    struct hash leaf;
    merkle_leaf_hash(&leaf, record.header);
    err = writer_fold(writer, &header, proposal);
    if (err == OK)
        err = group_add(writer->group, &record, &header, &leaf);
    if (err != OK) {
        writer->err = err;
        return err;
    }
    *position = writer->position++;
    writer->time_ms = header.time_ms;
    writer->command_group = writer->group_number;
    return OK;
}

/* ---- groups ---- */

size_t writer_pending(const struct writer *writer)
{
    return writer->group != NULL ? group_count(writer->group) : 0;
}

size_t writer_pending_size(const struct writer *writer)
{
    return writer->group != NULL ? group_size(writer->group) : 0;
}

uint64_t writer_group_number(const struct writer *writer)
{
    return writer->group_number;
}

enum err writer_freeze(struct writer *writer)
{
    require(writer_pending(writer) == 0);
    struct memory *memory = writer->views != NULL ? views_memory(writer->views) : NULL;
    if (memory == NULL || memory_active_size(memory) == 0)
        return ERR_END;
    writer_pause(writer);
    enum err err = memory_freeze(memory, writer->group_number - 1);
    if (err != OK)
        return err;
    writer->flush_wanted = true;
    writer->flush_group = writer->group_number - 1;
    writer->flush_head = writer->taken;
    return OK;
}

struct group *writer_take_group(struct writer *writer)
{
    struct group *group = writer->group;
    if (group == NULL || group_count(group) == 0)
        return NULL;
    group_close(group, &writer->id, &writer->frontier);
    writer->taken.size = group_checkpoint(group)->size;
    writer->taken.root = group_checkpoint(group)->root;
    writer->group = NULL;
    writer->group_number++;
    if (writer->views != NULL &&
        (memory_active_size(views_memory(writer->views)) >= writer->memory_share ||
         memory_wants_freeze(views_memory(writer->views)))) /* the keys of one flush */
        writer_freeze(writer); /* ERR_BUSY: the last one is not flushed yet; a later group will */
    return group;
}

bool writer_flush_wanted(struct writer *writer, uint64_t *group, struct log_head *head)
{
    if (!writer->flush_wanted)
        return false;
    writer->flush_wanted = false;
    *group = writer->flush_group;
    *head = writer->flush_head;
    return true;
}
