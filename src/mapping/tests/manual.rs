//! docs/mapping.md holds a row for every function, operator and preset rule, and its examples are true.

use super::super::functions::{Example, functions, operators};
use super::super::presets::preset_rules;
use super::*;

const MANUAL: &str = include_str!("../../../docs/mapping.md");

fn row(usage: &str, summary: &str, example: &Example) -> String {
    let attributes: Vec<String> = example.entry.iter().map(|(name, value)| format!("`{name}: {value}`")).collect();
    let over = if attributes.is_empty() { String::new() } else { format!(" over {}", attributes.join(", ")) };
    let values: Vec<String> = example.expected.iter().map(|value| format!("`{value}`")).collect();
    let gives = if values.is_empty() { "nothing".to_owned() } else { values.join(", ") };
    format!("| `{usage}` | {summary} | `{}`{over} → {gives} |", example.expression)
}

/// The lines of a table that the manual must hold, one after another.
fn check(table: &str, lines: &[String]) {
    let expected = lines.join("\n");
    assert!(MANUAL.contains(&format!("\n{expected}\n\n")), "docs/mapping.md: the table of {table} should be\n\n{expected}\n");
}

#[test]
fn the_manual_has_a_row_for_every_function() {
    let rows: Vec<String> = functions().iter().map(|row_of| row(row_of.usage, row_of.summary, &row_of.example)).collect();
    check("functions", &rows);
}

#[test]
fn the_manual_has_a_row_for_every_operator() {
    let rows: Vec<String> = operators().iter().map(|row_of| row(row_of.usage, row_of.summary, &row_of.example)).collect();
    check("operators", &rows);
}

#[test]
fn the_manual_prints_the_presets_whole() {
    for preset in [Preset::ActiveDirectory, Preset::InetOrgPerson] {
        let rows: Vec<String> = preset_rules(preset)
            .iter()
            .map(|rule| {
                let if_required = rule.if_required.map_or(String::new(), |expression| format!("`{expression}` "));
                format!("| `{}` | `{}` | {if_required}|", rule.path, rule.expression)
            })
            .collect();
        check(preset.as_str(), &rows);
    }
}

/// The fenced block with this language after `from`.
fn block<'a>(section: &'a str, language: &str) -> &'a str {
    let (_, after) =
        section.split_once(&format!("```{language}\n")).unwrap_or_else(|| panic!("no {language} block in {section}"));
    after.split_once("```").unwrap().0
}

#[derive(Debug)]
struct Worked {
    preset: Preset,
    rules: Vec<(String, String)>,
}

fn worked(yaml: &str) -> Worked {
    let read: BTreeMap<String, serde_yaml::Value> = serde_yaml::from_str(yaml).unwrap();
    let preset = match read["preset"].as_str().unwrap() {
        "active_directory" => Preset::ActiveDirectory,
        "inetorgperson" => Preset::InetOrgPerson,
        "none" => Preset::None,
        other => panic!("{other}"),
    };
    let rules: BTreeMap<String, String> = serde_yaml::from_value(read["rules"].clone()).unwrap();
    Worked { preset, rules: rules.into_iter().collect() }
}

#[test]
fn the_worked_examples_of_the_manual_are_true() {
    let (_, examples) = MANUAL.split_once("## Worked examples").unwrap();
    let sections: Vec<&str> = examples.split("\n### ").skip(1).collect();
    assert_eq!(sections.len(), 5);
    for section in sections {
        let attributes: Vec<(&str, &str)> =
            block(section, "ldif").lines().map(|line| line.split_once(": ").unwrap()).filter(|(name, _)| *name != "dn").collect();
        let Worked { preset, rules } = worked(block(section, "yaml"));
        let mapping = compile(preset, &rules, &target()).unwrap_or_else(|errors| panic!("{section}: {errors:?}"));
        let mapped = mapping.evaluate(&entry(&attributes)).unwrap_or_else(|error| panic!("{section}: {error}"));
        assert_eq!(shown(&mapped).join("\n"), block(section, "text").trim(), "{section}");
    }
}
