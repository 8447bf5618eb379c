//! The bytes of [`FitsTable`], against what the standard says.

use std::process::Command;

use coaddkit_testkit::{Column, FitsTable, damage, image_extension};

/// One column of every kind.
fn every_kind() -> FitsTable {
    FitsTable::new("KINDS")
        .primary_card("ORIGIN  = 'test    '")
        .column(Column::new("L", "L"))
        .column(Column::new("X", "11X"))
        .column(Column::new("B", "B").zero(-128.0))
        .column(Column::new("I", "I").null(-99).zero(32768.0))
        .column(Column::new("J", "2J").scale(0.5).dim("(1,2)"))
        .column(Column::new("K", "K").zero(2_f64.powi(63)))
        .column(Column::new("A", "5A").disp("A5"))
        .column(Column::new("E", "E").unit("mag"))
        .column(Column::new("D", "3D"))
        .column(Column::new("C", "C"))
        .column(Column::new("M", "M"))
        .column(Column::new("NOTHING", "0E"))
        .column(Column::new("PI", "1PI(3)"))
        .column(Column::new("QD", "1QD(2)"))
        .column(Column::new("PA", "PA(4)"))
        .column(Column::unnamed("PL(2)"))
        .text_card("OBSERVER", "O'Hara")
        .card("ANSWER", 42)
        .raw_card("COMMENT every kind of column")
        .rows(2, |row, cells| {
            let n = row as i16;
            cells.put(row == 0).bytes(&[0xAB, 0xC0]).put(7_u8).put(n - 1).put([n as i32; 2]);
            cells.put(-1_i64).put("ab").put(1.5_f32).put([0.5, 1.5, 2.5]).put([1.0_f32, -1.0]);
            cells.put([2.0, -2.0]).put(&[][..] as &[f32]).put(&[1_i16, 2, 3][..2 + row]);
            cells.put(&[9.0][..row]).put("text").put(&[true, false][..]);
        })
}

#[test]
fn header_rows_and_heap_stand_where_they_should() {
    let bytes = every_kind().heap_gap(5).to_bytes();
    let text = |at: usize| String::from_utf8_lossy(&bytes[at..at + 80]).trim_end().to_owned();
    assert_eq!(text(0), "SIMPLE  =                    T / conforms to FITS standard");
    assert_eq!(text(4 * 80), "ORIGIN  = 'test    '");
    let card = |keyword: &str| text(damage::card_offset(&bytes, 1, keyword));
    assert_eq!(text(2880), "XTENSION= 'BINTABLE'           / binary table extension");
    // 1 + 2 + 1 + 2 + 8 + 8 + 5 + 4 + 24 + 8 + 16 + 0 + 8 + 16 + 8 + 8
    assert_eq!(card("NAXIS1"), "NAXIS1  =                  119 / bytes in a row");
    assert_eq!(card("TFIELDS"), "TFIELDS =                   16");
    assert_eq!(card("TZERO6"), "TZERO6  =  9223372036854775808");
    assert_eq!(card("TSCAL5"), "TSCAL5  =                  0.5");
    assert_eq!(card("TNULL4"), "TNULL4  =                  -99");
    assert_eq!(card("TDIM5"), "TDIM5   = '(1,2)   '");
    assert_eq!(card("OBSERVER"), "OBSERVER= 'O''Hara '");
    assert_eq!(card("THEAP"), "THEAP   =                  243", "two rows and the gap");
    // Heap: (2 + 3) * 2 + (0 + 1) * 8 + (4 + 4) + (2 + 2), after a gap of 5.
    assert_eq!(card("PCOUNT"), "PCOUNT  =                   35");

    let data = damage::data_offset(&bytes, 1);
    assert_eq!(bytes.len(), data + 2880);
    let row = &bytes[data + 119..data + 238];
    assert_eq!(row[..14], [b'F', 0xAB, 0xC0, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(row[22..31], *b"ab   \x3f\xc0\x00\x00");
    // Descriptors: elements, then bytes from the start of the heap. The first row left 4 + 0 + 4 + 2 bytes there.
    assert_eq!(row[79..87], [0, 0, 0, 3, 0, 0, 0, 10]);
    assert_eq!(row[87..103], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 16]);
    assert_eq!(bytes[data + 238..data + 243], [0; 5]);
    assert_eq!(bytes[data + 243..data + 253], *b"\x00\x01\x00\x02textTF");
}

#[test]
fn streaming_writes_the_same_file() {
    let table = || FitsTable::new("S").column(Column::new("A", "3A")).column(Column::new("D", "D"));
    let fill = |row: usize, cells: &mut coaddkit_testkit::Cells<'_>| {
        cells.put("abc").put(row as f64);
    };
    let mut streamed = Vec::new();
    table().stream(50_000, &mut streamed, fill).unwrap();
    assert!(streamed == table().rows(50_000, fill).to_bytes());
}

#[test]
#[should_panic(expected = "one value for TFORM J")]
fn a_value_of_another_type_is_refused() {
    let _ = FitsTable::new("").column(Column::new("A", "J")).rows(1, |_, cells| {
        cells.put(1_i16);
    });
}

#[test]
#[should_panic(expected = "cells put in row 0")]
fn a_row_that_is_too_short_is_refused() {
    let columns = FitsTable::new("").column(Column::new("A", "J")).column(Column::new("B", "J"));
    let _ = columns.rows(1, |_, cells| {
        cells.put(1_i32);
    });
}

#[test]
fn fitsverify_finds_no_error() {
    if Command::new("fitsverify").arg("-h").output().is_err() {
        assert!(!coaddkit_testkit::require_all(), "fitsverify is not installed");
        eprintln!("SKIPPED: fitsverify is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let verify = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Command::new("fitsverify").arg("-e").arg(&path).output().unwrap().status.success()
    };
    let image = image_extension("IMAGE", -32, &[3, 2], &[0; 24]);
    let whole = every_kind().then(&image).to_bytes();
    assert!(verify("kinds.fits", &whole));
    assert!(verify("gap.fits", &every_kind().heap_gap(5).to_bytes()));
    assert!(verify("empty.fits", &FitsTable::new("E").column(Column::new("A", "J")).to_bytes()));
    // And it looks: damage does not pass.
    assert!(!verify("damaged.fits", &damage::with_card(&whole, 1, "TFORM4", "TFORM4  = 'J       '")));
}
