# What the tests with real Consul share.  Sourced after tests/lib.sh, by bash.

[ -n "${CONSUL:-}" ] && [ -x "$CONSUL" ] || { echo "SKIPPED $0: CONSUL= does not name a Consul 1.8.7"; exit 0; }

# consul_agent NODE ARGS...: in the background; its pid in CONSULPID.
consul_agent() {
	local n=$1
	shift
	run_on "$n" consul.log "$CONSUL" agent -node "$n" -advertise "$(ip_of "$n")" -bind "$(ip_of "$n")" \
	    -data-dir "$T/$n/consul-data" -config-file "$T/$n/consul.json" "$@"
	CONSULPID=$!
}
api() { # NODE METHOD PATH [BODY]
	on "$1" curl -s -m 20 -X "$2" ${4:+-d "$4"} "http://127.0.0.1:8500$3"
}
is() { # WANT COMMAND...
	local want=$1 got
	shift
	got=$("$@")
	[ "$got" = "$want" ] || { echo "'$got', not '$want': $*"; return 1; }
}
like() { # JQ-EXPRESSION COMMAND...
	local want=$1 got
	shift
	got=$("$@")
	jq -e "$want" <<<"$got" >/dev/null || { echo "$got: not $want"; return 1; }
}
session() { api "$1" PUT /v1/session/create "$2" | jq -r .ID; }
