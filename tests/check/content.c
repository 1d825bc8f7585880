#include "tests/check/content.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void hash_text(crypto_hash_sha256_state *state, const char *text)
{
    char size[24];
    size_t length = text ? strlen(text) : 0;
    snprintf(size, sizeof size, "%zu:", length);
    crypto_hash_sha256_update(state, (const unsigned char *)size, strlen(size));
    if (length > 0)
        crypto_hash_sha256_update(state, (const unsigned char *)text, length);
    crypto_hash_sha256_update(state, (const unsigned char *)",", 1);
}

static void hash_number(crypto_hash_sha256_state *state, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    hash_text(state, text);
}

void content_digest(const struct request_content *content, struct check_hash *facts,
                    struct check_hash *person)
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)"facts", 5);
    hash_number(&state, content->kind);
    hash_number(&state, content->channel);
    hash_text(&state, content->subject);
    hash_text(&state, content->place);
    crypto_hash_sha256_final(&state, facts->bytes);

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)"person", 6);
    hash_text(&state, content->name);
    hash_text(&state, content->national_id);
    hash_text(&state, content->phone);
    hash_text(&state, content->text);
    hash_text(&state, content->address);
    crypto_hash_sha256_final(&state, person->bytes);
}
