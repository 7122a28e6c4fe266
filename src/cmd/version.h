/* version - what this program is made of. */
#ifndef HULLO_CMD_VERSION_H
#define HULLO_CMD_VERSION_H

#include <stdio.h>

void version_print(FILE *out); /* one line for hullo, one for each library, licence last */

#endif
