# SPDX-License-Identifier: BSD-2-Clause
# testbed: --machine xen --xen-args "dom0-iommu=strict dom0_max_vcpus=2" --timeout 900
# A PV domU without a device makes processes under iosup.ko while dom0 balloons, saves and
# restores it. (Debian's Xen can't log which pages of a PV domain are written, so it migrates
# none.) Runs in dom0.
bad=0
log=/var/log/xen/console/guest-domu.log

check() { # WHAT COMMAND...
	what=$1
	shift
	if "$@"; then echo "ok - $what"; else
		echo "not ok - $what ($*)"
		bad=1
	fi
}
rounds()
{
	grep -c DOMU-ROUND $log
}
# The domU has made processes since, from before what was done to it until after it.
goes_on()
{
	target=$(($(rounds) + 2))
	left=1500
	until [ "$(rounds)" -ge $target ]; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		usleep 200000
	done
}
testbed-xen start
cat >domu.cfg <<CFG
name="domu"
type="pv"
kernel="$PVI_KERNELS/6.1/vmlinuz"
ramdisk="$PVI_INITRD/iosup-save-6.1.cpio"
extra="console=hvc0 quiet panic=5"
memory=128
maxmem=128
vcpus=2
on_crash="destroy"
on_reboot="destroy"
CFG
: >$log
tail -f $log &
tail=$!
xl create domu.cfg || exit 1
check 'begins' goes_on
check 'balloon down' xl mem-set domu 80m
check 'goes on with less memory' goes_on
check 'balloon up' xl mem-set domu 128m
check 'goes on with more memory' goes_on
for n in first second; do
	check "$n save" xl save domu saved
	check "$n restore" xl restore saved
	rm -f saved
	check "goes on after the $n restore" goes_on
done
check 'shut down' xl shutdown domu
check 'ends' testbed-xen wait domu 200
# The console's daemon may not have written all yet.
left=100
until grep -qE 'DOMU-DONE|^not ok' $log || [ $left = 0 ]; do
	left=$((left - 1))
	usleep 100000
done
kill $tail
cp $log "$PVI_RESULTS/domu.log"
check 'ended well' grep -q DOMU-DONE $log
check 'nothing was wrong in the domU' sh -c "! grep -q '^not ok' $log"
exit $bad
