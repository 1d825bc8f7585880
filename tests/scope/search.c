#include "tests/scope/search.h"

#include "proto/base/require.h"
#include "tests/scope/arena.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX   512
#define ON_THE_PATH (-1.0)
#define PROGRESS_NS INT64_C(10000000000)

struct seen {
    uint64_t key[2]; /* both 0: free */
    double interleavings;
};

static struct {
    const struct script *script;
    const struct search_limits *limits;
    struct search_result *result;
    struct scope *scope;
    struct seen *seen; /* open addressing */
    size_t seen_count, seen_capacity;
    struct arena_state saved[DEPTH_MAX];
    char path[DEPTH_MAX][16];
    size_t depth;
    int64_t began_ns, told_ns;
    bool stop;
} search;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- states that were seen ---------------------------------------------------------------------
 */

static struct seen *place_of(struct seen *table, size_t capacity, const uint64_t key[2])
{
    size_t at = (size_t)key[0] & (capacity - 1);
    while ((table[at].key[0] | table[at].key[1]) != 0 &&
           (table[at].key[0] != key[0] || table[at].key[1] != key[1]))
        at = (at + 1) & (capacity - 1);
    return &table[at];
}

static void seen_grow(void)
{
    size_t capacity = search.seen_capacity ? 2 * search.seen_capacity : 1 << 16;
    struct seen *table = calloc(capacity, sizeof *table);
    require(table != NULL);
    for (size_t i = 0; i < search.seen_capacity; i++)
        if ((search.seen[i].key[0] | search.seen[i].key[1]) != 0)
            *place_of(table, capacity, search.seen[i].key) = search.seen[i];
    free(search.seen);
    search.seen = table;
    search.seen_capacity = capacity;
}

static struct seen *seen_find(const uint64_t key[2])
{
    if (2 * (search.seen_count + 1) > search.seen_capacity)
        seen_grow();
    return place_of(search.seen, search.seen_capacity, key);
}

/* ---- telling -----------------------------------------------------------------------------------
 */

static void print_case(void)
{
    printf("case=");
    for (size_t i = 0; i < search.depth; i++)
        printf("%s%s", i > 0 ? "," : "", search.path[i]);
}

static void violated(const char *what)
{
    search.result->violations++;
    printf("VIOLATION ");
    print_case();
    printf("\n  %s\n", what);
    fflush(stdout);
    search.stop |= search.result->violations >= search.limits->violations_max;
}

/* A rule that only a bug can break, broken in the product or in the world around it: which case. */
static void on_abort(int signal)
{
    (void)signal;
    printf("VIOLATION ");
    print_case();
    printf("\n  the process ended: a require() did not hold\n");
    fflush(stdout);
    _exit(1);
}

static void progress(void)
{
    const struct search_result *result = search.result;
    int64_t now = now_ns();
    unsigned seconds = search.limits->seconds;
    if (now - search.told_ns >= PROGRESS_NS) {
        search.told_ns = now;
        fprintf(stderr, "scope: %llds states=%llu steps=%llu judged=%llu\n",
                (long long)((now - search.began_ns) / 1000000000),
                (unsigned long long)result->states, (unsigned long long)result->steps,
                (unsigned long long)result->judged);
    }
    if (seconds > 0 && now - search.began_ns > seconds * INT64_C(1000000000)) {
        search.stop = true;
        result = search.result;
        search.result->complete = false;
    }
}

/* ---- going through -----------------------------------------------------------------------------
 */

static double explore(void);

static bool is_forked(const struct scope *scope)
{
    for (int place = 0; place < PLACE_COUNT; place++)
        for (size_t i = 0; i < scope->nodes[place].store.count; i++)
            if (scope->nodes[place].store.logs[i]->proven)
                return true;
    return false;
}

static void judge(void)
{
    const char *what = scope_judge(search.scope, NULL);
    search.result->judged++;
    search.result->forked += is_forked(search.scope);
    if (what != NULL)
        violated(what);
}

static double follow(const struct choice *choice)
{
    require(search.depth < DEPTH_MAX);
    memcpy(search.path[search.depth++], choice->name, sizeof choice->name);
    search.result->steps++;
    search.result->faults += choice->is_fault;
    arena_enter();
    script_happen(search.scope, choice);
    arena_leave();
    double interleavings = explore();
    search.depth--;
    return interleavings;
}

/* All that may come after this state; whatever happens in it is undone. */
static double explore_all(void)
{
    struct choice choices[CHOICE_MAX];
    size_t count = script_choices(search.scope, search.script, choices), depth = search.depth;
    double interleavings = 0;
    require(depth < DEPTH_MAX);
    arena_save(&search.saved[depth]);
    if (script_is_over(search.scope, search.script)) {
        judge();
        arena_restore(&search.saved[depth]);
        interleavings = 1;
    }
    for (size_t i = 0; i < count && !search.stop; i++) {
        interleavings += follow(&choices[i]);
        arena_restore(&search.saved[depth]);
    }
    return interleavings;
}

static double explore(void)
{
    struct hash digest;
    uint64_t key[2];
    progress();
    if (search.stop)
        return 0;
    scope_digest(search.scope, &digest);
    memcpy(key, digest.bytes, sizeof key);
    struct seen *seen = seen_find(key);
    if (seen->interleavings == ON_THE_PATH) {
        violated("it goes round in circles");
        return 0;
    }
    if ((seen->key[0] | seen->key[1]) != 0)
        return seen->interleavings;
    *seen = (struct seen){ .key = { key[0], key[1] }, .interleavings = ON_THE_PATH };
    search.seen_count++;
    search.result->states++;
    double interleavings = explore_all();
    seen_find(key)->interleavings = interleavings; /* the table may have moved */
    return interleavings;
}

static void begin(const struct script *script)
{
    search.script = script;
    signal(SIGABRT, on_abort);
    arena_enter();
    search.scope = scope_new();
    arena_leave();
}

void search_run(const struct script *script, const struct search_limits *limits,
                struct search_result *result)
{
    *result = (struct search_result){ .complete = true };
    search.limits = limits;
    search.result = result;
    search.began_ns = search.told_ns = now_ns();
    begin(script);
    result->interleavings = explore();
    for (size_t i = 0; i < DEPTH_MAX; i++)
        arena_state_close(&search.saved[i]);
    free(search.seen);
    search.seen = NULL;
}

/* ---- one case ----------------------------------------------------------------------------------
 */

static bool replay_one(const char *name, size_t size)
{
    struct choice choices[CHOICE_MAX];
    size_t count = script_choices(search.scope, search.script, choices);
    for (size_t i = 0; i < count; i++)
        if (strlen(choices[i].name) == size && memcmp(choices[i].name, name, size) == 0) {
            memcpy(search.path[search.depth++], choices[i].name, sizeof choices[i].name);
            arena_enter();
            script_happen(search.scope, &choices[i]);
            arena_leave();
            return true;
        }
    fprintf(stderr, "scope: %.*s is not possible there; these are:", (int)size, name);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, " %s", choices[i].name);
    fputc('\n', stderr);
    return false;
}

bool search_replay(const struct script *script, const char *name, const char *history_path,
                   bool *found)
{
    struct search_result result = { 0 };
    struct search_limits limits = { .violations_max = 1 };
    search.limits = &limits;
    search.result = &result;
    scope_print = true;
    begin(script);
    while (*name) {
        size_t size = strcspn(name, ",");
        if (!replay_one(name, size))
            return false;
        name += size + (name[size] == ',');
    }
    scope_say("the end");
    const char *what = scope_judge(search.scope, history_path);
    *found = what != NULL;
    if (what != NULL)
        violated(what);
    return true;
}
