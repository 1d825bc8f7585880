#include "proto/wire/message.h"

#include "proto/record/rules.h"
#include "proto/wire/pack.h"
#include "proto/wire/pack_types.h"
#include "proto/wire/skim.h"

#define SOFTWARE_SIZE_MAX 64
#define PROVINCE_SIZE_MAX 16
#define ENROL_CODE_SIZE_MAX 32
#define HEAD_FIELDS 2
#define WANT_FIELDS         4
#define WANT_BRANCH_FIELDS  5

/* Of each type: what a field may be (for both directions), how it is written, how it is read. The
 * functions are named after the type; the table at the end lists them. */

static bool is_in(uint64_t value, uint64_t min, uint64_t max)
{
    return value >= min && value <= max;
}

static uint32_t unpack_u32(struct unpack *unpack)
{
    return (uint32_t)unpack_uint(unpack, UINT32_MAX);
}

static void pack_proof(struct buffer *out, const struct merkle_proof *proof)
{
    pack_array(out, proof->count);
    for (size_t i = 0; i < proof->count; i++)
        pack_bin(out, BYTES_OF_ARRAY(proof->hashes[i].bytes));
}

static void unpack_proof(struct unpack *unpack, struct merkle_proof *proof)
{
    proof->count = unpack_array(unpack, 0, MERKLE_PROOF_MAX);
    for (size_t i = 0; i < proof->count; i++)
        unpack_bin_into(unpack, proof->hashes[i].bytes, HASH_SIZE);
}

/* ---- hello ----------------------------------------------------------------------------------- */

static bool hello_is_valid(const struct message *message)
{
    const struct message_hello *hello = &message->hello;
    return hello->protocol_min >= 1 && hello->protocol_min <= hello->protocol_max &&
           name_field_is_valid(hello->node) && is_in(hello->role, ROLE_PROVINCE, ROLE_HUB) &&
           hello->software.size <= SOFTWARE_SIZE_MAX && hello->credit <= POSITION_MAX;
}

static void hello_pack(struct buffer *out, const struct message *message)
{
    const struct message_hello *hello = &message->hello;
    pack_uint(out, hello->protocol_min);
    pack_uint(out, hello->protocol_max);
    pack_str(out, bytes_of_string(hello->node));
    pack_uint(out, hello->role);
    pack_str(out, hello->software);
    pack_bin(out, BYTES_OF_ARRAY(hello->binding.bytes));
    pack_uint(out, hello->credit);
}

static void hello_unpack(struct unpack *unpack, struct message *message)
{
    struct message_hello *hello = &message->hello;
    hello->protocol_min = unpack_u32(unpack);
    hello->protocol_max = unpack_u32(unpack);
    unpack_node_name(unpack, hello->node);
    hello->role = unpack_u32(unpack);
    hello->software = unpack_str(unpack, SOFTWARE_SIZE_MAX);
    unpack_bin_into(unpack, hello->binding.bytes, HASH_SIZE);
    hello->credit = unpack_uint(unpack, POSITION_MAX);
}

/* ---- heads ----------------------------------------------------------------------------------- */

static bool heads_is_valid(const struct message *message)
{
    const struct message_heads *heads = &message->heads;
    if (heads->count > MESSAGE_HEAD_MAX)
        return false;
    for (size_t i = 0; i < heads->count; i++)
        if (!log_id_is_valid(&heads->heads[i].log) || heads->heads[i].size > POSITION_MAX)
            return false;
    return true;
}

static void heads_pack(struct buffer *out, const struct message *message)
{
    pack_bool(out, message->heads.complete);
    pack_array(out, message->heads.count);
    for (size_t i = 0; i < message->heads.count; i++) {
        pack_array(out, HEAD_FIELDS);
        pack_log_id(out, &message->heads.heads[i].log);
        pack_uint(out, message->heads.heads[i].size);
    }
}

static void heads_unpack(struct unpack *unpack, struct message *message)
{
    message->heads.complete = unpack_bool(unpack);
    message->heads.count = unpack_array(unpack, 0, MESSAGE_HEAD_MAX);
    for (size_t i = 0; i < message->heads.count && unpack->err == OK; i++) {
        unpack_array(unpack, HEAD_FIELDS, HEAD_FIELDS);
        unpack_log_id(unpack, &message->heads.heads[i].log);
        message->heads.heads[i].size = unpack_uint(unpack, POSITION_MAX);
    }
}

/* ---- want ------------------------------------------------------------------------------------ */

static bool want_is_valid(const struct message *message)
{
    return log_id_is_valid(&message->want.log) && message->want.next <= POSITION_MAX &&
           message->want.pending <= POSITION_MAX &&
           (!message->want.names_branch || message->want.pending > 0);
}

static size_t want_fields(const struct message *message)
{
    return message->want.names_branch ? WANT_BRANCH_FIELDS : WANT_FIELDS;
}

static void want_pack(struct buffer *out, const struct message *message)
{
    pack_log_id(out, &message->want.log);
    pack_uint(out, message->want.next);
    pack_uint(out, message->want.pending);
    if (message->want.names_branch)
        pack_bin(out, BYTES_OF_ARRAY(message->want.root.bytes));
}

static void want_unpack(struct unpack *unpack, struct message *message)
{
    unpack_log_id(unpack, &message->want.log);
    message->want.next = unpack_uint(unpack, POSITION_MAX);
    message->want.pending = unpack_uint(unpack, POSITION_MAX);
    if (message->want.names_branch)
        unpack_bin_into(unpack, message->want.root.bytes, HASH_SIZE);
}

/* ---- checkpoint ------------------------------------------------------------------------------ */

static bool checkpoint_is_valid(const struct message *message)
{
    const struct message_checkpoint *checkpoint = &message->checkpoint;
    return is_in(checkpoint->note.size, 1, NOTE_SIZE_MAX) && checkpoint->from <= POSITION_MAX &&
           checkpoint->proof.count <= MERKLE_PROOF_MAX;
}

static void checkpoint_pack(struct buffer *out, const struct message *message)
{
    pack_bin(out, message->checkpoint.note);
    pack_uint(out, message->checkpoint.from);
    pack_proof(out, &message->checkpoint.proof);
}

static void checkpoint_unpack(struct unpack *unpack, struct message *message)
{
    message->checkpoint.note = unpack_bin(unpack, NOTE_SIZE_MAX);
    message->checkpoint.from = unpack_uint(unpack, POSITION_MAX);
    unpack_proof(unpack, &message->checkpoint.proof);
}

/* ---- package --------------------------------------------------------------------------------- */

static bool package_is_valid(const struct message *message)
{
    const struct message_package *package = &message->package;
    if (!log_id_is_valid(&package->log) || package->first > POSITION_MAX ||
        !is_in(package->count, 1, MERKLE_BLOCK_SIZE) || package->against > POSITION_MAX)
        return false;
    uint64_t last = package->first + package->count - 1; /* both have room below 2^64 */
    return last / MERKLE_BLOCK_SIZE == package->first / MERKLE_BLOCK_SIZE &&
           last < package->against && package->encoding <= PACKAGE_ZSTD &&
           is_in(package->body.size, 1, MESSAGE_SIZE_MAX) &&
           package->proof.count <= MERKLE_PROOF_MAX;
}

static void package_pack(struct buffer *out, const struct message *message)
{
    const struct message_package *package = &message->package;
    pack_log_id(out, &package->log);
    pack_uint(out, package->first);
    pack_uint(out, package->count);
    pack_uint(out, package->against);
    pack_uint(out, package->encoding);
    pack_bin(out, package->body);
    pack_proof(out, &package->proof);
}

static void package_unpack(struct unpack *unpack, struct message *message)
{
    struct message_package *package = &message->package;
    unpack_log_id(unpack, &package->log);
    package->first = unpack_uint(unpack, POSITION_MAX);
    package->count = unpack_uint(unpack, MERKLE_BLOCK_SIZE);
    package->against = unpack_uint(unpack, POSITION_MAX);
    package->encoding = unpack_u32(unpack);
    package->body = unpack_bin(unpack, MESSAGE_SIZE_MAX);
    unpack_proof(unpack, &package->proof);
}

/* ---- receipt, credit ------------------------------------------------------------------------- */

static bool receipt_is_valid(const struct message *message)
{
    return is_in(message->receipt.note.size, 1, NOTE_SIZE_MAX);
}

static void receipt_pack(struct buffer *out, const struct message *message)
{
    pack_bin(out, message->receipt.note);
}

static void receipt_unpack(struct unpack *unpack, struct message *message)
{
    message->receipt.note = unpack_bin(unpack, NOTE_SIZE_MAX);
}

static bool credit_is_valid(const struct message *message)
{
    return message->credit.size <= POSITION_MAX;
}

static void credit_pack(struct buffer *out, const struct message *message)
{
    pack_uint(out, message->credit.size);
}

static void credit_unpack(struct unpack *unpack, struct message *message)
{
    message->credit.size = unpack_uint(unpack, POSITION_MAX);
}

/* ---- refusal, fork --------------------------------------------------------------------------- */

static bool refusal_is_valid(const struct message *message)
{
    const struct message_refusal *refusal = &message->refusal;
    return log_id_is_valid(&refusal->log) && is_in(refusal->code, REFUSAL_GAP, REFUSAL_BRANCH) &&
           refusal->next <= POSITION_MAX && refusal->text.size <= MESSAGE_TEXT_SIZE_MAX;
}

static void refusal_pack(struct buffer *out, const struct message *message)
{
    pack_log_id(out, &message->refusal.log);
    pack_uint(out, message->refusal.code);
    pack_uint(out, message->refusal.next);
    pack_str(out, message->refusal.text);
}

static void refusal_unpack(struct unpack *unpack, struct message *message)
{
    unpack_log_id(unpack, &message->refusal.log);
    message->refusal.code = unpack_u32(unpack);
    message->refusal.next = unpack_uint(unpack, POSITION_MAX);
    message->refusal.text = unpack_str(unpack, MESSAGE_TEXT_SIZE_MAX);
}

static bool fork_is_valid(const struct message *message)
{
    return is_in(message->fork.proof.size, 1, MESSAGE_SIZE_MAX);
}

static void fork_pack(struct buffer *out, const struct message *message)
{
    pack_bin(out, message->fork.proof);
}

static void fork_unpack(struct unpack *unpack, struct message *message)
{
    message->fork.proof = unpack_bin(unpack, MESSAGE_SIZE_MAX);
}

/* ---- ping and pong, close -------------------------------------------------------------------- */

static bool ping_is_valid(const struct message *message)
{
    (void)message; /* any token */
    return true;
}

static void ping_pack(struct buffer *out, const struct message *message)
{
    pack_uint(out, message->ping.token);
}

static void ping_unpack(struct unpack *unpack, struct message *message)
{
    message->ping.token = unpack_uint(unpack, UINT64_MAX);
}

static bool close_is_valid(const struct message *message)
{
    return message->close.code <= CLOSE_IDENTITY &&
           message->close.text.size <= MESSAGE_TEXT_SIZE_MAX;
}

static void close_pack(struct buffer *out, const struct message *message)
{
    pack_uint(out, message->close.code);
    pack_str(out, message->close.text);
}

static void close_unpack(struct unpack *unpack, struct message *message)
{
    message->close.code = unpack_u32(unpack);
    message->close.text = unpack_str(unpack, MESSAGE_TEXT_SIZE_MAX);
}

/* ---- enrolment ------------------------------------------------------------------------------- */

static bool enrol_is_valid(const struct message *message)
{
    const struct message_enrol *enrol = &message->enrol;
    return name_field_is_valid(enrol->node) && is_in(enrol->province.size, 1, PROVINCE_SIZE_MAX) &&
           ascii_is_printable(enrol->province);
}

static void enrol_pack(struct buffer *out, const struct message *message)
{
    const struct message_enrol *enrol = &message->enrol;
    pack_str(out, bytes_of_string(enrol->node));
    pack_str(out, enrol->province);
    pack_bin(out, BYTES_OF_ARRAY(enrol->log_key.bytes));
    pack_bin(out, BYTES_OF_ARRAY(enrol->link_key.bytes));
    pack_bin(out, BYTES_OF_ARRAY(enrol->proof));
}

static void enrol_unpack(struct unpack *unpack, struct message *message)
{
    struct message_enrol *enrol = &message->enrol;
    unpack_node_name(unpack, enrol->node);
    enrol->province = unpack_text(unpack, PROVINCE_SIZE_MAX);
    unpack_bin_into(unpack, enrol->log_key.bytes, KEY_SIZE);
    unpack_bin_into(unpack, enrol->link_key.bytes, KEY_SIZE);
    unpack_bin_into(unpack, enrol->proof, SIGNATURE_SIZE);
}

static bool enrolled_is_valid(const struct message *message)
{
    return is_in(message->enrolled.status, 1, 3) &&
           message->enrolled.text.size <= MESSAGE_TEXT_SIZE_MAX &&
           message->enrolled.code.size <= ENROL_CODE_SIZE_MAX;
}

static void enrolled_pack(struct buffer *out, const struct message *message)
{
    pack_uint(out, message->enrolled.status);
    pack_str(out, message->enrolled.text);
    pack_str(out, message->enrolled.code);
}

static void enrolled_unpack(struct unpack *unpack, struct message *message)
{
    message->enrolled.status = unpack_u32(unpack);
    message->enrolled.text = unpack_str(unpack, MESSAGE_TEXT_SIZE_MAX);
    message->enrolled.code = unpack_str(unpack, ENROL_CODE_SIZE_MAX);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct message_form {
    const char *name;
    size_t fields; /* the type included */
    bool (*is_valid)(const struct message *message);
    void (*pack)(struct buffer *out, const struct message *message);
    void (*unpack)(struct unpack *unpack, struct message *message);
} FORMS[] = {
#define FORM(codec, fields) fields, codec##_is_valid, codec##_pack, codec##_unpack
    [MESSAGE_HELLO] = { "hello", FORM(hello, 8) },
    [MESSAGE_HEADS] = { "heads", FORM(heads, 3) },
    [MESSAGE_WANT] = { "want", FORM(want, WANT_FIELDS) },
    [MESSAGE_CHECKPOINT] = { "checkpoint", FORM(checkpoint, 4) },
    [MESSAGE_PACKAGE] = { "package", FORM(package, 8) },
    [MESSAGE_RECEIPT] = { "receipt", FORM(receipt, 2) },
    [MESSAGE_CREDIT] = { "credit", FORM(credit, 2) },
    [MESSAGE_REFUSAL] = { "refusal", FORM(refusal, 5) },
    [MESSAGE_FORK] = { "fork", FORM(fork, 2) },
    [MESSAGE_PING] = { "ping", FORM(ping, 2) },
    [MESSAGE_PONG] = { "pong", FORM(ping, 2) },
    [MESSAGE_CLOSE] = { "close", FORM(close, 3) },
    [MESSAGE_ENROL] = { "enrol", FORM(enrol, 6) },
    [MESSAGE_ENROLLED] = { "enrolled", FORM(enrolled, 4) },
#undef FORM
};

/* NULL for a type that this program does not know. */
static const struct message_form *form_of(uint64_t type)
{
    return type < sizeof FORMS / sizeof *FORMS && FORMS[type].name ? &FORMS[type] : NULL;
}

enum err message_encode(struct buffer *out, const struct message *message)
{
    const struct message_form *form = form_of(message->type);
    if (!form || !form->is_valid(message))
        return ERR_INVALID;
    size_t start = out->size;
    pack_array(out, message->type == MESSAGE_WANT ? want_fields(message) : form->fields);
    pack_uint(out, message->type);
    form->pack(out, message);
    if (out->err != OK)
        return out->err;

    enum err err = OK;
    struct bytes encoded = bytes_of(out->data + start, out->size - start);
    if (encoded.size > MESSAGE_SIZE_MAX)
        err = ERR_TOO_LARGE;
    else if (skim_whole(encoded) != OK) /* a text that is not UTF-8 */
        err = ERR_INVALID;
    if (err != OK)
        out->size = start;
    return err;
}

enum err message_decode(struct message *message, struct bytes input)
{
    struct unpack unpack;
    if (input.size > MESSAGE_SIZE_MAX)
        return ERR_TOO_LARGE;
    unpack_begin(&unpack, input);
    size_t fields = unpack_array(&unpack, 1, SIZE_MAX);
    uint64_t type = unpack_uint(&unpack, UINT64_MAX);
    const struct message_form *form = form_of(type);
    bool is_unknown = unpack.err == OK && !form;
    if (form && unpack.err == OK) {
        message->type = (enum message_type)type;
        if (message->type == MESSAGE_WANT) /* the only one that may have a field more */
            message->want.names_branch = fields == WANT_BRANCH_FIELDS;
        size_t expected = message->type == MESSAGE_WANT ? want_fields(message) : form->fields;
        unpack_expect(&unpack, fields == expected);
        form->unpack(&unpack, message);
        unpack_expect(&unpack, unpack.err == OK && form->is_valid(message));
    }
    enum err err = unpack_end(&unpack);
    return is_unknown ? ERR_VERSION : err;
}

const char *message_type_name(enum message_type type)
{
    const struct message_form *form = form_of((uint64_t)type);
    return form ? form->name : "unknown";
}
