#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# 20 boots in a row without a failure; e2e/boots.sh says what each does.
# check: testbed/run --no-build --timeout 3000 --results build/results/soak-boots tests/e2e/boots.sh 20
exec testbed/run --timeout 3000 --results build/results/soak-boots "$(dirname "$0")/../e2e/boots.sh" 20
