//! `run`: the daemon.

use crate::daemon;
use crate::model::ChannelName;

use super::args::Arguments;
use super::exit::Exit;
use super::failure::Failure;
use super::selection;

/// Stays until it is told to end.
pub async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let only: Vec<ChannelName> = if arguments.channels.is_empty() {
        Vec::new()
    } else {
        selection::settings(arguments)?.channels.into_iter().map(|channel| channel.name).collect()
    };
    daemon::run(&arguments.config, &only).await?;
    Ok(Exit::Done)
}
