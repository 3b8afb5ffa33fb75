# SPDX-License-Identifier: BSD-2-Clause
# check: tests/e2e/iosup-dma-check
# A device does DMA to page tables and descriptor tables of dom0, without iosup.ko and with it
# (tests/guest/ptdma.c says how). Runs in L1; iosup-dma-check compares what the IOMMU did.
modules=$PVI_MODULES/$(uname -r | cut -d. -f1,2)
bad=0

check() { # WHAT COMMAND...
	what=$1
	shift
	if "$@"; then echo "ok - $what"; else
		echo "not ok - $what ($*)"
		bad=1
	fi
}
mount -t debugfs none /sys/kernel/debug
insmod "$modules/pvi_ptdma.ko" || exit 1
check 'stock' ptdma stock 1000
check 'load iosup' insmod "$modules/iosup.ko" enabled=1 verify=1
# Tables that are in their second life and later ones are what the device meets.
procs exec 40 >/dev/null
check 'with iosup' ptdma iosup 2000
check 'every reused table was empty' test "$(cat /sys/kernel/iosup/dirty)" = 0
check 'unload' rmmod iosup pvi_ptdma
dmesg | grep -E 'BUG|WARNING|Bad page|Call Trace|multicall' && echo 'not ok - a warning' && bad=1
exit $bad
