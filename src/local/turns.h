/* turns - the pipeline of one conversation: speech -> text -> reply -> clauses -> speech, turn
 * after turn. It owns the turns in hand (the first one is being answered, the last one heard) and
 * the memory of the conversation; the engines belong to local.c. A turn that the detector has not
 * ended yet is answered all the same, on the draft of its last piece: its events are held back
 * until the turn is confirmed, and thrown away if the user goes on. Main loop only; no function
 * here delivers an event before it returns, except the turns_on_* and turns_advance, which are
 * called from the loop. */
#ifndef HULLO_LOCAL_TURNS_H
#define HULLO_LOCAL_TURNS_H

#include "backend/backend.h"
#include "local/engine.h"
#include "local/listen.h"

struct turns;

struct turns_config {
    backend_event_fn *event;
    void *user;
    enum backend_task task; /* TRANSCRIBE: there are no replies, and what is being said is told bit
                               by bit; TRANSLATE: no turn knows of the one before */
    const char *instructions;
    const char *lead; /* what the language model is told in front of the user's words, or NULL */
    bool speak;
    int max_tokens;
};

int turns_new(struct turns **out, const struct turns_config *config); /* -ENOMEM */
void turns_free(struct turns *ts); /* after the engines were closed; NULL is fine */

/* The engines that work now; replaced when the ladder steps down. Turns are heard at once, and wait
 * with all else until `ready`. Without speech-to-text what is heard has no words, and so has what
 * another one was still at. */
void turns_engines(struct turns *ts, bool ready, struct engine *stt, struct engine *llm,
                   struct engine *tts);

void turns_on_listen(struct turns *ts, const struct listen_event *ev);
void turns_on_stt(struct turns *ts, const struct engine_event *ev);
void turns_on_llm(struct turns *ts, const struct engine_event *ev);
void turns_on_tts(struct turns *ts, const struct engine_event *ev);

/* As in backend.h. */
int turns_glance(struct turns *ts, const int16_t *x, size_t n);

int turns_text(struct turns *ts,
               const char *text); /* a turn in writing; turns_advance must follow, from the loop */
void turns_advance(struct turns *ts);
void turns_warm_up(struct turns *ts); /* lets the language model read the system prompt */

void turns_cancel(struct turns *ts); /* the reply in hand */
void turns_drop(struct turns *ts);   /* the turn being heard; its last piece may come yet */
void turns_truncate(struct turns *ts, uint32_t item, double played_ms);
const char *turns_remembered(struct turns *ts, uint32_t item); /* as in backend.h */
void turns_forget(struct turns *ts);                           /* every turn, and the memory */

/* Samples of speech that wait for speech-to-text; three turns or more waiting count as a minute
 * each. */
size_t turns_waiting(const struct turns *ts);

#endif
