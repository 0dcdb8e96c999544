//! Changes that travel together (RFC 7644 §3.7): what several callers send at the same time becomes one request, and
//! each gets the answer to its own part of it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::answer::Answer;
use super::bisect::is_server_error;
use super::bulk_body::{answers, body, operation, request};
use super::request::{Method, Request};
use super::target::Provider;
use crate::cycle::TargetError;
use crate::model::Witness;

/// Changes come one after the other, each as its intent is stored; after this long without one there are no more.
const QUIET: Duration = Duration::from_millis(10);

/// Nobody waits longer than this for others.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Changes that wait to travel together.
#[derive(Default)]
pub(super) struct Bulk {
    waiting: Mutex<Waiting>,
    /// Whoever holds it gathers; one at a time, so that nobody leaves with half of it.
    gathering: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    changes: VecDeque<Passenger>,
    next: u64,
}

/// A change with somebody who waits for its answer.
struct Passenger {
    number: u64,
    request: Request,
    length: usize,
    told: oneshot::Sender<Told>,
}

/// What became of a change.
enum Told {
    Answer(Answer),
    Failed(TargetError),
    /// It was not done; whoever wants it sends it alone.
    SendAlone,
}

impl Bulk {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_waiting(&self, number: u64) -> bool {
        self.lock().changes.iter().any(|passenger| passenger.number == number)
    }

    /// Waits for a moment in which nothing is added, or for a full load.
    async fn gather(&self, most: usize) {
        let start = Instant::now();
        let mut known = 0;
        loop {
            let now = self.lock().changes.len();
            if now >= most || now == known || start.elapsed() >= LONGEST_WAIT {
                return;
            }
            known = now;
            sleep(QUIET).await;
        }
    }

    /// The first of those who wait, as many as fit.
    fn load(&self, most: usize, octets: usize) -> Vec<Passenger> {
        let mut waiting = self.lock();
        let mut left = octets.saturating_sub(body(&[]).to_string().len());
        let mut load = Vec::new();
        while let Some(first) = waiting.changes.pop_front() {
            // A comma stands between two.
            if !load.is_empty() && (load.len() >= most || first.length + 1 > left) {
                waiting.changes.push_front(first);
                break;
            }
            left = left.saturating_sub(first.length + 1);
            load.push(first);
        }
        load
    }
}

impl Provider {
    /// Sends a change, with others where the dialect has it.
    pub(super) async fn write(&self, request: &Request) -> Result<Answer, TargetError> {
        if self.dialect().knobs.bulk
            && let Some(told) = self.together(request).await
        {
            match told {
                Told::Answer(answer) => return Ok(answer),
                Told::Failed(error) => return Err(error),
                Told::SendAlone => {}
            }
        }
        self.transport.send(request).await
    }

    /// `None` for a change that is too long to travel with others.
    async fn together(&self, request: &Request) -> Option<Told> {
        let length = operation(request, 0).to_string().len();
        if length + body(&[]).to_string().len() > self.dialect().knobs.bulk_payload {
            return None;
        }
        let (told, mut answer) = oneshot::channel();
        let number = {
            let mut waiting = self.bulk.lock();
            waiting.next += 1;
            let number = waiting.next;
            waiting.changes.push_back(Passenger { number, request: request.clone(), length, told });
            number
        };
        loop {
            tokio::select! {
                biased;
                told = &mut answer => return Some(received(told)),
                turn = self.bulk.gathering.lock() => {
                    if !self.bulk.is_waiting(number) {
                        drop(turn);
                        return Some(received(answer.await));
                    }
                    self.bulk.gather(self.dialect().bulk_operations).await;
                    let dialect = self.dialect();
                    let load = self.bulk.load(dialect.bulk_operations, dialect.knobs.bulk_payload);
                    drop(turn);
                    self.carry(load).await;
                }
            }
        }
    }

    /// Sends a load, in halves if it is refused as too large, and tells everybody what became of it.
    async fn carry(&self, load: Vec<Passenger>) {
        let mut loads = VecDeque::from([load]);
        while let Some(mut load) = loads.pop_front() {
            if load.len() <= 1 || !self.dialect().knobs.bulk {
                tell(load, || Told::SendAlone);
                continue;
            }
            let changes: Vec<&Request> = load.iter().map(|passenger| &passenger.request).collect();
            match self.transport.send(&request(&changes)).await {
                Err(error) => tell(load, || Told::Failed(error.clone())),
                Ok(answer) if answer.is_success() => {
                    let answers = answers(&changes, &answer);
                    for (passenger, answer) in load.into_iter().zip(answers) {
                        let told = told(&passenger.request, answer);
                        // Whoever does not wait any more has given up.
                        drop(passenger.told.send(told));
                    }
                }
                Ok(answer) if answer.status == 413 || answer.scim_type().is_some_and(|kind| kind == "tooMany") => {
                    let half = load.len() / 2;
                    self.learn("bulk_operations", &half.max(1).to_string(), Witness::Learnt);
                    let second = load.split_off(half);
                    loads.push_front(second);
                    loads.push_front(load);
                }
                Ok(answer) if is_server_error(&answer) => {
                    let lost = TargetError::AnswerLost(format!("status {}: {}", answer.status, answer.detail()));
                    tell(load, || Told::Failed(lost.clone()));
                }
                Ok(answer) => {
                    if matches!(answer.status, 400 | 403 | 404 | 405 | 501) && self.learn("bulk", "no", Witness::Learnt) {
                        tracing::warn!(
                            status = answer.status,
                            "The target does not take changes in bulk: they are sent one by one"
                        );
                    }
                    tell(load, || Told::SendAlone);
                }
            }
        }
    }
}

fn received(told: Result<Told, oneshot::error::RecvError>) -> Told {
    told.unwrap_or_else(|_| Told::Failed(TargetError::AnswerLost("the request that it travelled in was given up".to_owned())))
}

fn tell(load: Vec<Passenger>, told: impl Fn() -> Told) {
    for passenger in load {
        drop(passenger.told.send(told()));
    }
}

/// What the answer to one part means. Where it may be sent again, that is done alone, and with all the patience that
/// a request has.
fn told(request: &Request, answer: Option<Answer>) -> Told {
    match answer {
        None => Told::Failed(TargetError::AnswerLost("the answer to a bulk request does not speak of it".to_owned())),
        Some(answer) if matches!(answer.status, 423 | 425 | 429 | 503) => Told::SendAlone,
        Some(answer) if is_server_error(&answer) => match request.method {
            Method::Post => Told::Failed(TargetError::AnswerLost(format!("status {}: {}", answer.status, answer.detail()))),
            Method::Get | Method::Search | Method::Patch | Method::Put | Method::Delete => Told::SendAlone,
        },
        Some(answer) => Told::Answer(answer),
    }
}
