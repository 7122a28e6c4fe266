#include "ui/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/clock.h"

enum { BAR_MAX = 30, BAR_MIN = 5, LINE_BYTES = 512, SETTLE_MS = 500 };

static bool is_terminal(const struct log *log)
{
    const char *term = getenv("TERM");

    return log->to != NULL && isatty(fileno(log->to)) && term != NULL && strcmp(term, "dumb") != 0;
}

void progress_begin(struct progress *p, const struct log *log)
{
    *p = (struct progress){.log = log, .bar = is_terminal(log), .percent = -1};
}

static int columns_of(FILE *to)
{
    struct winsize size;

    if (ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static int percent_of(uint64_t done, uint64_t total)
{
    return done < total ? (int)((double)done / (double)total * 100) : 100;
}

/* "  12.3 MB/s  41 s left"; nothing until there is something to divide. */
static void rate_text(char *out, size_t size, uint64_t came, uint64_t left, double elapsed_ms)
{
    double rate = elapsed_ms > 0 ? (double)came / elapsed_ms * 1000 : 0;
    double seconds = rate > 0 ? (double)left / rate : 0;

    out[0] = '\0';
    if (elapsed_ms < SETTLE_MS || rate <= 0)
        return;
    if (seconds < 100)
        snprintf(out, size, "  %.1f MB/s  %.0f s left", rate / 1e6, seconds);
    else
        snprintf(out, size, "  %.1f MB/s  %.0f min left", rate / 1e6, seconds / 60);
}

/* What, a bar where there is room for one, and the rest. */
static void whole_line(char *out, size_t size, int columns, const char *what, int percent,
                       const char *tail)
{
    char bar[BAR_MAX + 4] = "";
    int room = columns - 6 - (int)strlen(what) - (int)strlen(tail);

    if (room > BAR_MAX)
        room = BAR_MAX;
    if (room >= BAR_MIN) {
        int full = room * percent / 100;
        bar[0] = '[';
        memset(bar + 1, '#', (size_t)full);
        memset(bar + 1 + full, ' ', (size_t)(room - full));
        bar[1 + room] = ']';
        bar[2 + room] = ' ';
        bar[3 + room] = '\0';
    }
    snprintf(out, size, "%s  %s%s", what, bar, tail);
    /* A line as wide as the terminal would make it scroll. */
    if (columns > 1 && strlen(out) >= (size_t)columns)
        out[columns - 1] = '\0';
}

void progress_line(char *out, size_t size, int columns, const char *what, uint64_t first,
                   uint64_t done, uint64_t total, double elapsed_ms)
{
    char rate[64], tail[160];
    int percent = percent_of(done, total);

    rate_text(rate, sizeof rate, done > first ? done - first : 0, total > done ? total - done : 0,
              elapsed_ms);
    snprintf(tail, sizeof tail, "%3d %%  %.0f of %.0f MB%s", percent, (double)done / 1e6,
             (double)total / 1e6, rate);
    whole_line(out, size, columns, what, percent, tail);
}

void progress_seconds_line(char *out, size_t size, int columns, const char *what, double done,
                           double total, double elapsed_ms)
{
    char tail[160], left[64] = "";
    int percent = percent_of((uint64_t)done, (uint64_t)total);
    double rate = elapsed_ms > 0 ? done / elapsed_ms * 1000 : 0;

    if (elapsed_ms >= SETTLE_MS && rate > 0 && total > done)
        snprintf(left, sizeof left, "  %.0f s left", (total - done) / rate);
    snprintf(tail, sizeof tail, "%3d %%  %.1f of %.1f min%s", percent, done / 60, total / 60, left);
    whole_line(out, size, columns, what, percent, tail);
}

static void show_line(struct progress *p, const char *line)
{
    /* To the first column, the line, and nothing of an older one to its right. */
    fprintf(p->log->to, "\r%s\033[K", line);
    fflush(p->log->to);
    p->drawn = true;
}

static void draw(struct progress *p, const char *what, uint64_t done, uint64_t total)
{
    char line[LINE_BYTES];

    progress_line(line, sizeof line, columns_of(p->log->to), what, p->first, done, total,
                  clock_ms_since(p->began_ns));
    show_line(p, line);
}

void progress_seconds(struct progress *p, const char *what, double done, double total)
{
    char line[LINE_BYTES];

    if (p->log->level < LOG_INFO || !p->bar)
        return;
    if (p->began_ns == 0)
        p->began_ns = clock_ns();
    progress_seconds_line(line, sizeof line, columns_of(p->log->to), what, done, total,
                          clock_ms_since(p->began_ns));
    show_line(p, line);
}

void progress_update(void *progress, const char *what, uint64_t done, uint64_t total)
{
    struct progress *p = progress;
    int percent = percent_of(done, total);

    if (p->log->level < LOG_INFO || p->log->to == NULL)
        return;
    if (p->began_ns == 0) {
        p->began_ns = clock_ns();
        p->first = done;
    }
    if (p->bar) {
        draw(p, what, done, total);
        return;
    }
    if (p->percent >= 0 && percent / 10 == p->percent / 10)
        return;
    p->percent = percent;
    log_info(p->log, "%s: %d %%, %.0f of %.0f MB", what, percent, (double)done / 1e6,
             (double)total / 1e6);
}

void progress_end(struct progress *p)
{
    if (p->drawn) {
        fputs("\r\033[K", p->log->to);
        fflush(p->log->to);
    }
    p->drawn = false;
}
