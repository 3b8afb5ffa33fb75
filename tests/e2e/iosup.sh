# SPDX-License-Identifier: BSD-2-Clause
# check: tests/e2e/iosup-check
# iosup.ko in dom0 of stock Xen: on, off, unloaded, and what it must not do. Runs in L1,
# iosup-check counts the invalidations that its marks stand around.
. "$PVI_SCENARIO_DIR/iosup-lib"

pooled()
{
	cat $S/*/pooled | awk '{ s += $1 } END { print s + 0 }'
}
# The number of a memory cgroup's page tables, in bytes. The kernel adds each CPU's share every
# two seconds, and at once for who reads cpu.stat.
tables_of()
{
	cat "/sys/fs/cgroup/$1/cpu.stat" >/dev/null
	sed -n 's/^pagetables //p' "/sys/fs/cgroup/$1/memory.stat"
}
# A process that sleeps in a cgroup of its own: what its page tables cost that. Its addresses are
# the same each time: by chance, they could need one table more or less.
tables_of_sleeper()
{
	echo 0 >/proc/sys/kernel/randomize_va_space
	mkdir /sys/fs/cgroup/b
	sh -c 'echo $$ >/sys/fs/cgroup/b/cgroup.procs && exec sleep 1000' &
	sleeper=$!
	until grep -q nanosleep /proc/$sleeper/wchan; do usleep 10000; done
	echo 2 >/proc/sys/kernel/randomize_va_space
	tables_of b
	kill $sleeper
	wait $sleeper 2>/dev/null
	until rmdir /sys/fs/cgroup/b 2>/dev/null; do usleep 10000; done
}
# iosup.ko with another text in place of one, of the same length, must not load, and say why.
refused()
{
	cp "$ko" other.ko
	strings -t d "$ko" | awk -v text="$1" '{ at = $1; sub(/^ *[0-9]+ /, "") }
		$0 == text { print at }' | while read -r at; do
		printf %s "$2" | dd of=other.ko bs=1 seek="$at" conv=notrunc 2>/dev/null
	done
	! insmod other.ko enabled=1 2>/dev/null && dmesg | grep -q "iosup: $3" &&
		[ ! -e $S ]
}
echo +memory >/sys/fs/cgroup/cgroup.subtree_control

check 'a missing symbol is named' refused pgd_lock pgd_lick 'this kernel has no symbol pgd_lick'
check 'a missing function is named' refused __pud_alloc __pud_ollac \
	'this kernel has no symbol __pud_ollac'
check 'another prototype is named' refused 'pgd_t* (mm_struct*)' 'pgd_t* (mm_strict*)' \
	'pgd_alloc is pgd_t\* (mm_struct\*) in this kernel, expected pgd_t\* (mm_strict\*)'
sleeper_stock=$(tables_of_sleeper)

procs -m 100 fork 50
procs -m 110 exec 50
check 'load' insmod "$ko" verify=1
check 'off at first' test "$(cat $P/enabled)" = N
check 'a wrong mode is refused' sh -c "! echo other 2>/dev/null >$P/mode"
before=$(free_kib)
check 'on' sh -c "echo 1 >$P/enabled"
check 'no unloading while it is on' sh -c '! rmmod iosup 2>/dev/null'
procs exec 30
procs fork 30
procs write 3 8
check 'fork: children see what they should' procs -m 200 fork 50 1
check 'exec: children end as they should' procs -m 210 exec 50
check 'write: children see what they should' procs -m 220 write 10 4
for l in pte pmd pud pgd; do
	check "$l: reused" test "$(get $l/reused)" -gt 100
	check "$l: returned" test "$(get $l/returned)" -gt 100
	# Read by this shell: a process to read it would take them.
	read -r n <$S/$l/pooled
	check "$l: some are pooled" test "$n" -gt 0
done
check 'processes ended by a copy' test "$(get shadow_exits)" -gt 100
check 'copies on write did not trap' test "$(get traps_avoided)" -gt 100
check 'entries around a fault were set together' test "$(get gathered)" -gt 100
check 'every reused table was empty' test "$(get dirty)" = 0

# A cgroup pays for the tables that its processes have, and for none that are in the pool.
mkdir /sys/fs/cgroup/a
(
	echo 0 >/sys/fs/cgroup/a/cgroup.procs
	procs write 5 8 && procs exec 20
) || bad=1
check 'cgroup: no page tables without processes' test "$(tables_of a)" = 0
echo 1 >/sys/fs/cgroup/a/memory.reclaim 2>/dev/null
check 'cgroup: can be removed' rmdir /sys/fs/cgroup/a
reused=$(get pte/reused)
check "cgroup: pays for reused tables as for others ($sleeper_stock bytes)" \
	test "$(tables_of_sleeper)" = "$sleeper_stock"
check 'cgroup: they were reused' test "$(get pte/reused)" -gt "$reused"

# Pool-only, the ablation, still ends processes correctly.
check 'pool-only' sh -c "echo pool-only >$P/mode"
check 'pool-only: children' procs exec 20
check 'pool-only: processes ended in their tables' test "$(get kept_exits)" -gt 10
check 'full again' sh -c "echo full >$P/mode"

echo 4 >$P/cap
procs exec 20 >/dev/null
check 'cap: beyond it tables are the kernel'"'"'s' test "$(get pte/discarded)" -gt 10
echo 100000 >$P/cap
procs exec 20 >/dev/null
check 'pressure: the pool shrinks' sh -c 'echo 2 >/proc/sys/vm/drop_caches
	[ $(cat /sys/kernel/iosup/pte/shrunk) -gt 0 ]'
procs exec 20 >/dev/null

check 'off' sh -c "echo 0 >$P/enabled"
check 'off: nothing is pooled' test "$(pooled)" = 0
after=$(free_kib $((before - 1024)))
echo "free memory: $before KiB before, $after KiB after"
check 'free memory is back, within 1 MiB' test $((before - after)) -le 1024
procs -m 300 exec 50
check 'unload' rmmod iosup
procs -m 310 exec 50
check 'load, on' insmod "$ko" enabled=1
procs exec 20 >/dev/null
check 'off and unload at once' sh -c "echo 0 >$P/enabled && rmmod iosup"
dmesg | grep iosup | sed 's/^/DMESG /'
warnings && echo 'not ok - a warning' && bad=1
exit $bad
