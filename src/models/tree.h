/* tree - folders with what is in them. Symbolic links are not followed. */
#ifndef HULLO_MODELS_TREE_H
#define HULLO_MODELS_TREE_H

#include <stdint.h>

int tree_remove(const char *path); /* 0 also when there is nothing; a negative errno */

/* Bytes in the files of this folder and of folders up to `depth` levels below it. */
uint64_t tree_bytes(const char *path, int depth);

#endif
