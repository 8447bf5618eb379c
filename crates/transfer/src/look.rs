//! Whether sources are there, without fetching them.

use std::time::Instant;

use futures_util::stream::{self, StreamExt};

use crate::course::{Course, Event, Next};
use crate::gate::Signal;
use crate::http::Answer;
use crate::origin::Origins;
use crate::policy::Rng;
use crate::{Error, ErrorKind, Finished, Item, Outcome, Plan, Progress, Report, Transfer};

/// Sources asked about for each allowed request: some wait for another attempt.
const AHEAD: usize = 2;

pub(crate) async fn look(transfer: &Transfer, plan: &Plan, progress: &dyn Progress) -> Result<Report, Error> {
    let start = Instant::now();
    if transfer.signals {
        let _ = transfer.cancel.on_signals();
    }
    let origins = Origins::of(transfer)?;
    let mut report = Report::default();
    let mut open = vec![true; plan.items().len()];
    let most = transfer.hosts.connections.max(1) * AHEAD;
    let asked = plan.items().iter().enumerate().map(|(index, item)| one(transfer, &origins, index, item));
    let mut ends =
        stream::iter(asked).buffer_unordered(most).take_until(Box::pin(transfer.cancel.cancelled()));
    while let Some((requests, finished)) = ends.next().await {
        let finished = finished?;
        open[finished.index] = false;
        report.requests += requests;
        progress.finished(&plan.items()[finished.index], &finished);
        report.add(&finished);
    }
    drop(ends);
    for (index, _) in open.iter().enumerate().filter(|(_, open)| **open) {
        report.add(&Finished { index, attempts: 0, outcome: Outcome::Cancelled });
    }
    report.missing.sort_by_key(|finished| finished.index);
    report.elapsed = start.elapsed();
    Ok(report)
}

async fn one(
    transfer: &Transfer,
    origins: &Origins,
    index: usize,
    item: &Item,
) -> (u64, Result<Finished, Error>) {
    let gate = match origins.host(item.source()) {
        Ok(host) => host.map(|host| transfer.gate(&host)),
        Err(e) => return (0, Err(e)),
    };
    let mut course = Course::new(transfer.retry.clone(), Rng::new(index as u64));
    let gave_up = |kind, why: String| Outcome::GaveUp(Error::new(kind, item.source(), why));
    let outcome = loop {
        let pass = match &gate {
            None => None,
            Some(gate) => match gate.enter().await {
                Ok(pass) => Some(pass),
                Err(why) => break gave_up(ErrorKind::HostStopped, why),
            },
        };
        course.begin(0);
        let seen = origins.probe(item.source()).await;
        let tell = |signal| pass.as_ref().map(|pass| pass.tell(signal));
        let event = match seen {
            Ok(bytes) => {
                tell(Signal::Fine);
                break Outcome::Present { bytes: bytes.unwrap_or(0), noted: None };
            }
            Err(Answer::Absent(status)) => {
                tell(Signal::Fine);
                break Outcome::NotFound { status };
            }
            Err(Answer::Denied(why)) => {
                tell(Signal::Fine);
                break gave_up(ErrorKind::Refused, why);
            }
            Err(Answer::Refused { status, retry_after }) => {
                tell(Signal::Refused { status, retry_after });
                Event::Throttled { why: status.to_string() }
            }
            Err(Answer::Broke(why) | Answer::Stale(why)) => {
                tell(Signal::Failed);
                Event::Broke { have: 0, why }
            }
            Err(Answer::Whole | Answer::Body { .. }) => break Outcome::Present { bytes: 0, noted: None },
        };
        drop(pass);
        match course.after(event) {
            Next::Continue(pause) | Next::Anew(pause) => tokio::time::sleep(pause).await,
            Next::GiveUp(why) | Next::Quarantine(why) => {
                if let Some(gate) = &gate {
                    gate.gave_up();
                }
                break gave_up(ErrorKind::Transient, why);
            }
        }
    };
    let attempts = course.attempts();
    (attempts.into(), Ok(Finished { index, attempts, outcome }))
}
