#include "audio/stuck.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "audio/sieve.h"

#define REPEATS \
    50 /* of one line; the errors of a stream that ends well are a handful, all different */

struct stuck {
    struct sieve_watch watch;
    pthread_t control;

    /* Under the sieve's lock. */
    char last[160];
    int repeats, dropped;
    bool ended;
};

static enum sieve_verdict look(void *user, const char *text, size_t n)
{
    static const char mark[] = "Expression '";
    struct stuck *s = user;
    size_t len = n < sizeof s->last ? n : sizeof s->last - 1;

    if (n < sizeof mark || memcmp(text, mark, sizeof mark - 1) != 0)
        return SIEVE_PASS;
    s->dropped++;
    s->repeats = strncmp(s->last, text, len) == 0 && s->last[len] == '\0' ? s->repeats + 1 : 0;
    memcpy(s->last, text, len);
    s->last[len] = '\0';
    if (s->repeats < REPEATS || pthread_equal(pthread_self(), s->control))
        return SIEVE_TAKEN;
    s->repeats = 0;
    s->ended = true;
    return SIEVE_END;
}

void stuck_begin(struct stuck **out)
{
    struct stuck *s = calloc(1, sizeof *s);

    *out = NULL;
    if (s == NULL)
        return;
    s->control = pthread_self();
    s->watch = (struct sieve_watch){.look = look, .user = s};
    if (!sieve_add(&s->watch)) {
        free(s);
        return;
    }
    *out = s;
}

void stuck_end(struct stuck *s, const struct log *log)
{
    if (s == NULL)
        return;
    sieve_remove(&s->watch);
    s->last[strcspn(s->last, "\n")] = '\0';
    if (s->dropped > 0)
        log_debug(log, "sound: %d messages like: %s", s->dropped, s->last);
    if (s->ended)
        log_debug(log, "sound: PortAudio's thread was caught in an error and was ended");
    free(s);
}
