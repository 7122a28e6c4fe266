#include "cmd/version.h"

#include <archive.h>
#include <cJSON.h>
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <portaudio.h>
#include <sndfile.h>
#include <uv.h>
#include <wslay/wslay.h>

void version_print(FILE *out)
{
    fprintf(out, "hullo %s (%s)\n", HULLO_VERSION,
            HULLO_LOCAL ? "with local engines" : "without local engines");
    fprintf(out, "%s\n", Pa_GetVersionInfo()->versionText);
    fprintf(out, "%s\n", sf_version_string());
    fprintf(out, "libcurl %s\n", curl_version_info(CURLVERSION_NOW)->version);
    fprintf(out, "wslay %s\n", WSLAY_VERSION);
    fprintf(out, "libuv %s\n", uv_version_string());
    fprintf(out, "cJSON %s\n", cJSON_Version());
    fprintf(out, "%s\n", archive_version_string());
    fprintf(out, "%s\n", OpenSSL_version(OPENSSL_VERSION));
    fputs("License GPL-3.0-or-later: free software, no warranty.\n", out);
}
