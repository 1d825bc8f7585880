/* One line for everything that happens. */
#include "tests/scenario/transcript.h"

#include "proto/base/require.h"
#include "replication/core/fork.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *transcript_log(char out[TRANSCRIPT_LOG_SIZE], const struct log_id *id)
{
    snprintf(out, TRANSCRIPT_LOG_SIZE, "%s/%s/%02x", id->node, id->audience, id->incarnation[0]);
    return out;
}

void transcript_add(struct world *world, const char *text)
{
    buffer_append_string(&world->transcript, text);
}

void transcript_addf(struct world *world, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    transcript_add(world, line);
}

static void add_log(struct world *world, const struct log_id *id)
{
    char name[TRANSCRIPT_LOG_SIZE];
    transcript_addf(world, " %s", transcript_log(name, id));
}

static void add_heads(struct world *world, const struct message_heads *heads)
{
    char name[TRANSCRIPT_LOG_SIZE];
    for (size_t i = 0; i < heads->count; i++)
        transcript_addf(world, " %s@%llu", transcript_log(name, &heads->heads[i].log),
                        (unsigned long long)heads->heads[i].size);
    transcript_add(world, heads->complete ? " complete" : "");
}

static void add_note(struct world *world, struct bytes note)
{
    struct checkpoint checkpoint;
    char name[TRANSCRIPT_LOG_SIZE];
    require(checkpoint_parse(&checkpoint, note) == OK);
    transcript_addf(world, " %s@%llu", transcript_log(name, &checkpoint.log),
                    (unsigned long long)checkpoint.size);
}

static void add_fork(struct world *world, struct bytes proof)
{
    static struct fork_proof decoded;
    require(fork_proof_decode(&decoded, proof) == OK);
    add_note(world, decoded.a.note);
    transcript_add(world, " ><");
    add_note(world, decoded.b.note);
    if (decoded.has_position)
        transcript_addf(world, " position=%llu", (unsigned long long)decoded.position);
}

static const char *refusal_name(uint32_t code)
{
    static const char *const names[] = { "?",          "GAP",       "PROOF", "SIGNATURE",    "FORK",
                                         "COMMITMENT", "MALFORMED", "FULL",  "NOT_ADMITTED", "BUSY",
                                         "UNWANTED",   "BRANCH" };
    return code < sizeof names / sizeof *names ? names[code] : "?";
}

static const char *close_name(uint32_t code)
{
    static const char *const names[] = { "NORMAL",    "VERSION", "UNKNOWN_NODE", "DUPLICATE",
                                         "MALFORMED", "LIMIT",   "TIMEOUT",      "SHUTDOWN",
                                         "BUSY",      "IDENTITY" };
    return code < sizeof names / sizeof *names ? names[code] : "?";
}

static void add_content(struct world *world, const struct message *message)
{
    typedef unsigned long long ull;
    switch (message->type) {
    case MESSAGE_HEADS:
        add_heads(world, &message->heads);
        break;
    case MESSAGE_WANT:
        add_log(world, &message->want.log);
        transcript_addf(world, " next=%llu pending=%llu", (ull)message->want.next,
                        (ull)message->want.pending);
        if (message->want.names_branch)
            transcript_addf(world, " of %02x%02x", message->want.root.bytes[0],
                            message->want.root.bytes[1]);
        break;
    case MESSAGE_CHECKPOINT:
        add_note(world, message->checkpoint.note);
        transcript_addf(world, " from=%llu", (ull)message->checkpoint.from);
        break;
    case MESSAGE_PACKAGE:
        add_log(world, &message->package.log);
        transcript_addf(world, " %llu..%llu against=%llu", (ull)message->package.first,
                        (ull)(message->package.first + message->package.count),
                        (ull)message->package.against);
        break;
    case MESSAGE_RECEIPT:
        add_note(world, message->receipt.note);
        break;
    case MESSAGE_REFUSAL:
        add_log(world, &message->refusal.log);
        transcript_addf(world, " %s next=%llu", refusal_name(message->refusal.code),
                        (ull)message->refusal.next);
        break;
    case MESSAGE_FORK:
        add_fork(world, message->fork.proof);
        break;
    case MESSAGE_CLOSE:
        transcript_addf(world, " %s", close_name(message->close.code));
        break;
    default:
        break;
    }
}

static bool is_quiet(enum message_type type)
{
    return type == MESSAGE_HELLO || type == MESSAGE_PING || type == MESSAGE_PONG ||
           type == MESSAGE_CREDIT;
}

void transcript_message(struct node *to, const struct node *from, const struct message *message,
                        enum delivery delivery)
{
    struct world *world = to->world;
    char type[16];
    if (is_quiet(message->type) && !world->print_hello)
        return;
    snprintf(type, sizeof type, "%s", message_type_name(message->type));
    for (char *c = type; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    transcript_addf(world, "%s <- %s  %s", to->name, from->name, type);
    add_content(world, message);
    transcript_add(world, delivery == LOSE            ? "  (lost)\n"
                          : delivery == DELIVER_TWICE ? "  (twice)\n"
                                                      : "\n");
}

void transcript_alarm(struct node *node, const struct effect_alarm *alarm)
{
    struct world *world = node->world;
    transcript_addf(world, "%s ! %s", node->name, alarm_name(alarm->alarm));
    if (alarm->node[0])
        transcript_addf(world, " by %s", alarm->node);
    if (alarm->has_log) {
        add_log(world, &alarm->log);
        transcript_addf(world, " held=%llu seen=%llu", (unsigned long long)alarm->held,
                        (unsigned long long)alarm->seen);
    }
    transcript_add(world, "\n");
}

void transcript_opens(struct node *node, const struct event *opened, bool unasked)
{
    struct world *world = node->world;
    char name[TRANSCRIPT_LOG_SIZE];
    transcript_addf(world, "%s * opens", node->name);
    add_log(world, &opened->own_log.log);
    for (size_t i = 0; i < opened->own_log.parent_count; i++)
        transcript_addf(world, "%s %s@%llu", i == 0 ? " naming" : "",
                        transcript_log(name, &opened->own_log.parents[i].log),
                        (unsigned long long)opened->own_log.parents[i].size);
    transcript_add(world, unasked ? " unasked\n" : "\n");
}

void world_forget_transcript(struct world *world)
{
    buffer_clear(&world->transcript);
}

void world_expect(struct world *world, const char *expected)
{
    buffer_append_u8(&world->transcript, 0);
    cr_assert_str_eq((const char *)world->transcript.data, expected,
                     "the transcript is\n%s\nand should be\n%s", world->transcript.data, expected);
    world_forget_transcript(world);
}

size_t world_count(struct world *world, const char *text)
{
    size_t count = 0;
    buffer_append_u8(&world->transcript, 0);
    world->transcript.size--;
    const char *at = (const char *)world->transcript.data;
    while ((at = strstr(at, text))) {
        count++;
        at += strlen(text);
    }
    return count;
}
