//! What each answer means.

use std::time::Duration;

use coaddkit_testkit::Fault;
use coaddkit_transfer::{Content, Digest, ErrorKind, Item, Outcome, Plan};

use crate::help::*;

fn one(name: &str, len: usize) -> Vec<(String, Vec<u8>)> {
    vec![(name.to_owned(), body(len, 7))]
}

#[test]
fn not_found_is_an_answer_and_asked_once() {
    let files = one("there", 100);
    for place in places() {
        let origin = origin(&files);
        origin.fault(Fault::Status(410).on("gone"));
        let plan =
            Plan::new(["there", "absent", "gone"].map(|n| Item::new(&origin.url(n), n).unwrap())).unwrap();
        let report = run(&hasty(&place), &plan);
        assert_eq!((report.counts.published, report.counts.not_found), (1, 2));
        for (index, status) in [(0, 404), (1, 410)] {
            assert!(matches!(report.missing[index].outcome, Outcome::NotFound { status: s } if s == status));
        }
        assert_eq!((origin.count("absent"), origin.count("gone")), (1, 1));
        assert_all(&place, &files);
    }
}

#[test]
fn a_refusal_for_good_is_not_asked_again() {
    for status in [400, 401, 403, 405, 451] {
        let files = one("f", 100);
        let place = &places()[0];
        let origin = origin(&files);
        origin.fault(Fault::Status(status).on("f"));
        let report = run(&hasty(place), &plan(&origin, &files));
        let Outcome::GaveUp(error) = &report.missing[0].outcome else { panic!("{report:?}") };
        assert_eq!((error.kind(), origin.count("f")), (ErrorKind::Refused, 1), "{status}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert!(below(place.dir.path()).is_empty());
    }
}

#[test]
fn eight_attempts_and_then_the_others_go_on() {
    let files = files(7);
    for place in places() {
        let origin = origin(&files);
        origin.fault(Fault::Status(500).on("d0/f3.bin"));
        let report = run(&hasty(&place), &plan(&origin, &files));
        assert_eq!((report.counts.published, report.counts.gave_up), (6, 1));
        assert_eq!((origin.count("d0/f3.bin"), report.missing[0].attempts), (8, 8));
        let Outcome::GaveUp(error) = &report.missing[0].outcome else { panic!("{report:?}") };
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert_no_parts(&place);
    }
}

#[test]
fn the_same_bad_bytes_twice_go_to_quarantine() {
    let files = files(7);
    let flips = |_: &Item, content: &Content<'_>| {
        let mut byte = [0];
        content.read_at(&mut byte, 2000).map_err(|e| e.to_string())?;
        if content.len() == 65_536 { Err(format!("bad byte {} at 2000", byte[0])) } else { Ok(()) }
    };
    for place in places() {
        let origin = origin(&files);
        let report = run(&hasty(&place).validate(flips), &plan(&origin, &files));
        assert_eq!((report.counts.published, report.counts.quarantined), (6, 1));
        let Outcome::Quarantined { reason, kept } = &report.missing[0].outcome else { panic!("{report:?}") };
        assert!(reason.starts_with("bad byte"), "{reason}");
        assert_eq!(kept, "_quarantine/d0/f3.bin");
        assert_eq!(read(&place.destination, kept).unwrap(), files[3].1);
        let note: serde_json::Value =
            serde_json::from_slice(&read(&place.destination, &format!("{kept}.reason.json")).unwrap())
                .unwrap();
        assert_eq!(note["reason"], **reason);
        assert_eq!(note["source"], origin.url("d0/f3.bin"));
        assert_eq!(read(&place.destination, "d0/f3.bin"), None);
        // The second request came on a connection of its own, and for the whole.
        let asked: Vec<_> = origin.requests().into_iter().filter(|e| e.path == "d0/f3.bin").collect();
        assert_eq!(asked.len(), 2);
        assert!(asked[1].range().is_none());
        let others = origin.requests().iter().filter(|e| e.connection == asked[1].connection).count();
        assert_eq!(others, 1);
        assert_no_parts(&place);
    }
}

#[test]
fn bytes_that_are_bad_in_another_way_each_time_are_given_up() {
    let files = one("f", 5000);
    for place in places() {
        let origin = origin(&files);
        for n in 0..8 {
            origin.fault(Fault::FlipBit { at: n, bit: 1 }.on("f").after(n));
        }
        let digest = Digest::Sha256([0; 32]);
        let plan = Plan::new([Item::new(&origin.url("f"), "f").unwrap().digest(digest)]).unwrap();
        let report = run(&hasty(&place), &plan);
        assert_eq!((report.counts.gave_up, origin.count("f")), (1, 8));
        assert!(names(&place.destination).is_empty());
        assert_no_parts(&place);
    }
}

#[test]
fn lengths_and_digests_that_are_expected() {
    let files = one("f", 5000);
    let md5 = |body: &[u8]| Digest::Md5(<md5::Md5 as sha2::Digest>::digest(body).into());
    let right = |item: Item| item.bytes(5000).digest(md5(&files[0].1));
    let cases: [(&str, &dyn Fn(Item) -> Item); 3] = [
        ("5000 bytes, expected 4999", &|i| i.bytes(4999)),
        ("digest md5", &|i| i.digest(md5(b"x"))),
        ("", &right),
    ];
    for (why, expect) in cases {
        for place in places() {
            let origin = origin(&files);
            let plan = Plan::new([expect(Item::new(&origin.url("f"), "f").unwrap())]).unwrap();
            let report = run(&hasty(&place), &plan);
            assert_eq!(report.is_complete(), why.is_empty());
            if let Some(missing) = report.missing.first() {
                assert!(missing.outcome.reason().unwrap().starts_with(why), "{missing:?}");
                assert_eq!(missing.outcome.word(), "quarantined");
            }
        }
    }
}

#[test]
fn pages_are_taken_where_they_are_asked_for() {
    let page = b"<!DOCTYPE html><p>data</p>".to_vec();
    let files = vec![("a.html".to_owned(), page.clone()), ("b.fits".to_owned(), page)];
    let place = &places()[0];
    let origin = origin(&files);
    let report = run(&hasty(place), &plan(&origin, &files));
    assert_eq!((report.counts.published, report.counts.quarantined), (1, 1));
    let reason = report.missing[0].outcome.reason().unwrap();
    assert!(reason.contains("a page in HTML or XML"), "{reason}");
    assert!(run(&hasty(place).accept_pages(true), &plan(&origin, &files)).is_complete());
}

#[test]
fn a_body_that_drips_is_given_up() {
    let files = one("f", 100_000);
    let place = &places()[1];
    let origin = origin(&files);
    origin.fault(Fault::Trickle(200).on("f").first(1));
    let report = run(&hasty(place), &plan(&origin, &files));
    assert!(report.is_complete());
    assert_eq!(origin.count("f"), 2);
    assert!(report.elapsed < Duration::from_secs(20));
}

#[test]
fn secrets_are_not_told() {
    let place = &places()[0];
    let files = one("f", 10);
    let origin = origin(&files);
    origin.fault(Fault::Status(403).on("f"));
    let url = origin.url("f?token=s3cret").replace("http://", "http://me:s3cret@");
    let plan = Plan::new([Item::new(&url, "f").unwrap()]).unwrap();
    let ledger = place.dir.path().join("ledger");
    let transfer = hasty(place).ledger(&ledger);
    let report = run(&transfer, &plan);
    let told = format!("{report:?} {plan:?} {transfer:?} {}", std::fs::read_to_string(&ledger).unwrap());
    assert!(!told.contains("s3cret"), "{told}");
    // They are used, though.
    let authorization = origin.requests()[0].header("authorization").map(str::to_owned);
    assert_eq!(authorization.as_deref(), Some("Basic bWU6czNjcmV0"));
}

#[test]
fn the_user_agent_says_who_asks() {
    let files = one("f", 10);
    let origin = origin(&files);
    run(&hasty(&places()[0]), &plan(&origin, &files));
    let agent = origin.requests()[0].header("user-agent").unwrap().to_owned();
    assert!(agent.starts_with("coaddkit-transfer/") && agent.contains("https://"), "{agent}");
    assert_eq!(origin.requests()[0].header("accept-encoding"), Some("identity"));
}
