//! Every fault against every kind of destination: all files right in the end, nothing wrong under a final name.

use std::time::Duration;

use coaddkit_testkit::{Fault, RetryAfter};
use coaddkit_transfer::{HostPolicy, Item, Plan};

use crate::help::*;

/// Runs with a fault that passes, and checks that everything arrives.
fn survives(faults: &[fn() -> coaddkit_testkit::Rule]) {
    let files = files(21);
    for place in places() {
        let origin = origin(&files);
        faults.iter().for_each(|fault| origin.fault(fault()));
        let report = run(&hasty(&place), &plan(&origin, &files));
        assert!(report.is_complete(), "{:?}", report.missing);
        assert_eq!(report.counts.published, 21);
        assert_eq!(report.bytes, files.iter().map(|(_, body)| body.len() as u64).sum::<u64>());
        assert_all(&place, &files);
        assert!(origin.count_status(429) <= 8, "{}", origin.count_status(429));
    }
}

#[test]
fn clean() {
    survives(&[]);
}

#[test]
fn resets() {
    survives(&[|| Fault::ResetAt(100_000).everywhere().first(3), || Fault::ResetAt(0).everywhere().first(2)]);
}

#[test]
fn short_bodies() {
    survives(&[|| Fault::CloseAt(700).everywhere().first(2)]);
}

#[test]
fn a_length_that_promises_too_much() {
    survives(&[|| Fault::LongLength(1000).everywhere().first(2)]);
}

#[test]
fn no_answer() {
    survives(&[|| Fault::Hangup.everywhere().first(2)]);
}

#[test]
fn silence() {
    survives(&[
        || Fault::Stall { at: 1000, pause: Duration::from_secs(3) }.everywhere().first(1),
        || Fault::Delay(Duration::from_secs(3)).matching(|path| path.contains("f3")).first(1),
    ]);
}

#[test]
fn server_errors() {
    survives(&[
        || Fault::Status(500).everywhere().first(1),
        || Fault::Status(502).everywhere().first(2),
        || Fault::Status(408).everywhere().first(3),
        || Fault::Status(425).everywhere().first(4),
    ]);
}

#[test]
fn refusals_with_seconds() {
    survives(&[|| {
        Fault::Busy(429, RetryAfter::Seconds(1)).matching(|path| path.contains("f2")).first(1).together()
    }]);
}

#[test]
fn refusals_with_a_date() {
    survives(&[|| {
        Fault::Busy(503, RetryAfter::Date(Duration::from_millis(900)))
            .matching(|p| p.contains("f2"))
            .first(1)
            .together()
    }]);
}

#[test]
fn pages_with_status_200() {
    survives(&[
        || Fault::HtmlPage.everywhere().first(1),
        || Fault::XmlError.matching(|p| p.contains("f1")).first(1),
    ]);
}

#[test]
fn another_etag_each_time() {
    survives(&[|| Fault::NewEtag.everywhere(), || Fault::ResetAt(100_000).everywhere().first(3)]);
}

#[test]
fn a_server_without_ranges() {
    survives(&[|| Fault::NoRange.everywhere(), || Fault::CloseAt(100_000).everywhere().first(3)]);
}

#[test]
fn a_server_that_refuses_ranges() {
    survives(&[
        || Fault::RangeNotSatisfiable.everywhere().ranged(),
        || Fault::CloseAt(100_000).everywhere().first(2),
    ]);
}

#[test]
fn a_body_in_chunks() {
    survives(&[|| Fault::Chunked.everywhere(), || Fault::ResetAt(100_000).everywhere().first(2)]);
}

#[test]
fn a_compressed_body_is_not_taken() {
    survives(&[|| Fault::Gzip.everywhere().first(1)]);
}

#[test]
fn connections_that_are_not_kept() {
    survives(&[|| Fault::NoKeepAlive.everywhere()]);
}

#[test]
fn no_identity() {
    survives(&[
        || Fault::Header("ETag", None).everywhere(),
        || Fault::Header("Last-Modified", None).everywhere(),
        || Fault::ResetAt(100_000).everywhere().first(2),
    ]);
}

#[test]
fn a_wrong_content_range() {
    survives(&[
        || Fault::CloseAt(1000).everywhere().first(1),
        || Fault::Header("Content-Range", Some("bytes 0-9/10".into())).everywhere().ranged().first(1),
        || Fault::Header("Content-Range", None).everywhere().ranged().first(2),
    ]);
}

#[test]
fn redirects() {
    survives(&[|| Fault::Redirect("/d0/f6.bin".into()).on("d0/elsewhere")]);
}

/// A byte that flips on the way is seen where a digest is known, and what comes next is right.
#[test]
fn flipped_bits() {
    let files = files(14);
    for place in places() {
        let origin = origin(&files);
        origin.fault(Fault::FlipBit { at: 2000, bit: 3 }.everywhere().first(1));
        let items = files.iter().map(|(name, body)| {
            let sha256: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(body).into();
            Item::new(&origin.url(name), name).unwrap().digest(coaddkit_transfer::Digest::Sha256(sha256))
        });
        let report = run(&hasty(&place), &Plan::new(items).unwrap());
        assert!(report.is_complete(), "{:?}", report.missing);
        assert_all(&place, &files);
    }
}

/// A portal with a rate: nothing is lost, and it has to refuse less often than there are workers.
#[test]
fn a_portal_with_a_rate() {
    let files: Vec<_> = (0..60).map(|i| (format!("f{i}"), body(10_000, i))).collect();
    for workers in [8, 16] {
        let place = &places()[0];
        let origin = origin(&files);
        origin.limit_rate(coaddkit_testkit::RateLimit {
            per_second: 20.0,
            burst: 6,
            retry_after: RetryAfter::Seconds(1),
        });
        let mut hosts = HostPolicy::default();
        hosts.connections = workers;
        let report = run(&hasty(place).hosts(hosts), &plan(&origin, &files));
        assert!(report.is_complete(), "{:?}", report.missing);
        assert!(origin.count_status(429) <= workers, "{} for {workers}", origin.count_status(429));
        assert_eq!(report.throttled, origin.count_status(429) as u64);
        assert_all(place, &files);
    }
}
