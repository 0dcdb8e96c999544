//! An in-memory directory for whole cycles and fault injection. It is changed by tests between cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use ldap2scim::cycle::{Source, SourceError};
use ldap2scim::model::{
    AttributeName, AttributeValue, Changes, Coverage, Delta, Dn, Entry, EntryId, Looked, Place, Reading, ResourceType, Status,
    Vendor, Wanted, Watermark,
};
use tokio::sync::mpsc;

/// People and groups by short names.
#[derive(Default)]
pub struct Directory(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    entries: BTreeMap<EntryId, Entry>,
    partial: Vec<String>,
    fails: bool,
}

pub fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

fn user_dn(name: &str) -> Dn {
    dn(&format!("uid={name},ou=people,dc=example,dc=com"))
}

fn group_dn(name: &str) -> Dn {
    dn(&format!("cn={name},ou=groups,dc=example,dc=com"))
}

impl Directory {
    fn put(&self, entry: Entry) {
        self.0.lock().unwrap().entries.insert(entry.id.clone(), entry);
    }

    /// Adds a user, enabled, with uid, cn, sn, givenName and mail made from the name.
    pub fn add_user(&self, name: &str) {
        let attributes = [
            ("uid", name.to_owned()),
            ("cn", format!("{name} Example")),
            ("sn", "Example".to_owned()),
            ("givenname", name.to_owned()),
            ("mail", format!("{name}@example.com")),
        ];
        self.put(Entry {
            id: EntryId::new(&format!("id-{name}")),
            dn: user_dn(name),
            resource_type: ResourceType::User,
            selected: true,
            status: Status::Enabled,
            status_until: None,
            aliases: Vec::new(),
            members: None,
            member_aliases: Vec::new(),
            attributes: attributes
                .into_iter()
                .map(|(name, value)| (AttributeName::new(name), vec![AttributeValue::from(value.as_str())]))
                .collect(),
        });
    }

    /// Adds or replaces a group; members are users, or groups after an `@`.
    pub fn put_group(&self, name: &str, members: &[&str]) {
        let members = members.iter().map(|member| member.strip_prefix('@').map_or_else(|| user_dn(member), group_dn)).collect();
        self.put(Entry {
            id: EntryId::new(&format!("id-g-{name}")),
            dn: group_dn(name),
            resource_type: ResourceType::Group,
            selected: true,
            status: Status::Enabled,
            status_until: None,
            aliases: Vec::new(),
            members: Some(members),
            member_aliases: Vec::new(),
            attributes: BTreeMap::from([(AttributeName::new("cn"), vec![AttributeValue::from(name)])]),
        });
    }

    /// Changes an entry: `id-NAME` or `id-g-NAME`.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Entry)) {
        change(self.0.lock().unwrap().entries.get_mut(&EntryId::new(id)).expect("the entry is there"));
    }

    /// Sets an attribute of a user.
    pub fn set(&self, user: &str, attribute: &str, value: &str) {
        self.change(&format!("id-{user}"), |entry| {
            entry.attributes.insert(AttributeName::new(attribute), vec![AttributeValue::from(value)]);
        });
    }

    /// Gives a user a manager.
    pub fn set_manager(&self, user: &str, manager: &str) {
        self.set(user, "manager", user_dn(manager).as_str());
    }

    /// Disables or enables a user.
    pub fn set_status(&self, user: &str, status: Status) {
        self.change(&format!("id-{user}"), |entry| entry.status = status);
    }

    /// Takes an entry out: `id-NAME` or `id-g-NAME`.
    pub fn remove(&self, id: &str) {
        self.0.lock().unwrap().entries.remove(&EntryId::new(id)).expect("the entry is there");
    }

    /// Takes everything out.
    pub fn clear(&self) {
        self.0.lock().unwrap().entries.clear();
    }

    /// Makes the next readings partial, or full again with no cause.
    pub fn set_partial(&self, causes: &[&str]) {
        self.0.lock().unwrap().partial = causes.iter().map(|cause| (*cause).to_owned()).collect();
    }

    /// Makes the next readings fail.
    pub fn set_failing(&self, fails: bool) {
        self.0.lock().unwrap().fails = fails;
    }
}

impl Source for Directory {
    async fn identify(&self) -> Result<Vendor, SourceError> {
        Ok(Vendor::OpenLdap)
    }

    async fn read(&self, _wanted: &Wanted, entries: mpsc::Sender<Entry>) -> Result<Reading, SourceError> {
        let (mut all, partial, fails) = {
            let inside = self.0.lock().unwrap();
            (inside.entries.values().cloned().collect::<Vec<_>>(), inside.partial.clone(), inside.fails)
        };
        if fails {
            return Err(SourceError::Unreachable(vec!["the directory is down".into()]));
        }
        all.sort_by_key(|entry| entry.resource_type != ResourceType::Group);
        for entry in all {
            if entries.send(entry).await.is_err() {
                return Ok(Reading::untracked(Coverage::Partial(vec!["nobody listens".into()])));
            }
        }
        Ok(Reading::untracked(if partial.is_empty() { Coverage::Full } else { Coverage::Partial(partial) }))
    }

    async fn changes(&self, _wanted: &Wanted, _since: &Watermark) -> Result<Changes, SourceError> {
        Ok(Changes::Lost("this directory tracks nothing".into()))
    }

    async fn look(
        &self,
        _wanted: &Wanted,
        _places: Vec<Place>,
        _since: &Watermark,
        _entries: mpsc::Sender<Entry>,
    ) -> Result<Looked, SourceError> {
        Ok(Looked { coverage: Coverage::Partial(vec!["this directory tracks nothing".into()]), absent: BTreeSet::new() })
    }

    async fn watch(&self, _wanted: &Wanted, _since: &Watermark, _heard: mpsc::Sender<Option<Delta>>) -> SourceError {
        SourceError::Unreachable(vec!["this directory tracks nothing".into()])
    }
}
