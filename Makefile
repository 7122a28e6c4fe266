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
PYTESTS ?= tests/cli tests/peers tests/room tests/tools# folders of tests beside the unit tests
FUZZ_SECONDS ?= 60#  how long each fuzz target runs
V ?=#               1: show each command
CC ?= cc
PYTHON ?= python3
PKG_CONFIG ?= pkg-config
export CPU LOCAL MODELS PYTHON PKG_CONFIG

LOCAL := $(strip $(LOCAL))
SAN := $(strip $(SAN))
CPU := $(strip $(CPU))
MODELS := $(if $(filter 0,$(LOCAL)),0,$(strip $(MODELS)))

# Builds that must not share objects do not share a folder.
BUILD ?= build$(if $(findstring address,$(SAN)),-asan)$(if $(findstring thread,$(SAN)),-tsan)$(if \
	$(filter 0,$(LOCAL)),-nolocal)

Q = $(if $(strip $(V)),,@)
SAY = @$(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,echo)

all: # the default goal, before anything that is included

OS := $(shell uname -s)
GOALS := $(or $(MAKECMDGOALS),all)
# These goals compile nothing by themselves: they work before anything is installed.
PLAIN_GOALS = help clean test demo models deps bootstrap ci check-format check-layers check-size \
	check-man check-shell uninstall unit-sources
NEEDS_BUILD := $(filter-out $(PLAIN_GOALS),$(GOALS))

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wvla -Wundef -Wimplicit-fallthrough
PKGS = portaudio-2.0 speexdsp kissfft-float libcurl libcjson sndfile libuv libarchive libcrypto espeak-ng
# What comes without a pkg-config file.
PLAIN_LIBS = -lwslay
FLITE_LIBS = -lflite_cmu_us_slt -lflite_usenglish -lflite_cmulex -lflite

ifeq ($(OS),Darwin)
# Homebrew keeps what macOS has an older one of, and what has no pkg-config file, where nobody looks by itself.
BREW := $(shell brew --prefix 2>/dev/null)
empty :=
PKG_CONFIG_PATH := $(subst $(empty) $(empty),:,$(foreach p,curl libarchive openssl@3,$(BREW)/opt/$(p)/lib/pkgconfig) \
	$(PKG_CONFIG_PATH))
export PKG_CONFIG_PATH
CPPFLAGS += -isystem $(BREW)/include
LDFLAGS += -L$(BREW)/lib
endif
# $(shell) of older makes does not see what is exported.
FIND = PKG_CONFIG_PATH='$(PKG_CONFIG_PATH)' $(PKG_CONFIG)
ifneq ($(NEEDS_BUILD),)
# Headers of others are system headers: our warnings are about our code.
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell $(FIND) --cflags $(PKGS) 2>/dev/null))
PKG_LIBS := $(shell $(FIND) --libs $(PKGS) 2>/dev/null)
endif

HARDEN = $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) -fstack-protector-strong
CFLAGS ?= -O2 -g $(HARDEN)
ifneq ($(OS),Darwin)
CPPFLAGS += -D_GNU_SOURCE
endif
# Warnings are errors in CI, except beside sanitizers: there gcc warns of what it put in itself.
ALL_CFLAGS = -std=c17 $(CPPFLAGS) -Isrc $(WARN) $(if $(CI),$(if $(SAN),,-Werror)) -fPIE -pthread \
	-include src/util/banned.h \
	-DHULLO_VERSION='"$(VERSION)"' -DHULLO_PREFIX='"$(PREFIX)"' -DHULLO_LOCAL=$(LOCAL) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) $(PKG_CFLAGS) $(DEPS_CFLAGS) $(CFLAGS)
TEST_CFLAGS = -Itests -DHULLO_BUILD='"$(abspath $(BUILD))"' -DHULLO_SOURCE='"$(CURDIR)"'
ALL_LIBS = $(PKG_LIBS) $(DEPS_LIBS) $(FLITE_LIBS) $(PLAIN_LIBS) -lm -pthread
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
RUN_PATH = -Wl,-rpath,$(DEPS)/lib
endif

OTHER_SRCS = $(if $(filter Darwin,$(OS)),%_linux.c,%_darwin.c)
SRCS := $(filter-out $(OTHER_SRCS),$(sort $(wildcard src/*.c src/*/*.c)))
OBJS := $(SRCS:%.c=$(BUILD)/%.o)
LIB = $(BUILD)/libhullo.a
# What takes the place of a part of the program is linked by name, not found by chance.
INSTEAD := tests/fake/fake_nearend.c tests/fake/scene.c
FAKES := $(filter-out $(INSTEAD),$(sort $(wildcard tests/fake/*.c)))
FAKE_LIB = $(if $(FAKES),$(BUILD)/libfake.a)
UNIT := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(UNIT:tests/unit/%.c=$(BUILD)/tests/%)
BENCH := $(sort $(wildcard tests/bench/bench_*.c))
BENCH_BINS := $(BENCH:tests/bench/%.c=$(BUILD)/bench/%)
FUZZ := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINS := $(FUZZ:tests/fuzz/%.c=$(BUILD)/fuzz/%)
TEST_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(FAKES) $(INSTEAD) $(UNIT) $(BENCH) $(FUZZ))

all: $(BUILD)/hullo ## build the program (the default)

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  %-22s %s\n", $$1, $$2}' Makefile $(wildcard tests/room/room.mk tests/bench/bench.mk tests/peers/peers.mk)
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
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(RUN_PATH) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(ALL_LIBS) -lcmocka
$(addprefix $(BUILD)/tests/test_,duplex_barge duplex_devices callback_rt): $(BUILD)/tests/fake/fake_nearend.o
$(filter $(BUILD)/tests/test_remote%,$(UNIT_BINS)): $(BUILD)/tests/fake/scene.o
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

# The virtual room brings programs of its own; what they are, it says itself.
-include $(wildcard tests/room/room.mk tests/bench/bench.mk tests/peers/peers.mk)
TEST_PROGRAMS += $(if $(filter-out Darwin,$(OS)),$(ROOM_PLUGIN) $(if $(ROOM_PLUGIN),$(BUILD)/room/room_click))

unit: $(UNIT_BINS) ## build and run the unit tests
	@failed=; for t in $(UNIT_BINS); do $(RUN_ENV) $$t || failed="$$failed $$t"; done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

test: ## install what is missing, build, fetch the models, run every test (MODELS=0: without the big models)
	@ALSO="$$(sh deps/announce.sh $(TEST_MODELS))" && export ALSO && sh deps/bootstrap.sh install $(GROUPS_BUILD) test
	@$(MAKE) --no-print-directory run-tests

# What `make test` runs once the packages are there. The tests of the ladder want its smaller step as well.
TEST_MODELS = smollm2-135m
run-tests: $(BUILD)/hullo $(UNIT_BINS) $(TEST_PROGRAMS) $(if $(filter 0,$(MODELS)),,$(if $(filter 1,$(LOCAL)),test-models))
	@$(if $(filter 0,$(MODELS)),echo 'MODELS=0: the tests that need the big models are left out')
	@python=$$(sh deps/deps.sh venv) && HULLO=$(abspath $(BUILD)/hullo) HULLO_BUILD=$(abspath $(BUILD)) \
	BUILD=$(abspath $(BUILD)) HULLO_SHARE=$(CURDIR)/share $(RUN_ENV) $$python tests/tools/run.py --unit $(UNIT_BINS) \
		--pytest $(wildcard $(PYTESTS)) \
		--check 'layers: $(PYTHON) tests/tools/check_layers.py' \
		'size: $(PYTHON) tests/tools/check_size.py $(C_FILES)'

# The unit tests alone, with their sum: for the sanitizers.
unit-counted: $(UNIT_BINS)
	@MODELS=0 $(RUN_ENV) $(PYTHON) tests/tools/run.py --unit $(UNIT_BINS)

models: $(BUILD)/hullo ## fetch and check the models
	@HULLO_SHARE=$(CURDIR)/share $(BUILD)/hullo models pull --yes

test-models: models
	@HULLO_SHARE=$(CURDIR)/share $(BUILD)/hullo models pull --yes $(TEST_MODELS)

demo: ## install what is missing, build, fetch the models, answer a real recording
	@ALSO="$$(sh deps/announce.sh)" && export ALSO && sh deps/bootstrap.sh install $(GROUPS_BUILD)
	@$(MAKE) --no-print-directory $(BUILD)/hullo
	@HULLO=$(BUILD)/hullo HULLO_SHARE=$(CURDIR)/share sh deps/demo.sh

bench: $(BUILD)/hullo $(BENCH_BINS) $(TEST_PROGRAMS) ## measure; each benchmark prints one JSON object (tests/bench/README.md)
	@nolocal=; if [ $(LOCAL) = 1 ]; then nolocal=$(abspath $(BUILD))/nolocal; \
		$(MAKE) -s LOCAL=0 BUILD=$$nolocal all || exit 1; nolocal=$$nolocal/hullo; fi; \
	export HULLO=$(abspath $(BUILD)/hullo) HULLO_SHARE=$(CURDIR)/share HULLO_BUILD=$(abspath $(BUILD)) \
		BUILD=$(abspath $(BUILD)) HULLO_NOLOCAL=$$nolocal; \
	for b in $(filter-out %/bench_sessions,$(BENCH_BINS)); do $$b || exit 1; done; \
	for b in $(filter-out %/bench_endpoint.py %/bench_link.py,$(sort $(wildcard tests/bench/bench_*.py))); do $(PYTHON) $$b || exit 1; done

fuzz: ## fuzz each tests/fuzz/fuzz_*.c for FUZZ_SECONDS (clang)
	@sh deps/bootstrap.sh check lint
	@$(MAKE) --no-print-directory CC=clang SAN=fuzzer-no-link,address,undefined BUILD=$(BUILD)-fuzz run-fuzz
run-fuzz: $(FUZZ_BINS)
	@for t in $(FUZZ:tests/fuzz/%.c=%); do echo $$t; done | xargs -P $(JOBS) -I '{}' \
		sh tests/tools/fuzz.sh $(BUILD)/fuzz/'{}' tests/fuzz/corpus/'{}' $(FUZZ_SECONDS)

GROUPS_BUILD = build $(if $(filter 1,$(LOCAL)),local)
JOBS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# ThreadSanitizer of gcc 12 cannot place its shadow under the address randomisation of recent kernels.
RUN_ENV = $(if $(SAN),env) $(if $(findstring thread,$(SAN)),TSAN_OPTIONS=halt_on_error=1:suppressions=$(CURDIR)/tests/tools/tsan.supp \
	$(shell setarch -R true 2>/dev/null && echo setarch -R)) \
	$(if $(findstring address,$(SAN)),LSAN_OPTIONS=suppressions=$(CURDIR)/tests/tools/lsan.supp:print_suppressions=0 \
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1)

# --- gates

C_FILES = $(sort $(wildcard src/*.[ch] src/*/*.[ch] tests/*/*.[ch]))
SCRIPTS = $(sort $(wildcard deps/*.sh tests/*/*.sh .ci/run))
MAN = $(sort $(wildcard man/*.[1-8]))

check: check-layers check-format lint ## every gate: layers, format, lint

check-layers: ## includes go only right, in the order of the design
	@$(PYTHON) tests/tools/check_layers.py

check-format: ## clang-format has nothing to change
	@clang-format --dry-run -Werror $(C_FILES) && echo "format: $(words $(C_FILES)) files as clang-format writes them"

check-size: ## files, functions and their complexity within the limits
	@$(PYTHON) tests/tools/check_size.py $(C_FILES)

check-shell:
	@shellcheck $(SCRIPTS) && echo "shell: $(words $(SCRIPTS)) scripts without a complaint"

check-man:
	@for m in $(MAN); do mandoc -T lint -W warning $$m || exit 1; done; echo "manual: $(words $(MAN)) pages without a complaint"

# Each header compiles by itself.
check-headers: $(BUILD)/.flags
	@for h in $(filter src/%.h,$(C_FILES)); do printf '#include "%s"\n' "$${h#src/}" | \
		$(CC) $(ALL_CFLAGS) -fsyntax-only -x c - || { echo "$$h does not compile by itself" >&2; exit 1; }; done

check-tidy: compile_commands.json
	@printf '%s\n' $(SRCS) | xargs -P $(JOBS) -n 4 clang-tidy --quiet -p . 2>&1 | \
		{ ! grep -vE '^[0-9]+ warnings? (and [0-9]+ errors? )?generated|^Suppressed|^Use -header' ; } && \
		echo "tidy: $(words $(SRCS)) files without a finding"

lint: check-size check-shell check-man check-headers check-tidy ## static analysis, script and manual checks, size limits

compile_commands.json: FORCE ## for editors and clang-tidy
	@{ sep='['; for f in $(SRCS) $(UNIT) $(FAKES); do \
		extra=; case $$f in tests/*) extra=$(call quote,$(TEST_CFLAGS));; esac; \
		printf '%s\n{"directory": "%s", "file": "%s", "command": "%s"}' "$$sep" '$(CURDIR)' "$$f" \
			"$$(printf '%s' $(call quote,$(CC) $(ALL_CFLAGS) )"$$extra -c $$f" | sed 's/[\\"]/\\&/g')"; sep=,; \
	done; printf '\n]\n'; } > $@

# --- installing

BINDIR = $(DESTDIR)$(PREFIX)/bin
LIBDIR = $(DESTDIR)$(PREFIX)/lib/hullo
SHAREDIR = $(DESTDIR)$(PREFIX)/share/hullo
MANDIR = $(DESTDIR)$(PREFIX)/share/man
PRIVATE_LIBS = $(if $(filter 1,$(LOCAL)),$(wildcard $(DEPS)/lib/lib*.so* $(DEPS)/lib/lib*.dylib))

# The installed program looks for its libraries beside itself, not in the builder's cache.
$(BUILD)/install/hullo: $(BUILD)/hullo
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -Wl,-rpath,'$(ORIGIN)/../lib/hullo' -o $@ \
		$(BUILD)/src/main.o $(LIB) $(ALL_LIBS)

install: $(BUILD)/install/hullo ## into $(DESTDIR)$(PREFIX)
	install -d $(BINDIR) $(SHAREDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(if $(PRIVATE_LIBS),$(LIBDIR))
	install -m 755 $(BUILD)/install/hullo $(BINDIR)/hullo
	$(if $(PRIVATE_LIBS),cp -P $(PRIVATE_LIBS) $(LIBDIR)/ && cp deps/NOTICES $(LIBDIR)/)
	$(if $(wildcard share/*),cp -R $(wildcard share/*) $(SHAREDIR)/)
	$(foreach s,1 5,install -m 644 $(filter %.$s,$(MAN)) $(MANDIR)/man$s/ &&) true

uninstall: ## what install put there
	rm -f $(BINDIR)/hullo $(foreach s,1 5,$(patsubst man/%,$(MANDIR)/man$s/%,$(filter %.$s,$(MAN))))
	rm -rf $(LIBDIR) $(SHAREDIR)

deps: ## build the local engines (deps/deps.lock) into the user's cache
	@sh deps/deps.sh install

clean: ## remove the build folders; downloads and built engines stay in the user's cache
	rm -rf $(BUILD) build-asan build-tsan build-nolocal build-fuzz compile_commands.json

.PHONY: all help unit unit-counted test run-tests test-models models demo bench fuzz run-fuzz check check-layers check-format check-size \
	check-shell check-man check-headers check-tidy lint install uninstall deps clean FORCE
