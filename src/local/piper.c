/* The Piper voice: phonemes from espeak-ng, a VITS model through sherpa-onnx's C API. */
#include "local/engines.h"

#if HULLO_LOCAL

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sherpa-onnx/c-api/c-api.h>

#include "local/espeaklib.h"
#include "local/voice.h"
#include "util/path.h"
#include "util/text.h"

enum { MOST_SYMBOLS = 1024, MOST_BYTES = 64 * 1024 };

struct piper {
    const SherpaOnnxOfflineTts *tts;
    unsigned symbols[MOST_SYMBOLS]; /* code points that the model knows; sherpa-onnx complains of
                                       others on stderr */
    size_t count;
};

/* tokens.txt: on each line a symbol, a space and a number. */
static int read_symbols(struct piper *p, const char *file, struct err *e)
{
    char *text, *line;
    size_t len;
    int rc = path_read(&text, &len, file, MOST_BYTES, NULL);

    if (rc < 0)
        return err_set(e, STATUS_NO_MODEL, rc,
                       "cannot open the voice's symbols '%s': %s; fetch the voice with 'hullo "
                       "models pull'",
                       file, strerror(-rc));
    for (line = text; *line != '\0' && p->count < MOST_SYMBOLS;) {
        size_t n = strcspn(line, "\n");
        if (text_utf8(line, n, &p->symbols[p->count]) > 0)
            p->count++;
        line += n + (line[n] == '\n');
    }
    free(text);
    return p->count > 0 ? 0
                        : err_set(e, STATUS_NO_MODEL, -EBADMSG,
                                  "cannot use the voice '%s': it has no symbols in it", file);
}

static void piper_unload(void *self)
{
    struct piper *p = self;

    if (p == NULL)
        return;
    if (p->tts != NULL)
        SherpaOnnxDestroyOfflineTts(p->tts);
    free(p);
}

static int create(struct piper *p, const char *model, const char *tokens, int threads,
                  struct err *e)
{
    SherpaOnnxOfflineTtsConfig c;
    FILE *f = fopen(model, "rb");

    if (f == NULL)
        return err_set(e, STATUS_NO_MODEL, -errno, "cannot open the voice '%s': %s", model,
                       strerror(errno));
    fclose(f);
    memset(&c, 0, sizeof c);
    c.model.vits.model = model;
    c.model.vits.tokens = tokens;
    c.model.vits.noise_scale = 0.667F;
    c.model.vits.noise_scale_w = 0.8F;
    c.model.vits.length_scale = 1;
    c.model.num_threads = threads > 0 ? threads : 1;
    c.model.provider = "cpu";
    c.max_num_sentences = 1;
    p->tts = SherpaOnnxCreateOfflineTts(&c);
    return p->tts != NULL ? 0
                          : err_set(e, STATUS_NO_MODEL, -EBADMSG,
                                    "cannot use the voice '%s': it is damaged; fetch it again "
                                    "with 'hullo models pull'",
                                    model);
}

static int piper_load(void **self, const struct engine_config *config, const struct worker_job *job,
                      char *name, size_t size, struct err *e)
{
    struct piper *p = calloc(1, sizeof *p);
    char *model = NULL, *tokens = NULL;
    int rc = -ENOMEM;

    (void)job;
    *self = NULL;
    if (p == NULL || path_join(&model, config->model, "model.onnx") < 0 ||
        path_join(&tokens, config->model, "tokens.txt") < 0)
        goto out;
    if ((rc = espeaklib_open(e)) < 0)
        goto out;
    if ((rc = read_symbols(p, tokens, e)) < 0 ||
        (rc = create(p, model, tokens, config->threads, e)) < 0)
        goto out;
    snprintf(name, size, "piper");
    *self = p;
    p = NULL;
out:
    piper_unload(p);
    free(model);
    free(tokens);
    return rc;
}

static bool known(const struct piper *p, unsigned cp)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->symbols[i] == cp)
            return true;
    return false;
}

/* Writes the code points of ipa that the model knows to out, at most ipa.len of them. */
static int32_t code_points(const struct piper *p, const struct buf *ipa, int32_t *out)
{
    int32_t count = 0;
    size_t n;

    for (size_t i = 0; i<ipa->len; i += n> 0 ? n : 1) {
        unsigned cp;
        n = text_utf8(ipa->data + i, ipa->len - i, &cp);
        if (n > 0 && known(p, cp))
            out[count++] = (int32_t)cp;
    }
    return count;
}

static int send_audio(const SherpaOnnxGeneratedAudio *audio, struct worker_job *job)
{
    size_t n = audio->n > 0 ? (size_t)audio->n : 0;
    int16_t *x = malloc((n + 1) * sizeof *x);
    int rc;

    if (x == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        x[i] = (int16_t)lrintf(32767 * fmaxf(-1, fminf(1, audio->samples[i])));
    rc = n > 0 ? worker_audio(job, x, n, audio->sample_rate) : 0;
    free(x);
    return rc;
}

static int synthesise(struct piper *p, const struct buf *ipa, int32_t *points,
                      struct worker_job *job)
{
    SherpaOnnxGenerationConfig c;
    const SherpaOnnxGeneratedAudio *audio;
    int32_t count = code_points(p, ipa, points);
    int rc;

    if (count == 0)
        return 0;
    memset(&c, 0, sizeof c);
    c.speed = 1;
    c.silence_scale = 1;
    c.phoneme_codepoints = points;
    c.phoneme_codepoints_lens = &count;
    c.phoneme_codepoints_num_sentences = 1;
    audio = SherpaOnnxOfflineTtsGenerateWithConfig(p->tts, "", &c, NULL, NULL);
    if (audio == NULL)
        return -EIO;
    rc = send_audio(audio, job);
    SherpaOnnxDestroyOfflineTtsGeneratedAudio(audio);
    return rc;
}

static int piper_say(void *self, const char *clause, struct worker_job *job, struct err *e)
{
    struct buf ipa = BUF_INIT;
    int32_t *points = NULL;
    int rc = -ENOMEM;

    espeaklib_phonemes(&ipa, clause);
    if (!buf_failed(&ipa) && (points = malloc((ipa.len + 1) * sizeof *points)) != NULL)
        rc = synthesise(self, &ipa, points, job);
    free(points);
    buf_free(&ipa);
    return rc < 0 ? err_set(e, STATUS_FAILED, rc, "cannot speak '%.40s': %s", clause, strerror(-rc))
                  : 0;
}

static int piper_run(void *self, const struct engine_request *r, struct worker_job *job,
                     struct err *e)
{
    return voice_run(self, r, job, piper_say, e);
}

static const struct worker_model piper_model = {
    .thread = "piper",
    .load = piper_load,
    .run = piper_run,
    .unload = piper_unload,
};

static int piper_open(struct engine **out, const struct engine_config *config, struct err *e)
{
    return worker_open(out, &piper_model, config, e);
}

const struct engine_kind engine_piper = {
    .name = "piper",
    .help = "Piper: a natural voice, in this process",
    .open = piper_open,
};

#endif
