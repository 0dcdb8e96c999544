//! `run`: the daemon.

use crate::config;
use crate::daemon;
use crate::model::ChannelName;

use super::args::Arguments;
use super::exit::Exit;
use super::failure::Failure;
use super::{owner, selection};

/// Stays until it is told to end.
pub async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let only: Vec<ChannelName> = if arguments.channels.is_empty() {
        Vec::new()
    } else {
        selection::settings(arguments)?.channels.into_iter().map(|channel| channel.name).collect()
    };
    // A configuration that cannot be read is told of by the daemon itself.
    if let Ok(settings) = config::load_without_secrets(&arguments.config) {
        owner::check(&settings.state_dir)?;
    }
    daemon::run(&arguments.config, &only).await?;
    Ok(Exit::Done)
}
