#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What packaging/ holds works with Debian's own tools, of which nothing is installed: dkms builds
# the module, as a package would have it; and the hook of initramfs-tools, run by that package's
# functions, brings the module and what it needs, in the order in which they are to be loaded.
# usage: tests/e2e-qemu/packaging.sh
# Needs build/kernels/6.1 (make kernels).
set -eu
cd "$(dirname "$0")/../.."
top=$PWD
tools=$top/build/packaging
version=$(cat build/kernels/6.1/version)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
ok()
{
	what=$1
	shift
	if "$@"; then echo "ok - $what"; else
		echo "not ok - $what"
		exit 1
	fi
}

# The packages, unpacked; once.
fetch()
{
	mkdir -p "$tmp/debs"
	(cd "$tmp/debs" && "$top/scripts/download.sh" dkms initramfs-tools-core) >"$tmp/apt" 2>&1 ||
		return 1
	mkdir -p "$tmp/tools"
	for deb in "$tmp"/debs/*.deb; do dpkg -x "$deb" "$tmp/tools"; done
	rm -rf "$tools"
	mv "$tmp/tools" "$tools"
}
[ -x "$tools/usr/sbin/dkms" ] || fetch || {
	tail -n 1 "$tmp/apt"
	echo "skip - packaging: dkms and initramfs-tools-core cannot be had here (above)"
	exit 0
}

# As /usr/src/pviommu-VERSION would be.
release=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' packaging/dkms/dkms.conf)
source=$tmp/src/pviommu-$release
mkdir -p "$source/guest" "$tmp/dkms"
cp packaging/dkms/dkms.conf "$source"
cp -r core "$source"
cp -r guest/pviommu "$source/guest"
if ! bash "$tools/usr/sbin/dkms" build --dkmstree "$tmp/dkms" --sourcetree "$tmp/src" \
	--installtree "$tmp/installed" -m pviommu -v "$release" -k "$version/x86_64" \
	--kernelsourcedir "$(realpath build/kernels/6.1/headers)" >"$tmp/log" 2>&1; then
	cat "$tmp/log"
	tail -n 20 "$tmp/dkms/pviommu/$release/build/make.log" || true
	echo "not ok - dkms builds the module"
	exit 1
fi
module=$tmp/dkms/pviommu/$release/$version/x86_64/module/pviommu.ko
ok "dkms builds the module" [ -s "$module" ]
PATH=$PATH:/sbin:/usr/sbin
ok "for that kernel" [ "$(modinfo -F vermagic "$module" | cut -d ' ' -f 1)" = "$version" ]

# Where dkms would install it.
modules=$tmp/lib/modules/$version
mkdir -p "$modules/updates/dkms"
cp -r build/kernels/6.1/modules/. "$modules"
cp "$module" "$modules/updates/dkms/"
depmod -b "$tmp" "$version"

# The hook finds the functions and the modules where they are on a system that has them, in a
# mount namespace.
as_root=
[ "$(id -u)" = 0 ] || as_root=--map-root-user
# shellcheck disable=SC2016
unshare --mount $as_root sh -eu -c '
	tools=$1 tmp=$2 hook=$3 version=$4
	mount -t overlay overlay -o "lowerdir=$tools/usr/share:/usr/share" /usr/share
	mount -t overlay overlay -o "lowerdir=$tmp/lib:/usr/lib" /usr/lib
	DESTDIR=$tmp/initramfs verbose=n MODULESDIR=/lib/modules/$version
	export DESTDIR verbose version MODULESDIR
	mkdir -p "$DESTDIR/conf"
	[ -z "$(sh "$hook" prereqs)" ]
	sh "$hook"
' sh "$tools" "$tmp" "$top/packaging/initramfs-tools/pviommu" "$version" >"$tmp/log" 2>&1 || {
	cat "$tmp/log"
	echo "not ok - the hook runs"
	exit 1
}
find "$tmp/initramfs" -name '*.ko' | sed 's,.*/,,' | sort >"$tmp/found"
for name in pviommu virtio virtio_ring virtio_pci virtio_pci_modern_dev; do
	ok "the initramfs has $name.ko" grep -qx "$name.ko" "$tmp/found"
done
ok "and loads virtio_pci, then pviommu" \
	[ "$(tr '\n' ' ' <"$tmp/initramfs/conf/modules")" = "virtio_pci pviommu " ]
