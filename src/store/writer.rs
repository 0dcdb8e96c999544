//! The thread that owns the writing connection. Jobs that wait at the same time share one transaction,
//! and so one flush to the disk; each has a savepoint of its own and is answered after the commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::cycle::StoreError;

use super::clock::Clock;
use super::fault::Fault;
use super::lock::Lock;

/// Jobs in one transaction at most, so that the first does not wait for ever for its answer.
const BATCH: usize = 256;

/// After the first of them so long is waited for more, where some came the last time, and not many: a slow target's answers
/// come in bursts, and what the writing costs must not delay the requests that follow them. One alone does not wait.
const GATHERED: Duration = Duration::from_millis(8);

/// So many need not be waited for.
const MANY: usize = 16;

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
    fn run(&mut self, connection: &Connection, now: Timestamp, path: &Path) -> Result<(), StoreError>;

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
    fn run(&mut self, connection: &Connection, now: Timestamp, path: &Path) -> Result<(), StoreError> {
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

fn serve(path: &Path, mut connection: Connection, lock: Lock, clock: &Clock, queue: &Receiver<Message>) {
    let mut closing = None;
    let mut last = 0;
    while closing.is_none() {
        let Ok(first) = queue.recv() else { break };
        if (2..MANY).contains(&last) {
            std::thread::sleep(GATHERED);
        }
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
        last = jobs.len();
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
fn commit(connection: &mut Connection, jobs: &mut [Box<dyn Job>], now: Timestamp, path: &Path) -> Result<(), StoreError> {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::sync::mpsc;

    use super::super::{lock, open};
    use super::*;

    type Work<T> = Box<dyn FnOnce(&Connection, Timestamp) -> Result<T, Fault> + Send>;

    fn start(directory: &Path) -> Arc<Writer> {
        let transactions = AtomicI64::new(0);
        let clock = Clock::new(move || Timestamp::from_second(transactions.fetch_add(1, Ordering::Relaxed)).unwrap());
        let path = open::database(directory);
        let connection = open::writer(&path).unwrap();
        connection.execute_batch("CREATE TABLE note (number INTEGER UNIQUE, text TEXT)").unwrap();
        let lock = lock::take(&open::lock_file(directory)).unwrap();
        Arc::new(Writer::start(path, connection, lock, Arc::new(clock)).unwrap())
    }

    /// Holds the thread until all of `jobs` wait, then tells what each was answered.
    async fn together<T: Send + 'static>(writer: &Arc<Writer>, jobs: Vec<Work<T>>) -> Vec<Result<T, StoreError>> {
        let (release, held) = mpsc::channel::<()>();
        let (begun, running) = oneshot::channel();
        let first = tokio::spawn({
            let writer = Arc::clone(writer);
            async move {
                let wait = move |_: &Connection, _| {
                    begun.send(()).unwrap();
                    held.recv().unwrap();
                    Ok(())
                };
                writer.run(wait).await
            }
        });
        running.await.unwrap();
        let mut waiting: Vec<_> = jobs.into_iter().map(|job| Box::pin(writer.run(job))).collect();
        for job in &mut waiting {
            // The first poll puts the job into the queue.
            assert!(std::future::poll_fn(|context| std::task::Poll::Ready(job.as_mut().poll(context))).await.is_pending());
        }
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        let mut answers = Vec::new();
        for job in waiting {
            answers.push(job.await);
        }
        answers
    }

    fn insert(number: i64) -> Work<Timestamp> {
        Box::new(move |connection, now| {
            connection.execute("INSERT INTO note VALUES (?1, NULL)", [number])?;
            Ok(now)
        })
    }

    async fn numbers(writer: &Writer) -> Vec<i64> {
        let read = |connection: &Connection, _| {
            let mut statement = connection.prepare("SELECT number FROM note ORDER BY number")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()?)
        };
        writer.run(read).await.unwrap()
    }

    #[tokio::test]
    async fn jobs_that_wait_together_share_one_transaction() {
        let directory = tempfile::tempdir().unwrap();
        let writer = start(directory.path());
        let answers = together(&writer, (0..20).map(insert).collect()).await;
        let transactions: std::collections::BTreeSet<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(transactions.len(), 1);
    }

    #[tokio::test]
    async fn a_job_that_fails_is_undone_alone() {
        let directory = tempfile::tempdir().unwrap();
        let writer = start(directory.path());
        let half: Work<Timestamp> = Box::new(|connection, now| {
            connection.execute("INSERT INTO note VALUES (7, NULL)", [])?;
            connection.execute("INSERT INTO note VALUES (1, NULL)", [])?;
            Ok(now)
        });
        let answers = together(&writer, vec![insert(1), half, insert(2)]).await;
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(numbers(&writer).await, [1, 2]);
    }

    #[tokio::test]
    async fn a_full_disk_is_told_to_everybody_of_the_batch_and_the_next_one_works() {
        let directory = tempfile::tempdir().unwrap();
        let writer = start(directory.path());
        let limit = |pages: &'static str| {
            move |connection: &Connection, _| {
                connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).map_err(Fault::from)
            }
        };
        writer.run(limit("1")).await.unwrap();
        let big: Work<Timestamp> = Box::new(|connection, now| {
            connection.execute("INSERT INTO note VALUES (9, hex(zeroblob(1000000)))", [])?;
            Ok(now)
        });
        let answers = together(&writer, vec![insert(1), big]).await;
        let path = open::database(directory.path()).display().to_string();
        let error = answers[1].as_ref().unwrap_err().to_string();
        assert!(error.contains("the disk is full") && error.contains(&path), "{error}");
        assert_eq!(numbers(&writer).await.contains(&1), answers[0].is_ok());
        writer.run(limit("1000000")).await.unwrap();
        assert!(writer.run(insert(3)).await.is_ok());
    }

    #[tokio::test]
    async fn a_writer_that_panicked_or_was_closed_answers_with_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let writer = start(directory.path());
        let broken = |_: &Connection, _| -> Result<(), Fault> { panic!("as if a job had a bug") };
        assert!(matches!(writer.run(broken).await, Err(StoreError::Failed(_))));
        assert!(matches!(writer.run(insert(1)).await, Err(StoreError::Failed(_))));
        let other = tempfile::tempdir().unwrap();
        let writer = start(other.path());
        writer.close().await;
        let error = writer.run(insert(1)).await.unwrap_err().to_string();
        assert!(error.contains("state.sqlite"), "{error}");
    }
}
