/* Folders for tests: below $TMPDIR, else in memory where there is such a place, for most tests ask
 * what is written and not how long a disk takes, else below /tmp. */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <stddef.h>

#define FOLDER_PATH_SIZE 512

/* Makes an empty folder; ends the program when it cannot. */
void folder_make(char out[FOLDER_PATH_SIZE]);
void folder_make_in(char out[FOLDER_PATH_SIZE], const char *base);
/* Removes it with all it contains. */
void folder_remove(const char *path);
/* Terminated "<folder>/<name>". */
void folder_path(char out[FOLDER_PATH_SIZE], const char *folder, const char *name);
/* Copies one file. */
void file_copy(const char *from, const char *to);

#endif
