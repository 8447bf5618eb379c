//! Runs as a whole: what is there already, ledgers, ends before the end.

use std::sync::Arc;
use std::time::Duration;

use coaddkit_testkit::Fault;
use coaddkit_transfer::{
    Cancel, Destination, Digest, ErrorKind, Existing, Item, Ledger, Outcome, Plan, Transfer,
};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

use crate::help::*;

#[test]
fn a_second_run_asks_the_origin_nothing() {
    let files = files(21);
    for place in places() {
        let origin = origin(&files);
        let plan = plan(&origin, &files);
        let ledger = place.dir.path().join("ledger.jsonl");
        assert!(run(&hasty(&place).ledger(&ledger), &plan).is_complete());
        origin.forget();
        let seen = Seen::default();
        let report = hasty(&place).ledger(&ledger).run_blocking(&plan, &seen).unwrap();
        assert_eq!((report.counts.present, report.requests, origin.requests().len()), (21, 0, 0));
        assert!(seen.words.lock().unwrap().iter().all(|(_, word)| *word == "present"));
        let (records, damaged) = Ledger::read(&ledger).unwrap();
        assert_eq!((records.len(), damaged), (21, 0));
        let sha256: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&files[4].1).into();
        let noted = &records["d0/f4.bin"];
        assert_eq!(noted.outcome, "present");
        assert_eq!(noted.sha256.as_deref().unwrap().parse::<Digest>().unwrap(), Digest::Sha256(sha256));

        // All of it again, when asked for, over what is there.
        let report = run(&hasty(&place).existing(Existing::Replace), &plan);
        assert_eq!(report.counts.published, 21);
        assert_all(&place, &files);
    }
}

#[test]
fn a_file_of_another_length_or_digest_is_fetched_again() {
    let files = vec![("f".to_owned(), body(5000, 1)), ("g".to_owned(), body(5000, 2))];
    let sha256 = |body: &[u8]| Digest::Sha256(<sha2::Sha256 as sha2::Digest>::digest(body).into());
    for place in places() {
        let origin = origin(&files);
        let items = |digest: bool| {
            let items = files.iter().map(|(name, body)| {
                let item = Item::new(&origin.url(name), name).unwrap().bytes(5000);
                if digest { item.digest(sha256(body)) } else { item }
            });
            Plan::new(items).unwrap()
        };
        block_on(place.destination.put("f", vec![0; 4999])).unwrap();
        block_on(place.destination.put("g", vec![0; 5000])).unwrap();
        let report = run(&hasty(&place), &items(false));
        assert_eq!((report.counts.published, report.counts.present), (1, 1));
        assert_eq!(
            read(&place.destination, "g").unwrap(),
            vec![0; 5000],
            "of the right length: not looked at"
        );
        let report = run(&hasty(&place).existing(Existing::Verify), &items(true));
        assert_eq!((report.counts.published, report.counts.present), (1, 1));
        assert_all(&place, &files);
    }
}

#[test]
fn large_files_go_through_the_spool_and_in_parts() {
    let files = vec![("big".to_owned(), body(40 << 20, 1)), ("middle".to_owned(), body(20 << 20, 2))];
    for place in places() {
        let origin = origin(&files);
        origin.fault(Fault::Chunked.on("middle"));
        origin.fault(Fault::CloseAt(15 << 20).on("big").first(1));
        let report = run(&hasty(&place).memory(8 << 20), &plan(&origin, &files));
        assert!(report.is_complete(), "{:?}", report.missing);
        assert_all(&place, &files);
    }
}

#[test]
fn files_of_this_machine_are_sources_too() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(7);
    for (name, body) in &files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body).unwrap();
    }
    for place in places() {
        let mut items: Vec<_> =
            files.iter().map(|(n, _)| Item::file(&dir.path().join(n), n).unwrap()).collect();
        items.push(Item::file(&dir.path().join("absent"), "absent").unwrap());
        items.push(Item::new(&format!("file://{}", dir.path().display()), "folder").unwrap());
        let report = run(&hasty(&place), &Plan::new(items).unwrap());
        assert_eq!((report.counts.published, report.counts.not_found, report.counts.gave_up), (7, 1, 1));
        assert_all(&place, &files);
    }
}

#[test]
fn the_end_of_the_time_ends_the_run() {
    let files = files(7);
    for place in places() {
        let origin = origin(&files);
        origin.fault(Fault::Delay(Duration::from_secs(20)).everywhere());
        let report = run(&hasty(&place).give_up_after(Duration::from_millis(300)), &plan(&origin, &files));
        assert_eq!(report.counts.gave_up, 7);
        assert_eq!(report.stopped.as_ref().unwrap().kind(), ErrorKind::OutOfTime);
        assert!(report.elapsed < Duration::from_secs(5));
        assert_no_parts(&place);
    }
}

#[test]
fn a_cancelled_run_accounts_for_every_file() {
    let files = files(70);
    for place in places() {
        let origin = origin(&files);
        let cancel = Cancel::default();
        let stop = |_: &Item, _: &coaddkit_transfer::Finished| cancel.cancel();
        let report = hasty(&place).cancel(&cancel).run_blocking(&plan(&origin, &files), &stop).unwrap();
        assert!(report.counts.published >= 1 && report.counts.cancelled >= 1);
        assert_eq!(report.counts.published + report.counts.cancelled, 70);
        let before = run(&hasty(&place).cancel(&cancel), &plan(&origin, &files));
        assert_eq!(before.counts.cancelled, 70);
        // And the next one completes it.
        assert!(run(&hasty(&place), &plan(&origin, &files)).is_complete());
        assert_all(&place, &files);
    }
}

#[test]
fn progress_is_told_and_every_file_ends_once() {
    let files = files(14);
    let place = &places()[0];
    let origin = origin(&files);
    origin.fault(Fault::Status(500).on("d0/f2.bin").first(1));
    let seen = Seen::default();
    let report = hasty(place).run_blocking(&plan(&origin, &files), &seen).unwrap();
    let mut words = seen.words.into_inner().unwrap();
    words.sort();
    words.dedup();
    assert_eq!(words.len(), 14);
    assert_eq!(seen.bytes.into_inner().unwrap(), report.received);
    assert_eq!(seen.retries.into_inner().unwrap(), ["500 Internal Server Error"]);
}

#[test]
fn presence_in_a_crowded_store() {
    let store = Arc::new(InMemory::new());
    let bodies = |n: usize| format!("p/b{:05}/x", n);
    block_on(async {
        for n in 0..7000 {
            store.put(&bodies(n).into(), "12".into()).await.unwrap();
        }
    });
    let destination = Destination::store(store, "p").unwrap();
    // Far apart, next to one another, and absent; in any order.
    let wanted = [6999, 0, 3, 4, 4001, 6000, 9000];
    let items = wanted.map(|n| Item::new("file:///nonexistent", &format!("b{n:05}/x")).unwrap());
    let report = run(&Transfer::new(destination.clone()), &Plan::new(items).unwrap());
    assert_eq!((report.counts.present, report.counts.not_found), (6, 1));
    let all = (0..9000).rev().map(|n| Item::new("file:///nonexistent", &format!("b{n:05}/x")).unwrap());
    let report = run(&Transfer::new(destination), &Plan::new(all).unwrap());
    assert_eq!((report.counts.present, report.counts.not_found), (7000, 2000));
}

/// More names than are listed in vain stand between the one wanted and where a listing for it starts.
#[test]
fn a_crowd_before_a_wanted_name() {
    let store = Arc::new(InMemory::new());
    block_on(async {
        for n in 10_000..13_000 {
            store.put(&format!("p/f{n}").into(), "12".into()).await.unwrap();
        }
        store.put(&"p/f2".into(), "12".into()).await.unwrap();
    });
    let items = ["f0", "f2", "f3"].map(|name| Item::new("file:///nonexistent", name).unwrap());
    let transfer = Transfer::new(Destination::store(store, "p").unwrap());
    let report = run(&transfer, &Plan::new(items).unwrap());
    assert_eq!((report.counts.present, report.counts.not_found), (1, 2));
}

#[test]
fn many_folders_are_listed_at_once() {
    for place in places() {
        let d = &place.destination.clone().without_sync();
        let put = |name: String| block_on(d.put(&name, "12")).unwrap();
        (0..3000).filter(|n| n % 3 != 1).for_each(|n| put(format!("b{n:04}/x")));
        ["b0000/a/deep", "b0000-/x", "b0003", "c", "b00"].iter().for_each(|name| {
            // A folder cannot be a file too.
            if name != &"b0003" || d.as_store().is_some() {
                put((*name).to_owned());
            }
        });
        let folders = ["b2999", "b0000", "b0001", "b0003", "b0002", "nowhere"];
        let found = block_on(d.list_folders(&folders)).unwrap();
        let found: Vec<_> = found.iter().map(|e| (&*e.name, e.bytes)).collect();
        let expected = ["b0000/a/deep", "b0000/x", "b0002/x", "b0003/x", "b2999/x"];
        assert_eq!(found, expected.map(|name| (name, 2)));
        let all: Vec<String> = (0..3000).rev().map(|n| format!("b{n:04}")).collect();
        let all: Vec<&str> = all.iter().map(|name| &**name).collect();
        assert_eq!(block_on(d.list_folders(&all)).unwrap().len(), 2001);
        assert!(block_on(d.list_folders(&[])).unwrap().is_empty());
    }
}

#[test]
fn a_destination_is_read_and_written_directly() {
    for place in places() {
        let d = &place.destination;
        assert_eq!(read(d, "a/marker"), None);
        block_on(d.put("a/marker", "one")).unwrap();
        block_on(d.put("a/marker", "another")).unwrap();
        assert_eq!(read(d, "a/marker").unwrap(), b"another");
        block_on(d.put("ab/c", "")).unwrap();
        let listed = block_on(d.list("a")).unwrap();
        assert_eq!(listed.iter().map(|e| (&*e.name, e.bytes)).collect::<Vec<_>>(), [("a/marker", 7)]);
        assert_eq!(names(d), ["a/marker", "ab/c"]);
        block_on(d.remove("a/marker")).unwrap();
        block_on(d.remove("a/marker")).unwrap();
        assert_eq!(names(d), ["ab/c"]);
        assert!(block_on(d.list("absent")).unwrap().is_empty());
        block_on(d.put("plain", "")).unwrap();
        block_on(d.put("aa/b/c", "")).unwrap();
        // A folder stays when its last file goes; in a store there is none then.
        let expected: &[&str] = if d.as_store().is_some() { &["aa", "ab"] } else { &["a", "aa", "ab"] };
        assert_eq!(block_on(d.folders()).unwrap(), expected);
    }
}

#[test]
fn a_run_that_cannot_start_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::new([Item::new("http://127.0.0.1:1/x", "x").unwrap()]).unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let transfer = Transfer::new(Destination::folder(dir.path())).ledger(dir.path().join("file/ledger"));
    let error = transfer.run_blocking(&plan, &()).unwrap_err();
    assert!(error.to_string().contains("file/ledger"), "{error}");
    let outcome = Outcome::Cancelled;
    assert!(!outcome.is_there());
}
