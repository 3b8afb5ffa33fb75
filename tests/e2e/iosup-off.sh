# SPDX-License-Identifier: BSD-2-Clause
# testbed: --where l1
# iosup.ko on a machine that is no Xen PV domain: it says so, and leaves nothing.
ko=$PVI_MODULES/$(uname -r | cut -d. -f1,2)/iosup.ko
bad=0
if insmod "$ko" enabled=1 2>/dev/null; then
	echo 'not ok - it loads off Xen PV'
	bad=1
else
	echo 'ok - it does not load off Xen PV'
fi
if dmesg | grep -q 'iosup: this is no Xen PV domain'; then
	echo 'ok - it says why'
else
	echo 'not ok - it does not say why'
	bad=1
fi
[ ! -e /sys/kernel/iosup ] || { echo 'not ok - it left something'; bad=1; }
exit $bad
