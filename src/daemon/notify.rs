//! What systemd is told (sd_notify(3)); nothing without it.

use std::time::Duration;

use sd_notify::NotifyState;

/// Configuration is loaded, the store is open, channels are waiting for their time.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// The configuration is read again. Type=notify-reload needs the moment.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping: requests in flight are finished")]);
}

/// What `systemctl status` shows.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(&one_line(text))]);
}

/// We live.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often to say so: half of what the unit allows. `None` if nobody asks.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|whole| whole / 2).filter(|half| !half.is_zero())
}

fn one_line(text: &str) -> String {
    crate::logging::escaped(text).into_owned()
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
