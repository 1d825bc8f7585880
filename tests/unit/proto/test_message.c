#include "proto/wire/message.h"

#include "tests/unit/proto/forms.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define LOG "93 a76172646162696c a3687562 c410000102030405060708090a0b0c0d0e0f"
#define BAD_LOG "93 a141 a3687562 c410000102030405060708090a0b0c0d0e0f"
#define HASH "c420 404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
#define KEY "c420 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define SIGNATURE                                                          \
    "c440 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" \
    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define MOST "cf7fffffffffffffff"    /* 2^63 - 1 */
#define TOO_MUCH "cf8000000000000000"
#define NOTE "c404 6e6f7465"
#define TEXT "a3d8a72e"
#define TEXT256 "da0100" A128 A128
#define TEXT257 "da0101" A128 A128 A1

/* Frozen examples: the fields of one message of each type. A change here is a change of the
 * protocol. */
static const struct form {
    enum message_type type;
    const char *name;
    const char *head;
    const char *fields[8];
} FORMS[] = {
    { MESSAGE_HELLO, "hello", "98",
      { "01", "01", "02", "a76172646162696c", "01", "a973616d616420302e31", HASH, "ce00400000" } },
    { MESSAGE_HEADS, "heads", "93", { "02", "c3", "92 92" LOG "cd0539 92" LOG "00" } },
    { MESSAGE_WANT, "want", "94", { "03", LOG, "cd0500", "cd0539" } },
    { MESSAGE_CHECKPOINT, "checkpoint", "94", { "04", NOTE, "2a", "92" HASH HASH } },
    { MESSAGE_PACKAGE, "package", "98",
      { "05", LOG, "cd0500", "39", "cd0539", "01", "c403 010203", "91" HASH } },
    { MESSAGE_RECEIPT, "receipt", "92", { "06", NOTE } },
    { MESSAGE_CREDIT, "credit", "92", { "07", "ce00100000" } },
    { MESSAGE_REFUSAL, "refusal", "95", { "08", LOG, "01", "2a", TEXT } },
    { MESSAGE_FORK, "fork", "92", { "09", "c403 010203" } },
    { MESSAGE_PING, "ping", "92", { "0a", "cfffffffffffffffff" } },
    { MESSAGE_PONG, "pong", "92", { "0b", "00" } },
    { MESSAGE_CLOSE, "close", "93", { "0c", "07", TEXT } },
    { MESSAGE_ENROL, "enrol", "96",
      { "0d", "a76172646162696c", "a549522d3234", KEY, HASH, SIGNATURE } },
    { MESSAGE_ENROLLED, "enrolled", "94", { "0e", "01", TEXT, "ab3132332d3435362d373839" } },
};

static size_t field_count(const struct form *form)
{
    size_t count = 0;
    while (count < COUNT(form->fields) && form->fields[count])
        count++;
    return count;
}

static const struct form *form_of(enum message_type type)
{
    for (size_t i = 0; i < COUNT(FORMS); i++)
        if (FORMS[i].type == type)
            return &FORMS[i];
    abort();
}

static struct message decoded; /* large */

static enum err decode(struct bytes input)
{
    return message_decode(&decoded, input);
}

/* The example of `type` with one field exchanged. */
static void append_message(struct buffer *out, enum message_type type, size_t exchanged,
                           const char *by)
{
    const struct form *form = form_of(type);
    buffer_clear(out);
    append_form(out, form->head, form->fields, field_count(form), exchanged, by);
}

static void append_example(struct buffer *out, enum message_type type)
{
    append_message(out, type, SIZE_MAX, NULL);
}

/* Decodes the example of `type` into `decoded`. */
static struct message *example(struct buffer *out, enum message_type type)
{
    append_example(out, type);
    cr_assert(decode(buffer_bytes(out)) == OK, "%s", message_type_name(type));
    return &decoded;
}

Test(message, every_type_is_frozen_and_comes_back_in_the_same_bytes)
{
    struct buffer form = { 0 }, again = { 0 };
    cr_assert_eq(COUNT(FORMS), MESSAGE_ENROLLED);
    for (size_t i = 0; i < COUNT(FORMS); i++) {
        buffer_clear(&again);
        cr_expect(example(&form, FORMS[i].type)->type == FORMS[i].type);
        cr_expect_str_eq(message_type_name(FORMS[i].type), FORMS[i].name);
        cr_expect(message_encode(&again, &decoded) == OK);
        cr_expect(bytes_equal(buffer_bytes(&form), buffer_bytes(&again)), "%s", FORMS[i].name);
    }
    buffer_close(&form);
    buffer_close(&again);
}

Test(message, every_type_is_refused_when_cut_lengthened_or_not_in_its_shortest_form)
{
    struct buffer form = { 0 };
    for (size_t i = 0; i < COUNT(FORMS); i++) {
        append_example(&form, FORMS[i].type);
        assert_strict(buffer_bytes(&form), decode);
    }
    buffer_close(&form);
}

Test(message, one_field_more_or_less_is_refused)
{
    struct buffer out = { 0 };
    for (size_t i = 0; i < COUNT(FORMS); i++) {
        size_t count = field_count(&FORMS[i]);
        append_example(&out, FORMS[i].type);
        out.data[0]++;
        buffer_append_u8(&out, 0xc0);
        cr_expect(decode(buffer_bytes(&out)) == ERR_MALFORMED, "%s + nil", FORMS[i].name);
        append_message(&out, FORMS[i].type, count - 1, "");
        out.data[0]--;
        cr_expect(decode(buffer_bytes(&out)) == ERR_MALFORMED, "%s - 1", FORMS[i].name);
    }
    buffer_close(&out);
}

/* The only message with two forms: the longer one came with version 2. */
Test(message, a_want_may_name_a_branch_by_its_root)
{
    static const char *const fields[] = { "03", LOG, "00", "cd0539", HASH };
    static const char *const cases[] = { "c0", "c41f" A16 A8 A4 A2 A1, "c421" A32 A1, "" };
    struct buffer form = { 0 }, again = { 0 };
    append_form(&form, "95", fields, COUNT(fields), SIZE_MAX, NULL);
    cr_assert_eq(decode(buffer_bytes(&form)), OK);
    cr_assert(decoded.want.names_branch);
    cr_assert_eq(decoded.want.root.bytes[1], 0x41);
    cr_assert_eq(message_encode(&again, &decoded), OK);
    cr_assert(bytes_equal(buffer_bytes(&form), buffer_bytes(&again)));
    assert_strict(buffer_bytes(&form), decode);
    for (size_t i = 0; i < COUNT(cases); i++) {
        buffer_clear(&form);
        append_form(&form, "95", fields, COUNT(fields), 4, cases[i]);
        cr_expect_eq(decode(buffer_bytes(&form)), ERR_MALFORMED, "%s", cases[i]);
    }
    buffer_clear(&form); /* a branch is named by something that is in it */
    append_form(&form, "95", fields, COUNT(fields), 3, "00");
    cr_expect_eq(decode(buffer_bytes(&form)), ERR_MALFORMED);
    decoded.want.pending = 0;
    cr_expect_eq(message_encode(&again, &decoded), ERR_INVALID);
    cr_assert_not(example(&form, MESSAGE_WANT)->want.names_branch, "nor is a field left over");
    buffer_close(&form);
    buffer_close(&again);
}

Test(message, an_unknown_type_is_a_matter_of_version_and_anything_else_is_malformed)
{
    static const struct {
        const char *hex;
        enum err err;
    } rows[] = {
        { "91 00", ERR_VERSION }, { "91 0f", ERR_VERSION }, { "92 ccff 90", ERR_VERSION },
        { "91 cfffffffffffffffff", ERR_VERSION }, { "90", ERR_MALFORMED }, { "91 ff", ERR_MALFORMED },
        { "91 c0", ERR_MALFORMED }, { "0a", ERR_MALFORMED }, { "82 00 0a 01 00", ERR_MALFORMED },
        { "91 a161", ERR_MALFORMED }, { "ddff000000", ERR_MALFORMED }, { "", ERR_MALFORMED },
        { "92 0f cc00", ERR_MALFORMED }, /* the skim comes first */
    };
    struct buffer out = { 0 };
    for (size_t i = 0; i < COUNT(rows); i++) {
        buffer_clear(&out);
        append_hex(&out, rows[i].hex);
        cr_expect(decode(buffer_bytes(&out)) == rows[i].err, "%s", rows[i].hex);
    }
    cr_expect_str_eq(message_type_name((enum message_type)0), "unknown");
    cr_expect_str_eq(message_type_name((enum message_type)99), "unknown");
    buffer_close(&out);
}

Test(message, every_limit_is_held_on_both_sides)
{
    static const struct {
        enum message_type type;
        size_t field;
        const char *by;
        enum err err;
    } rows[] = {
        { MESSAGE_HELLO, 1, "00", ERR_MALFORMED },
        { MESSAGE_HELLO, 1, "02", OK },
        { MESSAGE_HELLO, 1, "03", ERR_MALFORMED }, /* the least above the most */
        { MESSAGE_HELLO, 2, "ceffffffff", OK },
        { MESSAGE_HELLO, 2, "cf0000000100000000", ERR_MALFORMED },
        { MESSAGE_HELLO, 3, "d920" A32, OK },
        { MESSAGE_HELLO, 3, "d921" A32 A1, ERR_MALFORMED },
        { MESSAGE_HELLO, 3, "a0", ERR_MALFORMED },
        { MESSAGE_HELLO, 3, "a131", ERR_MALFORMED },
        { MESSAGE_HELLO, 4, "00", ERR_MALFORMED },
        { MESSAGE_HELLO, 4, "02", OK },
        { MESSAGE_HELLO, 4, "03", ERR_MALFORMED },
        { MESSAGE_HELLO, 5, "a0", OK },
        { MESSAGE_HELLO, 5, "d940" A64, OK },
        { MESSAGE_HELLO, 5, "d941" A64 A1, ERR_MALFORMED },
        { MESSAGE_HELLO, 6, "c41f" A16 A8 A4 A2 A1, ERR_MALFORMED },
        { MESSAGE_HELLO, 6, "c421" A32 A1, ERR_MALFORMED },
        { MESSAGE_HELLO, 7, MOST, OK },
        { MESSAGE_HELLO, 7, TOO_MUCH, ERR_MALFORMED },
        { MESSAGE_HELLO, 7, "00", OK },

        { MESSAGE_HEADS, 1, "c2", OK },
        { MESSAGE_HEADS, 1, "c0", ERR_MALFORMED },
        { MESSAGE_HEADS, 1, "01", ERR_MALFORMED },
        { MESSAGE_HEADS, 2, "90", OK },
        { MESSAGE_HEADS, 2, "91 92" LOG MOST, OK },
        { MESSAGE_HEADS, 2, "91 92" LOG TOO_MUCH, ERR_MALFORMED },
        { MESSAGE_HEADS, 2, "91 91" LOG, ERR_MALFORMED },
        { MESSAGE_HEADS, 2, "91 93" LOG "00 00", ERR_MALFORMED },
        { MESSAGE_HEADS, 2, "91 92" BAD_LOG "00", ERR_MALFORMED },
        { MESSAGE_HEADS, 2, "91 c0", ERR_MALFORMED },
        { MESSAGE_HEADS, 2, "80", ERR_MALFORMED },

        { MESSAGE_WANT, 1, BAD_LOG, ERR_MALFORMED },
        { MESSAGE_WANT, 1, "c0", ERR_MALFORMED },
        { MESSAGE_WANT, 2, MOST, OK },
        { MESSAGE_WANT, 2, TOO_MUCH, ERR_MALFORMED },
        { MESSAGE_WANT, 3, MOST, OK },
        { MESSAGE_WANT, 3, TOO_MUCH, ERR_MALFORMED },

        { MESSAGE_CHECKPOINT, 1, "c400", ERR_MALFORMED },
        { MESSAGE_CHECKPOINT, 1, "c40161", OK },
        { MESSAGE_CHECKPOINT, 1, "a161", ERR_MALFORMED },
        { MESSAGE_CHECKPOINT, 2, MOST, OK },
        { MESSAGE_CHECKPOINT, 2, TOO_MUCH, ERR_MALFORMED },
        { MESSAGE_CHECKPOINT, 3, "90", OK },
        { MESSAGE_CHECKPOINT, 3, "91 c41f" A16 A8 A4 A2 A1, ERR_MALFORMED },
        { MESSAGE_CHECKPOINT, 3, "91 c421" A32 A1, ERR_MALFORMED },

        { MESSAGE_PACKAGE, 1, BAD_LOG, ERR_MALFORMED },
        { MESSAGE_PACKAGE, 2, "cd0501", ERR_MALFORMED }, /* its last is not below `against` */
        { MESSAGE_PACKAGE, 2, "cd04ff", ERR_MALFORMED }, /* over the border of two blocks */
        { MESSAGE_PACKAGE, 2, "cd04c7", OK },            /* up to that border */
        { MESSAGE_PACKAGE, 2, "cd04c8", ERR_MALFORMED },
        { MESSAGE_PACKAGE, 2, TOO_MUCH, ERR_MALFORMED },
        { MESSAGE_PACKAGE, 2, MOST, ERR_MALFORMED },
        { MESSAGE_PACKAGE, 3, "00", ERR_MALFORMED },
        { MESSAGE_PACKAGE, 3, "01", OK },
        { MESSAGE_PACKAGE, 3, "3a", ERR_MALFORMED },
        { MESSAGE_PACKAGE, 3, "cd0101", ERR_MALFORMED },
        { MESSAGE_PACKAGE, 4, "cd0538", ERR_MALFORMED },
        { MESSAGE_PACKAGE, 4, MOST, OK },
        { MESSAGE_PACKAGE, 4, TOO_MUCH, ERR_MALFORMED },
        { MESSAGE_PACKAGE, 5, "00", OK },
        { MESSAGE_PACKAGE, 5, "02", ERR_MALFORMED },
        { MESSAGE_PACKAGE, 6, "c400", ERR_MALFORMED },
        { MESSAGE_PACKAGE, 6, "c40100", OK },
        { MESSAGE_PACKAGE, 7, "90", OK },

        { MESSAGE_RECEIPT, 1, "c400", ERR_MALFORMED },
        { MESSAGE_RECEIPT, 1, "c40100", OK },
        { MESSAGE_CREDIT, 1, MOST, OK },
        { MESSAGE_CREDIT, 1, TOO_MUCH, ERR_MALFORMED },

        { MESSAGE_REFUSAL, 1, BAD_LOG, ERR_MALFORMED },
        { MESSAGE_REFUSAL, 2, "00", ERR_MALFORMED },
        { MESSAGE_REFUSAL, 2, "0b", OK },
        { MESSAGE_REFUSAL, 2, "0c", ERR_MALFORMED },
        { MESSAGE_REFUSAL, 3, MOST, OK },
        { MESSAGE_REFUSAL, 3, TOO_MUCH, ERR_MALFORMED },
        { MESSAGE_REFUSAL, 4, "a0", OK },
        { MESSAGE_REFUSAL, 4, TEXT256, OK },
        { MESSAGE_REFUSAL, 4, TEXT257, ERR_MALFORMED },
        { MESSAGE_REFUSAL, 4, "a1ff", ERR_MALFORMED },

        { MESSAGE_FORK, 1, "c400", ERR_MALFORMED },
        { MESSAGE_FORK, 1, "c40100", OK },
        { MESSAGE_PING, 1, "00", OK },
        { MESSAGE_PING, 1, "ff", ERR_MALFORMED },
        { MESSAGE_PONG, 1, "cfffffffffffffffff", OK },

        { MESSAGE_CLOSE, 1, "00", OK },
        { MESSAGE_CLOSE, 1, "09", OK },
        { MESSAGE_CLOSE, 1, "0a", ERR_MALFORMED },
        { MESSAGE_CLOSE, 2, "a0", OK },
        { MESSAGE_CLOSE, 2, TEXT256, OK },
        { MESSAGE_CLOSE, 2, TEXT257, ERR_MALFORMED },

        { MESSAGE_ENROL, 1, "a0", ERR_MALFORMED },
        { MESSAGE_ENROL, 1, "a141", ERR_MALFORMED },
        { MESSAGE_ENROL, 2, "a0", ERR_MALFORMED },
        { MESSAGE_ENROL, 2, "b0" A16, OK },
        { MESSAGE_ENROL, 2, "b1" A16 A1, ERR_MALFORMED },
        { MESSAGE_ENROL, 2, "a2d8a7", ERR_MALFORMED },
        { MESSAGE_ENROL, 3, "c421" A32 A1, ERR_MALFORMED },
        { MESSAGE_ENROL, 4, "c410" A16, ERR_MALFORMED },
        { MESSAGE_ENROL, 5, KEY, ERR_MALFORMED },

        { MESSAGE_ENROLLED, 1, "00", ERR_MALFORMED },
        { MESSAGE_ENROLLED, 1, "03", OK },
        { MESSAGE_ENROLLED, 1, "04", ERR_MALFORMED },
        { MESSAGE_ENROLLED, 2, TEXT256, OK },
        { MESSAGE_ENROLLED, 2, TEXT257, ERR_MALFORMED },
        { MESSAGE_ENROLLED, 3, "a0", OK },
        { MESSAGE_ENROLLED, 3, "d920" A32, OK },
        { MESSAGE_ENROLLED, 3, "d921" A32 A1, ERR_MALFORMED },
    };
    struct buffer form = { 0 }, again = { 0 };
    for (size_t i = 0; i < COUNT(rows); i++) {
        append_message(&form, rows[i].type, rows[i].field, rows[i].by);
        buffer_clear(&again);
        cr_expect(decode(buffer_bytes(&form)) == rows[i].err, "row %zu: %s %zu %s", i,
                  message_type_name(rows[i].type), rows[i].field, rows[i].by);
        if (rows[i].err != OK)
            continue;
        cr_expect(message_encode(&again, &decoded) == OK);
        cr_expect(bytes_equal(buffer_bytes(&form), buffer_bytes(&again)), "row %zu", i);
    }
    buffer_close(&form);
    buffer_close(&again);
}

/* ---- limits that take many bytes ------------------------------------------------------------- */

static uint8_t zeros[MESSAGE_SIZE_MAX + 1];

/* Encodes `message`, and decodes what came out. */
static enum err there_and_back(const struct message *message)
{
    static struct message copy;
    struct buffer out = { 0 };
    enum err err = message_encode(&out, message);
    cr_expect(err == OK || out.size == 0, "a refused message leaves nothing behind");
    if (err == OK)
        err = message_decode(&copy, buffer_bytes(&out));
    buffer_close(&out);
    return err;
}

Test(message, a_note_has_at_most_4096_bytes)
{
    struct buffer form = { 0 };
    struct message *message = example(&form, MESSAGE_RECEIPT);
    message->receipt.note = bytes_of(zeros, NOTE_SIZE_MAX);
    cr_expect(there_and_back(message) == OK);
    message->receipt.note = bytes_of(zeros, NOTE_SIZE_MAX + 1);
    cr_expect(there_and_back(message) == ERR_INVALID);
    buffer_clear(&form);
    append_hex(&form, "92 06 c51001");
    buffer_append(&form, zeros, NOTE_SIZE_MAX + 1);
    cr_expect(decode(buffer_bytes(&form)) == ERR_MALFORMED);
    buffer_close(&form);
}

Test(message, a_proof_has_at_most_128_hashes)
{
    struct buffer form = { 0 };
    struct message *message = example(&form, MESSAGE_CHECKPOINT);
    message->checkpoint.proof.count = MERKLE_PROOF_MAX;
    cr_expect(there_and_back(message) == OK);
    message->checkpoint.proof.count = MERKLE_PROOF_MAX + 1;
    cr_expect(there_and_back(message) == ERR_INVALID);
    buffer_clear(&form);
    append_hex(&form, "94 04" NOTE "2a dc0081");
    for (size_t i = 0; i <= MERKLE_PROOF_MAX; i++)
        append_hex(&form, HASH);
    cr_expect(decode(buffer_bytes(&form)) == ERR_MALFORMED);
    buffer_close(&form);
}

Test(message, heads_are_at_most_1024)
{
    struct buffer form = { 0 };
    struct message *message = example(&form, MESSAGE_HEADS);
    for (size_t i = 1; i < MESSAGE_HEAD_MAX; i++)
        message->heads.heads[i] = message->heads.heads[0];
    message->heads.count = MESSAGE_HEAD_MAX;
    cr_expect(there_and_back(message) == OK);
    message->heads.count = MESSAGE_HEAD_MAX + 1;
    cr_expect(there_and_back(message) == ERR_INVALID);
    buffer_clear(&form);
    append_hex(&form, "93 02 c3 dc0401");
    for (size_t i = 0; i <= MESSAGE_HEAD_MAX; i++)
        append_hex(&form, "92" LOG "00");
    cr_expect(decode(buffer_bytes(&form)) == ERR_MALFORMED);
    buffer_close(&form);
}

Test(message, a_message_has_at_most_a_mebibyte)
{
    struct buffer form = { 0 };
    struct message *message = example(&form, MESSAGE_FORK);
    size_t room = MESSAGE_SIZE_MAX - 2 - 5; /* array, type, head of the bin */
    message->fork.proof = bytes_of(zeros, room);
    cr_expect(there_and_back(message) == OK);
    message->fork.proof = bytes_of(zeros, room + 1);
    cr_expect(there_and_back(message) == ERR_TOO_LARGE);
    cr_expect(decode(bytes_of(zeros, MESSAGE_SIZE_MAX + 1)) == ERR_TOO_LARGE);
    buffer_close(&form);
}

/* A tree of 24 bytes for each of these would be 24 MiB. */
Test(message, a_mebibyte_of_nils_is_refused_by_the_skim)
{
    struct buffer form = { 0 };
    append_hex(&form, "92 05 dd000ffff0");
    size_t head = form.size;
    memset(buffer_reserve(&form, 0xffff0), 0xc0, 0xffff0);
    form.size += 0xffff0;
    cr_expect(decode(buffer_bytes(&form)) == ERR_MALFORMED);
    form.size = head;
    cr_expect(decode(buffer_bytes(&form)) == ERR_MALFORMED);
    buffer_close(&form);
}

/* ---- the encoder ----------------------------------------------------------------------------- */

#define REFUSED(type, change)                                          \
    do {                                                               \
        struct buffer form = { 0 };                                    \
        struct message *message = example(&form, type);                \
        change;                                                        \
        cr_expect(there_and_back(message) == ERR_INVALID, #change);    \
        buffer_close(&form);                                           \
    } while (0)

Test(message, the_encoder_refuses_what_the_decoder_would)
{
    struct bytes not_utf8 = bytes_of("\xed\xa0\x80", 3);
    REFUSED(MESSAGE_HELLO, message->type = (enum message_type)0);
    REFUSED(MESSAGE_HELLO, message->type = (enum message_type)15);
    REFUSED(MESSAGE_HELLO, message->hello.protocol_min = 3);
    REFUSED(MESSAGE_HELLO, message->hello.node[0] = 'A');
    REFUSED(MESSAGE_HELLO, memset(message->hello.node, 'a', sizeof message->hello.node));
    REFUSED(MESSAGE_HELLO, message->hello.role = 0);
    REFUSED(MESSAGE_HELLO, message->hello.software = not_utf8);
    REFUSED(MESSAGE_HELLO, message->hello.credit = UINT64_MAX);
    REFUSED(MESSAGE_HEADS, message->heads.heads[1].log.audience[0] = '\0');
    REFUSED(MESSAGE_HEADS, message->heads.heads[1].size = UINT64_MAX);
    REFUSED(MESSAGE_WANT, message->want.log.node[0] = '-');
    REFUSED(MESSAGE_WANT, message->want.next = UINT64_MAX);
    REFUSED(MESSAGE_WANT, message->want.pending = UINT64_MAX);
    REFUSED(MESSAGE_CHECKPOINT, message->checkpoint.note = BYTES_NONE);
    REFUSED(MESSAGE_CHECKPOINT, message->checkpoint.from = UINT64_MAX);
    REFUSED(MESSAGE_PACKAGE, message->package.count = 0);
    REFUSED(MESSAGE_PACKAGE, message->package.count = 257);
    REFUSED(MESSAGE_PACKAGE, message->package.first = UINT64_MAX);
    REFUSED(MESSAGE_PACKAGE, message->package.against = message->package.first);
    REFUSED(MESSAGE_PACKAGE, message->package.encoding = 2);
    REFUSED(MESSAGE_PACKAGE, message->package.body = BYTES_NONE);
    REFUSED(MESSAGE_PACKAGE, message->package.proof.count = MERKLE_PROOF_MAX + 1);
    REFUSED(MESSAGE_CREDIT, message->credit.size = UINT64_MAX);
    REFUSED(MESSAGE_REFUSAL, message->refusal.code = 0);
    REFUSED(MESSAGE_REFUSAL, message->refusal.text = bytes_of(zeros, 257));
    REFUSED(MESSAGE_REFUSAL, message->refusal.text = not_utf8);
    REFUSED(MESSAGE_FORK, message->fork.proof = BYTES_NONE);
    REFUSED(MESSAGE_CLOSE, message->close.code = CLOSE_IDENTITY + 1);
    REFUSED(MESSAGE_CLOSE, message->close.text = bytes_of(zeros, 257));
    REFUSED(MESSAGE_ENROL, message->enrol.province = BYTES_NONE);
    REFUSED(MESSAGE_ENROL, message->enrol.node[0] = '\0');
    REFUSED(MESSAGE_ENROLLED, message->enrolled.status = 4);
    REFUSED(MESSAGE_ENROLLED, message->enrolled.code = bytes_of(zeros, 33));
}

Test(message, it_is_appended_behind_what_the_buffer_holds)
{
    struct buffer form = { 0 }, out = { 0 };
    struct message *message = example(&form, MESSAGE_PING);
    buffer_append_string(&out, "before");
    cr_assert(message_encode(&out, message) == OK);
    cr_assert(out.size == 6 + form.size && memcmp(out.data, "before", 6) == 0);
    message->type = (enum message_type)0;
    cr_assert(message_encode(&out, message) == ERR_INVALID && out.size == 6 + form.size);
    buffer_close(&form);
    buffer_close(&out);
}
