//! Changes by the DirSync control (MS-ADTS §3.1.1.3.4.1.3).

use tokio::sync::mpsc;

use crate::cycle::SourceError;
use crate::ldap::session::Session;
use crate::model::Wanted;

use super::{Mark, Told};

/// Whether the server offers it and the account may use it: why, or why not.
pub async fn offered(session: &Session, wanted: &Wanted) -> Result<String, String> {
    let _ = (session, wanted);
    Err("not built".to_owned())
}

/// Where the server stands now: which it is, and how far.
pub async fn mark(session: &Session, wanted: &Wanted) -> Result<(String, serde_json::Value), SourceError> {
    let _ = (session, wanted);
    Ok((String::new(), serde_json::Value::Null))
}

/// What changed since.
pub async fn changes(session: &Session, wanted: &Wanted, since: &Mark) -> Result<Told, SourceError> {
    let _ = (session, wanted, since);
    Ok(Told::Lost("not built".to_owned()))
}

/// Tells of changes as they come, as [`crate::cycle::Source::watch`] promises; `None`: something changed.
pub async fn watch(session: &Session, wanted: &Wanted, since: &Mark, heard: mpsc::Sender<Option<Told>>) -> SourceError {
    let _ = (session, wanted, since, heard);
    SourceError::Unreachable(vec!["not built".to_owned()])
}
