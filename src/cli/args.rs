//! The arguments and the help.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::logging::LogFormat;

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   the cycle, a connection or a look-up failed
  2   usage
  3   done, but entries are held or were refused, or the reading was partial
  4   quarantined: the guard stopped something
  78  configuration";

const EXAMPLES: &str = "\
Examples:
  ldap2scim check                        prove both connections, see what would surprise
  ldap2scim dry-run --channel chicago    see every change before anything is sent
  ldap2scim sync                         carry the changes out
  ldap2scim explain ada@example.com      why is she, or is she not, at the target?
  ldap2scim status                       how the last cycles went
";

/// Provisions users and groups from LDAP or Active Directory to SCIM 2.0 service providers.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Arguments {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/ldap2scim/config.yaml")]
    pub config: PathBuf,
    /// How results are written to stdout; json is described in docs/json.md
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// Only this channel; may be given several times [default: all]
    #[arg(long = "channel", global = true, value_name = "NAME")]
    pub channels: Vec<String>,
    /// Show more: long lists whole, and what the program does (-vv: in every detail)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How log lines are written to stderr; the environment variable LDAP2SCIM_LOG holds a filter for them
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prove both connections and warn of what would surprise; changes nothing
    Check,
    /// Show each change that a cycle would make, and the guard's verdict; changes nothing
    #[command(after_help = "\
Marks: + create, = adopt (link what is there), ~ update, - delete, . only the link or claim changes, ! held
")]
    DryRun {
        /// Compare with everything at the target too, as resync does
        #[arg(long)]
        full: bool,
    },
    /// Run one cycle: read what changed in the directory, send what differs
    Sync {
        /// Read everything, though the directory tells what changed
        #[arg(long)]
        full: bool,
    },
    /// Run one cycle that also lists the target, and repair what drifted there
    Resync,
    /// Stay and run each channel at its scheduled times (SIGHUP: load the configuration again)
    Run,
    /// Show how the last cycles went, what is held and what the guard stopped
    Status,
    /// Show one entry's way step by step
    Explain {
        /// A DN, user name, mail address or entry id
        who: String,
    },
}

impl Arguments {
    /// The arguments of this process, with the exit codes in every help.
    pub fn read() -> Result<Self, clap::Error> {
        use clap::{CommandFactory, FromArgMatches};
        let command = with_exit_codes(Self::command());
        Self::from_arg_matches(&command.try_get_matches()?)
    }
}

fn with_exit_codes(command: clap::Command) -> clap::Command {
    let help = command.get_after_help().map(|help| format!("{help}\n")).unwrap_or_default();
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names
        .into_iter()
        .fold(command.after_help(format!("{help}{EXIT_CODES}")), |command, name| command.mut_subcommand(name, with_exit_codes))
}
