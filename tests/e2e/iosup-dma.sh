# SPDX-License-Identifier: BSD-2-Clause
# check: tests/e2e/iosup-dma-check
# A device does DMA to page tables and descriptor tables of dom0, without iosup.ko and with it
# (tests/guest/ptdma.c says how). Runs in L1; iosup-dma-check compares what the IOMMU did.
. "$PVI_SCENARIO_DIR/iosup-lib"

mount -t debugfs none /sys/kernel/debug
insmod "$modules/pvi_ptdma.ko" || exit 1
check 'stock' ptdma stock 1000
check 'load iosup' insmod "$ko" enabled=1 verify=1
# Tables that are in their second life and later ones are what the device meets.
procs exec 40 >/dev/null
check 'with iosup' ptdma iosup 2000
check 'every reused table was empty' test "$(get dirty)" = 0
check 'unload' rmmod iosup pvi_ptdma
warnings && echo 'not ok - a warning' && bad=1
exit $bad
