//! Ctrl-C and SIGTERM: no new requests, those in flight finish; a second one ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;
use super::output::complain;

/// A token that is cancelled by the first signal.
pub fn token() -> CancellationToken {
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
            return;
        };
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        complain("stopping: requests in flight are finished; once more to stop at once");
        cancel.cancel();
        next().await;
        std::process::exit(i32::from(Exit::Failed.code()));
    });
    stop
}

/// Does something that changes nothing, and can therefore be left at any moment.
pub async fn harmless<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done),
        () = stop.cancelled() => Err(Failure::new(Exit::Failed, "stopped before the end; nothing was changed")),
    }
}
