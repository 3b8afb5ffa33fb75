#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Checks every file of the tree: licence line, format, length, shell syntax.
# usage: scripts/style.sh       prints what is wrong and where, and fails
set -eu
cd "$(dirname "$0")/.."
failed=0

bad()
{
	echo "not ok - $1"
	failed=1
}

# Files as git knows them, so that a build or an editor's leftovers do not count.
files()
{
	git ls-files -co --exclude-standard -- "$@" | while read -r f; do
		[ ! -f "$f" ] || echo "$f"
	done
}

# Who may carry which licence.
licence_of()
{
	case $1 in
	*/meson.build) echo 'BSD-2-Clause' ;;
	core/*) echo 'GPL-2.0-only OR BSD-2-Clause' ;;
	tests/attack/attack_regs.h) echo 'GPL-2.0-only OR BSD-2-Clause' ;;
	guest/*) echo 'GPL-2.0-only' ;;
	# Modules and programs side by side.
	bench/iommu/Kbuild | bench/iommu/costs.c) echo 'GPL-2.0-only' ;;
	tests/guest/*) echo '(GPL-2.0-only|BSD-2-Clause)' ;;
	*) echo 'BSD-2-Clause' ;;
	esac
}

licences()
{
	files '*.[ch]' '*.py' '*.sh' '*.rs' '*meson.build' '*Kbuild' Makefile 'scripts/*' '.ci/*' \
		tests/check testbed/run testbed/mkinitrd testbed/payload |
		sort -u | while read -r f; do
		case $f in
		*.md) continue ;;
		esac
		want=$(licence_of "$f")
		head -2 "$f" | grep -qE "SPDX-License-Identifier: $want( \*/)?\$" ||
			echo "$f:1: the first line must say SPDX-License-Identifier: $want"
	done
}

lengths()
{
	files '*.[ch]' '*.py' '*.sh' | xargs -r wc -l |
		awk '$2 != "total" && $1 > 700 { print $2 ": " $1 " lines; 700 is the most" }'
}

format()
{
	files '*.[ch]' | xargs -r clang-format-14 --dry-run -Werror 2>&1 |
		grep -E '(error|warning):' || true
}

shells()
{
	files | while read -r f; do
		if head -1 "$f" | grep -q '^#!/bin/sh'; then
			sh -n "$f" 2>&1 || true
			[ -x "$f" ] || case $f in
			*init* | tests/e2e/*) ;;
			*) echo "$f: is a command, but not executable" ;;
			esac
		fi
	done
}

for check in licences lengths format shells; do
	found=$($check)
	if [ -n "$found" ]; then
		echo "$found"
		bad "$check"
	else
		echo "ok - $check"
	fi
done
exit $failed
