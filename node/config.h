/* The configuration file of samadd and samadctl (libconfuse; every option is described in
 * deploy/README.md and in the examples under deploy/examples/).
 *
 *   node = "ardabil"            role = "province"           # or "hub"
 *   data = "/var/lib/samad"     keys = "/etc/samad/keys"
 *   api { listen = "127.0.0.1:8111" }
 *   replication { listen = "0.0.0.0:9111" }                 # a hub listens for provinces
 *   hub "centre" { address = "hub.example:9111"  link_key = "<64 hex>"  log_key = "<64 hex>"
 *                  receipt_key = "<64 hex>" }               # one section a hub
 *   province "ardabil" { link_key = "<64 hex>"  log_key = "<64 hex>" }  # at a hub
 *   national { receipts = 1 }
 *   journal { path = "/srv/second-disk/samad" }              # a second copy on another device
 */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "proto/record/log_id.h"
#include "proto/secure/keys.h"
#include "proto/wire/message.h"

struct config_hub {
    char name[NODE_NAME_SIZE_MAX + 1];
    char *address; /* host:port */
    struct link_public link_key;
    struct sign_public log_key;
    struct sign_public receipt_key;
};

struct config_province {
    char name[NODE_NAME_SIZE_MAX + 1];
    struct link_public link_key;
    struct sign_public log_key;
};

struct config {
    char node[NODE_NAME_SIZE_MAX + 1];
    enum node_role role;
    char *data;
    char *keys;
    char *api_listen; /* NULL: no API */
    char *api_tls_certificate, *api_tls_key;
    unsigned api_connections_max;
    char *replication_listen; /* NULL: does not accept links */
    struct config_hub *hubs;
    size_t hub_count;
    struct config_province *provinces;
    size_t province_count;
    unsigned national_receipts; /* receipts of so many hubs make a record national */
    size_t map_size, reserve_size, memory_size, queue_max, group_max;
    unsigned catch_ups_max; /* a hub serves so many catch-ups at once */
    char *journal_path;     /* NULL: no journal */
    size_t journal_segment_size, journal_keep_size;
    uint64_t verify_rate;   /* bytes a second of the background verification */
    struct buffer unready;  /* what must be put right before the node starts, but not before `keygen`
                               and other commands run: lines as of config_load's problems */
};

/* Reads and checks the whole file. On ERR_INVALID `problems` holds one line per problem,
 * "file:line: what is wrong and what is expected" (no line for what is missing), all of them; only
 * behind an error of syntax nothing can be read, and the last line then says so.
 * ERR_NOT_FOUND, ERR_IO, ERR_NOMEM. Free with config_free(). */
enum err config_load(struct config **out, const char *path, struct buffer *problems);
void config_free(struct config *config);

/* host:port, [v6]:port; true when the host is a loopback address. */
enum err address_split(const char *address, char host[256], char port[8]);
bool address_is_loopback(const char *address);

#endif
