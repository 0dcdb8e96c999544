//! An in-memory directory for whole cycles and fault injection. It is changed by tests between cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use ldap2scim::cycle::{Source, SourceError};
use ldap2scim::model::{
    AttributeName, AttributeValue, Changes, Coverage, Delta, Dn, Entry, EntryId, Kind, Looked, Place, Reading, ResourceType,
    Status, Touched, Vendor, Wanted, Watermark,
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
    /// How it was at each watermark; nothing where changes are not tracked.
    then: Option<Vec<BTreeMap<EntryId, Entry>>>,
}

impl Inside {
    /// Marks how it is now.
    fn mark(&mut self) -> Option<Watermark> {
        let now = self.entries.clone();
        let then = self.then.as_mut()?;
        then.push(now);
        Some(Watermark::new(&(then.len() - 1).to_string()))
    }
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

    /// Tells changes from now on.
    pub fn track(&self) {
        self.0.lock().unwrap().then.get_or_insert_default();
    }

    /// Changes what nobody is told of, such as groups that a server rewrites when a member is renamed.
    pub fn silently(&self, id: &str, change: impl Fn(&mut Entry)) {
        let mut inside = self.0.lock().unwrap();
        let id = EntryId::new(id);
        let inside = &mut *inside;
        for entries in inside.then.iter_mut().flatten().chain([&mut inside.entries]) {
            entries.get_mut(&id).map(&change);
        }
    }

    /// Renames a user; groups and managers that name it follow, of which nobody is told.
    pub fn rename_user(&self, id: &str, name: &str) {
        let was = self.0.lock().unwrap().entries[&EntryId::new(id)].dn.clone();
        let is = user_dn(name);
        self.change(id, |entry| {
            entry.dn = is.clone();
            entry.attributes.insert(AttributeName::new("uid"), vec![AttributeValue::from(name)]);
        });
        self.rewrite(&was, &is);
    }

    /// Renames a group; groups that name it follow, of which nobody is told.
    pub fn rename_group(&self, id: &str, name: &str) {
        let was = self.0.lock().unwrap().entries[&EntryId::new(id)].dn.clone();
        let is = group_dn(name);
        self.change(id, |entry| {
            entry.dn = is.clone();
            entry.attributes.insert(AttributeName::new("cn"), vec![AttributeValue::from(name)]);
        });
        self.rewrite(&was, &is);
    }

    fn rewrite(&self, was: &Dn, is: &Dn) {
        let ids: Vec<EntryId> = self.0.lock().unwrap().entries.keys().cloned().collect();
        for id in ids {
            self.silently(id.as_str(), |entry| {
                for member in entry.members.iter_mut().flatten().filter(|member| *member == was) {
                    *member = is.clone();
                }
                for value in entry.attributes.get_mut(&AttributeName::new("manager")).into_iter().flatten() {
                    if value.text() == Some(was.as_str()) {
                        *value = AttributeValue::from(is.as_str());
                    }
                }
            });
        }
    }

    /// Where an entry is.
    pub fn dn_of(&self, id: &str) -> Dn {
        self.0.lock().unwrap().entries[&EntryId::new(id)].dn.clone()
    }

    /// Ids of all entries.
    pub fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap().entries.keys().map(ToString::to_string).collect()
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
        let (mut all, partial, fails, watermark) = {
            let mut inside = self.0.lock().unwrap();
            let watermark = inside.mark();
            (inside.entries.values().cloned().collect::<Vec<_>>(), inside.partial.clone(), inside.fails, watermark)
        };
        if fails {
            return Err(SourceError::Unreachable(vec!["the directory is down".into()]));
        }
        all.sort_by_key(|entry| entry.resource_type != ResourceType::Group);
        for entry in all.into_iter().filter(shows) {
            if entries.send(entry).await.is_err() {
                return Ok(Reading::untracked(Coverage::Partial(vec!["nobody listens".into()])));
            }
        }
        let coverage = if partial.is_empty() { Coverage::Full } else { Coverage::Partial(partial) };
        Ok(Reading { coverage, watermark, containers: BTreeMap::new() })
    }

    async fn changes(&self, _wanted: &Wanted, since: &Watermark) -> Result<Changes, SourceError> {
        let mut inside = self.0.lock().unwrap();
        if inside.fails {
            return Err(SourceError::Unreachable(vec!["the directory is down".into()]));
        }
        let Some(watermark) = inside.mark() else { return Ok(Changes::Lost("this directory tracks nothing".into())) };
        let then = &inside.then.as_ref().unwrap()[since.as_str().parse::<usize>().unwrap()];
        // A value does not show in what is printed of it.
        let told = |entry: &Entry| (format!("{entry:?}"), entry.attributes.clone());
        let touched = inside.entries.values().filter(|entry| then.get(&entry.id).map(told) != Some(told(entry)));
        let kind = |entry: &Entry| match entry.resource_type {
            ResourceType::User => Kind::User,
            ResourceType::Group => Kind::Group,
        };
        let touched = touched.map(|entry| (entry.id.clone(), Touched { dn: entry.dn.clone(), kind: kind(entry) })).collect();
        let gone = then.keys().filter(|id| !inside.entries.contains_key(*id)).cloned().collect();
        Ok(Changes::Since(Delta { touched, gone, present: None, watermark }))
    }

    async fn look(
        &self,
        _wanted: &Wanted,
        places: Vec<Place>,
        _since: &Watermark,
        entries: mpsc::Sender<Entry>,
    ) -> Result<Looked, SourceError> {
        let (all, partial, fails) = {
            let inside = self.0.lock().unwrap();
            (inside.entries.clone(), inside.partial.clone(), inside.fails)
        };
        if fails {
            return Err(SourceError::Unreachable(vec!["the directory is down".into()]));
        }
        let mut absent = BTreeSet::new();
        for place in places {
            let found = match &place.id {
                Some(id) => all.get(id),
                None => all.values().find(|entry| Some(&entry.dn) == place.dn.as_ref()),
            };
            match found.filter(|entry| shows(entry)) {
                Some(entry) => entries.send(entry.clone()).await.unwrap(),
                None => absent.extend(place.id),
            }
        }
        let coverage = if partial.is_empty() { Coverage::Changes } else { Coverage::Partial(partial) };
        Ok(Looked { coverage, absent })
    }

    async fn watch(&self, _wanted: &Wanted, _since: &Watermark, _heard: mpsc::Sender<Option<Delta>>) -> SourceError {
        SourceError::Unreachable(vec!["this directory tells nothing by itself".into()])
    }
}

/// Users that are not selected are never shown.
fn shows(entry: &Entry) -> bool {
    entry.selected || entry.resource_type == ResourceType::Group
}
