//! Going on where bytes ended.

use coaddkit_testkit::Fault;
use coaddkit_transfer::{Cancel, Item, Outcome, Plan};

use crate::help::*;

const LEN: usize = 3_000_000;

fn one() -> Vec<(String, Vec<u8>)> {
    vec![("a/f.bin".to_owned(), body(LEN, 3))]
}

#[test]
fn a_broken_body_goes_on_with_range_and_if_range() {
    let files = one();
    for place in places() {
        let origin = origin(&files);
        origin.fault(Fault::CloseAt(1_000_000).everywhere());
        let report = run(&hasty(&place), &plan(&origin, &files));
        assert!(report.is_complete(), "{:?}", report.missing);
        assert_all(&place, &files);
        let asked = origin.requests();
        assert_eq!(asked.len(), 3);
        let ranges: Vec<_> = asked.iter().map(|e| e.range().map(str::to_owned)).collect();
        assert_eq!(ranges, [None, Some("bytes=1000000-".to_owned()), Some("bytes=2000000-".to_owned())]);
        assert!(asked[1].header("if-range").unwrap().starts_with('"'));
        assert_eq!(report.received, LEN as u64);
    }
}

#[test]
fn a_file_that_changed_begins_anew() {
    let files = one();
    let changed = vec![("a/f.bin".to_owned(), body(LEN + 5, 4))];
    for place in places() {
        let origin = origin(&files);
        origin.fault(Fault::CloseAt(1_000_000).everywhere().first(1));
        origin.fault(Fault::Content(changed[0].1.clone()).everywhere().after(1));
        let report = run(&hasty(&place), &plan(&origin, &changed));
        assert!(report.is_complete(), "{:?}", report.missing);
        assert_all(&place, &changed);
        assert_eq!(origin.requests().len(), 2);
    }
}

#[test]
fn a_server_that_mixes_versions_is_caught() {
    let files = one();
    for place in places() {
        let origin = origin(&files);
        origin.fault(Fault::CloseAt(1_000_000).everywhere().first(1));
        origin.fault(Fault::IgnoreIfRange.everywhere());
        origin.fault(Fault::NewEtag.everywhere());
        let report = run(&hasty(&place), &plan(&origin, &files));
        assert!(report.is_complete(), "{:?}", report.missing);
        assert_all(&place, &files);
        // Broken, refused as another version, whole.
        assert_eq!(
            origin.requests().iter().map(|e| e.range().is_some()).collect::<Vec<_>>(),
            [false, true, false]
        );
    }
}

/// Lets a run die in the middle of a file, and returns what it left.
fn killed(place: &Place, origin: &coaddkit_testkit::FaultOrigin, plan: &Plan) -> Vec<String> {
    let cancel = Cancel::default();
    let stop = cancel.clone();
    let seen = std::sync::atomic::AtomicU64::new(0);
    struct Stop<'a>(&'a std::sync::atomic::AtomicU64, Cancel);
    impl coaddkit_transfer::Progress for Stop<'_> {
        fn bytes(&self, bytes: u64) {
            if self.0.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed) + bytes >= 2_000_000 {
                self.1.cancel();
            }
        }
        fn finished(&self, _: &Item, _: &coaddkit_transfer::Finished) {}
    }
    origin.fault(
        Fault::Stall { at: 2_000_000, pause: std::time::Duration::from_secs(5) }.everywhere().first(1),
    );
    let transfer = hasty(place).cancel(&cancel).timeouts(coaddkit_transfer::Timeouts::default());
    let report = transfer.run_blocking(plan, &Stop(&seen, stop)).unwrap();
    assert!(matches!(report.missing[0].outcome, Outcome::Cancelled));
    assert!(names(&place.destination).is_empty());
    below(place.dir.path())
}

#[test]
fn a_later_run_takes_over_what_was_left_and_reads_it_again() {
    let files = one();
    let place = &places()[0];
    let origin = origin(&files);
    let plan = plan(&origin, &files);
    assert_eq!(killed(place, &origin, &plan).len(), 2, "a part and what it is");
    origin.forget();
    let report = run(&hasty(place), &plan);
    assert!(report.is_complete(), "{:?}", report.missing);
    // How much was on disk when the run died is the scheduler's choice.
    assert!(report.resumed > 0, "{}", report.resumed);
    assert_eq!(report.received + report.resumed, LEN as u64);
    let asked = origin.requests();
    assert_eq!((asked.len(), asked[0].range()), (1, Some(&*format!("bytes={}-", report.resumed))));
    assert_all(place, &files);
    let Ok([found]) = <[_; 1]>::try_from(names(&place.destination)) else { panic!() };
    assert_eq!(found, "a/f.bin");
}

#[test]
fn what_was_left_is_of_no_use_when_the_file_changed() {
    let files = one();
    let place = &places()[0];
    let origin = origin(&files);
    killed(place, &origin, &plan(&origin, &files));
    let changed = vec![("a/f.bin".to_owned(), body(LEN, 4))];
    origin.put("a/f.bin", changed[0].1.clone());
    assert!(run(&hasty(place), &plan(&origin, &changed)).is_complete());
    assert_all(place, &changed);
}

#[test]
fn a_damaged_rest_is_found_out_and_fetched_anew() {
    let files = one();
    let place = &places()[0];
    let origin = origin(&files);
    let left = killed(place, &origin, &plan(&origin, &files));
    let part = left.iter().find(|name| !name.ends_with(".json")).unwrap();
    let mut bytes = std::fs::read(part).unwrap();
    bytes[500_000] ^= 1;
    std::fs::write(part, bytes).unwrap();
    let sha256: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&files[0].1).into();
    let item = Item::new(&origin.url("a/f.bin"), "a/f.bin").unwrap();
    let plan = Plan::new([item.digest(coaddkit_transfer::Digest::Sha256(sha256))]).unwrap();
    let report = run(&hasty(place), &plan);
    assert!(report.is_complete(), "{:?}", report.missing);
    assert_all(place, &files);
}

#[test]
fn a_part_that_is_whole_is_not_fetched_again() {
    let files = one();
    let place = &places()[0];
    let origin = origin(&files);
    let plan = plan(&origin, &files);
    let left = killed(place, &origin, &plan);
    let part = left.iter().find(|name| !name.ends_with(".json")).unwrap();
    std::fs::write(part, &files[0].1).unwrap();
    origin.forget();
    let report = run(&hasty(place), &plan);
    assert!(report.is_complete(), "{:?}", report.missing);
    assert_eq!((origin.count_status(416), report.received), (1, 0));
    assert_all(place, &files);
}
