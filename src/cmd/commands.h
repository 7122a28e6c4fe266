/* commands - the subcommands, for the registry. */
#ifndef HULLO_CMD_COMMANDS_H
#define HULLO_CMD_COMMANDS_H

#include "cmd/cmd.h"

extern const struct command command_chat;
extern const struct command command_ask;
extern const struct command command_transcribe;
extern const struct command command_translate;
extern const struct command command_models;
extern const struct command command_devices;
extern const struct command command_doctor;
extern const struct command command_replay;

#endif
