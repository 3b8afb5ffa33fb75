# SPDX-License-Identifier: BSD-2-Clause
# The front door: every command here installs what it lacks (scripts/deps.sh) and calls the
# tool that does the work. Userspace is built by Meson, the guest modules by Kbuild.

KERNELS := 6.1 6.12
# Folders with a Kbuild file, one or more modules each.
KO_SRC := $(patsubst %/Kbuild,%,$(wildcard guest/pviommu/Kbuild guest/iosup/Kbuild tests/guest/Kbuild \
	bench/iommu/Kbuild))
KO_DEPS := $(wildcard guest/*/* tests/guest/*.[ch] tests/guest/Kbuild bench/iommu/*.c bench/iommu/Kbuild core/*.[ch] core/*/*.[ch])
QUIET := @

.PHONY: all help deps modules kernels xen testbed payload static check soak run bench bench-table clean

all: deps
	$(QUIET)scripts/build host
	$(QUIET)$(MAKE) --no-print-directory modules

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

#: make            build the programs (build/host) and the guest modules
#: make run        boot a guest whose disk reaches only what the guest mapped, and attack it
#: make check      all tests, each long one in its quick form
#: make soak       the long forms
#: make bench      all benchmarks; make bench-NAME runs one (build/results/NAME.json)
#: make testbed    what testbed/run needs: static programs, modules, kernels, guest images
#: make clean      remove what was built, keep downloaded kernels

deps:
	$(QUIET)scripts/deps.sh build

kernels:
	$(QUIET)scripts/kernels.sh $(KERNELS)

static: deps
	$(QUIET)scripts/build static

modules: $(KERNELS:%=build/modules/%/.stamp)

build/modules/%/.stamp: $(KO_DEPS) scripts/build-modules
	$(QUIET)scripts/deps.sh modules
	$(QUIET)scripts/kernels.sh $*
	$(QUIET)scripts/build-modules $(CURDIR)/build/kernels/$*/headers build/modules/$* $(KO_SRC)
	$(QUIET)touch $@

# The hypervisor of testbed/run --machine xen, and its toolstack.
xen:
	$(QUIET)scripts/xen.sh

testbed: static kernels modules
	$(QUIET)scripts/deps.sh testbed
	$(QUIET)testbed/payload

check:
	$(QUIET)scripts/deps.sh build modules testbed check
	$(QUIET)tests/check

soak:
	$(QUIET)scripts/deps.sh build modules testbed check
	$(QUIET)tests/check --soak

run: testbed
	$(QUIET)scripts/run-demo

# Needs neither guests nor the testbed.
bench-table:
	$(QUIET)scripts/deps.sh build bench-table
	$(QUIET)bench/table

bench-%: testbed
	$(QUIET)bench/$*

bench: testbed
	$(QUIET)scripts/deps.sh bench-table
	$(QUIET)set -e; for b in bench/*; do \
		if [ -f "$$b" ] && [ -x "$$b" ]; then echo "== $$b"; "$$b"; fi; \
	done

clean:
	rm -rf build/host build/static build/asan build/clang build/fuzz \
		build/modules build/check build/testbed build/bench
