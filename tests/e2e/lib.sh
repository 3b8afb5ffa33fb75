# SPDX-License-Identifier: BSD-2-Clause
# What the scenarios share. A scenario sources it as . "$PVI_SCENARIO_DIR/lib.sh".
# Checks are counted; finish() ends the scenario with 1 if any failed.
cr=$(printf '\r')
passed=0
failed=0

say() { echo "-- $*"; }

check() { # WHAT COMMAND...
	what=$1
	shift
	if "$@" >/dev/null 2>&1; then
		passed=$((passed + 1))
		echo "ok - $what"
	else
		failed=$((failed + 1))
		echo "not ok - $what ($*)"
	fi
}

equal() { # WHAT GOT WANTED
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
		echo "ok - $1: $2"
	else
		failed=$((failed + 1))
		echo "not ok - $1: got '$2', wanted '$3'"
	fi
}

finish() {
	echo "$0: $passed ok, $failed failed"
	[ $failed = 0 ] && [ $passed -gt 0 ]
	exit
}

# Copies a guest's console from stdin to a log, shows its steps, and calls
# on_line TEXT (which the scenario defines) for each line "PVI TEXT".
console() { # LOG
	while IFS= read -r line; do
		line=${line%"$cr"}
		echo "$line" >>"$1"
		case $line in
		"PVI step="*) echo "   guest: ${line#PVI step=}" ;;
		esac
		case $line in
		"PVI "*) on_line "${line#PVI }" ;;
		esac
	done
}

# Waits until a process is dead (a zombie is), at most SECONDS.
gone() { # PID SECONDS
	n=0
	while readlink "/proc/$1/exe" >/dev/null; do
		n=$((n + 1))
		[ $n -le $(($2 * 10)) ] || return 1
		usleep 100000
	done
}

# The process of the simulated disk that has the image open.
device_of() { # IMAGE
	for pid in $(pidof pviommu-blk); do
		for fd in /proc/"$pid"/fd/*; do
			case $(readlink "$fd") in */"$1") echo "$pid" ;; esac
		done
	done
}

# Starts the hostile device on hostile.sock; sets $hostile.
start_hostile() { # LOG [MODE]
	rm -f hostile.sock
	pviommu-hostile --socket hostile.sock --mode "${2:-dma}" 2>"$1" &
	hostile=$!
	until [ -S hostile.sock ]; do
		kill -0 $hostile || {
			echo "the hostile device did not start" >&2
			exit 1
		}
		usleep 100000
	done
}

# A number out of a stats file: the first "KEY": N after the first match of AFTER.
stat_of() { # FILE AFTER KEY
	tr ',{}' '\n\n\n' <"$1" | awk -v after="$2" -v key="\"$3\"" '
		index($0, after) { on = 1 }
		on && index($0, key) { sub(/.*: */, ""); print; exit }'
}

# Ends the VM with this PID once FILE has not grown for so long, for then its guest hangs; leaves a
# file "hung". To be run in the background, and killed when the VM has ended.
end_silent() { # FILE SECONDS PID
	was= n=0
	while [ $n -lt "$2" ]; do
		sleep 1
		now=$(wc -c <"$1")
		n=$((n + 1))
		[ "$now" = "$was" ] || n=0
		was=$now
	done
	: >hung
	kill "$3" # the power button
	sleep 1
	kill "$3" # the end
}
