//! A company made up by arithmetic: the same numbers give the same entries, and its groups can be flattened
//! here, apart from the program, to know what the sink must hold.

use std::collections::BTreeSet;
use std::fmt::Write;

/// The directory's suffix.
pub const SUFFIX: &str = "dc=example,dc=com";
/// Base DN of users.
pub const PEOPLE: &str = "ou=People,dc=example,dc=com";
/// Base DN of groups.
pub const GROUPS: &str = "ou=Groups,dc=example,dc=com";
/// References to managers that cannot travel in a create, as each waits for the other: one of every ring.
pub const LATE_REFERENCES: usize = 1;
/// Members in one request at most, as the program's default has it.
const CHUNK: usize = 100;

/// Users 0..n and groups over them.
pub struct Company {
    users: usize,
    groups: Vec<Group>,
}

struct Group {
    users: BTreeSet<usize>,
    nested: Vec<usize>,
}

/// Some changes to a company.
pub struct Changes {
    /// For ldapmodify.
    pub ldif: String,
    /// Users who are changed.
    pub users: u64,
    /// What may be sent for them.
    pub requests_at_most: u64,
}

impl Company {
    /// Every tenth group holds the three after it; the first holds a fifth of the company, and the second all of it
    /// that the first twenty groups do.
    pub fn new(users: usize, groups: usize) -> Self {
        let mut seed = 42_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let group = |number: usize| {
            let size = if number == 0 { users / 5 } else { 5 + random(users.min(90)) };
            let members = (0..size).map(|_| random(users)).collect();
            let nested = match number {
                1 => (2..groups.min(20)).collect(),
                _ if number.is_multiple_of(10) => (number + 1..groups.min(number + 4)).collect(),
                _ => Vec::new(),
            };
            Group { users: members, nested }
        };
        Self { users, groups: (0..groups).map(group).collect() }
    }

    /// The same with one group more, of the first users.
    pub fn with_group_of(mut self, members: usize) -> Self {
        self.groups.push(Group { users: (0..members.min(self.users)).collect(), nested: Vec::new() });
        self
    }

    /// How many users.
    pub fn users(&self) -> usize {
        self.users
    }

    /// Users of a group, those of nested groups included.
    fn members(&self, group: usize) -> BTreeSet<usize> {
        let (mut seen, mut ahead, mut members) = (BTreeSet::from([group]), vec![group], BTreeSet::new());
        while let Some(group) = ahead.pop() {
            members.extend(&self.groups[group].users);
            ahead.extend(self.groups[group].nested.iter().filter(|nested| seen.insert(**nested)));
        }
        members
    }

    /// Name and effective members, as login names, of every group.
    pub fn effective(&self) -> impl Iterator<Item = (String, BTreeSet<String>)> {
        (0..self.groups.len()).map(|group| (group_name(group), self.members(group).into_iter().map(login).collect()))
    }

    /// All memberships after flattening.
    pub fn memberships(&self) -> usize {
        (0..self.groups.len()).map(|group| self.members(group).len()).sum()
    }

    /// Requests needed to fill all groups.
    pub fn member_chunks(&self) -> usize {
        (0..self.groups.len()).map(|group| self.members(group).len().div_ceil(CHUNK)).sum()
    }

    /// The directory as LDIF.
    pub fn ldif(&self) -> String {
        let mut ldif = format!(
            "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
             dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: People\n\n\
             dn: {GROUPS}\nobjectClass: organizationalUnit\nou: Groups\n\n"
        );
        for user in 0..self.users {
            let login = login(user);
            let _ = write!(
                ldif,
                "dn: {dn}\nobjectClass: inetOrgPerson\nuid: {login}\ncn: Given{user} Family{user}\ngivenName: Given{user}\n\
                 sn: Family{user}\ndisplayName: Given{user} Family{user}\nmail: {login}@example.com\ntitle: Engineer {kind}\n\
                 departmentNumber: Department {department}\nemployeeNumber: {user}\ntelephoneNumber: +44 20 7946 {phone:04}\n\
                 street: {user} High Street\nl: London\npostalCode: EC{kind} 1AA\npreferredLanguage: en\n",
                dn = user_dn(user),
                kind = user % 9,
                department = user % 40,
                phone = user % 10_000,
            );
            // Of a tree with one ring at its root: the first two are each other's managers.
            let manager = if user == 0 { 1 } else { (user - 1) / 8 };
            let _ = writeln!(ldif, "manager: {}", user_dn(manager));
            ldif.push('\n');
        }
        for (number, group) in self.groups.iter().enumerate() {
            let _ = writeln!(ldif, "dn: {}\nobjectClass: groupOfNames\ncn: {}", group_dn(number), group_name(number));
            for user in &group.users {
                let _ = writeln!(ldif, "member: {}", user_dn(*user));
            }
            for nested in &group.nested {
                let _ = writeln!(ldif, "member: {}", group_dn(*nested));
            }
            ldif.push('\n');
        }
        ldif
    }

    /// Changes one user and one group in a hundred: a title or a telephone number, one member more. Few enough members
    /// are removed to stay far below the guard.
    pub fn change_one_percent(&mut self) -> Changes {
        let before: Vec<_> = (0..self.groups.len()).map(|group| self.members(group)).collect();
        let mut ldif = String::new();
        let changed_users: Vec<usize> = (0..self.users).step_by(100).collect();
        for user in &changed_users {
            let (name, value) =
                if user.is_multiple_of(200) { ("title", "Principal Engineer") } else { ("telephoneNumber", "+44 20 7946 9999") };
            let _ = write!(ldif, "dn: {}\nchangetype: modify\nreplace: {name}\n{name}: {value}\n\n", user_dn(*user));
        }
        for number in (5..self.groups.len()).step_by(100) {
            let newcomer = (0..self.users).find(|user| !self.groups[number].users.contains(user));
            let leaver = self.groups[number].users.first().copied().filter(|_| number < 300);
            let _ = write!(ldif, "dn: {}\nchangetype: modify\n", group_dn(number));
            if let Some(user) = newcomer {
                self.groups[number].users.insert(user);
                let _ = write!(ldif, "add: member\nmember: {}\n-\n", user_dn(user));
            }
            if let Some(user) = leaver {
                self.groups[number].users.remove(&user);
                let _ = write!(ldif, "delete: member\nmember: {}\n-\n", user_dn(user));
            }
            ldif.push('\n');
        }
        let group_requests = |(number, before): (usize, &BTreeSet<usize>)| {
            let after = self.members(number);
            after.difference(before).count().div_ceil(CHUNK) + before.difference(&after).count().div_ceil(CHUNK)
        };
        let group_requests: usize = before.iter().enumerate().map(group_requests).sum();
        Changes { ldif, users: changed_users.len() as u64, requests_at_most: (changed_users.len() + group_requests) as u64 }
    }
}

/// The login name, which is the userName.
pub fn login(user: usize) -> String {
    format!("user{user:07}")
}

fn group_name(group: usize) -> String {
    format!("Group {group:05}")
}

fn user_dn(user: usize) -> String {
    format!("uid={},{PEOPLE}", login(user))
}

fn group_dn(group: usize) -> String {
    format!("cn={},{GROUPS}", group_name(group))
}
