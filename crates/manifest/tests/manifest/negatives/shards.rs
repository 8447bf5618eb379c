//! Pools and samples that several processes make give the bytes of one.

use coaddkit_manifest::negatives::SweepReport;

use super::*;

/// All files of a folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    names(folder).into_iter().map(|name| (name.clone(), std::fs::read(folder.join(name)).unwrap())).collect()
}

/// As another process reads it.
fn by_text(report: &SweepReport) -> SweepReport {
    serde_json::from_str(&serde_json::to_string(report).unwrap()).unwrap()
}

fn json(report: &PoolReport) -> serde_json::Value {
    serde_json::to_value(report).unwrap()
}

#[test]
fn a_pool_made_sweep_by_sweep_is_the_pool_of_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let (files, lenses) = (sweeps(dir.path(), 2000), [no_lenses(dir.path())]);
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let job = pool_of(deep(""));
    let report = job.run(&files, &lenses, &whole, &()).unwrap();
    // The last one first, and each made ready anew.
    let mut reports = Vec::new();
    for path in files.iter().rev() {
        let pooling = job.prepare(&files, &lenses, &parts).unwrap();
        reports.push(by_text(&pooling.sweep(path, &())));
        assert!(!parts.join("_SUCCESS").exists());
    }
    let pooling = job.prepare(&files, &lenses, &parts).unwrap();
    let merged = pooling.finish(reports.clone()).unwrap();
    assert_eq!(json(&merged), json(&report));
    assert!(contents(&parts) == contents(&whole));

    let refused = |reports: &[SweepReport]| pooling.finish(reports.to_vec()).unwrap_err();
    let missing = refused(&reports[..1]);
    assert_eq!(missing.class(), ErrorClass::Missing);
    assert_eq!(missing.to_string(), format!("{}: nothing is known of this sweep", files[0].display()));
    let [second, first] = &reports[..] else { panic!() };
    let twice = refused(&[first.clone(), second.clone(), first.clone()]);
    assert_eq!(twice.class(), ErrorClass::BadData);
    assert_eq!(twice.to_string(), format!("{}: is reported twice", files[0].display()));
    let fewer = job.prepare(&files, &lenses, &dir.path().join("fewer")).unwrap();
    let other = fewer.sweep(&dir.path().join("other.fits"), &());
    assert!(other.error.as_deref().unwrap().ends_with("other.fits: is none of the sweeps of this pool"));
    assert!(refused(&[first.clone(), second.clone(), other]).to_string().contains("is none of the sweeps"));
}

#[test]
fn a_process_that_begins_late_leaves_what_others_made() {
    let dir = tempfile::tempdir().unwrap();
    let (files, lenses, out) = (sweeps(dir.path(), 500), [no_lenses(dir.path())], dir.path().join("pool"));
    let mut job = pool_of(deep(""));
    job.run(&files, &lenses, &out, &()).unwrap();
    let before = contents(&out);
    let late = job.prepare(&files, &lenses, &out).unwrap();
    assert!(late.sweep(&files[1], &()).skipped);
    assert!(contents(&out) == before, "nothing has changed, so the pool is whole");

    // One that makes a sweep anew takes the marker away, and nothing else.
    job.force = true;
    let forced = job.prepare(&files, &lenses, &out).unwrap();
    assert!(contents(&out) == before);
    let anew = forced.sweep(&files[1], &());
    assert!(!anew.skipped);
    assert_eq!(names(&out), ["sweep-150p000-155p005.parquet", "sweep-155p000-160p005.parquet"]);
    job.force = false;
    let kept = job.prepare(&files, &lenses, &out).unwrap();
    let first = kept.sweep(&files[0], &());
    kept.finish(vec![anew, first]).unwrap();
    assert!(contents(&out) == before);

    // What another list has left goes, in whichever process looks first, and its marker before it.
    job.force = true;
    job.prepare(&files[..1], &lenses, &out).unwrap();
    assert_eq!(names(&out), ["sweep-150p000-155p005.parquet"]);
}

#[test]
fn a_sweep_that_failed_elsewhere_fails_the_pool() {
    let dir = tempfile::tempdir().unwrap();
    let (files, lenses, out) = (sweeps(dir.path(), 500), [no_lenses(dir.path())], dir.path().join("pool"));
    let job = pool_of(deep(""));
    job.run(&files, &lenses, &out, &()).unwrap();
    std::fs::write(&files[1], "no sweep any more").unwrap();
    let pooling = job.prepare(&files, &lenses, &out).unwrap();
    let good = pooling.sweep(&files[0], &());
    let why = pooling.sweep(&files[1], &()).error.unwrap();
    let merged = pooling.finish(vec![SweepReport::failed(&files[1], why), good]).unwrap();
    assert!(!out.join("_SUCCESS").exists(), "the marker would vouch for what is no more");
    let report = job.run(&files, &lenses, &out, &()).unwrap();
    assert!(report.sweeps[1].failure.is_some() && report.sweeps[1].absent == merged.sweeps[1].absent);
    assert_eq!(json(&merged), json(&report));
}
