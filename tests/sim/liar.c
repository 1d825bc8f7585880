#include "tests/sim/liar.h"

#include "proto/base/require.h"
#include "tests/sim/random.h"
#include "tests/sim/swarm.h"

#include <stdio.h>

#define NOTES_KEPT 16

struct kept_note {
    size_t size;
    uint8_t bytes[NOTE_SIZE_MAX];
};

static struct {
    struct sim_node *node;  /* NULL: nobody lies */
    unsigned one_in;        /* messages; the others are left as they are */
    uint64_t knows;         /* one bit a lie */
    struct message message; /* what is said instead */
    uint8_t body[64 * 1024];
    struct kept_note note; /* made up, for `message` */
    struct kept_note seen[NOTES_KEPT];
    size_t seen_count;
    struct kept_note old; /* the first checkpoint that it showed */
    uint8_t held[16 * 1024];
    size_t held_size; /* a message that waits until another went first */
} liar;

static const char *const TEXTS[] = {
#define LIE_TEXT(NAME, text) text,
    LIE_LIST(LIE_TEXT)
#undef LIE_TEXT
};

static struct dice *dice(void)
{
    return random_stream(STREAM_LIAR);
}

static uint64_t below(uint64_t limit)
{
    return dice_below(dice(), limit);
}

void liar_begin(const struct swarm *swarm)
{
    memset(&liar, 0, sizeof liar);
    if (swarm->liar_one_in == 0)
        return;
    liar.node = &world.nodes[below(world.node_count)];
    liar.one_in = swarm->liar_one_in;
    for (unsigned lie = 0; lie < LIE_COUNT; lie++)
        if (dice_chance(dice(), 1, 3))
            liar.knows |= UINT64_C(1) << lie;
    sim_tell(liar.node, "lies, one message in %u", liar.one_in);
    for (unsigned lie = 0; lie < LIE_COUNT; lie++)
        if (liar_knows((enum lie)lie))
            sim_tell(liar.node, "  knows: %s", TEXTS[lie]);
}

bool liar_is(const struct sim_node *node)
{
    return liar.node != NULL && node != NULL && strcmp(liar.node->name, node->name) == 0;
}

bool liar_wrote(const struct log_id *log)
{
    return liar.node != NULL && strcmp(liar.node->name, log->node) == 0;
}

bool liar_lies(const struct sim_node *node)
{
    return liar_is(node) && !world.healing;
}

void liar_repent(void)
{
    if (liar.node == NULL)
        return;
    node_kill(liar.node, END_PROCESS);
    node_restart_after(liar.node, SIM_S);
}

bool liar_knows(enum lie lie)
{
    return (liar.knows >> lie & 1) != 0;
}

/* ---- what lies are made of ------------------------------------------------------------------- */

/* Any other number, often near, sometimes absurd. */
static uint64_t another(uint64_t number)
{
    switch (below(6)) {
    case 0:
        return 0;
    case 1:
        return number + 1 + below(4);
    case 2:
        return number > 0 ? below(number) : 1;
    case 3:
        return number + below(100000);
    case 4:
        return number ^ UINT64_C(1) << below(63);
    default:
        return UINT64_MAX >> (1 + below(8));
    }
}

/* A log that nobody writes, under the name of any node. */
static void strange_log(struct log_id *log)
{
    const struct sim_node *author = &world.nodes[below(world.node_count)];
    uint8_t incarnation[INCARNATION_SIZE];
    const char *audience = author->role == ROLE_HUB ? "all" : "hub";
    dice_bytes(dice(), incarnation, sizeof incarnation);
    require(log_id_init(log, bytes_of_string(author->name), bytes_of_string(audience),
                        incarnation) == OK);
}

/* A log that somebody spoke of. */
static void others_log(struct log_id *log)
{
    struct checkpoint checkpoint;
    strange_log(log);
    if (liar.seen_count == 0)
        return;
    const struct kept_note *note = &liar.seen[below(liar.seen_count)];
    if (checkpoint_parse(&checkpoint, bytes_of(note->bytes, note->size)) == OK)
        *log = checkpoint.log;
}

static struct bytes note_keep(struct kept_note *kept, const struct buffer *note)
{
    require(note->err == OK && note->size <= sizeof kept->bytes);
    memcpy(kept->bytes, note->data, note->size);
    kept->size = note->size;
    return bytes_of(kept->bytes, kept->size);
}

static struct bytes signed_note(const struct checkpoint *checkpoint)
{
    struct buffer note = { 0 };
    struct sim_node *inside = sim_outside();
    checkpoint_sign(&note, checkpoint, &liar.node->keyring.log);
    struct bytes kept = note_keep(&liar.note, &note);
    buffer_close(&note);
    sim_inside(inside);
    return kept;
}

/* Cosigned as its receipt; empty when that cannot be. */
static struct bytes receipt_for(struct bytes checkpoint)
{
    struct buffer note = { 0 };
    char name[NOTE_NAME_SIZE_MAX + 1];
    struct bytes kept = BYTES_NONE;
    struct sim_node *inside = sim_outside();
    receipt_key_name(name, liar.node->name);
    if (receipt_sign(&note, checkpoint, bytes_of_string(name), sim_now_ns() / SIM_S + SIM_EPOCH_S,
                     &liar.node->keyring.receipt) == OK)
        kept = note_keep(&liar.note, &note);
    buffer_close(&note);
    sim_inside(inside);
    return kept;
}

static void damage_proof(struct merkle_proof *proof)
{
    if (proof->count > 0 && dice_chance(dice(), 1, 2))
        proof->hashes[below(proof->count)].bytes[below(32)] ^= (uint8_t)(1 + below(255));
    else if (proof->count > 0)
        proof->count--;
    else
        dice_bytes(dice(), proof->hashes[proof->count++].bytes, 32);
}

/* A copy of the body, to be changed. False: it is empty or too large. */
static bool body_take(struct message_package *package)
{
    if (package->body.size == 0 || package->body.size > sizeof liar.body)
        return false;
    memcpy(liar.body, package->body.data, package->body.size);
    package->body.data = liar.body;
    return true;
}

/* ---- lies: each alters a message of its kind; false: there was nothing to lie about ------------
 */

static bool heads_size(struct message *message)
{
    struct message_heads *heads = &message->heads;
    if (heads->count == 0)
        return false;
    struct message_head *head = &heads->heads[below(heads->count)];
    head->size = another(head->size) & INT64_MAX;
    return true;
}

static bool heads_strange(struct message *message)
{
    struct message_heads *heads = &message->heads;
    if (heads->count == MESSAGE_HEAD_MAX)
        return false;
    struct message_head *head = &heads->heads[heads->count++];
    strange_log(&head->log);
    head->size = 1 + below(1000);
    return true;
}

static bool heads_flood(struct message *message)
{
    while (heads_strange(message))
        ;
    return true;
}

static bool want_position(struct message *message)
{
    if (dice_chance(dice(), 1, 2))
        message->want.next = another(message->want.next) & INT64_MAX;
    else
        message->want.pending = another(message->want.pending) & INT64_MAX;
    return true;
}

static bool want_log(struct message *message)
{
    others_log(&message->want.log);
    return true;
}

static bool is_own(const struct checkpoint *checkpoint)
{
    return strcmp(checkpoint->log.node, liar.node->name) == 0;
}

static bool checkpoint_root(struct message *message)
{
    struct checkpoint checkpoint;
    if (checkpoint_parse(&checkpoint, message->checkpoint.note) != OK || !is_own(&checkpoint))
        return false;
    checkpoint.root.bytes[below(32)] ^= (uint8_t)(1 + below(255));
    message->checkpoint.note = signed_note(&checkpoint);
    return true;
}

static bool checkpoint_size(struct message *message)
{
    struct checkpoint checkpoint;
    if (checkpoint_parse(&checkpoint, message->checkpoint.note) != OK || !is_own(&checkpoint))
        return false;
    checkpoint.size = another(checkpoint.size) & INT64_MAX;
    message->checkpoint.note = signed_note(&checkpoint);
    return true;
}

static bool checkpoint_forged(struct message *message)
{
    struct checkpoint checkpoint;
    if (liar.seen_count == 0)
        return false;
    const struct kept_note *note = &liar.seen[below(liar.seen_count)];
    if (checkpoint_parse(&checkpoint, bytes_of(note->bytes, note->size)) != OK ||
        is_own(&checkpoint))
        return false;
    checkpoint.size = another(checkpoint.size) & INT64_MAX;
    message->checkpoint.note = signed_note(&checkpoint);
    return true;
}

static bool checkpoint_stale(struct message *message)
{
    if (liar.old.size == 0)
        return false;
    message->checkpoint.note = bytes_of(liar.old.bytes, liar.old.size);
    return true;
}

static bool checkpoint_proof(struct message *message)
{
    if (dice_chance(dice(), 1, 3))
        message->checkpoint.from = another(message->checkpoint.from) & INT64_MAX;
    else
        damage_proof(&message->checkpoint.proof);
    return true;
}

/* The first record of a package says another time; its header is written anew and commits to the
 * same parts, so that only the proof tells. */
static bool package_record(struct message *message)
{
    struct message_package *package = &message->package;
    struct bytes rest = package->body;
    struct record record;
    struct record_header header;
    struct buffer bytes = { 0 }, body = { 0 };
    if (package->encoding != PACKAGE_PLAIN || record_decode(&record, &rest) != OK ||
        record_header_decode(&header, record.header) != OK)
        return false;
    struct sim_node *inside = sim_outside();
    header.time_ms += 1 + (int64_t)below(1000);
    bool made = record_header_encode(&bytes, &header) == OK;
    record.header = buffer_bytes(&bytes);
    record_encode(&body, &record);
    buffer_append_bytes(&body, rest);
    made = made && body.err == OK && body.size <= sizeof liar.body;
    if (made) {
        memcpy(liar.body, body.data, body.size);
        package->body = bytes_of(liar.body, body.size);
    }
    buffer_close(&bytes);
    buffer_close(&body);
    sim_inside(inside);
    return made;
}

static bool package_body(struct message *message)
{
    if (!body_take(&message->package))
        return false;
    if (dice_chance(dice(), 1, 2))
        message->package.body.size = below(message->package.body.size);
    else
        liar.body[below(message->package.body.size)] ^= (uint8_t)(1 + below(255));
    return true;
}

static bool package_position(struct message *message)
{
    struct message_package *package = &message->package;
    switch (below(3)) {
    case 0:
        package->first = another(package->first) & INT64_MAX;
        break;
    case 1:
        package->count = 1 + below(MERKLE_BLOCK_SIZE);
        break;
    default:
        package->against = another(package->against) & INT64_MAX;
    }
    return true;
}

static bool package_log(struct message *message)
{
    others_log(&message->package.log);
    return true;
}

static bool package_proof(struct message *message)
{
    damage_proof(&message->package.proof);
    return true;
}

/* The newest checkpoint that its author gave to anybody, held or not. */
static bool receipt_ahead(struct message *message)
{
    if (liar.seen_count == 0)
        return false;
    const struct kept_note *note = &liar.seen[below(liar.seen_count)];
    struct bytes receipt = receipt_for(bytes_of(note->bytes, note->size));
    message->receipt.note = receipt;
    return receipt.size > 0;
}

static bool receipt_forged(struct message *message)
{
    struct checkpoint checkpoint;
    if (checkpoint_parse(&checkpoint, message->receipt.note) != OK)
        return false;
    if (dice_chance(dice(), 1, 2))
        checkpoint.root.bytes[below(32)] ^= (uint8_t)(1 + below(255));
    else
        checkpoint.size = another(checkpoint.size) & INT64_MAX;
    struct kept_note made;
    struct bytes note =
        signed_note(&checkpoint); /* under the wrong key, unless it is its own log */
    memcpy(made.bytes, note.data, note.size);
    message->receipt.note = receipt_for(bytes_of(made.bytes, note.size));
    return message->receipt.note.size > 0;
}

static bool credit(struct message *message)
{
    message->credit.size =
        dice_chance(dice(), 1, 2) ? 0 : another(message->credit.size) & INT64_MAX;
    return true;
}

static bool refusal(struct message *message)
{
    message->type = MESSAGE_REFUSAL;
    message->refusal = (struct message_refusal){ .code = (uint32_t)(1 + below(REFUSAL_UNWANTED)),
                                                 .next = below(100),
                                                 .text = bytes_of_string("because") };
    others_log(&message->refusal.log);
    return true;
}

static bool fork(struct message *message)
{
    size_t size = 1 + below(600);
    message->type = MESSAGE_FORK;
    dice_bytes(dice(), liar.body, size);
    message->fork.proof = bytes_of(liar.body, size);
    return true;
}

static bool hello(struct message *message)
{
    switch (below(5)) {
    case 0:
        snprintf(message->hello.node, sizeof message->hello.node, "%s",
                 world.nodes[below(world.node_count)].name);
        break;
    case 1:
        message->hello.role = (uint32_t)(1 + below(2));
        break;
    case 2:
        message->hello.binding.bytes[below(32)] ^= 1;
        break;
    case 3:
        message->hello.protocol_min = message->hello.protocol_max = (uint32_t)(2 + below(9));
        break;
    default:
        message->hello.credit = another(message->hello.credit) & INT64_MAX;
    }
    return true;
}

#define ANY_TYPE 0

static const struct {
    enum lie lie;
    unsigned type; /* enum message_type, or ANY_TYPE */
    bool (*tell)(struct message *message);
} LIES[] = {
    { LIE_HEADS_SIZE, MESSAGE_HEADS, heads_size },
    { LIE_HEADS_STRANGE, MESSAGE_HEADS, heads_strange },
    { LIE_HEADS_FLOOD, MESSAGE_HEADS, heads_flood },
    { LIE_WANT_POSITION, MESSAGE_WANT, want_position },
    { LIE_WANT_LOG, MESSAGE_WANT, want_log },
    { LIE_CHECKPOINT_ROOT, MESSAGE_CHECKPOINT, checkpoint_root },
    { LIE_CHECKPOINT_SIZE, MESSAGE_CHECKPOINT, checkpoint_size },
    { LIE_CHECKPOINT_FORGED, MESSAGE_CHECKPOINT, checkpoint_forged },
    { LIE_CHECKPOINT_STALE, MESSAGE_CHECKPOINT, checkpoint_stale },
    { LIE_CHECKPOINT_PROOF, MESSAGE_CHECKPOINT, checkpoint_proof },
    { LIE_PACKAGE_RECORD, MESSAGE_PACKAGE, package_record },
    { LIE_PACKAGE_BODY, MESSAGE_PACKAGE, package_body },
    { LIE_PACKAGE_POSITION, MESSAGE_PACKAGE, package_position },
    { LIE_PACKAGE_LOG, MESSAGE_PACKAGE, package_log },
    { LIE_PACKAGE_PROOF, MESSAGE_PACKAGE, package_proof },
    { LIE_RECEIPT_AHEAD, MESSAGE_RECEIPT, receipt_ahead },
    { LIE_RECEIPT_FORGED, MESSAGE_RECEIPT, receipt_forged },
    { LIE_CREDIT, MESSAGE_CREDIT, credit },
    { LIE_REFUSAL, ANY_TYPE, refusal },
    { LIE_FORK, ANY_TYPE, fork },
    { LIE_HELLO, MESSAGE_HELLO, hello },
};
#define LIES_COUNT (sizeof LIES / sizeof *LIES)

/* ---- the mouth ------------------------------------------------------------------------------- */

static void told(enum lie lie)
{
    char what[64];
    snprintf(what, sizeof what, "lie: %s", TEXTS[lie]);
    sim_fault(liar.node, what);
    sim_tell(liar.node, "%s", what);
}

const struct message *liar_message(const struct sim_node *node, const struct message *message)
{
    if (!liar_lies(node) || !dice_chance(dice(), 1, liar.one_in))
        return message;
    size_t first = below(LIES_COUNT);
    for (size_t i = 0; i < LIES_COUNT; i++) {
        size_t at = (first + i) % LIES_COUNT;
        if (!liar_knows(LIES[at].lie) ||
            (LIES[at].type != ANY_TYPE && LIES[at].type != (unsigned)message->type) ||
            (LIES[at].type == ANY_TYPE &&
             (message->type == MESSAGE_HELLO || !dice_chance(dice(), 1, 8))))
            continue;
        liar.message = *message;
        if (!LIES[at].tell(&liar.message))
            continue;
        told(LIES[at].lie);
        return &liar.message;
    }
    return message;
}

static void damage(struct buffer *out, size_t offset)
{
    size_t size = out->size - offset;
    switch (below(3)) {
    case 0:
        out->size = offset + 1 + below(size);
        break;
    case 1:
        out->data[offset + below(size)] ^= (uint8_t)(1 + below(255));
        break;
    default: /* the largest counts that msgpack can say: array32, map32, bin32, str32 */
        out->data[offset + below(size)] = (uint8_t[]){ 0xdd, 0xdf, 0xc6, 0xdb }[below(4)];
    }
}

/* This one waits, or goes after the one that waited: which is what is sent now. */
static void swap(struct buffer *out, size_t offset)
{
    static uint8_t kept[sizeof liar.held];
    size_t size = out->size - offset, kept_size = liar.held_size;
    memcpy(kept, liar.held, kept_size);
    memcpy(liar.held, out->data + offset, size);
    liar.held_size = size;
    if (kept_size > 0 && kept_size <= size) {
        memcpy(out->data + offset, kept, kept_size);
        out->size = offset + kept_size;
        told(LIE_ORDER);
    }
}

void liar_bytes(const struct sim_node *node, struct buffer *out, size_t offset)
{
    size_t size = out->size - offset;
    if (!liar_lies(node) || out->err != OK || size < 2)
        return;
    if (liar_knows(LIE_ORDER) && size <= sizeof liar.held && dice_chance(dice(), 1, liar.one_in))
        swap(out, offset);
    if (liar_knows(LIE_BYTES) && dice_chance(dice(), 1, 8 * liar.one_in)) {
        damage(out, offset);
        told(LIE_BYTES);
    }
}

void liar_heard(const struct sim_node *node, struct message *message)
{
    bool gives = message->type == MESSAGE_HELLO || message->type == MESSAGE_CREDIT;
    if (!gives || !liar_lies(node) || !liar_knows(LIE_CREDIT_IGNORED))
        return;
    if (message->type == MESSAGE_HELLO)
        message->hello.credit = message->hello.credit * 8;
    else
        message->credit.size = message->credit.size * 8;
    told(LIE_CREDIT_IGNORED);
}

void liar_saw(struct bytes note)
{
    if (liar.node == NULL || note.size > NOTE_SIZE_MAX)
        return;
    struct kept_note *kept = liar.seen_count < NOTES_KEPT ? &liar.seen[liar.seen_count++]
                                                          : &liar.seen[below(NOTES_KEPT)];
    memcpy(kept->bytes, note.data, note.size);
    kept->size = note.size;
    if (liar.old.size == 0 && liar_is(sim_current()))
        liar.old = *kept;
}
