#!/usr/bin/env bash
# Starts a private OpenLDAP server on loopback, at a free port, with everything it has below DIR.
#   slapd.sh DIR SUFFIX LDIF...     the files are loaded by slapadd into a new database
# Writes DIR/env: LDAP_URL, BIND_DN and BIND_PASSWORD (reads at most 500 entries unless paged; no passwords),
# ROOT_DN and ROOT_PASSWORD (may write), SLAPD_PID. To stop it: kill "$SLAPD_PID".
set -euo pipefail
directory=${1:?usage: slapd.sh DIR SUFFIX LDIF...} suffix=${2:?a suffix, such as dc=example,dc=com}
shift 2
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
# A copy stands here where AppArmor confines the system's slapd (see scripts/prepare).
[ ! -x "$root/target/tools/openldap/slapd" ] || PATH=$root/target/tools/openldap:$PATH
modules=
for place in /usr/lib/ldap /usr/lib64/openldap /usr/lib/openldap; do [ ! -d "$place" ] || modules=$place; done
schema=/etc/ldap/schema
[ -d "$schema" ] || schema=/etc/openldap/schema
bind_dn="cn=sync,ou=Services,$suffix" root_dn="cn=admin,$suffix"

mkdir -p "$directory/database"
cat >"$directory/slapd.conf" <<X
include $schema/core.schema
include $schema/cosine.schema
include $schema/inetorgperson.schema
pidfile $directory/slapd.pid
modulepath $modules
moduleload back_mdb
moduleload refint
moduleload ppolicy
moduleload syncprov
loglevel none
threads 4
database mdb
suffix "$suffix"
directory $directory/database
maxsize 4294967296
envflags nosync
index objectClass,entryUUID,entryCSN,member,manager,uid,cn,mail eq
rootdn "$root_dn"
rootpw admin
limits dn.exact="$bind_dn" size.soft=500 size.hard=500 size.pr=1000 size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="$bind_dn" read by * none
overlay refint
refint_attributes member manager
overlay ppolicy
overlay syncprov
syncprov-sessionlog 10000
X
cat >"$directory/services.ldif" <<X
dn: ou=Services,$suffix
objectClass: organizationalUnit
ou: Services

dn: $bind_dn
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sync
userPassword: sync
X
for ldif in "$@" "$directory/services.ldif"; do
  slapadd -q -f "$directory/slapd.conf" -l "$ldif" 2>"$directory/slapadd.log" || {
    echo "slapadd refused $ldif:" >&2
    tail -5 "$directory/slapadd.log" >&2
    exit 1
  }
done

# The port that is free now may be taken a moment later: then the next one is tried.
for _ in 1 2 3 4 5; do
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  rm -f "$directory/slapd.pid"
  setsid slapd -d 0 -f "$directory/slapd.conf" -h "ldap://127.0.0.1:$port/" >"$directory/slapd.log" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || break
    if [ -s "$directory/slapd.pid" ] && ldapwhoami -x -H "ldap://127.0.0.1:$port" -D "$bind_dn" -w sync >/dev/null 2>&1; then
      cat >"$directory/env" <<X
LDAP_URL=ldap://127.0.0.1:$port
BIND_DN=$bind_dn
BIND_PASSWORD=sync
ROOT_DN=$root_dn
ROOT_PASSWORD=admin
SLAPD_PID=$pid
X
      exit 0
    fi
    sleep 0.1
  done
  kill "$pid" 2>/dev/null || true
done
echo "slapd did not come up:" >&2
tail -5 "$directory/slapd.log" >&2
exit 1
