/* The architecture, kept by a test instead of a reviewer's memory:
 *
 *   1. Calls go node -> replication -> storage -> proto: no file includes a header of a layer above
 *      its own, replication/core none but proto's and its own, node/casework none of replication
 *      or of the rest of node.
 *   2. uv.h is known in node/ only; lmdb.h and msgpack.h to one file each; nettle to hash.c
 *      and OpenSSL to aead.c only.
 *   3. proto and replication/core reach no clock, socket, file or randomness: what their objects
 *      need from outside stands on a short list (nm), and everything else is refused.
 *
 * Every source file outside tests/ belongs to a layer; nothing is left out. */
#include "proto/base/bytes.h"

#include <criterion/criterion.h>
#include <fts.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is wrong, one a line, so that a failure shows everything at once. */
static struct buffer problems;

__attribute__((format(printf, 1, 2))) static void problem(const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buffer_append_string(&problems, "\n  ");
    buffer_append_string(&problems, line);
}

static void assert_no_problems(void)
{
    size_t size = problems.size;
    buffer_append_u8(&problems, '\0');
    cr_assert_eq(size, 0, "%s", (const char *)problems.data);
    buffer_close(&problems);
}

static bool begins_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

static bool ends_with(const char *string, const char *suffix)
{
    size_t size = strlen(string), suffix_size = strlen(suffix);
    return size >= suffix_size && strcmp(string + size - suffix_size, suffix) == 0;
}

/* ---- the source tree ------------------------------------------------------------------------ */

typedef void source_visitor(const char *path, void *context);

/* Calls `visit` with every .c and .h outside tests/, build/ and hidden folders; paths are relative
 * to the root of the source tree. */
static void for_each_source(source_visitor *visit, void *context)
{
    char root[] = SAMAD_SOURCE_DIR;
    char *roots[] = { root, NULL };
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    cr_assert_not_null(tree);
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        const char *path = entry->fts_path + strlen(root);
        path += *path == '/';
        bool outside = strcmp(path, "tests") == 0 || strcmp(path, "build") == 0 ||
                       (entry->fts_level > 0 && entry->fts_name[0] == '.');
        if (entry->fts_info == FTS_D && outside)
            fts_set(tree, entry, FTS_SKIP);
        if (entry->fts_info == FTS_F && (ends_with(path, ".c") || ends_with(path, ".h")))
            visit(path, context);
    }
    fts_close(tree);
}

typedef void include_visitor(const char *path, const char *header, bool quoted, void *context);

struct include_walk {
    include_visitor *visit;
    void *context;
};

static void visit_includes(const char *path, void *context)
{
    struct include_walk *walk = context;
    char full[4096], line[4096];
    snprintf(full, sizeof full, "%s/%s", SAMAD_SOURCE_DIR, path);
    FILE *file = fopen(full, "r");
    cr_assert_not_null(file, "%s", full);
    while (fgets(line, sizeof line, file)) {
        char open, header[1024];
        if (sscanf(line, " # include %c%1023[^\">]", &open, header) == 2 &&
            (open == '"' || open == '<'))
            walk->visit(path, header, open == '"', walk->context);
    }
    fclose(file);
}

static void for_each_include(include_visitor *visit, void *context)
{
    struct include_walk walk = { visit, context };
    for_each_source(visit_includes, &walk);
}

/* ---- 1: the layers -------------------------------------------------------------------------- */

static const char *const layers[] = { "proto/", "storage/", "replication/", "node/" };
enum { LAYERS = sizeof layers / sizeof *layers };

/* The rank of a path's layer, LAYERS when it is in none. */
static size_t layer_of(const char *path)
{
    size_t rank = 0;
    while (rank < LAYERS && !begins_with(path, layers[rank]))
        rank++;
    return rank;
}

static void check_file_has_a_layer(const char *path, void *context)
{
    size_t *count = context;
    (*count)++;
    if (layer_of(path) == LAYERS)
        problem("%s is in no layer", path);
}

static void check_layer_of_include(const char *path, const char *header, bool quoted, void *context)
{
    (void)context;
    if (!quoted)
        return;
    size_t own = layer_of(path), theirs = layer_of(header);
    if (theirs == LAYERS)
        problem("%s includes \"%s\": our headers are named from the root of the tree", path, header);
    else if (theirs > own)
        problem("%s includes \"%s\" of a layer above its own", path, header);
}

/* Folders whose library links less than their layer may. */
static void check_narrow_folder(const char *path, const char *header, bool quoted, void *context)
{
    (void)context;
    if (!quoted)
        return;
    if (begins_with(path, "replication/core/") && !begins_with(header, "proto/") &&
        !begins_with(header, "replication/core/"))
        problem("%s includes \"%s\": the core knows proto and itself", path, header);
    bool outside_casework =
        begins_with(header, "replication/") ||
        (begins_with(header, "node/") && !begins_with(header, "node/casework/"));
    if (begins_with(path, "node/casework/") && outside_casework)
        problem("%s includes \"%s\": casework knows storage, proto and itself", path, header);
}

Test(layers, every_source_file_belongs_to_a_layer)
{
    size_t count = 0;
    for_each_source(check_file_has_a_layer, &count);
    cr_assert_gt(count, 20, "the walk finds the sources");
    assert_no_problems();
}

Test(layers, no_file_includes_a_header_of_a_higher_layer)
{
    for_each_include(check_layer_of_include, NULL);
    assert_no_problems();
}

Test(layers, the_core_and_casework_include_only_what_they_link)
{
    for_each_include(check_narrow_folder, NULL);
    assert_no_problems();
}

/* ---- 2: one door to each library ------------------------------------------------------------ */

struct door {
    const char *library;
    const char *headers[3]; /* a name, or a folder with its slash */
    const char *place;      /* where its includes must be: a path or a folder with its slash */
    size_t files_max;
    size_t files;
    char last_file[256]; /* a file that includes two of the headers counts once */
};

static struct door doors[] = {
    { .library = "libuv", .headers = { "uv.h", "uv/" }, .place = "node/", .files_max = SIZE_MAX },
    { .library = "LMDB", .headers = { "lmdb.h", "midl.h" }, .place = "storage/", .files_max = 1 },
    { .library = "msgpack-c", .headers = { "msgpack.h", "msgpack/" }, .place = "proto/wire/",
      .files_max = 1 },
    { .library = "nettle", .headers = { "nettle/" }, .place = "proto/secure/hash.c",
      .files_max = 1 },
    { .library = "OpenSSL", .headers = { "openssl/" }, .place = "proto/secure/aead.c",
      .files_max = 1 },
};
enum { DOORS = sizeof doors / sizeof *doors };

static bool names_header(const struct door *door, const char *header)
{
    for (size_t i = 0; i < 3 && door->headers[i]; i++) {
        const char *wanted = door->headers[i];
        if (ends_with(wanted, "/") ? begins_with(header, wanted) : strcmp(header, wanted) == 0)
            return true;
    }
    return false;
}

static void check_doors(const char *path, const char *header, bool quoted, void *context)
{
    (void)quoted, (void)context;
    for (size_t i = 0; i < DOORS; i++) {
        struct door *door = &doors[i];
        if (!names_header(door, header) || strcmp(door->last_file, path) == 0)
            continue;
        snprintf(door->last_file, sizeof door->last_file, "%s", path);
        door->files++;
        if (!begins_with(path, door->place))
            problem("%s includes <%s>: %s is known in %s only", path, header, door->library,
                    door->place);
        if (door->files > door->files_max)
            problem("%s includes <%s>: one file speaks to %s", path, header, door->library);
    }
}

Test(layers, each_library_has_one_door)
{
    for_each_include(check_doors, NULL);
    cr_assert_eq(doors[2].files, 1, "the walk finds msgpack's door");
    cr_assert_eq(doors[3].files, 1, "the walk finds nettle's door");
    cr_assert_eq(doors[4].files, 1, "the walk finds OpenSSL's door");
    assert_no_problems();
}

/* ---- 3: what the pure objects need from outside --------------------------------------------- */

/* Memory and strings: nothing that looks at the world. The compiler's fortified forms
 * (__memcpy_chk) stand for the plain ones. */
static const char *const pure_functions[] = {
    "memcpy", "memmove", "memset", "memcmp", "memchr", "memrchr", "memmem", "mempcpy",
    "strlen", "strnlen", "strcmp", "strncmp", "strchr", "strrchr", "strstr", "strspn", "strcspn",
    "malloc", "calloc", "realloc", "free", "qsort", "bsearch", "snprintf", "vsnprintf",
    "htonl", "htons", "ntohl", "ntohs", /* calls in an unoptimised build */
    "__popcountdi2", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_",
};

/* What instrumented builds add. */
static const char *const sanitizer_prefixes[] = { "__asan_",      "__ubsan_",        "__tsan_",
                                                  "__sanitizer_", "___asan_",        "__lsan_",
                                                  "__sancov_",    "__start___sancov",
                                                  "__stop___sancov" };

/* proto's own libraries. libsodium is let in by name where a function could draw randomness. */
static const char *const proto_prefixes[] = { "crypto_", "nettle_", "msgpack_", "ZSTD_" };
static const char *const proto_functions[] = {
    "sodium_memzero", "sodium_memcmp", "sodium_is_zero", "sodium_increment", "sodium_bin2base64",
    "sodium_base642bin",
    /* OpenSSL's, in aead.c: a cipher with a given key */
    "OPENSSL_init_crypto", "EVP_chacha20_poly1305", "EVP_CIPHER_CTX_new", "EVP_CIPHER_CTX_free",
    "EVP_CIPHER_CTX_ctrl", "EVP_CipherInit_ex", "EVP_CipherUpdate", "EVP_CipherFinal_ex",
};
/* Sodium's functions of these names call randombytes(). */
static const char *const random_suffixes[] = { "_keygen", "_keypair", "_random" };

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool is_listed(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

static bool has_listed_prefix(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (begins_with(name, list[i]))
            return true;
    return false;
}

static bool is_pure(const char *name)
{
    char plain[256];
    if (is_listed(name, pure_functions, COUNT(pure_functions)) ||
        has_listed_prefix(name, sanitizer_prefixes, COUNT(sanitizer_prefixes)))
        return true;
    if (!begins_with(name, "__") || !ends_with(name, "_chk"))
        return false;
    snprintf(plain, sizeof plain, "%.*s", (int)(strlen(name) - strlen("___chk")), name + 2);
    return is_listed(plain, pure_functions, COUNT(pure_functions));
}

static bool is_allowed_in_proto(const char *member, const char *name)
{
    static const char *const reports[] = { "fprintf", "__fprintf_chk", "fwrite", "stderr",
                                           "abort" };
    /* A broken require() says so and ends the process. */
    if (strcmp(member, "require.c.o") == 0 && is_listed(name, reports, COUNT(reports)))
        return true;
    /* It chooses the processor's best implementations, once a process. That it also makes a random
     * generator ready is harmless: no object here may call one. */
    if (strcmp(member, "noise.c.o") == 0 && strcmp(name, "sodium_init") == 0)
        return true;
    if (ends_with(name, "_seed_keypair"))
        return true;
    for (size_t i = 0; i < COUNT(random_suffixes); i++)
        if (ends_with(name, random_suffixes[i]))
            return false;
    return is_listed(name, proto_functions, COUNT(proto_functions)) ||
           has_listed_prefix(name, proto_prefixes, COUNT(proto_prefixes)) || is_pure(name);
}

struct symbol {
    char member[128];
    char name[256];
    bool defined;
};

struct symbols {
    struct symbol *list;
    size_t count;
};

/* One line of `nm -P -A`: «libproto.a[note.c.o]: note_vkey T 0 1f». */
static bool symbol_parse(struct symbol *symbol, const char *line)
{
    char type;
    const char *open = strrchr(line, '[');
    if (!open || sscanf(open, "[%127[^]]]: %255s %c", symbol->member, symbol->name, &type) != 3)
        return false;
    symbol->defined = !strchr("Uwv", type);
    return true;
}

static void symbols_read(struct symbols *symbols, const char *archive)
{
    char command[4096], line[4096];
    snprintf(command, sizeof command, "nm -P -A '%s/%s'", SAMAD_BINARY_DIR, archive);
    FILE *nm = popen(command, "r");
    cr_assert_not_null(nm);
    while (fgets(line, sizeof line, nm)) {
        struct symbol symbol;
        cr_assert(symbol_parse(&symbol, line), "nm: %s", line);
        symbols->list = realloc(symbols->list, (symbols->count + 1) * sizeof symbol);
        symbols->list[symbols->count++] = symbol;
    }
    cr_assert_eq(pclose(nm), 0, "%s", command);
    cr_assert_gt(symbols->count, 0, "%s has symbols", archive);
}

static bool symbols_define(const struct symbols *symbols, const char *name)
{
    for (size_t i = 0; i < symbols->count; i++)
        if (symbols->list[i].defined && strcmp(symbols->list[i].name, name) == 0)
            return true;
    return false;
}

static void count_core_source(const char *path, void *context)
{
    size_t *count = context;
    *count += begins_with(path, "replication/core/") && ends_with(path, ".c");
}

Test(layers, proto_reaches_no_clock_no_socket_no_file_and_no_randomness)
{
    struct symbols proto = { 0 };
    symbols_read(&proto, "libproto.a");
    for (size_t i = 0; i < proto.count; i++) {
        const struct symbol *symbol = &proto.list[i];
        if (!symbol->defined && !symbols_define(&proto, symbol->name) &&
            !is_allowed_in_proto(symbol->member, symbol->name))
            problem("proto: %s needs %s", symbol->member, symbol->name);
    }
    free(proto.list);
    assert_no_problems();
}

Test(layers, the_replication_core_needs_memory_strings_and_proto_and_nothing_else)
{
    size_t sources = 0;
    struct symbols core = { 0 }, proto = { 0 };
    for_each_source(count_core_source, &sources);
    if (sources == 0)
        return; /* no archive is made of an empty folder; with a first source this goes on */
    symbols_read(&core, "libreplication_core.a");
    symbols_read(&proto, "libproto.a");
    for (size_t i = 0; i < core.count; i++) {
        const struct symbol *symbol = &core.list[i];
        if (!symbol->defined && !is_pure(symbol->name) && !symbols_define(&core, symbol->name) &&
            !symbols_define(&proto, symbol->name))
            problem("replication/core: %s needs %s", symbol->member, symbol->name);
    }
    free(core.list);
    free(proto.list);
    assert_no_problems();
}

/* The lists themselves: what the rule is about must not slip through them. */
Test(layers, the_lists_let_no_clock_socket_file_or_randomness_through)
{
    static const char *const impure[] = {
        "time", "clock_gettime", "gettimeofday", "rand", "random", "getrandom", "getentropy",
        "arc4random", "randombytes", "randombytes_buf", "socket", "connect", "read", "__read_chk",
        "write", "open", "openat", "fopen", "send", "sendmsg", "recv", "recvfrom",
        "__recv_chk", "poll", "epoll_wait", "select", "pthread_mutex_lock", "pthread_create",
        "uv_now", "printf", "__printf_chk", "fprintf", "__fprintf_chk", "puts", "fputs", "stderr",
        "getenv", "abort", "exit", "mmap", "syscall", "sleep", "nanosleep", "crypto_sign_keypair",
        "crypto_secretbox_keygen", "crypto_core_ed25519_scalar_random", "sodium_init",
        "sodium_malloc",
    };
    for (size_t i = 0; i < COUNT(impure); i++) {
        cr_assert(!is_pure(impure[i]), "%s", impure[i]);
        cr_assert(!is_allowed_in_proto("note.c.o", impure[i]), "%s", impure[i]);
    }
    cr_assert(is_pure("__memcpy_chk"));
    cr_assert(is_pure("__snprintf_chk"));
}
