#include "tests/unit/storage/views_fixture.h"

#include "proto/base/require.h"
#include "storage/views_private.h"

#include <stdio.h>
#include <string.h>

/* ---- rules ------------------------------------------------------------------------------------ */

static uint64_t add_one(struct view *view, const char *name)
{
    struct bytes value;
    uint8_t raw[8] = { 0 };
    if (view_get(view, bytes_of_string(name), &value) == OK && value.size == sizeof raw)
        memcpy(raw, value.data, sizeof raw);
    put_u64(raw, get_u64(raw) + 1);
    view_put(view, bytes_of_string(name), BYTES_OF_ARRAY(raw));
    return get_u64(raw);
}

static struct hash chain(struct view *view, const struct record_header *header, struct bytes facts,
                         struct bytes person)
{
    struct hash next;
    struct bytes parts[4] = { BYTES_NONE, BYTES_OF_ARRAY(header->log.incarnation), facts, person };
    if (view_get(view, bytes_of_string("chain"), &parts[0]) != OK)
        parts[0] = BYTES_NONE;
    hash_sha256(&next, parts, 4);
    view_put(view, bytes_of_string("chain"), BYTES_OF_ARRAY(next.bytes));
    return next;
}

static void window(struct view *view, uint64_t count)
{
    char name[32];
    struct bytes key, value;
    snprintf(name, sizeof name, "window/%010llu", (unsigned long long)count);
    view_put(view, bytes_of_string(name), BYTES_NONE);
    /* The oldest one is found by seeking, as a queue would be. */
    if (count > 10 && view_seek(view, bytes_of_string("window/"), false, &key, &value) == OK) {
        char oldest[32];
        memcpy(oldest, key.data, key.size);
        view_del(view, bytes_of(oldest, key.size));
    }
}

enum err fixture_fold(void *context, struct view *view, const struct record_header *header,
                      struct bytes facts, struct bytes person, bool person_absent)
{
    (void)context;
    char name[64];
    if (strcmp(header->actor, "refused") == 0)
        return ERR_REFUSED;
    struct hash hash = chain(view, header, facts, person);
    uint64_t count = add_one(view, "count");
    snprintf(name, sizeof name, "kind/%u", (unsigned)header->kind);
    add_one(view, name);
    if (header->has_person)
        add_one(view, person_absent ? "absent" : "person");
    snprintf(name, sizeof name, "record/%02x/%08llu", header->log.incarnation[0],
             (unsigned long long)header->position);
    view_put(view, bytes_of_string(name), facts);
    memcpy(name, "spread/", 7);
    hex_encode(name + 7, bytes_of(hash.bytes, 8));
    view_put(view, bytes_of_string(name), bytes_of_string("x"));
    window(view, count);
    return view->err;
}

/* ---- fixture ---------------------------------------------------------------------------------- */

void views_fixture_open(struct views_fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    folder_make(fixture->folder);
    fixture->options = (struct views_options){
        .path = fixture->folder,
        .node = "ardabil",
        .audience = "hub",
        .rules = { .fold = fixture_fold, .version = 1 },
        .map_size = 32 << 20,
        .memory_size_max = 8 << 20,
    };
    require(views_open(&fixture->views, &fixture->options) == OK);
}

enum err views_fixture_reopen(struct views_fixture *fixture)
{
    views_close(fixture->views);
    return views_open(&fixture->views, &fixture->options);
}

void views_fixture_close(struct views_fixture *fixture)
{
    views_close(fixture->views);
    folder_remove(fixture->folder);
}

unsigned views_fixture_fold(struct views_fixture *fixture, struct log_store *logs, uint64_t budget)
{
    unsigned calls = 0;
    enum err err;
    while ((err = views_fold(fixture->views, logs, "ardabil", budget)) == OK)
        calls++;
    if (err != ERR_END)
        fprintf(stderr, "views_fold: %s\n", err_name(err));
    require(err == ERR_END);
    return calls;
}

enum err views_fixture_scrub(struct views_fixture *fixture, uint64_t budget)
{
    enum err err;
    while ((err = views_scrub(fixture->views, budget)) == OK)
        continue;
    return err == ERR_END ? OK : err;
}

struct digest_text views_fixture_digest(struct views_fixture *fixture)
{
    struct digest_text digest;
    struct hash hash;
    uint64_t entries;
    require(views_fixture_scrub(fixture, 100) == OK); /* V5 */
    enum err err = views_digest(fixture->views, "ardabil", &hash, &entries);
    snprintf(digest.text, sizeof digest.text, "%s", err_name(err));
    if (err == OK)
        hex_encode(digest.text, BYTES_OF_ARRAY(hash.bytes));
    return digest;
}

struct digest_text views_fixture_rebuilt(struct log_store *logs)
{
    struct views_fixture scratch;
    views_fixture_open(&scratch);
    views_fixture_fold(&scratch, logs, 1000000);
    struct digest_text digest = views_fixture_digest(&scratch);
    views_fixture_close(&scratch);
    return digest;
}

uint64_t views_fixture_entries(struct views_fixture *fixture)
{
    struct store_txn txn = store_begin_read(views_environment(fixture->views));
    uint64_t count = store_count(&txn, VIEWS_ENTRIES);
    store_abort(&txn);
    return count;
}
