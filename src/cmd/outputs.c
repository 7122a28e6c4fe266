#include "cmd/outputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/path.h"

static bool is_folder(const char *path)
{
    struct stat st;
    size_t n = strlen(path);

    return (n > 1 && path[n - 1] == '/') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/* The input's own name, without folders and ending. */
static void stem(char *out, size_t size, const char *input)
{
    const char *slash = strrchr(input, '/'), *base = slash != NULL ? slash + 1 : input, *dot;

    if (strcmp(input, "-") == 0)
        base = "stdin";
    dot = strrchr(base, '.');
    snprintf(out, size, "%.*s",
             (int)(dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base)), base);
}

static bool taken(char **names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int name_in_folder(char **names, size_t i, const char *folder, const char *ending,
                          const char *input)
{
    char base[512], file[600];
    size_t n = strlen(folder);

    stem(base, sizeof base, input);
    snprintf(file, sizeof file, "%s.%s", base, ending);
    for (unsigned k = 2;; k++) {
        size_t size = n + strlen(file) + 2;
        names[i] = malloc(size);
        if (names[i] == NULL)
            return -ENOMEM;
        snprintf(names[i], size, "%s%s%s", folder, folder[n - 1] == '/' ? "" : "/", file);
        if (!taken(names, i, names[i]))
            return 0;
        free(names[i]);
        names[i] = NULL;
        snprintf(file, sizeof file, "%s-%u.%s", base, k, ending);
    }
}

static int fill(char **names, const char *output, const char *ending, const char *const *inputs,
                size_t count, struct err *e)
{
    bool folder = strcmp(output, "-") != 0 && is_folder(output);
    int rc = 0;

    if (output[0] == '\0')
        return err_set(e, STATUS_USAGE, -EINVAL, "option '--output' needs a file, a folder or -");
    if (!folder && count > 1 && strcmp(output, "-") != 0)
        return err_set(
            e, STATUS_USAGE, -ENOTDIR,
            "several inputs, but output '%s' is not a folder: name one, with a / at its end "
            "to make it",
            output);
    if (folder && (rc = path_mkdirs(output, e)) < 0)
        return rc;
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (folder)
            rc = name_in_folder(names, i, output, ending, inputs[i]);
        else if ((names[i] = strdup(output)) == NULL)
            rc = -ENOMEM;
    }
    return rc == 0 ? 0 : err_set(e, STATUS_FAILED, rc, "out of memory");
}

int outputs_plan(char ***out, const char *output, const char *ending, const char *const *inputs,
                 size_t count, struct err *e)
{
    char **names = calloc(count + 1, sizeof *names);
    int rc;

    *out = NULL;
    if (names == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    rc = output != NULL ? fill(names, output, ending, inputs, count, e) : 0;
    if (rc < 0) {
        outputs_free(names, count);
        return rc;
    }
    *out = names;
    return 0;
}

void outputs_free(char **names, size_t count)
{
    if (names == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static bool is_one_of(const struct stat *st, const char *const *inputs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct stat in;
        int rc = strcmp(inputs[i], "-") == 0 ? fstat(STDIN_FILENO, &in) : stat(inputs[i], &in);
        if (rc == 0 && in.st_dev == st->st_dev && in.st_ino == st->st_ino)
            return true;
    }
    return false;
}

static int check_folder(const char *file, struct err *e)
{
    const char *slash = strrchr(file, '/');
    char *folder = slash == NULL   ? strdup(".")
                   : slash == file ? strdup("/")
                                   : strndup(file, (size_t)(slash - file));
    int rc = 0;

    if (folder == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    if (access(folder, W_OK | X_OK) != 0)
        rc = err_set(e, STATUS_FAILED, -errno, "cannot write '%s': folder '%s': %s", file, folder,
                     strerror(errno));
    free(folder);
    return rc;
}

int outputs_check(const char *file, bool force, const char *const *inputs, size_t count,
                  struct err *e)
{
    struct stat st;

    if (file == NULL || strcmp(file, "-") == 0)
        return 0;
    if (stat(file, &st) != 0)
        return check_folder(file, e);
    if (!S_ISREG(st.st_mode))
        return 0; /* a device, a named pipe: whoever opens it will see */
    if (is_one_of(&st, inputs, count))
        return err_set(e, STATUS_FAILED, -EEXIST,
                       "'%s' is one of the recordings: name another file with -o", file);
    if (!force)
        return err_set(e, STATUS_FAILED, -EEXIST,
                       "'%s' exists already: use --force to replace it, or name another file",
                       file);
    return check_folder(file, e);
}
