#include "cmd/checkup.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/setup.h"
#include "models/models.h"
#include "net/endpoint.h"
#include "net/http.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/path.h"

#define CONNECT_MS 3000
#define IDLE_MS    5000
#define LOOK_MS    50 /* how often *cancel is looked at meanwhile */
#define BODY_MOST  (4 << 20)

extern char **environ;

/* --- models */

struct need {
    const char *about;
    enum model_role role;
    bool local; /* this machine fills it */
};

/* The first model in the role that is here, or NULL. */
static bool find_model(const struct models *m, enum model_role role, struct model_info *out)
{
    for (size_t i = 0; i < models_count(m); i++)
        if (models_info(m, i, out) == 0 && out->role == role && out->present)
            return true;
    return false;
}

static void check_role(struct findings *f, const struct models *m, const struct need *n)
{
    struct model_info info;
    struct err e = {0};
    char *path = NULL;

    if (!find_model(m, n->role, &info)) {
        if (n->role == MODEL_TTS) {
            findings_add(f, n->about, FINDING_NOTE, "no voice is installed: a plainer one speaks");
        } else {
            findings_add(f, n->about, FINDING_TROUBLE, "no model is installed");
            findings_fail(f, STATUS_NO_MODEL);
        }
        findings_advise(f, "`hullo models pull` fetches it");
    } else if (models_path(m, info.name, NULL, &path, &e) < 0) {
        findings_add(f, n->about, FINDING_TROUBLE, "the model '%s' is damaged", info.name);
        findings_advise(f, "`hullo models pull %s` fetches it again", info.name);
        findings_fail(f, STATUS_NO_MODEL);
    } else {
        findings_add(f, n->about, FINDING_OK, "%s, on this machine", info.title);
    }
    free(path);
}

/* The language model that was named, by its name in the list or as a file of one's own. */
static void check_named(struct findings *f, const struct models *m, const struct options *o)
{
    const char *name = options_text(o, OPT_MODEL);
    struct model_info info;
    int i = name != NULL ? models_index(m, name) : -ENOENT;

    if (options_has(o, OPT_LOCAL_MODEL)) {
        if (access(options_text(o, OPT_LOCAL_MODEL), R_OK) == 0) {
            findings_add(f, "language", FINDING_OK, "a file of your own, on this machine");
            return;
        }
        findings_add(f, "language", FINDING_TROUBLE, "your own model cannot be read: %s",
                     strerror(errno));
        findings_advise(f, "see --local-model and HULLO_LOCAL_MODEL");
        findings_fail(f, STATUS_NO_MODEL);
    } else if (i < 0 || models_info(m, (size_t)i, &info) < 0 || info.role != MODEL_LLM) {
        findings_add(f, "language", FINDING_TROUBLE, "no language model '%s'", name);
        findings_advise(f, "`hullo models list` shows which there are");
        findings_fail(f, STATUS_NO_MODEL);
    } else if (!info.present) {
        findings_add(f, "language", FINDING_TROUBLE, "the model '%s' is not installed", name);
        findings_advise(f, "`hullo models pull %s` fetches it", name);
        findings_fail(f, STATUS_NO_MODEL);
    } else {
        findings_add(f, "language", FINDING_OK, "%s, on this machine", info.title);
    }
}

/* Parts of files that a fetch has left behind. */
static void check_leftovers(struct findings *f, const struct models *m)
{
    char *folder = NULL;
    DIR *dir = path_join(&folder, models_dir(m), ".parts") == 0 ? opendir(folder) : NULL;
    size_t count = 0;

    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;)
        count += d->d_name[0] != '.';
    if (count > 0) {
        findings_add(f, "models", FINDING_NOTE, "a fetch was cut off: parts of %zu files are left",
                     count);
        findings_advise(f, "`hullo models pull` goes on from there");
    }
    if (dir != NULL)
        closedir(dir);
    free(folder);
}

void checkup_models(struct findings *f, const struct app *app, bool remote)
{
    const struct options *o = app->options;
    bool here = HULLO_LOCAL && !remote;
    bool named = options_has(o, OPT_LOCAL_MODEL) || options_has(o, OPT_MODEL);
    bool llm_far = options_has(o, OPT_LLM_URL), stt_far = options_has(o, OPT_STT_URL);
    const struct need needs[] = {
        {"detector", MODEL_VAD, true},
        {"hearing", MODEL_STT, here && !stt_far},
        {"language", MODEL_LLM, here && !llm_far && !named},
        {"voice", MODEL_TTS, here},
    };
    struct models *m = NULL;
    struct err e = {0};

    if (models_open(&m, app->log, &e) < 0) {
        findings_add(f, "models", FINDING_TROUBLE, "the list of models cannot be read");
        findings_advise(f, "see HULLO_SHARE and HULLO_MODELS_MANIFEST, or install hullo again");
        findings_fail(f, e.status);
        return;
    }
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (needs[i].local)
            check_role(f, m, &needs[i]);
    if (here && named && !llm_far)
        check_named(f, m, o);
    if (!HULLO_LOCAL && !remote && (!llm_far || !stt_far)) {
        findings_add(f, "models", FINDING_TROUBLE, "this hullo was built without local engines");
        findings_advise(f, "name servers with --llm-url and --stt-url, or an endpoint with --url");
        findings_fail(f, STATUS_NO_MODEL);
    }
    check_leftovers(f, m);
    models_close(m);
}

/* --- settings */

static bool known(const char *name, size_t n)
{
    static const char *const others[] = {"HULLO_API_KEY", "HULLO_MODELS_DIR",
                                         "HULLO_MODELS_MANIFEST", "HULLO_SHARE"};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strlen(others[i]) == n && memcmp(others[i], name, n) == 0)
            return true;
    for (int id = 0; id < OPT_COUNT; id++) {
        const char *env = option_def((enum option_id)id)->env;
        if (env != NULL && strlen(env) == n && memcmp(env, name, n) == 0)
            return true;
    }
    return false;
}

static void add_name(struct buf *b, const char *name, size_t n)
{
    buf_addf(b, "%s%.*s", b->len > 0 ? ", " : "", (int)n, name);
}

static void check_variables(struct findings *f)
{
    struct buf set = BUF_INIT, strange = BUF_INIT;

    for (char **v = environ; *v != NULL; v++) {
        size_t n = strcspn(*v, "=");
        if (strncmp(*v, "HULLO_", 6) != 0 || (*v)[n] == '\0' || (*v)[n + 1] == '\0')
            continue;
        add_name(known(*v, n) ? &set : &strange, *v, n);
    }
    findings_add(f, "settings", FINDING_OK, "%s%s",
                 set.len > 0 ? "from the environment: " : "nothing from the environment",
                 buf_str(&set));
    if (strange.len > 0) {
        findings_add(f, "settings", FINDING_NOTE, "means nothing to hullo: %s", buf_str(&strange));
        findings_advise(f, "a slip of the pen? hullo(1) lists the variables");
    }
    buf_free(&set);
    buf_free(&strange);
}

/* What the configuration file says that counts here: the names only, values are the user's own. */
static void check_file(struct findings *f, const struct app *app)
{
    const char *profile = app->config != NULL ? config_profile(app->config) : NULL;
    struct buf names = BUF_INIT;

    for (int id = 0; id < OPT_COUNT; id++) {
        enum option_origin origin = options_origin(app->options, (enum option_id)id);
        if (origin == ORIGIN_FILE || origin == ORIGIN_PROFILE)
            add_name(&names, option_def((enum option_id)id)->name,
                     strlen(option_def((enum option_id)id)->name));
    }
    if (profile != NULL || names.len > 0)
        findings_add(f, "settings", FINDING_OK, "from the configuration file: %s%s%s%s",
                     buf_str(&names), names.len > 0 && profile != NULL ? "; " : "",
                     profile != NULL ? "profile " : "", profile != NULL ? profile : "");
    buf_free(&names);
}

/* Whether files can be made in the folder, or in what is there of the way to it. */
static int writable(const char *folder)
{
    char *path = strdup(folder), *slash;
    int rc = path == NULL ? -ENOMEM : 0;

    while (rc == 0 && access(path, F_OK) != 0) {
        if (errno != ENOENT || (slash = strrchr(path, '/')) == NULL)
            rc = -errno;
        else if (slash == path)
            path[1] = '\0';
        else
            *slash = '\0';
    }
    if (rc == 0 && access(path, W_OK | X_OK) != 0)
        rc = -errno;
    free(path);
    return rc;
}

static void check_folder(struct findings *f, const char *variable, const char *what, int found,
                         char *folder)
{
    const char *set = getenv(variable);
    int rc = found < 0 ? found : writable(folder);

    if (set != NULL && set[0] != '\0' && set[0] != '/') {
        findings_add(f, "folders", FINDING_NOTE, "%s is not an absolute path: it is not heeded",
                     variable);
        findings_advise(f, "give it one, or unset it");
    }
    if (rc < 0) {
        findings_add(f, "folders", FINDING_TROUBLE, "the folder for %s cannot be written to: %s",
                     what, strerror(-rc));
        findings_advise(f, "see whose it is, or name another one with %s", variable);
    } else {
        findings_add(f, "folders", FINDING_OK, "the folder for %s can be written to", what);
    }
    free(folder);
}

void checkup_settings(struct findings *f, const struct app *app)
{
    char *folder = NULL;
    const char *own = getenv("HULLO_MODELS_DIR");
    int rc;

    check_variables(f);
    check_file(f, app);
    if (own != NULL && own[0] != '\0') {
        rc = (folder = strdup(own)) != NULL ? 0 : -ENOMEM;
        check_folder(f, "HULLO_MODELS_DIR", "models", rc, folder);
    } else {
        rc = path_data(&folder, "models");
        check_folder(f, "XDG_DATA_HOME", "models", rc, folder);
    }
    rc = path_state(&folder, "rooms");
    check_folder(f, "XDG_STATE_HOME", "what is learnt about devices", rc, folder);
}

/* --- servers */

struct call {
    struct findings *f;
    uv_loop_t loop;
    uv_timer_t look;
    const atomic_int *cancel;
    struct http *http;
    const char *about;
    const char *model; /* that the server is to have, or NULL */
    char *authorization;
};

static bool lists(const cJSON *data, const char *model)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, data)
    {
        const char *id = json_str(one, "id");
        if (id != NULL && strcmp(id, model) == 0)
            return true;
    }
    return false;
}

static void read_list(struct call *c, const char *body, size_t n)
{
    cJSON *o = NULL;
    const cJSON *data = json_parse(&o, body, n) == 0 ? json_get(o, "data") : NULL;

    if (!cJSON_IsArray(data)) {
        findings_add(c->f, c->about, FINDING_TROUBLE,
                     "what answers there is no OpenAI-compatible server");
        findings_advise(c->f, "see whether its address is right");
        findings_fail(c->f, STATUS_FAILED);
    } else if (c->model != NULL && !lists(data, c->model)) {
        findings_add(c->f, c->about, FINDING_NOTE, "the server answers, but lists no model '%s'",
                     c->model);
        findings_advise(c->f, "see -m and HULLO_MODEL");
    } else {
        findings_add(c->f, c->about, FINDING_OK, "the server answers");
    }
    cJSON_Delete(o);
}

static void on_answer(void *user, int code, int http_status, const char *body, size_t n,
                      const struct err *e)
{
    struct call *c = user;

    uv_stop(&c->loop);
    if (code == 0) {
        read_list(c, body, n);
    } else if (e->status == STATUS_AUTH) {
        findings_add(c->f, c->about, FINDING_TROUBLE, "%s", e->text);
        findings_advise(c->f, "put the key that it wants into HULLO_API_KEY");
        findings_fail(c->f, STATUS_AUTH);
    } else if (http_status >= 400 && http_status < 500) {
        findings_add(c->f, c->about, FINDING_OK, "the server answers, but lists no models");
    } else if (http_status == 503) {
        findings_add(c->f, c->about, FINDING_NOTE, "the server is not ready yet");
        findings_advise(c->f, "it may be loading its model: try again in a minute");
    } else {
        findings_add(c->f, c->about, FINDING_TROUBLE, "%s", e->text);
        findings_fail(c->f, e->status);
    }
}

static void on_look(uv_timer_t *timer)
{
    struct call *c = timer->data;

    if (atomic_load(c->cancel) != 0)
        uv_stop(&c->loop);
}

static void start(struct call *c, const char *base)
{
    char *url = endpoint_url(base, "models");
    const char *headers[] = {c->authorization, NULL};
    struct http_request r = {.url = url,
                             .headers = headers,
                             .connect_ms = CONNECT_MS,
                             .idle_ms = IDLE_MS,
                             .max_bytes = BODY_MOST,
                             .done = on_answer,
                             .user = c};
    struct http_call *call;
    struct err e = {0};

    if (url == NULL) {
        findings_add(c->f, c->about, FINDING_TROUBLE, "out of memory");
    } else if (http_start(&call, c->http, &r, &e) < 0) {
        findings_add(c->f, c->about, FINDING_TROUBLE, "%s", e.text);
        findings_fail(c->f, e.status);
    } else {
        uv_timer_start(&c->look, on_look, LOOK_MS, LOOK_MS);
        uv_run(&c->loop, UV_RUN_DEFAULT);
    }
    free(url);
}

static void ask_server(struct call *c, const char *about, const char *base)
{
    c->about = about;
    if (uv_loop_init(&c->loop) < 0) {
        findings_add(c->f, about, FINDING_TROUBLE, "out of memory");
        return;
    }
    uv_timer_init(&c->loop, &c->look);
    c->look.data = c;
    if (http_new(&c->http, &c->loop) == 0)
        start(c, base);
    else
        findings_add(c->f, about, FINDING_TROUBLE, "out of memory");
    http_free(c->http);
    c->http = NULL;
    uv_close((uv_handle_t *)&c->look, NULL);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    uv_loop_close(&c->loop);
}

void checkup_servers(struct findings *f, const struct app *app, const atomic_int *cancel)
{
    const struct {
        enum option_id option;
        const char *about;
    } servers[] = {{OPT_LLM_URL, "llm-url"}, {OPT_STT_URL, "stt-url"}};
    struct call c = {.f = f, .cancel = cancel};
    struct secret *key;
    struct err e = {0};
    struct buf b = BUF_INIT;

    if (setup_key(&key, app, &e) < 0) {
        findings_add(f, "servers", FINDING_TROUBLE, "%s", e.text);
        findings_fail(f, e.status);
    } else if (key != NULL) {
        buf_addf(&b, "Authorization: Bearer %s", secret_text(key));
        c.authorization = b.data;
    }
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        if (options_has(app->options, servers[i].option) && atomic_load(cancel) == 0) {
            bool llm = servers[i].option == OPT_LLM_URL;
            c.model = llm ? options_text(app->options, OPT_MODEL) : NULL;
            ask_server(&c, servers[i].about, options_text(app->options, servers[i].option));
        }
    secret_free(key);
    buf_free(&b);
}
