#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Builds Debian's source of Linux 6.1 with the kernel's own checkers in it: KASAN, lockdep, the
# checks of the DMA API and of timers and work that are freed while they run. It becomes
# build/kernels/6.1-debug, laid out as scripts/kernels.sh does, and is used by tests only.
# usage: scripts/debug-kernel.sh      half an hour on 2 cores, 3 GiB; nothing where it is there
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
name=6.1-debug
out=$top/build/kernels/$name
new=$top/build/kernels/.new-$name
config=$top/tests/soak/debug-kernel.config

die()
{
	echo "debug-kernel.sh: $*" >&2
	exit 1
}

source_tree()
{
	"$top/scripts/download.sh" linux-source-6.1
	dpkg -x linux-source-6.1_*.deb package
	mkdir src
	tar xf package/usr/src/linux-source-6.1.tar.xz -C src --strip-components=1
	rm -r package linux-source-6.1_*.deb
}

configure()
{
	make -s -C src allnoconfig KCONFIG_ALLCONFIG="$config" 2>config.log ||
		die "cannot configure: $(tail -n 1 config.log)"
	# What depends on something that is off is left out without a word.
	sed -n '/^CONFIG_[A-Z0-9_]*=/p' "$config" | while read -r option; do
		grep -qxF "$option" src/.config || die "$option could not be had"
	done
}

build()
{
	# There are no other lines than one for each object.
	make -C src -j"$(nproc)" bzImage modules >build.log 2>&1 &
	job=$!
	trap 'kill $job 2>/dev/null; exit 130' INT TERM
	n=0
	while kill -0 $job 2>/dev/null; do
		sleep 1
		n=$((n + 1))
		[ $((n % 20)) != 0 ] || echo "building, $n s: $(wc -l <build.log) steps"
	done
	trap - INT TERM
	wait $job || die "the build failed: $(grep -m 3 -E 'rror' build.log)"
}

lay_out()
{
	release=$(make -s -C src kernelrelease)
	make -s -C src modules_install INSTALL_MOD_PATH="$new" >>build.log 2>&1 ||
		die "cannot install the modules: $(tail -n 1 build.log)"
	rm -f "lib/modules/$release/build" "lib/modules/$release/source"
	ln -s "lib/modules/$release" modules
	ln -s src headers
	cp src/arch/x86/boot/bzImage vmlinuz
	# With KASAN in it, it cannot be entered by PVH. QEMU takes either image for a kernel.
	ln -s vmlinuz vmlinux
	echo "$release" >version
}

mkdir -p "$top/build/kernels"
exec 9>"$top/build/kernels/.lock"
flock 9
[ ! -e "$out/version" ] || [ "$config" -nt "$out/version" ] || exit 0
scripts/deps.sh kernels debug-kernel
rm -rf "$new"
mkdir -p "$new"
cd "$new"
source_tree
configure
build
lay_out
cd "$top"
rm -rf "$out"
mv "$new" "$out"
