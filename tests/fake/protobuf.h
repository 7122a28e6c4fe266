/* protobuf - writes Protocol Buffers' wire format, field after field, also where no one would. */
#ifndef HULLO_TESTS_FAKE_PROTOBUF_H
#define HULLO_TESTS_FAKE_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

void pb_varint(struct buf *out, uint64_t n); /* bare, without a field */
void pb_number(struct buf *out, unsigned field, uint64_t n);
void pb_bytes(struct buf *out, unsigned field, const void *bytes, size_t len);
void pb_string(struct buf *out, unsigned field, const char *s);
void pb_message(struct buf *out, unsigned field, struct buf *message); /* and frees it */
void pb_float(struct buf *out, float x);                               /* bare, little-endian */

#endif
