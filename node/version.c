#include "node/version.h"

const char VERSION_NUMBER[] = SAMAD_VERSION;
const char VERSION_SOFTWARE[] = "samad " SAMAD_VERSION;
