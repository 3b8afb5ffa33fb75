#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# soak/module on two CPUs.
# check: sh tests/soak/module-2cpus.sh
exec sh "$(dirname "$0")/module.sh" 2
