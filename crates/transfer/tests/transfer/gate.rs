//! The gate of a host, against a real clock.

use std::time::Duration;

use coaddkit_testkit::{Fault, RetryAfter};
use coaddkit_transfer::{ErrorKind, HostPolicy, Outcome};

use crate::help::*;

#[test]
fn retry_after_closes_the_gate_for_all_files() {
    for retry_after in [RetryAfter::Seconds(2), RetryAfter::Date(Duration::from_millis(1900))] {
        let files: Vec<_> = (0..20).map(|i| (format!("f{i}"), body(100, i))).collect();
        let origin = origin(&files);
        origin.fault(Fault::Busy(503, retry_after).everywhere().after(4).together());
        let handle = std::thread::scope(|scope| {
            let run = scope.spawn(|| run(&hasty(&places()[1]), &plan(&origin, &files)));
            std::thread::sleep(Duration::from_millis(1500));
            let asked = origin.requests();
            origin.heal();
            (asked, run.join().unwrap())
        });
        let (asked, report) = handle;
        assert!(report.is_complete(), "{:?}", report.missing);
        // Four were served; those that were under way then are refused, and nobody asks before the time.
        assert!(asked.len() <= 4 + 8, "{}", asked.len());
        let refused = asked.iter().filter(|e| e.status == 503).map(|e| e.at).min().unwrap();
        let next =
            origin.requests().into_iter().map(|e| e.at).find(|at| *at > asked.last().unwrap().at).unwrap();
        assert!(next - refused >= Duration::from_millis(1000), "{refused:?} {next:?}");
    }
}

#[test]
fn a_host_that_only_refuses_is_stopped_before_it_bans() {
    let files: Vec<_> = (0..30).map(|i| (format!("f{i}"), body(100, i))).collect();
    let origin = origin(&files);
    origin.fault(Fault::Busy(429, RetryAfter::Seconds(1)).everywhere());
    let mut hosts = HostPolicy::default();
    hosts.ban_guard = 3;
    let report = run(&hasty(&places()[1]).hosts(hosts), &plan(&origin, &files));
    assert_eq!(report.counts.gave_up, 30);
    assert!(origin.count_status(429) <= 8, "{}", origin.count_status(429));
    let stopped = report.missing.iter().filter(|m| {
        matches!(&m.outcome, Outcome::GaveUp(e) if e.kind() == ErrorKind::HostStopped && e.what().contains("429"))
    });
    assert_eq!(stopped.count(), 30);
}

#[test]
fn a_host_that_is_gone_does_not_hold_the_run_for_ever() {
    let files: Vec<_> = (0..200).map(|i| (format!("f{i}"), body(100, i))).collect();
    let origin = origin(&files);
    let plan = plan(&origin, &files);
    drop(origin);
    let report = run(&hasty(&places()[1]), &plan);
    assert_eq!(report.counts.gave_up, 200);
    assert!(report.requests < 8 * 60, "{}", report.requests);
}

#[test]
fn no_more_requests_at_once_than_allowed() {
    let files: Vec<_> = (0..60).map(|i| (format!("f{i}"), body(40_000, i))).collect();
    let origin = origin(&files);
    origin.fault(Fault::Delay(Duration::from_millis(20)).everywhere());
    let mut hosts = HostPolicy::default();
    hosts.connections = 3;
    assert!(run(&hasty(&places()[0]).hosts(hosts), &plan(&origin, &files)).is_complete());
    assert_eq!(origin.max_concurrent(), 3);
    assert!(origin.max_connections() <= 4, "{}", origin.max_connections());
}

#[test]
fn a_portal_under_maintenance_is_not_put_into_quarantine_as_a_whole() {
    let files: Vec<_> = (0..200).map(|i| (format!("f{i}"), body(100, i))).collect();
    let place = &places()[0];
    let origin = origin(&files);
    origin.fault(Fault::HtmlPage.everywhere());
    let report = run(&hasty(place), &plan(&origin, &files));
    assert_eq!(report.counts.quarantined + report.counts.gave_up, 200);
    assert!(report.counts.quarantined <= 16 + 24, "{:?}", report.counts);
    let why = report.missing.last().unwrap().outcome.reason().unwrap();
    assert!(why.contains("pages in place of"), "{why}");
}
