/* Persian text as people type it: cleaning what is kept, and folding what is searched.
 *
 * The citizen's words are kept as they came, but for characters that no reader can see and that
 * could mislead one. Matching never looks at them: it looks at a search key, in which the many ways
 * of writing one word are one. */
#ifndef NODE_CASEWORK_PERSIAN_H
#define NODE_CASEWORK_PERSIAN_H

#include "proto/base/bytes.h"

enum persian_lines {
    PERSIAN_ONE_LINE,  /* line breaks become spaces, runs of spaces one space */
    PERSIAN_MANY_LINES /* line breaks stay, as "\n" */
};

/* Appends `typed` without control characters, byte order marks, non-characters and explicit
 * direction overrides, tabs as spaces, and without white space (or ZWNJ) at both ends. Letters,
 * digits of any script, ZWNJ and the marks LRM and RLM stay. Never longer than `typed`.
 * ERR_MALFORMED when `typed` is not UTF-8; `out` then holds what it held before. */
enum err persian_clean(struct buffer *out, struct bytes typed, enum persian_lines lines);

/* 0..9 for a decimal digit in ASCII, Persian (U+06F0) or Arabic (U+0660) form, else -1. */
int persian_digit_value(int32_t code);

/* True for what people put between the digits of a number: white space, dashes, dots, slashes,
 * brackets, and the characters that cannot be seen (ZWNJ, ZWJ, LRM, RLM, direction marks). */
bool persian_is_number_separator(int32_t code);

enum persian_zwnj {
    PERSIAN_ZWNJ_SPACED, /* می‌شود as می شود */
    PERSIAN_ZWNJ_JOINED  /* می‌شود as میشود */
};

/* Appends the search key of `text`:
 *   ي ى ې ۍ → ی    ك ڪ ګ ڬ ڭ → ک    ة ۀ ە ہ ھ → ه    ؤ → و    ئ stays    أ إ ٱ → ا
 *   presentation forms (U+FB50–FDFF, U+FE70–FEFF) → their letters; ﷲ → الله, ﷼ → ریال
 *   tatweel, harakat, superscript alef and combining marks vanish
 *   digits of all three scripts → 0–9, ٪ → %, ٫ → ., Latin capitals → small
 *   three or more equal letters in a row → two
 *   white space of any sort → one space; none at the ends; ZWNJ as `zwnj` says
 * Two forms are indexed because half of the texts have lost their ZWNJ one way and half the other.
 * Bytes that are not UTF-8 are passed over. A key's key is itself. */
void persian_search_key(struct buffer *out, struct bytes text, enum persian_zwnj zwnj);

#endif
