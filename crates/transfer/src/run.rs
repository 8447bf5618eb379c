//! A run: one queue a host, bounded by requests and by memory, and an account of every file.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::destination::{Found, Listing};
use crate::fetch::{self, Shared, Tally};
use crate::http::Http;
use crate::ledger::{Ledger, Record};
use crate::memory::Memory;
use crate::origin::Origins;
use crate::{Error, ErrorKind, Existing, Finished, Outcome, Plan, Progress, Report, Transfer};

/// Files under way for each allowed request: some wait for another attempt, some are being written.
const AHEAD: usize = 3;

/// Files of one host, in order.
struct Queue {
    gate: Option<Arc<crate::gate::Gate>>,
    waiting: VecDeque<u32>,
    most: usize,
}

struct Run<'a> {
    transfer: &'a Transfer,
    plan: &'a Plan,
    progress: &'a dyn Progress,
    report: Report,
    ledger: Option<Ledger>,
}

pub(crate) async fn run(transfer: &Transfer, plan: &Plan, progress: &dyn Progress) -> Result<Report, Error> {
    let start = Instant::now();
    if transfer.cancel.is_cancelled() {
        return cancelled(transfer, plan, progress);
    }
    if transfer.signals {
        let _ = transfer.cancel.on_signals();
    }
    let noted = match &transfer.ledger {
        Some(path) => Ledger::read(path)?.0,
        None => HashMap::new(),
    };
    let ledger = transfer.ledger.as_ref().map(Ledger::open).transpose()?;
    let mut run = Run { transfer, plan, progress, report: Report::default(), ledger };
    let shared = Shared {
        transfer,
        origins: Origins {
            http: Http::new(&transfer.hosts.user_agent, &transfer.timeouts)?,
            #[cfg(feature = "aws")]
            objects: crate::s3::Objects::new(&transfer.s3, &transfer.hosts, &transfer.timeouts),
        },
        memory: Memory::new(transfer.memory),
        discard: Arc::new(AtomicBool::new(false)),
        progress,
        tally: Tally::default(),
    };
    let listing = if transfer.existing == Existing::Replace && transfer.destination.as_folder().is_none() {
        Listing::default()
    } else {
        Listing::of(&transfer.destination, plan).await?
    };
    let (mut queues, mut found) = run.sort(&shared, listing, &noted)?;
    drop(noted);
    run.drive(&shared, &mut queues, &mut found, start).await;
    let Run { mut report, ledger, .. } = run;
    if let Some(mut ledger) = ledger
        && let Err(e) = ledger.sync()
    {
        report.stopped.get_or_insert(e);
    }
    report.missing.sort_by_key(|finished| finished.index);
    shared.tally.into_report(&mut report);
    report.elapsed = start.elapsed();
    Ok(report)
}

fn cancelled(transfer: &Transfer, plan: &Plan, progress: &dyn Progress) -> Result<Report, Error> {
    let mut run = Run { transfer, plan, progress, report: Report::default(), ledger: None };
    (0..plan.items().len())
        .for_each(|index| run.end(Finished { index, attempts: 0, outcome: Outcome::Cancelled }));
    Ok(run.report)
}

impl Run<'_> {
    /// Ends what is there already, and queues the rest by host, with what was found of it.
    fn sort(
        &mut self,
        shared: &Shared<'_>,
        mut listing: Listing,
        noted: &HashMap<String, Record>,
    ) -> Result<(Vec<Queue>, HashMap<u32, Found>), Error> {
        let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
        for (number, item) in (0..).zip(self.plan.items()) {
            let bytes = listing.found.get(&number).and_then(|found| found.bytes);
            let fits = |bytes: &u64| item.expect.bytes.is_none_or(|expected| expected == *bytes);
            let to_read = self.transfer.existing == Existing::Verify && item.expect.digest.is_some();
            if let Some(bytes) =
                bytes.filter(fits).filter(|_| self.transfer.existing != Existing::Replace && !to_read)
            {
                if let Some(found) = listing.found.remove(&number) {
                    crate::part::clean(&found.parts);
                }
                let noted = noted.get(item.destination()).filter(|record| record.bytes == Some(bytes));
                let noted = noted.and_then(Record::published).map(Box::new);
                self.end(Finished {
                    index: number as usize,
                    attempts: 0,
                    outcome: Outcome::Present { bytes, noted },
                });
                continue;
            }
            let host = shared.origins.host(item.source())?;
            let queue = queues.entry(host.clone().unwrap_or_default()).or_insert_with(|| Queue {
                gate: host.map(|host| self.transfer.gate(&host)),
                waiting: VecDeque::new(),
                most: self.transfer.hosts.connections.max(1) * AHEAD,
            });
            queue.waiting.push_back(number);
        }
        Ok((queues.into_values().collect(), listing.found))
    }

    async fn drive(
        &mut self,
        shared: &Shared<'_>,
        queues: &mut [Queue],
        found: &mut HashMap<u32, Found>,
        start: Instant,
    ) {
        let mut under_way = FuturesUnordered::new();
        let mut open = HashSet::new();
        let mut counts = vec![0; queues.len()];
        let out_of_time = async {
            match self.transfer.give_up_after {
                Some(time) => tokio::time::sleep_until((start + time).into()).await,
                None => std::future::pending().await,
            }
        };
        let cancelled = self.transfer.cancel.cancelled();
        tokio::pin!(out_of_time, cancelled);
        let rest = loop {
            for (host, queue) in queues.iter_mut().enumerate() {
                while counts[host] < queue.most {
                    let Some(number) = queue.waiting.pop_front() else { break };
                    counts[host] += 1;
                    open.insert(number);
                    let found = found.remove(&number).unwrap_or_default();
                    let gate = queue.gate.clone();
                    let item = &self.plan.items()[number as usize];
                    under_way.push(async move {
                        (host, fetch::fetch(shared, item, number as usize, gate.as_deref(), found).await)
                    });
                }
            }
            tokio::select! {
                biased;
                () = &mut cancelled => break Outcome::Cancelled,
                () = &mut out_of_time => {
                    let seconds = self.transfer.give_up_after.unwrap_or_default().as_secs();
                    let error = Error::new(ErrorKind::OutOfTime, "run", format!("the {seconds} s for the run were over"));
                    self.report.stopped = Some(error.clone());
                    break Outcome::GaveUp(error);
                }
                ended = under_way.next() => {
                    let Some((host, finished)) = ended else { return };
                    counts[host] -= 1;
                    open.remove(&(finished.index as u32));
                    let fatal = match &finished.outcome {
                        Outcome::GaveUp(error) if error.kind() == ErrorKind::Destination => Some(error.clone()),
                        _ => None,
                    };
                    self.end(finished);
                    if fatal.is_some() {
                        self.report.stopped = fatal;
                    }
                    if self.report.stopped.is_some() {
                        // Nothing that could be continued is worth the room it takes.
                        shared.discard.store(true, Ordering::Relaxed);
                        break Outcome::Cancelled;
                    }
                }
            }
        };
        drop(under_way);
        let mut left: Vec<u32> =
            queues.iter().flat_map(|queue| &queue.waiting).copied().chain(open).collect();
        left.sort_unstable();
        for number in left {
            self.end(Finished { index: number as usize, attempts: 0, outcome: rest.clone() });
        }
    }

    fn end(&mut self, finished: Finished) {
        let item = &self.plan.items()[finished.index];
        if let Some(ledger) = &mut self.ledger
            && let Err(e) = ledger.add(item, &finished)
        {
            // A hint less; but a disk that takes no line takes no file either.
            self.report.stopped.get_or_insert(e);
            self.ledger = None;
        }
        self.progress.finished(item, &finished);
        self.report.add(&finished);
    }
}
