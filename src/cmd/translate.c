/* translate - what is said, in another language: live, or of recordings. */
#include "cmd/commands.h"
#include "cmd/words.h"

static enum status run(const struct app *app, struct err *e)
{
    return words_run(app, BACKEND_TRANSLATE, e);
}

static const enum option_id options[] = {
    OPT_TO,           OPT_OUTPUT,        OPT_PLAY,         OPT_FORMAT,
    OPT_JSON,         OPT_FORCE,         OPT_RATE,         OPT_LANGUAGE,
    OPT_EAGERNESS,    OPT_MODEL,         OPT_LOCAL_MODEL,  OPT_LLM_URL,
    OPT_STT_URL,      OPT_VOICE,         OPT_MAX_TOKENS,   OPT_AUDIO,
    OPT_INPUT_DEVICE, OPT_OUTPUT_DEVICE, OPT_AEC,          OPT_SENSITIVITY,
    OPT_HALF_DUPLEX,  OPT_YES,           OPT_NO_INPUT,     OPT_CONFIG,
    OPT_PROFILE,      OPT_URL,           OPT_DIALECT,      OPT_NOISE_REDUCTION,
    OPT_MAX_COST,     OPT_MAX_MINUTES,   OPT_IDLE_MINUTES, OPT_RECORD,
    OPT_RECORD_AUDIO, OPT_CACERT,        OPT_COUNT};

const struct command command_translate = {
    .name = "translate",
    .summary = "say in another language what is said: live, or of recordings",
    .operands = "[FILE ...]",
    .about = "Without a FILE it listens to the microphone until Ctrl-C; - is stdin.\n"
             "hullo translate --to es -o spanish.wav talk.wav",
    .options = options,
    .run = run,
};
