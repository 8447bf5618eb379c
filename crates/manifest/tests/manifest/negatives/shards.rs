//! Pools and samples that several processes make give the bytes of one.

use coaddkit_manifest::negatives::{Ranked, SweepReport};

use super::samples::{reshard, survey};
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

fn bytes(ranked: &Ranked) -> Vec<u8> {
    let mut bytes = Vec::new();
    ranked.write(&mut bytes).unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_pool_ranked_in_parts_gives_the_bytes_of_one_run(
        seed in any::<u64>(), files in 1_usize..9, parts in 1_usize..6, spark in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (pool, positives) = survey(dir.path());
        let cut = dir.path().join("cut");
        reshard(&pool, &cut, files, seed);
        let mut draw = draw(relaxed());
        draw.ranking = if spark { Ranking::SparkMurmur3 } else { Ranking::Xxh3 };
        let (whole, merged) = (dir.path().join("whole.parquet"), dir.path().join("merged.parquet"));
        let expected = draw.run(&cut, &positives, &whole, &()).unwrap();

        let files = draw.prepare(&cut, &positives).unwrap().files().len();
        let mut rng = Rng::new(seed);
        let mut shares = vec![Vec::new(); parts];
        (0..files).for_each(|file| shares[rng.below(parts as u32) as usize].push(file));
        // Each as a process of its own, which leaves bytes; a share may have no file.
        let rank = |share: &Vec<usize>| {
            let drawing = draw.prepare(&cut, &positives).unwrap();
            bytes(&drawing.rank(share.iter().copied(), &()).unwrap())
        };
        let mut left: Vec<Ranked> =
            shares.iter().map(|share| Ranked::read(&mut rank(share).as_slice()).unwrap()).collect();
        left.push(Ranked::default());
        // Any two at a time, either one into the other, until one is left.
        while left.len() > 1 {
            let mut one = left.swap_remove(rng.below(left.len() as u32) as usize);
            let other = left.swap_remove(rng.below(left.len() as u32) as usize);
            one.merge(other);
            left.push(if rng.chance(0.5) { one } else { Ranked::read(&mut bytes(&one).as_slice()).unwrap() });
        }
        let drawing = draw.prepare(&cut, &positives).unwrap();
        prop_assert!(bytes(&left[0]) == bytes(&drawing.rank(0..files, &()).unwrap()));
        let drawn = drawing.finish(left.remove(0), &merged, &()).unwrap();
        prop_assert_eq!(serde_json::to_value(&drawn).unwrap(), serde_json::to_value(&expected).unwrap());
        prop_assert!(std::fs::read(&merged).unwrap() == std::fs::read(&whole).unwrap());
    }
}

#[test]
fn a_sample_of_too_few_files_or_of_one_twice_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, positives) = survey(dir.path());
    let draw = draw(relaxed());
    let drawing = draw.prepare(&pool, &positives).unwrap();
    let out = dir.path().join("s.parquet");
    let [first, second] = [0, 1].map(|file| drawing.rank([file], &()).unwrap());
    let refused = |parts: &[&Ranked]| {
        let mut all = Ranked::default();
        parts.iter().for_each(|part| all.merge((*part).clone()));
        let error = drawing.finish(all, &out, &()).unwrap_err();
        assert!(!out.exists());
        (error.class(), error.to_string())
    };
    let at = |name: &str| pool.join(name).display().to_string();
    let [a, b] = ["sweep-150p000-155p005.parquet", "sweep-155p000-160p005.parquet"].map(at);
    assert_eq!(refused(&[]), (ErrorClass::Missing, format!("{a}: was not ranked")));
    assert_eq!(refused(&[&first]), (ErrorClass::Missing, format!("{b}: was not ranked")));
    assert_eq!(
        refused(&[&second, &first, &second]),
        (ErrorClass::BadData, format!("{b}: was ranked 2 times"))
    );
    let mut other = draw.clone();
    other.seed = Some(7);
    let other = other.prepare(&pool, &positives).unwrap().rank([1], &()).unwrap();
    assert!(refused(&[&first, &other]).1.contains("of another sample, or of several"));
    assert!(refused(&[&other]).1.contains("of another sample, or of several"));
    let error = drawing.rank([0, 2], &()).unwrap_err();
    assert!(error.to_string().contains("has no file 2, but 2"), "{error}");
    let mut all = first;
    all.merge(second);
    drawing.finish(all, &out, &()).unwrap();
}
