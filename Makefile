# hullo - see `make help`.
SHELL = /bin/sh
CC ?= cc
BUILD ?= build
PREFIX ?= /usr/local
LOCAL ?= 1
SAN ?=
DEPS ?= $(shell sh deps/deps.sh prefix 2>/dev/null)

VERSION := 0.1.0
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
       -Wformat=2 -Wvla -Wundef -Wimplicit-fallthrough
PKGS = portaudio-2.0 speexdsp libcurl libcjson sndfile libuv libarchive libcrypto espeak-ng
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -Isrc $(WARN) $(if $(CI),-Werror) -fPIE -pthread \
	-DHULLO_VERSION='"$(VERSION)"' -DHULLO_PREFIX='"$(PREFIX)"' -DHULLO_LOCAL=$(LOCAL) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) $(PKG_CFLAGS) $(CFLAGS)
ALL_LIBS = $(PKG_LIBS) -lflite_cmu_us_slt -lflite_usenglish -lflite_cmulex -lflite -lm -pthread

ifeq ($(LOCAL),1)
ALL_CFLAGS += -I$(DEPS)/include
ALL_LIBS += -L$(DEPS)/lib -Wl,-rpath,$(DEPS)/lib -lsherpa-onnx-c-api -lllama -lggml -lggml-base
endif

OTHER_OS := $(if $(filter Darwin,$(shell uname -s)),%_linux.c,%_darwin.c)
SRCS := $(filter-out $(OTHER_OS),$(wildcard src/*.c src/*/*.c))
OBJS := $(SRCS:%.c=$(BUILD)/%.o)
LIB = $(BUILD)/libhullo.a
UNIT := $(wildcard tests/unit/test_*.c)
UNIT_BINS := $(UNIT:tests/unit/%.c=$(BUILD)/tests/%)

all: $(BUILD)/hullo

$(BUILD)/hullo: $(BUILD)/src/main.o $(LIB)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LIBS)
$(LIB): $(filter-out $(BUILD)/src/main.o,$(OBJS))
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LIBS) -lcmocka
-include $(OBJS:.o=.d)

unit: $(UNIT_BINS)
	@set -e; for t in $(UNIT_BINS); do $$t; done
.PHONY: all unit
