#!/usr/bin/env python3
"""Writes persian_forms.c: the letters behind each Arabic presentation form.

Run it again only when Unicode adds forms: python3 persian_forms.py > persian_forms.c
The source is the compatibility decompositions of Python's unicodedata."""
import unicodedata

FOLD = str.maketrans("يىېۍكڪګڬڭةۀەہھؤأإٱ", "یییی" + "ککککک" + "ههههه" + "و" + "ااا")


def letters(code):
    text = unicodedata.normalize("NFKC", chr(code))
    if text == chr(code):
        return ""
    text = "".join(c for c in text if not unicodedata.combining(c) and c != "\u0640")
    return text.translate(FOLD).strip()


def table(name, first, last):
    print(f"const char *const {name}[0x{last:04X} - 0x{first:04X} + 1] = {{")
    for code in range(first, last + 1):
        text = letters(code)
        if text:
            print(f'    [0x{code:04X} - 0x{first:04X}] = "{text}",')
    print("};")


print("/* Written by persian_forms.py from Unicode " + unicodedata.unidata_version + "; do not edit. */")
print('#include "node/casework/persian_forms.h"\n')
table("PERSIAN_FORMS_A", 0xFB50, 0xFDFF)
print()
table("PERSIAN_FORMS_B", 0xFE70, 0xFEFF)
