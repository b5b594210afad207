# A datacenter of three servers of one kind with two agents of the other, for
# two minutes and more: what agents are for, while servers and agents are
# killed, leave and come back.  Sourced; SERVERS is `disco` or `consul`.
#
# A watcher at an agent and one at a server note each change of a check, of a
# member and of a row's ModifyIndex.  In the end that must be what the schedule
# below explains, and nothing else.

case $SERVERS in
disco)	AGENTS=consul SCMD=$BIN/discoctl ACMD=$CONSUL AGAIN='[23]' ;;
consul)	AGENTS=disco SCMD=$CONSUL ACMD=$BIN/discoctl AGAIN=2 ;;
esac
JOINS="-retry-join 10.0.0.2 -retry-join 10.0.0.3 -retry-join 10.0.0.4"
QUIET_S=${QUIET_S:-60}	# a leader reconciles within; agents sync fully within the whole

kind_of() { case $1 in node[123]) echo "$SERVERS" ;; *) echo "$AGENTS" ;; esac; }
cmd() { # NODE ARGS...: the command of that node's kind
	local n=$1
	shift
	case $(kind_of "$n") in disco) on "$n" "$BIN/discoctl" "$@" ;; *) on "$n" "$CONSUL" "$@" ;; esac
}
start() { # NODE
	local args=

	explained 20
	case $1 in node[123]) args="-server -bootstrap-expect=3" ;; esac
	if [ "$(kind_of "$1")" = disco ]; then
		agent "$1" $args $JOINS
	else
		consul_agent "$1" $args $JOINS
		echo "$CONSULPID" >"$T/$1/consul.pid"
	fi
}
kill9() { # NODE
	if [ "$(kind_of "$1")" = disco ]; then crash_agent "$1"; else kill -9 "$(cat "$T/$1/consul.pid")"; fi
}
has_ended() { # NODE
	if [ "$(kind_of "$1")" = disco ]; then ended "$1"; else stopped "$(cat "$T/$1/consul.pid")"; fi
}
# Errors are explained for so long after what was done to somebody.
explained() { # SECONDS
	local t=$(date +%s)
	echo "$((t - 1)) $((t + $1))" >>"$T/windows"
}
python3_web() { run_on "$1" web.log python3 -m http.server 8080; echo $! >"$T/$1/web.pid"; }

# ---- what is asked ----

check_is() { # NODE CHECKID STATUS
	like ".[] | select(.Node == \"$1\" and .CheckID == \"$2\") | .Status == \"$3\"" api "$VIEW" GET /v1/health/state/any
}
passing_are() { # SERVICE NODE...: by both kinds' HTTP
	local n s=$1
	shift
	for n in node4 $VIEW; do
		is "$*" sh -c "ip netns exec $(ns $n) curl -s '127.0.0.1:8500/v1/health/service/$s?passing' | jq -r '[.[].Node.Node] | sort | join(\" \")'" || return 1
	done
}
dns_are() { # NAME ADDRESS...: by both kinds' DNS
	dns_is node4 "$@" && dns_is "$VIEW" "$@"
}
srv_is() { # VIEWER NAME PORT TARGET
	is "1 1 $3 $4" digq "$1" "$2" SRV +short
}
members_are() { # VIEWER "NAME STATUS" COUNT
	is "$3" sh -c "ip netns exec $(ns "$1") $([ "$(kind_of "$1")" = disco ] && echo "$BIN/discoctl" || echo "$CONSUL") members | awk 'NR > 1 { print \$1, \$3 }' | grep -c '$2'"
}
fired_is() { # VIEWER NAME PAYLOAD
	like "any(.[]; .Name == \"$2\" and ((.Payload // \"\") | @base64d) == \"$3\")" api "$1" GET /v1/event/list
}
holder_is() { # KEY SESSION
	is "$2" sh -c "ip netns exec $(ns node4) curl -s 127.0.0.1:8500/v1/kv/$1 | jq -r '.[0].Session // \"nobody\"'"
}
# Both watchers saw it: so short a state is not missed between two looks.
saw() { # "KIND KEY VALUE"
	local n
	for n in node4 $VIEW; do grep -q " $1\$" "$T/seen.$n" || { echo "$n: never $1"; return 1; }; done
}
has_coordinate() { http node4 "/v1/coordinate/node/$1" | grep -Eq '"Vec":\[([^],]*,){7}[^],]*\]'; }
rtt_is_small() { cmd "$1" rtt "$2" "$3" | grep -Eqx "Estimated $2 <-> $3 rtt: [0-9]+\.[0-9]{3} ms \(using LAN coordinates\)"; }
peers_are() { # ASKED-AT VOTERS
	cmd "$1" operator raft list-peers | awk -v v="$2" \
	    'NR > 1 { n++; l += $4 == "leader"; v -= $5 == "true" } END { exit !(n == 3 && l == 1 && v == 0) }' ||
	    { cmd "$1" operator raft list-peers; return 1; }
}
synced() { # NODE: what its agent registered, each with how often
	cat "$T/$1/consul.log" "$T/$1/log/catalogd.log" 2>/dev/null |
	    sed -n 's/.*agent: Synced service: service=//p; s/.*catalogd: service \(.*\): synced$/\1/p' |
	    sort | uniq -c | awk '{ printf "%s%s %s", (NR > 1 ? ", " : ""), $2, $1 }'
}
syncs() { grep -hc 'ynced\|eregistered' "$T/$1/consul.log" "$T/$1/log/catalogd.log" 2>/dev/null; }
rows() { # every row and its index
	for p in /v1/catalog/nodes /v1/health/state/any /v1/catalog/service/web /v1/catalog/service/db \
	    /v1/catalog/service/cron /v1/catalog/service/api /v1/catalog/service/batch /v1/catalog/service/consul; do
		api "$VIEW" GET $p | jq -r '.[] | "\(.Node) \(.CheckID // .ServiceID // "") \(.Status // "") \(.CreateIndex) \(.ModifyIndex)"'
	done | sort
}
unchanged() { rows >"$T/rows.now"; diff "$T/rows.quiet" "$T/rows.now"; }

# ---- what goes on all the time ----

each_second() { # COMMAND...
	while [ ! -e "$T/stop" ]; do
		"$@"
		sleep 1
	done >/dev/null
}
# Of the TTL checks; no server is needed for that.
heartbeats() {
	[ -e "$T/no-cron" ] || api node4 PUT /v1/agent/check/pass/cron
	api node4 PUT /v1/agent/check/pass/beat
	api node5 PUT /v1/agent/check/pass/batch
}
renew() { [ ! -e "$T/renewed" ] || api node4 PUT "/v1/session/renew/$(cat "$T/renewed")"; }
# What is acknowledged is noted.
write() {
	i=$((i + 1))
	[ "$(api node4 PUT "/v1/kv/load/$i" "$i")" = true ] && echo "load/$i $i" >>"$T/acked"
}

net_up 5
: >"$T/windows"
# Output that changes is not to be sent while it should be quiet.
cat >"$T/node4/consul.json" <<'J'
{ "check_update_interval": "30m", "services": [
  { "name": "web", "port": 8080, "tags": [ "blue" ], "check":
    { "id": "web", "http": "http://localhost:8080/", "interval": "1s", "timeout": "5s" } },
  { "name": "cron", "port": 1, "check": { "id": "cron", "ttl": "10s", "status": "passing" } } ] }
J
cat >"$T/node5/consul.json" <<'J'
{ "check_update_interval": "30m", "services": [
  { "name": "web", "port": 8080, "check":
    { "id": "web", "http": "http://localhost:8080/", "interval": "1s", "timeout": "5s", "status": "passing" } },
  { "name": "db", "port": 5432, "tags": [ "main" ], "check":
    { "id": "db", "tcp": "localhost:8080", "interval": "1s", "timeout": "5s", "status": "passing" } } ] }
J

say "$SERVERS servers, $AGENTS agents"
for n in node4 node5; do python3_web $n; done
start node1; start node2; start node3
within 30 "the servers have one leader" one_leader node1 node2 node3
L=$(leader_of node1)			# is killed
O=$(others "$L" node1 node2 node3)
VIEW=${O%% *}				# nothing is done to it
F=$(others "$L" $O | awk '{ print $2 }')	# leaves and comes back
start node4; start node5
within 30 "services from files pass" passing_are web node4 node5
check "registration by the API, with a check by HTTP" is '' api node4 PUT /v1/agent/service/register \
    '{"Name":"api","Port":80,"Check":{"CheckID":"api","HTTP":"http://localhost:8080/","Interval":"1s","Status":"passing"}}'
check "with one by TTL" is '' api node5 PUT /v1/agent/service/register \
    '{"Name":"batch","Port":2,"Check":{"CheckID":"batch","TTL":"30s","Status":"passing"}}'
check "a check of the node by the API" is '' api node4 PUT /v1/agent/check/register '{"ID":"beat","Name":"beat","TTL":"30s","Status":"passing"}'
each_second heartbeats &
each_second renew &
i=0
each_second write &
WRITER=$!
for s in "web node4 node5" "cron node4" "db node5" "api node4" "batch node5"; do
	within 20 "passing: $s" passing_are $s
done
for n in node4 node5; do within 10 "$n has its health" check_is $n serfHealth passing; done
# The leader registers a node by what gossip knows; the node itself adds the rest.
for n in node1 node2 node3 node4 node5; do
	within 30 "$n has registered itself" like '.Node.Meta | has("consul-network-segment")' api node4 GET "/v1/catalog/node/$n"
done
for n in node4 $VIEW; do
	(cd tests/interop && exec ip netns exec "$(ns $n)" python3 watch.py record "$T/seen.$n") 2>"$T/watch.$n" &
	disown
done

say "names, members, peers"
within 10 "A of a service" dns_are web.service.consul 10.0.0.5 10.0.0.6
within 10 "A of a tag" dns_are blue.web.service.consul 10.0.0.5
within 10 "A of a node" dns_are "$L.node.consul" "$(ip_of "$L")"
for n in node4 $VIEW; do
	within 10 "SRV, asked at $n" srv_is $n db.service.consul 5432 node5.node.dc1.consul.
	check "PTR, asked at $n" is "node5.node.dc1.consul." digq $n -x 10.0.0.6 +short
done
for n in node4 $VIEW; do check "members, asked at $n" members_are $n alive 5; done
for n in node4 $VIEW; do check "list-peers, asked at $n" peers_are $n 3; done

say "keys, transactions, queries, events, snapshots"
for n in node4 node5 "$VIEW" "$L"; do
	check "kv put at $n" is "Success! Data written to: from/$n" cmd $n kv put "from/$n" "of $n"
done
for n in node4 node5 "$VIEW" "$L"; do
	check "kv get at $n" is "of node5 of $L" sh -c "ip netns exec $(ns $n) curl -s '127.0.0.1:8500/v1/kv/from/node5?raw'; echo -n ' '; ip netns exec $(ns $n) curl -s '127.0.0.1:8500/v1/kv/from/$L?raw'"
done
check "kv get -keys" is "from/" cmd node4 kv get -keys -separator=/ fr
check "a transaction of keys, a node, a service and a check" like '(.Results | length) == 5 and .Errors == null' api node4 PUT /v1/txn \
    '[{"KV":{"Verb":"set","Key":"t/a","Value":"MQ=="}},{"KV":{"Verb":"cas","Key":"t/b","Value":"MQ==","Index":0}},
      {"Node":{"Verb":"set","Node":{"Node":"ext","Address":"10.0.0.99"}}},
      {"Service":{"Verb":"set","Node":"ext","Service":{"ID":"ext","Service":"ext","Port":9}}},
      {"Check":{"Verb":"set","Check":{"Node":"ext","CheckID":"ext","Name":"ext","Status":"passing","ServiceID":"ext"}}}]'
within 5 "and what it made in DNS" dns_are ext.service.consul 10.0.0.99
check "one that fails, at the other agent, leaves nothing" like '.Errors[0].OpIndex == 1 and .Results == null' api node5 PUT /v1/txn \
    '[{"KV":{"Verb":"set","Key":"t/c","Value":"MQ=="}},{"KV":{"Verb":"check-index","Key":"t/a","Index":1}}]'
check "which a server confirms" is "" api "$VIEW" GET "/v1/kv/t/c"
Q=$(api node4 POST /v1/query '{"Name":"near","Service":{"Service":"web","Tags":["blue"],"OnlyPassing":true}}' | jq -r .ID)
for n in node5 $VIEW; do
	check "a prepared query by name at $n" like '[.Nodes[].Node.Node] == ["node4"]' api $n GET /v1/query/near/execute
	check "by its id at $n" like '[.Nodes[].Node.Node] == ["node4"]' api $n GET "/v1/query/$Q/execute"
done
check "event of an agent" sh -c "ip netns exec $(ns node4) $ACMD event -name=up payload | grep -q '^Event ID: '"
for n in node5 node4 $VIEW $L; do within 5 "reaches $n" fired_is $n up payload; done
check "event of a server" sh -c "ip netns exec $(ns "$VIEW") $SCMD event -name=down -node=node5 other | grep -q '^Event ID: '"
within 5 "reaches whom it is for" fired_is node5 down other
check "and only that" sh -c "ip netns exec $(ns node4) curl -s 127.0.0.1:8500/v1/event/list | jq -e 'all(.[]; .Name != \"down\")'"
check "snapshot by an agent" cmd node4 snapshot save "$T/agent.snap"
check "which a server's command reads" cmd "$VIEW" snapshot inspect "$T/agent.snap"

say "checks and maintenance"
kill "$(cat "$T/node4/web.pid")"
within 10 "HTTP: critical" check_is node4 web critical
within 10 "the API's, too" check_is node4 api critical
within 5 "not in DNS any more" dns_are web.service.consul 10.0.0.6
python3_web node4
within 10 "and back" check_is node4 web passing
within 5 "in DNS" dns_are web.service.consul 10.0.0.5 10.0.0.6
kill "$(cat "$T/node5/web.pid")"
within 10 "TCP: critical" check_is node5 db critical
within 10 "HTTP, too" check_is node5 web critical
python3_web node5
within 10 "and back" check_is node5 db passing
touch "$T/no-cron"
check "maintenance of a service" cmd node4 maint -enable -service=web -reason=paint
within 5 "in the catalog" check_is node4 _service_maintenance:web critical
within 5 "in DNS" dns_are web.service.consul 10.0.0.6
check "its end" cmd node4 maint -disable -service=web
within 5 "in DNS" dns_are web.service.consul 10.0.0.5 10.0.0.6
check "maintenance of a node" cmd node5 maint -enable -reason=move
within 5 "in the catalog" check_is node5 _node_maintenance critical
within 5 "in DNS" dns_are db.service.consul
check "its end" cmd node5 maint -disable
within 5 "in DNS" dns_are db.service.consul 10.0.0.6
within 15 "TTL: critical" check_is node4 cron critical
rm "$T/no-cron"
within 5 "and back" check_is node4 cron passing

say "locks; the leader is killed"
ONE=$(session node4 '{"Name":"one","LockDelay":"0s"}')
TWO=$(session node4 '{"Name":"two","TTL":"10s","LockDelay":"5s"}')
FIVE=$(session node5 '{"Name":"five","LockDelay":"0s"}')
check "lock" is true api node4 PUT "/v1/kv/lk/one?acquire=$ONE" a
check "lock of a session with TTL" is true api node4 PUT "/v1/kv/lk/two?acquire=$TWO" b
check "lock of the other agent" is true api node5 PUT "/v1/kv/lk/five?acquire=$FIVE" c
echo "$TWO" >"$T/renewed"
explained 30
kill9 "$L"
within 30 "another leads" one_leader $O
within 10 "the lock is still held" holder_is lk/one "$ONE"
within 5 "not by another" is false api node5 PUT "/v1/kv/lk/one?acquire=$FIVE" x
check "it is released through the new leader" is true api node4 PUT "/v1/kv/lk/one?release=$ONE" a
check "and taken by the other" is true api node5 PUT "/v1/kv/lk/one?acquire=$FIVE" x
within 5 "kv put" is "Success! Data written to: after/kill" cmd node5 kv put after/kill 1
within 15 "the dead one is critical" check_is "$L" serfHealth critical
for n in node4 $VIEW; do within 10 "and failed, as $n has it" members_are $n "$L failed" 1; done
within 10 "which was seen" saw "MEMBER $L failed"
start "$L"
within 20 "restarted, it is one of them again" one_leader node1 node2 node3
within 20 "passing" check_is "$L" serfHealth passing
within 40 "with a vote" peers_are node4 3
within 10 "with what it missed" is 1 sh -c "ip netns exec $(ns "$L") curl -s '127.0.0.1:8500/v1/kv/after/kill?raw&stale'"
check "renewed, the session still has its lock" holder_is lk/two "$TWO"
rm "$T/renewed"
LAPSED=$(date +%s)

say "an agent is killed"
explained 30
kill9 node5
within 20 "it is critical" check_is node5 serfHealth critical
within 5 "out of DNS" dns_are web.service.consul 10.0.0.5
within 5 "its locks are free" sh -c "! ip netns exec $(ns node4) curl -s '127.0.0.1:8500/v1/kv/lk/?recurse' | grep -q $FIVE"
check "its session has ended" is "[]" api node4 GET "/v1/session/info/$FIVE"
within 10 "as failed it was seen" saw "MEMBER node5 failed"
start node5
within 20 "restarted, it passes" check_is node5 serfHealth passing
within 10 "in DNS" dns_are web.service.consul 10.0.0.5 10.0.0.6
within 5 "with what the API registered" passing_are batch node5

within $((26 - $(date +%s) + LAPSED)) "not renewed, the session with the TTL ends" holder_is lk/two nobody
check "in not less than its time" test $(($(date +%s) - LAPSED)) -ge 9
ONE2=$(session node5 '{"Name":"one"}')
check "its lock has a delay" is false api node5 PUT "/v1/kv/lk/two?acquire=$ONE2" d
within 8 "and is free after it" is true api node5 PUT "/v1/kv/lk/two?acquire=$ONE2" d

say "an agent and a server leave, and come back"
explained 30
check "leave of an agent" cmd node5 leave
within 20 "it has ended" has_ended node5
within 10 "out of the catalog" is "" sh -c "ip netns exec $(ns node4) curl -s 127.0.0.1:8500/v1/catalog/nodes | jq -r '.[] | select(.Node == \"node5\").Node'"
within 5 "out of DNS" dns_are db.service.consul
for n in node4 $VIEW; do check "left, as $n has it" members_are $n "node5 left" 1; done
for s in "MEMBER node5 left" "SERVICE node5/web gone" "NODE node5 gone"; do within 10 "which was seen: $s" saw "$s"; done
start node5
for s in "web node4 node5" "db node5" "batch node5"; do within 20 "back: passing: $s" passing_are $s; done
explained 30
check "leave of a server" cmd "$F" leave
within 20 "it has ended" has_ended "$F"
within 10 "the others have a leader" one_leader "$VIEW" "$L"
within 10 "out of the catalog" is "" sh -c "ip netns exec $(ns node4) curl -s 127.0.0.1:8500/v1/catalog/nodes | jq -r '.[] | select(.Node == \"$F\").Node'"
for s in "MEMBER $F left" "SERVICE $F/consul gone" "NODE $F gone"; do within 10 "which was seen: $s" saw "$s"; done
start "$F"
within 20 "back, it is one of them" one_leader node1 node2 node3
within 40 "with a vote" peers_are node4 3
within 20 "passing" check_is "$F" serfHealth passing

say "quiet, for $QUIET_S s"
for n in node1 node2 node3 node4 node5; do within 45 "coordinate of $n" has_coordinate $n; done
check "rtt of agents" rtt_is_small node4 node4 node5
check "rtt, asked at a server" rtt_is_small "$VIEW" "$VIEW" node4
rows >"$T/rows.quiet"
for n in node4 node5; do syncs $n >"$T/syncs.$n"; done
always "$QUIET_S" "no row changes" unchanged
for n in node4 node5; do check "$n registered nothing" is "$(cat "$T/syncs.$n")" syncs $n; done
check "the quiet rows are all there" sh -c "test \$(wc -l <$T/rows.quiet) -ge 23 || { cat $T/rows.quiet; false; }"
touch "$T/stop"
wait "$WRITER"
api node4 GET '/v1/kv/load?recurse' | jq -r '.[] | "\(.Key) \(.Value | @base64d)"' | sort >"$T/have"
say "$(wc -l <"$T/acked") writes were acknowledged"
check "every one is there" sh -c "test -s $T/acked && test \$(sort $T/acked | comm -23 - $T/have | wc -l) -eq 0"

say "what was seen all the while"
# 1 2: changed once.  A check known to an agent before its restart may show the
# agent's first state, until it has been run.
cat >"$T/expected" <<E
MEMBER $L alive failed alive
MEMBER $F alive (leaving )?left alive
MEMBER node5 alive failed alive (leaving )?left alive
MEMBER node* alive
CHECK $L/serfHealth passing critical passing
CHECK $F/serfHealth passing gone passing
CHECK node5/serfHealth passing critical passing gone passing
CHECK node*/serfHealth passing
CHECK node4/web passing critical passing
CHECK node4/cron passing critical passing
CHECK node4/api passing critical passing
CHECK node4/beat passing
CHECK node5/web passing critical passing gone passing
CHECK node5/db passing critical passing gone passing
CHECK node5/batch passing( critical passing)? gone passing
CHECK node4/_service_maintenance:web critical gone
CHECK node5/_node_maintenance critical gone
CHECK ext/ext passing
NODE $F 1 gone 2( 3)?
NODE node5 1 gone 2( 3)?
NODE * 1
SERVICE $F/consul 1 gone 2
SERVICE node5/* 1 gone 2
SERVICE * 1
E
for n in node4 $VIEW; do
	check "nothing but what the schedule explains, at $n" sh -c "python3 tests/interop/watch.py judge $T/seen.$n <$T/expected"
done

check "node4 registered each service once" is "api 1, cron 1, web 1" synced node4
# After a kill Consul's agent may run its checks before it has heard of a server,
# and then registers all it has without looking first.
check "node5 did, and when it came back" sh -c "echo '$(synced node5)' | grep -Eqx 'batch $AGAIN, db $AGAIN, web $AGAIN' || { echo '$(synced node5)'; false; }"

say "logs"
# When, what, why.
cat >"$T/allowed" <<'E'
window	No known Consul servers	an agent that was just started has not met one
window	No cluster leader	there is none until the others have elected one, or the one that was asked is leaving
window	rpc error making call: (EOF|stream closed)	what was asked of the one that was killed, or passed on to it; a write is not sent twice
window	failed to get conn: (dial tcp .*connection refused|rpc error: lead thread)	the one that was killed, until another leads
window	agent.server.raft: .*(connection refused|broken pipe|reset by peer|EOF)	Consul's servers, about the one that is down
window	agent.server.raft: failed to (heartbeat|appendEntries) to	the same
window	agent.server.raft: peer has newer term, stopping replication	a Consul server that comes back after it left
window	anti-entropy sync of federation state: .*(context canceled|not the leader|leadership lost)	a Consul leader that leaves or is not one yet
window	memberlist: .*use of closed network connection	a Consul server that leaves
window	memberlist: .*(connection refused|reset by peer|EOF|i/o timeout)	Consul's agents, about the one that is down
window	dnsd: .*catalogd is away	of the suite that was killed, or stops, catalogd was the first to go
window	leadership lost while committing log	a Consul leader that leaves
window	raft: server .*: no connection	disco's servers, about the one that is down
window	coordinate: not sent	there is no leader
window	anti-entropy: failed to sync remote state: rpc error	the same
window	rpcd: server .*: no connection: .*connection refused	the one that was killed, until gossip knows
window	suspect -> failed	the one that was killed
window	discod is gone: stopping	the children of the one that was killed, if they live to see it
window	refuted	by the one that came back: what the others still said of it
always	missed its TTL	the schedule stops its heartbeat
always	bootstrap_expect > 0: expecting 3 servers	as in Consul, at each start
E
for n in node1 node2 node3 node4 node5; do
	for f in "$T/$n/consul.log" "$T/$n"/log/*.log; do
		[ -s "$f" ] || continue
		check "no error in $n's ${f##*/} that nothing explains" python3 tests/interop/watch.py errors "$f" "$T/windows" "$T/allowed"
	done
done
