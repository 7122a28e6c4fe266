#include "audio/stuck.h"

#ifdef __GLIBC__
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define REPEATS \
    50 /* of one line; the errors of a stream that ends well are a handful, all different */

struct stuck {
    FILE *real, *ours;
    pthread_t control;

    /* Under the lock of `ours`. */
    char last[160];
    int repeats, dropped;
    bool ended;
};

static ssize_t on_write(void *cookie, const char *text, size_t n)
{
    static const char mark[] = "Expression '";
    struct stuck *s = cookie;
    size_t len = n < sizeof s->last ? n : sizeof s->last - 1;

    if (n < sizeof mark || memcmp(text, mark, sizeof mark - 1) != 0) {
        fwrite(text, 1, n, s->real);
        return (ssize_t)n;
    }
    s->dropped++;
    s->repeats = strncmp(s->last, text, len) == 0 && s->last[len] == '\0' ? s->repeats + 1 : 0;
    memcpy(s->last, text, len);
    s->last[len] = '\0';
    if (s->repeats >= REPEATS && !pthread_equal(pthread_self(), s->control)) {
        s->repeats = 0;
        s->ended = true;
        pthread_exit(NULL);
    }
    return (ssize_t)n;
}

void stuck_begin(struct stuck **out)
{
    cookie_io_functions_t functions = {.write = on_write};
    struct stuck *s = calloc(1, sizeof *s);

    *out = NULL;
    if (s == NULL)
        return;
    s->control = pthread_self();
    s->real = stderr;
    s->ours = fopencookie(s, "w", functions);
    if (s->ours == NULL) {
        free(s);
        return;
    }
    /* Each message arrives by itself. */
    setvbuf(s->ours, NULL, _IONBF, 0);
    stderr = s->ours;
    *out = s;
}

void stuck_end(struct stuck *s, const struct log *log)
{
    if (s == NULL)
        return;
    stderr = s->real;
    fclose(s->ours);
    s->last[strcspn(s->last, "\n")] = '\0';
    if (s->dropped > 0)
        log_debug(log, "sound: %d messages like: %s", s->dropped, s->last);
    if (s->ended)
        log_debug(log, "sound: PortAudio's thread was caught in an error and was ended");
    free(s);
}
#else
#include <stddef.h>

void stuck_begin(struct stuck **out)
{
    *out = NULL;
}

void stuck_end(struct stuck *s, const struct log *log)
{
    (void)s;
    (void)log;
}
#endif
