#include "duplex_weights.h"

#include <stdio.h>
#include <stdlib.h>

#include "models/models.h"

int duplex_weights(struct vad_weights **out, const char *file, struct err *e)
{
    struct log log = {.level = LOG_WARN, .to = stderr};
    struct models *models;
    char *path = NULL;
    int ret;

    *out = NULL;
    if (file != NULL)
        return vad_weights_load(out, file, e);
    ret = models_open(&models, &log, e);
    if (ret < 0)
        return ret;
    ret = models_path(models, "silero-vad", "silero_vad_16k_op15.onnx", &path, e);
    if (ret == 0)
        ret = vad_weights_load(out, path, e);
    free(path);
    models_close(models);
    return ret;
}
