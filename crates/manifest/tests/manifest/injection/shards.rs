//! A stage whose experiments several processes write gives the bytes of one.

use super::*;

const SMALL: Survey = Survey { regions: 3, bricks: 6, galaxies: 5, sets: 2 };
const STAGE: &str = "[tiers.debug]\ncontrol_frac = 0.5\n[tiers.train]\nn_total_per_split = 17\n";

/// All files below a folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            all.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
        }
    }
    all
}

fn job(dir: &Path, more: &str) -> Build {
    let text = toml_of(dir, STAGE).replace("[inputs]", &format!("bandsets = ['grz', 'r']\n{more}[inputs]"));
    Build::new(text.parse().unwrap())
}

/// As a process of its own.
fn write(job: &Build, out: &Path, experiment: &str) {
    let building = job.prepare(out).unwrap();
    building.sample(&()).unwrap().write(experiment, &()).unwrap();
}

fn finish(job: &Build, out: &Path) -> Result<Built, Error> {
    job.prepare(out)?.sample(&())?.finish()
}

fn json(built: &Built) -> serde_json::Value {
    serde_json::to_value(built).unwrap()
}

#[test]
fn a_stage_written_experiment_by_experiment_is_the_stage_of_one_run() {
    let dir = tempfile::tempdir().unwrap();
    SMALL.write(dir.path());
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let mut job = job(dir.path(), "");
    job.csv = true;
    let built = job.run(&whole, &()).unwrap();
    let experiments = job.experiments().unwrap();
    assert_eq!(experiments.len(), 4);
    assert_eq!(experiments, built.experiments.iter().map(|e| &*e.experiment_id).collect::<Vec<_>>());
    for (i, experiment) in experiments.iter().enumerate().rev() {
        let missing = finish(&job, &parts).unwrap_err();
        assert_eq!(missing.class(), ErrorClass::Missing);
        let named = experiments[..=i].join(", ");
        assert!(missing.to_string().ends_with(&format!("not written, or not whole: {named}")), "{missing}");
        assert!(!parts.join("_stage_config.json").exists() && !parts.join("bricks_manifest.csv").exists());
        write(&job, &parts, experiment);
    }
    assert_eq!(json(&finish(&job, &parts).unwrap()), json(&built));
    assert!(contents(&parts) == contents(&whole));

    let building = job.prepare(&parts).unwrap();
    assert_eq!(building.fingerprint().len(), 64);
    let sampled = building.sample(&()).unwrap();
    assert_eq!(sampled.rows(&experiments[0]), Some(built.experiments[0].rows));
    assert_eq!(sampled.rows("other"), None);
    let error = sampled.write("other", &()).unwrap_err();
    assert_eq!(error.to_string(), "there is no experiment other");
    // A table that is not what its marker says.
    let path = part(&parts, &experiments[1]);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let error = sampled.finish().unwrap_err();
    assert!(error.to_string().ends_with(&format!("not whole: {}", experiments[1])), "{error}");
    write(&job, &parts, &experiments[1]);
    assert!(contents(&parts) == contents(&whole));
}

#[test]
fn what_another_stage_has_left_goes_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    SMALL.write(dir.path());
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let (first, mut second) = (job(dir.path(), ""), job(dir.path(), "stamp_sizes = [96]\n"));
    first.run(&parts, &()).unwrap();
    second.run(&whole, &()).unwrap();
    let experiments = second.experiments().unwrap();
    let refused = second.prepare(&parts).unwrap_err();
    assert!(refused.to_string().contains("force removes it"), "{refused}");
    second.force = true;
    let before = contents(&parts);
    experiments.iter().for_each(|experiment| write(&second, &parts, experiment));
    let with_both = contents(&parts);
    assert!(before.iter().all(|(name, bytes)| with_both[name] == *bytes), "nothing of the first has changed");
    finish(&second, &parts).unwrap();
    assert!(contents(&parts) == contents(&whole));
    // One that begins late finds all there, and leaves it.
    let late = job(dir.path(), "stamp_sizes = [96]\nidempotency = {skip_if_exists = true}\n");
    let building = late.prepare(&parts).unwrap();
    let built = building.sample(&()).unwrap().write(&experiments[0], &()).unwrap();
    assert!(built.skipped && built.bytes == 0);
    assert!(contents(&parts) == contents(&whole));
}
