#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The library as another project finds it: installed, through pkg-config, in C and in C++,
# with no symbol but the versioned ones.
# usage: tests/embed.sh BUILD
set -eu
cd "$(dirname "$0")/.."
build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

bad()
{
	echo "not ok - $1"
	exit 1
}

DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >"$root/log" 2>&1 || {
	cat "$root/log"
	bad "install"
}
pc=$(find "$root" -name pviommu.pc)
so=$(find "$root" -name libpviommu.so)
[ -n "$pc" ] && [ -n "$so" ] || bad "pviommu.pc and libpviommu.so are installed"
PKG_CONFIG_LIBDIR=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
flags=$(pkg-config --cflags --libs pviommu)

# What is said after embed.c matters to the linker.
cc -std=c11 -pedantic -Wall -Wextra -Wno-unused-parameter -Werror -o "$root/embed" \
	examples/embed.c $flags || bad "examples/embed.c compiles with: $flags"
LD_LIBRARY_PATH=$(dirname "$so") "$root/embed" >"$root/out" || {
	cat "$root/out"
	bad "examples/embed.c runs on the installed library"
}
echo "ok - examples/embed.c on the installed library"

for header in include/pviommu/*.h; do
	name=pviommu/${header##*/}
	for lang in 'c++ -std=c++11' 'c -std=c99'; do
		echo "#include <$name>" | cc -x $lang -pedantic -Wall -Wextra -Werror -fsyntax-only \
			$(pkg-config --cflags pviommu) - || bad "$name stands alone in ${lang%% *}"
	done
	# Every call that a header declares is exported.
	sed -n 's/^[a-z].*[ *]\(pvi_[a-z_0-9]*\)(.*/\1/p' "$header"
done >"$root/declared"
echo "ok - every header stands alone in C99 and C++11"

nm -D --defined-only "$so" | sed -n 's/.* T //p' >"$root/exported"
grep -v '@@PVIOMMU_0\.1$' "$root/exported" && bad "a symbol without a version (above)"
sed 's/@@.*//' "$root/exported" | sort >"$root/exported.names"
sort -u "$root/declared" | diff - "$root/exported.names" ||
	bad "what is declared (<) and what is exported (>)"
echo "ok - $(wc -l <"$root/exported") symbols, all versioned and declared"

# No logging, no aborting, no state of its own.
if nm -D --undefined-only "$so" |
	grep -E ' (printf|fprintf|puts|perror|syslog|abort|exit|__assert_fail)(@|$)'; then
	bad "the library logs or aborts (above)"
fi
if size -A "$build/lib/libpviommu.a" "$build/core/libpvicore.a" |
	grep -E '^\.(data|bss)(\.[^r][^ ]*)? +[1-9]'; then
	bad "the library has writable global state (above)"
fi
echo "ok - no logging, no aborting, no writable globals"
