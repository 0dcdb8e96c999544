//! The thread that owns the writing connection. Jobs that wait at the same time share one transaction,
//! and so one flush to the disk; each has a savepoint of its own and is answered after the commit.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::cycle::StoreError;

use super::clock::Clock;
use super::fault::Fault;
use super::lock::Lock;

/// Jobs in one transaction at most, so that the first does not wait for ever for its answer.
const BATCH: usize = 256;

/// The writing end of the store. Dropping it waits for what was asked so far.
pub(super) struct Writer {
    path: PathBuf,
    queue: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// A piece of work with its answer.
trait Job: Send {
    /// Works inside a savepoint. The error is also kept for the answer.
    fn run(&mut self, connection: &Connection, now: Timestamp, path: &std::path::Path) -> Result<(), StoreError>;

    /// Answers, now that it is known whether the transaction is durable.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<T, W> {
    work: Option<W>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: FnOnce(&Connection, Timestamp) -> Result<T, Fault> + Send,
{
    fn run(&mut self, connection: &Connection, now: Timestamp, path: &std::path::Path) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let result = work(connection, now).map_err(|fault| fault.at(path));
        let told = result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.result = Some(result);
        told
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (self.result, committed) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Failed("a job was not run".to_owned())),
        };
        // Nobody listens if the caller was cancelled; what was asked is stored all the same.
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    /// Starts the thread. It holds the lock for as long as it may write.
    pub(super) fn start(path: PathBuf, connection: Connection, lock: Lock, clock: Arc<Clock>) -> Result<Self, StoreError> {
        let (queue, jobs) = channel();
        let file = path.clone();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || serve(&file, connection, lock, &clock, &jobs))
            .map_err(|error| StoreError::Failed(format!("{}: no thread to write it: {error}", path.display())))?;
        Ok(Self { path, queue: Some(queue), thread: Some(thread) })
    }

    /// Has work done in a transaction and waits until it is durable.
    pub(super) async fn run<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection, Timestamp) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Message::Job(Box::new(Task { work: Some(work), result: None, reply }));
        match self.queue.as_ref().map(|queue| queue.send(job)) {
            Some(Ok(())) => answer.await.unwrap_or_else(|_| Err(self.ended())),
            Some(Err(_)) | None => Err(self.ended()),
        }
    }

    /// Ends the thread after everything asked so far, and waits until the file and the lock are released.
    pub(super) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if let Some(Ok(())) = self.queue.as_ref().map(|queue| queue.send(Message::Close(reply))) {
            // An error means that the thread has ended already.
            let _ = answer.await;
        }
    }

    fn ended(&self) -> StoreError {
        StoreError::Failed(format!("{}: it was closed, or its writer ended", self.path.display()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by the panic itself.
            let _ = thread.join();
        }
    }
}

fn serve(path: &std::path::Path, mut connection: Connection, lock: Lock, clock: &Clock, queue: &Receiver<Message>) {
    let mut closing = None;
    while let (None, Ok(first)) = (&closing, queue.recv()) {
        let mut jobs = Vec::new();
        for message in std::iter::once(first).chain(queue.try_iter().take(BATCH)) {
            match message {
                Message::Job(job) => jobs.push(job),
                Message::Close(reply) => {
                    closing = Some(reply);
                    break;
                }
            }
        }
        if !jobs.is_empty() {
            let committed = commit(&mut connection, &mut jobs, clock.now(), path);
            jobs.into_iter().for_each(|job| job.answer(committed.clone()));
        }
    }
    drop(connection);
    drop(lock);
    if let Some(reply) = closing {
        // Whoever closes may have gone away meanwhile.
        let _ = reply.send(());
    }
}

/// One transaction over all jobs. A job that fails is undone alone, unless SQLite gave the whole transaction up.
fn commit(
    connection: &mut Connection,
    jobs: &mut [Box<dyn Job>],
    now: Timestamp,
    path: &std::path::Path,
) -> Result<(), StoreError> {
    let told = |error: rusqlite::Error| Fault::from(error).at(path);
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(told)?;
    for job in jobs {
        let mut savepoint = transaction.savepoint().map_err(told)?;
        match job.run(&savepoint, now, path) {
            Ok(()) => savepoint.commit().map_err(told)?,
            Err(error) if savepoint.is_autocommit() => return Err(error),
            Err(_) => {
                savepoint.rollback().map_err(told)?;
                savepoint.commit().map_err(told)?;
            }
        }
    }
    transaction.commit().map_err(told)
}
