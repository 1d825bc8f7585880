/* A peer with a valid key that sends anything, and a store that answers anything: the core neither
 * stops nor grows. Messages are made from a few logs and all sorts of numbers. */
#include "replication/core/state.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX 4096

static uint64_t random_state;
static struct core *core;
static struct effects effects;
static struct message message;
static struct buffer note;
static struct event answers[ANSWER_MAX];
static size_t answer_count;
static uint64_t now_ms, link_id;

static uint64_t draw(uint64_t below)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static uint64_t any_size(void)
{
    static const uint64_t edges[] = { 0, 1, 255, 256, 257, UINT64_MAX >> 1 };
    return draw(3) ? draw(20) : edges[draw(6)];
}

static struct log_id any_log(void)
{
    static const char *const nodes[] = { "hub", "ardabil", "hub2", "nobody" };
    static const char *const audiences[] = { "hub", "all", "ardabil" };
    struct log_id id;
    uint8_t incarnation[INCARNATION_SIZE] = { (uint8_t)draw(4) };
    log_id_init(&id, bytes_of_string(nodes[draw(4)]), bytes_of_string(audiences[draw(3)]),
                incarnation);
    return id;
}

static struct bytes any_note(void)
{
    struct checkpoint checkpoint = { .log = any_log(), .size = any_size() };
    struct sign_key key;
    uint8_t seed[KEY_SIZE] = { 1 };
    sign_key_from_seed(&key, seed);
    buffer_clear(&note);
    checkpoint.root.bytes[0] = (uint8_t)draw(2);
    checkpoint_sign(&note, &checkpoint, &key);
    return buffer_bytes(&note);
}

static void any_message(void)
{
    message.type = (enum message_type)(MESSAGE_HEADS + draw(10));
    if (draw(200) == 0)
        message.type = (enum message_type)(1 + draw(14));
    else if (message.type == MESSAGE_FORK)
        message.type = MESSAGE_PACKAGE; /* seldom: it ends the link */
    switch (message.type) {
    case MESSAGE_HEADS:
        message.heads.complete = draw(2);
        message.heads.count = draw(5);
        for (size_t i = 0; i < message.heads.count; i++)
            message.heads.heads[i] = (struct message_head){ any_log(), any_size() };
        break;
    case MESSAGE_WANT:
        message.want = (struct message_want){ .log = any_log(), .next = any_size() };
        message.want.pending = any_size();
        message.want.names_branch = draw(2);
        break;
    case MESSAGE_CHECKPOINT:
        message.checkpoint.note = any_note();
        message.checkpoint.from = any_size();
        break;
    case MESSAGE_PACKAGE:
        message.package.log = any_log();
        message.package.first = any_size();
        message.package.count = 1 + draw(256);
        message.package.against = any_size();
        break;
    case MESSAGE_RECEIPT:
        message.receipt.note = any_note();
        break;
    case MESSAGE_CREDIT:
        message.credit.size = draw(2) ? UINT64_MAX : draw(100000);
        break;
    case MESSAGE_REFUSAL:
        message.refusal = (struct message_refusal){ .log = any_log(), .next = any_size() };
        message.refusal.code = (uint32_t)(1 + draw(REFUSAL_BRANCH));
        break;
    case MESSAGE_FORK:
        message.fork.proof = bytes_of_string("no proof");
        break;
    default:
        memset(&message.close, 0, sizeof message.close);
        break;
    }
}

static enum err any_err(void)
{
    static const enum err errs[] = {
        OK, OK, OK, ERR_STALE, ERR_PROOF, ERR_FORK, ERR_FULL, ERR_GAP
    };
    return errs[draw(8)];
}

/* What the store says: sizes never shrink, all else is chance. */
static void answer_stored(enum event_type type, uint64_t link, const char *node,
                          const struct log_id *id, bool branch, uint64_t size)
{
    struct log *log = core_log_find(core, id);
    struct event *answer = &answers[answer_count++];
    answer->type = type;
    answer->stored = (struct event_stored){ .link = link, .node = node, .log = *id };
    answer->stored.branch = branch;
    answer->stored.err = any_err();
    answer->stored.size = size;
    answer->stored.proven = draw(20) == 0;
    answer->stored.cursor = branch ? log->branch : log->held;
    answer->stored.cursor.size += answer->stored.err == OK ? draw(5) : 0;
    answer->stored.cursor.covered = answer->stored.cursor.size;
    answer->stored.cursor.pending = answer->stored.cursor.size;
    answer->stored.other = log->branch;
    if (answer->stored.err == ERR_FORK)
        answer->stored.other.pending = answer->stored.other.size + draw(3);
}

static void answer_effect(const struct effect *effect)
{
    struct event *answer = &answers[answer_count];
    if (answer_count == ANSWER_MAX)
        cr_assert_fail("too much is under way");
    switch (effect->type) {
    case EFFECT_STORE_CHECKPOINT:
        answer_stored(EVENT_CHECKPOINT_STORED, effect->store_checkpoint.link,
                      effect->store_checkpoint.node, &effect->store_checkpoint.log,
                      effect->store_checkpoint.branch, 0);
        break;
    case EFFECT_STORE_PACKAGE:
        answer_stored(EVENT_PACKAGE_STORED, effect->store_package.link, effect->store_package.node,
                      &effect->store_package.log, effect->store_package.branch,
                      effect->store_package.size);
        break;
    case EFFECT_SEND_CHECKPOINT:
        cr_assert_leq(effect->send_checkpoint.at_least, effect->send_checkpoint.limit);
        answer->type = EVENT_CHECKPOINT_SENT;
        answer->checkpoint_sent =
            (struct event_checkpoint_sent){ .link = effect->send_checkpoint.link,
                                            .log = effect->send_checkpoint.log };
        answer->checkpoint_sent.size = effect->send_checkpoint.limit;
        answer->checkpoint_sent.err = draw(10) ? OK : ERR_CORRUPT;
        answer_count++;
        break;
    case EFFECT_SEND_RECORDS:
        cr_assert_lt(effect->send_records.first, effect->send_records.end);
        answer->type = EVENT_RECORDS_SENT;
        answer->records_sent = (struct event_records_sent){ .link = effect->send_records.link,
                                                            .log = effect->send_records.log };
        answer->records_sent.next = effect->send_records.end;
        answer->records_sent.size = draw(effect->send_records.budget + 1);
        answer_count++;
        break;
    case EFFECT_FIND_BRANCH:
        answer->type = EVENT_BRANCH_FOUND;
        answer->branch_found = (struct event_branch_found){ .link = effect->find_branch.link,
                                                            .log = effect->find_branch.log };
        answer->branch_found.branch = draw(2);
        answer->branch_found.err = draw(3) ? OK : ERR_NOT_FOUND;
        answer_count++;
        break;
    case EFFECT_STORE_RECEIPT:
        answer->type = EVENT_RECEIPT_STORED;
        answer->receipt_stored = (struct event_receipt_stored){
            .hub = "hub", .log = effect->store_receipt.log, .size = effect->store_receipt.size
        };
        answer->receipt_stored.err = any_err();
        answer_count++;
        break;
    case EFFECT_CLOSE:
    case EFFECT_DROP:
        link_id = 0;
        break;
    default:
        break;
    }
}

static void step(struct event *event)
{
    event->now_ms = now_ms;
    effects_clear(&effects);
    core_step(core, event, &effects);
    cr_assert_eq(effects.err, OK);
    for (size_t i = 0; i < effects.count; i++)
        answer_effect(&effects.items[i]);
}

static void connect(void)
{
    static uint64_t links;
    struct event event = { .type = EVENT_LINK_OPENED };
    link_id = ++links;
    event.link_opened = (struct event_link_opened){ .link = link_id, .node = "hub" };
    step(&event);
    struct event first = { .type = EVENT_MESSAGE };
    message.type = MESSAGE_HELLO;
    message.hello = (struct message_hello){
        .protocol_min = 1, .protocol_max = 2, .node = "hub", .role = ROLE_HUB, .credit = 1 << 20
    };
    first.message = (struct event_message){ .link = link_id, .message = &message, .size = 100 };
    step(&first);
}

static void answer_one(void)
{
    size_t index = 0; /* in order */
    struct event event = answers[index];
    memmove(answers, answers + 1, --answer_count * sizeof *answers);
    step(&event);
}

static void run(uint64_t seed)
{
    struct core_peer hub = { .node = "hub", .role = ROLE_HUB };
    struct core_options options = { .node = "ardabil", .role = ROLE_PROVINCE, .peers = &hub };
    struct event start = { .type = EVENT_START };
    struct event opened = { .type = EVENT_LOG_OPENED };
    random_state = seed;
    options.peer_count = 1;
    options.unheld_log_max = 8;
    core = core_new(&options);
    answer_count = link_id = 0;
    step(&start);
    opened.own_log = (struct event_own_log){ .log = any_log(), .size = 9 };
    snprintf(opened.own_log.log.node, sizeof opened.own_log.log.node, "ardabil");
    memset(opened.own_log.log.node + 8, 0, sizeof opened.own_log.log.node - 8);
    step(&opened);
    for (int i = 0; i < 4000; i++) {
        now_ms += draw(draw(50) ? 10 : 40000);
        if (link_id == 0) {
            connect();
        } else if (answer_count > 0 && draw(2)) {
            answer_one();
        } else {
            struct event event = { .type = EVENT_MESSAGE };
            any_message();
            event.message = (struct event_message){ link_id, &message, draw(100000) };
            step(&event);
        }
    }
    cr_assert_leq(core_log_count(core), 64);
    core_free(core);
    core = NULL;
}

Test(hostile, any_message_and_any_answer_leave_the_core_standing)
{
    for (uint64_t seed = 1; seed <= 60; seed++)
        run(seed);
    effects_close(&effects);
    buffer_close(&note);
}
