/* hush - keeps libraries that print to the terminal from doing so.
 * Descriptor 2 belongs to the whole process, so it has one owner at a time, and who wants it waits:
 * two that each saved and put back what they found could leave it pointing nowhere for good. Any
 * thread; give back where you took, soon, and do not take twice. */
#ifndef HULLO_UTIL_HUSH_H
#define HULLO_UTIL_HUSH_H

/* Between begin and end, what the process writes to descriptor 2 is lost: log before or after. */
void hush_begin(void);
void hush_end(void);

/* The ownership alone, for who points descriptor 2 elsewhere by itself. */
void hush_take(void);
void hush_give(void);

#endif
