//! Seats, where a channel stands, and parts of what is remembered: what every store does.

use ldap2scim::cycle::{Part, SeatQuestion};
use ldap2scim::model::{Alias, Dn, DnKey, MemberName, Moment, Refused, Seat, Seats, Settlement, Standing, Watermark};

use super::*;

pub fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

fn key(text: &str) -> DnKey {
    dn(text).key().clone()
}

/// `uid:ada` or a DN.
fn name(text: &str) -> MemberName {
    if text.contains('=') { MemberName::Dn(key(text)) } else { MemberName::Alias(Alias::from_text(text)) }
}

/// Names between white space.
pub fn names(texts: &str) -> BTreeSet<MemberName> {
    texts.split_whitespace().map(name).collect()
}

pub fn person(id: &str, at: &str) -> Seat {
    Seat {
        id: EntryId::new(id),
        dn: dn(at),
        resource_type: ResourceType::User,
        selected: true,
        in_scope: true,
        status_until: None,
        aliases: Vec::new(),
        members: None,
        references: BTreeSet::new(),
    }
}

pub fn team(id: &str, at: &str, members: &str) -> Seat {
    Seat { resource_type: ResourceType::Group, members: Some(names(members)), ..person(id, at) }
}

pub fn settlement(watermark: &str, seats: Seats) -> Settlement {
    Settlement {
        watermark: Watermark::new(watermark),
        fingerprint: "f".to_owned(),
        seats,
        pending: BTreeSet::new(),
        counted: None,
    }
}

pub fn all(seats: Vec<Seat>) -> Seats {
    Seats::All(seats, BTreeMap::new())
}

fn changed(seats: Vec<Seat>, gone: &str) -> Seats {
    Seats::Changed(seats, set(gone))
}

pub async fn settle(store: &impl Store, cycle: CycleId, settlement: Settlement) {
    store.settle(cycle, Some(settlement)).await.unwrap();
}

pub async fn ask(store: &impl Store, question: SeatQuestion) -> BTreeMap<EntryId, Seat> {
    let seats = store.seats(&ChannelName::new("c"), question).await.unwrap();
    let count = seats.len();
    let seats: BTreeMap<EntryId, Seat> = seats.into_iter().map(|seat| (seat.id.clone(), seat)).collect();
    assert_eq!(seats.len(), count, "nobody is told twice");
    seats
}

pub async fn everybody(store: &impl Store) -> BTreeMap<EntryId, Seat> {
    let seated = store.seated(&ChannelName::new("c")).await.unwrap();
    ask(store, SeatQuestion::Of(seated)).await
}

fn by_id(seats: &[Seat]) -> BTreeMap<EntryId, Seat> {
    seats.iter().map(|seat| (seat.id.clone(), seat.clone())).collect()
}

/// A seat with its DN as written, which two equal seats may differ in.
fn written(seats: &BTreeMap<EntryId, Seat>) -> Vec<(Seat, String)> {
    seats.values().map(|seat| (seat.clone(), seat.dn.as_str().to_owned())).collect()
}

pub async fn standing(store: &impl Store) -> Option<Standing> {
    store.standing(&ChannelName::new("c")).await.unwrap()
}

pub async fn a_channel_that_was_never_read_in_full_stands_nowhere<S: Subject>() {
    let subject = S::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    assert_eq!(standing(&store).await, None);
    assert!(everybody(&store).await.is_empty());
    assert!(ask(&store, SeatQuestion::Above(names("cn=a"))).await.is_empty());
    assert!(store.containers(&ChannelName::new("c")).await.unwrap().is_empty());
    store.settle(cycle, None).await.unwrap();
    let error = store.settle(cycle, Some(settlement("w", changed(vec![person("a", "cn=a")], "")))).await.unwrap_err();
    assert!(error.to_string().contains("never read in full"), "{error}");
    assert_eq!(standing(&store).await, None);
    assert!(everybody(&store).await.is_empty());
}

pub async fn seats_come_back_as_they_were_settled<S: Subject>() {
    let subject = S::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    let seats = vec![
        Seat {
            selected: false,
            status_until: Some(Moment(-5)),
            aliases: vec![Alias::new("uid", "z \"𝒜\" \\"), Alias::new("uid", "a\u{0}\n"), Alias::new("primary", "513")],
            references: [key(r"CN=Böss\, the,DC=X"), key("cn=nobody")].into(),
            ..person("ada", r"CN=Löwe\2C  Ada\0ADEL:1,OU=\\,DC=X")
        },
        Seat { in_scope: false, status_until: Some(Moment(i64::MAX)), ..person("boss", r"cn=Böss\, the,dc=x") },
        team("whole", "CN=Whole,DC=X", r"cn=unknown uid:nobody cn=whole,dc=x"),
        team("empty", "CN=Empty,DC=X", ""),
        Seat { members: None, ..team("broken", "CN=Broken,DC=X", "") },
    ];
    let containers = BTreeMap::from([(EntryId::new("ou"), dn("OU=People,DC=X")), (EntryId::new("root"), dn(""))]);
    settle(&store, cycle, settlement("w", Seats::All(seats.clone(), containers.clone()))).await;
    drop(store);
    let store = subject.open();
    assert_eq!(written(&everybody(&store).await), written(&by_id(&seats)));
    let told = store.containers(&ChannelName::new("c")).await.unwrap();
    assert_eq!(told, containers);
    assert_eq!(told[&EntryId::new("ou")].as_str(), "OU=People,DC=X");
    let elsewhere = store.seats(&ChannelName::new("d"), SeatQuestion::Of(set("ada boss"))).await.unwrap();
    assert!(elsewhere.is_empty(), "seats belong to a channel");
}

pub async fn a_standing_tells_what_was_settled_and_how_long_ago_everything_was_read<S: Subject>() {
    let subject = S::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    let minute = Duration::from_secs(60);
    let until = |id: &str, moment| Seat { status_until: Some(Moment(moment)), ..person(id, &format!("cn={id}")) };
    let seats = vec![until("over", 1), until("later", i64::MAX), person("plain", "cn=plain")];
    let counts = |users| LinkedCounts { users, groups: 2, memberships: 3 };
    let first = Settlement { pending: set("x y"), counted: Some((counts(1), 4, 5)), ..settlement("w1", all(seats)) };
    settle(&store, cycle, first).await;
    subject.advance(minute);
    let expected = Standing {
        watermark: Watermark::new("w1"),
        fingerprint: "f".to_owned(),
        since_full: minute,
        linked: counts(1),
        users: 4,
        groups: 5,
        pending: set("x y"),
        due: set("over"),
    };
    assert_eq!(standing(&store).await, Some(expected.clone()));
    let second = Settlement { pending: set("y z"), ..settlement("w2", changed(vec![until("plain", 2)], "over")) };
    settle(&store, cycle, second).await;
    subject.advance(minute);
    let watermark = Watermark::new("w2");
    let expected = Standing { watermark, since_full: minute * 2, pending: set("y z"), due: set("plain"), ..expected };
    assert_eq!(standing(&store).await, Some(expected.clone()), "the counts stay, and so does the time of the full reading");
    let third = Settlement { counted: Some((counts(9), 8, 7)), fingerprint: "g".to_owned(), ..settlement("w3", all(vec![])) };
    settle(&store, cycle, third).await;
    let expected = Standing {
        watermark: Watermark::new("w3"),
        fingerprint: "g".to_owned(),
        since_full: Duration::ZERO,
        linked: counts(9),
        users: 8,
        groups: 7,
        pending: set(""),
        due: set(""),
    };
    assert_eq!(standing(&store).await, Some(expected));
}

pub async fn a_channel_that_forgets_where_it_stands_forgets_its_seats_and_no_other_does<S: Subject>() {
    let subject = S::new();
    let store = subject.open();
    let (c, d) = (begin(&store, "c").await, begin(&store, "d").await);
    let seats = || Seats::All(vec![person("a", "cn=a"), team("g", "cn=g", "cn=a")], [(EntryId::new("ou"), dn("ou=x"))].into());
    for cycle in [c, d] {
        settle(&store, cycle, Settlement { pending: set("a"), ..settlement("w", seats()) }).await;
    }
    store.settle(c, None).await.unwrap();
    assert_eq!(standing(&store).await, None);
    assert!(everybody(&store).await.is_empty());
    let other = ChannelName::new("d");
    assert_eq!(store.standing(&other).await.unwrap().unwrap().pending, set("a"));
    assert_eq!(store.seated(&other).await.unwrap(), set("a g"));
    assert_eq!(store.containers(&other).await.unwrap().len(), 1);
    assert_eq!(store.seats(&other, SeatQuestion::Above(names("cn=a"))).await.unwrap().len(), 1);
    settle(&store, c, settlement("w", seats())).await;
    assert_eq!(ask(&store, SeatQuestion::Above(names("cn=a"))).await.len(), 1);
    assert_eq!(standing(&store).await.unwrap().pending, set(""), "nothing of before comes back");
}

pub async fn groups_are_found_above_and_below_through_circles_and_other_names<S: Subject>() {
    let subject = S::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    let seats = vec![
        Seat { aliases: vec![Alias::new("uid", "ada")], ..person("ada", "CN=Ada") },
        person("bob", "cn=bob"),
        team("by-dn", "cn=by-dn", "cn=ADA cn=bob"),
        team("by-uid", "cn=by-uid", "uid:ada uid:bob"),
        team("outer", "cn=outer", "cn=by-dn cn=by-uid cn=circle cn=bob"),
        team("circle", "cn=circle", "cn=outer cn=gone"),
        Seat { members: None, ..team("unread", "cn=unread", "") },
        team("apart", "cn=apart", "cn=bob cn=unread"),
    ];
    settle(&store, cycle, settlement("w", all(seats.clone()))).await;
    let told = |seats: BTreeMap<EntryId, Seat>| -> Vec<(String, Option<BTreeSet<MemberName>>)> {
        seats.into_values().map(|seat| (seat.id.to_string(), seat.members)).collect()
    };
    let row = |id: &str, members: &str| (id.to_owned(), Some(names(members)));
    let above = |texts: &str| ask(&store, SeatQuestion::Above(names(texts)));
    assert_eq!(
        told(above("cn=ada uid:ada").await),
        [
            row("by-dn", "cn=ada"),
            row("by-uid", "uid:ada"),
            row("circle", "cn=outer"),
            row("outer", "cn=by-dn cn=by-uid cn=circle")
        ],
        "only the members on the way are told"
    );
    assert_eq!(told(above("cn=gone").await), [row("circle", "cn=gone cn=outer"), row("outer", "cn=circle")]);
    assert_eq!(told(above("cn=apart cn=Strange uid:strange").await), []);
    let below = ask(&store, SeatQuestion::Below(set("outer nobody"))).await;
    assert_eq!(below.keys().cloned().collect::<BTreeSet<_>>(), set("outer circle by-dn by-uid ada bob"));
    assert_eq!(below[&EntryId::new("outer")], seats[4], "with all members");
    assert_eq!(ask(&store, SeatQuestion::Below(set("unread"))).await.into_values().collect::<Vec<_>>(), [seats[6].clone()]);
    assert_eq!(
        ask(&store, SeatQuestion::At(names("uid:ada cn=OUTER cn=gone"))).await.into_keys().collect::<BTreeSet<_>>(),
        set("ada outer")
    );
}

/// What a walk over every seat finds.
fn walked(seats: &BTreeMap<EntryId, Seat>, question: &SeatQuestion) -> BTreeMap<EntryId, Seat> {
    let listed = |seat: &Seat| seat.members.clone().unwrap_or_default();
    let is_at = |seat: &Seat, names: &BTreeSet<MemberName>| seat.names().any(|name| names.contains(&name));
    let of = |is_told: &dyn Fn(&Seat) -> bool| {
        seats.iter().filter(|(_, seat)| is_told(seat)).map(|(id, seat)| (id.clone(), seat.clone())).collect()
    };
    match question {
        SeatQuestion::Of(ids) => of(&|seat| ids.contains(&seat.id)),
        SeatQuestion::At(names) => of(&|seat| is_at(seat, names)),
        SeatQuestion::Elsewhere(leaves) => {
            let at: BTreeSet<MemberName> = seats.values().flat_map(|seat| seat.names().collect::<Vec<_>>()).collect();
            let is_asked = |name: &MemberName| matches!(name, MemberName::Dn(key) if leaves.contains(key.leaf()));
            of(&|seat| listed(seat).iter().any(|name| is_asked(name) && !at.contains(name)))
        }
        SeatQuestion::Referring(keys) => of(&|seat| !seat.references.is_disjoint(keys)),
        SeatQuestion::Above(asked) => {
            let mut names = asked.clone();
            loop {
                let found: BTreeMap<EntryId, Seat> = of(&|seat| !listed(seat).is_disjoint(&names));
                let before = names.len();
                names.extend(found.values().flat_map(|seat| seat.names().collect::<Vec<_>>()));
                if names.len() == before {
                    let through = |seat: Seat| Seat { members: Some(&listed(&seat) & &names), ..seat };
                    return found.into_iter().map(|(id, seat)| (id, through(seat))).collect();
                }
            }
        }
        SeatQuestion::Below(ids) => {
            let mut found: BTreeMap<EntryId, Seat> = of(&|seat| ids.contains(&seat.id));
            loop {
                let before = found.len();
                let names: BTreeSet<MemberName> = found.values().flat_map(listed).collect();
                found.extend(of(&|seat| is_at(seat, &names)));
                if found.len() == before {
                    return found;
                }
            }
        }
    }
}

/// Directories and changes of them drawn from a seed, and every kind of question after each.
pub async fn questions_are_answered_as_a_walk_over_every_seat_would<S: Subject>() {
    for seed in 0..10 {
        let mut random = fastrand::Rng::with_seed(seed);
        let subject = S::new();
        let store = subject.open();
        let cycle = begin(&store, "c").await;
        let mut known: BTreeMap<EntryId, Seat> = BTreeMap::new();
        for step in 0..12 {
            let one = |random: &mut fastrand::Rng| {
                let (kind, number) = (["cn=n", "uid:n"][random.usize(..2)], random.u8(..14));
                name(&format!("{kind}{number}"))
            };
            let several = |random: &mut fastrand::Rng| (0..random.usize(..5)).map(|_| one(random)).collect::<BTreeSet<_>>();
            let dns = |names: BTreeSet<MemberName>| -> BTreeSet<DnKey> {
                let dn = |name| match name {
                    MemberName::Dn(key) => Some(key),
                    MemberName::Alias(_) => None,
                };
                names.into_iter().filter_map(dn).collect()
            };
            let seat = |random: &mut fastrand::Rng, id: u8| {
                let at = format!("{}=n{}", ["cn", "CN"][random.usize(..2)], random.u8(..14));
                let mut seat = person(&format!("e{id}"), &at);
                let mut aliases: Vec<Alias> =
                    (0..random.usize(..3)).map(|_| Alias::new("uid", &format!("n{}", random.u8(..14)))).collect();
                aliases.dedup();
                if random.bool() {
                    seat = Seat { resource_type: ResourceType::Group, members: random.bool().then(|| several(random)), ..seat };
                } else {
                    seat.references = dns(several(random));
                }
                Seat { aliases, in_scope: random.bool(), status_until: random.bool().then_some(Moment(7)), ..seat }
            };
            let mut written: Vec<Seat> =
                (0..10).filter(|_| random.bool()).collect::<Vec<_>>().into_iter().map(|id| seat(&mut random, id)).collect();
            if step == 0 || random.u8(..4) == 0 {
                let stays = random.bool();
                written.extend(
                    known
                        .values()
                        .filter(|_| stays)
                        .filter(|seat| !written.iter().any(|other| other.id == seat.id))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
                known = by_id(&written);
                settle(&store, cycle, settlement("w", all(written))).await;
            } else {
                let gone: BTreeSet<EntryId> =
                    (0..10).filter(|_| random.u8(..5) == 0).map(|id: u8| EntryId::new(&format!("e{id}"))).collect();
                known.retain(|id, _| !gone.contains(id));
                known.extend(by_id(&written));
                settle(&store, cycle, settlement("w", Seats::Changed(written, gone))).await;
            }
            assert_eq!(self::written(&everybody(&store).await), self::written(&known), "seed {seed}, step {step}");
            let ids = |random: &mut fastrand::Rng| (0..3).map(|_| EntryId::new(&format!("e{}", random.u8(..10)))).collect();
            let questions = [
                SeatQuestion::Of(ids(&mut random)),
                SeatQuestion::At(several(&mut random)),
                SeatQuestion::Above(several(&mut random)),
                SeatQuestion::Below(ids(&mut random)),
                SeatQuestion::Referring(dns(several(&mut random))),
                SeatQuestion::Elsewhere(dns(several(&mut random)).iter().map(|key| key.leaf().to_owned()).collect()),
            ];
            for question in questions {
                let told = ask(&store, question.clone()).await;
                assert_eq!(told, walked(&known, &question), "seed {seed}, step {step}: {question:?}");
            }
        }
    }
}

/// What a part of a snapshot holds, taken from the whole.
fn part_of(mut whole: Snapshot, entries: &BTreeSet<EntryId>, others: &BTreeSet<EntryId>) -> Snapshot {
    let resource = |link: &ldap2scim::model::Link| (link.acknowledged.resource_type, link.resource_id.clone());
    whole.others = others.iter().filter_map(|id| Some((id.clone(), resource(whole.links.get(id)?)))).collect();
    whole.links.retain(|id, _| entries.contains(id));
    whole.claims.retain(|id, _| entries.contains(id));
    whole.leavers.retain(|id, _| entries.contains(id));
    whole.unanswered_creates.retain(|id, _| entries.contains(id));
    whole.refused.retain(|id, _| entries.contains(id));
    whole
}

pub async fn a_part_is_loaded_as_it_stands_in_the_whole<S: Subject>() {
    let subject = S::new();
    let store = subject.open();
    let (c, d) = (begin(&store, "c").await, begin(&store, "d").await);
    link(&store, c, "plain doubtful left shared refused Ärger").await;
    store.record(c, vec![record(None, "team", linked("team", group("Team", "plain left nobody")), Some(true))]).await.unwrap();
    store.record(d, vec![record(None, "shared", Recorded::Unchanged, Some(true))]).await.unwrap();
    store.record(c, vec![record(None, "left", Recorded::Unchanged, Some(false))]).await.unwrap();
    intend(&store, c, update("doubtful", vec![attribute("title", Some("x")), members("m", "n")])).await;
    intend(&store, d, update("team", vec![members("x", "")])).await;
    intend(&store, c, create("lost")).await;
    intend(&store, d, create("theirs")).await;
    let sent = intend(&store, c, delete("plain", Tally { users_absent: 1, ..Tally::default() })).await;
    for entry in ["refused", "unborn"] {
        let declined = Recorded::Declined { why: "no".to_owned(), digest: entry.to_owned() };
        store.record(c, vec![record(None, entry, declined, None)]).await.unwrap();
    }
    store.follow(c, &BTreeMap::from([(key("cn=scope"), EntryId::new("scope"))])).await.unwrap();
    let fact = Fact { value: "true".to_owned(), witness: Witness::Learnt };
    store.learn(c, &Knowledge::from([("bulk".to_owned(), fact)])).await.unwrap();
    subject.advance(DAY / 2);
    let whole = load(&store).await;
    assert!(sent.0 > 0 && whole.tally.users_absent == 1 && whole.unanswered_creates.len() == 1);
    let entries = "plain doubtful left shared refused Ärger team lost theirs unborn nobody";
    let some = async |part: &Part| store.load_some(&TargetName::new("t"), &ChannelName::new("c"), DAY, part).await.unwrap();
    for (entry, others) in entries.split(' ').map(|entry| (entry, "")).chain([(entries, "plain team lost nobody"), ("", entries)])
    {
        let part = Part { entries: set(entry), others: set(others), ..Part::default() };
        assert_eq!(some(&part).await, part_of(whole.clone(), &part.entries, &part.others), "{entry}");
    }
    let user = |name: &str| (ResourceType::User, name.to_owned());
    for (names, holders) in [
        (vec![user("PLAIN"), user("äRGER")], "plain Ärger"),
        (vec![user("team"), user("nobody"), (ResourceType::Group, "plain".to_owned())], ""),
        (vec![(ResourceType::Group, "TEAM".to_owned()), user("refused")], "team refused"),
    ] {
        let part = Part { names: names.into_iter().collect(), ..Part::default() };
        assert_eq!(some(&part).await, part_of(whole.clone(), &set(holders), &set("")), "{holders}");
    }
    let refused = |snapshot: Snapshot| -> Vec<Refused> { snapshot.refused.into_values().flatten().collect() };
    assert_eq!(refused(some(&Part { entries: set("unborn"), ..Part::default() }).await).len(), 1);
}

pub async fn nothing_of_a_settlement_stays_if_the_cycle_is_over<S: Subject>() {
    let subject = S::new();
    let store = subject.open();
    let cycle = begin(&store, "c").await;
    settle(&store, cycle, settlement("w", all(vec![person("a", "cn=a")]))).await;
    store.finish(cycle, &summary(CycleEnd::Done)).await.unwrap();
    assert!(store.settle(cycle, Some(settlement("w2", all(vec![])))).await.is_err());
    assert!(store.settle(cycle, None).await.is_err());
    assert_eq!(standing(&store).await.unwrap().watermark, Watermark::new("w"));
    assert_eq!(everybody(&store).await.len(), 1);
}
