#include "tests/fuzz/fuzz.h"

#include "proto/secure/note.h"

#include <string.h>

static const char cosigner[] = "samad/hub-1/receipt";

static struct sign_key fixed_key(void)
{
    static const uint8_t seed[KEY_SIZE] = { 1 };
    struct sign_key key;
    sign_key_from_seed(&key, seed);
    return key;
}

/* A note that opens has the one text that its checkpoint is written as. */
static void check_text(struct bytes note, const struct checkpoint *checkpoint,
                       const struct sign_key *key)
{
    struct buffer again = { 0 };
    checkpoint_sign(&again, checkpoint, key);
    const uint8_t *end = memmem(again.data, again.size, "\n\n", 2);
    size_t text_size = (size_t)(end - again.data) + 2;
    require(note.size > text_size && memcmp(note.data, again.data, text_size) == 0);
    buffer_close(&again);
}

/* Any checkpoint note takes one cosignature, and then that receipt opens. */
static void check_receipt(struct bytes note, const struct sign_key *key)
{
    struct buffer receipt = { 0 };
    int64_t time_s = -1;
    enum err err = receipt_sign(&receipt, note, bytes_of_string(cosigner), 1679315147, key);
    if (err == OK) {
        err =
            receipt_open(buffer_bytes(&receipt), bytes_of_string(cosigner), &key->public, &time_s);
        require(err == OK && time_s == 1679315147);
    } else {
        require(err == ERR_EXISTS || err == ERR_TOO_LARGE);
        require(receipt.size == 0);
    }
    buffer_close(&receipt);
}

static void check_vkey(struct bytes input)
{
    char name[NOTE_NAME_SIZE_MAX + 1], again[VKEY_SIZE_MAX + 1];
    enum note_key_type type;
    struct sign_public key;
    if (note_vkey_parse(input, name, &type, &key) != OK)
        return;
    note_vkey(again, bytes_of_string(name), type, &key);
    require(bytes_equal(bytes_of_string(again), input));
}

FUZZ_TARGET(note)
{
    struct checkpoint parsed, opened;
    struct sign_key key = fixed_key();
    int64_t time_s;
    check_vkey(input);
    enum err err = checkpoint_parse(&parsed, input);
    enum err open_err = checkpoint_open(&opened, input, &key.public);
    enum err receipt_err = receipt_open(input, bytes_of_string(cosigner), &key.public, &time_s);
    if (err != OK) {
        require(err == ERR_MALFORMED && open_err == ERR_MALFORMED && receipt_err == ERR_MALFORMED);
        return;
    }
    require(open_err == OK || open_err == ERR_SIGNATURE);
    check_text(input, &parsed, &key);
    check_receipt(input, &key);
}
