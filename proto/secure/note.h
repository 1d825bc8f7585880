/* Checkpoints and receipts as C2SP signed notes.
 *
 *   c2sp.org/signed-note      text, blank line, signature lines "— <name> <base64>"
 *   c2sp.org/tlog-checkpoint  text = origin \n size \n base64(root) \n
 *   c2sp.org/tlog-cosignature type 0x04: u64 time || Ed25519 over
 *                             "cosignature/v1\ntime <t>\n" || text
 *
 * A checkpoint's key name is its log's origin (type 0x01). A receipt is the same note with a
 * cosignature line of a hub; the cosigner's name is "samad/<hub>/receipt". */
#ifndef PROTO_SECURE_NOTE_H
#define PROTO_SECURE_NOTE_H

#include "proto/record/log_id.h"
#include "proto/secure/hash.h"
#include "proto/secure/keys.h"

#define NOTE_SIZE_MAX 4096
#define NOTE_SIGNATURE_MAX 16
#define NOTE_NAME_SIZE_MAX 128
#define VKEY_SIZE_MAX (NOTE_NAME_SIZE_MAX + 1 + 8 + 1 + 44 + 1)

enum note_key_type { NOTE_KEY_ED25519 = 0x01, NOTE_KEY_COSIGNATURE = 0x04 };

/* Positions fit a signed 64-bit integer, which is what other implementations use. */
#define CHECKPOINT_TREE_SIZE_MAX ((uint64_t)INT64_MAX)

struct checkpoint {
    struct log_id log;
    uint64_t size; /* at most CHECKPOINT_TREE_SIZE_MAX */
    struct hash root;
};

/* Appends the complete signed note of a checkpoint to `out`. */
void checkpoint_sign(struct buffer *out, const struct checkpoint *checkpoint,
                     const struct sign_key *key);

/* Parses a note's text without looking at signatures. ERR_MALFORMED for anything but exactly
 * three lines of the right form, one blank line and 1..NOTE_SIGNATURE_MAX signature lines, all of
 * it at most NOTE_SIZE_MAX bytes of UTF-8 without control characters. */
enum err checkpoint_parse(struct checkpoint *out, struct bytes note);

/* Parses and verifies the log's own signature. Unknown signatures are ignored, as the
 * specification demands; ERR_SIGNATURE when the log's line is missing, doubled or wrong. */
enum err checkpoint_open(struct checkpoint *out, struct bytes note, const struct sign_public *key);

/* Appends `note` with one more line: the cosigner's. `time_s` is POSIX seconds. `note` must not lie
 * in `out`; after an error `out` has gained nothing. ERR_MALFORMED when `note` is not a checkpoint
 * note, ERR_EXISTS when this key already has a line in it, ERR_TOO_LARGE when one more line does
 * not fit, ERR_INVALID for a negative time or a name that cannot be a key's. */
enum err receipt_sign(struct buffer *out, struct bytes note, struct bytes cosigner, int64_t time_s,
                      const struct sign_key *key);

/* Finds and verifies the cosigner's line; gives its time. ERR_NOT_FOUND when this cosigner has no
 * line, ERR_SIGNATURE when it has one that does not verify or more than one; ERR_MALFORMED as
 * checkpoint_parse(). The log's own line is not checked. */
enum err receipt_open(struct bytes note, struct bytes cosigner, const struct sign_public *key,
                      int64_t *time_s);

/* Terminated name of a hub's receipt key: "samad/<hub>/receipt". */
void receipt_key_name(char out[NOTE_NAME_SIZE_MAX + 1], const char *hub);

/* C2SP vkey: <name>+<8 hex of key id>+<base64(type || public key)>, terminated. `name` is not empty,
 * at most NOTE_NAME_SIZE_MAX bytes, without spaces and '+'. */
void note_vkey(char out[VKEY_SIZE_MAX + 1], struct bytes name, enum note_key_type type,
               const struct sign_public *key);
/* ERR_MALFORMED, also for a key id that does not belong to the key; ERR_VERSION for a type that is
 * not in enum note_key_type. */
enum err note_vkey_parse(struct bytes vkey, char name[NOTE_NAME_SIZE_MAX + 1],
                         enum note_key_type *type, struct sign_public *key);

#endif
