# SPDX-License-Identifier: BSD-2-Clause
# check: tests/e2e/iosup-check 6.12
# iosup.sh on the other kernel; it is iosup-check that chooses it.
exec sh "$PVI_SCENARIO_DIR/iosup.sh"
