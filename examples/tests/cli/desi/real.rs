//! Real files: what the binary leaves, looked at by astropy and pyarrow.

use super::*;
use coaddkit_testkit::skip;
use std::process::Command;

/// Compares a table with what astropy reads from the pair. What is selected is `SPECTYPE == kind and ZWARN == 0`.
fn agrees(dir: &Path, table: &Path, kind: &str, flags: [&str; 2]) {
    let python = std::env::var_os("COADDKIT_PYTHON").unwrap_or_else(|| "python3".into());
    let usable = Command::new(&python).args(["-c", "import astropy, numpy, pyarrow"]).output();
    if !usable.is_ok_and(|out| out.status.success()) {
        return skip("a Python with astropy and pyarrow, $COADDKIT_PYTHON");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/spectra/tests/spectra/oracle.py");
    let mut command = Command::new(python);
    command.arg(script).args(["in/coadd.fits", "in/redrock.fits"]).arg(table);
    let out = command.args([kind, "3600", "9800"]).args(flags).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_real_pair_gives_what_astropy_reads() {
    let name = |kind: &str| format!("data/desi/{kind}-4-80613-thru20210324.fits");
    let (Some(coadd), Some(redrock)) = (shared(&name("coadd")), shared(&name("redrock"))) else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir(dir.join("in")).unwrap();
    fs::copy(coadd, dir.join("in/coadd.fits")).unwrap();
    fs::copy(redrock, dir.join("in/redrock.fits")).unwrap();
    let list = "survey,program,pixel,file_type,filename,s3_key\nsv1,dark,80613,coadd,coadd.fits,coadd.fits\n";
    fs::write(dir.join("inventory.csv"), list).unwrap();
    // Its one target is a galaxy.
    let cut = ["--cut", "SPECTYPE == 'GALAXY' && ZWARN == 0"];
    for (out, more, flags) in [
        ("own", &[][..], ["0", "0"]),
        ("sorted", &["--sorted-wavelength"], ["1", "0"]),
        ("compat", &["--compat"], ["0", "1"]),
    ] {
        let args = ["run", "--inventory", "inventory.csv", "--source", "in", "--out", out];
        let ran = desi(&[&args[..], &cut, more].concat(), dir);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let table = format!("{out}/sv1/dark/tile_80613/qso_data_TILE80613_1_qsos.parquet");
        agrees(dir, &dir.join(table), "GALAXY", flags);
    }
    // There is no quasar.
    let args = ["run", "--inventory", "inventory.csv", "--source", "in", "--out", "qso"];
    assert_eq!(desi(&args, dir).code, 0);
    assert_eq!(names(&dir.join("qso/sv1/dark/tile_80613")), ["_SUCCESS_NO_QSO"]);
}
