//! Pixels of other machines: an origin that misbehaves, nginx, and a real S3 server.

use super::*;
use coaddkit_testkit::{Fault, FaultOrigin, Files, Nginx, Portal, Store};
use coaddkit_transfer::{Destination, Item, Plan, Transfer};
use std::process::Command;

/// The tables of a run, and what is in them.
fn products(dir: &Path, out: &str) -> Vec<(String, Vec<u8>)> {
    let root = dir.join(out).join("main");
    below(&root).into_iter().map(|name| (name.clone(), fs::read(root.join(name)).unwrap())).collect()
}

fn local(dir: &Path) -> Vec<(String, Vec<u8>)> {
    survey(dir);
    assert_eq!(
        desi(&["run", "--inventory", "inventory.csv", "--source", "in", "--out", "here"], dir).code,
        0
    );
    products(dir, "here")
}

fn there(dir: &Path, source: &str, more: &[&str]) -> Ran {
    let run = ["run", "--inventory", "inventory.csv", "--source", source, "--out", "out", "--json"];
    desi(&[&run[..], more].concat(), dir)
}

#[test]
fn the_same_as_here_and_nothing_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, expected) = (dir.path(), local(dir.path()));
    assert_eq!(expected.len(), 3);
    let origin = FaultOrigin::new(Files::folder(dir.join("in")));
    let redrock = key("redrock", "dark", 7);
    origin.fault(Fault::ResetAt(20_000).on(&key("coadd", "dark", 7)).first(1));
    origin.fault(Fault::Status(503).on(&redrock).first(1));
    origin.fault(Fault::HtmlPage.on(&key("coadd", "bright", 7)).first(1));
    let ran = there(dir, &origin.base(), &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(products(dir, "out") == expected);
    assert!(!dir.join("out/raw").exists());
    let asked = origin.requests().len();
    let again = there(dir, &origin.base(), &[]);
    assert!(again.stdout.starts_with("0 of 3 to do\n"), "{}", again.stdout);
    assert_eq!(origin.requests().len(), asked);
    // Another source is another run.
    assert_eq!(there(dir, "in", &[]).code, 2);
}

#[test]
fn what_does_not_come_is_told_by_pixel() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let pixels = (20..40).map(|pixel| ("dark", pixel, DesiPixel::new(pixel, 4).quasars(1.0)));
    write(dir, pixels);
    let origin = FaultOrigin::new(Files::folder(dir.join("in")));
    fs::remove_file(dir.join("in").join(key("redrock", "dark", 21))).unwrap();
    origin.fault(Fault::Status(500).on(&key("coadd", "dark", 22)));

    let check = ["check", "--inventory", "inventory.csv", "--source", &origin.base(), "--json"];
    let found = desi(&[&check[..], &["--max-attempts", "2"]].concat(), dir);
    // Whether it is there cannot be found out.
    assert_eq!(found.code, 75, "{}", found.stderr);
    assert!(found.stderr.contains("coadd-main-dark-22.fits"), "{}", found.stderr);
    origin.heal();
    let found = desi(&check, dir);
    assert_eq!((found.code, count(&found, "inputs"), count(&found, "missing")), (66, 40, 1));
    assert!(found.stdout.contains("redrock-main-dark-21.fits"), "{}", found.stdout);
    assert!(origin.body_bytes() < 60_000, "{} bytes for a look", origin.body_bytes());
    let strict = there(dir, &origin.base(), &["--strict"]);
    assert_eq!((strict.code, count(&strict, "not_started")), (66, 20), "{}", strict.stderr);

    origin.fault(Fault::Status(500).on(&key("coadd", "dark", 22)));
    // The same file that is cut at the origin, twice: its pixel is bad, not the connection.
    let cut = fs::read(dir.join("in").join(key("coadd", "dark", 23))).unwrap();
    fs::write(dir.join("in").join(key("coadd", "dark", 23)), &cut[..cut.len() / 2]).unwrap();
    let ran = there(dir, &origin.base(), &["--max-attempts", "2"]);
    let counts = ["done", "missing_input", "transient", "bad_data"].map(|name| count(&ran, name));
    assert_eq!(counts, [17, 1, 1, 1], "{}", ran.stderr);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    // Nothing of them stays, unless it is to be looked at.
    assert!(!dir.join("out/raw").exists());
    origin.heal();
    let kept = there(dir, &origin.base(), &["--keep-failed"]);
    assert_eq!((kept.code, count(&kept, "done")), (65, 18), "{}", kept.stderr);
    assert!(below(&dir.join("out/raw")).iter().any(|name| name.contains("tile_00021")));
}

/// What is wrong with a file is said of the file that people know.
#[test]
fn a_file_that_was_fetched_is_called_by_its_address() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, [("dark", 50, DesiPixel::new(50, 6).quasars(1.0).without("R_FLUX"))]);
    let origin = FaultOrigin::new(Files::folder(dir.join("in")));
    let ran = there(dir, &origin.base(), &[]);
    assert_eq!((ran.code, count(&ran, "bad_data")), (65, 1), "{}", ran.stderr);
    let told = ran.report()["failures"][0]["reason"].as_str().unwrap().to_owned();
    assert!(told.starts_with(&origin.url(&key("coadd", "dark", 50))), "{told}");
    assert!(told.contains("R_FLUX") && !told.contains("out/raw"), "{told}");
    assert_eq!(told.matches("coadd").count(), 1, "{told}");
}

/// At most the files of a batch at any moment, however many pixels there are.
#[test]
fn no_more_than_a_batch_is_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, (20..50).map(|pixel| ("dark", pixel, DesiPixel::new(pixel, 8).quasars(1.0))));
    let origin = FaultOrigin::new(Files::folder(dir.join("in")));
    origin.fault(Fault::Trickle(4_000_000).everywhere());
    let args = [
        "run",
        "--inventory",
        "inventory.csv",
        "--source",
        &origin.base(),
        "--out",
        "out",
        "--batch-size",
        "3",
    ];
    let mut child = Command::new(BINARY).args(args).arg("--quiet").current_dir(dir).spawn().unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let raw = dir.join("out/raw/shard-00000/main/dark");
        most = most.max(fs::read_dir(raw).map_or(0, |list| list.count()));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    assert!((1..=3).contains(&most), "{most} pixels at once");
    assert_eq!(names(&dir.join("out/main/dark")).len(), 30);
}

#[test]
fn nginx_as_the_portal() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, expected) = (dir.path(), local(dir.path()));
    let Some(nginx) = Nginx::start(&dir.join("in"), &Portal::default()) else { return };
    for portal in [nginx.plain(), nginx.no_ranges(), nginx.polite()] {
        let check = ["check", "--inventory", "inventory.csv", "--source", &portal];
        assert_eq!(desi(&check, dir).code, 0);
        let ran = there(dir, &portal, &[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(products(dir, "out") == expected);
        fs::remove_dir_all(dir.join("out")).unwrap();
    }
}

const FROM: &str = "COADDKIT_UPLOAD_FROM";

/// Where the environment leads to the store.
#[test]
#[ignore = "run by the test below"]
fn upload() {
    let Some(from) = std::env::var_os(FROM) else { return };
    let from = Path::new(&from);
    let item = |name: &String| Item::file(&from.join(name), name).unwrap();
    let plan = Plan::new(below(from).iter().map(item)).unwrap();
    let to = Destination::parse("s3://cache/public/dr1").unwrap();
    let report = Transfer::new(to).run_blocking(&plan, &()).unwrap();
    assert!(report.is_complete(), "{:?}", report.missing);
}

#[test]
fn a_bucket_that_everybody_may_read() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, expected) = (dir.path(), local(dir.path()));
    let Some(store) = Store::seaweedfs() else { return };
    let mut uploading = Command::new(std::env::current_exe().unwrap());
    uploading.args(["--exact", "desi::remote::upload", "--ignored"]).env(FROM, dir.join("in"));
    let uploaded = uploading.envs(store.environment()).output().unwrap();
    assert!(uploaded.status.success(), "{}", String::from_utf8_lossy(&uploaded.stdout));
    // Nothing but the address: no key, no name of a region.
    let s3 = |args: &[&str]| {
        let source =
            ["--inventory", "inventory.csv", "--source", "s3://cache/public/dr1", "--no-sign-request"];
        let mut command = Command::new(BINARY);
        command.args(args).args(source).arg("--json").current_dir(dir);
        let out = command.env("AWS_ENDPOINT_URL", store.endpoint()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: out.status.code().unwrap(), stdout: text(out.stdout), stderr: text(out.stderr) }
    };
    let check = s3(&["check"]);
    assert_eq!((check.code, count(&check, "inputs")), (0, 6), "{}", check.stderr);
    let ran = s3(&["run", "--out", "out", "--strict"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(products(dir, "out") == expected);
    assert!(s3(&["run", "--out", "out"]).stdout.starts_with("0 of 3 to do\n"));
    let list = fs::read_to_string(dir.join("inventory.csv")).unwrap();
    let more = format!("{list}main,dark,9,coadd,c.fits,{}\n", key("coadd", "dark", 9));
    fs::write(dir.join("inventory.csv"), more).unwrap();
    let check = s3(&["check"]);
    assert_eq!((check.code, count(&check, "missing")), (66, 2), "{}", check.stderr);
}
