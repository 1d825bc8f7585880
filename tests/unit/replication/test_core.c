/* The core alone: options, bounds, time. Behaviour between nodes is in tests/scenario. */
#include "replication/core/state.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct core_peer peers[] = {
    { .node = "hub", .role = ROLE_HUB, .connect = true },
    { .node = "hub2", .role = ROLE_HUB, .connect = true },
};

static struct core *core;
static struct effects effects;
static struct message message;

static struct core_options province_options(void)
{
    return (struct core_options){
        .node = "ardabil", .role = ROLE_PROVINCE, .peers = peers, .peer_count = 2, .seed = 42
    };
}

static void step(struct event event, uint64_t now_ms)
{
    event.now_ms = now_ms;
    effects_clear(&effects);
    core_step(core, &event, &effects);
    cr_assert_eq(effects.err, OK);
}

static const struct effect *find(enum effect_type type)
{
    for (size_t i = 0; i < effects.count; i++)
        if (effects.items[i].type == type)
            return &effects.items[i];
    return NULL;
}

static void begin(const struct core_options *options)
{
    core = core_new(options);
    cr_assert(core);
    step((struct event){ .type = EVENT_START }, 0);
}

static void end(void)
{
    core_free(core);
    core = NULL;
    effects_close(&effects);
}

static void open_link(uint64_t link, const char *node)
{
    struct event event = { .type = EVENT_LINK_OPENED };
    event.link_opened.link = link;
    event.link_opened.node = node;
    step(event, 10);
}

static void receive(uint64_t link, size_t size, uint64_t now_ms)
{
    struct event event = { .type = EVENT_MESSAGE };
    event.message = (struct event_message){ .link = link, .message = &message, .size = size };
    step(event, now_ms);
}

static void hello(uint64_t link, const char *node, enum node_role role)
{
    message.type = MESSAGE_HELLO;
    message.hello = (struct message_hello){
        .protocol_min = 1, .protocol_max = 2, .role = role, .credit = 1 << 22
    };
    snprintf(message.hello.node, sizeof message.hello.node, "%s", node);
    receive(link, 100, 20);
}

static struct log_id log_of(const char *node, const char *audience, uint32_t number)
{
    struct log_id id;
    uint8_t incarnation[INCARNATION_SIZE] = { 0 };
    put_u32(incarnation, number);
    cr_assert_eq(log_id_init(&id, bytes_of_string(node), bytes_of_string(audience), incarnation),
                 OK);
    return id;
}

Test(core, refuses_options_that_make_no_sense)
{
    struct core_options options = province_options();
    options.credit_window = PACKAGE_ROOM;
    cr_assert_null(core_new(&options));
    options = province_options();
    snprintf(options.node, sizeof options.node, "hub"); /* its own peer */
    cr_assert_null(core_new(&options));
    options = province_options();
    options.node[0] = 'A';
    cr_assert_null(core_new(&options));
    struct core_peer twice[] = { peers[0], peers[0] };
    options = province_options();
    options.peers = twice;
    cr_assert_null(core_new(&options));
}

Test(core, national_is_the_kth_largest_receipt)
{
    const uint64_t sizes[] = { 7, 0, 9, 7 };
    cr_assert_eq(national_size(sizes, 4, 0), 0);
    cr_assert_eq(national_size(sizes, 4, 1), 9);
    cr_assert_eq(national_size(sizes, 4, 2), 7);
    cr_assert_eq(national_size(sizes, 4, 3), 7);
    cr_assert_eq(national_size(sizes, 4, 4), 0);
    cr_assert_eq(national_size(sizes, 4, 5), 0);
}

Test(core, waits_between_attempts_as_long_as_the_window_says_and_never_longer, .fini = end)
{
    struct core_options options = province_options();
    options.peer_count = 1;
    begin(&options);
    uint64_t now = 0, window = 2000, longest = 0;
    for (int attempt = 0; attempt < 200; attempt++) {
        cr_assert(find(EFFECT_CONNECT));
        struct event event = { .type = EVENT_CONNECT_FAILED };
        event.connect_failed.node = "hub";
        step(event, now);
        uint64_t at = core->peers[0].connect_at_ms;
        cr_assert_geq(at - now, 500); /* R14 */
        cr_assert_leq(at - now, window);
        if (at - now > longest)
            longest = at - now;
        window = window * 2 > 60000 ? 60000 : window * 2;
        now = at;
        step((struct event){ .type = EVENT_TICK }, now);
    }
    cr_assert_gt(longest, 50000, "no jitter over the whole window");
}

Test(core, who_was_pushed_out_leaves_the_newer_session_in_peace_for_a_while, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    uint64_t now = 20, shortest = UINT64_MAX, longest = 0;
    for (uint64_t link = 1; link <= 200; link++) {
        open_link(link, "hub");
        hello(link, "hub", ROLE_HUB);
        message.type = MESSAGE_CLOSE;
        message.close = (struct message_close){ .code = CLOSE_DUPLICATE };
        receive(link, 10, now);
        uint64_t wait = core->peers[0].connect_at_ms - now;
        shortest = wait < shortest ? wait : shortest;
        longest = wait > longest ? wait : longest;
    }
    cr_assert(shortest >= 16000 && shortest < 17000, "%llu", (unsigned long long)shortest);
    cr_assert(longest > 31000 && longest <= 32000, "%llu", (unsigned long long)longest);
}

Test(core, ends_a_link_without_a_hello_after_ten_seconds, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    open_link(1, "hub");
    cr_assert(find(EFFECT_SEND));
    step((struct event){ .type = EVENT_TICK }, 10009);
    cr_assert_null(find(EFFECT_CLOSE));
    step((struct event){ .type = EVENT_TICK }, 10010);
    cr_assert_eq(find(EFFECT_CLOSE)->close.code, CLOSE_TIMEOUT);
}

Test(core, listens_to_nothing_before_the_hello, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    open_link(1, "hub");
    message.type = MESSAGE_PING;
    receive(1, 10, 20);
    cr_assert_eq(find(EFFECT_CLOSE)->close.code, CLOSE_MALFORMED); /* R13 */
    receive(1, 10, 30);
    cr_assert_eq(effects.count, 0, "the link is forgotten");
}

Test(core, cuts_off_a_peer_that_sends_more_than_its_credit, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    message.type = MESSAGE_PACKAGE;
    message.package =
        (struct message_package){ .log = log_of("hub", "all", 1), .count = 1, .against = 1 };
    /* Nobody asked for it: it is not taken, but the bytes came, and are given back at once. */
    for (int i = 0; i < 40; i++)
        receive(1, 1 << 20, 30);
    cr_assert_null(find(EFFECT_CLOSE));
    core->links[0]->throttled = true; /* ... unless this side gives nothing back */
    core->links[0]->big_count = 1;
    for (int i = 0; i < 4; i++) {
        receive(1, 1 << 20, 40);
        cr_assert_null(find(EFFECT_CLOSE), "%d", i);
    }
    receive(1, 1, 50);
    cr_assert_eq(find(EFFECT_CLOSE)->close.code, CLOSE_LIMIT); /* R10 */
}

static void announce(uint64_t link, const char *node, const char *audience, uint32_t first,
                     uint32_t count, uint64_t now_ms)
{
    message.type = MESSAGE_HEADS;
    message.heads.complete = false;
    message.heads.count = count;
    for (uint32_t i = 0; i < count; i++)
        message.heads.heads[i] =
            (struct message_head){ .log = log_of(node, audience, first + i), .size = 5 };
    receive(link, 1000, now_ms);
}

Test(core, keeps_no_more_announced_logs_than_the_limit_and_forgets_them_with_the_link, .fini = end)
{
    struct core_options options = province_options();
    options.unheld_log_max = 100;
    begin(&options);
    for (uint32_t round = 0; round < 20; round++) { /* a hub that makes up logs */
        open_link(round + 1, "hub");
        hello(round + 1, "hub", ROLE_HUB);
        announce(round + 1, "hub", "all", round * 1000, 1000, 40);
        cr_assert_eq(core_log_count(core), 100); /* R15 */
        struct event event = { .type = EVENT_LINK_CLOSED, .link.link = round + 1 };
        step(event, 50);
        cr_assert_eq(core_log_count(core), 0);
    }
}

Test(core, forgets_an_announced_log_also_when_its_link_ended_while_it_was_stored, .fini = end)
{
    struct core_options options = province_options();
    struct buffer note = { 0 };
    struct sign_key key;
    uint8_t seed[KEY_SIZE] = { 1 };
    begin(&options);
    sign_key_from_seed(&key, seed);
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    announce(1, "hub", "all", 7, 1, 40);
    struct checkpoint checkpoint = { .log = log_of("hub", "all", 7), .size = 5 };
    checkpoint_sign(&note, &checkpoint, &key);
    message.type = MESSAGE_CHECKPOINT;
    message.checkpoint = (struct message_checkpoint){ .note = buffer_bytes(&note) };
    receive(1, 300, 50);
    cr_assert_not_null(find(EFFECT_STORE_CHECKPOINT));
    struct event closed = { .type = EVENT_LINK_CLOSED, .link.link = 1 };
    step(closed, 60);
    struct event stored = { .type = EVENT_CHECKPOINT_STORED };
    stored.stored = (struct event_stored){
        .link = 1, .node = "hub", .log = checkpoint.log, .err = ERR_SIGNATURE
    };
    step(stored, 70);
    cr_assert_eq(core_log_count(core), 0);
    buffer_close(&note);
}

/* The own live log number `n` is opened, and a hub says that it holds more of it. */
static bool is_reopened(uint32_t n, uint64_t now_ms)
{
    struct event opened = { .type = EVENT_LOG_OPENED };
    opened.own_log.log = log_of("ardabil", "hub", n);
    opened.own_log.size = 1;
    step(opened, now_ms);
    announce(1, "ardabil", "hub", n, 1, now_ms);
    return find(EFFECT_NEED_INCARNATION) != NULL;
}

static void close_log(uint32_t n, uint64_t now_ms)
{
    struct event closed = { .type = EVENT_LOG_CLOSED };
    closed.own_log.log = log_of("ardabil", "hub", n);
    step(closed, now_ms);
}

Test(core, a_hub_that_claims_more_of_every_incarnation_has_few_of_them_opened, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    cr_assert(is_reopened(1, 1000), "the first claim is believed at once");
    close_log(1, 1010);
    unsigned reopened = 0;
    uint32_t live = 2;
    bool demanded = is_reopened(live, 1020);
    for (uint64_t now_ms = 1030; now_ms < 60000; now_ms += 10) {
        if (demanded) {
            reopened++;
            close_log(live, now_ms);
            demanded = is_reopened(++live, now_ms);
            continue;
        }
        if (now_ms % 1000 == 0) /* it keeps the link alive */
            announce(1, "ardabil", "hub", live, 1, now_ms);
        else
            step((struct event){ .type = EVENT_TICK }, now_ms);
        demanded = find(EFFECT_NEED_INCARNATION) != NULL;
    }
    cr_assert_gt(reopened, 2u, "put off, not refused");
    cr_assert_lt(reopened, 10u);
}

/* The last announcement of a log in the effects; 0: there is none. */
static uint64_t announced(const struct log_id *log)
{
    static struct message sent;
    uint64_t size = 0;
    for (size_t i = 0; i < effects.count; i++) {
        const struct effect *effect = &effects.items[i];
        if (effect->type != EFFECT_SEND)
            continue;
        cr_assert_eq(message_decode(&sent, effect_message(&effects, &effect->send)), OK);
        for (size_t k = 0; sent.type == MESSAGE_HEADS && k < sent.heads.count; k++)
            if (log_id_equal(&sent.heads.heads[k].log, log))
                size = sent.heads.heads[k].size;
    }
    return size;
}

static void put_back(const struct log_id *log, uint64_t size, const struct log_head *parent,
                     uint64_t now_ms)
{
    struct event event = { .type = EVENT_LOG_PUT_BACK };
    event.log_put_back = (struct event_log_put_back){ .log = *log,
                                                      .held = { size, size, size },
                                                      .parents = parent,
                                                      .parent_count = parent != NULL };
    step(event, now_ms);
}

/* Whether a WANT for that log is among the effects. */
static bool is_wanted(const struct log_id *log)
{
    static struct message sent;
    for (size_t i = 0; i < effects.count; i++) {
        const struct effect *effect = &effects.items[i];
        if (effect->type != EFFECT_SEND)
            continue;
        cr_assert_eq(message_decode(&sent, effect_message(&effects, &effect->send)), OK);
        if (sent.type == MESSAGE_WANT && log_id_equal(&sent.want.log, log))
            return true;
    }
    return false;
}

static void want(uint64_t link, const struct log_id *log, uint64_t next, uint64_t now_ms)
{
    message.type = MESSAGE_WANT;
    message.want = (struct message_want){ .log = *log, .next = next, .pending = next };
    receive(link, 100, now_ms);
}

/* One that a later log names, which nobody announces: a hub that has that one asks for it. */
Test(core, what_was_put_back_of_an_older_log_is_offered_to_a_hub_that_asked_for_it, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    struct log_id old = log_of("ardabil", "hub", 1), later = log_of("ardabil", "hub", 2);
    struct log_head parent = { .log = old, .size = 9 };
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    put_back(&later, 1, &parent, 40);
    cr_assert(is_wanted(&old));
    want(1, &old, 1, 50);
    cr_assert_eq(announced(&old), 0, "nothing that the hub lacks");
    put_back(&old, 9, NULL, 60);
    uint64_t offered = announced(&old);
    for (uint64_t now_ms = 70; now_ms < 3000 && offered == 0; now_ms += 10) {
        step((struct event){ .type = EVENT_TICK }, now_ms);
        offered = announced(&old);
    }
    cr_assert_eq(offered, 9);
}

/* Our head crossed its WANT, and it takes the order for ended: to whom a log is sent growth is not announced. */
Test(core, what_grew_while_an_order_stood_is_announced_when_it_is_refused, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    struct log_id old = log_of("ardabil", "hub", 1);
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    want(1, &old, 5, 30);
    put_back(&old, 5, NULL, 40);
    step((struct event){ .type = EVENT_TICK }, 2000);
    want(1, &old, 0, 2010);
    put_back(&old, 9, NULL, 2020);
    step((struct event){ .type = EVENT_TICK }, 2050);
    cr_assert_eq(announced(&old), 0, "it is sent");
    message.type = MESSAGE_REFUSAL;
    message.refusal = (struct message_refusal){ .log = old, .code = REFUSAL_UNWANTED, .next = 5 };
    receive(1, 100, 4000);
    cr_assert_eq(announced(&old), 9);
    receive(1, 100, 6000);
    cr_assert_eq(announced(&old), 0, "once");
}

Test(core, what_was_put_back_is_named_by_a_new_incarnation, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    struct log_id old = log_of("ardabil", "hub", 1);
    struct event opened = { .type = EVENT_LOG_OPENED };
    opened.own_log = (struct event_own_log){ .log = log_of("ardabil", "hub", 2), .size = 1 };
    step(opened, 50);
    put_back(&old, 9, NULL, 60);
    const struct effect *need = find(EFFECT_NEED_INCARNATION);
    cr_assert(need && need->need_incarnation.reason == REASON_MERGE);
}

/* What was stored after it may have been answered before it. */
Test(core, what_was_put_back_does_not_take_back_what_came_after_it, .fini = end)
{
    struct core_options options = province_options();
    struct core_log_status status;
    begin(&options);
    struct log_id old = log_of("ardabil", "hub", 1);
    put_back(&old, 9, NULL, 60);
    put_back(&old, 7, NULL, 70);
    core_log_status(core, 0, &status);
    cr_assert_eq(status.held.size, 9);
}

/* ---- damaged records (I11) ---- */

static struct log_id damaged_log(void)
{
    struct log_id log = log_of("ardabil", "hub", 1);
    put_back(&log, 600, NULL, 5);
    return log;
}

static void hear(uint64_t link, uint64_t now_ms)
{
    struct event event = { .type = EVENT_LINK_HEARD };
    event.link.link = link;
    step(event, now_ms);
}

static void damaged(const struct log_id *log, uint64_t first, uint64_t last, uint64_t now_ms)
{
    struct event event = { .type = EVENT_LOG_DAMAGED };
    event.log_damaged = (struct event_log_damaged){ .log = *log, .first = first, .end = last };
    step(event, now_ms);
}

static void show(const struct log_id *log, uint64_t size, uint64_t now_ms)
{
    static uint8_t seed[KEY_SIZE] = { 3 };
    static struct buffer note;
    struct sign_key key;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    struct checkpoint checkpoint = { .log = *log, .size = size };
    log_id_origin(log, origin);
    sign_key_from_seed(&key, seed);
    buffer_clear(&note);
    checkpoint_sign(&note, &checkpoint, &key);
    message.type = MESSAGE_CHECKPOINT;
    message.checkpoint = (struct message_checkpoint){ .note = buffer_bytes(&note), .from = size };
    receive(1, 100, now_ms);
}

static void send_package(const struct log_id *log, uint64_t first, uint64_t count, uint64_t now_ms)
{
    message.type = MESSAGE_PACKAGE;
    message.package = (struct message_package){
        .log = *log, .first = first, .count = count, .against = 600
    };
    receive(1, 100, now_ms);
}

static void answer_mended(const struct log_id *log, enum err err, uint64_t now_ms)
{
    struct event event = { .type = EVENT_PACKAGE_STORED };
    event.stored = (struct event_stored){ .link = 1,
                                          .node = "hub",
                                          .log = *log,
                                          .mends = true,
                                          .err = err,
                                          .cursor = { 600, 600, 600 },
                                          .size = 100 };
    step(event, now_ms);
}

static uint64_t wanted_next(void)
{
    static struct message sent;
    const struct effect *effect = find(EFFECT_SEND);
    cr_assert_not_null(effect);
    cr_assert_eq(message_decode(&sent, effect_message(&effects, &effect->send)), OK);
    cr_assert_eq(sent.type, MESSAGE_WANT);
    return sent.want.next;
}

Test(core, damaged_records_are_asked_for_until_they_have_come_and_no_further, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    struct log_id log = damaged_log();
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    damaged(&log, 40, 300, 50);
    cr_assert_eq(wanted_next(), 40);
    show(&log, 600, 60);
    cr_assert_null(find(EFFECT_STORE_CHECKPOINT), "it is held");
    send_package(&log, 40, 216, 70);
    const struct effect *store = find(EFFECT_STORE_PACKAGE);
    cr_assert(store && store->store_package.mends);
    send_package(&log, 256, 256, 80);
    cr_assert(find(EFFECT_STORE_PACKAGE) && find(EFFECT_SEND), "stored, and told to stop");
    send_package(&log, 512, 88, 90);
    cr_assert_null(find(EFFECT_STORE_PACKAGE));
    answer_mended(&log, OK, 100);
    answer_mended(&log, OK, 110);
    cr_assert_not(is_wanted(&log));
}

Test(core, what_did_not_mend_is_asked_for_elsewhere, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    struct log_id log = damaged_log();
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    open_link(2, "hub2");
    hello(2, "hub2", ROLE_HUB);
    damaged(&log, 40, 50, 50);
    show(&log, 600, 60);
    send_package(&log, 40, 216, 70);
    answer_mended(&log, ERR_PROOF, 80);
    cr_assert_eq(wanted_next(), 40);
    cr_assert_eq(find(EFFECT_SEND)->send.link, 2);
    cr_assert_null(find(EFFECT_ALARM), "more may be damaged here than was found");
}

Test(core, a_peer_that_has_nothing_of_what_is_damaged_is_left_alone_for_a_while, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    struct log_id log = damaged_log();
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    damaged(&log, 40, 50, 50);
    cr_assert(is_wanted(&log));
    announce(1, "ardabil", "hub", 1, 1, 60);
    cr_assert_not(is_wanted(&log));
    hear(1, 30 * 1000);
    hear(1, 60 * 1000);
    cr_assert_not(is_wanted(&log));
    hear(1, 61 * 1000);
    cr_assert(is_wanted(&log));
}

/* R5 */
Test(core, a_damaged_log_that_is_written_is_mended_and_nothing_else_is_taken, .fini = end)
{
    struct core_options options = province_options();
    struct core_log_status status;
    begin(&options);
    struct log_id log = log_of("ardabil", "hub", 1);
    struct event opened = { .type = EVENT_LOG_OPENED };
    opened.own_log = (struct event_own_log){ .log = log, .size = 599 };
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    step(opened, 30);
    damaged(&log, 40, 50, 40);
    cr_assert_eq(wanted_next(), 40);
    show(&log, 600, 60);
    cr_assert_null(find(EFFECT_STORE_CHECKPOINT));
    send_package(&log, 40, 216, 70);
    const struct effect *store = find(EFFECT_STORE_PACKAGE);
    cr_assert(store && store->store_package.mends);
    answer_mended(&log, OK, 80);
    cr_assert_not(is_wanted(&log));
    core_log_status(core, 0, &status);
    cr_assert_eq(status.held.size, 599, "the store may be ahead of what is durable in both places");
}

/* Of a machine that was copied with the state of its random generator. */
Test(core, a_log_that_a_hub_held_more_of_before_it_was_opened_is_closed_again, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    announce(1, "ardabil", "hub", 1, 1, 40);
    struct event opened = { .type = EVENT_LOG_OPENED };
    opened.own_log = (struct event_own_log){ .log = log_of("ardabil", "hub", 1), .size = 1 };
    step(opened, 50);
    const struct effect *need = find(EFFECT_NEED_INCARNATION);
    cr_assert_not_null(need);
    cr_expect_eq(need->need_incarnation.reason, REASON_BEHIND);
}

/* A link that speaks of branches, of a hub that follows ardabil, whose log is forked. */
static struct log_id open_forked_log(struct core_peer *province)
{
    struct event loaded = { .type = EVENT_LOG_LOADED };
    loaded.log_loaded.log = log_of("ardabil", "hub", 1);
    loaded.log_loaded.held = loaded.log_loaded.branch = (struct cursor){ 3, 3, 9 };
    loaded.log_loaded.frozen = true;
    loaded.log_loaded.fork_node = province->node;
    core = core_new(&(struct core_options){
        .node = "hub", .role = ROLE_HUB, .peers = province, .peer_count = 1, .seed = 42 });
    step(loaded, 0);
    step((struct event){ .type = EVENT_START }, 0);
    open_link(1, "ardabil");
    hello(1, "ardabil", ROLE_PROVINCE);
    announce(1, "ardabil", "hub", 1, 1, 40);
    return loaded.log_loaded.log;
}

static const struct effect *wait_for(enum effect_type type, uint64_t from_ms, uint64_t until_ms)
{
    for (uint64_t now_ms = from_ms; now_ms < until_ms; now_ms += 100) {
        step((struct event){ .type = EVENT_LINK_HEARD, .link = { .link = 1 } }, now_ms);
        if (find(type))
            return find(type);
        step((struct event){ .type = EVENT_TICK }, now_ms);
        if (find(type))
            return find(type);
    }
    return NULL;
}

Test(core, a_branch_that_could_not_be_asked_for_is_asked_for_again, .fini = end)
{
    struct core_peer province = { .node = "ardabil", .role = ROLE_PROVINCE };
    struct event unsent = { .type = EVENT_WANT_UNSENT };
    unsent.want_unsent.log = open_forked_log(&province);
    unsent.want_unsent.link = 1;
    cr_assert(find(EFFECT_SEND_WANT) || wait_for(EFFECT_SEND_WANT, 30, 1000));
    cr_assert_null(wait_for(EFFECT_SEND_WANT, 1000, 2000), "it is under way");
    step(unsent, 2000);
    cr_assert_not_null(wait_for(EFFECT_SEND_WANT, 2010, 70 * 1000));
}

Test(core, a_branch_that_cannot_be_looked_for_now_is_not_denied, .fini = end)
{
    struct core_peer province = { .node = "ardabil", .role = ROLE_PROVINCE };
    struct event found = { .type = EVENT_BRANCH_FOUND };
    static struct message answer;
    found.branch_found.log = open_forked_log(&province);
    found.branch_found.link = 1;
    found.branch_found.err = ERR_NOMEM;
    message.type = MESSAGE_WANT;
    message.want = (struct message_want){ .log = found.branch_found.log, .names_branch = true };
    receive(1, 100, 50);
    cr_assert_not_null(find(EFFECT_FIND_BRANCH));
    step(found, 60);
    const struct effect *sent = find(EFFECT_SEND);
    cr_assert(sent && sent->send.type == MESSAGE_REFUSAL);
    cr_assert_eq(message_decode(&answer, effect_message(&effects, &sent->send)), OK);
    cr_assert_eq(answer.refusal.code, REFUSAL_BUSY);
}

Test(core, takes_no_notice_of_logs_that_are_none_of_its_business, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    open_link(1, "hub");
    hello(1, "hub", ROLE_HUB);
    announce(1, "fars", "hub", 1, 3, 40);
    announce(1, "hub", "fars", 1, 3, 40);
    cr_assert_eq(core_log_count(core), 0); /* R12 */
    cr_assert_null(find(EFFECT_SEND));
    message.type = MESSAGE_WANT;
    message.want = (struct message_want){ .log = log_of("fars", "hub", 1) };
    receive(1, 100, 50);
    cr_assert_eq(find(EFFECT_SEND)->send.type, MESSAGE_REFUSAL);
    announce(1, "hub", "ardabil", 1, 3, 60);
    cr_assert_eq(core_log_count(core), 3);
}

Test(core, may_write_at_once_when_all_hubs_have_answered, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    cr_assert_null(find(EFFECT_MAY_WRITE));
    for (uint64_t link = 1; link <= 2; link++) {
        const char *hub = link == 1 ? "hub" : "hub2";
        open_link(link, hub);
        hello(link, hub, ROLE_HUB);
        message.type = MESSAGE_HEADS;
        message.heads.complete = true;
        message.heads.count = 0;
        receive(link, 10, 30);
        cr_assert_eq(find(EFFECT_MAY_WRITE) != NULL, link == 2);
    }
    cr_assert_not(find(EFFECT_MAY_WRITE)->may_write.hubs_unasked);
}

Test(core, gives_the_same_effects_for_the_same_events)
{
    struct buffer traces[2] = { { 0 }, { 0 } };
    for (int run = 0; run < 2; run++) {
        struct core_options options = province_options();
        begin(&options);
        open_link(1, "hub");
        hello(1, "hub", ROLE_HUB);
        announce(1, "hub", "all", 1, 50, 40);
        for (uint64_t now = 1000; now < 200000; now += 1000) { /* pings, time-outs, retries */
            step((struct event){ .type = EVENT_TICK }, now);
            buffer_append_u64(&traces[run], core_deadline(core));
            buffer_append_bytes(&traces[run], buffer_bytes(&effects.messages));
        }
        end();
    }
    cr_assert(bytes_equal(buffer_bytes(&traces[0]), buffer_bytes(&traces[1]))); /* R15 */
    buffer_close(&traces[0]);
    buffer_close(&traces[1]);
}

Test(core, says_who_may_hold_which_log, .fini = end)
{
    struct core_options options = province_options();
    begin(&options);
    const struct {
        const char *holder;
        enum node_role role;
        const char *node, *audience;
        bool may;
    } cases[] = {
        { "ardabil", ROLE_PROVINCE, "ardabil", "hub", true },
        { "hub", ROLE_HUB, "ardabil", "hub", true },
        { "ardabil", ROLE_PROVINCE, "hub", "all", true },
        { "ardabil", ROLE_PROVINCE, "hub", "ardabil", true },
        { "ardabil", ROLE_PROVINCE, "hub", "fars", false },
        { "fars", ROLE_PROVINCE, "ardabil", "hub", false },
        { "fars", ROLE_PROVINCE, "ardabil", "all", false },
        { "hub2", ROLE_HUB, "hub", "fars", true },
        { "hub", ROLE_HUB, "nobody", "hub", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_id id = log_of(cases[i].node, cases[i].audience, 1);
        cr_assert_eq(core_policy_may_hold(core, cases[i].holder, cases[i].role, &id), cases[i].may,
                     "%zu", i);
    }
}
