/* The node's secrets: one small file a key in the folder `keys` of the config, mode 0600.
 *
 *   log.key      Ed25519 seed: signs the node's checkpoints
 *   receipt.key  Ed25519 seed: cosigns checkpoints of logs that the node follows
 *   link.key     X25519 secret: the node's end of encrypted links
 *   data.key     seals person parts at rest; in no backup of the data folder
 *   lookup.key   keys the hashes of phone numbers and national IDs in the views
 *
 * Each file is one line, "samad-key-1 <purpose> <64 hex>": a key in the wrong file is noticed. */
#ifndef NODE_KEYRING_H
#define NODE_KEYRING_H

#include "proto/secure/keys.h"
#include "storage/seal.h"

struct keyring {
    struct sign_key log, receipt;
    struct link_key link;
    struct seal_key data;
    uint8_t lookup[32];
};

/* Makes the folder and the keys that are missing; never overwrites one. */
enum err keyring_create(const char *folder, struct buffer *problem);
/* Reads all five and locks them into memory. On an error `problem` says which file and what to do:
 * ERR_NOT_FOUND, ERR_MALFORMED, ERR_AUTH (others may read it), ERR_IO. */
enum err keyring_load(struct keyring *keyring, const char *folder, struct buffer *problem);
void keyring_close(struct keyring *keyring);

#endif
