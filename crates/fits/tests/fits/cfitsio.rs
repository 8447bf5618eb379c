//! Both backends on the same files: every image, every column, to the bit.

mod dither;
mod images;
mod tables;
mod written;

use coaddkit_fits::{ErrorClass, ErrorKind, Fits, cfitsio};
use coaddkit_testkit::{Column, FitsTable, shared};
use std::path::PathBuf;

/// The real files and the conformance set.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Some(oracle) = shared("data/oracle.json") {
        let text = std::fs::read(&oracle).unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let names = listed.as_array().unwrap().iter().map(|file| file["file"].as_str().unwrap());
        // Header cards as text are no files of FITS.
        files.extend(names.filter(|name| !name.ends_with(".hdr")).map(|name| oracle.with_file_name(name)));
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance");
    for part in ["files", "tables"] {
        files.extend(std::fs::read_dir(folder.join(part)).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.sort();
    files
}

/// The end of a path that tells files apart.
fn name(path: &std::path::Path) -> String {
    let folder = path.parent().and_then(|p| p.file_name()).unwrap_or_default().to_string_lossy();
    format!("{folder}/{}", path.file_name().unwrap().to_string_lossy())
}

#[test]
fn errors_say_what_and_where() {
    let dir = tempfile::tempdir().unwrap();
    let missing = cfitsio::Fits::open(dir.path().join("none.fits")).unwrap_err();
    assert_eq!(missing.class(), ErrorClass::Reader, "{missing}");
    assert!(missing.to_string().contains("none.fits: CFITSIO status 104: could not open"), "{missing}");
    // Brackets are a part of the name, not a choice of HDU.
    let path = dir.path().join("t[1].fits");
    let bytes = FitsTable::new("T")
        .column(Column::new("A", "J"))
        .column(Column::new("B", "1PE"))
        .rows(2000, |row, cells| _ = cells.put(row as i32).put(&[1.0_f32][..]))
        .to_bytes();
    std::fs::write(&path, &bytes).unwrap();
    let fits = cfitsio::Fits::open(&path).unwrap();
    assert_eq!(fits.count().unwrap(), 2);
    let past = fits.hdu(2).unwrap_err();
    assert!(matches!(past.kind(), ErrorKind::Cfitsio { .. }) && past.location().hdu == Some(2), "{past}");
    let error = fits.hdu(1).unwrap().image().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WrongHdu { .. }), "{error}");
    let error = fits.hdu(0).unwrap().table().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WrongHdu { .. }), "{error}");
    let table = fits.hdu(1).unwrap().table().unwrap();
    assert_eq!((table.rows(), table.columns().len()), (2000, 2));
    assert!(matches!(table.column::<i32>("C").unwrap_err().kind(), ErrorKind::MissingColumn { .. }));
    assert!(matches!(table.column::<i16>("a").unwrap_err().kind(), ErrorKind::ColumnType { .. }));
    assert!(matches!(table.column::<f32>("b").unwrap_err().kind(), ErrorKind::ColumnType { .. }));
    assert_eq!(table.column::<i32>("a").unwrap(), (0..2000).collect::<Vec<_>>());
    assert_eq!(table.column::<Vec<f32>>("b").unwrap(), vec![vec![1.0]; 2000]);
    // What is cut off is an error, never zeros.
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let cut =
        cfitsio::Fits::open(&path).and_then(|fits| fits.hdu(1)?.table()?.column::<i32>("a")).unwrap_err();
    assert!(matches!(cut.class(), ErrorClass::Data), "{cut}");
    std::fs::write(&path, "not FITS").unwrap();
    let bad = cfitsio::Fits::open(&path).unwrap_err();
    assert!(matches!(bad.kind(), ErrorKind::Cfitsio { .. }), "{bad}");
}

/// One handle and several of one file, from several threads.
#[test]
fn threads_share_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.fits");
    let rows = |row: usize, cells: &mut coaddkit_testkit::Cells<'_>| _ = cells.put(row as i32 * 3);
    FitsTable::new("T").column(Column::new("A", "J")).rows(50_000, rows).write(&path).unwrap();
    let wanted: Vec<i32> = Fits::open(&path).unwrap().hdu(1).unwrap().table().unwrap().column("A").unwrap();
    let one = cfitsio::Fits::open(&path).unwrap();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (one, path, wanted) = (one.clone(), &path, &wanted);
            scope.spawn(move || {
                for _ in 0..10 {
                    let fits = if n % 2 == 0 { one.clone() } else { cfitsio::Fits::open(path).unwrap() };
                    assert_eq!(&fits.hdu(1).unwrap().table().unwrap().column::<i32>("A").unwrap(), wanted);
                }
            });
        }
    });
}
