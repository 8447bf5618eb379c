//! What a scan hands out, type by type, against the values that were written.

use coaddkit_fits::{Error, Fits, ReadAt, Scan, Values};
use coaddkit_testkit::{Column, FitsTable};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn scan(table: FitsTable) -> Scan {
    Fits::from_source(table.to_bytes()).unwrap().hdu(1).unwrap().table().unwrap().scan()
}

fn each(scan: &Scan, mut check: impl FnMut(usize, Values<'_>)) {
    let mut columns = 0;
    scan.for_each(|chunk| {
        columns = 0;
        while columns < 16 {
            check(columns, chunk.values(columns));
            columns += 1;
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    assert_eq!(columns, 16);
}

#[test]
fn every_type_and_convention() {
    let table = FitsTable::new("T")
        .column(Column::new("B", "B"))
        .column(Column::new("SB", "B").zero(-128.0))
        .column(Column::new("I", "I"))
        .column(Column::new("UI", "I").zero(32_768.0))
        .column(Column::new("J", "J"))
        .column(Column::new("UJ", "J").zero(2_147_483_648.0))
        .column(Column::new("K", "K"))
        .column(Column::new("UK", "K").zero((1_u64 << 63) as f64))
        .column(Column::new("E", "2E"))
        .column(Column::new("D", "D"))
        .column(Column::new("SCALED", "I").scale(0.5).zero(100.0).null(-9))
        .column(Column::new("NULLABLE", "J").null(-1))
        .column(Column::new("FSCALED", "E").scale(2.0))
        .column(Column::new("A", "4A"))
        .column(Column::new("L", "L"))
        .column(Column::new("X", "11X"))
        .rows(2, |row, cells| {
            let low = row == 0;
            cells.put(if low { 0_u8 } else { 255 }).put(if low { 0_u8 } else { 255 });
            cells.put(if low { i16::MIN } else { i16::MAX }).put(if low { i16::MIN } else { i16::MAX });
            cells.put(if low { i32::MIN } else { i32::MAX }).put(if low { i32::MIN } else { i32::MAX });
            cells.put(if low { i64::MIN } else { i64::MAX }).put(if low { i64::MIN } else { i64::MAX });
            cells.put(&[row as f32, f32::NEG_INFINITY][..]).put(1.5_f64);
            cells.put(if low { -9_i16 } else { 7 }).put(if low { -1_i32 } else { 3 }).put(1.25_f32);
            cells.bytes(if low { b"ab\0c" } else { b"x   " }).put(low).bytes(&[0b1010_0000, 0b0010_0000]);
        });
    let names = [
        "b", "sb", "i", "ui", "j", "uj", "k", "uk", "e", "d", "scaled", "nullable", "fscaled", "a", "l", "x",
    ];
    each(&scan(table).columns(names).unwrap(), |column, values| match (column, values) {
        (0, Values::U8(v)) => assert_eq!(v, [0, 255]),
        (1, Values::I8(v)) => assert_eq!(v, [-128, 127]),
        (2, Values::I16(v)) => assert_eq!(v, [i16::MIN, i16::MAX]),
        (3, Values::U16(v)) => assert_eq!(v, [0, u16::MAX]),
        (4, Values::I32(v)) => assert_eq!(v, [i32::MIN, i32::MAX]),
        (5, Values::U32(v)) => assert_eq!(v, [0, u32::MAX]),
        (6, Values::I64(v)) => assert_eq!(v, [i64::MIN, i64::MAX]),
        (7, Values::U64(v)) => assert_eq!(v, [0, u64::MAX]),
        (8, Values::F32(v)) => assert_eq!(v, [0.0, f32::NEG_INFINITY, 1.0, f32::NEG_INFINITY]),
        (9, Values::F64(v)) => assert_eq!(v, [1.5, 1.5]),
        (10, Values::F64(v)) => assert!(v[0].is_nan() && v[1] == 103.5),
        (11, Values::F64(v)) => assert!(v[0].is_nan() && v[1] == 3.0),
        (12, Values::F64(v)) => assert_eq!(v, [2.5, 2.5]),
        (13, Values::Text(t)) => {
            assert_eq!((t.len(), t.get(0), t.get(1), t.field(1)), (2, &b"ab"[..], &b"x"[..], &b"x   "[..]));
            assert_eq!(t.field(2), b"");
        }
        (14, Values::Logical(l)) => assert!(l.iter().eq([Some(true), Some(false)])),
        (15, Values::Bits(b)) => {
            assert_eq!(b.stored().field(1), [0b1010_0000, 0b0010_0000]);
            let set: Vec<_> = (0..20).filter(|&bit| b.get(1, bit)).collect();
            assert_eq!((b.repeat(), set), (11, vec![0, 2, 10]));
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn chunks_cover_all_rows_once_in_order() {
    let table = || {
        FitsTable::new("T").column(Column::new("N", "J")).rows(1000, |row, cells| {
            cells.put(row as i32);
        })
    };
    for (bytes, rows) in
        [(1, 0..1000), (4, 0..1000), (17, 3..999), (1 << 20, 0..2000), (100, 500..500), (64, 7..8)]
    {
        let scan = scan(table()).column("N").unwrap().rows(rows.clone()).chunk_bytes(bytes);
        let mut seen = Vec::new();
        scan.for_each(|chunk| {
            let Values::I32(v) = chunk.values(0) else { panic!() };
            assert_eq!(v.len(), chunk.rows());
            seen.extend_from_slice(v);
            Ok::<_, Error>(())
        })
        .unwrap();
        let expected: Vec<_> = (rows.start as i32..rows.end.min(1000) as i32).collect();
        assert_eq!(seen, expected);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let sum = pool.install(|| {
            scan.fold(
                || 0,
                |sum, chunk| {
                    let Values::I32(v) = chunk.values(0) else { panic!() };
                    *sum += v.iter().map(|&n| i64::from(n)).sum::<i64>();
                    Ok::<_, Error>(())
                },
                |a, b| a + b,
            )
        });
        assert_eq!(sum.unwrap(), expected.iter().map(|&n| i64::from(n)).sum::<i64>());
    }
}

#[test]
fn the_error_of_a_step_ends_the_scan() {
    #[derive(Debug)]
    enum Stop {
        At(u64),
        Fits,
    }
    impl From<Error> for Stop {
        fn from(_: Error) -> Self {
            Self::Fits
        }
    }
    let scan =
        scan(FitsTable::new("T").column(Column::new("N", "J")).raw_rows(1000, &[0; 4000])).chunk_bytes(40);
    let result = scan.fold(
        || (),
        |(), chunk| if chunk.first_row() >= 500 { Err(Stop::At(chunk.first_row())) } else { Ok(()) },
        |(), ()| (),
    );
    assert!(matches!(result, Err(Stop::At(500))), "{result:?}");
}

#[test]
fn names_are_found_without_case_and_exact_case_wins() {
    let table = || {
        FitsTable::new("T").column(Column::new("flux", "B")).column(Column::new("FLUX", "I")).rows(
            1,
            |_, c| {
                c.put(1_u8).put(2_i16);
            },
        )
    };
    for (name, index) in [("flux", 0), ("FLUX", 1), ("Flux", 0)] {
        let table = Fits::from_source(table().to_bytes()).unwrap().hdu(1).unwrap().table().unwrap();
        assert_eq!(table.index_of(name).unwrap(), index);
    }
    let error = scan(table()).column("mag").unwrap_err();
    assert!(error.to_string().ends_with("no column mag; the columns are: flux, FLUX"), "{error}");
    let error = scan(table()).column_at(2).unwrap_err();
    assert!(error.to_string().contains("no column #3"), "{error}");
}

/// A source that says when it is let go.
struct Watched(Vec<u8>, Arc<AtomicBool>);

impl ReadAt for Watched {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn size(&self) -> io::Result<Option<u64>> {
        self.0.size()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

/// A job over thousands of files must not keep them open.
#[test]
fn the_source_is_let_go_with_the_last_handle() {
    let closed = Arc::new(AtomicBool::new(false));
    let bytes = FitsTable::new("T").column(Column::new("N", "J")).raw_rows(3, &[0; 12]).to_bytes();
    let fits = Fits::from_source(Watched(bytes, Arc::clone(&closed))).unwrap();
    let hdus: Vec<_> = fits.hdus().map(Result::unwrap).collect();
    let table = hdus[1].table().unwrap();
    let scan = table.scan().column("n").unwrap();
    scan.for_each(|_| Ok::<_, Error>(())).unwrap();
    drop((fits, hdus, table));
    assert!(!closed.load(Ordering::SeqCst), "the scan still needs it");
    drop(scan);
    assert!(closed.load(Ordering::SeqCst));
}
