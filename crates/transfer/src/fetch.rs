//! The journey of one file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::course::{Course, Event, Next};
use crate::destination::{Found, Place, blocking};
use crate::digest::hex;
use crate::gate::{Gate, Signal};
use crate::http::{Answer, Ask, Version};
use crate::memory::{Memory, Share};
use crate::origin::{Flow, Origins};
use crate::part::{self, Part};
use crate::policy::Rng;
use crate::sink::{PAGE, Seen, Sink, Store};
use crate::{
    Digest, Error, ErrorKind, Existing, Finished, Item, Outcome, Progress, Published, Report, Transfer,
};

mod pour;
mod settle;

/// What all files of a run share.
pub(crate) struct Shared<'a> {
    pub transfer: &'a Transfer,
    pub origins: Origins,
    pub memory: Memory,
    /// Parts are not worth keeping any more.
    pub discard: Arc<AtomicBool>,
    pub progress: &'a dyn Progress,
    pub tally: Tally,
    pub settling: Settling,
}

/// Files that are about to get their names, which the end of a run waits for: it does not say of a file that it is
/// not there, and a moment later it is.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    count: AtomicU64,
    ending: AtomicBool,
}

impl Settling {
    /// No file settles from now on.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Waits for ever where the run is ending.
    async fn begin(&self) {
        if self.ending.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        add(&self.count, 1);
    }

    fn done(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    received: AtomicU64,
    resumed: AtomicU64,
    requests: AtomicU64,
    throttled: AtomicU64,
}

impl Tally {
    pub(crate) fn into_report(self, report: &mut Report) {
        report.received = self.received.into_inner();
        report.resumed = self.resumed.into_inner();
        report.requests = self.requests.into_inner();
        report.throttled = self.throttled.into_inner();
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

pub(crate) async fn fetch(
    shared: &Shared<'_>,
    item: &Item,
    index: usize,
    gate: Option<&Gate>,
    found: Found,
) -> Finished {
    if let (Existing::Verify, Some(bytes)) = (shared.transfer.existing, found.bytes)
        && let Some(outcome) = settle::verified(shared, item, bytes).await
    {
        part::clean(&found.parts);
        return Finished { index, attempts: 0, outcome };
    }
    // The address may hold secrets; its digest may be written down.
    let source = {
        use sha2::Digest as _;
        hex(&sha2::Sha256::digest(item.source().text()))
    };
    let rng = Rng::new(u64::from(crc32fast::hash(item.destination().as_bytes())) << 20 | index as u64);
    let course = Course::new(shared.transfer.retry.clone(), rng.clone());
    let mut journey = Journey {
        shared,
        item,
        gate,
        source,
        course,
        rng,
        sink: None,
        share: None,
        version: Version::default(),
        length: None,
        fresh: false,
    };
    let outcome = journey.run(found.parts).await.unwrap_or_else(Outcome::GaveUp);
    let attempts = journey.course.attempts();
    match (gate, &outcome) {
        (Some(gate), Outcome::GaveUp(error)) if error.kind() == ErrorKind::Transient => gate.gave_up(),
        (Some(gate), Outcome::Published(_)) => gate.came(false),
        (Some(gate), Outcome::Quarantined { reason, .. }) if reason.starts_with(PAGE) => gate.came(true),
        _ => {}
    }
    Finished { index, attempts, outcome }
}

struct Journey<'a, 'b> {
    shared: &'a Shared<'b>,
    item: &'a Item,
    gate: Option<&'a Gate>,
    source: String,
    course: Course,
    rng: Rng,
    /// Away while its bytes are being written.
    sink: Option<Sink>,
    share: Option<Share<'a>>,
    version: Version,
    /// Of the whole file, as the origin told.
    length: Option<u64>,
    /// The next request goes out on a new connection.
    fresh: bool,
}

/// How an attempt ended.
enum Step {
    Done(Outcome),
    Again(Event),
}

impl Journey<'_, '_> {
    async fn run(&mut self, left: Vec<PathBuf>) -> Result<Outcome, Error> {
        self.prepare(left).await?;
        loop {
            let event = match self.attempt().await? {
                Step::Done(outcome) => return Ok(outcome),
                Step::Again(event) => event,
            };
            let why = match &event {
                Event::Broke { why, .. }
                | Event::Throttled { why }
                | Event::Stale { why }
                | Event::Rejected { why, .. } => why.clone(),
            };
            let pause = match self.course.after(event) {
                Next::Continue(pause) => {
                    if self.version.condition().is_none() {
                        self.reset().await?;
                    }
                    pause
                }
                Next::Anew(pause) => {
                    self.reset().await?;
                    self.fresh = true;
                    pause
                }
                Next::Quarantine(reason) => return self.quarantine(reason).await,
                Next::GiveUp(why) => return Err(self.error(ErrorKind::Transient, why)),
            };
            tracing::debug!(source = %self.item.source(), attempt = self.course.attempts(), %why, ?pause, "again");
            self.shared.progress.retry(self.item, &why);
            tokio::time::sleep(pause).await;
        }
    }

    /// Room for the bytes, and what an earlier run left of them.
    async fn prepare(&mut self, left: Vec<PathBuf>) -> Result<(), Error> {
        let transfer = self.shared.transfer;
        let (item, validate) = (self.item, transfer.validate.clone());
        let Place::Folder { root, .. } = &transfer.destination.place else {
            self.share = Some(self.shared.memory.whole(self.item.expect.bytes).await);
            self.sink = Some(Sink::new(Store::Memory(Vec::new()), item, validate.as_deref()));
            return Ok(());
        };
        self.share = Some(self.shared.memory.stream().await);
        let target = root.join(item.destination());
        let (item, source, discard) = (item.clone(), self.source.clone(), Arc::clone(&self.shared.discard));
        let prepare = move || {
            let mut adopted = None;
            for left in &left {
                match adopted {
                    None => adopted = Part::adopt(left, &target, &source, &discard),
                    Some(_) => part::clean(std::slice::from_ref(left)),
                }
            }
            let failed = |e| Error::local(&target, &e);
            if let Some((part, file, sidecar)) = adopted {
                let mut sink = Sink::new(Store::Part(part, file), &item, validate.as_deref());
                sink.reread().map_err(failed)?;
                if sidecar.length.is_none_or(|length| sink.len <= length) {
                    return Ok((sink, sidecar.version, sidecar.length));
                }
                if let Store::Part(part, _) = &mut sink.store {
                    part.forget();
                }
                sink.reset(&item, validate.as_deref()).map_err(failed)?;
                return Ok((sink, Version::default(), None));
            }
            let (part, file) = Part::create(&target, &discard).map_err(failed)?;
            let sink = Sink::new(Store::Part(part, file), &item, validate.as_deref());
            Ok((sink, Version::default(), None))
        };
        let (sink, version, length) = blocking(prepare).await?;
        add(&self.shared.tally.resumed, sink.len);
        (self.sink, self.version, self.length) = (Some(sink), version, length);
        Ok(())
    }

    async fn attempt(&mut self) -> Result<Step, Error> {
        let pass = match self.gate {
            None => None,
            Some(gate) => match gate.enter().await {
                Ok(pass) => Some(pass),
                Err(why) => return Err(self.error(ErrorKind::HostStopped, why)),
            },
        };
        let have = self.have();
        self.course.begin(have);
        add(&self.shared.tally.requests, 1);
        let ask = Ask {
            have,
            version: &self.version,
            length: self.length,
            fresh: std::mem::take(&mut self.fresh),
            compressed: is_compressed(self.item),
        };
        let answer = self.shared.origins.get(self.item.source(), ask).await;
        let tell = |signal| pass.as_ref().map_or(Duration::ZERO, |pass| pass.tell(signal));
        let why = match answer {
            Answer::Absent(status) => {
                tell(Signal::Fine);
                self.forget();
                return Ok(Step::Done(Outcome::NotFound { status }));
            }
            Answer::Refused { status, retry_after } => {
                if status == 429 {
                    add(&self.shared.tally.throttled, 1);
                }
                let wait = tell(Signal::Refused { status, retry_after });
                let why = format!("{status}, the host waits {:.1} s", wait.as_secs_f64());
                return Ok(Step::Again(Event::Throttled { why }));
            }
            Answer::Broke(why) => {
                tell(Signal::Failed);
                return Ok(Step::Again(Event::Broke { have, why }));
            }
            Answer::Denied(why) => {
                tell(Signal::Fine);
                self.forget();
                return Err(self.error(ErrorKind::Refused, why));
            }
            Answer::Stale(why) => {
                tell(Signal::Fine);
                return Ok(Step::Again(Event::Stale { why }));
            }
            Answer::Whole => {
                tell(Signal::Fine);
                None
            }
            Answer::Body { start, length, version, mut body } => {
                tell(Signal::Fine);
                if start != have {
                    self.reset().await?;
                }
                self.meet(version, length).await?;
                self.pour(&mut body).await?
            }
        };
        // The connection is free for others while the file is judged and published.
        drop(pass);
        if let Some(why) = why {
            return Ok(Step::Again(Event::Broke { have: self.have(), why }));
        }
        self.settle().await
    }

    /// The origin has told what the bytes are.
    async fn meet(&mut self, version: Version, length: Option<u64>) -> Result<(), Error> {
        if let (Some(share), Some(length), Some(sink)) = (&mut self.share, length, &mut self.sink) {
            match &sink.store {
                Store::Memory(_) => share.shrink(Some(length)),
                _ if sink.wants_echo() && share.spare(length) => sink.keep_echo(),
                _ => {}
            }
        }
        let news = self.version != version || self.length != length || self.have() == 0;
        (self.version, self.length) = (version, length);
        let Some(Sink { store: Store::Part(..), .. }) = &self.sink else { return Ok(()) };
        // A short file is fetched again sooner than its part is described.
        if !news || length.is_some_and(|length| length <= pour::ONE_GO) {
            return Ok(());
        }
        let (source, version, length) = (self.source.clone(), self.version.clone(), self.length);
        self.work(move |sink| {
            if let Store::Part(part, _) = &mut sink.store {
                part.describe(&source, &version, length);
            }
            Ok(())
        })
        .await
    }

    /// Forgets all bytes.
    async fn reset(&mut self) -> Result<(), Error> {
        (self.version, self.length) = (Version::default(), None);
        let (item, validate) = (self.item.clone(), self.shared.transfer.validate.clone());
        self.work(move |sink| {
            if let Store::Part(part, _) = &mut sink.store {
                part.forget();
            }
            sink.reset(&item, validate.as_deref())
        })
        .await
    }

    /// The part is of no use to a later run.
    fn forget(&mut self) {
        if let Some(Sink { store: Store::Part(part, _), .. }) = &mut self.sink {
            part.forget();
        }
    }

    fn have(&self) -> u64 {
        self.sink.as_ref().map_or(0, |sink| sink.len)
    }

    /// Does something with the sink where blocking is allowed.
    async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Sink) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(mut sink) = self.sink.take() else { unreachable!("the sink is at home between two jobs") };
        let (sink, done) = blocking(move || {
            let done = work(&mut sink);
            Ok((sink, done))
        })
        .await?;
        self.sink = Some(sink);
        done.map_err(|e| self.disk_error(&e))
    }

    fn disk_error(&mut self, error: &std::io::Error) -> Error {
        let transfer = self.shared.transfer;
        let path = match &self.shared.transfer.destination.place {
            Place::Folder { root, .. } => root.join(self.item.destination()),
            Place::Store { .. } => transfer.spool.clone(),
        };
        let error = Error::local(&path, error);
        self.forget();
        if error.kind() == ErrorKind::Destination {
            self.shared.discard.store(true, Ordering::Relaxed);
        }
        error
    }

    fn error(&self, kind: ErrorKind, what: impl std::fmt::Display) -> Error {
        Error::new(kind, self.item.source(), what)
    }

    fn published(&self, bytes: u64, seen: &Seen) -> Published {
        Published {
            bytes,
            sha256: Digest::Sha256(seen.sha256),
            etag: self.version.etag.clone(),
            last_modified: self.version.last_modified.clone(),
        }
    }
}

/// Whether the file is compressed as such, so that servers may declare that as its encoding.
fn is_compressed(item: &Item) -> bool {
    let name = item.source().name().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["gz", "tgz", "z", "bz2", "gzip"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}
