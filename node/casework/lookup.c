#include "node/casework/lookup.h"

#include <sodium.h>
#include <string.h>

_Static_assert(LOOKUP_HASH_SIZE == crypto_generichash_BYTES_MIN, "a length libsodium accepts");
_Static_assert(LOOKUP_KEY_SIZE == crypto_generichash_KEYBYTES, "a length libsodium accepts");

/* Input of a hash on its way: a few large updates cost less than many small ones. */
struct gather {
    crypto_generichash_state state;
    uint8_t data[512];
    size_t size;
};

static void gather_add(struct gather *gather, const void *data, size_t size)
{
    if (size > sizeof gather->data - gather->size) {
        crypto_generichash_update(&gather->state, gather->data, gather->size);
        gather->size = 0;
    }
    if (size > sizeof gather->data) {
        crypto_generichash_update(&gather->state, data, size);
    } else if (size > 0) {
        memcpy(gather->data + gather->size, data, size);
        gather->size += size;
    }
}

/* Each range with its length before it: no two lists of ranges are the same input. */
static struct lookup_hash hash_ranges(const struct lookup_key *key, char sort,
                                      const struct bytes *ranges, size_t count)
{
    struct gather gather;
    struct lookup_hash hash;
    gather.size = 0;
    crypto_generichash_init(&gather.state, key->bytes, sizeof key->bytes, sizeof hash.bytes);
    gather_add(&gather, &sort, 1);
    for (size_t i = 0; i < count; i++) {
        uint8_t size[4];
        put_u32(size, (uint32_t)ranges[i].size);
        gather_add(&gather, size, sizeof size);
        gather_add(&gather, ranges[i].data, ranges[i].size);
    }
    crypto_generichash_update(&gather.state, gather.data, gather.size);
    crypto_generichash_final(&gather.state, hash.bytes, sizeof hash.bytes);
    return hash;
}

struct lookup_hash lookup_phone(const struct lookup_key *key, struct bytes phone)
{
    return hash_ranges(key, 'p', &phone, 1);
}

struct lookup_hash lookup_national_id(const struct lookup_key *key, struct bytes national_id)
{
    return hash_ranges(key, 'n', &national_id, 1);
}

struct lookup_hash lookup_last_digits(const struct lookup_key *key, struct bytes code,
                                      struct bytes last_digits)
{
    return hash_ranges(key, 'l', (const struct bytes[]){ code, last_digits }, 2);
}

struct lookup_hash lookup_fingerprint(const struct lookup_key *key,
                                      const struct request_facts *facts,
                                      const struct request_person *person)
{
    uint8_t numbers[8];
    put_u32(numbers, facts->kind);
    put_u32(numbers + 4, facts->channel);
    const struct bytes ranges[] = {
        BYTES_OF_ARRAY(numbers), facts->subject, facts->place, person->name,
        person->national_id,     person->phone,  person->text, person->address
    };
    struct lookup_hash hash = hash_ranges(key, 'f', ranges, sizeof ranges / sizeof *ranges);
    /* Zero means erased; the one hash in 2^128 that is zero becomes its neighbour. */
    hash.bytes[0] |= lookup_hash_is_zero(&hash);
    return hash;
}

bool lookup_hash_equal(const struct lookup_hash *a, const struct lookup_hash *b)
{
    return sodium_memcmp(a->bytes, b->bytes, LOOKUP_HASH_SIZE) == 0;
}

bool lookup_hash_is_zero(const struct lookup_hash *hash)
{
    return sodium_is_zero(hash->bytes, LOOKUP_HASH_SIZE) == 1;
}
