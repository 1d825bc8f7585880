#include "tests/unit/node/member.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static enum err fold_nothing(void *context, struct view *view, const struct record_header *header,
                             struct bytes facts, struct bytes person, bool person_absent)
{
    (void)context, (void)view, (void)header, (void)facts, (void)person, (void)person_absent;
    return OK;
}

static void on_advanced(void *context, const struct checkpoint *checkpoint, struct bytes note)
{
    (void)note;
    replicator_advanced(((struct member *)context)->replicator, checkpoint);
}

static void on_put_back(void *context, const struct log_id *log)
{
    replicator_put_back(((struct member *)context)->replicator, log);
}

static void on_failed(void *context, enum err err, const char *what)
{
    (void)context;
    cr_assert_fail("%s: %s", err_name(err), what);
}

static void on_may_write(void *context, uint32_t flags)
{
    struct member *member = context;
    member->may_write = true;
    cr_assert_eq(flags & ~(uint32_t)INCARNATION_HUBS_UNASKED, 0u);
}

static void on_closed(void *context)
{
    ((struct member *)context)->closed = true;
}

static void keyring_make(struct keyring *keyring, uint8_t byte)
{
    uint8_t seed[KEY_SIZE];
    memset(seed, byte, sizeof seed);
    sign_key_from_seed(&keyring->log, seed);
    seed[0]++;
    sign_key_from_seed(&keyring->receipt, seed);
    seed[0]++;
    link_key_from_seed(&keyring->link, seed);
}

void member_init(struct member *member, uv_loop_t *loop, const char *folder, const char *node,
                 enum node_role role, uint8_t seed)
{
    memset(member, 0, sizeof *member);
    member->loop = loop;
    strcpy(member->config.node, node);
    member->config.role = role;
    member->config.catch_ups_max = 8;
    member->config.national_receipts = 1;
    keyring_make(&member->keyring, seed);
    snprintf(member->path, sizeof member->path, "%s/%s", folder, node);
}

static void engine_begin(struct member *member)
{
    struct engine_options options = { .path = member->path,
                                      .node = member->config.node,
                                      .audience = member->config.role == ROLE_HUB ? "all" : "hub",
                                      .log_key = &member->keyring.log,
                                      .data_key = member->keyring.data,
                                      .rules = { .fold = fold_nothing, .version = 1 },
                                      .map_size = (size_t)64 << 20,
                                      .memory_size_max = (size_t)4 << 20,
                                      .queue_max = 4096,
                                      .group_max = 256,
                                      .on_advanced = on_advanced,
                                      .on_put_back = on_put_back,
                                      .journal_path = member->config.journal_path,
                                      .journal_segment_size = member->config.journal_segment_size,
                                      .journal_keep_size = member->config.journal_keep_size,
                                      .national_receipts = member->config.national_receipts,
                                      .on_failed = on_failed,
                                      .context = member };
    cr_assert_eq(engine_open(&member->engine, &options), OK);
}

void member_begin(struct member *member)
{
    struct buffer problem = { 0 };
    struct replicator_options options = { .loop = member->loop,
                                          .config = &member->config,
                                          .keyring = &member->keyring,
                                          .engine = member->engine,
                                          .may_write = on_may_write,
                                          .failed = on_failed,
                                          .context = member };
    if (!member->engine) {
        engine_begin(member);
        options.engine = member->engine;
    }
    enum err err = replicator_open(&member->replicator, &options, &problem);
    cr_assert_eq(err, OK, "%.*s", (int)problem.size, (const char *)problem.data);
    buffer_close(&problem);
}

void member_end(struct member *member)
{
    member->closed = false;
    replicator_close(member->replicator, on_closed, member);
    while (!member->closed)
        uv_run(member->loop, UV_RUN_ONCE);
    engine_stop(member->engine);
    replicator_free(member->replicator);
    member->engine = NULL;
    member->may_write = member->started = false;
}

void member_turn(struct member *member)
{
    if (member->may_write && !member->started) {
        member->started = true;
        cr_assert_eq(engine_start(member->engine, 0), OK);
    }
}

static void on_pause(uv_timer_t *timer)
{
    (void)timer;
}

void loop_turn(uv_loop_t *loop, uint64_t ms)
{
    uv_timer_t pause;
    uv_update_time(loop); /* or the pause may be over before the wait begins */
    uv_timer_init(loop, &pause);
    uv_timer_start(&pause, on_pause, ms, 0);
    uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&pause, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}
