#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Branch coverage of lib/ and core/ by the unit tests of the library. Fails when fewer than
# 95 % of the branches of lib/request.c, the request path, are taken.
# usage: scripts/coverage.sh
set -eu
cd "$(dirname "$0")/.."
top=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
least=95
tests='request request_any viommu iommu dma mmio stuck backend vfio_type1 table gate virtqueue
	virtio_pci range defer'
cores=$(ls core/*.c | grep -v mapcache)
flags="-std=gnu17 -D_GNU_SOURCE -O0 -g -w -I$top -I$top/include -I$top/tests/unit"

cd "$work"
for c in $cores $(cd "$top" && ls lib/*.c); do
	gcc $flags --coverage -c "$top/$c" -o "$(echo "$c" | tr / _).o"
done
for c in host driver backend vfio; do
	gcc $flags -c "$top/tests/unit/fake_$c.c" -o "fake_$c.o"
done
ar rcs fakes.a fake_*.o
ar rcs measured.a core_*.o lib_*.o
for t in $tests; do
	gcc $flags "$top/tests/unit/test_$t.c" fakes.a measured.a --coverage -lcmocka -lpthread \
		-o "test_$t"
	"./test_$t" >"$t.log" 2>&1 || {
		cat "$t.log"
		echo "not ok - test_$t"
		exit 1
	}
done
for o in core_*.o lib_*.o; do
	gcov -b -c "$o" 2>/dev/null
done | awk -v top="$top/" -v least=$least '
	/^File / {
		file = substr($0, 7, length($0) - 7)
		sub(top, "", file)
	}
	/^Taken at least once/ && file ~ /^(lib|core)\/.*\.c$/ {
		split($0, part, /[:% ]+/)
		share = part[5]
		n = part[7]
		if (!(file in seen))
			printf "%6.2f %% of %4d branches  %s\n", share, n, file
		seen[file] = 1
		if (file == "lib/request.c")
			request = share + 0
	}
	END {
		ok = request >= least
		print (ok ? "ok" : "not ok") " - lib/request.c: " request " % of the branches taken, " \
			least " % wanted"
		exit !ok
	}'
