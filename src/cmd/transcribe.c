/* transcribe - what is said, in writing: live, or of recordings. */
#include "cmd/commands.h"
#include "cmd/words.h"

static enum status run(const struct app *app, struct err *e)
{
    return words_run(app, BACKEND_TRANSCRIBE, e);
}

static const enum option_id options[] = {
    OPT_OUTPUT,      OPT_FORMAT,       OPT_JSON,      OPT_FORCE,           OPT_RATE,
    OPT_LANGUAGE,    OPT_DELAY,        OPT_EAGERNESS, OPT_MODEL,           OPT_STT_URL,
    OPT_AUDIO,       OPT_INPUT_DEVICE, OPT_YES,       OPT_NO_INPUT,        OPT_CONFIG,
    OPT_PROFILE,     OPT_URL,          OPT_DIALECT,   OPT_NOISE_REDUCTION, OPT_MAX_COST,
    OPT_MAX_MINUTES, OPT_IDLE_MINUTES, OPT_RECORD,    OPT_RECORD_AUDIO,    OPT_CACERT,
    OPT_COUNT};

const struct command command_transcribe = {
    .name = "transcribe",
    .summary = "write down what is said: live, or of recordings",
    .operands = "[FILE ...]",
    .about = "Without a FILE it listens to the microphone until Ctrl-C; - is stdin.\n"
             "Text, JSON Lines or subtitles: hullo transcribe -o talk.srt talk.wav",
    .options = options,
    .run = run,
};
