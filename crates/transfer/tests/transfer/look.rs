//! Whether sources are there, without fetching them.

use coaddkit_testkit::{Fault, RetryAfter};
use coaddkit_transfer::{Error, ErrorKind, Item, Outcome, Plan, Report};

use crate::help::*;

fn look(origin: &coaddkit_testkit::FaultOrigin, names: &[&str]) -> Result<Report, Error> {
    let [place, _] = places();
    let plan = Plan::new(names.iter().map(|name| Item::new(&origin.url(name), name).unwrap())).unwrap();
    let report = hasty(&place).look_blocking(&plan, &());
    assert_no_parts(&place);
    assert!(crate::help::names(&place.destination).is_empty());
    report
}

#[test]
fn what_is_there_and_what_is_not_is_told_and_nothing_comes() {
    let files = files(21);
    let origin = origin(&files);
    let mut names: Vec<&str> = files.iter().map(|(name, _)| &**name).collect();
    names.insert(5, "d0/absent.bin");
    let report = look(&origin, &names).unwrap();
    assert_eq!((report.counts.present, report.counts.not_found, report.missing.len()), (21, 1, 1));
    assert_eq!(report.missing[0].index, 5);
    assert!(matches!(report.missing[0].outcome, Outcome::NotFound { status: 404 }));
    // A byte of each file that is not empty.
    assert!(origin.body_bytes() <= 21 + 200, "{} bytes came", origin.body_bytes());

    // The same of an origin that knows no ranges.
    origin.fault(Fault::NoRange.everywhere());
    let report = look(&origin, &names).unwrap();
    assert_eq!((report.counts.present, report.counts.not_found), (21, 1));
}

#[test]
fn patience_and_refusals_are_those_of_a_transfer() {
    let files = files(8);
    let origin = origin(&files);
    let names: Vec<&str> = files.iter().map(|(name, _)| &**name).collect();
    origin.fault(Fault::Status(500).on(names[1]).first(2));
    origin.fault(Fault::Busy(429, RetryAfter::Seconds(0)).on(names[2]).first(1));
    origin.fault(Fault::Status(403).on(names[3]));
    origin.fault(Fault::Status(502).on(names[4]));
    let report = look(&origin, &names).unwrap();
    assert_eq!((report.counts.present, report.counts.gave_up), (6, 2));
    let kinds: Vec<_> = report
        .missing
        .iter()
        .map(|finished| match &finished.outcome {
            Outcome::GaveUp(error) => (finished.index, error.kind()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, [(3, ErrorKind::Refused), (4, ErrorKind::Transient)]);
    // 8 attempts in vain, and 2 and 1 before it went well.
    assert_eq!(report.requests, 8 + 7 + 2 + 1);
}
