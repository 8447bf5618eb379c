//! Origins, destinations and short patience.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coaddkit_testkit::{FaultOrigin, Files, Rng};
use coaddkit_transfer::{Destination, Finished, Item, Plan, Report, RetryPolicy, Timeouts, Transfer};
use object_store::memory::InMemory;

/// Bytes that no two files share.
pub fn body(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut out: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| rng.bits().to_le_bytes()).collect();
    out.truncate(len);
    out
}

/// Files `d0/f0.bin`, `d0/f1.bin`… of several lengths around those that matter.
pub fn files(n: usize) -> Vec<(String, Vec<u8>)> {
    const LENGTHS: [usize; 7] = [0, 1, 2880, 65_536, 300_001, 524_288, 1_500_000];
    (0..n).map(|i| (format!("d{}/f{i}.bin", i / 7), body(LENGTHS[i % 7], i as u64 + 1))).collect()
}

pub fn origin(files: &[(String, Vec<u8>)]) -> FaultOrigin {
    FaultOrigin::new(Files::memory(files.iter().cloned()))
}

pub fn plan(origin: &FaultOrigin, files: &[(String, Vec<u8>)]) -> Plan {
    Plan::new(files.iter().map(|(name, _)| Item::new(&origin.url(name), name).unwrap())).unwrap()
}

/// Both kinds of destinations.
pub struct Place {
    pub destination: Destination,
    pub dir: tempfile::TempDir,
}

pub fn places() -> [Place; 2] {
    let folder = tempfile::tempdir().unwrap();
    let destination = Destination::folder(folder.path().join("out"));
    let store = Destination::store(Arc::new(InMemory::new()), "some/prefix").unwrap();
    [Place { destination, dir: folder }, Place { destination: store, dir: tempfile::tempdir().unwrap() }]
}

/// A transfer that does not wait long.
pub fn hasty(place: &Place) -> Transfer {
    let mut timeouts = Timeouts::default();
    timeouts.idle = Duration::from_millis(400);
    timeouts.first_byte = Duration::from_millis(1500);
    Transfer::new(place.destination.clone()).timeouts(timeouts).retry(quick()).spool(place.dir.path())
}

pub fn quick() -> RetryPolicy {
    let mut retry = RetryPolicy::default();
    retry.base = Duration::from_millis(2);
    retry.cap = Duration::from_millis(20);
    retry
}

pub fn run(transfer: &Transfer, plan: &Plan) -> Report {
    transfer.run_blocking(plan, &()).unwrap()
}

/// What is under a name at the destination.
pub fn read(destination: &Destination, name: &str) -> Option<Vec<u8>> {
    block_on(destination.get(name)).unwrap().map(|bytes| bytes.to_vec())
}

pub fn names(destination: &Destination) -> Vec<String> {
    block_on(destination.list("")).unwrap().into_iter().map(|entry| entry.name).collect()
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Every file under its name, and nothing else, not even hidden.
pub fn assert_all(place: &Place, files: &[(String, Vec<u8>)]) {
    let mut expected: Vec<&str> = files.iter().map(|(name, _)| &**name).collect();
    expected.sort_unstable();
    assert_eq!(names(&place.destination), expected);
    for (name, body) in files {
        assert!(read(&place.destination, name).as_ref() == Some(body), "{name} differs");
    }
    assert_no_parts(place);
}

pub fn assert_no_parts(place: &Place) {
    let left: Vec<String> =
        below(place.dir.path()).into_iter().filter(|name| name.contains(".part-")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!below(place.dir.path()).iter().any(|name| name.contains("spool")), "a spool file has a name");
}

pub fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// Outcomes by name, as a run tells them.
#[derive(Default)]
pub struct Seen {
    pub words: Mutex<Vec<(String, &'static str)>>,
    pub retries: Mutex<Vec<String>>,
    pub bytes: Mutex<u64>,
}

impl coaddkit_transfer::Progress for Seen {
    fn bytes(&self, bytes: u64) {
        *self.bytes.lock().unwrap() += bytes;
    }

    fn retry(&self, _: &Item, why: &str) {
        self.retries.lock().unwrap().push(why.to_owned());
    }

    fn finished(&self, item: &Item, finished: &Finished) {
        self.words.lock().unwrap().push((item.destination().to_owned(), finished.outcome.word()));
    }
}

/// This test program again, to run one of its ignored tests as a process of its own.
pub fn itself(test: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command
}

/// What the parent process tells such a test; nothing when somebody else runs it.
pub fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
