/* path - where things live on disk (XDG base directories), and files that appear whole or not at
 * all. Any thread. Strings returned through `out` are malloc'd and owned by the caller; *out is
 * NULL after an error. */
#ifndef HULLO_UTIL_PATH_H
#define HULLO_UTIL_PATH_H

#include <stddef.h>
#include "util/err.h"

int path_join(char **out, const char *dir, const char *name); /* -ENOMEM */

/* The user's folders, the home folder being that of $HOME or of the user database: -ENOENT when
 * neither knows one. */
int path_home(char **out, const char *name); /* ~/NAME */
int path_data(char **out,
              const char *name); /* $XDG_DATA_HOME/hullo/NAME or ~/.local/share/hullo/NAME */
int path_cache(char **out,
               const char *name); /* $XDG_CACHE_HOME/hullo/NAME or ~/.cache/hullo/NAME */

int path_config(char **out,
                const char *name); /* $XDG_CONFIG_HOME/hullo/NAME or ~/.config/hullo/NAME */

int path_state(char **out,
               const char *name); /* $XDG_STATE_HOME/hullo/NAME or ~/.local/state/hullo/NAME */

int path_share(
    char **out,
    const char *name); /* a file of share/: $HULLO_SHARE, else the installed folder, else the
                          folder beside the program's build folder; -ENOENT when in none */
int path_mkdirs(const char *dir, struct err *e); /* mkdir -p, mode 0755 */
int path_mkdirs_private(const char *dir,
                        struct err *e); /* ... and the last one 0700, when it is made */

/* Reads a whole regular file of at most `max` bytes; *out is NUL-terminated beyond *len. -EFBIG
 * when it is larger. */
int path_read(char **out, size_t *len, const char *file, size_t max, struct err *e);

/* Writes data to FILE through a temporary file beside it, fsync and rename: a reader sees the old
 * file or the new. */
int path_write(const char *file, const void *data, size_t len, struct err *e);
int path_write_private(const char *file, const void *data, size_t len,
                       struct err *e); /* mode 0600 */

/* A new file without a name, mode 0600, in $TMPDIR or, without one, /var/tmp or /tmp: it is gone
 * when it is closed. *dir says where, for messages (borrowed from the environment). *fd is -1 after
 * an error. */
int path_unnamed(int *fd, const char **dir, struct err *e);

#endif
