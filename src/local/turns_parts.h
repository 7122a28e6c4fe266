/* turns_parts - what turns.c (which turn is at which step), turns_hear.c (speech to words) and
 * turns_reply.c (words to a reply, in text and in speech) share. Nobody else includes it. */
#ifndef HULLO_LOCAL_TURNS_PARTS_H
#define HULLO_LOCAL_TURNS_PARTS_H

#include "local/clause.h"
#include "local/held.h"
#include "local/memory.h"
#include "local/turns.h"
#include "util/buf.h"

/* A clause on its way through the voice. */
struct saying {
    struct saying *next;
    uint32_t id; /* of the request */
};

struct turn_in_hand {
    struct turn_in_hand *next;
    uint32_t item; /* of the reply */

    struct buf heard;   /* final pieces */
    struct buf draft;   /* the piece that may be taken back */
    uint32_t draft_id;  /* its request, 0: none is out */
    unsigned decoding;  /* requests to speech-to-text without an answer */
    uint64_t at, until; /* where it was */

    bool closed;    /* the end of the turn is decided */
    bool committed; /* ... by the caller */
    bool answering; /* HEARD was told, and the language model asked */
    bool cancelled;
    bool dead;   /* forgotten: tells nothing any more, and goes with the next turns_advance */
    bool worded; /* a REPLY_DONE is owed */
    size_t mark; /* of the memory, before this turn */

    uint32_t llm_id; /* 0: nothing is asked, or all of it came */
    struct clause clause;
    struct saying *sayings, **last_saying;
    double speech_ms; /* so far */
    int64_t end_ns, heard_ns, token_ns, clause_ns, audio_ns;

    struct held_list held; /* until the turn is confirmed */
};

/* Which turn a request to speech-to-text belongs to. */
struct decode {
    struct decode *next;
    uint32_t id;
    size_t samples;
    struct turn_in_hand *turn; /* NULL: dropped */
    bool glance;               /* or of no turn */
    bool part;                 /* only to be shown: the turn does not wait for it */
};

struct turns {
    struct turns_config config;
    struct engine *stt, *llm, *tts;
    bool ready;
    struct memory *memory;
    struct turn_in_hand *first, **last;
    struct turn_in_hand *hearing; /* the one that pieces go to, or NULL */
    struct decode *decodes, **last_decode;
    size_t decoding_samples;
    uint32_t next_id, next_item;
};

/* --- turns.c */

void turns_report(struct turns *ts, enum status status, int code, const char *text);
void turns_out_of_memory(struct turns *ts);

/* Tells an event of the turn, or holds it back until the turn is confirmed. */
void turns_emit(struct turns *ts, struct turn_in_hand *t, struct backend_event ev);
void turns_tell_held(struct turns *ts, struct turn_in_hand *t); /* it is */

struct turn_in_hand *turns_add(struct turns *ts); /* NULL: out of memory */

void turns_remove(struct turns *ts, struct turn_in_hand *t); /* frees it */

/* --- turns_hear.c */

void turns_add_words(struct buf *b, const char *text);

/* The user went on after all: the answer to the draft never was. */
void turns_take_back(struct turns *ts, struct turn_in_hand *t);
void turns_decode_done(struct turns *ts); /* the first one */

/* --- turns_reply.c */

/* Remembers the words and asks for a reply to them. */
void turns_ask(struct turns *ts, struct turn_in_hand *t, const char *words);

/* Stops what the engines do for this turn; answers that still come are not known any more. */
void turns_stop_answering(struct turns *ts, struct turn_in_hand *t);
void turns_free_sayings(struct turn_in_hand *t);

#endif
