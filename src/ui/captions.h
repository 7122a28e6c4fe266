/* captions - a transcript as text, JSON Lines, SubRip (.srt) or WebVTT (.vtt). Pure: segments go
 * in, bytes come out.
 *
 * SubRip and WebVTT show a segment as cues of at most two lines of 42 columns, as subtitlers do;
 * each cue has its share of the segment's time. Cues never overlap and never go back in time. What
 * means something in a format is escaped: "&", "<" and ">" in WebVTT (section 4.2.2 of its
 * specification); SubRip has no escapes, there "-->" becomes "->". */
#ifndef HULLO_UI_CAPTIONS_H
#define HULLO_UI_CAPTIONS_H

#include <stdbool.h>

#include "util/buf.h"

enum captions_format { CAPTIONS_TEXT, CAPTIONS_JSONL, CAPTIONS_SRT, CAPTIONS_VTT };

enum { CAPTIONS_COLUMNS = 42, CAPTIONS_LINES = 2 };

struct captions {
    enum captions_format format;
    unsigned count; /* cues so far */
    double to_ms;   /* end of the last one */
};

struct captions_segment {
    const char *input;     /* name of the recording, for JSON; NULL: the microphone */
    const char *text;      /* UTF-8 */
    const char *source;    /* of a translation: what was said, where that is known; else NULL */
    double from_ms, to_ms; /* since the beginning of the recording */
};

/* "text", "jsonl", "srt", "vtt"; or a file's ending. False: another one. */
bool captions_find(enum captions_format *out, const char *name);
const char *captions_ending(enum captions_format f); /* "txt", "jsonl", "srt", "vtt" */

/* What stands in front of the first segment. */
void captions_begin(struct captions *c, enum captions_format format, struct buf *out);

/* Appends a segment. One without words: nothing. */
void captions_add(struct captions *c, const struct captions_segment *s, struct buf *out);

/* What was said, where nobody knows which translation belongs to it: for JSON only. */
void captions_add_source(struct captions *c, const struct captions_segment *s, struct buf *out);

/* The last line of JSON for an input: how it went; nothing in other formats. error may be NULL. */
void captions_end(const struct captions *c, const char *input, const char *status,
                  const char *error, double length_ms, struct buf *out);

#endif
