//! Real S3 servers, as destination and as source.

use std::sync::Arc;

use coaddkit_testkit::{Fault, Store};
use coaddkit_transfer::{Destination, Digest, Existing, Item, Plan, S3Options, Transfer};
use object_store::aws::AmazonS3Builder;

use crate::help::*;

const ORIGIN: &str = "COADDKIT_S3_ORIGIN";

/// With what goes through one put, a multipart upload and a spool file.
fn set() -> Vec<(String, Vec<u8>)> {
    let mut files = files(21);
    files.push(("d3/large+strange&.bin".to_owned(), body(20 << 20, 77)));
    files.push(("d3/larger.bin".to_owned(), body(33 << 20, 78)));
    files
}

fn items(files: &[(String, Vec<u8>)], base: &str) -> Vec<Item> {
    let item = |(name, body): &(String, Vec<u8>)| {
        let sha256 = Digest::Sha256(<sha2::Sha256 as sha2::Digest>::digest(body).into());
        Item::new(&format!("{base}/{name}"), name).unwrap().bytes(body.len() as u64).digest(sha256)
    };
    files.iter().map(item).collect()
}

/// Where the environment leads to the store.
#[test]
#[ignore = "run by the tests below"]
fn inside() {
    let Some(origin) = told(ORIGIN) else { return };
    let files = set();
    let spool = tempfile::tempdir().unwrap();
    let transfer = |to: Destination| Transfer::new(to).retry(quick()).spool(spool.path());
    let destination = Destination::parse("s3://cache/some/prefix/").unwrap();

    let plan = Plan::new(items(&files, &origin)).unwrap();
    let report = run(&transfer(destination.clone()), &plan);
    assert!(report.is_complete(), "{:?}", report.missing);
    assert_eq!(report.counts.published, 23);
    let report = run(&transfer(destination.clone()), &plan);
    assert_eq!((report.counts.present, report.requests), (23, 0));
    let report = run(&transfer(destination.clone()).existing(Existing::Verify), &plan);
    assert_eq!((report.counts.present, report.requests), (23, 0));

    // And back, by signed addresses, to a folder and to another place of the store.
    let back = tempfile::tempdir().unwrap();
    let plan = Plan::new(items(&files, "s3://cache/some/prefix")).unwrap();
    for to in [Destination::folder(back.path()), Destination::parse("s3://cache/copy").unwrap()] {
        let report = run(&transfer(to), &plan);
        assert!(report.is_complete(), "{:?}", report.missing);
    }
    let absent = Plan::new([Item::new("s3://cache/absent", "absent").unwrap()]).unwrap();
    assert_eq!(run(&transfer(destination), &absent).counts.not_found, 1);

    // A bucket that is not there is a failure, not a place without files, and ends the run.
    let nowhere = Destination::parse("s3://no-such-bucket/x").unwrap();
    let ended = transfer(nowhere).existing(Existing::Replace).run_blocking(&plan, &());
    let why = match ended {
        // Some stores make a bucket when it is first written to.
        Ok(report) if report.is_complete() => None,
        Ok(report) => Some(report.stopped.map_or_else(|| format!("{:?}", report.missing), |e| e.to_string())),
        Err(error) => Some(error.to_string()),
    };
    assert!(why.as_ref().is_none_or(|why| why.contains("no-such-bucket")), "{why:?}");
    let nothing = Plan::new([Item::new("s3://no-such-bucket/x", "x").unwrap()]).unwrap();
    let report = run(&transfer(Destination::folder(back.path().join("none"))), &nothing);
    assert!(!report.is_complete(), "{:?}", report.missing);
}

fn moves(store: Option<Store>) -> Option<Store> {
    let store = store?;
    let files = set();
    let origin = origin(&files);
    // Each file has a fault of its own.
    let faults = [
        Fault::ResetAt(100_000),
        Fault::CloseAt(50_000),
        Fault::FlipBit { at: 900, bit: 1 },
        Fault::Status(503),
        Fault::HtmlPage,
        Fault::ShortLength(10),
        Fault::Gzip,
    ];
    for (n, (name, _)) in files.iter().enumerate() {
        origin.fault(faults[n * 3 % faults.len()].clone().on(name).first(1));
    }
    let child = itself("s3::inside").envs(store.environment()).env(ORIGIN, origin.base()).output().unwrap();
    assert!(
        child.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
    // Seen past our own client.
    let mut expected: Vec<(String, u64)> = ["copy", "some/prefix"]
        .iter()
        .flat_map(|at| files.iter().map(move |(name, body)| (format!("{at}/{name}"), body.len() as u64)))
        .collect();
    expected.sort();
    let found: Vec<_> = store.objects().unwrap();
    assert_eq!(found, expected);
    for (name, body) in files.iter().filter(|(name, _)| !name.contains('+')) {
        assert!(store.object(&format!("copy/{name}")).unwrap() == *body, "{name}");
    }
    Some(store)
}

#[test]
fn seaweedfs() {
    let Some(store) = moves(Store::seaweedfs()) else { return };
    let (files, dir) = (set(), tempfile::tempdir().unwrap());
    let mut s3 = S3Options::anonymous();
    s3.endpoint = Some(store.endpoint());
    // Everybody may read here, and nobody without a key may write.
    let plan = Plan::new(items(&files, "s3://cache/copy")).unwrap();
    let report = run(&Transfer::new(Destination::folder(dir.path())).s3(s3.clone()), &plan);
    assert!(report.is_complete(), "{:?}", report.missing);
    let mut place = places();
    place[0].destination = Destination::parse_with("s3://cache/denied", &s3).unwrap();
    let origin = origin(&files);
    let report = run(&hasty(&place[0]), &Plan::new(items(&files, &origin.base())).unwrap());
    let stopped = report.stopped.as_ref().expect("a reason");
    assert_eq!(stopped.kind(), coaddkit_transfer::ErrorKind::Destination, "{stopped}");
    assert_eq!(report.counts.published, 0);
    assert!(report.requests <= 24, "{}", report.requests);
}

#[test]
fn s3s_fs() {
    moves(Store::s3s_fs());
}

/// Keys that are wrong end the run with a word about them, and are not repeated to anybody.
#[test]
fn wrong_keys_are_not_told() {
    let Some(store) = Store::seaweedfs() else { return };
    let s3 = AmazonS3Builder::new()
        .with_endpoint(store.endpoint())
        .with_allow_http(true)
        .with_bucket_name(store.bucket())
        .with_access_key_id("AKS3CRET")
        .with_secret_access_key("s3cret")
        .build()
        .unwrap();
    let files = files(7);
    let origin = origin(&files);
    let destination = Destination::store(Arc::new(s3), "x").unwrap();
    let transfer = Transfer::new(destination).existing(Existing::Replace);
    let report = run(&transfer, &plan(&origin, &files));
    let stopped = report.stopped.as_ref().expect("a reason");
    let told = format!("{report:?} {stopped} {transfer:?}").to_lowercase();
    assert!(!told.contains("s3cret"), "{told}");
}
