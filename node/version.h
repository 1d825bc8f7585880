/* Which program this is. The number's one place is project() in CMakeLists.txt. */
#ifndef NODE_VERSION_H
#define NODE_VERSION_H

extern const char VERSION_NUMBER[];   /* "0.1.0", what --version says */
extern const char VERSION_SOFTWARE[]; /* "samad 0.1.0", what a peer is told */

#endif
