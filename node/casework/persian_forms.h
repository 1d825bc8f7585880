/* The letters, already folded, behind each Arabic presentation form; NULL where there are none. */
#ifndef NODE_CASEWORK_PERSIAN_FORMS_H
#define NODE_CASEWORK_PERSIAN_FORMS_H

extern const char *const PERSIAN_FORMS_A[0xFDFF - 0xFB50 + 1];
extern const char *const PERSIAN_FORMS_B[0xFEFF - 0xFE70 + 1];

#endif
