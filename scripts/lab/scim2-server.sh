#!/usr/bin/env bash
# Starts the third-party SCIM server that scripts/prepare installed, on loopback, at a free port; it keeps all in memory.
#   scim2-server.sh DIR TOKEN
# Writes DIR/env: SCIM_URL (the base URL), SCIM_PID. To stop it: kill "$SCIM_PID".
set -euo pipefail
directory=${1:?usage: scim2-server.sh DIR TOKEN} token=${2:?a bearer token}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=$root/target/tools/scim2-server

answers() {
  "$venv/bin/python" - "$1" "$token" <<'PY'
import sys, urllib.request
request = urllib.request.Request(sys.argv[1] + "/Users?count=1", headers={"Authorization": "Bearer " + sys.argv[2]})
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5).read()
PY
}

# The port that is free now may be taken a moment later: then the next one is tried.
for _ in 1 2 3 4 5; do
  port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  setsid "$venv/bin/python" "$venv/bin/scim2-server" --hostname 127.0.0.1 --port "$port" --bearer-token "$token" \
    >"$directory/scim2-server.log" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || break
    if answers "http://127.0.0.1:$port/v2" >/dev/null 2>&1; then
      printf 'SCIM_URL=http://127.0.0.1:%s/v2\nSCIM_PID=%s\n' "$port" "$pid" >"$directory/env"
      exit 0
    fi
    sleep 0.1
  done
  kill "$pid" 2>/dev/null || true
done
echo "the SCIM server did not come up:" >&2
tail -5 "$directory/scim2-server.log" >&2
exit 1
