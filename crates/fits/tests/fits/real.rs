//! Real files, against what astropy and CFITSIO read from them.

use coaddkit_fits::{Chunk, ColumnType, Error, ErrorClass, Fits, HduKind, Table, Values};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

fn json(name: &str) -> Option<Value> {
    let path = coaddkit_testkit::shared(&format!("data/{name}"))?;
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

/// Statistics of a numeric column over its finite values, in f64.
#[derive(Default)]
struct Stats {
    nan: u64,
    min: f64,
    max: f64,
    sum: f64,
    any: bool,
}

impl Stats {
    fn add(&mut self, v: f64) {
        if v.is_nan() {
            self.nan += 1;
        } else if v.is_finite() {
            (self.min, self.max) = if self.any { (self.min.min(v), self.max.max(v)) } else { (v, v) };
            self.any = true;
            self.sum += v;
        }
    }

    fn add_all(&mut self, values: Values<'_>) {
        match values {
            Values::I8(v) => v.iter().for_each(|&v| self.add(v.into())),
            Values::U8(v) => v.iter().for_each(|&v| self.add(v.into())),
            Values::I16(v) => v.iter().for_each(|&v| self.add(v.into())),
            Values::U16(v) => v.iter().for_each(|&v| self.add(v.into())),
            Values::I32(v) => v.iter().for_each(|&v| self.add(v.into())),
            Values::U32(v) => v.iter().for_each(|&v| self.add(v.into())),
            Values::I64(v) => v.iter().for_each(|&v| self.add(v as f64)),
            Values::U64(v) => v.iter().for_each(|&v| self.add(v as f64)),
            Values::F32(v) => v.iter().for_each(|&v| self.add(v.into())),
            Values::F64(v) => v.iter().for_each(|&v| self.add(v)),
            _ => panic!("not a number: {values:?}"),
        }
    }
}

fn close(a: f64, b: &Value) -> bool {
    let b = b.as_f64().unwrap();
    a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

/// Every byte, every number and every array of every column of 68 files.
#[test]
fn columns_are_those_of_the_oracle() {
    let Some(oracle) = json("oracle_tables.json") else { return };
    let (mut raw, mut numbers, mut arrays, mut wrong) = (0, 0, 0, Vec::new());
    for file in oracle.as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        let fits = Fits::open(coaddkit_testkit::shared(&format!("data/{name}")).unwrap()).unwrap();
        for expected in file["tables"].as_array().unwrap() {
            let hdu = expected["hdu"].as_u64().unwrap();
            let table = fits.hdu(hdu as usize).unwrap().table().unwrap();
            assert_eq!(table.rows(), expected["rows"].as_u64().unwrap(), "{name}[{hdu}]");
            for (index, column) in expected["columns"].as_array().unwrap().iter().enumerate() {
                let here = &table.columns()[index];
                let label = format!("{name}[{hdu}] {} {}", index + 1, here.name);
                assert_eq!(here.tform, column["tform"].as_str().unwrap().trim(), "{label}");
                let digest = digests(&table, index);
                if digest.raw != column["raw_sha256"].as_str().unwrap() {
                    wrong.push(format!("{label}: bytes"));
                }
                if let Some(heap) = column["heap_sha256"].as_str() {
                    arrays += 1;
                    let elements = column["elements"].as_u64().unwrap();
                    if digest.heap != heap || digest.elements != elements {
                        wrong.push(format!("{label}: heap, {} elements", digest.elements));
                    }
                }
                raw += 1;
                if column.get("sum").is_none() || here.null.is_some() {
                    continue;
                }
                let mut stats = Stats::default();
                let scan = table.scan().column_at(index).unwrap();
                scan.for_each(|chunk| {
                    stats.add_all(chunk.values(0));
                    Ok::<_, Error>(())
                })
                .unwrap();
                let same = stats.nan == column["nan"].as_u64().unwrap()
                    && close(stats.min, &column["min"])
                    && close(stats.max, &column["max"])
                    && close(stats.sum, &column["sum"]);
                if !same {
                    let Stats { nan, min, max, sum, .. } = stats;
                    wrong.push(format!("{label} {}: {nan} {min} {max} {sum}, not {column}", here.tform));
                }
                numbers += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong of {numbers}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((raw, arrays), (2499, 11), "{numbers} numbers");
    assert!(numbers > 2100, "{numbers} numbers");
}

/// A compressed table holds what the table held before.
#[test]
fn compressed_table_is_the_table() {
    let Some(plain) = coaddkit_testkit::shared("data/fits-comp/nt_bt12.fits") else { return };
    let compressed = plain.with_file_name("nt_bt12.fits.fz");
    let [plain, compressed] =
        [plain, compressed].map(|p| Fits::open(p).unwrap().hdu(1).unwrap().table().unwrap());
    for index in 0..5 {
        assert_eq!(digests(&plain, index).raw, digests(&compressed, index).raw, "{index}");
    }
}

/// Hexadecimal digests of the stored fields and, for variable-length arrays, of their elements.
struct Digests {
    raw: String,
    heap: String,
    elements: u64,
}

fn digests(table: &Table, index: usize) -> Digests {
    let (mut raw, mut heap, mut elements) = (Sha256::new(), Sha256::new(), 0);
    let scan = table.scan().column_at(index).unwrap();
    scan.for_each(|chunk: &Chunk<'_>| {
        let stored = chunk.stored(0);
        (0..chunk.rows()).for_each(|row| raw.update(stored.field(row)));
        if let Values::Arrays(arrays) = chunk.values(0) {
            (0..arrays.len()).for_each(|row| heap.update(arrays.stored(row)));
            elements += arrays.elements() as u64;
        }
        Ok::<_, Error>(())
    })
    .unwrap_or_else(|e| panic!("{e}"));
    let hex = |digest: Sha256| digest.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Digests { raw: hex(raw), heap: hex(heap), elements }
}

/// Kinds, shapes, compression and pixel types of every HDU that the oracle could read.
#[test]
fn structure_is_that_of_the_oracle() {
    let Some(oracle) = json("oracle.json") else { return };
    let mut hdus = 0;
    for file in oracle.as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        let Some(expected) = file["hdus"].as_array().filter(|h| !h.is_empty()) else { continue };
        if name.ends_with(".hdr") || name.ends_with(".wcs") || name.ends_with("ap_verify.fits") {
            continue; // Bare headers, and one that astropy mends before it reads it.
        }
        let fits = match Fits::open(coaddkit_testkit::shared(&format!("data/{name}")).unwrap()) {
            Ok(fits) => fits,
            Err(error) if name.ends_with(".Z") => {
                assert!(error.to_string().contains("compress(1)"), "{error}");
                continue;
            }
            Err(error) => panic!("{name}: {error}"),
        };
        let found: Vec<_> = fits.hdus().collect::<Result<_, _>>().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(found.len(), expected.len(), "{name}");
        for (hdu, want) in found.iter().zip(expected) {
            let label = format!("{name}[{}]", hdu.index());
            let kind = match want["kind"].as_str().unwrap() {
                "IMG" | "COMP" => HduKind::Image,
                "BIN" => HduKind::Table,
                "ASCII" => HduKind::AsciiTable,
                "GROUPS" => HduKind::Groups,
                other => panic!("{label}: {other}"),
            };
            assert_eq!(hdu.kind(), kind, "{label}");
            let compression = hdu.compression().filter(|_| kind == HduKind::Image);
            assert_eq!(compression.map(|c| c.codec.as_str()), want["cmp"].as_str(), "{label}");
            assert_eq!(compression.and_then(|c| c.quantize.as_deref()), want["q"].as_str(), "{label}");
            if let Some(tile) = want["tile"].as_array() {
                let tile: Vec<_> = tile.iter().rev().map(|t| t.as_u64().unwrap()).collect();
                assert_eq!(compression.unwrap().tile, tile, "{label}");
            }
            if let Some(shape) = want["data"]["shape"].as_array() {
                let shape: Vec<_> = shape.iter().map(|n| n.as_u64().unwrap()).collect();
                assert_eq!(hdu.shape(), shape, "{label}");
                assert_eq!(
                    hdu.pixel_type().unwrap().code(),
                    want["data"]["dtype"].as_str().unwrap(),
                    "{label}"
                );
            }
            if let Some(rows) = want["rows"].as_u64() {
                let table = hdu.table().unwrap();
                assert_eq!(
                    (table.rows(), table.columns().len() as u64),
                    (rows, want["ncol"].as_u64().unwrap())
                );
            }
            hdus += 1;
        }
    }
    assert!(hdus > 300, "{hdus} HDUs");
}

/// What a correct reader does with each odd file.
#[test]
fn odd_files() {
    let refused: BTreeMap<&str, &str> = BTreeMap::from([
        ("fits-odd/lfs_pointer_drao.fits", "Git LFS pointer"),
        ("fits-odd/sp_not_actually_fits.fits", "not a FITS file"),
        ("fits-odd/ap_verify.fits", "BITPIX is card 3, must be card 2"),
        ("fits-odd/nt_test.fits.Z", "compress(1)"),
        ("lsst/imsim-v85518312-fu-R43-S12.wcs", "truncated: header"),
    ]);
    for (name, why) in refused {
        let Some(path) = coaddkit_testkit::shared(&format!("data/{name}")) else { return };
        let error = Fits::open(&path).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Data, "{name}");
        assert!(error.to_string().contains(why) && error.to_string().contains(name), "{error}");
    }
    // 50 rows of 5 columns without a name.
    let Some(path) = coaddkit_testkit::shared("data/fits-comp/nt_bt12.fits") else { return };
    let table = Fits::open(path).unwrap().hdu(1).unwrap().table().unwrap();
    assert_eq!((table.rows(), table.columns().len()), (50, 5));
    assert!(table.columns().iter().all(|c| c.name.is_empty()));
    // The same table compressed says what it holds, not how.
    let path = coaddkit_testkit::shared("data/fits-comp/nt_bt12.fits.fz").unwrap();
    let compressed = Fits::open(path).unwrap().hdu(1).unwrap().table().unwrap();
    assert_eq!((compressed.rows(), compressed.columns().len()), (50, 5));
    assert!(table.columns().iter().zip(compressed.columns()).all(|(a, b)| a.tform == b.tform));
    // A column that only its type tells apart from a signed one.
    let path = coaddkit_testkit::shared("data/misc/cut-tsObj-002830-6-0-0398.fit").unwrap();
    let table = Fits::open(path).unwrap().hdu(1).unwrap().table().unwrap();
    let column = &table.columns()[table.index_of("PRIORITY").unwrap()];
    assert_eq!(
        (column.name.as_str(), column.kind, column.zero),
        ("priority", ColumnType::I32, 2_147_483_648.0)
    );
    let scan = table.scan().column("PRIORITY").unwrap();
    scan.for_each(|chunk| {
        assert!(matches!(chunk.values(0), Values::U32(_)));
        Ok::<_, Error>(())
    })
    .unwrap();
}
