//! Tracking by modifyTimestamp on a real OpenLDAP server that offers nothing better.

use ldap2scim::cycle::Source;
use ldap2scim::ldap::Tracking;
use ldap2scim::model::Watermark;
use tokio::sync::mpsc;

use crate::ldap_sync::{content, directory, id, mark, since, touched, user, wanted};
use crate::support::slapd::{SUFFIX, Slapd};

fn person(uid: &str) -> String {
    format!("uid={uid},ou=People,{SUFFIX}")
}

/// The watermark with its number of that name set back by an hour and a half.
fn earlier(mark: &Watermark, name: &str) -> Watermark {
    let text = mark.as_str();
    let at = text.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
    let digits = text[at..].find(|c: char| !c.is_ascii_digit()).unwrap();
    let number: i64 = text[at..at + digits].parse().unwrap();
    Watermark::new(&format!("{}{}{}", &text[..at], number - 5400, &text[at + digits..]))
}

/// Content of which everything was last changed long ago.
fn old_content() -> String {
    content().replace("\nobjectClass:", "\nmodifyTimestamp: 20200101000000Z\ncreateTimestamp: 20200101000000Z\nobjectClass:")
}

#[tokio::test]
async fn what_is_made_changed_renamed_and_moved_is_told_and_so_is_who_is_left() {
    let slapd = Slapd::start(&old_content());
    let directory = directory(&slapd, Tracking::Timestamp);
    let mark = mark(&directory).await;
    let eve = id(&slapd, &person("eve"));
    slapd.ldapadd(&user("new"));
    slapd.ldapmodify(&format!("dn: {}\nchangetype: modify\nreplace: title\ntitle: one\n\n", person("ada")));
    slapd.ldapmodify(&format!(
        "dn: {}\nchangetype: modrdn\nnewrdn: uid=robert\ndeleteoldrdn: 1\nnewsuperior: ou=Elsewhere,{SUFFIX}\n",
        person("bob")
    ));
    slapd.ldapdelete(&[&person("eve")]);
    let delta = since(&directory, &mark).await;
    let told = touched(&delta);
    for expected in ["uid=new,ou=people", "uid=ada,ou=people", "uid=robert,ou=elsewhere"] {
        assert!(told.contains(&format!("User {expected},dc=example,dc=com")), "{told:?}");
    }
    assert!(delta.gone.is_empty() && delta.present.is_none(), "what is gone is looked for now and then only");
    let listed = since(&directory, &earlier(&delta.watermark, "listed")).await;
    let present = listed.present.unwrap();
    assert!(present.contains(&id(&slapd, &person("ada"))) && !present.contains(&eve));
    assert!(since(&directory, &listed.watermark).await.present.is_none());
}

#[tokio::test]
async fn a_change_within_the_second_of_the_mark_is_told() {
    let slapd = Slapd::start(&old_content());
    let directory = directory(&slapd, Tracking::Timestamp);
    let mut mark = mark(&directory).await;
    for uid in ["ada", "bob", "eve"] {
        slapd.ldapmodify(&format!("dn: {}\nchangetype: modify\nreplace: title\ntitle: one\n\n", person(uid)));
        let delta = since(&directory, &mark).await;
        assert!(touched(&delta).contains(&format!("User uid={uid},ou=people,dc=example,dc=com")), "{uid}");
        mark = delta.watermark;
    }
}

#[tokio::test]
async fn an_entry_from_the_future_freezes_nothing() {
    let future = user("marty").replace("\nobjectClass:", "\nmodifyTimestamp: 20990101000000Z\nobjectClass:");
    let slapd = Slapd::start(&(old_content() + &future));
    let directory = directory(&slapd, Tracking::Timestamp);
    let mut mark = mark(&directory).await;
    for uid in ["ada", "bob"] {
        let delta = since(&directory, &mark).await;
        assert!(touched(&delta).contains("User uid=marty,ou=people,dc=example,dc=com"));
        mark = delta.watermark;
        slapd.ldapmodify(&format!("dn: {}\nchangetype: modify\nreplace: title\ntitle: one\n\n", person(uid)));
        let delta = since(&directory, &mark).await;
        assert!(touched(&delta).contains(&format!("User uid={uid},ou=people,dc=example,dc=com")), "{:?}", touched(&delta));
        mark = delta.watermark;
    }
}

#[tokio::test]
async fn nobody_listens_where_nothing_is_told() {
    let slapd = Slapd::start(&old_content());
    let directory = directory(&slapd, Tracking::Timestamp);
    let mark = mark(&directory).await;
    let (sender, mut heard) = mpsc::channel(1);
    let why = directory.watch(&wanted(), &mark, sender).await.to_string();
    assert!(why.contains("does not tell of changes"), "{why}");
    assert_eq!(heard.recv().await, None);
}
