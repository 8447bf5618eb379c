//! Lists of bricks: what people have at hand.

use coaddkit_cache::{BrickList, BrickListError, Conditions};
use coaddkit_testkit::{BrickQuality, Column, FitsTable, SkyBox, bricks_table, gzip};

fn read(name: &str, bytes: &[u8]) -> Result<BrickList, BrickListError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    BrickList::read(&path)
}

fn names(list: &BrickList) -> Vec<String> {
    list.bricks().iter().map(ToString::to_string).collect()
}

fn why(name: &str, bytes: &[u8]) -> String {
    read(name, bytes).unwrap_err().to_string()
}

#[test]
fn texts_and_tables() {
    let list = read("list.txt", b"# asked for\n0001m002\n\n  3598p000\n0001m002\n").unwrap();
    assert_eq!((names(&list), list.repeated()), (vec!["0001m002".into(), "3598p000".into()], 1));
    assert_eq!(list.conditions(0), None);
    let csv = "\u{feff}id,BRICKNAME,psfsize_r,ebv,psfdepth_r\n7,3598p000,1.3,0.02,24.1\n8,0001m002,,0.5,23\n";
    let list = read("table.csv", csv.as_bytes()).unwrap();
    assert_eq!(names(&list), ["3598p000", "0001m002"]);
    assert_eq!(list.conditions(0), Some(Conditions { psfdepth_r: 24.1, psfsize_r: 1.3, ebv: 0.02 }));
    assert!(list.conditions(1).unwrap().psfsize_r.is_nan());
}

#[test]
fn tables_of_the_survey() {
    let area = SkyBox { ra_min_deg: 0.0, ra_max_deg: 0.6, dec_min_deg: -0.3, dec_max_deg: 0.3 };
    let table = bricks_table(&[area], |brick| BrickQuality::of(brick, 5)).to_bytes();
    for (name, bytes) in [("b.fits", table.clone()), ("b.fits.gz", gzip(&table))] {
        let list = read(name, &bytes).unwrap();
        assert!(list.bricks().len() >= 4, "{}", list.bricks().len());
        assert!(names(&list).contains(&"0001m002".to_owned()));
        let known = list.conditions(0).unwrap();
        assert!(
            (20.0..28.0).contains(&known.psfdepth_r) && (0.5..3.0).contains(&known.psfsize_r),
            "{known:?}"
        );
        assert!((0.0..2.0).contains(&known.ebv), "{known:?}");
    }
}

/// The real table of bricks of DR6, DR9's list of patched bricks.
#[test]
fn real_tables() {
    for (file, bricks) in [("survey-bricks-dr6.fits.gz", 1), ("dr9-south-patched-bricks.fits", 1691)] {
        let Some(path) = coaddkit_testkit::shared(&format!("data/bricks/{file}")) else { return };
        let list = BrickList::read(&path).unwrap();
        assert_eq!(list.bricks().len() as u64 + list.repeated(), bricks, "{file}");
    }
}

#[test]
fn what_is_no_list_says_where() {
    assert!(why("a.csv", b"brickname\n0001m002\nnowhere\n").contains("a.csv: line 3"));
    assert!(why("a.csv", b"name,ra\nx,1\n").contains("line 1"));
    assert!(why("a.csv", b"brickname,psfdepth_r,psfsize_r,ebv\n0001m002,deep,1,1\n").contains("\"deep\""));
    assert!(why("a.txt", b"").contains("there is no brick in it"));
    assert!(why("a.txt", b"0001m002\n\xff\xfe\n").contains("byte 9"));
    assert!(why("a.fits", b"<html>").contains("a.fits"));
    let table = FitsTable::new("T").column(Column::new("NAME", "8A")).rows(1, |_, cells| {
        cells.bytes(b"0001m002");
    });
    assert!(why("b.fits", &table.to_bytes()).to_lowercase().contains("brickname"));
    let missing = BrickList::read("/nonexistent/list.txt".as_ref()).unwrap_err();
    assert!(matches!(missing, BrickListError::Read { .. }), "{missing}");
    assert!(missing.to_string().contains("/nonexistent/list.txt"));
}
