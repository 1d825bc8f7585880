#include "node/casework/register.h"

#include "node/casework/request_entry.h"
#include "proto/base/bug.h"

#include <string.h>

/* ---- the same request again ------------------------------------------------------------------ */

static enum err decide_known(struct view *view, const struct register_setting *setting,
                             const struct request_facts *facts, const struct request_person *person,
                             struct bytes value, struct register_decision *decision)
{
    struct reader reader = reader_of(value);
    struct lookup_hash known;
    decision->id = request_id_read(&reader);
    read_into(&reader, known.bytes, LOOKUP_HASH_SIZE);
    struct request_entry entry;
    enum err err = request_entry_get(view, &decision->id, &entry);
    if (err == ERR_NOT_FOUND || reader.err != OK)
        err = view->err = ERR_CORRUPT;
    if (err != OK)
        return err;
    memcpy(decision->case_id, entry.case_id, CASE_ID_SIZE);
    struct lookup_hash now = lookup_fingerprint(setting->lookup_key, facts, person);
    if (SAMAD_BUG(BODY_IGNORED))
        return OK;
    return lookup_hash_is_zero(&known) || lookup_hash_equal(&known, &now) ? OK : ERR_CONFLICT;
}

/* ---- a new one ------------------------------------------------------------------------------- */

static enum err draw_code(struct view *view, unsigned province_number, const uint8_t *entropy,
                          struct request_id *id)
{
    for (size_t draw = 0; draw < REGISTER_DRAWS; draw++) {
        *id = (struct request_id){ .slot = 0 };
        if (!tracking_code_draw(id->code, province_number,
                                entropy + draw * TRACKING_CODE_ENTROPY_SIZE))
            continue;
        struct view_key key = key_of_request(id);
        struct bytes value;
        enum err err = view_get(view, view_key_bytes(&key), &value);
        if (err != OK)
            return err == ERR_NOT_FOUND ? OK : err;
    }
    return ERR_BUSY;
}

static enum err decide_new(struct view *view, const struct register_setting *setting,
                           struct request_facts *facts, const struct request_person *person,
                           const uint8_t entropy[REGISTER_ENTROPY_SIZE],
                           struct register_decision *decision, struct buffer *facts_part,
                           struct buffer *person_part)
{
    decision->is_new = true;
    memcpy(decision->case_id, entropy, CASE_ID_SIZE);
    enum err err = draw_code(view, setting->province_number, entropy + CASE_ID_SIZE, &decision->id);
    if (err != OK)
        return err;
    facts->code = bytes_of(decision->id.code, TRACKING_CODE_DIGITS);
    err = request_facts_encode(facts_part, facts);
    return err != OK ? err : request_person_encode(person_part, person);
}

/* The key is part of a view key before any encoder looks at it. */
static bool key_is_within_limits(const struct request_facts *facts)
{
    return facts->client.size >= 1 && facts->client.size <= CLIENT_SIZE_MAX &&
           facts->idempotency_key.size >= 1 &&
           facts->idempotency_key.size <= IDEMPOTENCY_KEY_SIZE_MAX;
}

enum err register_find(struct view *view, const struct register_setting *setting,
                       const struct request_facts *facts, const struct request_person *person,
                       struct register_decision *decision)
{
    *decision = (struct register_decision){ .is_new = false };
    if (!key_is_within_limits(facts))
        return ERR_INVALID;
    struct view_key key = key_of_idempotency(facts->client, facts->idempotency_key);
    struct bytes value;
    enum err err = view_get(view, view_key_bytes(&key), &value);
    if (SAMAD_BUG(KEY_FORGOTTEN) && err == OK)
        err = ERR_NOT_FOUND;
    return err == OK ? decide_known(view, setting, facts, person, value, decision) : err;
}

enum err register_decide(struct view *view, const struct register_setting *setting,
                         struct request_facts *facts, const struct request_person *person,
                         const uint8_t entropy[REGISTER_ENTROPY_SIZE],
                         struct register_decision *decision, struct buffer *facts_part,
                         struct buffer *person_part)
{
    enum err err = register_find(view, setting, facts, person, decision);
    if (err != ERR_NOT_FOUND)
        return err;
    return decide_new(view, setting, facts, person, entropy, decision, facts_part, person_part);
}
