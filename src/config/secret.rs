//! Where a secret stands, and whether it can be read and is kept from others.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::SecretString;

use crate::secret::Secret;

use super::reader::{Field, Secrets, Section};
use super::tree::Kind;
use super::values::text;

/// `{ file: … }`, `{ env: … }`, `{ credential: … }`, or the secret itself. Nothing of it is ever part of a message.
pub(super) fn secret(field: &Field<'_>) -> Option<Secret> {
    match &field.node.kind {
        Kind::Text(secret) if secret.is_empty() => {
            field.wrong("is empty");
            None
        }
        Kind::Text(secret) => {
            let hint = "write { file: … }, { env: … } or { credential: … } instead".to_owned();
            let finding = field.finding("the secret stands in the configuration itself, where backups and listings show it");
            field.reader.warning(finding.hint(Some(hint)).bare());
            Some(Secret::Inline(secret.as_str().into()))
        }
        Kind::Map(_) => place(field.clone().under("{secret}").section()?),
        Kind::Nothing | Kind::Flag(_) | Kind::Whole(_) | Kind::Fraction(_) | Kind::List(_) => {
            field.unfit("text, or one of { file: … }, { env: … }, { credential: … }")
        }
    }
}

/// A secret whose content is judged too; `fault` says what is wrong with it, and nothing of it.
pub(super) fn checked_secret(field: &Field<'_>, fault: impl Fn(&SecretString) -> Option<String>) -> Option<Secret> {
    let secret = secret(field)?;
    if field.reader.secrets == Secrets::Unneeded {
        return Some(secret);
    }
    // It could be read a moment ago; if it cannot now, that is told when it is used.
    if let Some(why) = secret.read().ok().and_then(|read| fault(&read)) {
        field.reader.problem(field.finding(format!("{secret} {why}")).bare());
        return None;
    }
    Some(secret)
}

/// The path of a file with a secret, or another place of one; never the secret itself.
pub(super) fn secret_file(field: &Field<'_>) -> Option<Secret> {
    match &field.node.kind {
        Kind::Text(written) if written.contains('\n') || written.contains("-----") => {
            field.reader.problem(field.finding("expected the path of a file, found a key").bare());
            None
        }
        Kind::Text(written) if !written.is_empty() => {
            let path = field.reader.resolved(written);
            readable(field, Way::File, Secret::File(path.clone()), Some(&path))
        }
        _ => secret(field),
    }
}

fn place(section: Section<'_>) -> Option<Secret> {
    let ways = [
        section.optional("file").map(|field| (Way::File, field)),
        section.optional("env").map(|field| (Way::Env, field)),
        section.optional("credential").map(|field| (Way::Credential, field)),
    ];
    let whole = section.field.clone();
    section.finish_discreetly();
    let mut given: Vec<(Way, Field<'_>)> = ways.into_iter().flatten().collect();
    if given.len() != 1 {
        whole.reader.problem(whole.finding("name exactly one of file, env and credential").bare());
        return None;
    }
    let (way, field) = given.pop()?;
    let written = text(&field)?;
    let (secret, path) = match way {
        Way::File => {
            let path = field.reader.resolved(written);
            (Secret::File(path.clone()), Some(path))
        }
        Way::Env => (Secret::Env(written.to_owned()), None),
        Way::Credential if written.contains('/') => {
            field.wrong("is a credential's name, not a path");
            return None;
        }
        Way::Credential => (Secret::Credential(written.to_owned()), None),
    };
    readable(&field, way, secret, path.as_deref())
}

/// The secret, if it can be read and is kept from others.
fn readable(field: &Field<'_>, way: Way, secret: Secret, path: Option<&Path>) -> Option<Secret> {
    if field.reader.secrets == Secrets::Unneeded {
        return Some(secret);
    }
    if let Some(why) = path.and_then(too_open) {
        let hint = path.map(|path| format!("chmod 600 {}", path.display()));
        field.reader.problem(field.finding(why).hint(hint));
        return None;
    }
    if let Err(why) = secret.read() {
        field.reader.problem(field.finding(why).hint(way.help(&secret).map(str::to_owned)));
        return None;
    }
    Some(secret)
}

#[derive(Clone, Copy)]
enum Way {
    File,
    Env,
    Credential,
}

impl Way {
    /// What to do where the secret cannot be read.
    fn help(self, secret: &Secret) -> Option<&'static str> {
        match (self, secret) {
            (Self::File, Secret::File(path)) if std::fs::File::open(path).is_err() => {
                Some("it must be there, and readable to the user who runs this (the service runs as ldap2scim)")
            }
            (Self::File | Self::Env, _) => None,
            (Self::Credential, _) => {
                Some("LoadCredential= in the unit hands it to the service, systemd-run -p LoadCredential=… to one command")
            }
        }
    }
}

/// What is wrong with a secret file's mode. One that cannot be looked at is told of when it is read.
fn too_open(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let wrong = match mode {
        mode if mode & 0o007 != 0 => "others may use",
        mode if mode & 0o020 != 0 => "its group may write",
        _ => return None,
    };
    Some(format!("{} is a secret that {wrong} (mode {mode:03o})", path.display()))
}
