#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A PV domU under iosup.ko is ballooned, saved and restored: e2e/iosup-save says how.
# usage: tests/soak/iosup-save.sh [OPTION of testbed/run]...
# check: sh tests/soak/iosup-save.sh --no-build
cd "$(dirname "$0")/../.." || exit 1
exec testbed/run "$@" --machine xen --xen-args 'dom0-iommu=strict dom0_max_vcpus=2' \
	--timeout 900 --results build/results/soak-iosup-save tests/e2e/iosup-save
