#include "cmd/setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/fetch.h"
#include "conf/endpoint.h"
#include "dsp/vad.h"
#include "util/path.h"

static enum nearend_aec aec(const char *name)
{
    if (strcmp(name, "system") == 0)
        return NEAREND_SYSTEM;
    return strcmp(name, "off") == 0 ? NEAREND_OFF : NEAREND_SPEEX;
}

static enum barge_level level(const char *name)
{
    if (strcmp(name, "low") == 0)
        return BARGE_LOW;
    return strcmp(name, "high") == 0 ? BARGE_HIGH : BARGE_MEDIUM;
}

/* "NAME" or "NAME:ARGUMENT". */
static int find_driver(struct duplex_config *c, const struct app *app, struct err *e)
{
    const char *want = options_text(app->options, OPT_AUDIO), *colon = strchr(want, ':');
    size_t n = colon != NULL ? (size_t)(colon - want) : strlen(want);

    for (const struct audio_driver *const *d = app->registry->audio; *d != NULL; d++) {
        if (strlen((*d)->name) == n && memcmp((*d)->name, want, n) == 0) {
            c->driver = *d;
            c->argument = colon != NULL ? colon + 1 : NULL;
            return 0;
        }
    }
    return err_set(e, STATUS_USAGE, -EINVAL,
                   "no sound driver '%.*s'; there are portaudio, file and null", (int)n, want);
}

int setup_sound(struct duplex_config *c, const struct app *app, struct err *e)
{
    c->input = options_text(app->options, OPT_INPUT_DEVICE);
    c->output = options_text(app->options, OPT_OUTPUT_DEVICE);
    if (options_has(app->options, OPT_AEC))
        c->aec = aec(options_text(app->options, OPT_AEC));
    if (options_has(app->options, OPT_SENSITIVITY))
        c->level = level(options_text(app->options, OPT_SENSITIVITY));
    return find_driver(c, app, e);
}

int setup_listening(struct listening *out, struct duplex_config *c, const struct models *models,
                    struct err *e)
{
    char *file;
    int rc = models_path(models, "silero-vad", "silero_vad_16k_op15.onnx", &file, e);

    *out = (struct listening){0};
    if (rc < 0)
        return rc;
    rc = vad_weights_load(&out->weights, file, e);
    free(file);
    if (rc < 0)
        return rc;
    (void)path_state(&out->rooms, "rooms"); /* without a home nothing is kept */
    c->weights = out->weights;
    c->rooms = out->rooms;
    return 0;
}

void setup_listening_free(struct listening *l)
{
    vad_weights_free(l->weights);
    free(l->rooms);
    *l = (struct listening){0};
}

/* For an endpoint a reply is as long as its own settings allow, unless the user said otherwise. */
static int max_tokens(const struct options *o, bool remote)
{
    if (remote && options_origin(o, OPT_MAX_TOKENS) <= ORIGIN_DEFAULT)
        return 0;
    return (int)options_number(o, OPT_MAX_TOKENS);
}

/* An endpoint has an eagerness of its own, or none; ours is meant for our own detector. */
static const char *eagerness(const struct options *o, bool remote)
{
    if (remote && options_origin(o, OPT_EAGERNESS) <= ORIGIN_DEFAULT)
        return NULL;
    return options_text(o, OPT_EAGERNESS);
}

static enum backend_turns turns(const char *name)
{
    if (name == NULL)
        return BACKEND_TURNS_OWN;
    if (strcmp(name, "server") == 0)
        return BACKEND_TURNS_SERVER;
    return strcmp(name, "semantic") == 0 ? BACKEND_TURNS_SEMANTIC : BACKEND_TURNS_CLIENT;
}

static bool is_local_voice(const char *voice)
{
    static const char *const voices[] = {"auto", "piper", "flite", "espeak"};

    for (size_t i = 0; i < sizeof voices / sizeof *voices; i++)
        if (strcmp(voice, voices[i]) == 0)
            return true;
    return false;
}

/* Local voices and those of endpoints have names of their own: a habit that is about the others is
 * none here. */
static const char *voice(const struct options *o, bool remote)
{
    const char *name = options_text(o, OPT_VOICE);

    if (name != NULL && options_origin(o, OPT_VOICE) < ORIGIN_COMMAND_LINE &&
        is_local_voice(name) == remote)
        return "auto";
    return name;
}

void setup_settings(struct backend_settings *out, const struct options *o, bool remote)
{
    *out = (struct backend_settings){
        .instructions = options_text(o, OPT_SYSTEM),
        .voice = voice(o, remote),
        .effort = options_text(o, OPT_EFFORT),
        .eagerness = eagerness(o, remote),
        .noise = options_text(o, OPT_NOISE_REDUCTION),
        .language = options_text(o, OPT_LANGUAGE),
        .to = options_text(o, OPT_TO),
        .delay = options_text(o, OPT_DELAY),
        .speed = options_number(o, OPT_SPEED),
        .retention = options_number(o, OPT_RETENTION),
        .max_tokens = max_tokens(o, remote),
        .turns = turns(options_text(o, OPT_TURN_DETECTION)),
    };
}

const char *setup_model(const struct session_config *c)
{
    const struct endpoint *first = c->backend_config.endpoints;
    const struct backend_dialect *d;

    if (c->backend_config.endpoint_count == 0)
        return NULL;
    if (first->model != NULL && first->model[0] != '\0')
        return first->model;
    for (size_t i = 0; (d = c->backend->dialect(i)) != NULL; i++)
        if (strcmp(d->name, first->dialect) == 0 && d->model[c->backend_config.task] != NULL)
            return d->model[c->backend_config.task];
    return first->dialect;
}

const struct backend_kind *setup_backend(const struct app *app, bool remote)
{
    const struct backend_kind *const *kind = app->registry->backends;

    while (*kind != NULL && ((*kind)->dialect != NULL) != remote)
        kind++;
    return *kind;
}

int setup_session(struct session_config *c, const struct app *app, const struct setup *setup,
                  struct err *e)
{
    const struct options *o = app->options;
    bool remote = setup_is_remote(setup);

    c->log = app->log;
    c->backend = setup_backend(app, remote);
    c->backend_config = (struct backend_config){
        .models = setup->models,
        .model = options_text(o, OPT_MODEL),
        .model_path = options_text(o, OPT_LOCAL_MODEL),
        .llm_url = options_text(o, OPT_LLM_URL),
        .stt_url = options_text(o, OPT_STT_URL),
        .api_key = setup->key != NULL ? secret_text(setup->key) : NULL,
        .record = options_text(o, OPT_RECORD),
        .record_audio = options_has(o, OPT_RECORD_AUDIO),
    };
    c->backend_config.endpoints =
        endpoints_list(setup->endpoints, &c->backend_config.endpoint_count);
    setup_settings(&c->backend_config.settings, o, remote);
    return setup_sound(&c->sound, app, e);
}

/* --- models */

static bool have_role(const struct models *m, enum model_role role)
{
    struct model_info info;

    for (size_t i = 0; i < models_count(m); i++)
        if (models_info(m, i, &info) == 0 && info.role == role && info.present)
            return true;
    return false;
}

/* Whether it can be done at all; a better voice or model is only a wish. */
static bool enough(const struct models *m, unsigned roles)
{
    return have_role(m, MODEL_VAD) && (!(roles & 1u << MODEL_STT) || have_role(m, MODEL_STT)) &&
           (!(roles & 1u << MODEL_LLM) || have_role(m, MODEL_LLM));
}

/* The roles that a local model must fill with these options. */
static unsigned roles(const struct options *o, enum backend_task task)
{
    unsigned set = 1u << MODEL_VAD;

    if (!options_has(o, OPT_STT_URL))
        set |= 1u << MODEL_STT;
    if (task == BACKEND_TRANSCRIBE)
        return set;
    set |= 1u << MODEL_TTS;
    if (!options_has(o, OPT_LLM_URL) && !options_has(o, OPT_LOCAL_MODEL))
        set |= 1u << MODEL_LLM;
    return set;
}

/* A slip on the command line is an error. A habit of the configuration file may be meant for
 * endpoints. */
static int check_voice(const struct app *app, struct err *e)
{
    const struct options *o = app->options;
    const char *voice = options_text(o, OPT_VOICE);
    enum option_origin origin = options_origin(o, OPT_VOICE);
    char source[64];

    if (voice == NULL || is_local_voice(voice))
        return 0;
    if (origin != ORIGIN_FILE && origin != ORIGIN_PROFILE)
        return err_set(e, STATUS_USAGE, -EINVAL,
                       "%s takes one of auto, piper, flite, espeak, not '%s'",
                       options_source(o, OPT_VOICE, source, sizeof source), voice);
    log_info(app->log, "note: '%s' is no voice of this machine: speaking with the best there is",
             voice);
    return 0;
}

/* --- what a command works with */

static bool describe_dialect(void *user, size_t i, struct endpoint_dialect *out)
{
    const struct app *const *app = user;
    const struct backend_kind *kind = setup_backend(*app, true);
    const struct backend_dialect *d = kind != NULL ? kind->dialect(i) : NULL;

    if (d == NULL)
        return false;
    *out = (struct endpoint_dialect){
        .name = d->name, .key_env = d->key_env, .models = d->models, .wants_url = d->wants_url};
    return true;
}

int setup_endpoints(struct endpoints **out, const struct app *app, struct err *e)
{
    struct endpoints_config config = {.options = app->options,
                                      .config = app->config,
                                      .log = app->log,
                                      .dialect = describe_dialect,
                                      .user = &app};

    return endpoints_open(out, &config, e);
}

int setup_key(struct secret **out, const struct app *app, struct err *e)
{
    static const char variable[] = "HULLO_API_KEY";
    const char *key = getenv(variable);
    int rc = 0;

    *out = NULL;
    if (key != NULL && key[0] != '\0' &&
        (options_has(app->options, OPT_LLM_URL) || options_has(app->options, OPT_STT_URL)))
        rc = secret_from_env(out, variable, "servers of your own", e);
    if (*out != NULL)
        secret_forget_env(variable);
    return rc;
}

static int open_models(struct setup *s, const struct app *app, unsigned need, struct err *e)
{
    int rc = models_open(&s->models, app->log, e);

    if (rc < 0 || enough(s->models, need))
        return rc;
    return fetch_missing(app, s->models, need, e) == STATUS_DONE ? 0 : -ENOENT;
}

int setup_open(struct setup *out, const struct app *app, enum backend_task task, struct err *e)
{
    bool remote;
    int rc;

    *out = (struct setup){0};
    rc = setup_endpoints(&out->endpoints, app, e);
    remote = rc == 0 && setup_is_remote(out);
    if (rc == 0 && !remote)
        rc = check_voice(app, e);
    if (rc == 0 && !remote)
        rc = setup_key(&out->key, app, e);
    if (rc == 0)
        rc = open_models(out, app, remote ? 1u << MODEL_VAD : roles(app->options, task), e);
    if (rc < 0)
        setup_close(out);
    return rc;
}

void setup_close(struct setup *s)
{
    models_close(s->models);
    endpoints_free(s->endpoints);
    secret_free(s->key);
    *s = (struct setup){0};
}

bool setup_is_remote(const struct setup *s)
{
    size_t count;

    endpoints_list(s->endpoints, &count);
    return count > 0;
}
