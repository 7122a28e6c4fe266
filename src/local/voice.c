#include "local/voice.h"

#include <errno.h>

#include "local/clause.h"

int voice_run(void *self, const struct engine_request *r, struct worker_job *job, voice_say *say,
              struct err *e)
{
    struct clause c = CLAUSE_INIT;
    struct buf part = BUF_INIT;
    int rc = 0;

    c.started = true; /* no early clause: whoever asks has cut the text for speed already */
    clause_add(&c, r->text != NULL ? r->text : "");
    while (rc >= 0 && !worker_cancelled(job) && clause_next(&c, true, &part))
        rc = say(self, buf_str(&part), job, e);
    if (rc >= 0 && (buf_failed(&c.text) || buf_failed(&part)))
        rc = err_set(e, STATUS_FAILED, -ENOMEM, "cannot speak: out of memory");
    clause_free(&c);
    buf_free(&part);
    return rc;
}
