//! Every fault against both kinds of caches: in the end all is there, and nothing is wrong under a final name.

use std::time::Duration;

use coaddkit_testkit::{Fault, RateLimit, RetryAfter, Rule};

use crate::help::*;

fn survives(faults: &[fn() -> Rule]) {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        faults.iter().for_each(|fault| origin.fault(fault()));
        let filled = place.run(&tree, &origin);
        assert!(filled.records.iter().all(|record| record.is_complete()), "{:?}", filled.report.missing);
        place.assert_whole(&tree, &WHOLE);
        assert!(origin.count_status(429) <= 8, "{}", origin.count_status(429));
        assert!(origin.max_concurrent() <= 8 || !faults.is_empty(), "{}", origin.max_concurrent());
    }
}

#[test]
fn clean() {
    survives(&[]);
}

#[test]
fn resets_and_short_bodies() {
    survives(&[
        || Fault::ResetAt(3000).everywhere().first(2),
        || Fault::CloseAt(700).matching(|path| path.contains("image")).first(1),
    ]);
}

/// A length that is wrong at the origin: only the content shows that something is missing.
#[test]
fn truncation_that_the_length_hides() {
    survives(&[|| Fault::ShortLength(2880).everywhere().first(1)]);
}

#[test]
fn flipped_bits() {
    survives(&[
        || Fault::FlipBit { at: 3000, bit: 2 }.everywhere().first(1),
        || Fault::FlipBit { at: 9000, bit: 7 }.matching(|path| path.contains("maskbits")).first(1),
    ]);
}

#[test]
fn silence() {
    survives(&[|| {
        Fault::Stall { at: 1000, pause: Duration::from_secs(2) }.matching(|p| p.contains("image-r")).first(1)
    }]);
}

#[test]
fn refusals() {
    survives(&[
        || Fault::Busy(429, RetryAfter::Seconds(1)).matching(|p| p.contains("image-g")).first(1).together(),
        || Fault::Busy(503, RetryAfter::Date(Duration::from_millis(700))).everywhere().first(1).together(),
    ]);
}

#[test]
fn pages_with_status_200() {
    survives(&[
        || Fault::HtmlPage.everywhere().first(1),
        || Fault::XmlError.matching(|p| p.contains("invvar")).first(2),
    ]);
}

#[test]
fn a_changing_etag() {
    survives(&[|| Fault::NewEtag.everywhere(), || Fault::ResetAt(4000).everywhere().first(2)]);
}

#[test]
fn no_ranges() {
    survives(&[|| Fault::NoRange.everywhere(), || Fault::CloseAt(4000).everywhere().first(2)]);
}

#[test]
fn server_errors_and_no_answer() {
    survives(&[
        || Fault::Status(502).everywhere().first(2),
        || Fault::Hangup.matching(|p| p.contains("psf") || p.contains("image")).first(1),
    ]);
}

#[test]
fn a_portal_with_a_rate() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        let retry_after = RetryAfter::Seconds(1);
        origin.limit_rate(RateLimit { per_second: 20.0, burst: 6, retry_after });
        let filled = place.run(&tree, &origin);
        assert!(filled.records.iter().all(|record| record.is_complete()), "{:?}", filled.report.missing);
        place.assert_whole(&tree, &WHOLE);
        assert!(origin.count_status(429) <= 8, "{}", origin.count_status(429));
    }
}
