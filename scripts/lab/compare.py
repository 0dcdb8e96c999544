#!/usr/bin/env python3
"""Compares a SCIM server with what it should hold, worked out from the directory alone.

    compare.py SEEN

SEEN is a file in which the entry ids are remembered between two calls: who was there once and is
no longer must be switched off and in no group. From the environment: LDAP_URL, BIND_DN,
BIND_PASSWORD, BASE_DN, SCIM_URL, SCIM_TOKEN. Exit code 0: everything as it should be.
Nothing of ldap2scim is used here, and nothing but Python's standard library and ldapsearch.
"""

import base64
import json
import os
import re
import subprocess
import sys
import unicodedata
import urllib.parse
import urllib.request

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def search(base, wanted, attributes):
    """Entries as a list of {name: [values]}, with the DN under "dn"."""
    command = ["ldapsearch", "-LLL", "-x", "-o", "ldif-wrap=no", "-E", "pr=200/noprompt", "-H", os.environ["LDAP_URL"]]
    command += ["-D", os.environ["BIND_DN"], "-w", os.environ["BIND_PASSWORD"], "-b", base, wanted, *attributes]
    text = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    entries = []
    for block in text.split("\n\n"):
        entry = {}
        for line in block.splitlines():
            if line.startswith("#") or ":" not in line:
                continue
            name, value = line.split(":", 1)
            value = base64.b64decode(value[1:].strip()).decode() if value.startswith(":") else value.strip()
            entry.setdefault(name, []).append(value)
        if "dn" in entry:
            entries.append(entry)
    return entries


def key(dn):
    """A DN in one spelling, good enough for names as tame as ours: RFC 4514 escapes undone, letters small."""
    octets = re.sub(rb"\\([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), dn.encode())
    return unicodedata.normalize("NFKC", octets.decode().replace("\\", "")).lower()


def expected():
    """Users by entry id and groups by name, as the target should hold them."""
    base = os.environ["BASE_DN"]
    attributes = ["entryUUID", "uid", "displayName", "givenName", "sn", "mail", "title", "manager", "pwdAccountLockedTime"]
    people = search("ou=People," + base, "(objectClass=inetOrgPerson)", attributes)
    ids = {key(one["dn"][0]): one["entryUUID"][0] for one in people}
    users = {}
    for one in people:
        first = lambda name: one.get(name, [None])[0]
        users[first("entryUUID")] = {
            "userName": first("uid"),
            "active": first("pwdAccountLockedTime") != "000001010000Z",
            "displayName": first("displayName"),
            "givenName": first("givenName"),
            "familyName": first("sn"),
            "mail": first("mail"),
            "title": first("title"),
            "manager": ids.get(key(first("manager") or "")),
        }
    direct = {key(g["dn"][0]): g for g in search("ou=Groups," + base, "(objectClass=groupOfNames)", ["cn", "member"])}
    groups = {}
    for dn, group in direct.items():
        seen, ahead, members = {dn}, [dn], set()
        while ahead:
            for member in map(key, direct[ahead.pop()].get("member", [])):
                if member in ids:
                    members.add(ids[member])
                elif member in direct and member not in seen:
                    seen.add(member)
                    ahead.append(member)
        groups[group["cn"][0]] = members
    return users, groups


def listed(kind):
    """Every resource of a kind."""
    resources, opener = [], urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        query = urllib.parse.urlencode({"startIndex": len(resources) + 1, "count": 50})
        request = urllib.request.Request(f"{os.environ['SCIM_URL']}/{kind}?{query}")
        request.add_header("Authorization", "Bearer " + os.environ["SCIM_TOKEN"])
        page = json.load(opener.open(request, timeout=60))
        resources += page.get("Resources") or []
        if not page.get("Resources") or len(resources) >= page["totalResults"]:
            return resources


def held():
    """What the target holds, in the form of expected()."""
    resources = listed("Users")
    entry_ids = {one["id"]: one.get("externalId", "without externalId: " + one["id"]) for one in resources}
    users = {}
    for one in resources:
        mails = [mail["value"] for mail in one.get("emails") or [] if mail.get("type") == "work"]
        manager = (one.get(ENTERPRISE) or {}).get("manager") or {}
        entry_id = entry_ids[one["id"]]
        if entry_id in users:
            entry_id = f"{entry_id} a second time"
        users[entry_id] = {
            "userName": one["userName"],
            "active": one.get("active"),
            "displayName": one.get("displayName"),
            "givenName": (one.get("name") or {}).get("givenName"),
            "familyName": (one.get("name") or {}).get("familyName"),
            "mail": mails[0] if mails else None,
            "title": one.get("title"),
            "manager": entry_ids.get(manager.get("value"), manager.get("value")),
        }
    groups = {}
    for one in listed("Groups"):
        name = one["displayName"]
        if name in groups:
            name = f"{name} a second time"
        groups[name] = {entry_ids.get(member["value"], member["value"]) for member in one.get("members") or []}
    return users, groups


def main():
    with open(sys.argv[1], "a+", encoding="utf-8") as memory:
        memory.seek(0)
        seen = set(memory.read().split())
        users, groups = expected()
        memory.writelines(entry_id + "\n" for entry_id in sorted(set(users) - seen))
    target_users, target_groups = held()
    left = seen - set(users)
    names = {entry_id: user["userName"] for entry_id, user in (target_users | users).items()}
    wrong = []
    for entry_id in sorted(set(users) | set(target_users) | left, key=lambda each: names.get(each, each)):
        who = names.get(entry_id, entry_id)
        if entry_id not in target_users:
            wrong.append(f"user {who}: missing at the target")
        elif entry_id in left:
            if target_users[entry_id]["active"] is not False:
                wrong.append(f"user {who}: has left the directory and is still active")
        elif entry_id not in users:
            wrong.append(f"user {who}: at the target, but nobody put it there")
        else:
            for name, value in users[entry_id].items():
                if target_users[entry_id][name] != value:
                    wrong.append(f"user {who}: {name} is {target_users[entry_id][name]!r} and should be {value!r}")
    for name in sorted(set(groups) | set(target_groups)):
        if name not in target_groups:
            wrong.append(f"group {name}: missing at the target")
        elif name not in groups:
            wrong.append(f"group {name}: at the target, but nobody put it there")
        else:
            for member in sorted(groups[name] - target_groups[name]):
                wrong.append(f"group {name}: {names.get(member, member)} is missing")
            for member in sorted(target_groups[name] - groups[name]):
                wrong.append(f"group {name}: {names.get(member, member)} should not be in it")
    off = sum(not user["active"] for user in users.values())
    members = sum(map(len, groups.values()))
    print(f"The directory says: {len(users)} users ({off} of them switched off), {len(left)} who left, {len(groups)} groups, {members} memberships.")
    active = sum(bool(user["active"]) for user in target_users.values())
    members = sum(map(len, target_groups.values()))
    print(f"The target holds:   {len(target_users)} users ({active} active), {len(target_groups)} groups, {members} memberships.")
    for line in wrong:
        print("  wrong: " + line)
    print("They differ." if wrong else "The target holds exactly what it should.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
