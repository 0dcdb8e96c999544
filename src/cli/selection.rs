//! The configuration, and which of its channels are meant.

use crate::assemble::{Assembled, Kept, assemble};
use crate::config::{self, Settings};
use crate::model::ChannelName;

use super::args::Arguments;
use super::exit::Exit;
use super::failure::Failure;
use super::output::complain;

/// The configuration with the channels that are meant. Warnings are told on stderr.
pub fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    let settings = loaded(arguments)?;
    for warning in &settings.warnings {
        complain(&format!("warning: {warning}"));
    }
    Ok(settings)
}

/// The same, with the warnings left to the caller.
pub fn loaded(arguments: &Arguments) -> Result<Settings, Failure> {
    restricted(config::load(&arguments.config)?, arguments)
}

/// The same for a command that connects to nothing: it works where the secrets are out of reach, and without warnings.
pub fn without_secrets(arguments: &Arguments) -> Result<Settings, Failure> {
    restricted(config::load_without_secrets(&arguments.config)?, arguments)
}

fn restricted(mut settings: Settings, arguments: &Arguments) -> Result<Settings, Failure> {
    let names: Vec<&ChannelName> = settings.channels.iter().map(|channel| &channel.name).collect();
    let chosen = chosen(&names, &arguments.channels)?;
    settings.channels.retain(|channel| chosen.contains(&channel.name));
    Ok(settings)
}

/// The parts of the channels that are meant.
pub fn assembled(arguments: &Arguments) -> Result<Assembled, Failure> {
    Ok(assemble(settings(arguments)?, &mut Kept::default())?)
}

/// Of all channels those that are wanted; all if none is named.
fn chosen(all: &[&ChannelName], wanted: &[String]) -> Result<Vec<ChannelName>, Failure> {
    if wanted.is_empty() {
        return Ok(all.iter().map(|name| (*name).clone()).collect());
    }
    wanted
        .iter()
        .map(|wanted| match all.iter().find(|name| name.as_str() == wanted) {
            Some(name) => Ok((*name).clone()),
            None => Err(Failure::new(Exit::Usage, unknown(wanted, all))),
        })
        .collect()
}

fn unknown(wanted: &str, all: &[&ChannelName]) -> String {
    let nearest = all
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted.to_lowercase(), &name.as_str().to_lowercase()), name))
        .min()
        .filter(|(distance, name)| *distance <= name.as_str().len().div_ceil(3));
    match nearest {
        Some((_, name)) => format!("there is no channel {wanted:?}; did you mean {name}?"),
        None => {
            let names: Vec<&str> = all.iter().map(|name| name.as_str()).collect();
            format!("there is no channel {wanted:?}; there is {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_channel_is_answered_with_the_nearest_name() {
        let names = [ChannelName::new("chicago"), ChannelName::new("boston")];
        let all: Vec<&ChannelName> = names.iter().collect();
        let check = |wanted: &str| match chosen(&all, &[wanted.to_owned()]) {
            Ok(names) => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(failure) => format!("{} {}", failure.exit.code(), failure.message),
        };
        assert_eq!(check("boston"), "boston");
        assert_eq!(check("chigaco"), "2 there is no channel \"chigaco\"; did you mean chicago?");
        assert_eq!(check("x"), "2 there is no channel \"x\"; there is chicago, boston");
        assert_eq!(chosen(&all, &[]).unwrap().len(), 2);
    }
}
