#include "proto/secure/note.h"

#include "proto/secure/merkle.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static const char hub_name[] = "samad/hub-1/receipt";

static struct sign_key key_of(uint8_t first)
{
    uint8_t seed[KEY_SIZE];
    struct sign_key key;
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(first + i);
    sign_key_from_seed(&key, seed);
    return key;
}

static struct checkpoint example_checkpoint(uint64_t size)
{
    static const uint8_t incarnation[INCARNATION_SIZE] = { 0xab, 0xcd };
    struct checkpoint checkpoint = { .size = size };
    log_id_init(&checkpoint.log, bytes_of_string("ardabil"), bytes_of_string("hub"), incarnation);
    merkle_leaf_hash(&checkpoint.root, bytes_of_string("root"));
    return checkpoint;
}

static struct buffer example_note(uint64_t size)
{
    struct buffer note = { 0 };
    struct checkpoint checkpoint = example_checkpoint(size);
    struct sign_key key = key_of(0);
    checkpoint_sign(&note, &checkpoint, &key);
    cr_assert_eq(note.err, OK);
    return note;
}

static struct buffer example_receipt(uint64_t size, int64_t time_s)
{
    struct buffer note = example_note(size), receipt = { 0 };
    struct sign_key hub = key_of(100);
    cr_assert_eq(receipt_sign(&receipt, buffer_bytes(&note), bytes_of_string(hub_name), time_s,
                              &hub), OK);
    buffer_close(&note);
    return receipt;
}

static enum err parse_string(const char *note)
{
    struct checkpoint checkpoint;
    return checkpoint_parse(&checkpoint, bytes_of_string(note));
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

Test(note, a_signed_checkpoint_opens_with_the_logs_key)
{
    static const uint64_t sizes[] = { 0, 1, 9, 10, 20852163, CHECKPOINT_TREE_SIZE_MAX };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buffer note = example_note(sizes[i]);
        struct checkpoint opened, expected = example_checkpoint(sizes[i]);
        struct sign_key key = key_of(0);
        cr_assert_eq(checkpoint_open(&opened, buffer_bytes(&note), &key.public), OK);
        cr_assert(log_id_equal(&opened.log, &expected.log));
        cr_assert_eq(opened.size, expected.size);
        cr_assert(hash_equal(&opened.root, &expected.root));
        buffer_close(&note);
    }
}

Test(note, a_checkpoint_of_another_key_is_refused_but_parses)
{
    struct buffer note = example_note(5);
    struct checkpoint checkpoint;
    struct sign_key other = key_of(1);
    cr_assert_eq(checkpoint_open(&checkpoint, buffer_bytes(&note), &other.public), ERR_SIGNATURE);
    cr_assert_eq(checkpoint_parse(&checkpoint, buffer_bytes(&note)), OK);
    buffer_close(&note);
}

Test(note, a_checkpoint_with_any_bit_flipped_is_refused)
{
    struct buffer note = example_note(12345);
    struct sign_key key = key_of(0);
    struct checkpoint checkpoint;
    for (size_t i = 0; i < 8 * note.size; i++) {
        note.data[i / 8] ^= (uint8_t)(1 << i % 8);
        cr_assert_neq(checkpoint_open(&checkpoint, buffer_bytes(&note), &key.public), OK,
                      "bit %zu", i);
        note.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    buffer_close(&note);
}

Test(note, a_checkpoint_cut_or_lengthened_anywhere_is_refused)
{
    struct buffer note = example_note(12345);
    struct checkpoint checkpoint;
    for (size_t size = 0; size < note.size; size++)
        cr_assert_eq(checkpoint_parse(&checkpoint, bytes_of(note.data, size)), ERR_MALFORMED);
    buffer_append_u8(&note, '\n');
    cr_assert_eq(checkpoint_parse(&checkpoint, buffer_bytes(&note)), ERR_MALFORMED);
    buffer_close(&note);
}

#define ORIGIN "samad/qom/hub/00000000000000000000000000000001"
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
#define LINE "\xe2\x80\x94 example.com/a AAAAAAE=\n"

Test(note, only_the_exact_form_of_a_checkpoint_parses)
{
    cr_assert_eq(parse_string(ORIGIN "\n7\n" ROOT "\n\n" LINE), OK);
    cr_assert_eq(parse_string(ORIGIN "\n0\n" ROOT "\n\n" LINE LINE), OK);
    static const char *bad[] = {
        ORIGIN "\n7\n" ROOT "\n\n",                        /* no signature */
        ORIGIN "\n7\n" ROOT "\n" LINE,                     /* no blank line */
        ORIGIN "\n7\n" ROOT "\n\n\n" LINE,                 /* two blank lines */
        ORIGIN "\n7\n" ROOT "\nextension\n\n" LINE,        /* extension lines are not used */
        ORIGIN "\n7\n" ROOT "\n\n" LINE "\n" LINE,         /* a later blank line */
        ORIGIN "\n7\n" ROOT "\n\n" LINE "x",               /* no newline at the end */
        "\n" ORIGIN "\n7\n" ROOT "\n\n" LINE,              /* begins with a blank line */
        "example.com/log\n7\n" ROOT "\n\n" LINE,           /* not an origin of ours */
        ORIGIN " \n7\n" ROOT "\n\n" LINE,                  /* */
        ORIGIN "\r\n7\r\n" ROOT "\r\n\r\n" LINE,           /* other line ends */
        ORIGIN "\n\n" ROOT "\n\n" LINE,                    /* no size */
        ORIGIN "\n07\n" ROOT "\n\n" LINE,                  /* leading zero */
        ORIGIN "\n+7\n" ROOT "\n\n" LINE,                  /* */
        ORIGIN "\n-7\n" ROOT "\n\n" LINE,                  /* */
        ORIGIN "\n7 \n" ROOT "\n\n" LINE,                  /* */
        ORIGIN "\n0x7\n" ROOT "\n\n" LINE,                 /* */
        ORIGIN "\n9223372036854775808\n" ROOT "\n\n" LINE, /* 2^63 */
        ORIGIN "\n18446744073709551617\n" ROOT "\n\n" LINE, /* 2^64 + 1 */
        ORIGIN "\n7\n" ROOT "=\n\n" LINE,
        ORIGIN "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n\n" LINE,  /* unpadded */
        ORIGIN "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n\n" LINE, /* unused bits set */
        ORIGIN "\n7\nCsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=\n\n" LINE, /* URL alphabet */
        ORIGIN "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jx\n\n" LINE,     /* 30 bytes */
        ORIGIN "\n7\n47a\xe2\x80\x8a+8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n" LINE, /* U+200A */
        ORIGIN "\n7\n" ROOT "\n\n- example.com/a AAAAAAE=\n",                /* not an em dash */
        ORIGIN "\n7\n" ROOT "\n\n\xe2\x80\x94 example.com/a\n",
        ORIGIN "\n7\n" ROOT "\n\n\xe2\x80\x94  AAAAAAE=\n",                  /* no name */
        ORIGIN "\n7\n" ROOT "\n\n\xe2\x80\x94 a+b AAAAAAE=\n",
        ORIGIN "\n7\n" ROOT "\n\n\xe2\x80\x94 a\xc2\xa0" "b AAAAAAE=\n",     /* U+00A0 */
        ORIGIN "\n7\n" ROOT "\n\n\xe2\x80\x94 a\tb AAAAAAE=\n",
        ORIGIN "\n7\n" ROOT "\n\n\xe2\x80\x94 a\xff AAAAAAE=\n",             /* not UTF-8 */
        ORIGIN "\n7\n" ROOT "\n\n\xe2\x80\x94 a AAAAAA==\n",                 /* a key id alone */
        ORIGIN "\n7\n" ROOT "\n\n\xe2\x80\x94 a AAAAAAE= \n",
        ORIGIN "\n7\n" ROOT "\n\n\xe2\x80\x94 a \n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(parse_string(bad[i]), ERR_MALFORMED, "case %zu: %s", i, bad[i]);
    struct checkpoint checkpoint;
    static const char nul[] = ORIGIN "\n7\n" ROOT "\n\n\xe2\x80\x94 a\0 AAAAAAE=\n";
    cr_assert_eq(checkpoint_parse(&checkpoint, bytes_of(nul, sizeof nul - 1)), ERR_MALFORMED);
    cr_assert_eq(checkpoint_parse(&checkpoint, BYTES_NONE), ERR_MALFORMED);
}

Test(note, sixteen_signatures_are_accepted_and_seventeen_refused)
{
    struct buffer note = { 0 };
    struct checkpoint checkpoint;
    buffer_append_string(&note, ORIGIN "\n7\n" ROOT "\n\n");
    for (int i = 0; i < NOTE_SIGNATURE_MAX; i++) {
        buffer_append_string(&note, LINE);
        cr_assert_eq(checkpoint_parse(&checkpoint, buffer_bytes(&note)), OK);
    }
    buffer_append_string(&note, LINE);
    cr_assert_eq(checkpoint_parse(&checkpoint, buffer_bytes(&note)), ERR_MALFORMED);
    buffer_close(&note);
}

Test(note, sixteen_cosignatures_with_the_longest_names_fit)
{
    struct buffer note = example_note(CHECKPOINT_TREE_SIZE_MAX), next = { 0 };
    for (uint8_t i = 1; i < NOTE_SIGNATURE_MAX; i++) {
        struct sign_key key = key_of(i);
        char name[NOTE_NAME_SIZE_MAX + 1];
        memset(name, 'h', NOTE_NAME_SIZE_MAX);
        name[NOTE_NAME_SIZE_MAX] = '\0';
        buffer_clear(&next);
        cr_assert_eq(receipt_sign(&next, buffer_bytes(&note), bytes_of_string(name), INT64_MAX,
                                  &key), OK, "%d", i);
        struct buffer swap = note;
        note = next;
        next = swap;
    }
    struct sign_key key = key_of(200);
    size_t before = next.size;
    cr_assert_eq(receipt_sign(&next, buffer_bytes(&note), bytes_of_string("one.more"), 0, &key),
                 ERR_TOO_LARGE);
    cr_assert_eq(next.size, before);
    buffer_close(&note);
    buffer_close(&next);
}

Test(note, unknown_signatures_are_ignored)
{
    struct buffer note = example_note(5), signed_note = { 0 };
    struct sign_key key = key_of(0);
    struct checkpoint checkpoint;
    /* Lines before and after; the same name with another key id is another key. */
    const uint8_t *end_of_text = memmem(note.data, note.size, "\n\n", 2);
    size_t text_size = (size_t)(end_of_text - note.data) + 2;
    buffer_append(&signed_note, note.data, text_size);
    buffer_append_string(&signed_note, LINE);
    buffer_append_string(&signed_note,
                         "\xe2\x80\x94 samad/ardabil/hub/abcd0000000000000000000000000000 AAAAAAE=\n");
    buffer_append(&signed_note, note.data + text_size, note.size - text_size);
    buffer_append_string(&signed_note, "\xe2\x80\x94 \xd8\xb4\xd8\xa7\xd9\x87\xd8\xaf AAAAAAE=\n");
    cr_assert_eq(checkpoint_open(&checkpoint, buffer_bytes(&signed_note), &key.public), OK);
    buffer_close(&note);
    buffer_close(&signed_note);
}

Test(note, the_logs_line_given_twice_is_refused)
{
    struct buffer note = example_note(5);
    struct sign_key key = key_of(0);
    struct checkpoint checkpoint;
    const uint8_t *end_of_text = memmem(note.data, note.size, "\n\n", 2);
    size_t text_size = (size_t)(end_of_text - note.data) + 2;
    struct buffer doubled = { 0 };
    buffer_append(&doubled, note.data, note.size);
    buffer_append(&doubled, note.data + text_size, note.size - text_size);
    cr_assert_eq(checkpoint_open(&checkpoint, buffer_bytes(&doubled), &key.public), ERR_SIGNATURE);
    buffer_close(&note);
    buffer_close(&doubled);
}

/* ---- receipts ------------------------------------------------------------------------------- */

Test(note, a_receipt_gives_its_time_and_keeps_the_logs_signature)
{
    static const int64_t times[] = { 0, 1679315147, INT64_MAX };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct buffer receipt = example_receipt(5, times[i]);
        struct sign_key key = key_of(0), hub = key_of(100);
        struct checkpoint checkpoint;
        int64_t time_s = -1;
        cr_assert_eq(receipt_open(buffer_bytes(&receipt), bytes_of_string(hub_name), &hub.public,
                                  &time_s), OK);
        cr_assert_eq(time_s, times[i]);
        cr_assert_eq(checkpoint_open(&checkpoint, buffer_bytes(&receipt), &key.public), OK);
        buffer_close(&receipt);
    }
}

/* The signed bytes put together by hand from tlog-cosignature, verified by libsodium alone. */
Test(note, a_receipts_bytes_are_those_of_the_specification)
{
    struct buffer note = example_note(5), receipt = example_receipt(5, 1679315147);
    struct sign_key hub = key_of(100);
    cr_assert_eq(memcmp(receipt.data, note.data, note.size), 0, "the note comes first, unchanged");
    const char *line = (const char *)receipt.data + note.size;
    const char prefix[] = "\xe2\x80\x94 samad/hub-1/receipt ";
    cr_assert_eq(memcmp(line, prefix, strlen(prefix)), 0);
    cr_assert_eq(receipt.data[receipt.size - 1], '\n');

    uint8_t raw[4 + 8 + 64];
    size_t raw_size;
    size_t base64_size = receipt.size - note.size - strlen(prefix) - 1;
    cr_assert_eq(sodium_base642bin(raw, sizeof raw, line + strlen(prefix), base64_size, NULL,
                                   &raw_size, NULL, sodium_base64_VARIANT_ORIGINAL), 0);
    cr_assert_eq(raw_size, sizeof raw);

    uint8_t id_input[sizeof hub_name + 1 + 32], id[32];
    memcpy(id_input, hub_name, sizeof hub_name - 1);
    id_input[sizeof hub_name - 1] = '\n';
    id_input[sizeof hub_name] = 0x04;
    memcpy(id_input + sizeof hub_name + 1, hub.public.bytes, 32);
    crypto_hash_sha256(id, id_input, sizeof id_input);
    cr_assert_arr_eq(raw, id, 4);
    static const uint8_t time_bytes[8] = { 0, 0, 0, 0, 0x64, 0x18, 0x50, 0xcb };
    cr_assert_arr_eq(raw + 4, time_bytes, 8);

    struct buffer message = { 0 };
    buffer_append_string(&message, "cosignature/v1\ntime 1679315147\n");
    const uint8_t *end_of_text = memmem(note.data, note.size, "\n\n", 2);
    buffer_append(&message, note.data, (size_t)(end_of_text - note.data) + 1);
    cr_assert_eq(crypto_sign_verify_detached(raw + 12, message.data, message.size,
                                             hub.public.bytes), 0);
    buffer_close(&message);
    buffer_close(&note);
    buffer_close(&receipt);
}

Test(note, a_receipt_with_any_bit_of_text_or_line_flipped_is_refused)
{
    struct buffer note = example_note(5), receipt = example_receipt(5, 1679315147);
    struct sign_key key = key_of(0), hub = key_of(100);
    struct checkpoint checkpoint;
    int64_t time_s;
    for (size_t i = 0; i < 8 * receipt.size; i++) {
        receipt.data[i / 8] ^= (uint8_t)(1 << i % 8);
        bool taken = receipt_open(buffer_bytes(&receipt), bytes_of_string(hub_name), &hub.public,
                                  &time_s) == OK &&
                     checkpoint_open(&checkpoint, buffer_bytes(&receipt), &key.public) == OK;
        cr_assert(!taken, "bit %zu", i);
        receipt.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    buffer_close(&note);
    buffer_close(&receipt);
}

Test(note, a_receipt_of_another_hub_or_key_is_not_found)
{
    struct buffer receipt = example_receipt(5, 1);
    struct sign_key hub = key_of(100), other = key_of(101);
    int64_t time_s;
    cr_assert_eq(receipt_open(buffer_bytes(&receipt), bytes_of_string("samad/hub-2/receipt"),
                              &hub.public, &time_s), ERR_NOT_FOUND);
    cr_assert_eq(receipt_open(buffer_bytes(&receipt), bytes_of_string(hub_name), &other.public,
                              &time_s), ERR_NOT_FOUND);
    cr_assert_eq(receipt_open(bytes_of_string("x"), bytes_of_string(hub_name), &hub.public,
                              &time_s), ERR_MALFORMED);
    buffer_close(&receipt);
}

/* A cosignature over one checkpoint, put under another of the same log. */
Test(note, a_cosignature_moved_to_another_checkpoint_does_not_verify)
{
    struct buffer note = example_note(6), other = example_note(5), receipt = example_receipt(5, 1);
    struct sign_key hub = key_of(100);
    int64_t time_s;
    buffer_append(&note, receipt.data + other.size, receipt.size - other.size);
    cr_assert_eq(receipt_open(buffer_bytes(&note), bytes_of_string(hub_name), &hub.public, &time_s),
                 ERR_SIGNATURE);
    buffer_close(&note);
    buffer_close(&other);
    buffer_close(&receipt);
}

Test(note, a_receipt_is_not_signed_twice_by_one_key_and_two_lines_of_it_are_refused)
{
    struct buffer note = example_note(5), receipt = example_receipt(5, 1), again = { 0 };
    struct sign_key hub = key_of(100);
    int64_t time_s;
    cr_assert_eq(receipt_sign(&again, buffer_bytes(&receipt), bytes_of_string(hub_name), 2, &hub),
                 ERR_EXISTS);
    cr_assert_eq(again.size, 0);
    buffer_append(&again, receipt.data, receipt.size);
    buffer_append(&again, receipt.data + note.size, receipt.size - note.size);
    cr_assert_eq(receipt_open(buffer_bytes(&again), bytes_of_string(hub_name), &hub.public,
                              &time_s), ERR_SIGNATURE);
    buffer_close(&note);
    buffer_close(&receipt);
    buffer_close(&again);
}

Test(note, two_hubs_sign_one_checkpoint_and_both_receipts_open)
{
    struct buffer receipt = example_receipt(5, 1), both = { 0 };
    struct sign_key hub = key_of(100), second = key_of(101);
    int64_t first_time, second_time;
    cr_assert_eq(receipt_sign(&both, buffer_bytes(&receipt), bytes_of_string("samad/hub-2/receipt"),
                              2, &second), OK);
    cr_assert_eq(receipt_open(buffer_bytes(&both), bytes_of_string(hub_name), &hub.public,
                              &first_time), OK);
    cr_assert_eq(receipt_open(buffer_bytes(&both), bytes_of_string("samad/hub-2/receipt"),
                              &second.public, &second_time), OK);
    cr_assert_eq(first_time, 1);
    cr_assert_eq(second_time, 2);
    buffer_close(&receipt);
    buffer_close(&both);
}

Test(note, what_cannot_be_signed_is_refused_and_appends_nothing)
{
    struct buffer note = example_note(5), out = { 0 };
    struct sign_key hub = key_of(100);
    struct bytes good = buffer_bytes(&note), name = bytes_of_string(hub_name);
    char long_name[NOTE_NAME_SIZE_MAX + 2];
    memset(long_name, 'n', sizeof long_name);
    cr_assert_eq(receipt_sign(&out, good, name, -1, &hub), ERR_INVALID);
    cr_assert_eq(receipt_sign(&out, good, BYTES_NONE, 1, &hub), ERR_INVALID);
    cr_assert_eq(receipt_sign(&out, good, bytes_of_string("a b"), 1, &hub), ERR_INVALID);
    cr_assert_eq(receipt_sign(&out, good, BYTES_OF_ARRAY(long_name), 1, &hub), ERR_INVALID);
    cr_assert_eq(receipt_sign(&out, bytes_of_string("hello\n"), name, 1, &hub), ERR_MALFORMED);
    cr_assert_eq(out.size, 0);
    buffer_close(&note);
}

/* ---- verifier keys -------------------------------------------------------------------------- */

/* The example of c2sp.org/signed-note, section "Verifier keys". */
Test(note, the_specifications_example_key_verifies_its_example_note)
{
    static const char vkey[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    static const char signature[] = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj"
                                    "OBH3mFXmRKuwHjG1Yu72IneyaQM=";
    char name[NOTE_NAME_SIZE_MAX + 1], again[VKEY_SIZE_MAX + 1];
    enum note_key_type type;
    struct sign_public key;
    cr_assert_eq(note_vkey_parse(bytes_of_string(vkey), name, &type, &key), OK);
    cr_assert_str_eq(name, "example.com/foo");
    cr_assert_eq(type, NOTE_KEY_ED25519);

    uint8_t raw[4 + SIGNATURE_SIZE];
    size_t size;
    cr_assert_eq(sodium_base642bin(raw, sizeof raw, signature, strlen(signature), NULL, &size, NULL,
                                   sodium_base64_VARIANT_ORIGINAL), 0);
    static const uint8_t id[] = { 0x53, 0x0d, 0x90, 0x3a };
    cr_assert_arr_eq(raw, id, 4);
    cr_assert_eq(sign_verify(&key, bytes_of_string("This is an example message.\n"), raw + 4), OK);

    note_vkey(again, bytes_of_string(name), type, &key);
    cr_assert_str_eq(again, vkey);
}

Test(note, a_verifier_key_reads_back_and_its_id_depends_on_the_type)
{
    struct sign_key key = key_of(9);
    struct sign_public back;
    char log[VKEY_SIZE_MAX + 1], hub[VKEY_SIZE_MAX + 1], name[NOTE_NAME_SIZE_MAX + 1];
    enum note_key_type type;
    note_vkey(log, bytes_of_string(hub_name), NOTE_KEY_ED25519, &key.public);
    note_vkey(hub, bytes_of_string(hub_name), NOTE_KEY_COSIGNATURE, &key.public);
    cr_assert_neq(memcmp(log + strlen(hub_name), hub + strlen(hub_name), 9), 0);
    cr_assert_eq(note_vkey_parse(bytes_of_string(hub), name, &type, &back), OK);
    cr_assert_str_eq(name, hub_name);
    cr_assert_eq(type, NOTE_KEY_COSIGNATURE);
    cr_assert_arr_eq(back.bytes, key.public.bytes, KEY_SIZE);
}

Test(note, the_longest_verifier_key_fits)
{
    struct sign_key key = key_of(9);
    struct sign_public back;
    char name[NOTE_NAME_SIZE_MAX + 1], vkey[VKEY_SIZE_MAX + 1], name_back[NOTE_NAME_SIZE_MAX + 1];
    enum note_key_type type;
    memset(name, 'n', NOTE_NAME_SIZE_MAX);
    name[NOTE_NAME_SIZE_MAX] = '\0';
    note_vkey(vkey, bytes_of_string(name), NOTE_KEY_ED25519, &key.public);
    cr_assert_eq(note_vkey_parse(bytes_of_string(vkey), name_back, &type, &back), OK);
    cr_assert_str_eq(name_back, name);
}

Test(note, a_verifier_key_in_any_other_form_is_refused)
{
    static const struct {
        const char *vkey;
        enum err err;
    } cases[] = {
        { "", ERR_MALFORMED },
        { "example.com/foo", ERR_MALFORMED },
        { "example.com/foo+530d903a", ERR_MALFORMED },
        { "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_MALFORMED },
        { "example.com/fo +530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_MALFORMED },
        { "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_MALFORMED },
        { "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_MALFORMED },
        { "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_MALFORMED },
        { "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2", ERR_MALFORMED },
        { "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2kAA==",
          ERR_MALFORMED },
        { "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_VERSION },
        { "example.com/foo+530d903a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ERR_MALFORMED },
    };
    char name[NOTE_NAME_SIZE_MAX + 1];
    enum note_key_type type;
    struct sign_public key;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_eq(note_vkey_parse(bytes_of_string(cases[i].vkey), name, &type, &key),
                     cases[i].err, "%s", cases[i].vkey);
}
