/* engines - the kinds of engine that live in this process. The first three are there only with
 * HULLO_LOCAL. Paths are what engine_config's `model` means for each. */
#ifndef HULLO_LOCAL_ENGINES_H
#define HULLO_LOCAL_ENGINES_H

#include "local/engine.h"

#if HULLO_LOCAL
/* Language model: a GGUF file. A request with max_tokens 0 only reads the conversation into the
 * model's memory, so that the next one starts sooner. */
extern const struct engine_kind engine_llama;

/* Speech-to-text: a folder with encoder_model.ort, decoder_model_merged.ort and tokens.txt. One
 * TEXT for each request, "" when nobody spoke. */
extern const struct engine_kind engine_moonshine;

/* Voice: a folder with model.onnx and tokens.txt. */
extern const struct engine_kind engine_piper;
#endif

/* Voices that need no model (NULL). */
extern const struct engine_kind engine_flite;
extern const struct engine_kind engine_espeak;

/* Language model and speech-to-text behind an OpenAI-compatible server: http://host:port, .../v1,
 * or the whole address of the endpoint. The language model's name is, when none is given, the first
 * that the server lists; that of speech-to-text "whisper-1". READY comes after the server answered.
 * A speech-to-text request longer than ENGINE_MAX_SECONDS is -EINVAL. */
extern const struct engine_kind engine_llm_http;
extern const struct engine_kind engine_stt_http;

#endif
