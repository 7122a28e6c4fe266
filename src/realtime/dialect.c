#include "realtime/dialect.h"

#include <string.h>

/* Names of the protocol's beta, which others took over. */
static const struct dialect_name beta_names[] = {
    {"response.output_audio.delta", "response.audio.delta"},
    {"response.output_audio.done", "response.audio.done"},
    {"response.output_audio_transcript.delta", "response.audio_transcript.delta"},
    {"response.output_audio_transcript.done", "response.audio_transcript.done"},
    {"response.output_text.delta", "response.text.delta"},
    {"response.output_text.done", "response.text.done"},
    {"session.created", "transcription_session.created"},
    {"session.updated", "transcription_session.updated"},
    {NULL, NULL},
};

static const char bearer[] = "Authorization: Bearer {key}";

static const char *const openai_models[] = {
    "gpt-realtime",      "gpt-4o-realtime",        "gpt-live-transcribe", "gpt-transcribe",
    "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1",           NULL};

static const struct dialect openai = {
    .info = {.name = "openai",
             .title = "OpenAI",
             .key_env = "OPENAI_API_KEY",
             .models = openai_models,
             .tasks = {true, true, true}},
    .wire = {&wire_openai, &wire_openai, &wire_translate},
    .url = {"wss://api.openai.com/v1/realtime?model={model}",
            "wss://api.openai.com/v1/realtime?intent=transcription",
            "wss://api.openai.com/v1/realtime/translations?model={model}"},
    .header = bearer,
    .info.model = {"gpt-realtime-2", "gpt-realtime-whisper", "gpt-realtime-translate"},
    .voice = "marin",
    .transcriber = "gpt-transcribe",
    .session = SESSION_GA,
    .input_hz = 24000,
    .output_hz = 24000,
    .cap_s = 3600,
    .max_tokens = "max_output_tokens",
    .speeds = true,
    .efforts = true,
    .semantic = true,
    .denoises = true,
    .audio_turns = true,
    .writes = true,
    .truncates = true,
    .retains = true,
    .commits = true,
};

static const char *const gpt_live_models[] = {"gpt-live-1", NULL};

/* The model stands in the first message. */
static const struct dialect gpt_live = {
    .info = {.name = "gpt-live",
             .title = "OpenAI GPT-Live",
             .key_env = "OPENAI_API_KEY",
             .models = gpt_live_models,
             .tasks = {true, false, false}},
    .wire = {&wire_gpt_live, NULL, NULL},
    .url = {"wss://api.openai.com/v1/live/sessions", NULL, NULL},
    .header = bearer,
    .info.model = {"gpt-live-1", NULL, NULL},
    .voice = "marin",
    .transcribes = true,
    .input_hz = 24000,
    .output_hz = 24000,
};

static const char *const gemini_models[] = {"gemini-*live", NULL};

#define GEMINI_URL                                \
    "wss://generativelanguage.googleapis.com/ws/" \
    "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"

/* A connection lasts about 10 minutes; its session goes on over the next one. */
static const struct dialect gemini = {
    .info = {.name = "gemini",
             .title = "Gemini Live",
             .key_env = "GEMINI_API_KEY",
             .models = gemini_models,
             .tasks = {true, true, true}},
    .wire = {&wire_gemini, &wire_gemini, &wire_gemini},
    .url = {GEMINI_URL, GEMINI_URL, GEMINI_URL},
    .header = "x-goog-api-key: {key}",
    .info.model = {"gemini-3.8-live", "gemini-3.5-transcribe-live",
                   "gemini-3.5-live-translate-preview"},
    .transcribes = true,
    .input_hz = 16000,
    .output_hz = 24000,
    .cap_s = 600,
    .max_tokens = "maxOutputTokens",
    .efforts = true,
    .semantic = true,
};

/* Models are called as whoever deployed them liked. */
static const struct dialect azure = {
    .info = {.name = "azure",
             .title = "Azure OpenAI",
             .key_env = "AZURE_OPENAI_API_KEY",
             .tasks = {true, true, false}},
    .wire = {&wire_openai, &wire_openai, NULL},
    .url = {"wss://{resource}.openai.azure.com/openai/v1/realtime?model={model}",
            "wss://{resource}.openai.azure.com/openai/v1/realtime?intent=transcription", NULL},
    .header = "api-key: {key}",
    .transcriber = "whisper-1",
    .session = SESSION_GA,
    .input_hz = 24000,
    .output_hz = 24000,
    .cap_s = 1800,
    .max_tokens = "max_output_tokens",
    .speeds = true,
    .efforts = true,
    .semantic = true,
    .denoises = true,
    .audio_turns = true,
    .writes = true,
    .truncates = true,
    .retains = true,
    .commits = true,
};

static const char *const xai_models[] = {"grok", NULL};

static const struct dialect xai = {
    .info = {.name = "xai",
             .title = "xAI",
             .key_env = "XAI_API_KEY",
             .models = xai_models,
             .tasks = {true, false, false}},
    .wire = {&wire_openai, NULL, NULL},
    .url = {"wss://api.x.ai/v1/realtime[?model={model}]", NULL, NULL},
    .header = bearer,
    .transcribes = true,
    .session = SESSION_TOP,
    .input_hz = 24000,
    .output_hz = 24000,
    .cap_s = 1800,
    .writes = true,
    .commits = true,
};

static const struct dialect elevenlabs = {
    .info = {.name = "elevenlabs",
             .title = "ElevenLabs",
             .key_env = "ELEVENLABS_API_KEY",
             .tasks = {true, false, false}},
    .wire = {&wire_openai, NULL, NULL},
    .url = {"wss://api.elevenlabs.io/v1/convai/realtime?model={model}", NULL, NULL},
    .header = bearer,
    .transcribes = true,
    .session = SESSION_GA,
    .input_hz = 24000,
    .output_hz = 24000,
    .max_tokens = "max_output_tokens",
    .speeds = true,
    .writes = true,
    .truncates = true,
    .commits = true,
};

/* {unique}: a session's name is the client's to choose. */
static const struct dialect inworld = {
    .info = {.name = "inworld",
             .title = "Inworld",
             .key_env = "INWORLD_API_KEY",
             .tasks = {true, false, false}},
    .wire = {&wire_openai, NULL, NULL},
    .url = {"wss://api.inworld.ai/api/v1/realtime/session?key={unique}&protocol=realtime"
            "[&model={model}]",
            NULL, NULL},
    .header = "Authorization: Basic {key}",
    .transcriber = "inworld/inworld-stt-1",
    .session = SESSION_GA,
    .input_hz = 24000,
    .output_hz = 24000,
    .max_tokens = "max_output_tokens",
    .speeds = true,
    .semantic = true,
    .writes = true,
    .truncates = true,
    .commits = true,
};

static const char *const qwen_models[] = {"qwen*realtime", NULL};

/* Nothing can be written into its conversations. */
static const struct dialect qwen = {
    .info = {.name = "qwen",
             .title = "Qwen (DashScope)",
             .key_env = "DASHSCOPE_API_KEY",
             .models = qwen_models,
             .tasks = {true, false, false}},
    .wire = {&wire_openai, NULL, NULL},
    .url = {"wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime?model={model}", NULL, NULL},
    .header = bearer,
    .info.model = {"qwen3-omni-flash-realtime", NULL, NULL},
    .transcriber = "gummy-realtime-v1",
    .session = SESSION_BETA,
    .names = beta_names,
    .format_in = "pcm",
    .format_out = "pcm",
    .input_hz = 16000,
    .output_hz = 24000,
    .cap_s = 7200,
    .max_tokens = "max_tokens",
    .commits = true,
};

static const struct dialect localai = {
    .info = {.name = "localai",
             .title = "LocalAI",
             .tasks = {true, true, false},
             .wants_url = true},
    .wire = {&wire_openai, &wire_openai, NULL},
    .url = {"/v1/realtime?model={model}", "/v1/realtime?model={model}&intent=transcription", NULL},
    .header = bearer,
    .transcribes = true,
    .session = SESSION_GA,
    .names = beta_names,
    .input_hz = 24000,
    .output_hz = 24000,
    .max_tokens = "max_output_tokens",
    .writes = true,
    .commits = true,
};

static const struct dialect speaches = {
    .info = {.name = "speaches",
             .title = "speaches",
             .tasks = {true, true, false},
             .wants_url = true},
    .wire = {&wire_openai, &wire_openai, NULL},
    .url = {"/v1/realtime?model={model}", "/v1/realtime?model={model}&intent=transcription", NULL},
    .header = bearer,
    .transcribes = true,
    .session = SESSION_BETA,
    .names = beta_names,
    .format_in = "pcm16",
    .format_out = "pcm16",
    .input_hz = 24000,
    .output_hz = 24000,
    .max_tokens = "max_response_output_tokens",
    .writes = true,
    .commits = true,
};

static const struct dialect huggingface = {
    .info = {.name = "huggingface",
             .title = "Hugging Face speech-to-speech",
             .tasks = {true, false, false},
             .wants_url = true},
    .wire = {&wire_openai, NULL, NULL},
    .url = {"/v1/realtime[?model={model}]", NULL, NULL},
    .header = bearer,
    .transcribes = true,
    .session = SESSION_GA,
    .input_hz = 24000,
    .output_hz = 24000,
    .max_tokens = "max_output_tokens",
    .writes = true,
    .always_detects = true,
};

/* As OpenAI's, but for what the endpoint's values say (dialect_generic_new), and without what only
 * OpenAI's own servers are known to take. */
static const struct dialect generic = {
    .info = {.name = "generic",
             .title = "generic realtime endpoint",
             .tasks = {true, true, true},
             .wants_url = true},
    .wire = {&wire_openai, &wire_openai, &wire_translate},
    .url = {"/v1/realtime[?model={model}]", "/v1/realtime?intent=transcription[&model={model}]",
            "/v1/realtime/translations[?model={model}]"},
    .header = bearer,
    .session = SESSION_GA,
    .format_in = "pcm16",
    .format_out = "pcm16",
    .input_hz = 24000,
    .output_hz = 24000,
    .max_tokens = "max_output_tokens",
    .speeds = true,
    .writes = true,
    .truncates = true,
    .commits = true,
};

const struct dialect *const dialects[] = {&openai,      &gpt_live, &gemini, &azure,   &xai,
                                          &elevenlabs,  &inworld,  &qwen,   &localai, &speaches,
                                          &huggingface, &generic,  NULL};

const struct dialect *dialect_find(const char *name)
{
    for (size_t i = 0; dialects[i] != NULL; i++)
        if (strcmp(dialects[i]->info.name, name) == 0)
            return dialects[i];
    return NULL;
}

const struct backend_dialect *dialect_info(size_t i)
{
    size_t n = 0;

    while (dialects[n] != NULL)
        n++;
    return i < n ? &dialects[i]->info : NULL;
}

void dialect_lacks(const struct dialect *d, const struct backend_settings *asked, struct buf *out)
{
    const struct {
        const char *option;
        bool asked, taken;
    } rows[] = {
        {"--effort", asked->effort != NULL, d->efforts},
        {"--eagerness", asked->eagerness != NULL, d->semantic},
        {"--turn-detection semantic", asked->turns == BACKEND_TURNS_SEMANTIC, d->semantic},
        {"--noise-reduction", asked->noise != NULL && strcmp(asked->noise, "off") != 0,
         d->denoises},
        {"--speed", asked->speed > 0, d->speeds},
        {"--retention", asked->retention > 0, d->retains},
        {"--max-tokens", asked->max_tokens > 0, d->max_tokens != NULL},
    };
    size_t before = out->len;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].asked && !rows[i].taken)
            buf_addf(out, "%s%s", out->len > before ? ", " : "", rows[i].option);
}

const char *dialect_model(const struct dialect *d, const struct endpoint *ep,
                          enum backend_task task)
{
    return ep->model != NULL && ep->model[0] != '\0' ? ep->model : d->info.model[task];
}
