//! What the generated catalogues are.

use coaddkit_testkit::{MINIATURE_SWEEPS, Sweep, damage, write_miniature};

#[test]
fn layouts_of_both_kinds() {
    let narrow = Sweep::new(1, 0);
    assert_eq!(narrow.layout().row_bytes(), 505);
    let wide = Sweep { light_curve_epochs: 7, ..narrow };
    assert_eq!(wide.layout().row_bytes(), 897);
}

#[test]
fn seeds_decide_and_only_seeds() {
    let bytes = Sweep::new(7, 300).to_bytes();
    assert!(bytes == Sweep::new(7, 300).to_bytes());
    assert!(bytes != Sweep::new(8, 300).to_bytes());
}

#[test]
fn rows_are_sorted_by_brick_and_lie_in_the_box() {
    let sweep = Sweep::new(2, 3001);
    let bytes = sweep.to_bytes();
    let data = damage::data_offset(&bytes, 1);
    assert_eq!(bytes.len(), data + (3001_usize * 505).next_multiple_of(2880));
    let rows: Vec<&[u8]> = bytes[data..].chunks_exact(505).take(3001).collect();
    let brick = |row: &[u8]| i32::from_be_bytes(row[2..6].try_into().unwrap());
    assert!(rows.windows(2).all(|pair| brick(pair[0]) <= brick(pair[1])));
    for row in rows {
        let number = |at: usize| f64::from_be_bytes(row[at..at + 8].try_into().unwrap());
        let (ra, dec) = (number(21), number(29));
        assert!((150.0..155.0).contains(&ra) && (0.0..5.0).contains(&dec), "{ra} {dec}");
    }
}

#[test]
fn the_miniature_is_small_enough_to_commit() {
    let dir = tempfile::tempdir().unwrap();
    let names = write_miniature(dir.path()).unwrap();
    let sizes: Vec<u64> =
        names.iter().map(|name| std::fs::metadata(dir.path().join(name)).unwrap().len()).collect();
    assert!(MINIATURE_SWEEPS.iter().all(|sweep| names.iter().any(|name| name.as_os_str() == *sweep)));
    assert!(sizes.iter().sum::<u64>() < 3_000_000 && sizes.iter().all(|size| *size < 2_000_000), "{sizes:?}");
}
