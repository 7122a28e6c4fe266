/* registry - the only file that names every command, backend and sound driver. The first entry is
 * the default. */
#include "audio/drivers.h"
#include "cmd/commands.h"
#include "local/local.h"
#include "realtime/remote.h"

static const struct command *const commands[] = {
    &command_chat,      &command_ask,     &command_transcribe,
    &command_translate, &command_devices, &command_doctor,
    &command_models,    &command_replay,  NULL,
};

static const struct audio_driver *const audio[] = {
    &audio_portaudio,
    &audio_file,
    &audio_null,
    NULL,
};

static const struct backend_kind *const backends[] = {
    &backend_local,
    &backend_realtime,
    NULL,
};

const struct registry registry = {
    .commands = commands,
    .audio = audio,
    .backends = backends,
};
