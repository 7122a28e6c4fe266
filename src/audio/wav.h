/* wav - the headers of WAV files: looking for lies in one that was read, making one to write.
 * Source of the format: "Multimedia Programming Interface and Data Specifications 1.0", IBM and
 * Microsoft 1991, chapter RIFF; RIFX is the same with the bytes of each number reversed;
 * RF64 (EBU Tech 3306) keeps 64-bit sizes in a first chunk "ds64". Any thread. */
#ifndef HULLO_AUDIO_WAV_H
#define HULLO_AUDIO_WAV_H

#include <stdbool.h>
#include <stdint.h>

#include "audio/audiosource.h"

enum wav_length {
    WAV_TRUE,     /* the data chunk lies within the file */
    WAV_NO_DATA,  /* there is no data chunk, or nothing in it */
    WAV_CUT,      /* the header promises more than there is */
    WAV_STREAMED, /* the header has a placeholder, as writers to a pipe leave it */
};

struct wav_info {
    bool has_format; /* the next three were found */
    unsigned channels;
    uint32_t rate_hz, bytes_per_second;

    enum wav_length length;
    uint64_t claimed; /* bytes of data as the header says */
    uint64_t there;   /* bytes of data as the file has them */

    off_t size_at;              /* where the header keeps the size of the data */
    size_t size_bytes;          /* 4, or 8 in RF64 */
    unsigned char true_size[8]; /* what it should say there */
};

/* Walks the chunks up to the data. Never fails: a header that makes no sense has no data. */
void wav_scan(struct wav_info *out, const struct audiosource *s);

#define WAV_HEADER_BYTES  44
#define WAV_UNKNOWN_BYTES UINT64_MAX

/* The header of mono signed 16-bit samples. data_bytes: WAV_UNKNOWN_BYTES, or more than a WAV can
 * count, gives a header without a length, which readers of streams know how to take. */
void wav_header(unsigned char out[WAV_HEADER_BYTES], int rate_hz, uint64_t data_bytes);

#endif
