#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Installs the Debian packages that a part of the project needs and the machine lacks.
# usage: scripts/deps.sh GROUP...      does nothing when all is there
#        scripts/deps.sh --list GROUP...    prints the packages, installs nothing
set -eu

die()
{
	echo "deps.sh: $*" >&2
	exit 2
}

# A group's packages, and in one line what they are for.
group()
{
	case $1 in
	build)
		why='to build the programs'
		pkgs='gcc libc6-dev make meson ninja-build pkg-config python3 libseccomp-dev
		libjson-c-dev liblzma-dev libzstd-dev zlib1g-dev libcmocka-dev' ;;
	kernels)
		why='to unpack the guest kernels'
		pkgs='python3 kmod xz-utils zstd' ;;
	modules)
		why='to build the guest modules'
		pkgs='gcc-12 libc6-dev make libelf1 kmod' ;;
	testbed)
		why='to run guests where the machine itself cannot'
		pkgs='python3 qemu-system-x86 busybox-static e2fsprogs kmod zstd' ;;
	debug-kernel)
		why='to build a kernel with its checkers'
		pkgs='gcc-12 gcc libc6-dev make flex bison bc libelf-dev xz-utils' ;;
	check)
		why='to run the tests'
		pkgs='g++ clang libclang-rt-14-dev clang-format-14 acpica-tools sparse
		git' ;;
	bench-table)
		why='for the peers of the domain table, and plots'
		pkgs='libglib2.0-dev xz-utils gnuplot-nox' ;;
	*)
		die "no group '$1': give build, kernels, modules, debug-kernel, testbed, check or bench-table" ;;
	esac
}

list_only=
if [ "${1-}" = --list ]; then
	list_only=1
	shift
fi
[ $# -gt 0 ] || die 'no group given: give build, kernels, modules, debug-kernel, testbed, check or bench-table'

all=
for name; do
	group "$name"
	all="$all $pkgs"
done
if [ -n "$list_only" ]; then
	printf '%s\n' $all | sort -u
	exit 0
fi

command -v dpkg-query >/dev/null || die "this is not a Debian system (no dpkg-query): install \
what 'scripts/deps.sh --list $*' prints by other means"

have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $all 2>/dev/null |
	sed -n 's/^installed //p' | tr '\n' ' ') || true
missing=
for name; do
	group "$name"
	lack=
	for p in $pkgs; do
		case " $have $missing " in
		*" $p "*) ;;
		*) lack="$lack $p" ;;
		esac
	done
	[ -z "$lack" ] || echo "installing$lack ($why)"
	missing="$missing$lack"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null; then
	sudo='sudo'
else
	die "missing packages:$missing; install them as root, or install sudo"
fi

apt_get()
{
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# apt's own words matter only when it fails; a dot a second shows that it is alive.
quietly()
{
	apt_get "$@" >"$log" 2>&1 &
	job=$!
	while kill -0 $job 2>/dev/null; do
		printf .
		sleep 1
	done
	echo
	wait $job
}

installable()
{
	apt-get -qq -s --no-install-recommends install $missing >/dev/null 2>&1
}

if ! installable; then
	printf 'fetching the package lists '
	quietly update || {
		tail -5 "$log" >&2
		die 'apt-get update failed (above): check the network and the sources of apt'
	}
fi
printf 'installing '
if ! quietly -y --no-install-recommends install $missing; then
	# Lists that name a version which the mirror no longer has fail only here.
	printf 'that failed; once more with fresh package lists '
	quietly update || true
	printf 'installing '
	quietly -y --no-install-recommends install $missing || {
		tail -20 "$log" >&2
		die "apt-get could not install$missing (above)"
	}
fi
