/* setup - what `ask` and `chat` share: from options to a session's configuration. */
#ifndef HULLO_CMD_SETUP_H
#define HULLO_CMD_SETUP_H

#include "cmd/cmd.h"
#include "conf/endpoints.h"
#include "conf/secret.h"
#include "models/models.h"
#include "session/session.h"

/* What a command works with: the endpoints that it talks to, or none, and the models that are here.
 */
struct setup {
    struct models *models;
    struct endpoints *endpoints;
    struct secret *key; /* for servers in place of local engines; NULL: none */
};

/* Resolves the endpoints (conf/endpoints.h), reads the manifest, and makes sure that what the task
 * and the options need is installed: asks before fetching (OPT_YES answers), and fails with
 * STATUS_NO_MODEL when there is nobody to ask. With endpoints that is the speech detector alone. */
int setup_open(struct setup *out, const struct app *app, enum backend_task task, struct err *e);
void setup_close(struct setup *s); /* a zeroed one is fine */
bool setup_is_remote(const struct setup *s);

/* The first half of it: *out belongs to the caller. */
int setup_endpoints(struct endpoints **out, const struct app *app, struct err *e);

/* The key for --llm-url and --stt-url, which is in HULLO_API_KEY until then; *out is NULL when
 * there is no such server, or no key. */
int setup_key(struct secret **out, const struct app *app, struct err *e);

/* The backend of the registry that knows dialects, or the one that does not; or NULL. */
const struct backend_kind *setup_backend(const struct app *app, bool remote);

/* Fills in the sound driver, its devices, the echo canceller and how sensitive it is to speech:
 * what every command says the same way. Strings are the options'. */
int setup_sound(struct duplex_config *c, const struct app *app, struct err *e);

/* What listening while something plays needs besides: the detector's weights, and the folder for
 * what is learnt about devices (NULL where there is no home). *out must outlive the sound path. */
struct listening {
    struct vad_weights *weights;
    char *rooms;
};
int setup_listening(struct listening *out, struct duplex_config *c, const struct models *models,
                    struct err *e);
void setup_listening_free(struct listening *l);

/* What the options say of a conversation; also in the middle of one. Strings are the options'. */
void setup_settings(struct backend_settings *out, const struct options *o, bool remote);

/* The model that will be billed: of the first endpoint; NULL: everything is on this machine. */
const char *setup_model(const struct session_config *c);

/* Fills in the backend, its configuration and setup_sound; the caller decides about task, speak,
 * turn detection, capture and playback. Strings are the options'. */
int setup_session(struct session_config *c, const struct app *app, const struct setup *setup,
                  struct err *e);

#endif
