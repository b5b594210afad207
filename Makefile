# disco: one Makefile for the whole tree.
#
#	make			build everything into build/
#	make quickstart		install what is missing, build, run one node, show it
#	make check		install what tests need, build, run the tests
#	make check-long		what takes half an hour more
#	make lint		warnings as errors (gcc, clang), includes, man pages
#	make fuzz		libFuzzer programs in build/fuzz (clang)
#	make install DESTDIR= PREFIX=/usr/local
#
# VARIANT=asan builds with ASan and UBSan into build/asan; VARIANT=fuzz with
# libFuzzer.  WERROR=1 makes warnings errors.  A test's or fuzzer's name starts
# with the folder it tests: tests/unit/gossipd_swim_test.c.

PREFIX	?= /usr/local
SBINDIR	?= $(PREFIX)/sbin
BINDIR	?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/disco
MANDIR	?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
UNITDIR	?= /lib/systemd/system

DAEMONS	 = gossipd rpcd catalogd checkd dnsd apid execd
PROGRAMS = discod $(DAEMONS) discoctl
FOLDERS	 = common $(PROGRAMS)

VARIANT	?=
BUILD	?= build$(if $(VARIANT),/$(VARIANT))

CC	?= cc
OPT	?= -O2 -g
WARN	 = -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow \
	   -Werror=implicit-function-declaration -Wpointer-arith -Wwrite-strings -Wundef -Wformat=2 -Wvla
CFLAGS_ALL = -std=gnu11 $(OPT) $(WARN) $(if $(WERROR),-Werror) -D_GNU_SOURCE \
	   -fstack-protector-strong -fPIE -I. $(VARIANT_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(VARIANT_CFLAGS) \
	   $(LDFLAGS)

ifeq ($(VARIANT),asan)
VARIANT_CFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=all \
	   -fno-omit-frame-pointer -DDISCO_SANITIZED
else ifeq ($(VARIANT),fuzz)
CC	 = clang
VARIANT_CFLAGS = -fsanitize=fuzzer-no-link,address,undefined \
	   -fno-sanitize-recover=all -DDISCO_SANITIZED
else ifeq ($(VARIANT),clang)
CC	 = clang
CFLAGS_ALL += -D_FORTIFY_SOURCE=2
else
# What nothing calls is not linked.
CFLAGS_ALL += -D_FORTIFY_SOURCE=2 -ffunction-sections -fdata-sections
LDFLAGS_ALL += -Wl,--gc-sections
endif

# Consensus: the 0.22 archive, fetched into the build tree where the system's
# own is older (mk/libraft says why).
RAFTDIR	?= build/libraft
RAFT_CFLAGS = -isystem $(RAFTDIR)/include
RAFT_A	 = $(RAFTDIR)/lib/libraft.a

LIBS_common   = -lbsd -luv -lyajl -lmsgpackc -lpcre2-8 -lseccomp -lresolv -lm
LIBS_discod   = -lssl -lcrypto -lm
LIBS_gossipd  = -lcrypto -lm
LIBS_rpcd     = -ltls -lssl -lcrypto
LIBS_catalogd = $(RAFT_A) -lmd -lcrypto -lz -lm -luv
LIBS_checkd   = -lcurl -lssl -lcrypto
LIBS_dnsd     = -lunbound
LIBS_apid     = -lmicrohttpd -lgnutls -lm -lz
LIBS_execd    =
LIBS_discoctl = -lcurl -lcrypto -lz
LIBS_check    = -lcheck -lsubunit -lrt -lm -lpthread

# A folder's sources; NAME/NAME.c is main and stays out of the archive.
src	 = $(sort $(filter-out $(1)/$(1).c,$(wildcard $(1)/*.c $(1)/*/*.c)))
objs	 = $(patsubst %.c,$(BUILD)/%.o,$(call src,$(1)))
folder	 = $(firstword $(subst _, ,$(notdir $(1))))
libs	 = $(BUILD)/lib$(1).a $(BUILD)/libcommon.a

UNIT	 = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*_test.c))
FUZZ	 = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/*_fuzz.c))
SIM	 = $(BUILD)/tests/sim/sim
SIM_OBJS = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/sim/*.c))

.PHONY: all quickstart check check-unit check-fuzz check-sim check-golden check-net \
	check-interop check-fault check-long lint fuzz tests-built install install-consul clean deps-build deps-test
all: $(PROGRAMS:%=$(BUILD)/bin/%)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(CFLAGS_$(firstword $(subst /, ,$<))) -MMD -MP -c -o $@ $<
CFLAGS_catalogd = $(RAFT_CFLAGS)
$(BUILD)/apid/page.o: $(wildcard apid/page/*)

define folder_rules
$(BUILD)/lib$(1).a: $(call objs,$(1))
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

# Programs are in $(BUILD)/bin, for their objects' folders have their names.
define program_rules
$(BUILD)/bin/$(1): $(BUILD)/$(1)/$(1).o $(call libs,$(1)) $(if $(filter catalogd,$(1)),$(RAFT_A))
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS_ALL) -o $$@ $(BUILD)/$(1)/$(1).o $(call libs,$(1)) $(LIBS_$(1)) $(LIBS_common)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))

# What tests of a folder share is in tests/unit/FOLDER_*.c that are no tests.
helpers	 = $(sort $(patsubst %.c,$(BUILD)/%.o,tests/unit/common_unit.c \
	   $(filter-out %_test.c,$(wildcard tests/unit/$(1)_*.c))))
define test_rules
$(1): $(1).o $(call helpers,$(call folder,$(1))) $(call libs,$(call folder,$(1))) $(if $(filter catalogd,$(call folder,$(1))),$(RAFT_A))
	$$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) $(call libs,$(call folder,$(1))) $(LIBS_$(call folder,$(1))) $(LIBS_common) $(LIBS_check)
endef
$(foreach t,$(UNIT),$(eval $(call test_rules,$(t))))
$(BUILD)/tests/unit/catalogd%.o $(BUILD)/tests/fuzz/catalogd%.o: CFLAGS_tests = $(RAFT_CFLAGS)

# A fuzz target replays its corpus, or under VARIANT=fuzz is a fuzzer.
ifeq ($(VARIANT),fuzz)
FUZZ_MAIN = -fsanitize=fuzzer
else
FUZZ_MAIN = $(BUILD)/tests/fuzz/replay.o
endif
define fuzz_rules
$(1): $(1).o $(filter %.o,$(FUZZ_MAIN)) $(call libs,$(call folder,$(1))) $(if $(filter catalogd,$(call folder,$(1))),$(RAFT_A))
	$$(CC) $$(LDFLAGS_ALL) -o $$@ $$< $(FUZZ_MAIN) $(call libs,$(call folder,$(1))) $(LIBS_$(call folder,$(1))) $(LIBS_common)
endef
$(foreach t,$(FUZZ),$(eval $(call fuzz_rules,$(t))))
$(SIM): $(SIM_OBJS) $(call libs,gossipd)
	$(CC) $(LDFLAGS_ALL) -o $@ $(SIM_OBJS) $(call libs,gossipd) $(LIBS_gossipd) $(LIBS_common)
tests-built: $(UNIT) $(FUZZ) $(SIM)

# What bench/NAME runs besides the suite.
BENCH	 = $(BUILD)/bench/gossip_peers $(BUILD)/bench/gossip_input
$(BUILD)/bench/gossip_peers: $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/peers_*.c))
$(BENCH): %: %.o $(call libs,gossipd)
	$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(call libs,gossipd) $(LIBS_gossipd) $(LIBS_common)

fuzz:
	$(MAKE) VARIANT=fuzz $(FUZZ:$(BUILD)/%=build/fuzz/%)

$(RAFT_A):
	mk/libraft $(RAFTDIR)
ifneq ($(filter-out clean,$(or $(MAKECMDGOALS),all)),)
$(call objs,catalogd) $(BUILD)/catalogd/catalogd.o: | $(RAFT_A)
endif

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)

# ---- tests ----

deps-build:
	mk/deps build
deps-test:
	mk/deps build test

JOBS	?= $(shell nproc)
check: deps-test
	mk/users
	$(MAKE) -j$(JOBS) all tests-built
	$(MAKE) check-unit check-fuzz check-sim check-golden check-net

check-unit: $(UNIT)
	@fail=0; for t in $(UNIT); do CK_DEFAULT_TIMEOUT=60 $$t || fail=1; done; exit $$fail

check-fuzz: $(FUZZ)
	@for t in $(FUZZ); do n=$$(basename $$t _fuzz); \
		$$t tests/fuzz/corpus/$$n/* || exit 1; done

# A network of gossip cores in one process; "$(SIM) table" has figures of it.
check-sim: $(SIM)
	$(SIM) check

check-golden: all
	tests/golden/run $(BUILD)
check-net: all
	tests/run net $(BUILD)
check-interop: all
	mk/deps test interop
	tests/run interop $(BUILD)
check-fault: all
	TEST_TIMEOUT=900 SKIP=bigsnap tests/run fault $(BUILD)
# What takes long: faults by the dozen, kill -9 again and again, restores that
# are cut off, 100 MB to a new server, data damaged by the hundred.
check-long: all $(SIM)
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
		$(SIM) -s $$(date +%s)$$i -n 80 mixed || exit 1; done
	BUILD=$(BUILD) tests/fault/servers 600
	BUILD=$(BUILD) FAULTS="all kill" tests/fault/servers 180
	BUILD=$(BUILD) tests/fault/restore 30
	BUILD=$(BUILD) tests/fault/bigsnap
	BUILD=$(BUILD) tests/fault/damage 4

lint:
	mk/lint

quickstart: deps-build
	$(MAKE) -j$(JOBS) all
	mk/quickstart $(BUILD)

# ---- install ----

install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR) \
	    $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8 \
	    $(DESTDIR)$(SYSCONFDIR)/init.d $(DESTDIR)$(SYSCONFDIR)/logrotate.d \
	    $(DESTDIR)$(UNITDIR) $(DESTDIR)/usr/lib/sysusers.d $(DESTDIR)/usr/lib/tmpfiles.d \
	    $(DESTDIR)$(SYSCONFDIR)/disco
	install -s -m 755 $(BUILD)/bin/discod $(DESTDIR)$(SBINDIR)/discod
	install -s -m 755 $(BUILD)/bin/discoctl $(DESTDIR)$(BINDIR)/discoctl
	for d in $(DAEMONS); do install -s -m 755 $(BUILD)/bin/$$d $(DESTDIR)$(LIBEXECDIR)/$$d || exit 1; done
	install -m 644 man/*.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 644 man/*.7 $(DESTDIR)$(MANDIR)/man7/
	install -m 644 man/*.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 755 rc.d/discod $(DESTDIR)$(SYSCONFDIR)/init.d/discod
	install -m 644 rc.d/logrotate $(DESTDIR)$(SYSCONFDIR)/logrotate.d/disco
	install -m 644 systemd/disco.service $(DESTDIR)$(UNITDIR)/disco.service
	install -m 644 systemd/disco.sysusers $(DESTDIR)/usr/lib/sysusers.d/disco.conf
	install -m 644 systemd/disco.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/disco.conf

# The command's other name, where Consul itself is not installed.
install-consul:
	install -d $(DESTDIR)$(BINDIR)
	ln -sf discoctl $(DESTDIR)$(BINDIR)/consul

clean:
	rm -rf build
