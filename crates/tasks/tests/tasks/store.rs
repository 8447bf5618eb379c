//! Runs whose account lies in a store, with machines that share nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coaddkit_tasks::{
    Done, Error, ErrorKind, Output, Place, Runner, Shard, State, Store, merge, status, verify_folder,
};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::help::*;

/// A store in memory, which may be gone.
#[derive(Debug, Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    gone: AtomicBool,
}

impl Memory {
    fn open(&self) -> Result<std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>>, Error> {
        match self.gone.load(Ordering::Relaxed) {
            true => Err(Error::new(ErrorKind::Transient, "memory", "503")),
            false => Ok(self.objects.lock().unwrap()),
        }
    }

    fn parts(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().filter(|name| name.ends_with(".part")).cloned().collect()
    }
}

impl Store for Memory {
    fn list(&self) -> Result<Vec<(String, u64)>, Error> {
        Ok(self.open()?.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.open()?.get(name).cloned())
    }
    fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.open()?.insert(name.to_owned(), bytes);
        Ok(())
    }
    fn put_new(&self, name: &str, bytes: Vec<u8>) -> Result<bool, Error> {
        let mut objects = self.open()?;
        let new = !objects.contains_key(name);
        objects.entry(name.to_owned()).or_insert(bytes);
        Ok(new)
    }
    fn put_file(&self, name: &str, file: &Path) -> Result<(), Error> {
        self.put(name, std::fs::read(file).map_err(|e| Error::io(file, &e))?)
    }
    fn delete(&self, name: &str) -> Result<(), Error> {
        self.open()?.remove(name);
        Ok(())
    }
}

/// A machine: a disk of its own, and the store.
struct Machine {
    disk: TempDir,
    place: Place,
}

impl Machine {
    fn new(store: &Arc<Memory>) -> Self {
        let disk = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::clone(store) as _;
        let place = Place::store(store, disk.path());
        Self { disk, place }
    }

    fn runner(&self, index: u32, count: u32) -> Runner {
        Runner::new(&self.place).threads(2).shard(Shard::new(index, count).unwrap())
    }
}

fn shard(index: u32, count: u32) -> String {
    format!("parts/shard-{index:05}-of-{count:05}.")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// Each step is a machine of its own that does so many units of a shard, or vanishes before it has told anything.
    #[test]
    fn machines_that_come_and_go_lose_nothing(
        units in 0_usize..30,
        shards in 1_u32..5,
        steps in proptest::collection::vec((0_u32..5, 0_usize..8, any::<bool>()), 0..12),
    ) {
        let store = Arc::new(Memory::default());
        let plan = plan(units);
        for (index, limit, vanishes) in steps.into_iter().filter(|(i, ..)| *i < shards) {
            let machine = Machine::new(&store);
            let kept = store.objects.lock().unwrap().clone();
            machine.runner(index, shards).limit(limit).run(&Does(named), &plan, &()).unwrap();
            if vanishes && kept.contains_key("parts/plan.json") {
                *store.objects.lock().unwrap() = kept;
            }
        }
        for index in 0..shards {
            let summary = Machine::new(&store).runner(index, shards).run(&Does(named), &plan, &()).unwrap();
            prop_assert_eq!(summary.exit_code(), 0);
        }
        let merged = merge::<Names>(&Machine::new(&store).place).unwrap();
        prop_assert_eq!(merged.partial.0, names(units));
        prop_assert!(merged.status.is_complete());
        prop_assert_eq!(store.parts().len(), shards as usize);
    }
}

#[test]
fn two_machines_at_one_shard_lose_nothing_of_each_other() {
    let store = Arc::new(Memory::default());
    let plan = plan(10);
    let (slow, quick) = (Machine::new(&store), Machine::new(&store));
    let runs = AtomicUsize::new(0);
    // While the first works, another does half of the shard and tells of it.
    let job = Does(|unit: &str| {
        if runs.fetch_add(1, Ordering::Relaxed) == 0 {
            quick.runner(0, 1).limit(5).run(&Does(named), &plan, &()).unwrap();
        }
        named(unit)
    });
    slow.runner(0, 1).threads(1).limit(7).run(&job, &plan, &()).unwrap();
    assert_eq!(store.parts().len(), 2);
    let stand = status(&Machine::new(&store).place).unwrap();
    assert_eq!((stand.count(State::Done), stand.count(State::NotStarted)), (7, 3));
    let third = Machine::new(&store).runner(0, 1).run(&Does(named), &plan, &()).unwrap();
    assert_eq!(third.to_do, 3);
    assert_eq!(store.parts().len(), 1, "its account takes the place of those before it");
    assert_eq!(merge::<Names>(&Machine::new(&store).place).unwrap().partial.0, names(10));
}

#[test]
fn products_go_to_the_store_and_leave_the_disk() {
    let store = Arc::new(Memory::default());
    let plan = plan(4);
    let machine = Machine::new(&store);
    let disk = machine.disk.path().to_owned();
    let make = |unit: &str| {
        std::fs::write(disk.join(unit), unit).unwrap();
        Ok(named(unit)?.output(Output::of(&disk, unit)?))
    };
    machine.runner(0, 1).run(&Does(make), &plan, &()).unwrap();
    assert!(!disk.join("u0001").exists());
    assert_eq!(store.objects.lock().unwrap()["u0001"], b"u0001");
    let look = Machine::new(&store);
    let at = look.disk.path().to_owned();
    let verified =
        verify_folder(&look.place, 2, |_, outputs| outputs.iter().try_for_each(|output| output.verify(&at)));
    assert_eq!(verified.unwrap().good, 4);
    // One is taken away, and one damaged.
    store.objects.lock().unwrap().remove("u0002");
    store.objects.lock().unwrap().insert("u0003".to_owned(), b"u0004".to_vec());
    let stand = status(&Machine::new(&store).place).unwrap();
    assert_eq!(stand.gone.len(), 1);
    let look = Machine::new(&store);
    let at = look.disk.path().to_owned();
    let verified =
        verify_folder(&look.place, 2, |_, outputs| outputs.iter().try_for_each(|output| output.verify(&at)))
            .unwrap();
    assert_eq!((verified.good, verified.bad.len()), (2, 2), "{verified:?}");
    let again = Machine::new(&store);
    let disk = again.disk.path().to_owned();
    let make = |unit: &str| {
        std::fs::write(disk.join(unit), unit).unwrap();
        Ok(named(unit)?.output(Output::of(&disk, unit)?))
    };
    let summary = again.runner(0, 1).run(&Does(make), &plan, &()).unwrap();
    assert_eq!(summary.to_do, 1);
}

#[test]
fn other_runs_and_other_numbers_of_shards_are_refused() {
    let store = Arc::new(Memory::default());
    Machine::new(&store).runner(0, 2).run(&Does(named), &plan(4), &()).unwrap();
    let error = Machine::new(&store).runner(1, 2).run(&Does(named), &plan(5), &()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.what().contains("units/count was 4, is 5"), "{error}");
    let error = Machine::new(&store).runner(1, 3).run(&Does(named), &plan(4), &()).unwrap_err();
    assert!(error.what().contains("2 shards, and this is shard 1 of 3"), "{error}");
    let error = merge::<Names>(&Machine::new(&store).place).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing);
    assert!(error.what().starts_with("missing of 2 shards: 1"), "{error}");
    let error = status(&Machine::new(&Arc::new(Memory::default())).place).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing);
}

#[test]
fn a_damaged_account_is_named_and_run_again() {
    let store = Arc::new(Memory::default());
    let plan = plan(6);
    for index in 0..2 {
        Machine::new(&store).runner(index, 2).run(&Does(named), &plan, &()).unwrap();
    }
    let name = store.parts().into_iter().find(|name| name.starts_with(&shard(1, 2))).unwrap();
    let whole = store.objects.lock().unwrap()[&name].clone();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        store.objects.lock().unwrap().insert(name.clone(), bytes);
        match merge::<Names>(&Machine::new(&store).place) {
            // Names of keys may be in other cases; the bytes of results may not.
            Ok(merged) => assert_eq!(merged.partial.0, names(6)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Data, "{error}"),
        }
    }
    store.objects.lock().unwrap().insert(name.clone(), whole[..whole.len() / 2].to_vec());
    let error = merge::<Names>(&Machine::new(&store).place).unwrap_err();
    assert!(error.to_string().contains("run shard 1 of 2 again"), "{error}");
    let summary = Machine::new(&store).runner(1, 2).run(&Does(named), &plan, &()).unwrap();
    assert_eq!(summary.to_do, 3);
    assert_eq!(merge::<Names>(&Machine::new(&store).place).unwrap().partial.0, names(6));
}

#[test]
fn a_store_that_is_gone_is_told_later() {
    let store = Arc::new(Memory::default());
    let plan = plan(4);
    let job = Does(|unit: &str| {
        store.gone.store(unit == "u0003", Ordering::Relaxed);
        named(unit)
    });
    let machine = Machine::new(&store);
    let summary = machine.runner(0, 1).threads(1).tell_every(Duration::ZERO).run(&job, &plan, &()).unwrap();
    assert_eq!(summary.exit_code(), 75);
    store.gone.store(false, Ordering::Relaxed);
    // What was told before it went is there.
    assert_eq!(status(&Machine::new(&store).place).unwrap().count(State::Done), 3);
    let (summary, _) = (machine.runner(0, 1).run(&Does(named), &plan, &()).unwrap(), machine);
    assert_eq!((summary.to_do, summary.exit_code()), (0, 0));
    assert_eq!(merge::<Names>(&Machine::new(&store).place).unwrap().partial.0, names(4));
}

#[test]
fn failures_are_told_and_their_shard_is_to_run_again() {
    let store = Arc::new(Memory::default());
    let job = Does(|unit: &str| match unit {
        "u0001" => Err(Error::new(ErrorKind::Data, unit, "row 3 is damaged")),
        _ => Ok(Done::new(Names::default())),
    });
    let summary = Machine::new(&store).runner(0, 1).run(&job, &plan(3), &()).unwrap();
    assert_eq!(summary.exit_code(), 65);
    let stand = status(&Machine::new(&store).place).unwrap();
    assert_eq!(stand.failures[0].reason.as_deref(), Some("u0001: row 3 is damaged"));
    assert_eq!((stand.exit_code(), stand.unfinished_shards), (65, vec![0]));
}

#[test]
fn a_plan_of_which_nothing_is_done_gives_way_there_too() {
    let store = Arc::new(Memory::default());
    let bad = Does(|unit: &str| Err(Error::new(ErrorKind::Data, unit, "bad")));
    Machine::new(&store).runner(1, 2).run(&bad, &plan(4), &()).unwrap();
    Machine::new(&store).runner(0, 1).run(&Does(named), &plan(5), &()).unwrap();
    assert_eq!(merge::<Names>(&Machine::new(&store).place).unwrap().partial.0, names(5));
    // Now something is done, and only force begins anew.
    let other = plan(6);
    assert!(Machine::new(&store).runner(0, 1).run(&Does(named), &other, &()).is_err());
    for to_do in [6, 6] {
        let summary = Machine::new(&store).runner(0, 1).force(true).run(&Does(named), &other, &()).unwrap();
        assert_eq!(summary.to_do, to_do);
    }
    assert_eq!(merge::<Names>(&Machine::new(&store).place).unwrap().partial.0, names(6));
}

/// A job whose inputs have changed: what it gives from now on counts, also beside the account of the machine before.
#[test]
fn of_two_accounts_the_later_one_counts() {
    struct Changed;
    impl coaddkit_tasks::Job for Changed {
        type Unit = String;
        type Partial = Names;
        fn inputs(&self, _: &String) -> Vec<coaddkit_tasks::Input> {
            Vec::new()
        }
        fn run(&self, unit: &String) -> Result<Done<Names>, Error> {
            Ok(Done::new(Names(vec![format!("{unit} anew")])))
        }
        fn is_current(&self, _: &String, _: &coaddkit_tasks::Record) -> bool {
            false
        }
    }
    let plan = plan(3);
    for _ in 0..6 {
        let store = Arc::new(Memory::default());
        Machine::new(&store).runner(0, 1).run(&Does(named), &plan, &()).unwrap();
        let before = store.objects.lock().unwrap().clone();
        Machine::new(&store).runner(0, 1).run(&Changed, &plan, &()).unwrap();
        // The machine vanished before it took the other account away; names decide which is read first.
        store.objects.lock().unwrap().extend(before);
        assert_eq!(store.parts().len(), 2);
        let merged = merge::<Names>(&Machine::new(&store).place).unwrap().partial.0;
        assert_eq!(merged, ["u0000 anew", "u0001 anew", "u0002 anew"]);
    }
}
