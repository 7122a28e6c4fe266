#include "ui/scribe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/columns.h"
#include "util/path.h"
#include "util/text.h"

#define COLUMNS 80 /* of a terminal that does not say */

/* --- what is being said */

static size_t terminal_columns(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS;
}

void scribe_line(struct buf *out, const char *text, size_t columns_there)
{
    size_t n = strlen(text), room = columns_there > 4 ? columns_there - 1 : 3, end;

    if (columns(text, n) <= room) {
        buf_add(out, text, n);
        return;
    }
    end = columns_end(text, n, room - 3);
    buf_adds(out, "...");
    buf_add(out, text + n - end, end);
}

void scribe_part(struct scribe *s, const char *text)
{
    struct buf line = BUF_INIT;
    char *copy;

    if (!s->revises || (copy = strdup(text)) == NULL)
        return;
    text_line(copy);
    scribe_line(&line, copy, terminal_columns());
    printf("\r%s%s%s\033[K", s->dim ? "\033[2m" : "", buf_str(&line), s->dim ? "\033[0m" : "");
    fflush(stdout);
    s->shown = true;
    buf_free(&line);
    free(copy);
}

void scribe_hide(struct scribe *s)
{
    if (!s->shown)
        return;
    fputs("\r\033[K", stdout);
    fflush(stdout);
    s->shown = false;
}

/* --- writing */

static int failed(const struct scribe *s, int code, struct err *e)
{
    if (s->file == NULL)
        return err_set(e, STATUS_FAILED, code, "cannot write to stdout: %s", strerror(-code));
    return err_set(e, STATUS_FAILED, code, "cannot write '%s': %s", s->file, strerror(-code));
}

/* What was appended to s->bytes, on its way. */
static int flush(struct scribe *s, struct err *e)
{
    int rc = 0;

    if (buf_failed(&s->bytes))
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    if (s->whole)
        return 0;
    errno = 0;
    if (fwrite(buf_str(&s->bytes), 1, s->bytes.len, s->to) != s->bytes.len || fflush(s->to) != 0)
        rc = failed(s, errno != 0 ? -errno : -EIO, e);
    buf_clear(&s->bytes);
    return rc;
}

/* A device, a pipe: what is there is not replaced. */
static bool is_special(const char *file)
{
    struct stat st;

    return stat(file, &st) == 0 && !S_ISREG(st.st_mode);
}

static int open_file(struct scribe *s, enum scribe_way way, bool force, struct err *e)
{
    bool special = is_special(s->file);
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (special ? 0 : force ? O_TRUNC : O_EXCL), fd;

    s->whole = way == SCRIBE_WHOLE && !special;
    if (s->whole)
        return 0;
    fd = open(s->file, flags, 0666);
    s->to = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (s->to != NULL)
        return 0;
    if (fd >= 0)
        close(fd);
    return failed(s, -errno, e);
}

int scribe_open(struct scribe *s, const char *file, enum captions_format format,
                enum scribe_way way, bool force, struct err *e)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    int rc = 0;

    *s = (struct scribe){.file = file};
    if (file != NULL) {
        rc = open_file(s, way, force, e);
    } else {
        s->to = stdout;
        s->revises = format == CAPTIONS_TEXT && isatty(STDOUT_FILENO) && term != NULL &&
                     strcmp(term, "dumb") != 0;
        s->dim = no_color == NULL || no_color[0] == '\0';
    }
    if (rc < 0)
        return rc;
    captions_begin(&s->captions, format, &s->bytes);
    return flush(s, e);
}

int scribe_add(struct scribe *s, const struct captions_segment *segment, struct err *e)
{
    scribe_hide(s);
    captions_add(&s->captions, segment, &s->bytes);
    return flush(s, e);
}

int scribe_add_source(struct scribe *s, const struct captions_segment *segment, struct err *e)
{
    captions_add_source(&s->captions, segment, &s->bytes);
    return flush(s, e);
}

int scribe_end(struct scribe *s, const char *input, const char *status, const char *error,
               double length_ms, struct err *e)
{
    scribe_hide(s);
    captions_end(&s->captions, input, status, error, length_ms, &s->bytes);
    return flush(s, e);
}

int scribe_close(struct scribe *s, struct err *e)
{
    int rc = 0;

    scribe_hide(s);
    if (s->whole)
        rc = path_write(s->file, buf_str(&s->bytes), s->bytes.len, e);
    else if (s->to != NULL && s->to != stdout && fclose(s->to) != 0)
        rc = failed(s, -errno, e);
    buf_free(&s->bytes);
    *s = (struct scribe){0};
    return rc;
}

void scribe_abandon(struct scribe *s)
{
    scribe_hide(s);
    if (s->to != NULL && s->to != stdout)
        fclose(s->to);
    buf_free(&s->bytes);
    *s = (struct scribe){0};
}
