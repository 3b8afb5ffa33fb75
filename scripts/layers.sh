#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Checks that no part of the tree reaches up or across its layer:
#   core <- lib <- vmm; devices: core and their runtime; guest: core only.
# usage: scripts/layers.sh [TREE]        prints FILE:LINE: what, and fails, for each violation
#        scripts/layers.sh --self-test   that it finds one of each kind, and only those
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)

# Reads "FILE:LINE:TEXT" of every include and every meson dependency.
judge()
{
	awk '
	function bad(what) { print file ":" number ": " what; failed = 1 }

	function include(path, quoted,   from, to, own, other) {
		if (!quoted && path !~ /^(pviommu|core|lib|vmm|devices|guest|tests|bench)\//)
			return
		if (path ~ /(^|\/)\.\.\//) { bad("includes by a relative path: " path); return }
		if (quoted && path !~ /\//)
			return
		from = layer(file)
		to = path ~ /^pviommu\// ? "include" : layer(path)
		if (index(allowed[from], " " to " ") == 0) {
			bad(from " must not include " path)
			return
		}
		# A device sees its own folder and the runtime; a module its own folder.
		own = folder(file)
		other = folder(path)
		if ((from == "devices" || from == "guest") && to == from && other != own &&
		    other != "runtime")
			bad(from "/" own " must not include " path)
	}

	function layer(path) { sub(/\/.*/, "", path); return path }
	function folder(path) { sub(/^[^\/]*\//, "", path); sub(/\/.*/, "", path); return path }

	BEGIN {
		allowed["core"] = " core "
		allowed["include"] = " include core "
		allowed["lib"] = " lib include core "
		allowed["vmm"] = " vmm include core "
		allowed["devices"] = " devices core "
		allowed["guest"] = " guest core "
		forbidden["core"] = "(lib|pviommu|vmm|runtime|devices?)_dep"
		forbidden["lib"] = "(vmm|runtime|devices?)_dep"
		forbidden["vmm"] = "(runtime|devices?)_dep"
		forbidden["devices"] = "(lib|pviommu|vmm)_dep"
	}
	{
		match($0, /:[0-9]+:/)
		file = substr($0, 1, RSTART - 1)
		number = substr($0, RSTART + 1, RLENGTH - 2)
		text = substr($0, RSTART + RLENGTH)
	}
	file ~ /meson\.build$/ {
		rule = forbidden[layer(file)]
		if (rule != "" && match(text, "(^|[^a-z_])" rule))
			bad(layer(file) " must not link" substr(text, RSTART, RLENGTH))
		next
	}
	text ~ /__KERNEL__/ && layer(file) == "core" {
		if (file != "core/types.h")
			bad("__KERNEL__ belongs into core/types.h alone")
		next
	}
	match(text, /["<][^">]+[">]/) {
		include(substr(text, RSTART + 1, RLENGTH - 2), substr(text, RSTART, 1) == "\"")
	}
	END { exit failed }'
}

check()
(
	cd "$1"
	for top in core include lib vmm devices guest; do
		[ -d $top ] || continue
		find $top -name '*.[ch]' -exec \
			grep -HnE '^[[:space:]]*#[[:space:]]*(include|if.*__KERNEL__)' {} +
		find $top -name meson.build -exec grep -HnE '_dep\>' {} +
	done | judge
)

self_test()
{
	tree=$(mktemp -d)
	trap 'rm -rf "$tree"' EXIT
	number=0
	# good FILE LINE, bad FILE LINE: a tree with this one line in it
	one()
	{
		expect=$1
		number=$((number + 1))
		rm -rf "${tree:?}/t"
		mkdir -p "$tree/t/$(dirname "$2")"
		printf '/* first */\n%s\n' "$3" >"$tree/t/$2"
		if out=$(check "$tree/t"); then got=good; else got=bad; fi
		if [ $expect != $got ]; then
			echo "layers.sh: '$3' in $2 should be $expect"
			exit 1
		fi
		case $expect:$out in
		good: | bad:"$2:2: "*) ;;
		*)
			echo "layers.sh: for '$3' in $2 it says '$out'"
			exit 1
			;;
		esac
	}
	one good core/a.c '#include "core/a.h"'
	one good core/a.c '#include <string.h>'
	one good core/types.h '#ifdef __KERNEL__'
	one bad core/a.h '#ifdef __KERNEL__'
	one bad core/a.c '#if defined(__KERNEL__)'
	one bad core/a.c '#include "lib/a.h"'
	one bad core/a.c '#include <pviommu/iommu.h>'
	one bad core/a.c ' # include "../vmm/a.h"'
	one good lib/a.c '#include <pviommu/iommu.h>'
	one good lib/a.c '#include "core/a.h"'
	one good lib/a.c '#include "priv.h"'
	one bad lib/a.c '#include "vmm/a.h"'
	one bad lib/a.c '#include "devices/runtime/a.h"'
	one bad include/pviommu/a.h '#include "lib/a.h"'
	one good vmm/a.c '#include "core/a.h"'
	one good vmm/a.c '#include <pviommu/iommu.h>'
	one bad vmm/a.c '#include "lib/a.h"'
	one bad vmm/a.c '#include <devices/runtime/a.h>'
	one bad vmm/a.c '#include "tests/unit/a.h"'
	one good devices/blk/a.c '#include "devices/runtime/a.h"'
	one good devices/blk/a.c '#include "devices/blk/a.h"'
	one bad devices/blk/a.c '#include "devices/net/a.h"'
	one bad devices/blk/a.c '#include <pviommu/iommu.h>'
	one bad devices/blk/a.c '#include "vmm/a.h"'
	one good guest/pviommu/a.c '#include "core/a.h"'
	one good guest/pviommu/a.c '#include <linux/pci.h>'
	one bad guest/pviommu/a.c '#include "lib/a.h"'
	one bad guest/iosup/a.c '#include "guest/pviommu/a.h"'
	one good devices/meson.build 'executable(deps: [core_dep])'
	one bad devices/meson.build 'executable(deps: [core_dep, vmm_dep])'
	one bad lib/meson.build '  dependencies: vmm_dep)'
	one bad core/meson.build 'dependencies: pviommu_dep'
	echo "layers.sh: $number self-tests passed"
}

case ${1-} in
--self-test) self_test ;;
*) check "${1:-$here}" ;;
esac
