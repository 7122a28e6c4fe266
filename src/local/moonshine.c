/* Speech-to-text with Moonshine through sherpa-onnx's C API. */
#include "local/engines.h"

#if HULLO_LOCAL

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sherpa-onnx/c-api/c-api.h>

#include "local/transcript.h"
#include "local/worker.h"
#include "util/path.h"

enum {
    RATE_HZ = 16000,
    TAIL = RATE_HZ * 60 / 1000, /* silence after the last word, which the model expects */
};

struct files {
    char *encoder, *decoder, *tokens;
};

static void free_files(struct files *f)
{
    free(f->encoder);
    free(f->decoder);
    free(f->tokens);
}

static int check(const char *file, struct err *e)
{
    FILE *f = fopen(file, "rb");

    if (f == NULL)
        return err_set(e, STATUS_NO_MODEL, -errno,
                       "cannot open the speech-to-text model '%s': %s; fetch it with 'hullo models "
                       "pull'",
                       file, strerror(errno));
    fclose(f);
    return 0;
}

/* sherpa-onnx ends the process over a file that is not there. */
static int find_files(struct files *f, const char *folder, struct err *e)
{
    int rc;

    if (path_join(&f->encoder, folder, "encoder_model.ort") < 0 ||
        path_join(&f->decoder, folder, "decoder_model_merged.ort") < 0 ||
        path_join(&f->tokens, folder, "tokens.txt") < 0)
        return -ENOMEM;
    if ((rc = check(f->encoder, e)) < 0 || (rc = check(f->decoder, e)) < 0)
        return rc;
    return check(f->tokens, e);
}

static int moonshine_load(void **self, const struct engine_config *config,
                          const struct worker_job *job, char *name, size_t size, struct err *e)
{
    SherpaOnnxOfflineRecognizerConfig c;
    struct files files = {0};
    const SherpaOnnxOfflineRecognizer *r = NULL;
    int rc = find_files(&files, config->model, e);

    (void)job;
    if (rc == 0) {
        memset(&c, 0, sizeof c);
        c.feat_config.sample_rate = RATE_HZ;
        c.feat_config.feature_dim = 80;
        c.model_config.moonshine.encoder = files.encoder;
        c.model_config.moonshine.merged_decoder = files.decoder;
        c.model_config.tokens = files.tokens;
        c.model_config.num_threads = config->threads > 0 ? config->threads : 1;
        c.model_config.provider = "cpu";
        c.decoding_method = "greedy_search";
        r = SherpaOnnxCreateOfflineRecognizer(&c);
        if (r == NULL)
            rc = err_set(e, STATUS_NO_MODEL, -EBADMSG,
                         "cannot use the speech-to-text model in '%s': it is damaged; fetch it "
                         "again with 'hullo models pull'",
                         config->model);
    }
    free_files(&files);
    snprintf(name, size, "moonshine");
    *self = (void *)(uintptr_t)r; /* const in sherpa-onnx's API only */
    return rc;
}

static int decode(const SherpaOnnxOfflineRecognizer *r, const float *x, size_t n,
                  struct worker_job *job)
{
    const SherpaOnnxOfflineStream *s = SherpaOnnxCreateOfflineStream(r);
    const SherpaOnnxOfflineRecognizerResult *result = NULL;
    char *text = NULL;
    int rc = -EIO;

    if (s == NULL)
        return rc;
    SherpaOnnxAcceptWaveformOffline(s, RATE_HZ, x, (int32_t)n);
    SherpaOnnxDecodeOfflineStream(r, s);
    result = SherpaOnnxGetOfflineStreamResult(s);
    if (result != NULL) {
        text = strdup(result->text != NULL ? result->text : "");
        SherpaOnnxDestroyOfflineRecognizerResult(result);
        rc = -ENOMEM;
    }
    SherpaOnnxDestroyOfflineStream(s);
    if (text != NULL) {
        transcript_tidy(text);
        rc = worker_text(job, text);
        free(text);
    }
    return rc;
}

static int moonshine_run(void *self, const struct engine_request *r, struct worker_job *job,
                         struct err *e)
{
    size_t n = r->samples < ENGINE_MAX_SECONDS * RATE_HZ ? r->samples
                                                         : (size_t)ENGINE_MAX_SECONDS * RATE_HZ;
    float *x;
    int rc;

    if (!transcript_possible(r->pcm, n))
        return worker_text(job, "");
    x = calloc(n + TAIL, sizeof *x);
    if (x == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "cannot transcribe: out of memory");
    for (size_t i = 0; i < n; i++)
        x[i] = (float)r->pcm[i] / 32768;
    rc = decode(self, x, n + TAIL, job);
    free(x);
    return rc < 0 ? err_set(e, STATUS_FAILED, rc, "cannot transcribe: %s", strerror(-rc)) : 0;
}

static void moonshine_unload(void *self)
{
    SherpaOnnxDestroyOfflineRecognizer(self);
}

static const struct worker_model moonshine_model = {
    .thread = "moonshine",
    .load = moonshine_load,
    .run = moonshine_run,
    .unload = moonshine_unload,
};

static int moonshine_open(struct engine **out, const struct engine_config *config, struct err *e)
{
    return worker_open(out, &moonshine_model, config, e);
}

const struct engine_kind engine_moonshine = {
    .name = "moonshine",
    .help = "Moonshine: English speech-to-text, in this process",
    .open = moonshine_open,
};

#endif
