/* store - model files on disk. For src/models only.
 *
 * - DIR/MODEL/FILE: a file, there only when its hash was right
 * - DIR/MODEL/.FILE.stamp: "BYTES TIME SHA256": FILE had that hash when it had that size and time
 * - DIR/.lock: held while files come or go
 * - DIR/.parts/: what a fetch has so far (fetch.h)
 */
#ifndef HULLO_MODELS_STORE_H
#define HULLO_MODELS_STORE_H

#include "models/manifest.h"

/* DIR/MODEL, DIR/MODEL/FILE, DIR/.parts/NAME. malloc'd; -ENOMEM with a message. */
int store_folder(const struct models *m, const struct model *model, char **out, struct err *e);
int store_file(const struct models *m, const struct model *model, const struct file *f, char **out,
               struct err *e);
int store_part(const struct models *m, const char *name, char **out, struct err *e);

/* True when the file is there and its stamp fits, without reading it. */
bool store_stamped(const struct models *m, const struct model *model, const struct file *f);

/* As store_stamped, else reads the file, and stamps it when its hash is right. -ENOENT, -EBADMSG
 * and other negative errno; no message. force: read it in any case. */
int store_check(const struct models *m, const struct model *model, const struct file *f, bool force,
                const _Atomic int *cancel);

/* Moves a file whose hash was just checked from `from` to its place, and stamps it. */
int store_adopt(const struct models *m, const struct model *model, const struct file *f,
                const char *from, struct err *e);

/* Removes a file, its stamp, and what a fetch left of it. *any becomes true when there was one. */
int store_remove(const struct models *m, const struct model *model, const struct file *f, bool *any,
                 struct err *e);

/* Takes DIR's lock, creating DIR, and says so when it has to wait for another process. The result
 * is a descriptor: store_unlock closes it. -ECANCELED when *cancel is set meanwhile. */
int store_lock(const struct models *m, int *out, const _Atomic int *cancel, struct err *e);
void store_unlock(int fd);

#endif
