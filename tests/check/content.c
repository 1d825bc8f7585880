#include "tests/check/content.h"

#include <sodium.h>
#include <string.h>

/* What is to be hashed, gathered: many short updates cost more than the hashing. */
struct digest {
    crypto_hash_sha256_state state;
    unsigned char gathered[512];
    size_t size;
};

static void digest_flush(struct digest *digest)
{
    crypto_hash_sha256_update(&digest->state, digest->gathered, digest->size);
    digest->size = 0;
}

static void digest_add(struct digest *digest, const char *text, size_t size)
{
    if (size > sizeof digest->gathered - digest->size)
        digest_flush(digest);
    if (size > sizeof digest->gathered) {
        crypto_hash_sha256_update(&digest->state, (const unsigned char *)text, size);
        return;
    }
    memcpy(digest->gathered + digest->size, text, size);
    digest->size += size;
}

static size_t decimal(char out[24], uint64_t number)
{
    char digits[24];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    return count;
}

/* As a netstring: «5:words,». */
static void digest_text(struct digest *digest, const char *text, size_t length)
{
    char size[24];
    size_t digits = decimal(size, length);
    size[digits] = ':';
    digest_add(digest, size, digits + 1);
    digest_add(digest, text, length);
    digest_add(digest, ",", 1);
}

static void digest_string(struct digest *digest, const char *text)
{
    digest_text(digest, text ? text : "", text ? strlen(text) : 0);
}

static void digest_number(struct digest *digest, uint64_t number)
{
    char text[24];
    digest_text(digest, text, decimal(text, number));
}

static void digest_begin(struct digest *digest, const char *part)
{
    crypto_hash_sha256_init(&digest->state);
    digest->size = 0;
    digest_add(digest, part, strlen(part));
}

static void digest_end(struct digest *digest, struct check_hash *hash)
{
    digest_flush(digest);
    crypto_hash_sha256_final(&digest->state, hash->bytes);
}

void content_digest_facts(const struct request_content *content, struct check_hash *facts)
{
    struct digest digest;
    digest_begin(&digest, "facts");
    digest_number(&digest, content->kind);
    digest_number(&digest, content->channel);
    digest_string(&digest, content->subject);
    digest_string(&digest, content->place);
    digest_end(&digest, facts);
}

void content_digest_person(const struct request_content *content, struct check_hash *person)
{
    struct digest digest;
    digest_begin(&digest, "person");
    digest_string(&digest, content->name);
    digest_string(&digest, content->national_id);
    digest_string(&digest, content->phone);
    digest_string(&digest, content->text);
    digest_string(&digest, content->address);
    digest_end(&digest, person);
}

void content_digest(const struct request_content *content, struct check_hash *facts,
                    struct check_hash *person)
{
    content_digest_facts(content, facts);
    content_digest_person(content, person);
}
