/* Folders for tests, below $TMPDIR or /tmp. */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <stddef.h>

#define FOLDER_PATH_SIZE 512

/* Makes an empty folder; ends the program when it cannot. */
void folder_make(char out[FOLDER_PATH_SIZE]);
/* Removes it with all it contains. */
void folder_remove(const char *path);
/* Terminated "<folder>/<name>". */
void folder_path(char out[FOLDER_PATH_SIZE], const char *folder, const char *name);
/* Copies one file. */
void file_copy(const char *from, const char *to);

#endif
