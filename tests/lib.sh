# What the cluster tests share: hosts in network namespaces on one switch,
# agents on them, waiting with deadlines, and a clean end.  Sourced by bash.
#
# A test's hosts are node1 (10.0.0.2), node2 (10.0.0.3), ... ; their names are
# in each other's /etc/hosts.  Namespaces separate networks, not files, so every
# node has its own data, run and log directory under $T.

set -u

[ "$(id -u)" -eq 0 ] || {
	echo "SKIPPED $0: namespaces need root"
	exit 0
}

# In a plain chroot the root is no mount point, which `ip netns exec` needs:
# make it one, for this test alone.
if ! mountpoint -q /; then
	unshare -m --propagation unchanged sh -c '
		d=$(mktemp -d) && mount --rbind / "$d" && mount --make-rprivate "$d" || exit 1
		chroot "$d" sh -c "cd \"\$1\" && exec \"\$2\"" sh "$1" "$2"
		rc=$?
		umount -R -l "$d" && rmdir "$d"
		exit $rc' sh "$OLDPWD" "$0"
	exit
fi

BUILD=${BUILD:-build}
BIN=$(cd "$BUILD/bin" && pwd) || exit 1
T=$(mktemp -d "${TMPDIR:-/tmp}/disco-test.XXXXXX")
chmod 755 "$T"
TAG=d$$
NODES=
MADE_HOSTS=
FAILED=0
COUNT=0
START=$(date +%s)

# ---- verdicts ----

say() { printf '# %s\n' "$*"; }
pass() { COUNT=$((COUNT + 1)); echo "ok $COUNT - $*"; }
fail() { COUNT=$((COUNT + 1)); FAILED=1; echo "not ok $COUNT - $*"; }

# check DESCRIPTION COMMAND...: once.
check() {
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then pass "$what"; else fail "$what"; printf '%s\n' "$out" | sed 's/^/#   /' | head -n 20; fi
}

# within SECONDS DESCRIPTION COMMAND...: until it succeeds.
within() {
	local end=$(($(date +%s%N) + $1 * 1000000000)) what=$2 out
	shift 2
	while :; do
		if out=$("$@" 2>&1); then pass "$what"; return 0; fi
		[ "$(date +%s%N)" -lt "$end" ] || break
		sleep 0.1
	done
	fail "$what"
	printf '%s\n' "$out" | sed 's/^/#   /' | head -n 20
	return 1
}

# always SECONDS DESCRIPTION COMMAND...: it succeeds the whole time.
always() {
	local end=$(($(date +%s%N) + $1 * 1000000000)) what=$2 out
	shift 2
	while [ "$(date +%s%N)" -lt "$end" ]; do
		if ! out=$("$@" 2>&1); then
			fail "$what"
			printf '%s\n' "$out" | sed 's/^/#   /' | head -n 20
			return 1
		fi
		sleep 0.2
	done
	pass "$what"
}

# ---- the network ----

ns() { echo "$TAG$1"; }
ip_of() { echo "10.0.0.$((${1#node} + 1))"; }

net_up() { # COUNT
	local i n
	# A host's own file is laid over this one; the barest system has none.
	[ -e /etc/hosts ] || { : >/etc/hosts; MADE_HOSTS=yes; }
	ip netns add "${TAG}sw" || exit 1
	ip netns exec "${TAG}sw" ip link add br0 type bridge
	ip netns exec "${TAG}sw" ip link set br0 up
	for i in $(seq 1 "$1"); do
		n=node$i
		NODES="$NODES $n"
		ip netns add "$(ns "$n")" || exit 1
		ip link add "$TAG$i" netns "${TAG}sw" type veth peer name eth0 netns "$(ns "$n")" || exit 1
		ip netns exec "${TAG}sw" ip link set "$TAG$i" master br0 up
		ip -n "$(ns "$n")" addr add "$(ip_of "$n")/24" dev eth0
		ip -n "$(ns "$n")" link set eth0 up
		ip -n "$(ns "$n")" link set lo up
		mkdir -p "/etc/netns/$(ns "$n")" "$T/$n"
		chmod 755 "$T/$n"
	done
	for n in $NODES; do
		{
			echo "127.0.0.1 localhost"
			echo "::1 localhost"
			for i in $NODES; do echo "$(ip_of "$i") $i"; done
		} >"/etc/netns/$(ns "$n")/hosts"
		[ ! -e /etc/resolv.conf ] || : >"/etc/netns/$(ns "$n")/resolv.conf"
		echo "{}" >"$T/$n/consul.json"
	done
}

on() { # NODE COMMAND...
	local n=$1
	shift
	ip netns exec "$(ns "$n")" "$@"
}

cleanup() {
	local n
	for n in $NODES sw; do
		ip netns pids "$TAG$n" 2>/dev/null | xargs -r kill -9 2>/dev/null
	done
	for n in $NODES sw; do
		ip netns del "$TAG$n" 2>/dev/null
		rm -rf "/etc/netns/$TAG$n"
	done
	[ -z "$MADE_HOSTS" ] || rm -f /etc/hosts
	if [ -n "${KEEP:-}" ]; then echo "# kept: $T"; else rm -rf "$T"; fi
}
trap cleanup EXIT
trap 'exit 1' INT TERM

finish() {
	# What a sanitized build has to say is in a daemon's log.
	if grep -l 'AddressSanitizer\|runtime error:' "$T"/*/log/*.log "$T"/*/discod.out 2>/dev/null; then
		fail "no sanitizer report in a log"
	fi
	if [ "$FAILED" -ne 0 ]; then
		for f in "$T"/*/log/*.log "$T"/*/consul.log "$T"/*/serf.log; do
			[ -s "$f" ] && { echo "# --- ${f#"$T"/}"; tail -n "${LOGLINES:-15}" "$f" | cut -c1-300 | sed 's/^/#   /'; }
		done
	fi
	echo "# $0: $COUNT checks, $(($(date +%s) - START)) s, $([ "$FAILED" -eq 0 ] && echo passed || echo FAILED)"
	exit "$FAILED"
}

# ---- agents ----

# agent NODE ARGS...: starts discod as the walk-through does, detached.
agent() {
	local n=$1 d
	shift
	d=$T/$n
	mkdir -p "$d/log"
	on "$n" "$BIN/discod" -node "$n" -advertise "$(ip_of "$n")" -data-dir "$d/data" \
	    --config-file "$d/consul.json" -run-dir "$d/run" -log-file "$d/log/" \
	    "$@" >>"$d/discod.out" 2>&1 || { fail "$n: discod starts"; cat "$d/discod.out" | sed 's/^/#   /'; return 1; }
}
server() { local n=$1; shift; agent "$n" -server -bootstrap-expect=1 "$@"; }
client() { local n=$1; shift; agent "$n" -join node1 "$@"; }

pid_of() { cat "$T/$1/run/discod.pid" 2>/dev/null; }
# Pid of one child on a node.
child_pid() { # NODE PROGRAM
	local p
	p=$(pid_of "$1") || return 1
	pgrep -P "$p" -x "$2" | head -n 1
}
stopped() { ! kill -0 "$1" 2>/dev/null; }
# Has the discod of a node ended?  By its directory: another test's nodes have the same names.
ended() { ! pgrep -f "^$BIN/discod .*-data-dir $T/$1/data " >/dev/null; }
# stop_agent NODE [SIGNAL]: and waits until it is gone.
stop_agent() {
	local p i
	p=$(pid_of "$1")
	[ -n "$p" ] || { fail "$1: has a pid file"; return 1; }
	kill -"${2:-TERM}" "$p"
	for i in $(seq 1 250); do
		stopped "$p" && return 0
		sleep 0.1
	done
	fail "$1: stops on ${2:-TERM} within 25 s"
	return 1
}
# As a crash of the whole host: every process of the node's suite at once.
crash_agent() {
	local p
	p=$(pid_of "$1")
	kill -9 "$p" $(pgrep -P "$p")
}

# run_on NODE LOG COMMAND...: a real program in the background; its pid in $!.
run_on() {
	local n=$1 log=$2
	shift 2
	(cd "$T/$n" && exec ip netns exec "$(ns "$n")" "$@") >>"$T/$n/$log" 2>&1 &
	disown		# or bash reports how it ended
}

# ---- asking ----

ctl() { local n=$1; shift; on "$n" "$BIN/discoctl" "$@"; }
digq() { local n=$1; shift; on "$n" dig +time=2 +tries=1 @127.0.0.1 -p 8600 "$@"; }
# index_of NODE PATH: the index that a read is answered with.
index_of() { on "$1" curl -s -D - -o /dev/null "http://127.0.0.1:8500$2" | tr -d '\r' | awk -F': ' 'tolower($1) == "x-consul-index" { print $2 }'; }
# asking NODE: has somebody asked its API and no answer yet?
asking() { on "$1" ss -tnH state established '( sport = :8500 )' | awk '$1 == 0 { n++ } END { exit !n }'; }
http() { local n=$1; shift; on "$n" curl -s -m 5 "http://127.0.0.1:8500$1"; }

# members NODE: "node1 alive server" lines.
members() { ctl "$1" members | awk 'NR > 1 { print $1, $3, $4 }'; }
member_is() { # VIEWER NODE STATUS
	members "$1" | grep -q "^$2 $3 " || { members "$1"; return 1; }
}
# Are the addresses of a name exactly these (any order)?
dns_is() { # VIEWER NAME [ADDRESS...]
	local n=$1 name=$2 got want
	shift 2
	got=$(digq "$n" "$name" +short | sort | tr '\n' ' ')
	want=$(printf '%s\n' "$@" | sort | tr '\n' ' ')
	[ $# -gt 0 ] || want=
	[ "$got" = "$want" ] || { echo "got '$got', want '$want'"; return 1; }
}
leader_of() { # VIEWER: the node that leads, or nothing
	local a
	a=$(http "$1" /v1/status/leader | sed 's/^"10\.0\.0\.\([0-9]*\):8300"$/\1/')
	case $a in ''|*[!0-9]*) return 1 ;; esac
	echo "node$((a - 1))"
}
one_leader() { # NODES...: all name the same, which is one of them
	local n l first=
	for n in "$@"; do
		l=$(leader_of "$n") || { echo "$n: no leader"; return 1; }
		[ "${first:=$l}" = "$l" ] || { echo "$n: $l, others $first"; return 1; }
	done
	case " $* " in *" $first "*) ;; *) echo "leader is $first"; return 1 ;; esac
}
others() { # NODE AMONG...: those that are not it
	local n=$1 m
	shift
	for m in "$@"; do [ "$m" = "$n" ] || printf '%s ' "$m"; done
}
web_json() { # the service and check of the walk-through
	cat <<'J'
{
  "services": [
    { "id": "web", "name": "web", "port": 8080 }
  ],
  "checks": [
    { "id": "web", "name": "web", "service_id": "web", "http": "http://localhost:8080/", "interval": "5s", "timeout": "5s" }
  ]
}
J
}
