/* outputs - where what is made of each input goes: `-o FILE`, `-o FOLDER` or `-o -`. */
#ifndef HULLO_CMD_OUTPUTS_H
#define HULLO_CMD_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

/* Names the output for each of `count` inputs. output NULL: none (*out is an array of NULLs). A
 * folder (existing, or ending in '/', then it is made): NAME.ENDING for each input NAME.EXT,
 * stdin.ENDING for "-"; equal names get -2, -3, ... in the order of the inputs. A file takes one
 * input only; "-" any number. *out is an array of malloc'd strings. */
int outputs_plan(char ***out, const char *output, const char *ending, const char *const *inputs,
                 size_t count, struct err *e);
void outputs_free(char **names, size_t count);

/* Whether something could be written to `file` (NULL and "-": yes), asked before the work: its
 * folder is there and takes files, it is none of the inputs, and no other file unless `force`. */
int outputs_check(const char *file, bool force, const char *const *inputs, size_t count,
                  struct err *e);

#endif
