/* hush - keeps libraries that print to the terminal from doing so.
 * Between begin and end, what the whole process writes to descriptor 2 is lost: keep it short, log
 * before or after. Calls nest, also from several threads; the last end lets through again. */
#ifndef HULLO_UTIL_HUSH_H
#define HULLO_UTIL_HUSH_H

void hush_begin(void);
void hush_end(void);

#endif
