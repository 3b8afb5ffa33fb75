#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Checks docs/conformance.md against a log of the unit tests: every row names a test, and
# every test that the page names ran and passed.
# usage: scripts/conformance.sh [BUILD]       a build directory, default build/asan
#        scripts/conformance.sh --self-test   that it finds what it should
set -eu
cd "$(dirname "$0")/.."

# judge PAGE LOG
judge()
{
	awk '
	FNR == NR {
		if (!match($0, /"name": "[^"]*"/))
			next
		name = substr($0, RSTART + 9, RLENGTH - 10)
		sub(/.* /, "", name)
		n = split($0, part, /\\n/)
		for (i = 1; i <= n; i++)
			if (match(part[i], /\[ +OK \] test_[a-z0-9_]+$/)) {
				sub(/.*\] /, "", part[i])
				ran["test_" name ".c:" part[i]] = 1
			}
		next
	}
	{
		found = 0
		for (rest = $0; match(rest, /test_[a-z0-9_]+\.c:test_[a-z0-9_]+/); \
		     rest = substr(rest, RSTART + RLENGTH)) {
			test = substr(rest, RSTART, RLENGTH)
			found = 1
			if (!(test in ran)) {
				print "not ok - line " FNR ": no test " test " ran and passed"
				failed = 1
			}
		}
	}
	/^\| [A-Z]+[0-9]+ \|/ {
		split($0, cell, / *\| */)
		if (cell[2] in rows || !found) {
			print "not ok - line " FNR ": " \
				(found ? "row " cell[2] " is there twice" : "row " cell[2] " names no test")
			failed = 1
		}
		rows[cell[2]] = 1
		count++
	}
	END {
		if (!count) {
			print "not ok - the page has no rows"
			failed = 1
		}
		if (!failed)
			print "ok - " count " rows, each with a test that ran"
		exit failed
	}' "$2" "$1"
}

self_test()
{
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	# No echo: some shells' turns \n into a line's end.
	cat >"$dir/log" <<'LOG'
{"name": "pviommu:unit / a", "stdout": "[ RUN ] test_x\n[       OK ] test_x\n[  FAILED  ] test_y\n"}
LOG
	# expect GOOD|BAD LINE...
	expect()
	{
		want=$1
		shift
		printf '%s\n' "$@" >"$dir/page"
		if judge "$dir/page" "$dir/log" >/dev/null; then got=good; else got=bad; fi
		[ $want = $got ] || {
			echo "not ok - '$*' should be $want"
			exit 1
		}
	}
	expect good '| A1 | MUST | x | test_a.c:test_x |'
	expect bad '| A1 | MUST | x | test_a.c:test_y |'
	expect bad '| A1 | MUST | x | test_b.c:test_x |'
	expect bad '| A1 | MUST | x | |'
	expect bad '| A1 | MUST | x | test_a.c:test_x, test_a.c:test_gone |'
	expect bad '| A1 | MUST | x | test_a.c:test_x |' '| A1 | MUST | x | test_a.c:test_x |'
	expect bad '| A1 | MUST | x | test_a.c:test_x |' 'and test_a.c:test_gone'
	expect bad 'no rows'
	echo "ok - self-test"
}

case ${1-} in
--self-test) self_test ;;
*)
	log=${1:-build/asan}/meson-logs/testlog.json
	[ -f "$log" ] || {
		echo "conformance.sh: there is no $log: run the tests first (tests/check asan)" >&2
		exit 2
	}
	judge docs/conformance.md "$log"
	;;
esac
