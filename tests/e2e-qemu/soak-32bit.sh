#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The same in a guest with 5 GiB, whose card (e1000) has addresses of 32 bits: its buffers lie
# above 4 GiB, what it is told never does.
set -eu
cd "$(dirname "$0")/../.."
trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
tests/e2e-qemu/soak.sh 6.1 1 1 2 0 600 5G e1000 -trace virtio_iommu_map \
	-trace virtio_iommu_attach -D "$trace"
# direct-map's window of all RAM aside: the card is given no address of it. Its pieces are told
# by their distance from where they lead to, which is that of the largest.
awk '
	function hex(text,	i, n) {
		for (i = 3; i <= length(text); i++)
			n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
		return n
	}
	{ split($2, d, "="); split($3, a, "="); split($4, b, "="); split($5, c, "=") }
	/^virtio_iommu_attach/ { card[d[2]] = a[2] == 8 * 8 }
	/^virtio_iommu_map/ && card[d[2]] {
		first = hex(a[2]); last = hex(b[2]); to = hex(c[2])
		if (last - first >= 1073741824)
			window[first - to] = 1
		else if (last >= 4294967296)
			out[first - to]++
		else {
			all++
			high += to >= 4294967296
		}
	}
	END {
		for (distance in out)
			beyond += distance in window ? 0 : out[distance]
		print (all && !beyond ? "ok" : "not ok") " - mappings of the card: " all + 0 \
			", beyond what it can address: " beyond + 0
		print (high ? "ok" : "not ok") " - of memory above 4 GiB: " high + 0
		exit !all || beyond || !high
	}' "$trace"
