#include "fake/protobuf.h"

#include <string.h>

void pb_varint(struct buf *out, uint64_t n)
{
    do {
        unsigned char byte = (unsigned char)((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
        buf_add(out, &byte, 1);
        n >>= 7;
    } while (n > 0);
}

void pb_number(struct buf *out, unsigned field, uint64_t n)
{
    pb_varint(out, (uint64_t)field << 3);
    pb_varint(out, n);
}

void pb_bytes(struct buf *out, unsigned field, const void *bytes, size_t len)
{
    pb_varint(out, (uint64_t)field << 3 | 2);
    pb_varint(out, len);
    buf_add(out, bytes, len);
}

void pb_string(struct buf *out, unsigned field, const char *s)
{
    pb_bytes(out, field, s, strlen(s));
}

void pb_message(struct buf *out, unsigned field, struct buf *message)
{
    pb_bytes(out, field, message->data, message->len);
    buf_free(message);
}

void pb_float(struct buf *out, float x)
{
    unsigned char le[4];
    uint32_t bits;

    memcpy(&bits, &x, sizeof(bits));
    for (int i = 0; i < 4; i++)
        le[i] = (unsigned char)(bits >> (8 * i));
    buf_add(out, le, sizeof(le));
}
