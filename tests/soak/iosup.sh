#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# 100,000 processes of all kinds under iosup.ko, a tenth of them while it is reloaded again and
# again; e2e/iosup-load says what they do.
# usage: tests/soak/iosup.sh [OPTION of testbed/run]...
# check: sh tests/soak/iosup.sh --no-build
cd "$(dirname "$0")/../.." || exit 1
exec testbed/run "$@" --machine xen --xen-args 'dom0-iommu=strict dom0_max_vcpus=2' \
	--timeout 14400 --results build/results/soak-iosup tests/e2e/iosup-load 91000 20
