/* require(): states what only a bug in this program could break. It stays on in release builds
 * and ends the process. Bytes from the network, the disk or a user never reach one. */
#ifndef PROTO_BASE_REQUIRE_H
#define PROTO_BASE_REQUIRE_H

_Noreturn void require_failed(const char *expression, const char *file, int line);

#define require(expression) \
    ((expression) ? (void)0 : require_failed(#expression, __FILE__, __LINE__))

#endif
