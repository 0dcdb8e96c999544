//! From the arguments to the exit code.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::logging;

use super::args::{Arguments, Command};
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, complain};
use super::{check, dry_run, explain, run, status, sync};

/// The whole program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    logging::start(level(&arguments), arguments.log_format);
    panic::set_hook(Box::new(|info| {
        // The place only: a message might hold values.
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!("a bug in this program at {place}");
    }));
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let end = panic::catch_unwind(AssertUnwindSafe(|| perform(arguments)));
    end.unwrap_or_else(|_| {
        complain("error: the program failed by a bug of its own\n  please report the line logged before this one");
        Exit::Failed
    })
    .into()
}

fn level(arguments: &Arguments) -> LevelFilter {
    match (&arguments.command, arguments.verbose) {
        (Command::Run, 0) => LevelFilter::INFO,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::DEBUG,
        (_, _) => LevelFilter::TRACE,
    }
}

fn perform(arguments: Arguments) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("error: threads cannot be started: {error}"));
            return Exit::Failed;
        }
    };
    // On a thread of the runtime, beside the connections: an answer wakes its cycle without a way through another thread.
    let working = runtime.spawn(async move {
        let mut output = Output::stdout(arguments.format);
        let result = command(&arguments, &mut output).await;
        (result, output)
    });
    let (result, output) = runtime.block_on(working).unwrap_or_else(|error| panic::resume_unwind(error.into_panic()));
    // What was left in flight on purpose is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(200));
    let written = output.finish();
    let exit = match result {
        Ok(exit) => exit,
        Err(failure) => tell(&failure),
    };
    match written {
        Ok(()) => exit,
        Err(error) => {
            complain(&format!("error: the result could not be written: {error}"));
            exit.max(Exit::Failed)
        }
    }
}

fn tell(failure: &Failure) -> Exit {
    complain(&format!("error: {}", failure.message));
    if let Some(hint) = failure.hint {
        complain(&format!("  {hint}"));
    }
    failure.exit
}

async fn command(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Check => check::run(arguments, output).await,
        Command::DryRun { full } => dry_run::run(arguments, output, *full).await,
        Command::Sync { full: false } => sync::run(arguments, output, sync::Manner::Sync).await,
        Command::Sync { full: true } => sync::run(arguments, output, sync::Manner::SyncFull).await,
        Command::Resync => sync::run(arguments, output, sync::Manner::Resync).await,
        Command::Run => run::run(arguments).await,
        Command::Status => status::run(arguments, output),
        Command::Explain { who } => explain::run(arguments, output, who).await,
    }
}
