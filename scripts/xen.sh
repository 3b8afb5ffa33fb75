#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Downloads Debian's Xen hypervisor and toolstack and unpacks them under build/xen; installs
# nothing.
# usage: scripts/xen.sh
#
# build/xen/{xen.elf,version,root}: xen.elf is the hypervisor as QEMU loads it, root a tree
# with the toolstack (xl, xenstored, xenconsoled) and the libraries that it needs.
set -eu
cd "$(dirname "$0")/.."
scripts=$(pwd)/scripts
out=$(pwd)/build/xen
release=4.17
packages="xen-hypervisor-$release-amd64 xen-utils-$release xen-utils-common xenstore-utils
libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxenhypfs1
libxenmisc$release libxenstore4 libxentoolcore1 libxentoollog1 libyajl2 libfdt1"

die()
{
	echo "xen.sh: $*" >&2
	exit 1
}

mkdir -p "$out"
exec 9>"$out/.lock"
flock 9
[ ! -e "$out/xen.elf" ] || exit 0
rm -rf "$out/.new"
mkdir -p "$out/.new/root"
cd "$out/.new"
"$scripts/download.sh" $packages
for deb in *.deb; do
	dpkg -x "$deb" root
done
ls xen-hypervisor-*.deb | sed 's/^[^_]*_\([^_]*\)_.*/\1/' >version
zcat "root/boot/xen-$release-amd64.gz" >xen.elf || die "cannot unpack the hypervisor"
rm -rf ./*.deb root/usr/share root/boot
mv root version "$out/"
# Last: it says that all is there.
mv xen.elf "$out/"
cd "$out"
rm -rf .new
