#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The guest modules build without a warning at W=1, and sparse has nothing to say.
# usage: tests/e2e-qemu/lint.sh
# Needs build/kernels/6.1 (make kernels) and sparse.
set -eu
cd "$(dirname "$0")/../.."
out=build/lint
rm -rf $out
MAKEFLAGS='W=1 C=2' scripts/build-modules build/kernels/6.1/headers $out guest/pviommu guest/iosup tests/guest
status=0
for log in "$out"/*.log; do
	name=$(basename "$log" .log)
	# A log without a compilation would be clean for the wrong reason.
	if ! grep -q '^ *CC ' "$log" || ! grep -q '^ *CHECK ' "$log"; then
		echo "not ok - $name: nothing was compiled, or not checked"
		status=1
	elif grep -E 'warning:|error:' "$log"; then
		echo "not ok - $name"
		status=1
	else
		echo "ok - $name"
	fi
done
rm -rf $out
exit $status
