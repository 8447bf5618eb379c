//! What astropy reads and pyarrow finds, bit by bit.

use std::path::Path;
use std::process::Command;

use coaddkit_spectra::{PixelId, Product, Spectra};
use coaddkit_testkit::{DesiPixel, shared, skip};

/// The Python of the oracle.
fn python() -> Option<std::ffi::OsString> {
    let python = std::env::var_os("COADDKIT_PYTHON").unwrap_or_else(|| "python3".into());
    let usable = Command::new(&python).args(["-c", "import astropy, numpy, pyarrow"]).output();
    if usable.is_ok_and(|out| out.status.success()) {
        return Some(python);
    }
    skip("a Python with astropy and pyarrow, $COADDKIT_PYTHON");
    None
}

struct Form {
    kind: &'static str,
    bounds: (f64, f64),
    sorted: bool,
    compatible: bool,
}

const USUAL: Form = Form { kind: "QSO", bounds: (3600.0, 9800.0), sorted: false, compatible: false };

/// Writes the table and has it compared; its rows and the points of each.
fn compare(coadd: &Path, redrock: &Path, form: &Form) -> (usize, usize) {
    let dir = tempfile::tempdir().unwrap();
    let (low, high) = form.bounds;
    let cut = format!("SPECTYPE == '{}' and ZWARN == 0", form.kind).parse().unwrap();
    let spectra = Spectra::new().cut(cut).bounds(low..=high).sorted(form.sorted).compatible(form.compatible);
    let selected = spectra.open(coadd, redrock).unwrap();
    let id = PixelId::new("main", "dark", 10304).unwrap();
    let Product::Table { path, rows, bytes } = selected.write(dir.path(), &id).unwrap() else {
        panic!("nothing is selected")
    };
    assert_eq!(path, format!("main/dark/tile_10304/qso_data_TILE10304_{rows}_qsos.parquet"));
    let path = dir.path().join(path);
    assert_eq!(path.metadata().unwrap().len(), bytes);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    if let Some(python) = python() {
        let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spectra/oracle.py");
        let mut command = Command::new(python);
        command.args([&script, coadd, redrock, &path]).args([form.kind, &low.to_string(), &high.to_string()]);
        let out = command.args([flag(form.sorted), flag(form.compatible)]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let said = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        assert_eq!(said, format!("{rows} {}", selected.wavelength().len()));
    }
    (rows, selected.wavelength().len())
}

#[test]
fn a_real_pixel_gives_the_rows_that_astropy_gives() {
    let (Some(coadd), Some(redrock)) = (
        shared("data/desi/coadd-4-80613-thru20210324.fits"),
        shared("data/desi/redrock-4-80613-thru20210324.fits"),
    ) else {
        return;
    };
    // Its one target is a galaxy, whose TARGETID no f64 holds, in a column that may be null.
    for (sorted, compatible) in [(false, false), (true, false), (false, true)] {
        let form = Form { kind: "GALAXY", sorted, compatible, ..USUAL };
        assert_eq!(compare(&coadd, &redrock, &form), (1, 7927));
    }
    let all = Form { kind: "GALAXY", bounds: (0.0, 1e5), ..USUAL };
    assert_eq!(compare(&coadd, &redrock, &all), (1, 7958));
}

#[test]
fn made_pixels_give_the_rows_that_astropy_gives() {
    let dir = tempfile::tempdir().unwrap();
    let [coadd, redrock] = ["coadd.fits", "redrock.fits"].map(|name| dir.path().join(name));
    DesiPixel::new(5, 40).quasars(0.4).with_resolution().unknown(0).write(&coadd, &redrock).unwrap();
    for (kind, sorted, compatible) in
        [("QSO", false, false), ("GALAXY", true, false), ("QSO", false, true), ("GALAXY", true, true)]
    {
        let (rows, points) = compare(&coadd, &redrock, &Form { kind, sorted, compatible, ..USUAL });
        assert!(rows > 5 && points > 7900, "{rows} rows of {points} points");
    }
    // Bounds that leave arms out, cut into them, or fall on a point.
    for (bounds, sorted) in [
        ((4000.0, 5000.0), false),
        ((5790.4, 7530.0), false),
        ((5790.4, 7530.0), true),
        ((9824.0, 9824.0), true),
        ((3600.0, 3600.8), false),
    ] {
        compare(&coadd, &redrock, &Form { bounds, sorted, ..USUAL });
    }
}

#[test]
fn many_rows_are_several_batches() {
    let dir = tempfile::tempdir().unwrap();
    let [coadd, redrock] = ["coadd.fits", "redrock.fits"].map(|name| dir.path().join(name));
    DesiPixel::new(6, 300).quasars(1.0).write(&coadd, &redrock).unwrap();
    let (rows, _) = compare(&coadd, &redrock, &USUAL);
    let selected = Spectra::new().open(&coadd, &redrock).unwrap();
    let sizes: Vec<usize> = selected.batches().map(|batch| batch.unwrap().num_rows()).collect();
    assert!(sizes.len() > 2 && sizes.iter().all(|&n| n <= 128), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), rows);
}
