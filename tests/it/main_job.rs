//! The main job, end to end: the real program between a real slapd and a real SCIM server.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::site::{Site, person, team};
use crate::support::slapd::SUFFIX;

fn people(names: &[&str]) -> String {
    names.iter().map(|name| person(name)).collect()
}

async fn small() -> Site {
    let people = people(&["ada", "bob", "eve"]);
    Site::start(&format!("{people}{}{}", team("makers", &["ada", "bob"]), team("staff", &["eve"]))).await
}

fn change(site: &Site, dn: &str, lines: &str) {
    site.slapd.ldapmodify(&format!("dn: {dn},{SUFFIX}\nchangetype: modify\n{lines}\n"));
}

fn delete(site: &Site, name: &str) {
    site.slapd.ldapdelete(&[&format!("uid={name},ou=People,{SUFFIX}")]);
}

/// Different at each run: what it finds must hold for every value.
fn random_below(bound: u64) -> u64 {
    let nanoseconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    u64::from(nanoseconds / 1000) % bound
}

/// Deletes a user and the memberships, as an overlay would in its own time.
fn leave(site: &Site, name: &str, group: &str) {
    change(site, &format!("cn={group},ou=Groups"), &format!("delete: member\nmember: uid={name},ou=People,{SUFFIX}\n"));
    delete(site, name);
}

#[test]
fn the_demo_runs_and_its_read_back_matches() {
    let root = env!("CARGO_MANIFEST_DIR");
    let demo = format!("{root}/scripts/demo");
    let output = Command::new("bash").arg(demo).env("LDAP2SCIM", env!("CARGO_BIN_EXE_ldap2scim")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn an_admin_checks_previews_syncs_and_looks() {
    let site = small().await;
    site.expect(0, &["check"]);
    let preview = site.expect(0, &["dry-run"]);
    assert!(preview.contains("ada"), "{preview}");
    assert!(site.users().await.is_empty(), "a preview writes nothing");
    site.expect(0, &["sync"]);
    assert_eq!(site.active().await, ["ada", "bob", "eve"]);
    let groups = site.groups().await;
    assert_eq!(groups["makers"], ["ada", "bob"].map(str::to_owned).into());
    assert_eq!(groups["staff"], ["eve"].map(str::to_owned).into());
    site.expect(0, &["status"]);
    let explained = site.expect(0, &["explain", "ada"]);
    assert!(explained.contains("makers"), "{explained}");
    let header: serde_json::Value =
        serde_json::from_str(site.expect(0, &["--format", "json", "dry-run"]).lines().next().unwrap()).unwrap();
    assert!(header.is_object());
}

#[tokio::test]
async fn two_thousand_users_are_loaded_and_left_alone() {
    let names: Vec<String> = (0..2000).map(|n| format!("u{n:04}")).collect();
    let mut ldif: String = names.iter().map(|name| person(name)).collect();
    for (n, part) in names.chunks(250).enumerate() {
        ldif.push_str(&team(&format!("team{n}"), &part.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    let site = Site::start(&ldif).await;
    site.expect(0, &["sync"]);
    assert_eq!(site.active().await.len(), 2000);
    let groups = site.groups().await;
    assert_eq!(groups.len(), 8);
    assert!(groups.values().all(|members| members.len() == 250));
    let before = site.mark("before").await;
    site.expect(0, &["sync"]);
    let after = site.mark("after").await;
    let between: Vec<&str> = after.lines().skip(before.lines().count()).filter(|line| !line.contains("mark=")).collect();
    assert!(between.is_empty(), "a cycle with nothing to do sends nothing: {between:?}");
}

#[tokio::test]
async fn each_removal_policy_works_on_real_servers() {
    for (policy, active, left) in
        [("deactivate", vec!["ada", "eve"], 3), ("delete", vec!["ada", "eve"], 2), ("keep", vec!["ada", "bob", "eve"], 3)]
    {
        let site = small().await;
        site.configure(&format!("    removal: {{ users: {policy}, groups: delete }}\n"));
        site.expect(0, &["sync"]);
        leave(&site, "bob", "makers");
        site.expect(0, &["sync"]);
        assert_eq!(site.active().await, active, "{policy}");
        assert_eq!(site.users().await.len(), left, "{policy}");
        assert!(site.run(&["sync"]).code == 0);
    }
}

#[tokio::test]
async fn the_guard_stops_a_flood_and_a_trickle_and_lets_the_rest_go_on() {
    let names: Vec<String> = (0..30).map(|n| format!("u{n:02}")).collect();
    let site = Site::start(&names.iter().map(|name| person(name)).collect::<String>()).await;
    site.configure("    guard: { users: { percent: 2, at_least: 3, at_most: 100 } }\n");
    site.expect(0, &["sync"]);
    for name in &names[..4] {
        delete(&site, name);
    }
    site.slapd.ldapadd(&person("new"));
    site.expect(4, &["dry-run"]);
    let said = site.run(&["sync"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert_eq!(site.active().await.len(), 31, "nobody is switched off, the hire is there");
    site.expect(4, &["status"]);
    site.slapd.ldapadd(&format!("{}{}", person("u00"), person("u01")));
    // The hires are new entries under names that are held by others: they wait, and nobody is merged by accident.
    let said = site.run(&["sync"]);
    assert_eq!(said.code, 4, "{said:?}");

    let site = Site::start(&names.iter().map(|name| person(name)).collect::<String>()).await;
    site.configure("    guard: { users: { percent: 2, at_least: 3, at_most: 100 } }\n");
    site.expect(0, &["sync"]);
    for (n, name) in names[..5].iter().enumerate() {
        delete(&site, name);
        assert_eq!(site.run(&["sync"]).code, if n < 3 { 0 } else { 4 }, "leaver {n}");
    }
    assert_eq!(site.active().await.len(), 27);
}

#[tokio::test]
async fn what_is_there_is_adopted_without_duplicates() {
    let site = small().await;
    let client = reqwest::Client::new();
    for name in ["ada", "somebody"] {
        let answer = client
            .post(format!("{}/Users", site.scim.base_url()))
            .bearer_auth(site.scim.token())
            .header("content-type", "application/scim+json")
            .body(
                json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "active": true}).to_string(),
            )
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success());
    }
    site.expect(0, &["sync"]);
    assert_eq!(site.active().await, ["ada", "bob", "eve", "somebody"]);
    assert_eq!(site.scim.user("ada").await.unwrap()["emails"][0]["value"], "ada@example.com");
}

#[tokio::test]
async fn resync_repairs_what_was_changed_behind_our_back() {
    let site = small().await;
    site.expect(0, &["sync"]);
    let ada = site.scim.user("ada").await.unwrap()["id"].as_str().unwrap().to_owned();
    let client = reqwest::Client::new();
    let answer =
        client.delete(format!("{}/Users/{ada}", site.scim.base_url())).bearer_auth(site.scim.token()).send().await.unwrap();
    assert!(answer.status().is_success());
    site.expect(0, &["sync"]);
    assert_eq!(site.active().await, ["bob", "eve"], "a plain sync does not look");
    site.expect(0, &["resync"]);
    assert_eq!(site.active().await, ["ada", "bob", "eve"]);
    assert_eq!(site.groups().await["makers"], ["ada", "bob"].map(str::to_owned).into());
}

#[tokio::test]
async fn kill_nine_at_any_moment_of_a_load_leaves_no_duplicates() {
    let names: Vec<String> = (0..300).map(|n| format!("u{n:03}")).collect();
    let mut ldif: String = names.iter().map(|name| person(name)).collect();
    ldif.push_str(&team("all", &names.iter().map(String::as_str).collect::<Vec<_>>()));
    let site = Site::start(&ldif).await;
    let mut landed = 0;
    for _ in 0..10 {
        let before = site.users().await.len();
        let mut child = site.spawn(&["sync"]);
        tokio::time::sleep(Duration::from_millis(100 + random_below(400))).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let after = site.users().await.len();
        landed += u64::from(before < after && after < names.len());
    }
    println!("{landed} of 10 kills landed in the middle of the load");
    site.expect(0, &["sync"]);
    assert_eq!(site.active().await.len(), 300);
    assert_eq!(site.groups().await["all"].len(), 300);
    assert!(site.expect(0, &["sync"]).lines().count() > 0);
}

#[tokio::test]
async fn a_user_who_leaves_one_of_two_channels_stays() {
    let site = small().await;
    let channel = |name: &str, group: &str| {
        format!(
            "  {name}:\n    source: corp\n    target: sp\n    users: {{ base_dn: \"ou=People,{SUFFIX}\", group_dn: \
             \"cn={group},ou=Groups,{SUFFIX}\" }}\n"
        )
    };
    change(&site, "cn=staff,ou=Groups", &format!("add: member\nmember: uid=ada,ou=People,{SUFFIX}\n"));
    site.configure_channels(&format!("{}{}", channel("one", "makers"), channel("two", "staff")));
    site.expect(0, &["sync"]);
    assert_eq!(site.active().await, ["ada", "bob", "eve"]);
    change(&site, "cn=makers,ou=Groups", &format!("delete: member\nmember: uid=ada,ou=People,{SUFFIX}\n"));
    site.expect(0, &["sync"]);
    assert_eq!(site.active().await, ["ada", "bob", "eve"], "the second channel still claims her");
    change(&site, "cn=staff,ou=Groups", &format!("delete: member\nmember: uid=ada,ou=People,{SUFFIX}\n"));
    site.expect(0, &["sync"]);
    assert_eq!(site.active().await, ["bob", "eve"]);
}

#[tokio::test]
async fn a_scope_group_that_is_emptied_renamed_or_gone_takes_nobody_away() {
    let site = small().await;
    let channel = format!(
        "  main:\n    source: corp\n    target: sp\n    users: {{ base_dn: \"ou=People,{SUFFIX}\", group_dn: \
         \"cn=makers,ou=Groups,{SUFFIX}\" }}\n"
    );
    site.configure_channels(&channel);
    site.expect(0, &["sync"]);
    assert_eq!(site.active().await, ["ada", "bob"]);
    site.slapd
        .ldapmodify(&format!("dn: cn=makers,ou=Groups,{SUFFIX}\nchangetype: modrdn\nnewrdn: cn=builders\ndeleteoldrdn: 1\n"));
    change(&site, "cn=builders,ou=Groups", &format!("add: member\nmember: uid=eve,ou=People,{SUFFIX}\n"));
    site.expect(0, &["sync"]);
    assert_eq!(site.active().await, ["ada", "bob", "eve"], "the group is followed through its rename");
    site.slapd.ldapdelete(&[&format!("cn=builders,ou=Groups,{SUFFIX}")]);
    let said = site.run(&["sync"]);
    assert_eq!(site.active().await, ["ada", "bob", "eve"], "{said:?}");
}
