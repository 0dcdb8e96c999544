#!/usr/bin/env python3
"""Writes a company with awkward names as LDIF, and what a reader must find in it.

  directory.py openldap|active_directory BASE USERS GROUPS OUT

OUT.ldif holds the entries; OUT.changes.ldif, for Active Directory, what refers forward and is applied afterwards (rings of
groups, primary groups); OUT.json the truth: each user with login, DN, active or not, expired or not; each group with its
effective members, over nested groups and rings. The same arguments give the same bytes.
"""
import base64
import json
import random
import sys

GIVEN = (
    "Anna Boris Chloe David Elena Farid Greta Hugo Björn Çelik Dóra Émile Fañch Gülay Håkon İlker Jiří Łukasz Øyvind Þóra "
    "Żaneta Иван Мария Γιώργος Ελένη 太郎 花子 小龍 민준 محمد فاطمة नरेन्द्र สมชาย"
).split()
FAMILY = (
    "Adams Brown Carter Dubois Evans Fischer Ångström Bjørnstad Dvořák Fernández Müller Öztürk Šimić Straße Wójcik O'Neil "
    "D'Angelo van-der-Berg Смирнова Παπαδόπουλος 山田 李 김"
).split()
DEPARTMENTS = ["Engineering", "Sales", "Finance", "Legal", "People Ops", "R&D", "IT, Operations"]
# Each is hard in a DN, in a filter or in a comparison.
AWKWARD = [
    "Smith, John", "A+B Partners", 'Quote "Q" Mark', "#hash leading", " leading space", "trailing space ", "back\\slash",
    "semi;colon", "less<greater>", "equals=sign", "star*(paren)", "slash/solidus", "Иванов, Пётр", "李 小龍", "محمد علي",
    "🦀 Crab", "Zoe\u0308 decomposed", "Zo\u00eb composed", "Straße İstanbul", "tab\tinside", "double  inner  space",
    "x" * 64, "\\2C literal", "cn=fake,ou=inner",
]  # fmt: skip
DEPTH = 4  # groups in the longest chain
RINGS = 3  # rings of three groups
GROUP_SIZE = 20


def escaped(value):
    """An attribute value in a DN (RFC 4514 §2.4)."""
    parts = []
    for place, character in enumerate(value):
        edge = place == 0 and character in " #" or place == len(value) - 1 and character == " "
        if ord(character) < 32:
            parts.append("\\%02X" % ord(character))
        else:
            parts.append("\\" + character if edge or character in ',+"\\<>;=' else character)
    return "".join(parts)


def line(name, value):
    raw = value.encode()
    safe = raw.isascii() and not any(byte in (0, 10, 13) for byte in raw) and raw[:1] not in (b" ", b":", b"<")
    if safe and not raw.endswith(b" "):
        return f"{name}: {value}\n" if value else f"{name}:\n"
    return f"{name}:: {base64.b64encode(raw).decode()}\n"


def entry(dn, attributes):
    lines = [line("dn", dn)]
    for name, values in attributes:
        values = values if isinstance(values, list) else [] if values is None else [values]
        lines += [line(name, value) for value in values]
    return "".join(lines) + "\n"


def addition(dn, attribute, values):
    lines = "".join(line(attribute, value) for value in values)
    return f"{line('dn', dn)}changetype: modify\nadd: {attribute}\n{lines}\n"


class Company:
    """Who is there and who is in which group, by numbers."""

    def __init__(self, flavor, base, users, groups):
        self.ad, self.base = flavor == "active_directory", base
        self.draw = random.Random(1)
        self.domain = ".".join(part.split("=", 1)[1] for part in base.lower().split(",") if part.lower().startswith("dc="))
        self.people, self.teams = f"OU=Staff,{base}", f"OU=StaffGroups,{base}"
        self.users = [self.user(number) for number in range(users)]
        self.groups = []
        self.add_nested_groups(groups)
        self.add_rings()

    def user(self, number):
        draw, login = self.draw, f"u{number:06d}"
        given, family, department = draw.choice(GIVEN), draw.choice(FAMILY), draw.choice(DEPARTMENTS)
        name, awkward = f"{given} {family} {number:06d}", number < 2 * len(AWKWARD)
        if awkward:
            name = AWKWARD[number % len(AWKWARD)]
            if number >= len(AWKWARD):
                end = " " if name.endswith(" ") else ""
                name = name.rstrip(" ")[:57] + f" {number:06d}" + end
        parent = f"OU={escaped(department)},{self.people}"
        if self.ad:
            dn = f"CN={escaped(name)},{parent}"
        elif awkward:
            dn = f"cn={escaped(name)}{'+uid=' + login if number % 5 == 4 else ''},{parent}"
        else:
            dn = f"uid={login},{parent}"
        active, lot = draw.random() >= 0.05, draw.random()
        return {
            "login": login,
            "dn": dn,
            "name": name,
            "given": given,
            "family": family,
            "department": department,
            "awkward": awkward,
            "active": active,
            "expired": self.ad and not active and lot < 0.5,  # the other way not to be active
            "mail": f"{login}@{self.domain}" if draw.random() >= 0.02 else None,
            "blank": draw.random() < 0.02,
            "manager": (number - 1) // 8 if number else None,
            "lot": lot,
        }

    def add_group(self, name, users, groups, kind="groupOfNames"):
        dn = f"{'CN' if self.ad else 'cn'}={escaped(name)},{self.teams}"
        self.groups.append({"name": name, "dn": dn, "users": users, "groups": groups, "kind": kind})
        return len(self.groups) - 1

    def add_nested_groups(self, count):
        draw, levels = self.draw, [[] for _ in range(DEPTH)]
        for number in range(count):
            # The first ones form a chain of full length; most others are leaves.
            level = number if number < DEPTH else min(int(draw.expovariate(1.2)), DEPTH - 1)
            size = min(len(self.users), max(0 if level else 1, int(draw.gauss(GROUP_SIZE, GROUP_SIZE / 3))))
            nested = []
            if level:
                below = levels[level - 1]
                nested = below[:1] if number < DEPTH else sorted({draw.choice(below) for _ in range(draw.randint(1, 3))})
            name = f"group {number:05d}" if number % 5 else f"group {number:05d} {draw.choice(AWKWARD[:16]).strip()}"
            unique = not self.ad and not nested and draw.random() < 0.2
            users = sorted(draw.sample(range(len(self.users)), size))
            levels[level].append(self.add_group(name, users, nested, "groupOfUniqueNames" if unique else "groupOfNames"))
        self.add_group("nearly everybody", sorted(draw.sample(range(len(self.users)), len(self.users) * 4 // 5)), [])
        self.add_group("nobody", [], [])

    def add_rings(self):
        for ring in range(RINGS):
            first = len(self.groups)
            for place in range(3):
                self.add_group(f"ring {ring} {place}", [self.draw.randrange(len(self.users))], [first + (place + 1) % 3])
        self.add_group("member of itself", [0], [len(self.groups)])

    def effective(self, number):
        """Numbers of the users in a group, directly or by way of groups."""
        seen, ahead, users = {number}, [number], set()
        while ahead:
            group = self.groups[ahead.pop()]
            users.update(group["users"])
            ahead += [nested for nested in group["groups"] if nested not in seen]
            seen.update(group["groups"])
        return users

    def containers(self):
        for dn, name in [(self.people, "Staff"), (self.teams, "StaffGroups")] + [
            (f"OU={escaped(name)},{self.people}", name) for name in DEPARTMENTS
        ]:
            yield entry(dn, [("objectClass", ["top", "organizationalUnit"]), ("ou", name)])

    def logins(self, numbers):
        return sorted(self.users[number]["login"] for number in numbers)

    def truth(self):
        users = [{key: user[key] for key in ("login", "dn", "active", "expired")} for user in self.users]
        groups = [
            {"name": group["name"], "dn": group["dn"], "effective": self.logins(self.effective(number))}
            for number, group in enumerate(self.groups)
        ]
        return {"users": users, "groups": groups}


class OpenLdap(Company):
    def user_entry(self, user):
        classes = ["top", "person", "organizationalPerson", "inetOrgPerson"]
        return entry(
            user["dn"],
            [
                ("objectClass", classes),
                ("uid", user["login"]),
                ("cn", user["name"]),
                ("cn;lang-ru", "Имя " + user["login"] if user["awkward"] else None),
                ("sn", user["family"]),
                ("givenName", user["given"]),
                ("displayName", user["name"].strip()),
                ("mail", user["mail"] or ("" if user["blank"] else None)),
                ("departmentNumber", user["department"]),
                ("manager", None if user["manager"] is None else self.users[user["manager"]]["dn"]),
                ("description", " " if user["blank"] else "line one\nline two" if user["lot"] < 0.02 else None),
                ("pwdAccountLockedTime", None if user["active"] else "000001010000Z"),
            ],
        )

    def group_entry(self, number, group):
        members = [self.users[user]["dn"] for user in group["users"]]
        first = self.users[group["users"][0]] if members else None
        if first and not first["awkward"] and number % 3 == 0:
            # The same DN spelled in another way, as members that were typed by hand are.
            rest = first["dn"].split(",", 1)[1].replace("OU=", "ou=").replace("\\,", "\\2C")
            members[0] = f"UID = {first['login'].upper()} , {rest}"
        members += [self.groups[nested]["dn"] for nested in group["groups"]]
        if number % 7 == 0:
            members.append(f"uid=ghost{number},{self.people}")
        attribute = "uniqueMember" if group["kind"] == "groupOfUniqueNames" else "member"
        # These classes must have a member; an empty DN is what admins put there.
        attributes = [("objectClass", ["top", group["kind"]]), ("cn", group["name"]), (attribute, members or [""])]
        return entry(group["dn"], attributes)

    def special_groups(self):
        """Groups that list uids, and groups that are a search; their truth goes with them."""
        draw, everybody = self.draw, range(len(self.users))
        for number in range(5):
            users = sorted(draw.sample(everybody, min(len(self.users), GROUP_SIZE)))
            self.add_group(f"posix {number}", users, [], "posixGroup")
            logins = self.logins(users) + ["no-such-uid"]
            yield entry(
                self.groups[-1]["dn"],
                [("objectClass", ["top", "posixGroup"]), ("cn", f"posix {number}"), ("gidNumber", str(2000 + number)), ("memberUid", logins)],
            )
        for number, department in enumerate(DEPARTMENTS[:3]):
            users = [user for user in everybody if self.users[user]["department"] == department]
            self.add_group(f"dynamic {number}", users, [], "groupOfURLs")
            url = f"ldap:///{self.people}??sub?(departmentNumber={department})"
            yield entry(
                self.groups[-1]["dn"],
                [("objectClass", ["top", "groupOfURLs"]), ("cn", f"dynamic {number}"), ("memberURL", url)],
            )

    def write(self, out):
        entries = list(self.containers()) + [self.user_entry(user) for user in self.users]
        entries += [self.group_entry(number, group) for number, group in enumerate(self.groups)]
        entries += self.special_groups()
        write(out, "".join(entries), "", self.truth())


class ActiveDirectory(Company):
    def user_entry(self, user):
        # PASSWD_NOTREQD (0x20): otherwise an account without a password cannot be enabled.
        control = 0x200 | 0x20 | (0 if user["active"] or user["expired"] else 0x2)
        return entry(
            user["dn"],
            [
                ("objectClass", "user"),
                ("sAMAccountName", user["login"]),
                ("userPrincipalName", f"{user['login']}@{self.domain}"),
                ("userAccountControl", str(control)),
                ("accountExpires", "132223104000000000" if user["expired"] else None),  # 2020-01-01
                ("givenName", user["given"]),
                ("sn", user["family"]),
                ("displayName", user["name"].strip()),
                ("mail", user["mail"]),
                ("department", user["department"]),
                ("manager", None if user["manager"] is None else self.users[user["manager"]]["dn"]),
                ("description", " " if user["blank"] else None),
            ],
        )

    def group_entry(self, number, group, nested):
        members = [self.users[user]["dn"] for user in group["users"]] + [self.groups[other]["dn"] for other in nested]
        universal = ("groupType", "-2147483640")
        return entry(group["dn"], [("objectClass", "group"), ("sAMAccountName", f"g{number:05d}"), universal, ("member", members)])

    def primary_groups(self):
        """Some have Domain Guests (RID 514) as their primary group, which lists them nowhere; Domain Users (513), which was
        it before, lists them from then on. Domain Guests is nested in a group that is written here."""
        guests, members = f"CN=Domain Guests,CN=Users,{self.base}", [user for user in range(0, len(self.users), 97)]
        yield addition(guests, "member", [self.users[user]["dn"] for user in members])
        for user in members:
            yield f"{line('dn', self.users[user]['dn'])}changetype: modify\nreplace: primaryGroupID\nprimaryGroupID: 514\n\n"
        everybody = list(range(len(self.users)))
        self.groups.append({"name": "Domain Users", "dn": f"CN=Domain Users,CN=Users,{self.base}", "users": everybody, "groups": []})
        self.groups.append({"name": "Domain Guests", "dn": guests, "users": members, "groups": []})
        outer = self.add_group("around the guests", [1], [len(self.groups) - 1])
        yield addition(self.groups[outer]["dn"], "member", [guests])

    def write(self, out):
        entries = list(self.containers()) + [self.user_entry(user) for user in self.users]
        changes = []
        for number, group in enumerate(self.groups):
            # A member must be there before it is named.
            forward = [nested for nested in group["groups"] if nested >= number]
            entries.append(self.group_entry(number, group, [nested for nested in group["groups"] if nested < number]))
            if forward:
                changes.append(addition(group["dn"], "member", [self.groups[nested]["dn"] for nested in forward]))
        changes += self.primary_groups()
        entries.append(self.group_entry(len(self.groups) - 1, self.groups[-1], []))
        write(out, "".join(entries), "".join(changes), self.truth())


def write(out, entries, changes, truth):
    for end, text in ((".ldif", entries), (".changes.ldif", changes), (".json", json.dumps(truth, ensure_ascii=False, indent=1))):
        with open(out + end, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)


def main():
    flavor, base, users, groups, out = sys.argv[1:]
    company = OpenLdap if flavor == "openldap" else ActiveDirectory
    company(flavor, base, int(users), int(groups)).write(out)


main()
