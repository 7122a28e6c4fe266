#include "local/ladder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local/engines.h"
#include "local/language.h"
#include "models/models.h"

static struct rung *add(struct ladder *l, const struct engine_kind *kind, const char *model)
{
    struct rung *r;

    if (l->count == LADDER_RUNGS)
        return NULL;
    r = &l->rungs[l->count];
    *r = (struct rung){.kind = kind};
    if (model != NULL && (r->model = strdup(model)) == NULL)
        return NULL;
    l->count++;
    return r;
}

static int out_of_memory(struct err *e)
{
    return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
}

#if HULLO_LOCAL

static const char *const role_words[] = {"voice activity detector", "speech-to-text model",
                                         "language model", "voice"};

/* Adds a step for each model of the role that is installed, best first: its file when it is one,
 * else its folder. A NULL `only` means any. Notices name the better model that is missing. */
static int add_installed(struct ladder *l, const struct backend_config *c, enum model_role role,
                         const struct engine_kind *kind, const char *only, struct err *e)
{
    const char *better = NULL;
    struct err missing = {0};
    int rc = err_set(&missing, STATUS_NO_MODEL, -ENOENT,
                     "the list of models names no %s: install hullo again", role_words[role]);

    for (size_t i = 0; i < models_count(c->models); i++) {
        struct model_info info;
        char *path;
        models_info(c->models, i, &info);
        if (info.role != role || (only != NULL && strcmp(only, info.name) != 0))
            continue;
        rc = models_path(c->models, info.name, info.file, &path, &missing);
        if (rc < 0) {
            better = better != NULL ? better : info.name;
            continue;
        }
        struct rung *r = add(l, kind, path);
        free(path);
        if (r == NULL)
            return out_of_memory(e);
        if (better != NULL)
            snprintf(r->notice, sizeof r->notice,
                     "the %s '%s' is not installed: using '%s'; `hullo models pull %s` fetches it",
                     role_words[role], better, info.name, better);
    }
    if (l->count > 0)
        return 0;
    if (e != NULL)
        *e = missing;
    return rc;
}

#endif

int ladder_stt(struct ladder *l, const struct backend_config *c, struct err *e)
{
    const char *language = c->settings.language;

    if (c->stt_url != NULL)
        return add(l, &engine_stt_http, c->stt_url) != NULL ? 0 : out_of_memory(e);
    if (language != NULL && !language_same(language, "en"))
        return err_set(e, STATUS_USAGE, -ENOTSUP,
                       "speech-to-text on this machine knows English only, not '%s': name a server "
                       "with --stt-url, or an endpoint with --url or --profile",
                       language);
#if HULLO_LOCAL
    return add_installed(l, c, MODEL_STT, &engine_moonshine, NULL, e);
#else
    return err_set(e, STATUS_USAGE, -ENOSYS,
                   "this build of hullo has no local speech-to-text: name a server with --stt-url, "
                   "or build without LOCAL=0");
#endif
}

#if HULLO_LOCAL

static bool is_llm(const struct models *m, const char *name)
{
    struct model_info info;
    int i = models_index(m, name);

    return i >= 0 && models_info(m, (size_t)i, &info) == 0 && info.role == MODEL_LLM;
}

#endif

/* The language model by the name of the manifest, or a GGUF file of the user's. */
static int local_llm(struct ladder *l, const struct backend_config *c, struct err *e)
{
#if HULLO_LOCAL
    if (c->model_path != NULL)
        return add(l, &engine_llama, c->model_path) != NULL ? 0 : out_of_memory(e);
    if (c->model != NULL && !is_llm(c->models, c->model))
        return err_set(
            e, STATUS_USAGE, -ENOENT,
            "no language model '%s'; `hullo models list` shows those that can be fetched, "
            "--local-model takes a GGUF file of your own",
            c->model);
    return add_installed(l, c, MODEL_LLM, &engine_llama, c->model, e);
#else
    (void)l;
    (void)c;
    return err_set(e, STATUS_USAGE, -ENOSYS,
                   "this build of hullo has no local language model: name a server with --llm-url, "
                   "or build without LOCAL=0");
#endif
}

int ladder_llm(struct ladder *l, const struct backend_config *c, struct err *e)
{
    struct rung *r;

    if (c->llm_url == NULL)
        return local_llm(l, c, e);
    r = add(l, &engine_llm_http, c->llm_url);
    if (r == NULL)
        return out_of_memory(e);
    r->name = c->model;
    return 0;
}

/* Voices but espeak-ng's know English only. */
static int ladder_foreign(struct ladder *l, const struct backend_config *c, struct err *e)
{
    const char *voice = c->settings.voice;

    if (strcmp(voice, "auto") != 0 && strcmp(voice, "espeak") != 0)
        return err_set(e, STATUS_USAGE, -ENOTSUP,
                       "the voice '%s' speaks English only: take espeak for '%s'", voice,
                       c->settings.to);
    return add(l, &engine_espeak, NULL) != NULL ? 0 : out_of_memory(e);
}

int ladder_tts(struct ladder *l, const struct backend_config *c, struct err *e)
{
    bool any = strcmp(c->settings.voice, "auto") == 0;

    if (c->task == BACKEND_TRANSLATE && !language_same(c->settings.to, "en"))
        return ladder_foreign(l, c, e);

#if HULLO_LOCAL
    if (any || strcmp(c->settings.voice, "piper") == 0) {
        int rc = add_installed(l, c, MODEL_TTS, &engine_piper, NULL, any ? NULL : e);
        if (rc < 0 && !any)
            return rc;
    }
#else
    if (strcmp(c->settings.voice, "piper") == 0)
        return err_set(e, STATUS_USAGE, -ENOSYS,
                       "this build of hullo has no voice 'piper': take flite or espeak");
#endif
    if (any || strcmp(c->settings.voice, "flite") == 0) {
        struct rung *r = add(l, &engine_flite, NULL);
        if (r != NULL && any && HULLO_LOCAL)
            snprintf(r->notice, sizeof r->notice,
                     "the voice 'piper' is not there: speaking with the plainer 'flite'; "
                     "`hullo models pull` fetches it");
    }
    if (any || strcmp(c->settings.voice, "espeak") == 0)
        add(l, &engine_espeak, NULL);
    return l->count > 0 ? 0 : out_of_memory(e);
}

void ladder_free(struct ladder *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->rungs[i].model);
    *l = (struct ladder){0};
}
