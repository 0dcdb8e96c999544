//! Members at the wire: bad ones, too many of them, forms of removal, and groups that do not show who is in them.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use ldap2scim::cycle::{CycleEnd, Outcome, References, Target, TargetError};
use ldap2scim::model::{EntryId, MembersRead, ResourceId, ResourceType, Witness};
use ldap2scim::plan::{Action, Edit};
use ldap2scim::scim::{self, SaidBy};

use crate::scim_server::{change, group, members};
use crate::support::bridge::Bridge;
use crate::support::provider::{Fault, MemberRemove, Membership, Personality, Provider};

const GROUP: ResourceType = ResourceType::Group;

async fn with(change: impl FnOnce(&mut Personality)) -> Provider {
    let mut personality = Personality::default();
    change(&mut personality);
    Provider::start(personality).await
}

/// A target with knobs as an admin would set them.
fn told(provider: &Provider, knobs: &[(&str, &str)], by: SaidBy) -> scim::Provider {
    let mut settings = provider.settings();
    for (knob, value) in knobs {
        assert!(settings.dialect.set(knob, value, by).unwrap());
    }
    scim::Provider::new(settings).unwrap()
}

fn users(provider: &Provider, count: usize) -> Vec<String> {
    (0..count).map(|number| provider.add_user(&format!("u{number:05}"), json!({}))).collect()
}

fn in_group(ids: &[String]) -> Json {
    json!({ "members": ids.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>() })
}

fn texts(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

fn set(ids: &[String]) -> BTreeSet<String> {
    ids.iter().cloned().collect()
}

/// Who was not taken, who is doubtful, and why.
fn partly(outcome: Result<Outcome, TargetError>) -> (Vec<String>, Vec<String>, String) {
    let names = |entries: BTreeSet<EntryId>| entries.iter().map(ToString::to_string).collect();
    match outcome.unwrap() {
        Outcome::Partly { undone, doubtful, why, .. } => (names(undone), names(doubtful), why),
        other => panic!("{other:?}"),
    }
}

fn patches(provider: &Provider) -> usize {
    provider.writes().iter().filter(|request| request.method == "PATCH").count()
}

#[tokio::test]
async fn a_chunk_is_halved_down_to_the_bad_members_and_all_others_go_through() {
    for status in [400, 404, 500, 422] {
        let provider = with(|personality| personality.unknown_member = status).await;
        let ids = users(&provider, 98);
        let eng = ResourceId::new(&provider.add_group("Eng", json!({})));
        let mut add = texts(&ids);
        add.extend(["User-10500", "stranger"]);
        let target = provider.target();
        let (undone, doubtful, why) = partly(members(&target, &eng, &add, &[]).await);
        assert_eq!((undone, doubtful), (vec!["User-10500".to_owned(), "stranger".to_owned()], vec![]), "{status}");
        assert!(why.contains(&status.to_string()), "{why}");
        assert_eq!(provider.member_ids("Eng"), set(&ids), "{status}");
        // Two searches of seven steps, and what goes through beside them; five tries of what may pass yet.
        let tries = if status == 500 { 5 } else { 1 };
        assert!(patches(&provider) <= 15 * tries + 15, "{} requests", patches(&provider));
        assert_eq!(target.dialect().capabilities.members_per_request, 100, "that was no matter of numbers");
        // Sent again, only the bad ones are tried again.
        provider.forget_requests();
        partly(members(&target, &eng, &add, &[]).await);
        assert_eq!(provider.member_ids("Eng"), set(&ids));
        provider.assert_clean();
    }
}

#[tokio::test]
async fn a_single_bad_member_is_refused_by_name() {
    let provider = Provider::start(Personality::default()).await;
    let eng = ResourceId::new(&provider.add_group("Eng", json!({})));
    let error = members(&provider.target(), &eng, &["stranger"], &[]).await.unwrap_err();
    assert!(matches!(error, TargetError::Rejected { status: 404, .. }), "{error}");
    let error = members(&provider.target(), &eng, &["one", "two"], &[]).await.unwrap_err();
    assert!(error.to_string().contains("(entry one)"), "{error}");
}

#[tokio::test]
async fn a_group_that_refuses_everybody_is_not_asked_once_for_each() {
    let provider = with(|personality| personality.unknown_member = 400).await;
    let eng = ResourceId::new(&provider.add_group("Eng", json!({})));
    let strangers: Vec<String> = (0..100).map(|number| format!("stranger{number:03}")).collect();
    let error = members(&provider.target(), &eng, &texts(&strangers), &[]).await.unwrap_err();
    assert!(matches!(error, TargetError::Rejected { status: 400, .. }), "{error}");
    assert!(patches(&provider) <= 25, "{} requests", patches(&provider));
}

#[tokio::test]
async fn too_many_members_at_once_are_halved_and_the_number_is_remembered() {
    for status in [413, 400] {
        let provider =
            with(|personality| (personality.members_per_request, personality.membership.too_many) = (30, status)).await;
        let ids = users(&provider, 100);
        let eng = ResourceId::new(&provider.add_group("Eng", json!({})));
        let target = provider.target();
        assert_eq!(members(&target, &eng, &texts(&ids), &[]).await.unwrap(), Outcome::Exists(eng.clone()));
        assert_eq!(provider.member_ids("Eng"), set(&ids), "{status}");
        assert_eq!(target.capabilities().members_per_request, 25, "{status}");
        let fact = &target.learnt()["members_per_request"];
        assert_eq!((fact.value.as_str(), fact.witness), ("25", Witness::Learnt));
        // What is planned in larger pieces still is cut before it is sent.
        provider.forget_requests();
        members(&target, &eng, &[], &texts(&ids)).await.unwrap();
        assert_eq!((patches(&provider), provider.member_ids("Eng").len()), (4, 0), "{status}");
    }
}

#[tokio::test]
async fn an_error_after_it_was_done_is_seen_to_have_been_done() {
    let provider = Provider::start(Personality::default()).await;
    let ids = users(&provider, 40);
    let eng = ResourceId::new(&provider.add_group("Eng", json!({})));
    let target = provider.target();
    provider.fail_when("PATCH", "/Groups", 5, Fault::AfterCommit(500));
    members(&target, &eng, &texts(&ids), &[]).await.unwrap();
    assert_eq!((provider.member_ids("Eng"), patches(&provider)), (set(&ids), 5));
    provider.assert_clean();
}

#[tokio::test]
async fn members_of_whom_nobody_knows_are_doubtful() {
    let provider = with(|personality| (personality.members_hidden, personality.unknown_member) = (true, 500)).await;
    let ids = users(&provider, 3);
    let eng = ResourceId::new(&provider.add_group("Eng", json!({})));
    let target = told(&provider, &[("members_read", "none")], SaidBy::Preset);
    let add = [ids[0].as_str(), "stranger", &ids[1], &ids[2]];
    let (undone, doubtful, _) = partly(members(&target, &eng, &add, &[]).await);
    assert_eq!((undone, doubtful), (vec![], vec!["stranger".to_owned()]));
    assert_eq!(provider.member_ids("Eng"), set(&ids));
}

#[tokio::test]
async fn a_connection_that_is_lost_half_way_leaves_nothing_called_done_that_is_not() {
    let provider = with(|personality| personality.members_per_request = 2).await;
    let ids = users(&provider, 6);
    let eng = ResourceId::new(&provider.add_group("Eng", json!({})));
    let target = told(&provider, &[("members_per_request", "2")], SaidBy::Preset);
    provider.fail_after("PATCH", "/Groups", 1, 1000, Fault::LostRequest);
    let (undone, doubtful, _) = partly(members(&target, &eng, &texts(&ids), &[]).await);
    assert_eq!((undone, doubtful), (ids[4..].to_vec(), ids[2..4].to_vec()));
    assert_eq!(provider.member_ids("Eng"), set(&ids[..2]));
}

#[tokio::test]
async fn the_form_of_a_removal_is_found_out_and_remembered() {
    for (personality, knob, learnt) in
        [(MemberRemove::ValueArray, "path_filter", "value_array"), (MemberRemove::PathFilter, "value_array", "path_filter")]
    {
        let provider = with(|own| own.member_remove = personality).await;
        let ids = users(&provider, 6);
        let eng = ResourceId::new(&provider.add_group("Eng", in_group(&ids)));
        let target = told(&provider, &[("member_remove", knob)], SaidBy::Preset);
        members(&target, &eng, &[], &texts(&ids[..4])).await.unwrap();
        assert_eq!(provider.member_ids("Eng"), set(&ids[4..]), "{knob}");
        assert_eq!(target.learnt()["member_remove"].value, learnt);
        provider.forget_requests();
        members(&target, &eng, &[], &texts(&ids[4..])).await.unwrap();
        assert_eq!((provider.member_ids("Eng").len(), provider.requests().len()), (0, 1));
        // What the admin wrote is kept to, and the refusal is told.
        let chosen = told(&provider, &[("member_remove", knob)], SaidBy::Configuration);
        provider.edit(eng.as_str(), |group| group["members"] = in_group(&ids)["members"].clone());
        assert!(matches!(members(&chosen, &eng, &[], &[&ids[0]]).await, Err(TargetError::Rejected { .. })));
        assert_eq!(provider.member_ids("Eng"), set(&ids));
    }
}

#[tokio::test]
async fn nobody_loses_a_membership_because_a_form_of_removal_is_taken_for_another() {
    let provider = with(|personality| personality.member_remove = MemberRemove::AllOrNothing).await;
    let ids = users(&provider, 6);
    let eng = ResourceId::new(&provider.add_group("Eng", in_group(&ids)));
    let target = provider.target();
    let (undone, ..) = partly(members(&target, &eng, &[], &texts(&ids[..2])).await);
    assert_eq!(provider.member_ids("Eng"), set(&ids[1..]), "the one that it was tried with is gone, and nobody else");
    assert_eq!(undone, [ids[1].clone()]);
    assert!(!target.learnt().contains_key("member_remove"));
    // Where it could not be seen, it is not tried.
    let blind = told(&provider, &[("members_read", "none")], SaidBy::Preset);
    assert!(matches!(members(&blind, &eng, &[], &[&ids[3]]).await, Err(TargetError::Rejected { .. })));
    assert_eq!(provider.member_ids("Eng").len(), 5);
}

#[tokio::test]
async fn a_provider_that_heeds_the_first_of_a_value_array_is_given_one_removal_for_each() {
    let provider = with(|personality| personality.member_remove = MemberRemove::FirstOfValueArray).await;
    let ids = users(&provider, 5);
    let eng = ResourceId::new(&provider.add_group("Eng", in_group(&ids)));
    members(&provider.target(), &eng, &[], &texts(&ids[..3])).await.unwrap();
    assert_eq!(provider.member_ids("Eng"), set(&ids[3..]));
}

#[tokio::test]
async fn a_whole_list_keeps_those_who_are_not_ours() {
    let provider = Provider::start(Personality::default()).await;
    let ids = users(&provider, 6);
    let eng = ResourceId::new(&provider.add_group("Eng", in_group(&ids[..4])));
    let target = told(&provider, &[("member_remove", "replace_all")], SaidBy::Preset);
    members(&target, &eng, &[&ids[4], &ids[5]], &[&ids[0]]).await.unwrap();
    assert_eq!(provider.member_ids("Eng"), set(&ids[1..]));
    let sent = &provider.writes()[0].body["Operations"];
    assert_eq!((&sent[0]["op"], &sent[0]["path"], sent.as_array().unwrap().len()), (&json!("replace"), &json!("members"), 1));
    // Whoever cannot be seen would be lost.
    provider.forget_requests();
    let blind = told(&provider, &[("member_remove", "replace_all"), ("members_read", "none")], SaidBy::Preset);
    assert!(matches!(members(&blind, &eng, &[], &[&ids[1]]).await, Err(TargetError::Rejected { .. })));
    assert_eq!(provider.writes().len(), 0);
    provider.assert_clean();
}

#[tokio::test]
async fn foreign_members_go_by_their_ids() {
    let provider = with(|personality| personality.member_remove = MemberRemove::PathFilter).await;
    let ids = users(&provider, 4);
    let eng = ResourceId::new(&provider.add_group("Eng", in_group(&ids[..3])));
    let remove = ids[1..].iter().map(|id| ResourceId::new(id)).collect();
    let action = Action::Update { resource_id: eng, edits: vec![Edit::Foreign { remove }] };
    provider.target().apply(&change(GROUP, action), &References::new()).await.unwrap();
    assert_eq!(provider.member_ids("Eng"), set(&ids[..1]), "one of them was not there any more");
}

#[tokio::test]
async fn a_list_of_members_that_may_be_cut_is_not_believed() {
    let provider = with(|personality| personality.membership.shown = 100).await;
    let ids = users(&provider, 130);
    let eng = ResourceId::new(&provider.add_group("Eng", in_group(&ids)));
    let ops = ResourceId::new(&provider.add_group("Ops", in_group(&ids[..99])));
    let read = async |target: &scim::Provider, id| target.get(GROUP, id).await.unwrap().unwrap().members.map(|all| all.len());
    let target = provider.target();
    assert_eq!((read(&target, &eng).await, read(&target, &ops).await), (None, Some(99)));
    // Another way to ask shows who else there is.
    provider.change_personality(|personality| personality.filters_by_group = true);
    assert_eq!(read(&provider.target(), &eng).await, Some(130));
    provider.assert_clean();
}

#[tokio::test]
async fn members_are_read_by_a_filter_of_users_that_is_proven_to_filter() {
    let provider = with(|personality| (personality.members_hidden, personality.filters_by_group) = (true, true)).await;
    let ids = users(&provider, 130);
    let eng = ResourceId::new(&provider.add_group("Eng", in_group(&ids[..120])));
    let knobs = [("members_read", "users_by_group")];
    let read = async |target: &scim::Provider| target.get(GROUP, &eng).await.unwrap().unwrap().members;
    let members: BTreeSet<ResourceId> = ids[..120].iter().map(|id| ResourceId::new(id)).collect();
    assert_eq!(read(&told(&provider, &knobs, SaidBy::Preset)).await, Some(members));
    // One that shows everybody whatever it is asked, and one that refuses.
    for change in [
        |personality: &mut Personality| personality.filter = crate::support::provider::Filter::Ignored,
        |personality: &mut Personality| personality.filters_by_group = false,
    ] {
        provider.change_personality(change);
        let target = told(&provider, &knobs, SaidBy::Preset);
        assert_eq!(read(&target).await, None);
        assert_eq!(target.capabilities().members_read, MembersRead::None);
        provider.change_personality(|personality| personality.filter = crate::support::provider::Filter::Honoured);
    }
}

#[tokio::test]
async fn a_group_that_never_shows_anybody_is_found_out_and_nothing_is_concluded_from_it() {
    let provider = with(|personality| (personality.members_hidden, personality.unknown_member) = (true, 404)).await;
    let ids = users(&provider, 4);
    let eng = ResourceId::new(&provider.add_group("Eng", json!({})));
    let target = provider.target();
    // A removal that is refused is not done because nobody is shown.
    provider.edit(eng.as_str(), |group| group["members"] = in_group(&ids[..1])["members"].clone());
    provider.fail_when("PATCH", "/Groups", 1, Fault::scim(400, "invalidValue"));
    assert!(matches!(members(&target, &eng, &[], &[&ids[0]]).await, Err(TargetError::Rejected { .. })));
    let (undone, ..) = partly(members(&target, &eng, &[&ids[1], "stranger", &ids[2]], &[]).await);
    assert_eq!(undone, ["stranger"]);
    assert_eq!(target.capabilities().members_read, MembersRead::None, "who was just added is not shown");
    assert_eq!(provider.member_ids("Eng"), set(&ids[..3]));
}

#[tokio::test]
async fn members_carry_their_type_where_that_is_wanted() {
    let provider = Provider::start(Personality::default()).await;
    let (ada, ops) = (provider.add_user("ada", json!({})), provider.add_group("Ops", json!({})));
    let eng = ResourceId::new(&provider.add_group("Eng", json!({})));
    let target = told(&provider, &[("member_type", "yes")], SaidBy::Preset);
    let mut references = References::new();
    references.insert(EntryId::new("1"), ResourceType::User, ResourceId::new(&ada));
    references.insert(EntryId::new("2"), GROUP, ResourceId::new(&ops));
    let add = [EntryId::new("1"), EntryId::new("2")].into();
    let action = Action::Update { resource_id: eng, edits: vec![Edit::Members { add, remove: BTreeSet::new() }] };
    target.apply(&change(GROUP, action), &references).await.unwrap();
    let sent = &provider.writes()[0].body["Operations"][0]["value"];
    assert_eq!(*sent, json!([{ "value": ada, "type": "User" }, { "value": ops, "type": "Group" }]));
}

#[tokio::test]
async fn a_group_is_created_with_members_and_without_them_if_they_are_refused() {
    let provider = Provider::start(Personality::default()).await;
    let ada = provider.add_user("ada", json!({}));
    let target = told(&provider, &[("create_with_members", "yes")], SaidBy::Preset);
    let mut eng = group("Eng");
    eng.members = [EntryId::new("ada")].into();
    let references = References::from([(EntryId::new("ada"), ResourceId::new(&ada))]);
    target.apply(&change(GROUP, Action::Create(eng.clone())), &references).await.unwrap();
    assert_eq!(provider.member_ids("Eng"), [ada].into());
    provider.fail_when("POST", "/Groups", 1, Fault::status(400));
    eng.attributes = group("Ops").attributes;
    let (undone, ..) = partly(target.apply(&change(GROUP, Action::Create(eng)), &references).await);
    assert_eq!((undone, provider.member_ids("Ops").len()), (vec!["ada".to_owned()], 0));
    provider.assert_clean();
}

#[tokio::test]
async fn one_changed_member_of_fifty_thousand_is_one_small_request() {
    let provider = Provider::start(Personality::default()).await;
    let ids: Vec<String> = (0..50_000).map(|number| format!("member-{number}")).collect();
    let newcomer = provider.add_user("newcomer", json!({}));
    let eng = ResourceId::new(&provider.add_group("Eng", in_group(&ids)));
    let target = provider.target();
    members(&target, &eng, &[&newcomer], &[]).await.unwrap();
    members(&target, &eng, &[], &["member-25000"]).await.unwrap();
    let requests = provider.requests();
    assert_eq!(requests.len(), 2, "one for each");
    assert!(requests.iter().all(|request| request.body.to_string().len() < 1024));
    assert_eq!(provider.member_ids("Eng").len(), 50_000);
}

async fn company(personality: Personality) -> Bridge {
    let bridge = Bridge::start(personality).await;
    for name in ["ada", "bob", "eve"] {
        bridge.directory.add_user(name);
    }
    bridge
}

#[tokio::test]
async fn a_cycle_holds_the_group_by_the_name_of_its_bad_member_and_acknowledges_the_others() {
    let bridge = company(Personality::default()).await;
    bridge.synced().await;
    let ada = bridge.provider.user("ada").unwrap()["id"].as_str().unwrap().to_owned();
    bridge.provider.remove(&ada);
    bridge.directory.put_group("staff", &["ada", "bob", "eve"]);
    let report = bridge.sync().await;
    assert_eq!(report.end, CycleEnd::DoneWithHeld);
    assert!(report.held[0].why.contains("id-ada") && report.held[0].why.contains("404"), "{}", report.held[0].why);
    assert_eq!(bridge.members("staff"), ["bob", "eve"]);
    let snapshot = bridge.snapshot().await;
    let staff = &snapshot.links[&EntryId::new("id-g-staff")];
    assert_eq!(staff.acknowledged.members, [EntryId::new("id-bob"), EntryId::new("id-eve")].into());
    assert!(staff.uncertain.is_empty(), "nothing was lost");
    // The next cycle asks for that one alone.
    bridge.provider.forget_requests();
    bridge.sync().await;
    let sent: Vec<Json> = bridge.provider.writes().into_iter().map(|request| request.body["Operations"].clone()).collect();
    assert_eq!(sent, [json!([{ "op": "add", "path": "members", "value": [{ "value": ada }] }])]);
    bridge.provider.assert_clean();
}

#[tokio::test]
async fn a_member_of_whom_nobody_knows_stays_uncertain_and_is_taken_out_if_he_leaves() {
    let personality = Personality { members_hidden: true, unknown_member: 500, ..Personality::default() };
    let mut bridge = company(personality).await;
    bridge.settings.dialect.set("members_read", "none", SaidBy::Preset).unwrap();
    bridge.synced().await;
    let ada = bridge.provider.user("ada").unwrap()["id"].as_str().unwrap().to_owned();
    bridge.provider.remove(&ada);
    bridge.directory.put_group("staff", &["ada", "bob", "eve"]);
    bridge.sync().await;
    let uncertain = || async { bridge.snapshot().await.links[&EntryId::new("id-g-staff")].uncertain.members.clone() };
    assert_eq!(uncertain().await, [EntryId::new("id-ada")].into());
    bridge.directory.put_group("staff", &["bob", "eve"]);
    bridge.provider.forget_requests();
    bridge.sync().await;
    let sent = bridge.provider.writes()[0].body["Operations"][0]["path"].clone();
    assert_eq!(sent, json!(format!("members[value eq \"{ada}\"]")), "perhaps it was taken, so it is taken out");
    assert_eq!(bridge.members("staff"), ["bob", "eve"]);
    assert!(uncertain().await.is_empty());
    bridge.assert_silent().await;
}

#[tokio::test]
async fn a_group_travels_with_its_first_members_and_the_rest_follows() {
    let mut bridge = company(Personality::default()).await;
    bridge.settings.dialect.set("create_with_members", "yes", SaidBy::Preset).unwrap();
    bridge.settings.dialect.set("members_per_request", "2", SaidBy::Preset).unwrap();
    bridge.directory.put_group("staff", &["ada", "bob", "eve"]);
    bridge.directory.put_group("pair", &["ada", "bob"]);
    bridge.synced().await;
    assert_eq!((bridge.members("staff").len(), bridge.members("pair").len()), (3, 2));
    let about: Vec<String> =
        bridge.provider.writes().iter().filter(|r| r.path.starts_with("/Groups")).map(|r| r.method.clone()).collect();
    assert_eq!(about, ["POST", "POST", "PATCH"], "one for each, and one for who did not fit");
    bridge.assert_silent().await;
    // One who cannot be a member keeps nobody out, and neither does he keep the group out.
    let ada = bridge.provider.user("ada").unwrap()["id"].as_str().unwrap().to_owned();
    bridge.provider.fail_when("POST", "/Groups", 1, Fault::status(400));
    bridge.directory.put_group("late", &["ada", "bob"]);
    bridge.synced().await;
    assert_eq!(bridge.provider.member_ids("late").len(), 2, "{ada}");
    bridge.assert_silent().await;
}

#[tokio::test]
async fn what_a_cycle_found_out_about_chunks_the_next_one_knows() {
    let bridge = Bridge::start(Personality {
        members_per_request: 4,
        membership: Membership { too_many: 413, ..Membership::default() },
        ..Personality::default()
    })
    .await;
    let names: Vec<String> = (0..12).map(|number| format!("u{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.iter().for_each(|name| bridge.directory.add_user(name));
    bridge.directory.put_group("one", &names);
    bridge.synced().await;
    assert_eq!(bridge.members("one").len(), 12);
    bridge.directory.put_group("two", &names);
    bridge.provider.forget_requests();
    bridge.synced().await;
    let patches = patches(&bridge.provider);
    assert_eq!((bridge.members("two").len(), patches), (12, 4), "chunks of three from the beginning");
    bridge.assert_silent().await;
}
