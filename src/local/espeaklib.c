#include "local/espeaklib.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <espeak-ng/speak_lib.h>

#include "local/clause.h"

/* The one exception to "no state at file scope": the library's own state is the process's, so what
 * guards it must be too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool started;
static int library_rate_hz;

#define VOICE "en-us"

/* What one call of espeaklib_speak wants; espeak-ng hands it back with each piece. */
struct speaking {
    espeaklib_audio *fn;
    void *user;
};

static int on_audio(short *wav, int n, espeak_EVENT *events)
{
    struct speaking *s = events->user_data;

    if (wav == NULL || n <= 0 || s == NULL)
        return 0;
    return s->fn(s->user, wav, (size_t)n) != 0;
}

static int start_library(struct err *e)
{
    /* Without DONT_EXIT it ends the process when its data is missing. */
    library_rate_hz =
        espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 60, NULL, espeakINITIALIZE_DONT_EXIT);
    if (library_rate_hz <= 0)
        return err_set(e, STATUS_NO_MODEL, -ENOENT,
                       "cannot start espeak-ng: its data is missing; install the package "
                       "'espeak-ng-data'");
    if (espeak_SetVoiceByName(VOICE) != EE_OK)
        return err_set(e, STATUS_NO_MODEL, -ENOENT,
                       "cannot find espeak-ng's voice '" VOICE "'; install the package "
                       "'espeak-ng-data'");
    espeak_SetSynthCallback(on_audio);
    return 0;
}

int espeaklib_open(struct err *e)
{
    int rc = 0;

    pthread_mutex_lock(&lock);
    if (!started)
        rc = start_library(e);
    started = rc == 0;
    pthread_mutex_unlock(&lock);
    return rc;
}

/* Phonemes of text without pauses in it. Words from other languages come as "(fr)...(en-us)". */
static void add_phonemes(struct buf *out, const char *text)
{
    const void *at = text;
    size_t start = out->len;

    while (at != NULL) {
        const char *p = espeak_TextToPhonemes(&at, espeakCHARS_UTF8, espeakPHONEMES_IPA);
        if (p == NULL || *p == '\0')
            continue;
        if (out->len > start)
            buf_adds(out, " ");
        while (*p != '\0') {
            size_t n = strcspn(p, "(");
            buf_add(out, p, n);
            p += n;
            p += strcspn(p, ")");
            p += *p == ')';
        }
    }
}

static size_t next_pause(const char *s)
{
    size_t i = 0;

    while (s[i] != '\0' && !clause_pause(s, i))
        i++;
    return i;
}

void espeaklib_phonemes(struct buf *out, const char *text)
{
    struct buf part = BUF_INIT, ipa = BUF_INIT;

    pthread_mutex_lock(&lock);
    while (*text != '\0' && !out->failed) {
        size_t n = next_pause(text);

        buf_clear(&part);
        buf_clear(&ipa);
        buf_add(&part, text, n);
        add_phonemes(&ipa, buf_str(&part));
        if (ipa.len > 0)
            buf_addf(out, "%s%s%.1s", out->len > 0 ? " " : "", buf_str(&ipa), text + n);
        out->failed |= buf_failed(&part) || buf_failed(&ipa);
        text += n + (text[n] != '\0');
        text += strspn(text, " \"')]");
    }
    pthread_mutex_unlock(&lock);
    buf_free(&part);
    buf_free(&ipa);
}

/* With the lock held. */
static espeak_ERROR take_voice(const char *language)
{
    espeak_ERROR rc = espeak_SetVoiceByName(language);
    char primary[16];

    if (rc == EE_OK)
        return rc;
    snprintf(primary, sizeof primary, "%.*s", (int)strcspn(language, "-_"), language);
    return espeak_SetVoiceByName(primary);
}

bool espeaklib_speaks(const char *language)
{
    bool speaks;

    pthread_mutex_lock(&lock);
    speaks = take_voice(language) == EE_OK;
    espeak_SetVoiceByName(VOICE);
    pthread_mutex_unlock(&lock);
    return speaks;
}

int espeaklib_speak(const char *language, const char *text, int *rate_hz, espeaklib_audio *fn,
                    void *user)
{
    struct speaking s = {.fn = fn, .user = user};
    espeak_ERROR rc = EE_OK;

    pthread_mutex_lock(&lock);
    *rate_hz = library_rate_hz;
    if (language != NULL)
        rc = take_voice(language);
    if (rc == EE_OK)
        rc = espeak_Synth(text, strlen(text) + 1, 0, POS_CHARACTER, 0,
                          espeakCHARS_UTF8 | espeakENDPAUSE, NULL, &s);
    if (language != NULL)
        espeak_SetVoiceByName(VOICE);
    pthread_mutex_unlock(&lock);
    return rc == EE_OK ? 0 : -EIO;
}
