/* room_knobs - what the virtual room is told: a file of key=value lines, named in ROOM_KNOBS.
 * README.md lists the keys. An unknown key or a bad value is an error, so that no test passes
 * because of a slip of the pen. */
#ifndef ROOM_KNOBS_H
#define ROOM_KNOBS_H

#include <stddef.h>
#include <stdint.h>

#define ROOM_USERS  64
#define ROOM_ECHOES 64
#define ROOM_TIMES  64
#define ROOM_PATH   1024

enum room_when {
    ROOM_AT,      /* ms since the room opened */
    ROOM_SOUND,   /* ms after the speaker's first sound since the last user audio ended */
    ROOM_SILENCE, /* ms after the speaker, having sounded, fell silent */
};

struct room_user { /* something that the user says */
    enum room_when when;
    int ms;
    float gain_db;
    char file[ROOM_PATH]; /* WAV, 16 bit */
};

struct room_echo { /* the way from the speaker to the microphone, from at_ms on */
    int at_ms, delay_ms, t60_ms;
    float gain_db;
    uint64_t seed;
    uint64_t base; /* with share > 0: this much of the room of that seed, the rest of seed's */
    float share;   /* 0..1, as an amplitude */
};

struct room_times { /* rising, in ms */
    int n, ms[ROOM_TIMES];
};

enum { ROOM_CAPTURE, ROOM_PLAYBACK };

struct room_knobs {
    int rate_hz;
    int channels_min[2], channels_max[2]; /* by direction */
    int period_min, period_max;           /* frames */
    int buffer_min, buffer_max;
    struct room_times refused_rates; /* hz */
    int busy[2];                     /* opening fails: EBUSY */
    struct room_user user[ROOM_USERS];
    int users;
    struct room_echo echo[ROOM_ECHOES];
    int echoes;
    float drive, clip_db; /* of the loudspeaker; drive 0: linear */
    float noise_db;       /* RMS, full scale; below -150: none */
    uint64_t noise_seed;
    double drift_ppm;                 /* the speaker's clock against the microphone's */
    struct room_times xruns[2];       /* by direction */
    int lost_ms, back_ms, lost_error; /* -1: never */
    int stall_ms, stall_for_ms;       /* -1: never */
    int capture_silence;
    int sound_level; /* |sample| from which the speaker counts as sounding */
    char record[ROOM_PATH], events[ROOM_PATH];
};

void room_knobs_default(struct room_knobs *k);
/* Reads one line into k; comments and empty lines are fine. 0, or -EINVAL with the reason in why.
 */
int room_knobs_line(struct room_knobs *k, const char *line, char *why, size_t size);
/* The defaults and then the file; NULL is no file. 0, or a negative errno with the reason. */
int room_knobs_load(struct room_knobs *k, const char *file, char *why, size_t size);

#endif
