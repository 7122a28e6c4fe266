/* The language model: a GGUF file through libllama.
 * The memory (KV cache) keeps what it has read for as long as the conversation goes on from it: the
 * system prompt is read once, and of each turn only what is new. */
#include "local/engines.h"

#if HULLO_LOCAL

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <llama.h>

#include "local/fit.h"
#include "local/prompt.h"
#include "local/worker.h"
#include "util/buf.h"
#include "util/text.h"

enum {
    CONTEXT = 4096,
    LEAST_CONTEXT = 64,
    MOST_ANSWER = 512, /* tokens of the context kept free for an answer */
    BATCH = 256,
    LEAST_MOVED = 64,    /* tokens; fewer are sooner read than moved */
    PENALTY_WINDOW = 64, /* tokens of the answer that count as repeated */
    MOST_THREADS = 4,
    ALONE = 8, /* tokens of an answer before the voice has something to do */
};

static const float penalty = 1.1F; /* enough to end loops of the smallest models */

struct llm {
    struct llama_model *model;
    struct llama_context *context;
    const struct llama_vocab *vocab;
    const struct log *log;
    struct prompt prompt;
    llama_token *held; /* what the memory holds */
    size_t held_count, room;
    int threads;
    const struct worker_job *job; /* in hand; for the abort callback */
};

/* libllama tells a great deal; what goes wrong is worth a line. It logs in pieces: a lone "." is
 * its progress. */
static void on_log(enum ggml_log_level level, const char *text, void *user)
{
    bool trouble = level == GGML_LOG_LEVEL_WARN || level == GGML_LOG_LEVEL_ERROR;

    if (user != NULL && trouble && strlen(text) > 1)
        log_debug((const struct log *)user, "llama: %.*s", (int)strcspn(text, "\n"), text);
}

static bool on_abort(void *user)
{
    const struct llm *m = user;

    return m->job != NULL && worker_cancelled(m->job);
}

static bool on_progress(float progress, void *user)
{
    (void)progress;
    return !worker_cancelled(user);
}

/* Loading. */

static int check_file(const char *file, struct err *e)
{
    char magic[4] = {0};
    FILE *f = fopen(file, "rb");
    size_t n;

    if (f == NULL)
        return err_set(e, STATUS_NO_MODEL, -errno, "cannot open the language model '%s': %s", file,
                       strerror(errno));
    n = fread(magic, 1, sizeof magic, f);
    fclose(f);
    if (n != sizeof magic || memcmp(magic, "GGUF", 4) != 0)
        return err_set(e, STATUS_NO_MODEL, -EBADMSG,
                       "cannot use '%s' as a language model: it is not a GGUF file", file);
    return 0;
}

static int default_threads(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores < 1 ? 1 : cores > MOST_THREADS ? MOST_THREADS : (int)cores;
}

static int load_model(struct llm *m, const char *file, const struct worker_job *job, struct err *e)
{
    struct llama_model_params params = llama_model_default_params();
    int rc = check_file(file, e);

    if (rc < 0)
        return rc;
    params.progress_callback = on_progress;
    params.progress_callback_user_data = (void *)(uintptr_t)job;
    m->model = llama_model_load_from_file(file, params);
    if (m->model == NULL)
        return err_set(e, STATUS_NO_MODEL, -EBADMSG,
                       "cannot load the language model '%s': it is damaged, cut short, or of a "
                       "kind that this program does not know; -v says more",
                       file);
    m->vocab = llama_model_get_vocab(m->model);
    if (!llama_model_has_decoder(m->model) || llama_vocab_n_tokens(m->vocab) <= 0)
        return err_set(e, STATUS_NO_MODEL, -EBADMSG,
                       "cannot use '%s': it is not a language model that answers", file);
    return 0;
}

static int make_context(struct llm *m, const struct engine_config *config, struct err *e)
{
    struct llama_context_params params = llama_context_default_params();
    int trained = llama_model_n_ctx_train(m->model);
    int size = config->context > 0 ? config->context : CONTEXT;

    if (trained > 0 && size > trained)
        size = trained;
    if (size < LEAST_CONTEXT)
        size = LEAST_CONTEXT;
    params.n_ctx = (uint32_t)size;
    params.n_batch = params.n_ubatch = BATCH;
    params.n_seq_max = 1;
    params.n_threads = params.n_threads_batch = m->threads;
    params.no_perf = true;
    params.abort_callback = on_abort;
    params.abort_callback_data = m;
    m->context = llama_init_from_model(m->model, params);
    if (m->context == NULL)
        return err_set(e, STATUS_NO_MODEL, -ENOMEM,
                       "cannot use the language model '%s': there is not enough memory",
                       config->model);
    m->room = (size_t)size;
    m->held = calloc(m->room, sizeof *m->held);
    return m->held != NULL ? 0 : -ENOMEM;
}

static void llama_unload(void *self)
{
    struct llm *m = self;

    prompt_free(&m->prompt);
    if (m->context != NULL)
        llama_free(m->context);
    if (m->model != NULL)
        llama_model_free(m->model);
    free(m->held);
    free(m);
    llama_log_set(on_log, NULL); /* the log handle may go now */
}

static void name_model(const struct llm *m, char *name, size_t size)
{
    if (llama_model_meta_val_str(m->model, "general.name", name, size) <= 0)
        llama_model_desc(m->model, name, size);
    text_clean(name);
}

static int llama_load(void **self, const struct engine_config *config, const struct worker_job *job,
                      char *name, size_t size, struct err *e)
{
    struct llm *m = calloc(1, sizeof *m);
    size_t answer;
    int rc;

    *self = NULL;
    if (m == NULL)
        return -ENOMEM;
    m->log = config->log;
    m->threads = config->threads > 0 ? config->threads : default_threads();
    llama_log_set(on_log, (void *)(uintptr_t)config->log);
    llama_backend_init();
    if ((rc = load_model(m, config->model, job, e)) < 0 || (rc = make_context(m, config, e)) < 0)
        goto failed;
    answer = m->room / 4 < MOST_ANSWER ? m->room / 4 : MOST_ANSWER;
    if ((rc = prompt_init(&m->prompt, m->model, m->room - answer)) < 0)
        goto failed;
    name_model(m, name, size);
    *self = m;
    return 0;
failed:
    llama_unload(m);
    return rc;
}

/* Reading. */

static void forget_from(struct llm *m, size_t from)
{
    llama_memory_t memory = llama_get_memory(m->context);

    if (from == m->held_count && from > 0)
        return;
    /* Some kinds of memory cannot forget a part. */
    if (from == 0 || !llama_memory_seq_rm(memory, 0, (llama_pos)from, -1)) {
        llama_memory_clear(memory, false);
        from = 0;
    }
    m->held_count = from;
}

/* Makes the memory hold the beginning of the prompt, as much of it as it has read before. */
static void reuse(struct llm *m)
{
    const struct prompt *p = &m->prompt;
    llama_memory_t memory = llama_get_memory(m->context);
    struct fit_plan plan =
        fit_plan(m->held, m->held_count, p->tokens, p->count,
                 llama_memory_can_shift(memory) ? (size_t)LEAST_MOVED : SIZE_MAX);
    llama_pos from = (llama_pos)(plan.keep + plan.gap);

    forget_from(m, plan.keep + plan.gap + plan.moved);
    if (plan.moved > 0 && m->held_count > 0) {
        if (llama_memory_seq_rm(memory, 0, (llama_pos)plan.keep, from)) {
            llama_memory_seq_add(memory, 0, from, -1, -(llama_pos)plan.gap);
            m->held_count = plan.keep + plan.moved;
            memcpy(m->held, p->tokens, m->held_count * sizeof *m->held);
        } else {
            forget_from(m, plan.keep);
        }
    }
    if (llama_memory_seq_pos_max(memory, 0) + 1 != (llama_pos)m->held_count)
        forget_from(m, 0); /* a kind of memory that counts otherwise */
    log_debug(m->log, "llama: %zu tokens, %zu of them known", p->count, m->held_count);
}

/* Reads n more tokens. 0, -ECANCELED, -EIO. */
static int read_tokens(struct llm *m, const llama_token *tokens, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t some = n - at < BATCH ? n - at : BATCH;
        int rc;

        memcpy(m->held + m->held_count, tokens + at, some * sizeof *tokens);
        rc = on_abort(m) ? 2
                         : llama_decode(m->context, llama_batch_get_one(m->held + m->held_count,
                                                                        (int32_t)some));
        if (rc != 0) {
            size_t sure = m->held_count;
            m->held_count += some; /* some of it may be in there */
            forget_from(m, sure);
            return rc == 2 ? -ECANCELED : -EIO;
        }
        m->held_count += some;
        at += some;
    }
    return 0;
}

/* Writing. */

struct answer {
    struct worker_job *job;
    struct buf text; /* not yet sent: less than a character */
    bool begun;
    llama_token recent[PENALTY_WINDOW];
    size_t count; /* tokens so far */
};

/* The likeliest token, those of the answer so far a little less so. */
static llama_token pick(const struct llm *m, const struct answer *a)
{
    float *logits = llama_get_logits_ith(m->context, -1);
    llama_token best = 0, n = llama_vocab_n_tokens(m->vocab);
    size_t recent = a->count < PENALTY_WINDOW ? a->count : PENALTY_WINDOW;

    for (size_t i = 0; i < recent; i++) {
        llama_token t = a->recent[i];
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen |= a->recent[k] == t;
        if (!seen)
            logits[t] = logits[t] > 0 ? logits[t] / penalty : logits[t] * penalty;
    }
    for (llama_token t = 1; t < n; t++)
        if (logits[t] > logits[best])
            best = t;
    return best;
}

/* Sends what is whole of the text so far; an answer does not begin with white space. */
static int send_text(struct answer *a)
{
    const char *s = buf_str(&a->text);
    size_t skip = a->begun ? 0 : strspn(s, " \t\r\n"), n;
    char kept;
    int rc;

    buf_drop(&a->text, skip);
    n = text_utf8_whole(buf_str(&a->text), a->text.len);
    if (n == 0)
        return buf_failed(&a->text) ? -ENOMEM : 0;
    a->begun = true;
    kept = a->text.data[n];
    a->text.data[n] = '\0';
    rc = worker_text(a->job, a->text.data);
    a->text.data[n] = kept;
    buf_drop(&a->text, n);
    return rc;
}

static int add_token(const struct llm *m, struct answer *a, llama_token t)
{
    char piece[256];
    int32_t n = llama_token_to_piece(m->vocab, t, piece, sizeof piece, 0, false);

    a->recent[a->count++ % PENALTY_WINDOW] = t;
    for (int32_t i = 0; i < n; i++)
        if (piece[i] != '\0')
            buf_add(&a->text, &piece[i], 1);
    return send_text(a);
}

/* The first tokens are waited for, so every core writes them. After them the voice has something to
 * say and needs a core more than the rest of the answer does: that is written faster than spoken.
 */
static void share_cores(struct llm *m, size_t written)
{
    int threads = written < ALONE || m->threads == 1 ? m->threads : m->threads - 1;

    llama_set_n_threads(m->context, threads, m->threads);
}

static int answer(struct llm *m, int max_tokens, struct worker_job *job)
{
    struct answer a = {.job = job};
    int rc = 0;

    while (rc == 0 && a.count < (size_t)max_tokens && m->held_count < m->room &&
           !worker_cancelled(job)) {
        llama_token t = pick(m, &a);
        if (llama_vocab_is_eog(m->vocab, t))
            break;
        rc = add_token(m, &a, t);
        share_cores(m, a.count);
        if (rc == 0)
            rc = read_tokens(m, &t, 1);
    }
    share_cores(m, 0);
    log_debug(m->log, "llama: wrote %zu tokens%s", a.count,
              worker_cancelled(job) ? ", cancelled" : "");
    buf_free(&a.text);
    return rc;
}

static int llama_run(void *self, const struct engine_request *r, struct worker_job *job,
                     struct err *e)
{
    struct llm *m = self;
    int rc = prompt_build(&m->prompt, r->messages, r->count, r->max_tokens <= 0, e);

    if (rc < 0)
        return rc;
    m->job = job;
    reuse(m);
    rc = read_tokens(m, m->prompt.tokens + m->held_count, m->prompt.count - m->held_count);
    if (rc == 0 && r->max_tokens > 0)
        rc = answer(m, r->max_tokens, job);
    m->job = NULL;
    if (rc == -EIO)
        err_set(e, STATUS_FAILED, rc, "the language model cannot go on: libllama failed");
    return rc;
}

static const struct worker_model llama_model_ops = {
    .thread = "llama",
    .load = llama_load,
    .run = llama_run,
    .unload = llama_unload,
};

static int llama_open(struct engine **out, const struct engine_config *config, struct err *e)
{
    return worker_open(out, &llama_model_ops, config, e);
}

const struct engine_kind engine_llama = {
    .name = "llama",
    .help = "a GGUF language model, in this process",
    .open = llama_open,
};

#endif
