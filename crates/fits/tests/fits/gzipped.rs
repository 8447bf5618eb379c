//! `.fits.gz`: the same answers, and damage is not taken for an end.

use coaddkit_fits::{Error, ErrorClass, Fits, Values};
use coaddkit_testkit::{Column, FitsTable, gzip};

const ROWS: usize = 40_000;

fn table() -> Vec<u8> {
    FitsTable::new("T")
        .column(Column::new("ID", "J"))
        .column(Column::new("NOISE", "20B"))
        .rows(ROWS, |row, cells| {
            let noise = [0, 1, 2, 3].map(|k| (row as u32 * 4 + k).wrapping_mul(0x9E37_79B9).to_be_bytes());
            let mut bytes = noise.as_flattened().to_vec();
            bytes.resize(20, 7);
            cells.put(row as i32).put(&bytes[..]);
        })
        .to_bytes()
}

fn ids(bytes: Vec<u8>, threads: usize) -> Result<u64, Error> {
    let table = Fits::from_source(bytes)?.hdu(1)?.table()?;
    let scan = table.scan().column("id")?;
    let step = |sum: &mut u64, chunk: &coaddkit_fits::Chunk<'_>| {
        let Values::I32(v) = chunk.values(0) else { panic!() };
        // Rows out of place would show in the sum.
        for (row, &v) in (chunk.first_row()..).zip(v) {
            *sum = sum.wrapping_add((v as u64) ^ (row << 32));
        }
        Ok::<_, Error>(())
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| scan.fold(|| 0, step, |a, b| a + b))
}

/// The sum of `row ^ (row << 32)`.
const SUM: u64 = (ROWS as u64) * (ROWS as u64 - 1) / 2 * ((1 << 32) + 1);

#[test]
fn same_answer_with_any_number_of_threads() {
    for threads in [1, 2, 5] {
        assert_eq!(ids(table(), threads).unwrap(), SUM);
        assert_eq!(ids(gzip(&table()), threads).unwrap(), SUM);
    }
}

#[test]
fn members_join_and_padding_after_them_is_ignored() {
    let whole = table();
    let (a, b) = whole.split_at(300_001);
    let mut members = gzip(a);
    members.extend(gzip(b));
    assert_eq!(ids(members.clone(), 2).unwrap(), SUM);
    members.extend([0; 700]);
    assert_eq!(ids(members, 2).unwrap(), SUM);
}

#[test]
fn cut_or_flipped_streams_are_bad_data() {
    let packed = gzip(&table());
    for cut in [20, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
        let error = ids(packed[..cut].to_vec(), 2).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Data, "{cut}: {error}");
    }
    let mut caught = 0;
    for at in (packed.len() / 2..packed.len()).step_by(packed.len() / 16 - 1) {
        let mut flipped = packed.clone();
        flipped[at] ^= 0x10;
        // Whatever the flip hits, the CRC at the end disagrees, also where every row was read by then.
        let error = ids(flipped, 1).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Data, "{at}: {error}");
        caught += 1;
    }
    assert!(caught > 5);
}

#[test]
fn a_gzipped_table_that_lacks_rows_is_truncated() {
    let whole = table();
    let error = ids(gzip(&whole[..whole.len() - 5000]), 2).unwrap_err();
    assert!(error.to_string().contains("truncated: data"), "{error}");
    let fits = Fits::from_source(gzip(&whole[..whole.len() - 5000])).unwrap();
    let error = fits.hdus().find_map(Result::err).unwrap();
    assert!(error.to_string().contains("truncated: data"), "{error}");
}

#[test]
fn going_back_starts_over() {
    let fits = Fits::from_source(gzip(&table())).unwrap();
    assert_eq!(fits.hdus().count(), 2);
    let scan = fits.hdu(1).unwrap().table().unwrap().scan().column("id").unwrap();
    for _ in 0..2 {
        let mut last = 0;
        scan.clone()
            .rows(39_000..50_000)
            .for_each(|chunk| {
                last = chunk.first_row() + chunk.rows() as u64;
                Ok::<_, Error>(())
            })
            .unwrap();
        assert_eq!(last, ROWS as u64);
        scan.for_each(|_| Ok::<_, Error>(())).unwrap();
    }
}
