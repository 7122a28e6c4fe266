/* drivers - the sound drivers that there are; registry.c lists them.
 *
 * portaudio: the system's sound devices. No argument. PortAudio does not tell when another device
 * becomes the default one: a stream stays on the device that it was opened on, until that goes
 * away. Where the default is a sound server's (PipeWire, PulseAudio), the server itself moves the
 * stream.
 *
 * null: a device that does not exist: silence in, nothing out, paced by the clock. Its argument is
 * a list of knobs, KNOB or KNOB=VALUE with commas between:
 *
 *   rate=48000     native rate in Hz (1000 to 768000)
 *   period=10      frames of a callback, in ms
 *   latency=20     reported for each direction, in ms; by default what the caller asks for
 *   pace=1         times faster than the clock (decimals); 0: without waiting
 *   jitter=0       each callback is late by 0 to so many ms, at random (the same at each run)
 *   late=0         one callback a second is late by so many ms; when that is more than the latency,
 *                  it reports an overflow and an underflow
 *   drop-after=S   the device goes away after so many seconds (decimals)
 *   stall-after=S  callbacks cease after so many seconds, and nobody says so
 *   echo=DB        the microphone hears what is played, by so many dB louder (-90 to 20), once it
 * has gone through the latency of both directions; else it hears nothing refuse-rate    the device
 * takes no rate: opening fails no-device      there is no device: opening fails
 *
 * file: the input device is a recording (anything that audiofile.h reads), heard in real time and
 * followed by silence; the output device is a recording that is written until the stream is closed
 * (audiofile.h says which formats). Both run at 16 kHz and are aligned: sample n of the output was
 * heard when sample n of the input was spoken. Either may be left out. Its argument has the knobs
 * period, latency (0 by default), pace, jitter, late, drop-after and stall-after of null, and
 *
 *   force          an output file that exists is replaced
 */
#ifndef HULLO_AUDIO_DRIVERS_H
#define HULLO_AUDIO_DRIVERS_H

#include "audio/audio.h"

extern const struct audio_driver audio_portaudio;
extern const struct audio_driver audio_null;
extern const struct audio_driver audio_file;

#endif
