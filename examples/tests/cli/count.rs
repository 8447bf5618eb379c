use crate::{Ran, fixture, names};
use coaddkit_testkit::{Column, Csv, FitsTable, damage, gzip};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

fn count(args: &[&str], dir: &Path) -> Ran {
    crate::run(env!("CARGO_BIN_EXE_lrg-density"), &[&["count"], args].concat(), dir)
}

fn report(csv: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(csv.with_extension("report.json")).unwrap()).unwrap()
}

/// One object: name, magnitude in z, r − z, z − W1.
type Object = (&'static str, f64, f64, f64);

/// A sweep of objects, with transmissions of 0.5 in z and 1 elsewhere.
fn sweep(objects: &[Object]) -> Vec<u8> {
    let flux = |mag: f64| 10_f64.powf(0.4 * (22.5 - mag)) as f32;
    FitsTable::new("SWEEP")
        .column(Column::new("BRICKNAME", "8A"))
        .column(Column::new("RA", "D"))
        .column(Column::new("DEC", "D"))
        .column(Column::new("Flux_R", "E"))
        .column(Column::new("flux_z", "E"))
        .column(Column::new("FLUX_W1", "E"))
        .column(Column::new("MW_TRANSMISSION_R", "E"))
        .column(Column::new("MW_TRANSMISSION_Z", "E"))
        .column(Column::new("MW_TRANSMISSION_W1", "E"))
        .rows(objects.len(), |row, cells| {
            let (name, z, rz, zw1) = objects[row];
            cells.put(name).put(359.0 + row as f64).put(row as f64);
            cells.put(flux(z + rz)).put(flux(z)).put(flux(z - zw1));
            cells.put(1.0_f32).put(0.5_f32).put(1.0_f32);
        })
        .to_bytes()
}

const LRG: Object = ("0001m002", 20.0, 1.0, 1.7);
const FAINT: Object = ("0001m002", 20.9, 1.0, 1.7);
const BLUE: Object = ("0004p000", 19.5, 0.0, 1.7);

#[test]
fn counts_and_report_have_the_pinned_form() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.fits"), sweep(&[LRG, FAINT, BLUE, LRG])).unwrap();
    std::fs::write(dir.path().join("b.fits.gz"), gzip(&sweep(&[("0004p000", 20.0, 1.0, 1.7)]))).unwrap();
    let ran = count(&["b.fits.gz", "a.fits", "--out", "counts.csv", "--json"], dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let csv = dir.path().join("counts.csv");
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), "brickname,lrg_count\n0001m002,2\n0004p000,1\n");
    assert_eq!(names(dir.path()), ["a.fits", "b.fits.gz", "counts.csv", "counts.report.json"]);
    let r = report(&csv);
    let files: Vec<_> = r["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            assert!(f["seconds"].as_f64().unwrap() >= 0.0 && f["bytes"].as_u64().unwrap() > 0);
            (
                f["path"].as_str().unwrap(),
                f["rows"].as_u64().unwrap(),
                f["selected"].as_u64().unwrap(),
                f["error"].is_null(),
            )
        })
        .collect();
    assert_eq!(files, [("b.fits.gz", 1, 1, true), ("a.fits", 4, 2, true)]);
    assert_eq!((&r["rows"], &r["selected"], &r["exit_code"]), (&5.into(), &3.into(), &0.into()));
    let flow: Vec<_> = r["cutflow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["in"].as_u64().unwrap(), c["kept"].as_u64().unwrap(), c["lost"].as_u64().unwrap()))
        .collect();
    assert_eq!(flow, [(5, 4, 1), (4, 3, 1), (3, 3, 0)]);
    let run = ran.report();
    assert_eq!(
        (&run["command"], &run["status"], &run["exit_code"]),
        (&"lrg-density count".into(), &"complete".into(), &0.into())
    );
    assert_eq!(r["counts"], "counts.csv");
    for key in ["version", "counts", "bytes", "seconds", "failures", "alerts"] {
        assert!(!run[key].is_null(), "{key}");
    }
}

#[test]
fn presets_dust_and_boxes() {
    let dir = tempfile::tempdir().unwrap();
    // RA 359, 360, 361, …; Dec 0, 1, 2, …
    std::fs::write(dir.path().join("a.fits"), sweep(&[LRG, FAINT, BLUE, LRG])).unwrap();
    let selected = |args: &[&str]| {
        let ran = count(&[&["a.fits", "--out", "c.csv", "--quiet"], args].concat(), dir.path());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
        report(&dir.path().join("c.csv"))["selected"].as_u64().unwrap()
    };
    assert_eq!(selected(&["--variant", "v1"]), 0);
    assert_eq!(selected(&["--variant", "v2"]), 2);
    assert_eq!(selected(&["--variant", "v4_mag_relaxed"]), 3);
    assert_eq!(selected(&["--variant", "v5"]), 3);
    // Half the light of z is lost to dust: without it z is 0.75 mag brighter, r − z redder and z − W1 bluer, so
    // that the faint and the blue object pass too, and none passes z − W1 > 1.6 any more.
    assert_eq!(selected(&["--variant", "v3", "--deredden"]), 4);
    assert_eq!(selected(&["--variant", "v2", "--deredden"]), 0);
    assert_eq!(selected(&["--cut", "demag(FLUX_Z) < 20.4"]), 4);
    assert_eq!(selected(&["--cut", "mag(flux_z) < 20.4"]), 3);
    assert_eq!(selected(&["--dec-min", "1", "--dec-max", "3"]), 1);
    assert_eq!(selected(&["--dec-min", "0", "--dec-max", "0"]), 1);
    assert_eq!(selected(&["--ra-min", "359", "--ra-max", "359"]), 1);
    assert_eq!(selected(&["--ra-min", "358", "--ra-max", "1"]), 2);
    assert_eq!(selected(&["--ra-min", "1", "--ra-max", "358"]), 0);
    assert_eq!(selected(&["--dec-max", "-0.5"]), 0);
    // A bound that is given is a cut, also at the end of its range.
    let ran = count(&["a.fits", "--dec-max", "90", "--out", "c.csv"], dir.path());
    assert_eq!(ran.code, 0);
    assert_eq!(report(&dir.path().join("c.csv"))["cutflow"][0]["clause"], "dec <= 90");
}

#[test]
fn a_file_that_fails_is_listed_and_contributes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let many: Vec<_> = (0..20_000).map(|_| LRG).collect();
    let whole = sweep(&many);
    std::fs::write(dir.path().join("cut.fits"), damage::truncated(&whole, whole.len() - 5000)).unwrap();
    std::fs::write(dir.path().join("good.fits"), sweep(&[LRG])).unwrap();
    std::fs::write(dir.path().join("packed.fits.gz"), {
        let packed = gzip(&whole);
        damage::truncated(&packed, packed.len() - 20)
    })
    .unwrap();
    let csv = dir.path().join("c.csv");
    for (files, code) in [
        (&["good.fits", "absent.fits"][..], 66),
        (&["good.fits", "cut.fits"], 65),
        (&["cut.fits", "absent.fits", "good.fits"], 65),
        (&["packed.fits.gz", "good.fits"], 65),
    ] {
        let ran = count(&[files, &["--out", "c.csv", "--json", "--report", "run"]].concat(), dir.path());
        assert_eq!(ran.code, code, "{files:?}");
        assert_eq!(std::fs::read_to_string(&csv).unwrap(), "brickname,lrg_count\n0001m002,1\n", "{files:?}");
        let r = report(&csv);
        assert_eq!((&r["exit_code"], &r["rows"]), (&code.into(), &1.into()));
        for (file, name) in r["files"].as_array().unwrap().iter().zip(files) {
            assert_eq!(file["path"], *name);
            assert_eq!(file["error"].is_null(), *name == "good.fits");
            assert!(file["error"].as_str().is_none_or(|e| e.contains(name)), "{file}");
        }
        let run = ran.report();
        assert_eq!(run["status"], "incomplete");
        assert_eq!(run["failures"].as_array().unwrap().len(), files.len() - 1);
        let kept: Value =
            serde_json::from_slice(&std::fs::read(dir.path().join("run/report.json")).unwrap()).unwrap();
        assert_eq!(kept, run);
        std::fs::remove_file(&csv).unwrap();
    }
    // Nothing at all: a report, no counts, and nothing half-written.
    let ran = count(&["cut.fits", "absent.fits", "--out", "c.csv", "--json"], dir.path());
    assert_eq!((ran.code, ran.report()["status"].as_str().unwrap()), (65, "failed"));
    assert!(!csv.exists());
    assert!(report(&csv)["counts"].is_null());
    assert!(names(dir.path()).iter().all(|n| !n.contains(".part-")), "{:?}", names(dir.path()));
}

#[test]
fn bad_files_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let good = sweep(&[LRG]);
    let number_name = FitsTable::new("S")
        .column(Column::new("BRICKNAME", "J"))
        .column(Column::new("FLUX_Z", "E"))
        .raw_rows(1, &[0; 8])
        .to_bytes();
    let text_flux = damage::with_card(&good, 1, "TFORM4", "TFORM4  = '4A'");
    let vector = FitsTable::new("S")
        .column(Column::new("BRICKNAME", "8A"))
        .column(Column::new("FLUX_Z", "2E"))
        .raw_rows(1, &[b'1'; 16])
        .to_bytes();
    let blank_name = sweep(&[("", 20.0, 1.0, 1.7)]);
    let image = damage::with_card(&good, 1, "XTENSION", "XTENSION= 'IMAGE'");
    let cases: BTreeMap<&str, (Vec<u8>, &str, &str)> = BTreeMap::from([
        ("text.fits", (b"not FITS at all".to_vec(), "v3", "not a FITS file")),
        ("empty.fits", (Vec::new(), "v3", "the file is empty")),
        ("primary.fits", (good[..2880].to_vec(), "v3", "there is no HDU 1")),
        ("image.fits", (image, "v3", "HDU 1, byte 2880: this HDU is an image, not a table")),
        (
            "naxis.fits",
            (damage::with_card(&good, 1, "NAXIS2", "NAXIS2  =  99999999999999"), "v3", "truncated"),
        ),
        ("textflux.fits", (text_flux, "v3", "flux_r")),
        ("vector.fits", (vector, "cut", "FLUX_Z has format 2E")),
        ("number.fits", (number_name, "cut", "BRICKNAME has format J, which is not text")),
        ("noname.fits", (blank_name, "v3", "row 0: '' is not a brick name")),
    ]);
    for (name, (bytes, how, says)) in &cases {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        let cut = if *how == "cut" { &["--cut", "!(flux_z > 1e30)"][..] } else { &[] };
        let ran = count(&[&[*name, "--out", "c.csv"], cut].concat(), dir.path());
        assert_eq!(ran.code, 65, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(says) && ran.stderr.contains(name), "{name}: {}", ran.stderr);
        assert!(!dir.path().join("c.csv").exists(), "{name}");
    }
}

#[test]
fn older_releases_give_a_missing_column_never_a_count() {
    let Some(sweeps) = coaddkit_testkit::shared("data/sweeps") else { return };
    let dir = tempfile::tempdir().unwrap();
    for (file, code, missing) in [
        ("dr2_2016-05-19_sweep-320m005-330p000.fits", 65, "no column flux_z"),
        ("dr2_2016-05-19_tractor-3301m002.fits", 65, "no column flux_z"),
        ("dr3_2017-02-27_sweep-190m005-200p000.fits", 65, "no column flux_z"),
        ("dr7_2018-10-17_targets.fits", 65, "no column brickname"),
        ("dr4_2017-10-31_sweep-190m005-200p000.fits", 0, ""),
        ("dr8_sweep-330m005-340p000.fits", 0, ""),
        ("dr9north_tractor-1054p567.fits", 0, ""),
    ] {
        let path = sweeps.join(file);
        let ran = count(&[path.to_str().unwrap(), "--out", "c.csv"], dir.path());
        assert_eq!(ran.code, code, "{file}: {}", ran.stderr);
        assert!(ran.stderr.contains(missing), "{file}: {}", ran.stderr);
        if code != 0 {
            assert!(
                ran.stderr.contains(file)
                    && ran.stderr.contains("HDU 1")
                    && ran.stderr.to_lowercase().contains(" ra, "),
                "{}",
                ran.stderr
            );
        }
    }
}

#[test]
fn wrong_command_lines() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.fits"), sweep(&[LRG])).unwrap();
    std::os::unix::fs::symlink("a.fits", dir.path().join("same.fits")).unwrap();
    std::fs::write(dir.path().join("empty.txt"), "# nothing\n\n  \n").unwrap();
    std::fs::write(dir.path().join("twice.txt"), "a.fits\na.fits\n").unwrap();
    std::fs::write(dir.path().join("remote.txt"), "a.fits\nftp://example.org/sweep.fits\n").unwrap();
    for (args, code, says) in [
        (&["--out", "c.csv"][..], 2, "no sweep files"),
        (&["a.fits"], 2, "--out"),
        (&["a.fits", "a.fits", "--out", "c.csv"], 2, "a.fits is given twice"),
        (&["a.fits", "./a.fits", "--out", "c.csv"], 2, "given twice"),
        (&["a.fits", "same.fits", "--out", "c.csv"], 2, "given twice"),
        (&["--list", "empty.txt", "--out", "c.csv"], 2, "names no files"),
        (&["--list", "absent.txt", "--out", "c.csv"], 66, "absent.txt"),
        (&["--list", "twice.txt", "--out", "c.csv"], 2, "given twice"),
        (&["--list", "remote.txt", "--out", "c.csv"], 2, "ftp://example.org/sweep.fits"),
        (&["gs://bucket/sweep.fits", "--out", "c.csv"], 2, "gs://bucket/sweep.fits"),
        (&["a.fits", "--list", "twice.txt", "--out", "c.csv"], 2, "--list"),
        (&["a.fits", "--variant", "v6", "--out", "c.csv"], 2, "v6"),
        (&["a.fits", "--variant", "v3", "--cut", "flux_z > 1", "--out", "c.csv"], 2, "--cut"),
        (&["a.fits", "--deredden", "--cut", "flux_z > 1", "--out", "c.csv"], 2, "--cut"),
        (&["a.fits", "--cut", "flux_z >", "--out", "c.csv"], 2, "^"),
        (&["a.fits", "--cut", "magn(flux_z) < 3", "--out", "c.csv"], 2, "magn"),
        (&["a.fits", "--dec-min", "5", "--dec-max", "-5", "--out", "c.csv"], 2, "dec"),
        (&["a.fits", "--dec-min", "-95", "--out", "c.csv"], 2, "-95"),
        (&["a.fits", "--ra-min", "nan", "--out", "c.csv"], 2, "ra_min"),
        (&["a.fits", "--out", "no/such/folder/c.csv"], 2, "no/such/folder"),
        (&["a.fits", "--out", "/dev/null"], 2, "/dev/null"),
        (&["a.fits", "--out", "."], 2, "no ordinary file"),
        (&["a.fits", "--threads", "100000", "--out", "c.csv"], 2, "--threads"),
    ] {
        let ran = count(args, dir.path());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert!(!dir.path().join("c.csv").exists());
    }
}

#[test]
fn survey_files_are_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let data = sweep(&[LRG]);
    std::fs::write(dir.path().join("a.fits"), &data).unwrap();
    std::fs::write(dir.path().join("b.fits"), &data).unwrap();
    std::fs::write(dir.path().join("c.report.json"), gzip(&data)).unwrap();
    std::fs::write(dir.path().join("list.txt"), "a.fits\n").unwrap();
    for (args, says) in [
        (&["a.fits", "--out", "a.fits"][..], "would overwrite a.fits"),
        // A forgotten name: the shell made a sweep the output.
        (&["a.fits", "--out", "b.fits"], "b.fits is a FITS or gzip file"),
        (&["a.fits", "--out", "c.csv"], "c.report.json is a FITS or gzip file"),
        (&["--list", "list.txt", "--out", "list.txt"], "would overwrite list.txt"),
        (&["a.fits", "--out", "report.json", "--report", "."], "would overwrite report.json"),
        (&["a.fits", "--out", "new/"], "is a folder"),
    ] {
        let ran = count(args, dir.path());
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read(dir.path().join("a.fits")).unwrap(), data);
    // The last but one asked for a report of the run, and got that.
    assert_eq!(names(dir.path()), ["a.fits", "b.fits", "c.report.json", "list.txt", "report.json"]);
}

#[test]
fn a_full_disk_behind_stdout_is_no_success() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.fits"), sweep(&[LRG])).unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lrg-density"));
    command.args(["count", "a.fits", "--out", "c.csv", "--json"]).current_dir(dir.path()).stdout(full);
    assert_eq!(command.status().unwrap().code(), Some(75));
}

#[test]
fn lists_skip_comments_and_stop_at_max_sweeps() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("sub");
    std::fs::create_dir(&folder).unwrap();
    for (name, n) in [("a.fits", 1), ("b.fits", 2), ("c.fits", 4)] {
        std::fs::write(folder.join(name), sweep(&vec![LRG; n])).unwrap();
    }
    // Relative to the list, with Windows line ends.
    std::fs::write(folder.join("list.txt"), "\u{feff}# all\r\n\r\n a.fits \r\nb.fits\r\n# c\r\nc.fits\r\n")
        .unwrap();
    for (max, selected) in [("0", 7), ("1", 1), ("2", 3), ("9", 7)] {
        let ran = count(&["--list", "sub/list.txt", "--max-sweeps", max, "--out", "c.csv"], dir.path());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(report(&dir.path().join("c.csv"))["selected"], selected);
    }
}

#[test]
fn zero_rows_and_odd_fluxes_are_valid() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("none.fits"), sweep(&[])).unwrap();
    let odd = FitsTable::new("S")
        .column(Column::new("BRICKNAME", "8A"))
        .column(Column::new("FLUX_Z", "E"))
        .rows(6, |row, cells| {
            cells.put("0001m002").put([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 0.0, 1e4][row]);
        });
    odd.write(&dir.path().join("odd.fits")).unwrap();
    let ran = count(&["none.fits", "--out", "c.csv"], dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(dir.path().join("c.csv")).unwrap(), "brickname,lrg_count\n");
    // An infinite flux is infinitely bright; the others have no magnitude.
    let ran = count(&["odd.fits", "--cut", "mag(flux_z) < 20", "--out", "c.csv"], dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        std::fs::read_to_string(dir.path().join("c.csv")).unwrap(),
        "brickname,lrg_count\n0001m002,2\n"
    );
}

#[test]
fn threads_and_order_of_files_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let list = std::fs::read_to_string(fixture("sweeps.txt")).unwrap();
    let mut files: Vec<_> =
        list.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).map(fixture).collect();
    let mut first = None;
    for threads in ["1", "2", "5"] {
        files.rotate_left(1);
        let mut args: Vec<_> = files.iter().map(|f| f.to_str().unwrap()).collect();
        args.extend(["--threads", threads, "--out", "c.csv", "--quiet"]);
        assert_eq!(count(&args, dir.path()).code, 0);
        let bytes = std::fs::read(dir.path().join("c.csv")).unwrap();
        assert_eq!(first.get_or_insert(bytes.clone()), &bytes);
    }
    let counts = Csv::read(&dir.path().join("c.csv")).unwrap();
    assert_eq!(counts.header, ["brickname", "lrg_count"]);
    assert!(counts.rows.len() > 50 && counts.rows.is_sorted());
}

#[test]
fn an_unwritable_folder_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.fits"), sweep(&[LRG])).unwrap();
    let ran = count(&["a.fits", "--out", "/proc/c.csv"], dir.path());
    assert_eq!(ran.code, 75, "{}", ran.stderr);
    assert!(ran.stderr.contains("/proc/c.csv"), "{}", ran.stderr);
}
