# SPDX-License-Identifier: BSD-2-Clause
# What bench/assign makes a card and a disk do, in a guest and without one.
PEER=10.9.0.1
OURS=10.9.0.2
# Whose frames no card on the cable takes: nothing is spent on their arrival.
NOBODY=10.9.0.9

# Is any of them the card's?
network() { # LOADS
	case $1 in
	*udp-* | *tcp-*) ;;
	*) return 1 ;;
	esac
}

card_up() { # CARD
	ip link set "$1" up
	ip addr add $OURS/24 dev "$1"
	n=0
	until [ "$(cat "/sys/class/net/$1/carrier")" = 1 ]; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		usleep 100000
	done
	arp -i "$1" -s $NOBODY 02:00:00:00:00:99
	ping -c 1 -W 5 $PEER >/dev/null
}

# Messages of a pass: enough for a figure, few enough for an emulated machine. In a stream many
# small ones are one packet.
count_of() { # KIND BYTES
	case $1 in
	tcp-*) [ "$2" -gt 1024 ] || {
		echo 2048
		return
	} ;;
	read | write)
		echo $(($2 > 4096 ? 128 : 256))
		return
		;;
	esac
	if [ "$2" -le 1024 ]; then
		echo 512
	else
		echo $((1048576 / $2))
	fi
}

# What goes before is the same for all, but for a guest that keeps its mappings (MOST=24): there it
# goes on while there are new ones. A datagram holds at most 65507 bytes.
MOST=0
WARM_NET=5
WARM_DISK=3
# A load is KIND:BYTES.
run_load() { # LOAD CARD DISK PASSES
	kind=${1%:*}
	bytes=${1#*:}
	count=$(count_of "$kind" "$bytes")
	case $kind in
	udp-send)
		[ "$bytes" -le 65507 ] || bytes=65507
		assign-load -i "$2" -w $WARM_NET -m $MOST -c "$count" -p "$4" "$1" \
			udp-send "$bytes" $NOBODY
		;;
	udp-recv)
		[ "$bytes" -le 65507 ] || bytes=65507
		assign-load -i "$2" -w $WARM_NET -m $MOST -c "$count" -p "$4" "$1" \
			udp-recv "$bytes" $PEER
		;;
	tcp-*)
		assign-load -i "$2" -w $WARM_NET -m $MOST -c "$count" -p "$4" "$1" \
			"$kind" "$bytes" $PEER
		;;
	read | write) assign-load -w $WARM_DISK -m $MOST \
		-c "$count" -p "$4" "$1" "$kind" "$bytes" "$3" ;;
	esac
}

run_loads() { # LOADS CARD DISK PASSES
	for l in $(echo "$1" | tr , ' '); do
		run_load "$l" "$2" "$3" "$4" || return 1
	done
}

wait_disk() {
	n=0
	until [ -b /dev/nvme0n1 ]; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		usleep 100000
	done
}
