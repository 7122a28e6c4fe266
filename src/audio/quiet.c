#include "audio/quiet.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/hush.h"
#include "util/os.h"

#define LINES_MAX 400 /* of one window that reach the log */

typedef void alsa_handler(const char *file, int line, const char *function, int err,
                          const char *fmt, ...);

static void drop(const char *file, int line, const char *function, int err, const char *fmt, ...)
{
    (void)file;
    (void)line;
    (void)function;
    (void)err;
    (void)fmt;
}

/* ALSA is not linked here: where PortAudio brings it, it is found by name. NULL is ALSA's own
 * handler, which prints. */
static void set_alsa_handler(alsa_handler *handler)
{
    int (*set)(alsa_handler * handler) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "snd_lib_error_set_handler");

    if (symbol == NULL)
        return;
    memcpy(&set, &symbol, sizeof set);
    set(handler);
}

static enum sieve_verdict look(void *user, const char *text, size_t n)
{
    struct quiet *q = user;

    if (!pthread_equal(pthread_self(), q->thread))
        return SIEVE_PASS;
    fwrite(text, 1, n, q->file);
    return SIEVE_TAKEN;
}

static void begin_aside(struct quiet *q)
{
    q->thread = pthread_self();
    q->watch = (struct sieve_watch){.look = look, .user = q};
    q->saved = -1;
    q->file = tmpfile();
    if (q->file == NULL || sieve_add(&q->watch))
        return;
    fclose(q->file);
    q->file = NULL;
}

void quiet_begin(struct quiet *q)
{
    q->aside = !os_main_thread();
    if (q->aside) {
        begin_aside(q);
        return;
    }
    hush_take();
    set_alsa_handler(NULL);
    q->file = NULL;
    fflush(stderr);
    q->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (q->saved < 0)
        return;
    q->file = tmpfile();
    if (q->file != NULL && dup2(fileno(q->file), STDERR_FILENO) >= 0)
        return;
    if (q->file != NULL)
        fclose(q->file);
    close(q->saved);
    q->saved = -1;
    q->file = NULL;
}

static void end_main(struct quiet *q)
{
    set_alsa_handler(drop);
    if (q->saved >= 0) {
        fflush(stderr);
        dup2(q->saved, STDERR_FILENO);
        close(q->saved);
    }
    hush_give();
}

void quiet_end(struct quiet *q, const struct log *log)
{
    char line[4096];

    if (!q->aside)
        end_main(q);
    else if (q->file != NULL)
        sieve_remove(&q->watch);
    if (q->file == NULL)
        return;
    rewind(q->file);
    for (int i = 0; i < LINES_MAX && fgets(line, sizeof line, q->file) != NULL; i++) {
        /* Our own lines, from this thread or another: they have their level already. */
        if (strncmp(line, "hullo: ", 7) == 0) {
            fputs(line, stderr);
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0')
            log_debug(log, "sound: %s", line);
    }
    fclose(q->file);
}
