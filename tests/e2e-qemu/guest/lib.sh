# SPDX-License-Identifier: BSD-2-Clause
# What the inits in this folder share. The host is tests/e2e-qemu/vm.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
PCI=/sys/bus/pci/devices
arg() # NAME: of the kernel's command line
{
	sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline
}
ok()
{
	echo "ok - $*"
}
bad()
{
	echo "not ok - $*"
}
check() # WHAT LEFT OP RIGHT
{
	if [ "$2" "$3" "$4" ]; then ok "$1 ($2)"; else bad "$1: $2 $3 $4"; fi
}
must() # WHAT COMMAND...
{
	what=$1
	shift
	if "$@"; then ok "$what"; else bad "$what"; fi
}
# A test of a condition, until it holds or a time is over: within SECONDS COMMAND...
within()
{
	deadline=$(($(uptime_ds) + $1 * 10))
	shift
	while ! "$@" 2>/dev/null; do
		[ "$(uptime_ds)" -lt $deadline ] || return 1
		usleep 50000
	done
}
uptime_ds() # tenths of seconds
{
	sed 's/\.\(.\).*/\1/' /proc/uptime
}
host() # JSON
{
	echo "HOST $1"
}
get() # BDF COUNTER
{
	cat "$PCI/$1/pviommu/$2"
}
choose() # BDF STRATEGY
{
	echo "$2" >"$PCI/$1/pviommu/strategy" && [ "$(get "$1" strategy)" = "$2" ]
}
unbind() # BDF
{
	echo "$1" >"$PCI/$1/driver/unbind"
}
# Nothing is mapped, but what a strategy maps once.
floor() # BDF
{
	echo 1 >"$PCI/$1/pviommu/reclaim"
	check "$1: mapped when idle" $(($(get "$1" mapped_pages) - $(get "$1" fixed_pages))) -eq 0
}
# All drivers go, then the module: nothing may be left.
remove_all()
{
	for bdf in $(cd $PCI && ls -d */pviommu); do
		bdf=${bdf%/pviommu}
		[ -e "$PCI/$bdf/driver" ] && unbind "$bdf"
		check "$bdf: unbound: mapped but fixed" \
			$(($(get "$bdf" mapped_pages) - $(get "$bdf" fixed_pages))) -eq 0
		check "$bdf: unbound: coherent" "$(get "$bdf" coherent_pages)" -eq 0
	done
	must "rmmod pviommu" rmmod pviommu
}
# The kernel had nothing to complain about; EXPECTED is a pattern of lines that may be there.
no_complaint() # [EXPECTED]
{
	complaint='BUG|WARNING|Call Trace|Oops|left .* pages|still reach|unmapped .* twice'
	complaint="$complaint|no answer|blocked for more"
	if dmesg | grep -E "$complaint" | grep -vE "${1:-^$}"; then
		dmesg | grep -E -m 2 -B 2 -A 30 "$complaint"
		bad "a complaint in dmesg"
	else
		ok "no complaint in dmesg"
	fi
}
finish()
{
	echo DONE
	poweroff -f
}
