/* endpoint - addresses of an OpenAI-compatible server. Pure; any thread. */
#ifndef HULLO_NET_ENDPOINT_H
#define HULLO_NET_ENDPOINT_H

/* The address of an endpoint ("models") from what a user wrote as the server's: http://host:port,
 * .../v1, or the whole address of an endpoint. malloc'd; NULL when out of memory. */
char *endpoint_url(const char *base, const char *endpoint);

#endif
