#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What a device can do under each strategy is what the strategy promises, and what
# docs/security.md says: the quick form of bench/protection. About a minute.
set -eu
cd "$(dirname "$0")/../.."
bench/protection --quick --out build/check/protection.json
scripts/protection-table --check build/check/protection.json
