# SPDX-License-Identifier: BSD-2-Clause
# check: tests/e2e/iosup-check domu
# iosup.ko in a PV domU with a passed-through nvme, under Xen's default settings. Runs in
# dom0; iosup-check counts the domU's invalidations between its marks.
testbed-xen start
bdf=$(basename "$(dirname "$(grep -l 0x010802 /sys/bus/pci/devices/*/class)")")
[ -n "$bdf" ] || { echo 'not ok - no nvme in dom0'; exit 1; }
xl pci-assignable-add "$bdf" || exit 1
cat >domu.cfg <<CFG
name="domu"
type="pv"
kernel="$PVI_KERNELS/6.1/vmlinuz"
ramdisk="$PVI_INITRD/iosup-domu-6.1.cpio"
extra="console=hvc0 quiet panic=5"
memory=256
vcpus=1
on_crash="destroy"
on_reboot="destroy"
pci=["$bdf,seize=1"]
CFG
log=/var/log/xen/console/guest-domu.log
: >$log
tail -f $log &
tail=$!
xl create domu.cfg || exit 1
testbed-xen wait domu 400
ended=$?
# The console's daemon may not have written all yet.
left=100
until grep -qE 'DOMU-DONE|^not ok' $log || [ $left = 0 ]; do
	left=$((left - 1))
	usleep 100000
done
kill $tail
cp $log "$PVI_RESULTS/domu.log"
[ $ended = 0 ] && grep -q DOMU-DONE $log && ! grep -q '^not ok' $log
