//! What is not whole has an outcome of its own, and leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};

use coaddkit_spectra::{Error, ErrorKind, PixelId, Product, Selected, Spectra, inspect};
use coaddkit_testkit::{Column, DesiPixel, FitsTable, Rng, damage, image_extension, shared};

struct Pair {
    dir: tempfile::TempDir,
    coadd: PathBuf,
    redrock: PathBuf,
}

fn pair(pixel: &DesiPixel) -> Pair {
    let dir = tempfile::tempdir().unwrap();
    let [coadd, redrock] = ["coadd.fits", "redrock.fits"].map(|name| dir.path().join(name));
    pixel.write(&coadd, &redrock).unwrap();
    Pair { dir, coadd, redrock }
}

impl Pair {
    fn open(&self) -> Result<Selected, Error> {
        Spectra::new().open(&self.coadd, &self.redrock)
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }
}

fn id() -> PixelId {
    PixelId::new("sv3", "bright", 77).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path.file_name().unwrap().to_str().unwrap().to_owned()),
        }
    }
    found
}

#[test]
fn a_missing_camera_is_bad_data_that_names_it() {
    for arm in ["B", "R", "Z"] {
        for what in ["WAVELENGTH", "FLUX", "IVAR", "MASK"] {
            let hdu = format!("{arm}_{what}");
            let error = pair(&DesiPixel::new(1, 3).quasars(1.0).without(&hdu)).open().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadData, "{error}");
            assert!(error.to_string().contains(&hdu) && error.place().ends_with("coadd.fits"), "{error}");
        }
    }
}

#[test]
fn half_a_pair_is_a_missing_input() {
    let pixel = pair(&DesiPixel::new(1, 3));
    fs::rename(&pixel.redrock, pixel.dir.path().join("elsewhere")).unwrap();
    let error = pixel.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingInput, "{error}");
    assert!(error.place().ends_with("redrock.fits"));
    fs::rename(pixel.dir.path().join("elsewhere"), &pixel.redrock).unwrap();
    fs::remove_file(&pixel.coadd).unwrap();
    let error = pixel.open().unwrap_err();
    assert_eq!((error.kind(), error.place().ends_with("coadd.fits")), (ErrorKind::MissingInput, true));
}

#[test]
fn a_target_without_fiber_is_told_and_the_others_are_written() {
    let whole = pair(&DesiPixel::new(2, 12).quasars(1.0)).open().unwrap();
    assert!(whole.without_spectrum().is_empty());
    let lacking = pair(&DesiPixel::new(2, 12).quasars(1.0).unknown(1).unknown(4));
    let selected = lacking.open().unwrap();
    assert_eq!(selected.without_spectrum(), [DesiPixel::target_id(1), DesiPixel::target_id(4)]);
    assert_eq!(selected.rows(), whole.rows() - 2);
    assert!(
        matches!(selected.write(&lacking.out(), &id()), Ok(Product::Table { rows, .. }) if rows == selected.rows())
    );
}

#[test]
fn nothing_selected_leaves_a_marker() {
    let pixel = pair(&DesiPixel::new(3, 9).quasars(0.0));
    let selected = pixel.open().unwrap();
    assert_eq!(selected.rows(), 0);
    let product = selected.write(&pixel.out(), &id()).unwrap();
    assert_eq!(product, Product::NoRows { path: "sv3/bright/tile_00077/_SUCCESS_NO_QSO".to_owned() });
    let marker = pixel.out().join("sv3/bright/tile_00077/_SUCCESS_NO_QSO");
    assert_eq!(marker.metadata().unwrap().len(), 0);
    assert_eq!(files(&pixel.out()), ["_SUCCESS_NO_QSO"]);
    let flow = selected.flow().clauses();
    assert_eq!((flow[0].given, flow[0].kept), (9, 0));
}

#[test]
fn no_target_at_all_is_nothing_selected() {
    let selected = pair(&DesiPixel::new(3, 0)).open().unwrap();
    assert_eq!((selected.rows(), selected.batches().count()), (0, 0));
}

#[test]
fn a_cut_file_is_bad_data_and_leaves_nothing() {
    let pixel = pair(&DesiPixel::new(4, 6).quasars(1.0));
    let whole = fs::read(&pixel.coadd).unwrap();
    for share in [0.02, 0.3, 0.6, 0.95, 0.99] {
        fs::write(&pixel.coadd, &whole[..(whole.len() as f64 * share) as usize]).unwrap();
        let written = pixel.open().and_then(|selected| selected.write(&pixel.out(), &id()));
        let error = written.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadData, "{share}: {error}");
        assert!(files(&pixel.out()).is_empty(), "{share}: {:?}", files(&pixel.out()));
    }
    // Nor is it a pixel without quasars.
    let none = pair(&DesiPixel::new(4, 6).quasars(0.0));
    fs::write(&none.coadd, &whole[..whole.len() * 97 / 100]).unwrap();
    assert_eq!(none.open().unwrap_err().kind(), ErrorKind::BadData);

    let redrock = fs::read(&pixel.redrock).unwrap();
    fs::write(&pixel.coadd, whole).unwrap();
    for share in [0.0, 0.4, 0.7] {
        fs::write(&pixel.redrock, &redrock[..(redrock.len() as f64 * share) as usize]).unwrap();
        let error = pixel.open().unwrap_err();
        assert_eq!(
            (error.kind(), error.place().ends_with("redrock.fits")),
            (ErrorKind::BadData, true),
            "{error}"
        );
    }
}

#[test]
fn shapes_that_do_not_fit_are_bad_data() {
    let pixel = pair(&DesiPixel::new(5, 4).quasars(1.0).without("R_IVAR"));
    let mut coadd = fs::read(&pixel.coadd).unwrap();
    // One target too few.
    coadd.extend(image_extension("R_IVAR", -32, &[2326, 3], &[0; 4 * 2326 * 3]));
    fs::write(&pixel.coadd, coadd).unwrap();
    let error = pixel.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadData);
    assert!(error.what().contains("R_IVAR is [3, 2326] and should be [4, 2326]"), "{error}");
}

#[test]
fn a_doubled_target_is_bad_data() {
    let pixel = pair(&DesiPixel::new(6, 2).quasars(1.0));
    let fibermap = FitsTable::new("FIBERMAP")
        .column(Column::new("TARGETID", "K"))
        .column(Column::new("TARGET_RA", "D"))
        .column(Column::new("TARGET_DEC", "D"))
        .rows(3, |_, cells| {
            cells.put(DesiPixel::target_id(0)).put(1.0).put(2.0);
        });
    fibermap.write(&pixel.coadd).unwrap();
    let error = pixel.open().unwrap_err();
    assert!(error.what().contains("is in rows 0 and 1"), "{error}");
}

#[test]
fn a_cut_that_cannot_be_applied_is_the_callers_fault() {
    let pixel = pair(&DesiPixel::new(7, 3));
    let open = |cut: &str| {
        let spectra = Spectra::new().cut(cut.parse().unwrap());
        spectra.open(&pixel.coadd, &pixel.redrock).map(drop).unwrap_err()
    };
    for cut in ["COEFF > 3", "SPECTYPE > 3", "Z == 'QSO'"] {
        let error = open(cut);
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
    let error = open("SPECTYP == 'QSO'");
    assert!(error.to_string().contains("spectyp"), "{error}");
}

#[test]
fn a_coadd_without_coordinates_is_bad_data() {
    let (Some(coadd), Some(redrock)) =
        (shared("data/desi/coadd-sv3-dark-9144.fits"), shared("data/desi/redrock-test.fits"))
    else {
        return;
    };
    let error = Spectra::new().open(&coadd, &redrock).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadData);
    assert!(error.to_string().contains("TARGET_RA"), "{error}");
    // A file of another kind.
    let zbest = shared("data/desi/zbest-16-1.fits").unwrap();
    let error = Spectra::new().open(&coadd, &zbest).unwrap_err();
    assert!(error.kind() == ErrorKind::BadData && error.to_string().contains("REDSHIFTS"), "{error}");
}

#[test]
fn names_stay_names_of_folders() {
    for (survey, program) in [("..", "dark"), ("main", "../dark"), ("", "dark"), ("main", "a/b"), ("/", "x")]
    {
        assert_eq!(PixelId::new(survey, program, 1).unwrap_err().kind(), ErrorKind::Usage);
    }
    let id = PixelId::new("main", "dark", 7).unwrap();
    assert_eq!(
        (id.to_string(), id.folder()),
        ("main/dark/00007".to_owned(), "main/dark/tile_00007".to_owned())
    );
}

/// A whole table, and then each way to be none: an error or another finding, never a panic.
#[test]
fn tables_that_are_damaged_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let [coadd, redrock] = ["coadd.fits", "redrock.fits"].map(|name| dir.path().join(name));
    DesiPixel::new(8, 6).quasars(1.0).write(&coadd, &redrock).unwrap();
    let selected = Spectra::new().open(&coadd, &redrock).unwrap();
    let id = PixelId::new("main", "dark", 1).unwrap();
    selected.write(dir.path(), &id).unwrap();
    let path = dir.path().join(id.table(selected.rows()));
    let whole = inspect(&path).unwrap();
    assert_eq!(
        (whole.rows, whole.z.len(), whole.targets.len()),
        (selected.rows() as u64, selected.rows(), selected.rows())
    );
    assert_eq!((whole.points, whole.uneven), (Some((7928, 7928)), 0));
    let bytes = fs::read(&path).unwrap();
    let other = dir.path().join("other.parquet");
    for length in [0, 3, 8, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&other, &bytes[..length]).unwrap();
        assert_eq!(inspect(&other).unwrap_err().kind(), ErrorKind::BadData, "{length} bytes");
    }
    let mut rng = Rng::new(3);
    for k in 0..200 {
        // Half of them where the metadata are.
        let from = if k % 2 == 0 { 0 } else { bytes.len() - 4000 };
        let at = from + rng.below((bytes.len() - from) as u32) as usize;
        fs::write(&other, damage::flipped(&bytes, at)).unwrap();
        let _ = inspect(&other);
    }
    assert_eq!(inspect(&dir.path().join("none")).unwrap_err().kind(), ErrorKind::MissingInput);
}
