# lpm's build: one Makefile for one output folder. "make help" lists the targets.
# Needs GNU make. From a fresh checkout each target does what is missing first: packages
# (auto/deps), configure, compile.

BUILD ?= build

MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/sh
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# All processors, unless the caller chose; a make within make shares what its caller has.
ifeq ($(MAKELEVEL)$(filter -j% --jobserver%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif

# V=1 shows the commands.
ifeq ($(V),1)
Q :=
say = :
else
Q := @
say = printf '%-8s %s\n'
endif

.PHONY: all run test bench install clean help check check-unit check-abi check-system check-static
.PHONY: check-model check-peer check-valgrind soak fuzz test-programs tidy cppcheck format deps-test FORCE

help:
	@echo 'make                 build lpm and its modules in $(BUILD)/'
	@echo 'make run             build, then serve conf/lpm.conf in the foreground'
	@echo 'make test            every test, over a plain and over a sanitizer build'
	@echo 'make bench           build, then measure lpm beside its peers (BENCH="PART ...": not all; BENCH_RUNS=5)'
	@echo 'make soak            reloads, upgrades and faults under load, for minutes (SOAK=N: so many, 100)'
	@echo 'make install         put lpm under the prefix of configure (DESTDIR is honoured)'
	@echo 'make clean           remove $(BUILD)/'
	@echo
	@echo 'make check           every test, over the present build only'
	@echo 'make check-unit      unit tests           make check-abi     module ABI tests'
	@echo 'make check-system    whole-server tests   make check-static  tests of the sources'
	@echo 'make check-model     the protocols of shared memory, proved with spin'
	@echo 'make fuzz            the bus beside a worker that libFuzzer plays: FUZZ_SECONDS=60'
	@echo 'make check-peer      the npm package load-process-manager and lpm in the same scenario'
	@echo 'make check-valgrind  unit tests under valgrind'
	@echo 'make tidy            clang-tidy           make cppcheck      cppcheck'
	@echo 'make format          clang-format, in place'
	@echo
	@echo 'BUILD=DIR  another output folder     V=1  show commands     WERROR=1  warnings are errors'
	@echo 'CONFIGURE_ARGS="..."  for the first configure: see ./configure --help'

clean:
	rm -rf '$(BUILD)'

# ---------------------------------------------------------------------------------------------
# Configuration

ifneq ($(filter-out help clean format,$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/config.mk
endif

$(BUILD)/config.mk: $(BUILD)/.configured ;

$(BUILD)/.configured: configure $(filter-out auto/deps auto/packages auto/test,$(wildcard auto/*))
	@auto/deps build
	@auto/deps names || echo "lpm is built without it: its crash reports do not name functions"
	@if [ -f $(BUILD)/reconfigure ]; then sh $(BUILD)/reconfigure; \
	else ./configure --build=$(BUILD) $(CONFIGURE_ARGS); fi

# ---------------------------------------------------------------------------------------------
# Flags

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wpointer-arith -Wvla -Wformat=2 -Wundef
C_WARNINGS := $(WARNINGS) -Wstrict-prototypes -Wmissing-prototypes
ifeq ($(WERROR),1)
WARNINGS += -Werror
C_WARNINGS += -Werror
endif

SOURCE_DIR := $(CURDIR)
BUILD_DIR := $(abspath $(BUILD))

COMMON_FLAGS = $(BASE_CFLAGS) $(C_WARNINGS) $(OPT_CFLAGS)
# The core knows the whole of the ABI; a module says itself which minor version it needs.
CORE_FLAGS   = $(COMMON_FLAGS) -DLPM_NEEDS=LPM_ABI_MINOR -fPIE -Icore -Iinclude -I$(BUILD)
MODULE_FLAGS = $(COMMON_FLAGS) -fPIC -fvisibility=hidden -Iinclude
TEST_DEFINES = -DLPM_BUILD_DIR='"$(BUILD_DIR)"' -DLPM_SOURCE_DIR='"$(SOURCE_DIR)"'
TEST_FLAGS   = $(CORE_FLAGS) -Imodules -Itests/lib $(TEST_DEFINES)
CXX_COMMON   = -std=c++17 -D_GNU_SOURCE $(WARNINGS) $(OPT_CFLAGS) -Iinclude
CXX_FLAGS    = $(CXX_COMMON) -fPIE $(TEST_DEFINES)
CXX_MODULE_FLAGS = $(CXX_COMMON) -fPIC -fvisibility=hidden
LINK_FLAGS   = $(OPT_CFLAGS) $(OPT_LDFLAGS) -pie
LINK_MODULE  = $(OPT_CFLAGS) $(OPT_LDFLAGS) -shared $(MODULE_LDFLAGS)

CORE_LIBS = $(LIBS_LIBEVENT) $(LIBS_JANSSON) $(LIBS_DLOPEN) $(LIBS_LIBDW)

# What was built with other flags, or from other files, is built again.
FLAGS_TEXT   = $(CC) $(CXX) $(CORE_FLAGS) $(MODULE_FLAGS) $(TEST_FLAGS) $(LINK_FLAGS) $(LINK_MODULE) $(foreach module,$(MODULES),$(CFLAGS_$(module)))
SOURCES_TEXT = $(sort $(wildcard core/*/*.c modules/*/*.c tests/lib/*.c tests/modules/*/*.c))

$(BUILD)/.flags: FORCE
	@mkdir -p $(@D)
	$(file >$@.new,$(FLAGS_TEXT))
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/.sources: FORCE
	@mkdir -p $(@D)
	$(file >$@.new,$(SOURCES_TEXT))
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# ---------------------------------------------------------------------------------------------
# Compiling and linking, as macros: $(call compile,FLAGS), $(call link,FLAGS,LIBS)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

define compile
	@mkdir -p $(@D)
	@$(say) CC $<
	$(Q)$(CC) $(1) -MMD -MP -c -o $@ $<
endef

define link
	@mkdir -p $(@D)
	@$(say) LINK $@
	$(Q)$(CC) $(1) -o $@ $(filter %.o %.a,$^) $(2)
endef

define archive
	@mkdir -p $(@D)
	@$(say) AR $@
	$(Q)rm -f $@; $(AR) qcs $@ $(filter %.o,$^)
endef

$(BUILD)/obj/core/%.o: core/%.c $(BUILD)/.flags
	$(call compile,$(CORE_FLAGS))

$(BUILD)/obj/modules/%.o: modules/%.c $(BUILD)/.flags
	$(call compile,$(MODULE_FLAGS) $(CFLAGS_$(firstword $(subst /, ,$*))))

$(BUILD)/obj/modules/%.o: modules/%.cc $(BUILD)/.flags
	@mkdir -p $(@D)
	@$(say) CXX $<
	$(Q)$(CXX) $(CXX_MODULE_FLAGS) -MMD -MP -c -o $@ $<

# Modules that exist for tests only.
$(BUILD)/obj/tests/modules/%.o: tests/modules/%.c $(BUILD)/.flags
	$(call compile,$(MODULE_FLAGS))

$(BUILD)/obj/tests/abi/bad/%.o: tests/abi/bad/%.c $(BUILD)/.flags
	$(call compile,$(MODULE_FLAGS))

$(BUILD)/obj/tests/%.o: tests/%.c $(BUILD)/.flags | deps-test
	$(call compile,$(TEST_FLAGS))

$(BUILD)/obj/tests/%.o: tests/%.cc $(BUILD)/.flags | deps-test
	@mkdir -p $(@D)
	@$(say) CXX $<
	$(Q)$(CXX) $(CXX_FLAGS) -MMD -MP -c -o $@ $<

deps-test:
	@auto/deps test

# ---------------------------------------------------------------------------------------------
# lpm and lpmctl

MAIN_SOURCES := $(wildcard core/main/*.c)
CTL_MAIN     := $(wildcard core/ctl/ctl_main.c)
CORE_SOURCES := $(filter-out $(MAIN_SOURCES) $(CTL_MAIN),$(wildcard core/*/*.c))

LPM      := $(if $(MAIN_SOURCES),$(BUILD)/lpm)
LPMCTL   := $(if $(CTL_MAIN),$(BUILD)/lpmctl)
CORE_LIB := $(BUILD)/liblpm_core.a

$(CORE_LIB): $(call objects,$(CORE_SOURCES)) $(BUILD)/.sources
	$(archive)

$(BUILD)/lpm: $(call objects,$(MAIN_SOURCES)) $(CORE_LIB) $(BUILD)/.sources
	$(call link,$(LINK_FLAGS),$(CORE_LIBS))

$(BUILD)/lpmctl: $(call objects,$(CTL_MAIN)) $(CORE_LIB)
	$(call link,$(LINK_FLAGS),$(CORE_LIBS))

# ---------------------------------------------------------------------------------------------
# Modules: modules/<name>/*.c make one lpm_<name>.so; in modules/examples each .c or .cc makes one.
# modules/<name>/module.mk may set LIBS_<name> and CFLAGS_<name>.

MODULES  := $(filter-out examples,$(sort $(patsubst modules/%/,%,$(dir $(wildcard modules/*/*.c)))))
CXX_EXAMPLES := $(patsubst modules/examples/%.cc,%,$(wildcard modules/examples/*.cc))
EXAMPLES := $(patsubst modules/examples/%.c,%,$(wildcard modules/examples/*.c)) $(CXX_EXAMPLES)

-include $(wildcard modules/*/module.mk)

module_so = $(patsubst %,$(BUILD)/modules/lpm_%.so,$(1))

# $(1): the module's name
define module_rules
$(BUILD)/modules/lpm_$(1).so: $(call objects,$(wildcard modules/$(1)/*.c)) $(BUILD)/.sources
	$$(call link,$$(LINK_MODULE),$$(LIBS_$(1)))

$(BUILD)/lib/lib_$(1).a: $(call objects,$(wildcard modules/$(1)/*.c)) $(BUILD)/.sources
	$$(archive)
endef
$(foreach module,$(MODULES),$(eval $(call module_rules,$(module))))

$(call module_so,$(EXAMPLES)): $(BUILD)/modules/lpm_%.so: $(BUILD)/obj/modules/examples/%.o
	$(call link,$(LINK_MODULE),$(LIBS_$*))

# Those of C++ are linked by its compiler.
$(call module_so,$(CXX_EXAMPLES)): CC = $(CXX)

all: $(LPM) $(LPMCTL) $(CORE_LIB) $(call module_so,$(MODULES) $(EXAMPLES))

# ---------------------------------------------------------------------------------------------
# Tests. tests/<kind>/test_*.c make one program each, linked with tests/lib, the core and cmocka.
# tests/unit/test_<module>*.c are linked with that module's objects too.

KINDS := unit abi fuzz model system

TEST_LIB  := $(BUILD)/lib/libtest.a
TEST_LIBS  = $(LIBS_CMOCKA) $(CORE_LIBS)

test_names    = $(basename $(notdir $(wildcard tests/$(1)/test_*.c tests/$(1)/test_*.cc)))
test_programs = $(patsubst %,$(BUILD)/tests/$(1)/%,$(call test_names,$(1)))
test_modules  = $(foreach module,$(MODULES),$(if $(filter test_$(module) test_$(module)_%,$(1)),$(module)))

BAD_MODULES  := $(patsubst tests/abi/bad/%.c,$(BUILD)/tests/abi/%.so,$(wildcard tests/abi/bad/*.c))
TEST_MODULE_NAMES := $(sort $(basename $(notdir $(wildcard tests/modules/*.c))) \
    $(notdir $(patsubst %/,%,$(dir $(wildcard tests/modules/*/*.c)))))
TEST_MODULES := $(patsubst %,$(BUILD)/tests/modules/%.so,$(TEST_MODULE_NAMES))

$(TEST_LIB): $(call objects,$(wildcard tests/lib/*.c)) $(BUILD)/.sources
	$(archive)

$(BAD_MODULES): $(BUILD)/tests/abi/%.so: $(BUILD)/obj/tests/abi/bad/%.o
	$(call link,$(LINK_MODULE))

# Its fault is one that the linker would find first.
$(BUILD)/tests/abi/unresolved.so: MODULE_LDFLAGS =

# Each is one file, or all those of a folder. May set LIBS_<name>.
-include $(wildcard tests/modules/*.mk)

define test_module_rule
$(BUILD)/tests/modules/$(1).so: $(call objects,$(wildcard tests/modules/$(1).c tests/modules/$(1)/*.c)) $(BUILD)/.sources
	$$(call link,$$(LINK_MODULE),$$(LIBS_$(1)))
endef
$(foreach module,$(TEST_MODULE_NAMES),$(eval $(call test_module_rule,$(module))))

# $(1): kind; $(2): the program's name. The archives stand in the order that the linker needs.
define test_rules
$(BUILD)/tests/$(1)/$(2): $(BUILD)/obj/tests/$(1)/$(2).o \
    $(patsubst %,$(BUILD)/lib/lib_%.a,$(call test_modules,$(2))) $(TEST_LIB) $(CORE_LIB)
	$$(call link,$$(LINK_FLAGS),$(foreach module,$(call test_modules,$(2)),$$(LIBS_$(module))) $$(TEST_LIBS))
endef
$(foreach kind,$(KINDS),$(foreach name,$(call test_names,$(kind)),$(eval $(call test_rules,$(kind),$(name)))))

# Those of C++ are linked by its compiler.
CXX_PROGRAMS := $(foreach kind,$(KINDS),\
    $(patsubst tests/%.cc,$(BUILD)/tests/%,$(wildcard tests/$(kind)/test_*.cc)))
$(CXX_PROGRAMS): CC = $(CXX)

FAST_PROGRAMS   := $(foreach kind,$(filter-out system,$(KINDS)),$(call test_programs,$(kind)))
SYSTEM_PROGRAMS := $(call test_programs,system)
STATIC_TESTS    := $(wildcard tests/static/*.sh)
MODEL_TESTS     := $(wildcard tests/model/*.sh)

test-programs: all $(FAST_PROGRAMS) $(SYSTEM_PROGRAMS) $(BAD_MODULES) $(TEST_MODULES)

RUN_TESTS = CC='$(CC)' CXX='$(CXX)' auto/test -b $(BUILD)

check: test-programs
	@$(RUN_TESTS) $(STATIC_TESTS) $(MODEL_TESTS) $(FAST_PROGRAMS) -s $(SYSTEM_PROGRAMS)

check-unit: $(call test_programs,unit) $(call module_so,$(MODULES)) $(TEST_MODULES)
	@$(RUN_TESTS) $(call test_programs,unit)

check-abi: $(call test_programs,abi) $(call module_so,$(MODULES)) $(BAD_MODULES) $(TEST_MODULES)
	@$(RUN_TESTS) $(call test_programs,abi)

check-system: all $(SYSTEM_PROGRAMS) $(BAD_MODULES) $(TEST_MODULES)
	@$(RUN_TESTS) -s $(SYSTEM_PROGRAMS)

check-static:
	@$(RUN_TESTS) $(STATIC_TESTS)

check-model: deps-test
	@$(RUN_TESTS) $(MODEL_TESTS)

# The ring of the channel between threads, a hundred million messages under ThreadSanitizer, which knows no fences: gcc says
# so, and tests/model is for them.
STRESS         := $(BUILD)/soak/test_ring_stress
STRESS_SOURCES := tests/unit/test_ring_stress.c core/ipc/ring.c core/ipc/arena.c core/ipc/bell.c core/base/fd.c
STRESS_FLAGS    = -O2 -g -fsanitize=thread $(if $(findstring clang,$(CC)),,-Wno-tsan)
LPM_STRESS_MESSAGES ?= 100000000

$(STRESS): $(STRESS_SOURCES) $(wildcard core/ipc/*.h) | deps-test
	@mkdir -p $(@D)
	$(Q)$(CC) $(CORE_FLAGS) $(STRESS_FLAGS) -pie -o $@ $(STRESS_SOURCES) $(LIBS_CMOCKA) -lpthread

# No part of `make test`, which has a few rounds of each.
SOAK          ?= 100
SOAK_NAMES    := soak faults upgrade overload leak
SOAK_PROGRAMS := $(patsubst %,$(BUILD)/tests/system/test_%,$(SOAK_NAMES))

soak: all $(SOAK_PROGRAMS) $(TEST_MODULES) $(STRESS)
	@LPM_SOAK='$(SOAK)' LPM_TEST_TIMEOUT=3600 LPM_STRESS_MESSAGES=$(LPM_STRESS_MESSAGES) $(RUN_TESTS) -s $(SOAK_PROGRAMS) $(STRESS)
	@grep -h 'soak:' $(patsubst %,$(BUILD)/tests/log/test_%.log,$(SOAK_NAMES))

# The bus beside a worker that does what libFuzzer likes: where the random deeds of tests/fuzz do not get.
FUZZ         := $(BUILD)/fuzz/worker_fuzz
FUZZ_FLAGS    = -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -DLPM_LIBFUZZER
FUZZ_SECONDS ?= 60

$(FUZZ): tests/fuzz/test_worker_fuzz.c $(CORE_SOURCES) $(wildcard core/*/*.h tests/unit/*.h) | deps-test
	@auto/deps fuzz
	@mkdir -p $(@D)
	@$(say) FUZZ $@
	$(Q)clang $(TEST_FLAGS) $(FUZZ_FLAGS) -o $@ $< $(CORE_SOURCES) $(TEST_LIBS)

fuzz: $(FUZZ)
	@mkdir -p $(FUZZ).corpus
	cd $(FUZZ).corpus && $(abspath $(FUZZ)) -max_total_time=$(FUZZ_SECONDS) -max_len=1000 -timeout=30 \
	    -print_final_stats=1 -artifact_prefix=$(abspath $(FUZZ))- $(abspath $(FUZZ)).corpus

# No part of `make test`, which is to need no registry but the system's.
check-peer: all $(BUILD)/tests/modules/scenario.so
	@auto/deps peer
	@BUILD='$(BUILD_DIR)' tests/peer/run.sh || [ $$? = 77 ]

check-valgrind: $(call test_programs,unit) $(call module_so,$(MODULES)) $(TEST_MODULES)
	@if [ '$(SANITIZERS)' = yes ]; then \
	    echo 'make check-valgrind: a build with sanitizers cannot run under valgrind' >&2; exit 1; fi
	@auto/deps valgrind
	@LPM_TEST_WRAPPER='valgrind -q --leak-check=full --error-exitcode=99' \
	    $(RUN_TESTS) $(call test_programs,unit)

# The plain build, then the one with sanitizers; a build that fails counts as one failed test, so
# that the other is still tested and the closing line is still there.
TOTALS := $(BUILD)/tests/totals

test: deps-test
	@mkdir -p $(dir $(TOTALS)); : > $(TOTALS)
	@echo '== plain build ($(BUILD))'
	@if $(MAKE) WERROR=1 test-programs; then \
	    $(MAKE) WERROR=1 LPM_TEST_TOTALS=$(TOTALS) check || :; \
	else echo 'build-plain 0 1 0' >> $(TOTALS); fi
	@echo '== sanitizer build ($(BUILD)/sanitize)'
	@if ./configure --build=$(BUILD)/sanitize --prefix='$(PREFIX)' --with-cc='$(CC)' --with-sanitizers \
	    > $(BUILD)/tests/configure-sanitize.log && \
	    $(MAKE) WERROR=1 BUILD=$(BUILD)/sanitize test-programs; then \
	    $(MAKE) WERROR=1 BUILD=$(BUILD)/sanitize LPM_TEST_TOTALS=$(TOTALS) check || :; \
	else echo 'build-sanitize 0 1 0' >> $(TOTALS); fi
	@auto/test -c $(TOTALS)

# ---------------------------------------------------------------------------------------------
# Measurements: tests/bench/run.sh drives tests/bench/parts/*.sh. They use programs, of which each is a file of tests/bench,
# or all those of a folder there.

BENCH_NAMES    := $(sort $(basename $(notdir $(wildcard tests/bench/*.c))) \
    $(notdir $(patsubst %/,%,$(dir $(wildcard tests/bench/*/*.c)))))
BENCH_PROGRAMS := $(patsubst %,$(BUILD)/tests/bench/%,$(BENCH_NAMES))

# Each may set LIBS_<name>.
-include $(wildcard tests/bench/*.mk)

define bench_rule
$(BUILD)/tests/bench/$(1): $(call objects,$(wildcard tests/bench/$(1).c tests/bench/$(1)/*.c)) $(TEST_LIB) $(CORE_LIB)
	$$(call link,$$(LINK_FLAGS),$$(TEST_LIBS) $$(LIBS_$(1)) -lm)
endef
$(foreach name,$(BENCH_NAMES),$(eval $(call bench_rule,$(name))))

# That they do not rot, `make test` runs them in their smallest form (tests/system/test_bench.c).
test-programs: $(BENCH_PROGRAMS)
check-system: $(BENCH_PROGRAMS)

bench: all $(BENCH_PROGRAMS) $(TEST_MODULES)
	@auto/deps bench
	@for peer in nginx haproxy peer; do auto/deps $$peer || echo "bench: goes on without it"; done
	@BUILD='$(BUILD_DIR)' tests/bench/run.sh $(BENCH)

# ---------------------------------------------------------------------------------------------
# Running from the source tree: a prefix inside the output folder, so nothing is written elsewhere.

RUN_PREFIX := $(BUILD_DIR)/prefix

run: all
	@mkdir -p $(RUN_PREFIX)/logs $(RUN_PREFIX)/run
	@ln -sfn $(BUILD_DIR)/modules $(RUN_PREFIX)/modules
	@ln -sfn $(SOURCE_DIR)/conf $(RUN_PREFIX)/conf
	@echo 'lpm serves conf/lpm.conf; try:  curl -d hi http://127.0.0.1:8080/    (Ctrl-C stops it)'
	@exec $(BUILD)/lpm -p $(RUN_PREFIX) -c $(SOURCE_DIR)/conf/lpm.conf

# ---------------------------------------------------------------------------------------------
# Installing

INSTALL  := install
ROOT      = $(DESTDIR)$(PREFIX)
MAN_PAGES := $(wildcard docs/man/*.[1-8])
DOCS      := $(wildcard README.md docs/*.md)
EXAMPLE_FILES := $(wildcard modules/examples/*.c modules/examples/*.cc conf/examples/*.conf)

install: all
	$(INSTALL) -d $(ROOT)/sbin $(ROOT)/modules $(ROOT)/conf $(ROOT)/include/lpm $(ROOT)/logs $(ROOT)/run
	$(INSTALL) -m 755 $(LPM) $(LPMCTL) $(ROOT)/sbin
	$(if $(MODULES),$(INSTALL) -m 644 $(call module_so,$(MODULES)) $(ROOT)/modules)
	$(INSTALL) -m 644 $(wildcard include/lpm/*.h) $(ROOT)/include/lpm
	$(INSTALL) -m 644 conf/lpm.conf $(ROOT)/conf/lpm.conf.default
	[ -e $(ROOT)/conf/lpm.conf ] || $(INSTALL) -m 644 conf/lpm.conf $(ROOT)/conf/lpm.conf
	$(INSTALL) -d $(ROOT)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|g' conf/lpm.service > $(ROOT)/lib/systemd/system/lpm.service
	chmod 644 $(ROOT)/lib/systemd/system/lpm.service
	$(if $(DOCS),$(INSTALL) -d $(ROOT)/share/doc/lpm)
	$(if $(DOCS),$(INSTALL) -m 644 $(DOCS) $(ROOT)/share/doc/lpm)
	$(INSTALL) -d $(ROOT)/share/doc/lpm/examples
	$(INSTALL) -m 644 $(EXAMPLE_FILES) $(ROOT)/share/doc/lpm/examples
	$(foreach page,$(MAN_PAGES),$(INSTALL) -D -m 644 $(page) \
	    $(ROOT)/share/man/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page)) &&) :

# ---------------------------------------------------------------------------------------------
# Looking at the sources

ALL_SOURCES := $(sort $(wildcard core/*/*.[ch] modules/*/*.[ch] include/lpm/*.h tests/*/*.[ch] tests/*/*/*.[ch]))
C_SOURCES := $(filter %.c,$(ALL_SOURCES))

tidy:
	@auto/deps tidy test
	@echo $(C_SOURCES) | xargs -n 1 -P "$$(nproc)" sh -c \
	    'echo "TIDY     $$0"; clang-tidy --quiet --warnings-as-errors="*" "$$0" -- $(subst ','\'',$(filter-out -fsanitize% -fno-sanitize%,$(TEST_FLAGS))) 2>/dev/null'

cppcheck:
	@auto/deps cppcheck
	cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
	    --error-exitcode=1 --suppressions-list=auto/cppcheck.suppress -j "$$(nproc)" \
	    -D_GNU_SOURCE -D__linux__ -DCLOCK_MONOTONIC=1 $(TEST_DEFINES) \
	    -Icore -Iinclude -Imodules -Itests/lib -I$(BUILD) $(C_SOURCES)

format:
	@auto/deps format
	clang-format -i $(ALL_SOURCES)

# ---------------------------------------------------------------------------------------------
# What each object was compiled from

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
