# hullo - build, test and install. `make help` lists what there is.
SHELL = /bin/sh
VERSION := 0.1.0

# Switches, on the command line or in the environment.
PREFIX ?= /usr/local
DESTDIR ?=
LOCAL ?= 1#         0: no local engines, packages of the distribution only
SAN ?=#             address,undefined or thread: sanitizers, in a build folder of their own
CPU ?= native#      portable: local engines that run on any CPU of this architecture
MODELS ?= 1#        0: leave out the tests that need the big models
FUZZ_SECONDS ?= 60
V ?=#               1: show each command
CC ?= cc
PYTHON ?= python3
PKG_CONFIG ?= pkg-config
export CPU LOCAL MODELS PYTHON PKG_CONFIG

LOCAL := $(strip $(LOCAL))
SAN := $(strip $(SAN))
CPU := $(strip $(CPU))
MODELS := $(strip $(MODELS))

# Builds that must not share objects do not share a folder.
BUILD ?= build$(if $(findstring address,$(SAN)),-asan)$(if $(findstring thread,$(SAN)),-tsan)$(if \
	$(filter 0,$(LOCAL)),-nolocal)

Q = $(if $(strip $(V)),,@)
SAY = @$(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,echo)

OS := $(shell uname -s)
GOALS := $(or $(MAKECMDGOALS),all)
# These goals compile nothing by themselves: they work before anything is installed.
PLAIN_GOALS = help clean test demo models deps bootstrap ci check-format check-layers check-size \
	check-man check-shell uninstall unit-sources
NEEDS_BUILD := $(filter-out $(PLAIN_GOALS),$(GOALS))

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wvla -Wundef -Wimplicit-fallthrough
PKGS = portaudio-2.0 speexdsp libcurl libcjson sndfile libuv libarchive libcrypto
LOCAL_PKGS = espeak-ng
FLITE_LIBS = -lflite_cmu_us_slt -lflite_usenglish -lflite_cmulex -lflite

ifneq ($(NEEDS_BUILD),)
ALL_PKGS := $(PKGS) $(if $(filter 1,$(LOCAL)),$(LOCAL_PKGS))
# Headers of others are system headers: our warnings are about our code.
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(ALL_PKGS) 2>/dev/null))
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(ALL_PKGS) 2>/dev/null)
endif

HARDEN = $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) -fstack-protector-strong
CFLAGS ?= -O2 -g $(HARDEN)
ifneq ($(OS),Darwin)
CPPFLAGS += -D_GNU_SOURCE
endif
ALL_CFLAGS = -std=c17 $(CPPFLAGS) -Isrc $(WARN) $(if $(CI),-Werror) -fPIE -pthread \
	-include src/util/banned.h \
	-DHULLO_VERSION='"$(VERSION)"' -DHULLO_PREFIX='"$(PREFIX)"' -DHULLO_LOCAL=$(LOCAL) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) $(PKG_CFLAGS) $(DEPS_CFLAGS) $(CFLAGS)
TEST_CFLAGS = -Itests -DHULLO_BUILD='"$(abspath $(BUILD))"' -DHULLO_SOURCE='"$(CURDIR)"'
ALL_LIBS = $(PKG_LIBS) $(DEPS_LIBS) -lm -pthread
ORIGIN = $(if $(filter Darwin,$(OS)),@executable_path,$$ORIGIN)

# The local engines: deps/deps.sh builds them once for this user; an explicit DEPS= is used as it is.
ifeq ($(LOCAL),1)
ifeq ($(origin DEPS),undefined)
ifneq ($(NEEDS_BUILD),)
DEPS := $(shell sh deps/deps.sh prefix)
ifneq ($(DEPS),)
include $(DEPS)/flags.mk
$(DEPS)/flags.mk: | $(BUILD)/.packages
	@sh deps/deps.sh install
endif
endif
endif
DEPS_CFLAGS ?= -isystem $(DEPS)/include
DEPS_LIBS ?= -L$(DEPS)/lib -lsherpa-onnx-c-api -lllama -lggml -lggml-base
DEPS_LIBS += $(FLITE_LIBS)
RUN_PATH = -Wl,-rpath,$(DEPS)/lib
endif

OTHER_SRCS = $(if $(filter Darwin,$(OS)),%_linux.c,%_darwin.c) $(if $(filter 0,$(LOCAL)),src/local/%)
SRCS := $(filter-out $(OTHER_SRCS),$(sort $(wildcard src/*.c src/*/*.c)))
OBJS := $(SRCS:%.c=$(BUILD)/%.o)
LIB = $(BUILD)/libhullo.a
FAKES := $(sort $(wildcard tests/fake/*.c))
FAKE_LIB = $(if $(FAKES),$(BUILD)/libfake.a)
UNIT := $(sort $(wildcard tests/unit/test_*.c))
ifeq ($(LOCAL),0)
UNIT := $(filter-out $(shell grep -l '"local/' $(UNIT) /dev/null),$(UNIT))
FAKES := $(filter-out $(shell grep -l '"local/' $(FAKES) /dev/null),$(FAKES))
endif
UNIT_BINS := $(UNIT:tests/unit/%.c=$(BUILD)/tests/%)
BENCH := $(sort $(wildcard tests/bench/bench_*.c))
BENCH_BINS := $(BENCH:tests/bench/%.c=$(BUILD)/bench/%)
FUZZ := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINS := $(FUZZ:tests/fuzz/%.c=$(BUILD)/fuzz/%)
TEST_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(FAKES) $(UNIT) $(BENCH) $(FUZZ))

all: $(BUILD)/hullo ## build the program (the default)

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  %-22s %s\n", $$1, $$2}' Makefile $(wildcard tests/room/room.mk)
	@awk '/^[A-Z_]+ [?]=#?.*# /{split($$0, part, /# +/); sub(/ [?]=/, "=", part[1]); \
		sub(/= /, "=", part[1]); printf "  %-22s %s\n", part[1], part[2]}' Makefile

# --- compiling and linking

$(BUILD)/hullo: $(BUILD)/src/main.o $(LIB)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(RUN_PATH) -o $@ $(filter %.o %.a,$^) $(ALL_LIBS)
$(LIB): $(filter-out $(BUILD)/src/main.o,$(OBJS))
	@rm -f $@
	@$(AR) rcs $@ $^
$(BUILD)/libfake.a: $(FAKES:%.c=$(BUILD)/%.o)
	@rm -f $@
	@$(AR) rcs $@ $^
$(BUILD)/src/%.o: src/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(SAY) '  CC    $<'
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/tests/%.o: tests/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(SAY) '  CC    $<'
	$(Q)$(CC) $(ALL_CFLAGS) $(TEST_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(FAKE_LIB) $(LIB)
	@mkdir -p $(@D)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(RUN_PATH) -o $@ $(filter %.o %.a,$^) $(ALL_LIBS) -lcmocka
$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(FAKE_LIB) $(LIB)
	@mkdir -p $(@D)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(RUN_PATH) -o $@ $(filter %.o %.a,$^) $(ALL_LIBS)
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) $(RUN_PATH) -o $@ $(filter %.o %.a,$^) $(ALL_LIBS)
-include $(OBJS:.o=.d) $(TEST_OBJS:.o=.d)
.SECONDARY: $(TEST_OBJS)

# Everything is rebuilt when the compile or link command changes.
quote = '$(subst ','\'',$(1))'
COMMAND = $(CC) $(ALL_CFLAGS) $(LDFLAGS) $(RUN_PATH) $(ALL_LIBS)
$(BUILD)/.flags: FORCE | $(BUILD)/.packages
	@printf '%s\n' $(call quote,$(COMMAND)) | cmp -s - $@ || printf '%s\n' $(call quote,$(COMMAND)) > $@
# One clear message in place of a page of compiler errors. Where the check passed, it is not repeated.
$(BUILD)/.packages: deps/bootstrap.sh deps/packages
	@mkdir -p $(@D)
	@sh deps/bootstrap.sh check build $(if $(filter 1,$(LOCAL)),local)
	@touch $@

# --- testing

unit: $(UNIT_BINS) ## build and run the unit tests
	@failed=; for t in $(UNIT_BINS); do $(RUN_ENV) $$t || failed="$$failed $$t"; done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi
unit-bins: $(UNIT_BINS)

.PHONY: all help unit unit-bins FORCE
-include $(wildcard tests/room/room.mk)
