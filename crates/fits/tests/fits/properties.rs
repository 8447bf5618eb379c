//! Arbitrary and mutated bytes: an answer or an error, never a panic, and bounded work.

use coaddkit_fits::{Error, Fits, Level, Value, Values};
use coaddkit_testkit::{Column, FitsTable, gunzip};
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::LazyLock;

static SAMPLES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(samples);

/// Reads everything that can be read.
fn walk(bytes: Vec<u8>) {
    let Ok(fits) = Fits::from_source(bytes) else { return };
    let all = fits.verify(Level::Pixels).unwrap();
    assert!(fits.verify(Level::Size).unwrap().iter().all(|finding| all.contains(finding)), "{all:?}");
    for hdu in fits.hdus().take(50).map_while(Result::ok) {
        for card in hdu.header().cards() {
            let _ = (card.keyword(), card.value(), card.comment(), hdu.header().get(&card.keyword()));
        }
        let _ = (hdu.name(), hdu.pixel_type(), hdu.compression(), format!("{hdu:?}"));
        let Ok(table) = hdu.table() else { continue };
        let (mut scan, mut columns) = (table.scan(), 0);
        for index in 0..table.columns().len() {
            if let Ok(wider) = scan.clone().column_at(index) {
                (scan, columns) = (wider, columns + 1);
            }
        }
        let scan = scan.rows(0..10_000);
        #[cfg(feature = "arrow")]
        if let Ok(batches) = scan.clone().record_batches() {
            let raw = scan.clone().record_batches().unwrap().raw_text();
            for batches in [batches.batch_size(7), raw] {
                let mut failed = false;
                for batch in batches {
                    assert!(!failed && batch.as_ref().map_or(true, |batch| batch.num_rows() > 0));
                    failed = batch.is_err();
                }
            }
        }
        let _ = scan.for_each(|chunk| {
            assert!(chunk.rows() > 0);
            for column in 0..columns {
                assert!(chunk.stored(column).len() == chunk.rows());
                if let Values::Arrays(arrays) = chunk.values(column) {
                    assert_eq!(arrays.len(), chunk.rows());
                    (0..arrays.len()).for_each(|row| _ = (arrays.get(row), arrays.stored(row)));
                }
            }
            Ok::<_, Error>(())
        });
    }
}

fn sample() -> Vec<u8> {
    FitsTable::new("SAMPLE")
        .column(Column::new("NAME", "8A"))
        .column(Column::new("FLUX", "3E").unit("nanomaggy"))
        .column(Column::new("COUNT", "I").scale(2.0).zero(1.0).null(-1))
        .column(Column::new("FLAG", "L"))
        .column(Column::new("BITS", "5X"))
        .column(Column::new("ARRAY", "1PI").null(3))
        .rows(20, |row, cells| {
            cells.put("abc").put(&[row as f32; 3][..]).put(row as i16).put(true).bytes(&[0xf8]);
            cells.put(&[row as i16; 4][..row % 5]);
        })
        .to_bytes()
}

/// Tables of the conformance set: all array types, digits, tiles.
fn samples() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance/tables");
    let read = |name: &str| gunzip(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    ["arrays_q", "arrays_conventions", "ascii", "fixed", "compressed"]
        .map(|n| read(&format!("{n}.fits.gz")))
        .to_vec()
}

fn card() -> impl Strategy<Value = String> {
    let keyword = prop_oneof![
        "(NAXIS|BITPIX|PCOUNT|GCOUNT|TFIELDS|NAXIS1|NAXIS2|TFORM1|TFORM2|TTYPE1|TSCAL3|TZERO3|TNULL3|ZIMAGE|ZTABLE|ZTILELEN|ZNAXIS1|ZNAXIS2|ZFORM1|ZFORM11|ZCTYP1|TDIM1|TBCOL1|GROUPS|THEAP|XTENSION|SIMPLE|END|CONTINUE|HIERARCH)",
        "[A-Z0-9_-]{0,8}",
    ];
    let value = prop_oneof![
        "-?[0-9]{1,20}",
        "'[ -~]{0,60}'?",
        "[TF]",
        "[ -~]{0,70}",
        "[0-9]{0,12}[LXBIJKAEDCMPQ]",
        "'[0-9]{0,3}[LXBIJKAEDCMPQ]{1,2}'",
        r"'\([0-9]{1,12}(,[0-9]{1,12}){0,2}\)'",
    ];
    (keyword, prop_oneof!["= ", "=", "  "], value)
        .prop_map(|(k, sign, v)| format!("{k:8}{sign}{v:<71}").chars().take(80).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        let mut fits = b"SIMPLE  =                    T".to_vec();
        fits.resize(80, b' ');
        fits.extend(&bytes);
        walk(bytes);
        walk(fits);
    }

    #[test]
    fn mutated_files(flips in prop::collection::vec((0_usize..8640, any::<u8>()), 1..20), length in 0_usize..9000) {
        let mut bytes = sample();
        for (at, with) in flips {
            let at = at % bytes.len();
            bytes[at] = with;
        }
        bytes.truncate(length.max(2880));
        walk(bytes);
    }

    #[test]
    fn mutated_cards(changes in prop::collection::vec((0_usize..36, card()), 1..6)) {
        let mut bytes = sample();
        for (place, card) in changes {
            let at = 2880 + place * 80;
            bytes[at..at + 80].copy_from_slice(card.as_bytes());
        }
        walk(bytes);
    }

    #[test]
    fn mutated_conformance_tables(
        which in 0_usize..5,
        flips in prop::collection::vec((2880_usize..40_000, any::<u8>()), 0..12),
        cards in prop::collection::vec((0_usize..60, card()), 0..3),
        length in 2880_usize..60_000,
    ) {
        let mut bytes = SAMPLES[which].clone();
        for (at, with) in flips {
            let at = at % bytes.len();
            bytes[at] = with;
        }
        for (place, card) in cards {
            let at = (2880 + place * 80).min(bytes.len() - 80);
            bytes[at..at + 80].copy_from_slice(card.as_bytes());
        }
        bytes.truncate(length);
        walk(bytes);
    }

    #[test]
    fn values_survive(text in "[ -~]{0,30}", integer in any::<i64>(), real in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
        let quoted = text.replace('\'', "''");
        let bytes = FitsTable::new("T")
            .column(Column::new("A", "B"))
            .raw_card(&format!("TXT     = '{quoted}'"))
            .raw_card(&format!("INT     = {integer}"))
            .raw_card(&format!("REAL    = {real:E} / with comment"))
            .to_bytes();
        let fits = Fits::from_source(bytes).unwrap();
        let hdu = fits.hdu(1).unwrap();
        prop_assert_eq!(hdu.header().text("txt").unwrap(), text.trim_end());
        prop_assert_eq!(hdu.header().integer("INT"), Some(integer));
        prop_assert_eq!(hdu.header().real("REAL"), Some(real));
        prop_assert_eq!(hdu.header().get("NOSUCH"), None::<Value>);
    }
}

#[test]
fn long_strings_join() {
    let bytes = FitsTable::new("T")
        .column(Column::new("A", "B"))
        .raw_card("LONG    = 'first part &'")
        .raw_card("CONTINUE  'second &' / with comment")
        .raw_card("CONTINUE  'third'")
        .raw_card("DANGLING= 'ends in &'")
        .raw_card("HIERARCH ESO DET ID = 'CCD 1'")
        .raw_card("HIERARCH short = 3")
        .raw_card("HIERARCH DUP = 3")
        .raw_card("DUP     = 1")
        .raw_card("DUP     = 2")
        .to_bytes();
    let header = Fits::from_source(bytes).unwrap().hdu(1).unwrap().header().clone();
    assert_eq!(header.text("LONG").unwrap(), "first part second third");
    assert_eq!(header.text("DANGLING").unwrap(), "ends in &");
    assert_eq!(header.integer("DUP"), Some(1));
    assert_eq!(header.text("eso det id").as_deref(), Some("CCD 1"));
    assert_eq!((header.integer("SHORT"), header.get("HIERARCH")), (Some(3), None));
}
