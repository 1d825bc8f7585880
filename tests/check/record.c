#include "tests/check/record.h"

#include "tests/check/tree.h"
#include "tests/check/pick.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_SIZE_MAX = 1024,
    HEADER_FIELDS = 11,
    SALT = 32,
    PART_SIZE_MAX = 65536,
    ACTOR_SIZE_MAX = 64,
    NAME_SIZE_MAX = 32,
    PARENTS_MAX = 4096,
};
static const uint64_t TIME_MAX_MS = UINT64_C(1) << 53;

static bool is_name(struct span name)
{
    if (name.size < 1 || name.size > NAME_SIZE_MAX || name.data[0] < 'a' || name.data[0] > 'z')
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static bool is_printable(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return false;
    return true;
}

static bool is_digits(struct span text, size_t size)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size == size;
}

/* [node, audience, incarnation] as an origin. */
static bool log_id_read(struct pick *pick, char origin[CHECK_ORIGIN_SIZE])
{
    uint8_t incarnation[16];
    char hex[33];
    pick_array_of(pick, 3);
    struct span node = pick_str(pick), audience = pick_str(pick);
    pick_bin_of(pick, sizeof incarnation, incarnation);
    if (pick->bad || !is_name(node) || !is_name(audience)) {
        pick->bad = true;
        return false;
    }
    sodium_bin2hex(hex, sizeof hex, incarnation, sizeof incarnation);
    snprintf(origin, CHECK_ORIGIN_SIZE, "samad/%.*s/%.*s/%s", (int)node.size,
             (const char *)node.data, (int)audience.size, (const char *)audience.data, hex);
    return true;
}

static uint64_t position_read(struct pick *pick)
{
    uint64_t position = pick_uint(pick);
    if (position > INT64_MAX)
        pick->bad = true;
    return position;
}

static void receipt_read(struct pick *pick)
{
    uint8_t incarnation[16];
    pick_array_of(pick, 4);
    if (!is_name(pick_str(pick)))
        pick->bad = true;
    pick_bin_of(pick, sizeof incarnation, incarnation);
    (void)position_read(pick);
    (void)position_read(pick); /* seconds: the same limit */
}

const char *check_header_read(struct check_header *header, struct span bytes)
{
    struct pick pick = pick_of(bytes);
    *header = (struct check_header){ 0 };
    if (bytes.size > HEADER_SIZE_MAX)
        return "its header is too large";
    pick_array_of(&pick, HEADER_FIELDS);
    if (pick_uint(&pick) != 1)
        return "its header is of a format that is not known here";
    header->kind = pick_uint(&pick);
    log_id_read(&pick, header->origin);
    header->position = position_read(&pick);
    header->time_ms = pick_uint(&pick);
    struct span actor = pick_str(&pick);
    header->has_case = !pick_nil(&pick);
    if (header->has_case)
        pick_bin_of(&pick, sizeof header->case_id, header->case_id);
    header->has_cause = !pick_nil(&pick);
    if (header->has_cause) {
        pick_array_of(&pick, 3);
        log_id_read(&pick, header->cause_origin);
        header->cause_position = position_read(&pick);
        pick_bin_of(&pick, 32, header->cause_hash.bytes);
    }
    header->has_receipt = !pick_nil(&pick);
    if (header->has_receipt)
        receipt_read(&pick);
    pick_bin_of(&pick, 32, header->facts.bytes);
    header->has_person = !pick_nil(&pick);
    if (header->has_person)
        pick_bin_of(&pick, 32, header->person.bytes);
    if (!pick_at_end(&pick) || header->kind < 1 || header->kind > UINT32_MAX ||
        header->time_ms > TIME_MAX_MS || actor.size > ACTOR_SIZE_MAX || !is_printable(actor))
        return "its header is malformed";
    return NULL;
}

bool check_part_matches(struct span part, const struct check_hash *commitment)
{
    struct check_hash hash;
    crypto_hash_sha256(hash.bytes, part.data, part.size);
    return check_hash_equal(&hash, commitment);
}

/* The map behind the salt. */
static bool part_open(struct span part, struct pick *pick, size_t *fields)
{
    if (part.size < SALT || part.size > PART_SIZE_MAX)
        return false;
    *pick = pick_of((struct span){ part.data + SALT, part.size - SALT });
    *fields = pick_map(pick);
    return true;
}

/* The next key of the map. Not ascending ends it. */
static uint64_t key_read(struct pick *pick, size_t index, uint64_t last)
{
    uint64_t key = pick_uint(pick);
    if (index > 0 && key <= last)
        pick->bad = true;
    return key;
}

/* A text of a request: empty is refused, as is a longer one. */
static struct span text_read(struct pick *pick, size_t size_max)
{
    struct span text = pick_str(pick);
    if (text.size == 0 || text.size > size_max)
        pick->bad = true;
    return text;
}

/* A terminated copy for the digest; freed by content_close(). */
static const char *text_copy(struct pick *pick, size_t size_max)
{
    struct span text = text_read(pick, size_max);
    char *copy = strndup((const char *)text.data, text.size);
    if (!copy || strlen(copy) != text.size)
        pick->bad = true;
    return copy;
}

static void content_close(struct request_content *content)
{
    free((void *)(uintptr_t)content->subject);
    free((void *)(uintptr_t)content->place);
    free((void *)(uintptr_t)content->name);
    free((void *)(uintptr_t)content->national_id);
    free((void *)(uintptr_t)content->phone);
    free((void *)(uintptr_t)content->text);
    free((void *)(uintptr_t)content->address);
    content->subject = content->place = content->name = content->national_id = content->phone =
        content->text = content->address = NULL;
}

const char *check_request_read(struct check_request *request, struct span facts)
{
    struct pick pick;
    size_t fields;
    unsigned seen = 0;
    *request = (struct check_request){ 0 };
    struct request_content *content = &request->content;
    if (!part_open(facts, &pick, &fields))
        return "its facts have no salt, or are too large";
    for (size_t i = 0, key = 0; i < fields && !pick.bad; i++) {
        key = key_read(&pick, i, key);
        seen |= key < 32 ? 1u << key : 0;
        switch (key) {
        case 1:
            if (pick_uint(&pick) > TIME_MAX_MS)
                pick.bad = true;
            break;
        case 2:
            request->code = pick_str(&pick);
            break;
        case 3:
            content->kind = pick_uint(&pick);
            break;
        case 4:
            content->channel = pick_uint(&pick);
            break;
        case 5:
            content->subject = text_copy(&pick, 64);
            break;
        case 6:
            content->place = text_copy(&pick, 128);
            break;
        case 7:
            request->client = text_read(&pick, 64);
            break;
        case 8:
            request->key = text_read(&pick, 64);
            break;
        default:
            pick_skip(&pick);
        }
    }
    content_digest_facts(content, &request->facts_content);
    content_close(content);
    bool good = pick_at_end(&pick) && (seen & 0x1be) == 0x1be && is_digits(request->code, 14) &&
                content->kind >= 1 && content->kind <= 9 && content->channel >= 1 &&
                content->channel <= 7 && is_printable(request->key);
    return good ? NULL : "its facts are not those of a request";
}

const char *check_person_read(struct check_hash *digest, struct span person)
{
    struct pick pick;
    struct request_content content = { 0 };
    size_t fields;
    if (!part_open(person, &pick, &fields))
        return "its person part has no salt, or is too large";
    for (size_t i = 0, key = 0; i < fields && !pick.bad; i++) {
        key = key_read(&pick, i, key);
        switch (key) {
        case 1:
            content.name = text_copy(&pick, 200);
            break;
        case 2:
            content.national_id = text_copy(&pick, 10);
            break;
        case 3:
            content.phone = text_copy(&pick, 16);
            break;
        case 4:
            content.text = text_copy(&pick, 20000);
            break;
        case 5:
            content.address = text_copy(&pick, 1000);
            break;
        default:
            pick_skip(&pick);
        }
    }
    bool good = pick_at_end(&pick) && content.name && content.text;
    if (good)
        content_digest_person(&content, digest);
    content_close(&content);
    return good ? NULL : "its person part is not that of a request";
}

const char *check_erase_read(struct check_erase *erase, struct span facts)
{
    struct pick pick;
    size_t fields;
    bool named = false, reasoned = false;
    *erase = (struct check_erase){ .position = 0 };
    if (!part_open(facts, &pick, &fields))
        return "its facts have no salt, or are too large";
    for (size_t i = 0, key = 0; i < fields && !pick.bad; i++) {
        key = key_read(&pick, i, key);
        if (key == 2) {
            pick_array_of(&pick, 2);
            named = log_id_read(&pick, erase->origin);
            erase->position = position_read(&pick);
        } else if (key == 3) {
            reasoned = text_read(&pick, 200).size > 0;
        } else {
            pick_skip(&pick);
        }
    }
    return pick_at_end(&pick) && named && reasoned ? NULL : "its facts are not those of an erasure";
}

const char *check_incarnation_read(struct span facts, check_parent *parent, void *context)
{
    struct pick pick;
    size_t fields;
    bool has_parents = false;
    if (!part_open(facts, &pick, &fields))
        return "its facts have no salt, or are too large";
    for (size_t i = 0, key = 0; i < fields && !pick.bad; i++) {
        key = key_read(&pick, i, key);
        size_t count = key == 1 ? pick_array(&pick) : 0;
        if (key != 1)
            pick_skip(&pick);
        has_parents |= key == 1 && !pick.bad;
        if (count > PARENTS_MAX)
            pick.bad = true;
        for (size_t k = 0; k < count && !pick.bad; k++) {
            char origin[CHECK_ORIGIN_SIZE];
            struct check_hash root;
            pick_array_of(&pick, 3);
            log_id_read(&pick, origin);
            uint64_t size = position_read(&pick);
            pick_bin_of(&pick, 32, root.bytes);
            if (!pick.bad && parent)
                parent(context, origin, size, &root);
        }
    }
    return pick_at_end(&pick) && has_parents ? NULL : "its facts are not those of an incarnation";
}
