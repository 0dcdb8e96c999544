//! Our test provider, judged by somebody else's idea of SCIM: scim2-tester (through scim2-cli).

use std::process::Command;

use crate::support::provider::{Personality, Provider, Spelling};

/// A verdict: what was checked, and what was found.
struct Verdict {
    status: String,
    title: String,
    reason: String,
}

fn judge(provider: &Provider) -> Vec<Verdict> {
    let program = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/scim2-tester/bin/scim2");
    assert!(program.exists(), "{} is missing: run scripts/test, which installs it", program.display());
    let output = Command::new(program)
        .args(["--url", provider.base_url().as_str(), "--header", &format!("Authorization: Bearer {}", provider.token()), "test"])
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let mut verdicts: Vec<Verdict> = Vec::new();
    for line in text.lines().skip_while(|line| !line.starts_with("Performing")).skip(1) {
        match (line.strip_prefix("  "), line.split_once(' '), verdicts.last_mut()) {
            (Some(reason), _, Some(last)) => last.reason.push_str(reason),
            (None, Some((status, title)), _) if status.bytes().all(|octet| octet.is_ascii_uppercase()) => {
                verdicts.push(Verdict { status: status.to_owned(), title: title.to_owned(), reason: String::new() });
            }
            (_, _, Some(last)) => last.reason.push_str(line),
            _ => {}
        }
    }
    assert!(!verdicts.is_empty(), "no verdict: {text} {}", String::from_utf8_lossy(&output.stderr));
    verdicts
}

fn others(bent: Personality) -> Personality {
    Personality { any_client: true, group_lists_exclude_members: false, unknown_member: 0, page_cap: 1000, ..bent }
}

/// Every check passed, but for those that did not apply: `skipped`, by title.
fn assert_approved(personality: Personality, skipped: &[&str]) {
    let provider = Provider::start_blocking(others(personality));
    let verdicts = judge(&provider);
    let wrong: Vec<String> = verdicts
        .iter()
        .filter(|verdict| {
            verdict.status != "SUCCESS" && !(verdict.status == "SKIPPED" && skipped.contains(&verdict.title.as_str()))
        })
        .map(|verdict| format!("{} {}: {}", verdict.status, verdict.title, verdict.reason))
        .collect();
    assert!(wrong.is_empty(), "{} of {} checks did not pass:\n{}", wrong.len(), verdicts.len(), wrong.join("\n"));
    // A judge that stops early approves of nothing: it looks at discovery, both types, and each attribute by PATCH.
    assert!(verdicts.len() > 60, "only {} checks", verdicts.len());
    for title in skipped {
        assert!(verdicts.iter().any(|verdict| verdict.status == "SKIPPED" && verdict.title == *title), "{title} is not skipped");
    }
}

#[test]
fn the_test_provider_is_a_scim_provider() {
    assert_approved(Personality::default(), &[]);
}

#[test]
fn legal_ways_of_answering_are_legal() {
    assert_approved(Personality { patch_without_body: true, ..Personality::default() }, &[]);
}

#[test]
fn the_judge_sees_what_is_wrong() {
    let spelling = Spelling { text_booleans: true, numeric_ids: true, media_type: None };
    let provider = Provider::start_blocking(others(Personality { spelling, ..Personality::default() }));
    assert!(judge(&provider).iter().any(|verdict| verdict.status != "SUCCESS"));
}
