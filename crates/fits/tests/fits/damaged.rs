//! Damage: every case an error that says where, never a panic and never a partial answer.

use coaddkit_fits::{Error, ErrorClass, ErrorKind, Fits, Limits, Values};
use coaddkit_testkit::{Column, FitsTable, damage};

fn table() -> Vec<u8> {
    FitsTable::new("SWEEP")
        .column(Column::new("BRICKNAME", "8A"))
        .column(Column::new("FLUX_R", "E").unit("nanomaggy"))
        .rows(1000, |row, cells| {
            cells.put("0001m002").put(row as f32);
        })
        .to_bytes()
}

/// Opens, finds the table and sums the fluxes.
fn sum(bytes: Vec<u8>) -> Result<f64, Error> {
    let table = Fits::from_source(bytes)?.hdu(1)?.table()?;
    table.scan().chunk_bytes(1200).column("flux_r")?.fold(
        || 0.0,
        |sum, chunk| {
            if let Values::F32(v) = chunk.values(0) {
                *sum += v.iter().map(|&v| f64::from(v)).sum::<f64>();
            }
            Ok::<_, Error>(())
        },
        |a, b| a + b,
    )
}

#[test]
fn whole_file_sums() {
    assert_eq!(sum(table()).unwrap(), 499_500.0);
}

#[test]
fn truncated_anywhere_is_an_error_that_says_where() {
    let whole = table();
    let data = damage::data_offset(&whole, 1);
    for cut in (0..data + 12_000).step_by(97) {
        let error = sum(damage::truncated(&whole, cut)).unwrap_err();
        assert!(matches!(error.class(), ErrorClass::Data | ErrorClass::Caller), "{cut}: {error}");
        if cut >= data {
            assert!(matches!(error.kind(), ErrorKind::Truncated { what: "data", needed: 12_000, .. }));
            assert_eq!(error.location().offset, Some(cut as u64), "{error}");
            assert_eq!(error.location().hdu, Some(1));
        }
    }
    // Only the padding is missing: all rows are there.
    assert_eq!(sum(damage::truncated(&whole, data + 12_000)).unwrap(), 499_500.0);
}

#[test]
fn impossible_keywords_are_named() {
    for (keyword, card, says) in [
        ("NAXIS", "NAXIS   =                   -2", "NAXIS is -2"),
        ("NAXIS", "NAXIS   =                 1000", "NAXIS is 1000"),
        ("NAXIS1", "NAXIS1  =                  -12", "NAXIS1 is -12"),
        ("NAXIS1", "NAXIS1  =                   13", "NAXIS1 is 13, but the columns take 12 bytes"),
        ("NAXIS1", "NAXIS1  =                   11", "TFORM2 ends at byte 12 of a row of 11"),
        ("NAXIS2", "NAXIS2  =  9223372036854775807", "data size that no file can have"),
        ("NAXIS2", "NAXIS2  =   768614336404564650", "truncated: data needs 9223372036854775800 bytes"),
        ("NAXIS2", "NAXIS2  =                 1001", "truncated: data needs 12012 bytes, 11520 are there"),
        ("NAXIS2", "NAXIS2  = 'many'", "NAXIS2 is many, must be an integer"),
        ("NAXIS2", "COMMENT gone", "NAXIS2 is missing"),
        ("PCOUNT", "PCOUNT  =  9223372036854775807", "data size that no file can have"),
        ("PCOUNT", "PCOUNT  =                   -1", "PCOUNT is -1"),
        ("GCOUNT", "GCOUNT  =                   -1", "GCOUNT is -1"),
        ("BITPIX", "BITPIX  =                   17", "BITPIX is 17"),
        ("BITPIX", "BITPIX  =                   16", "BITPIX is 16, must be 8"),
        ("TFIELDS", "TFIELDS =                 -1", "TFIELDS is -1"),
        ("TFIELDS", "TFIELDS =                1000", "TFIELDS is 1000"),
        ("TFIELDS", "TFIELDS =                    3", "TFORM3 is missing"),
        ("TFORM2", "TFORM2  = 'Z'", "TFORM2 is 'Z'"),
        ("TFORM2", "TFORM2  = '99999999999999999999E'", "TFORM2 is '99999999999999999999E'"),
        ("TFORM2", "TFORM2  = '9223372036854775807D'", "TFORM2 is"),
        ("TFORM2", "TFORM2  =                    1", "TFORM2 is 1, must be a string"),
        ("XTENSION", "XTENSION= 'IMAGE'", "this HDU is an image, not a table"),
        ("TTYPE2", "TTYPE2  = 'FLUX_G'", "no column flux_r; the columns are: BRICKNAME, FLUX_G"),
    ] {
        let mut broken = damage::with_card(&table(), 1, keyword, card);
        if says.contains("11520") {
            broken.truncate(damage::data_offset(&table(), 1) + 11_520);
        }
        let error = sum(broken).unwrap_err();
        assert!(error.to_string().contains(says), "{card}: {error}");
        assert_eq!(error.location().hdu, Some(1), "{card}: {error}");
    }
}

#[test]
fn a_header_without_end_is_cut_off() {
    let mut endless = table();
    endless.truncate(2880);
    let mut extension = b"XTENSION= 'BINTABLE'".to_vec();
    extension.resize(80, b' ');
    endless.extend(extension);
    endless.extend(std::iter::repeat_n(b' ', 1 << 20));
    let error = sum(endless.clone()).unwrap_err();
    assert!(error.to_string().contains("truncated: header (no END card)"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("endless.fits");
    std::fs::write(&path, endless).unwrap();
    let mut limits = Limits::default();
    limits.header_bytes = 100_000;
    let error = Fits::open_with(&path, limits).unwrap().hdu(1).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Limit);
    assert!(error.to_string().contains("endless.fits"), "{error}");
}

#[test]
fn a_row_over_the_limit_is_refused_before_memory_is_taken() {
    let wide = FitsTable::new("WIDE").column(Column::new("A", "100B")).raw_rows(1, &[7; 100]).to_bytes();
    let mut wide = damage::with_card(&wide, 1, "TFORM1", "TFORM1  = '999999999999B'");
    wide = damage::with_card(&wide, 1, "NAXIS1", "NAXIS1  =         999999999999");
    wide = damage::with_card(&wide, 1, "NAXIS2", "NAXIS2  =                    0");
    let table = Fits::from_source(wide).unwrap().hdu(1).unwrap().table().unwrap();
    let error = table.scan().for_each(|_| Ok::<_, Error>(())).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Limit);
}

#[test]
fn rows_without_bytes_end_at_once() {
    let empty = FitsTable::new("EMPTY").column(Column::new("NOTHING", "0A")).to_bytes();
    let empty = damage::with_card(&empty, 1, "NAXIS2", "NAXIS2  =  9223372036854775807");
    let table = Fits::from_source(empty).unwrap().hdu(1).unwrap().table().unwrap();
    table.scan().column("nothing").unwrap().for_each(|_| Ok::<_, Error>(())).unwrap();
}

#[test]
fn what_is_not_fits_is_named() {
    for (bytes, says) in [
        (&b""[..], "the file is empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"<?xml version=\"1.0\"?><Error>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"BZh91AY", "it is compressed by bzip2; uncompress it first"),
        (&[0x1f, 0x9d, 0x90, 0x53], "it is compressed by compress(1) (.Z); uncompress it first"),
        (&[0x28, 0xb5, 0x2f, 0xfd, 4], "it is compressed by zstd; uncompress it first"),
        (b"RA,DEC\n1,2\n", "it starts with \"RA,DEC\\n1,2\\n\""),
    ] {
        let error = Fits::from_source(bytes.to_vec()).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Data);
        assert!(error.to_string().contains(says), "{error}");
    }
    let error = Fits::open("no/such/file.fits").unwrap_err();
    assert_eq!(error.class(), ErrorClass::Reader);
    assert!(error.to_string().contains("no/such/file.fits"), "{error}");
    assert_eq!(Fits::open(".").unwrap_err().class(), ErrorClass::Reader);
    let error = Fits::from_source(table()).unwrap().hdu(7).unwrap_err();
    assert_eq!(error.to_string(), "there is no HDU 7; the file has 2 HDUs");
    let error = Fits::from_source(table()).unwrap().hdu(0).unwrap().table().unwrap_err();
    assert!(error.to_string().contains("an image without data"), "{error}");
}

#[test]
fn junk_after_the_last_hdu_is_ignored() {
    for junk in [&b"x"[..], &[0; 5000], b"XTENSIOX"] {
        let mut bytes = table();
        bytes.extend_from_slice(junk);
        let fits = Fits::from_source(bytes).unwrap();
        assert_eq!(fits.hdus().collect::<Result<Vec<_>, _>>().unwrap().len(), 2);
    }
}
