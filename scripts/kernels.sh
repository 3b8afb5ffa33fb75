#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Downloads stock Debian kernels and unpacks them under build/kernels; installs nothing.
# usage: scripts/kernels.sh [6.1] [6.12] [forky]
#
# build/kernels/VERSION/{vmlinuz,vmlinux,modules,headers,version}:
# vmlinux is the bzImage's payload, modules the folder with modules.dep, headers a tree
# to build modules with (make -C build/kernels/6.1/headers M=...).
#
# forky is that release's current kernel. Its tools need a newer C library than this
# release's, so it has a folder more, root: what scripts/build-modules changes into. It is
# found through a configuration of apt of its own, at the mirror that this machine uses.
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
out=$top/build/kernels

die()
{
	echo "kernels.sh: $*" >&2
	exit 1
}

apt_updated=
# The package that a meta package stands for: depends META PATTERN
depends()
{
	found=$(apt-cache depends "$1" 2>/dev/null | sed -n "s/^ *Depends: \($2\)\$/\1/p" | tail -1)
	if [ -z "$found" ] && [ -z "$apt_updated" ]; then
		apt_updated=1
		"$top/scripts/download.sh" --lists
		depends "$@"
	fi
}

headers_of()
{
	headers=linux-headers-$1
	common=$(apt-cache depends "$headers" |
		sed -n 's/^ *Depends: \(linux-headers-.*-common\)$/\1/p')
	kbuild=$(apt-cache depends "$headers" | sed -n 's/^ *Depends: \(linux-kbuild-.*\)$/\1/p')
	[ -n "$common" ] && [ -n "$kbuild" ] || die "no package $headers: run apt-get update"
	echo "$headers $common $kbuild"
}

# The mirror that this machine's own apt takes Debian from, without its security archive.
mirror()
{
	apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian|//p' | head -1
}

# private_apt RELEASE FOLDER: all that apt does from here on is about RELEASE on an empty
# machine, and stays in FOLDER.
private_apt()
{
	uri=$(mirror)
	[ -n "$uri" ] || die "apt has no Debian mirror: see /etc/apt/sources.list"
	mkdir -p "$2/lists/partial" "$2/cache/archives/partial"
	: >"$2/status"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $1 main" \
		>"$2/sources.list"
	# What else there is of configuration (a proxy, say) holds here, too.
	cat >"$2/apt.conf" <<CONF
Dir::State "$2";
Dir::State::lists "$2/lists";
Dir::State::status "$2/status";
Dir::Cache "$2/cache";
Dir::Etc::sourcelist "$2/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
CONF
	[ "$(id -u)" != 0 ] || echo 'APT::Sandbox::User "root";' >>"$2/apt.conf"
	APT_CONFIG=$2/apt.conf
	export APT_CONFIG
	apt_updated=1
	echo "fetching the package lists of $1"
	apt-get -qq update || die "cannot fetch the package lists of $1 (above)"
}

# What runs Kbuild: the headers, the compiler that they name, and a shell's tools.
TOOLS='base-files dash bash coreutils sed grep mawk findutils diffutils make'

# build_root HEADERS APT-FOLDER: ./root with all of that and what it depends on. Nothing of it
# is configured; it is enough to change into.
build_root()
{
	echo "downloading $1 and the tools for it"
	apt-get -qq --no-install-recommends --download-only -y install "$1" $TOOLS ||
		die "cannot download $1 (above)"
	mkdir root
	echo "unpacking them"
	# It has the links /bin -> usr/bin, which must be there first.
	for deb in "$2"/cache/archives/base-files_*.deb "$2"/cache/archives/*.deb; do
		dpkg -x "$deb" root
	done
	ln -sf mawk root/usr/bin/awk
	rm -rf root/usr/share/doc root/usr/share/man root/usr/share/locale
}

# The packages expect to lie in /usr/src; let their Makefiles find each other where they are.
relocate_headers()
{
	cat >"usr/src/linux-headers-$1/Makefile" <<'MAKE'
here := $(dir $(realpath $(lastword $(MAKEFILE_LIST))))
include $(wildcard $(here)../linux-headers-*-common/Makefile)
MAKE
	ln -sfn "usr/src/linux-headers-$1" headers
}

unpack_vmlinux()
{
	python3 - "$1" "$2" <<'PYTHON'
import lzma, struct, subprocess, sys
image = open(sys.argv[1], 'rb').read()
# Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length
start = ((image[0x1f1] or 4) + 1) * 512 + struct.unpack_from('<I', image, 0x248)[0]
payload = image[start:start + struct.unpack_from('<I', image, 0x24c)[0]]
if payload[:6] == b'\xfd7zXZ\0':
    elf = lzma.LZMADecompressor().decompress(payload)
elif payload[:4] == b'\x28\xb5\x2f\xfd':
    # The payload ends with the uncompressed size, which is no part of the stream.
    elf = subprocess.run(['zstd', '-dcq'], input=payload[:-4], stdout=subprocess.PIPE,
                         check=True).stdout
else:
    sys.exit('neither an xz nor a zstd payload: %r' % payload[:6])
if elf[:4] != b'\x7fELF':
    sys.exit('the payload is no ELF file')
open(sys.argv[2], 'wb').write(elf)
PYTHON
}

# What an image's package is made of since Linux 7: the image, and its modules.
parts_of()
{
	apt-cache depends "$1" | sed -n 's/^ *Depends: \(linux-\(base\|binary\|modules\)-[0-9].*\)$/\1/p'
}

# find_image VERSION: sets found
find_image()
{
	case $1 in
	6.1) depends linux-image-amd64 'linux-image-6\.1\..*-amd64' ;;
	6.12) depends linux-image-6.12-amd64 'linux-image-6\.12.*-amd64'
		[ -n "$found" ] || depends linux-image-amd64 'linux-image-6\.12.*-amd64' ;;
	forky) private_apt forky "$PWD/apt"
		depends linux-image-amd64 'linux-image-[0-9].*-amd64' ;;
	*) die "no kernel '$1': give 6.1, 6.12 or forky" ;;
	esac
	[ -n "$found" ] || die "apt knows no Debian $1 kernel: it comes from bookworm \
(6.1), bookworm-security (6.12) and forky"
}

unpack()
{
	for deb in *.deb; do
		dpkg -x "$deb" .
		rm "$deb"
	done
	# Debug and boot-loader leftovers aside, only files that a guest or a build uses stay.
	rm -rf usr/share boot/System.map-*
	[ -d lib ] || ln -s usr/lib lib
}

# kernel VERSION: one version, unpacked aside and moved into place when complete
kernel()
{
	rm -rf "$out/.new-$1"
	mkdir -p "$out/.new-$1"
	cd "$out/.new-$1"
	find_image "$1"
	release=${found#linux-image-}
	if [ "$1" = forky ]; then
		"$top/scripts/download.sh" "$found" $(parts_of "$found")
		build_root "linux-headers-$release" "$PWD/apt"
		rm -r apt
		ln -s "root/usr/src/linux-headers-$release" headers
	else
		packages=$(headers_of "$release")
		"$top/scripts/download.sh" "$found" $packages
	fi
	echo "unpacking kernel $release"
	unpack
	for image in "lib/modules/$release/vmlinuz" "boot/vmlinuz-$release"; do
		[ ! -f "$image" ] || ln -sf "$image" vmlinuz
	done
	ln -s "lib/modules/$release" modules
	echo "$release" >version
	unpack_vmlinux vmlinuz vmlinux || die "cannot unpack the image of $release"
	rm -f modules/build modules/source
	PATH=$PATH:/sbin:/usr/sbin depmod -b . "$release"
	[ -e headers ] || relocate_headers "$release"
	cd "$top"
	rm -rf "${out:?}/$1"
	mv "$out/.new-$1" "$out/$1"
}

[ $# -gt 0 ] || set -- 6.1 6.12
missing=
for v; do
	[ -e "$out/$v/headers/Makefile" ] || missing="$missing $v"
done
[ -n "$missing" ] || exit 0
scripts/deps.sh kernels
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9
for v in $missing; do
	[ -e "$out/$v/headers/Makefile" ] || (kernel "$v")
done
