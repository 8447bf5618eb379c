//! Tile-compressed images (FITS 4.0, 10.1) for fixtures, independent of the published crate.

use std::fmt::Display;

use crate::FitsTable;
use crate::fits::Column;
use crate::gzip::gzip;

mod dither;
mod hcompress;
mod rice;

/// Pixels, and how they are stored.
#[derive(Debug, Clone, Copy)]
pub enum Pixels<'a> {
    /// RICE_1 with SUBTRACTIVE_DITHER_2: multiples of the step, exact zeros kept, NaN as ZBLANK. The seed is
    /// ZDITHER0, 1 to 10,000.
    Dithered(&'a [f32], f64, u16),
    /// RICE_1 with NO_DITHER: multiples of the step.
    Quantised(&'a [f32], f64),
    /// GZIP_1 of the floating-point values as they are.
    Exact(&'a [f32]),
    /// HCOMPRESS_1 without loss; with 8 bits (0 to 255), 16 or 32.
    Integers(&'a [i32], u8),
}

/// An image cut into square tiles.
#[derive(Debug, Clone)]
pub struct TiledImage {
    name: String,
    width: usize,
    tile: usize,
    cards: Vec<(String, String, String)>,
}

/// What stands for NaN, and for zero, among quantised values.
const BLANK: i32 = -2_147_483_647;
const ZERO: i32 = -2_147_483_646;

impl TiledImage {
    /// An image of so many pixels in a row. Tiles at the far edges may be smaller.
    pub fn new(name: &str, width: usize, tile: usize) -> Self {
        Self { name: name.to_owned(), width, tile, cards: Vec::new() }
    }

    /// A card with a number or a logical.
    #[must_use]
    pub fn card(mut self, keyword: &str, value: impl Display) -> Self {
        self.cards.push((keyword.to_owned(), value.to_string(), String::new()));
        self
    }

    /// A card with a string.
    #[must_use]
    pub fn text_card(mut self, keyword: &str, value: &str) -> Self {
        self.cards.push((keyword.to_owned(), String::new(), value.to_owned()));
        self
    }

    /// The table that holds the image: [`FitsTable::to_bytes`] makes a file of it, [`FitsTable::extension`] an
    /// HDU.
    pub fn table(&self, pixels: Pixels<'_>) -> FitsTable {
        let count = match pixels {
            Pixels::Dithered(p, ..) | Pixels::Quantised(p, _) | Pixels::Exact(p) => p.len(),
            Pixels::Integers(p, _) => p.len(),
        };
        assert_eq!(count % self.width, 0, "{count} pixels in rows of {}", self.width);
        let height = count / self.width;
        if matches!(pixels, Pixels::Integers(..)) {
            let smallest = |side: usize| (side - 1) % self.tile + 1;
            assert!(smallest(self.width).min(smallest(height)) >= 4, "HCOMPRESS wants tiles of 4 x 4 pixels");
        }
        let compressed: Vec<Vec<u8>> =
            self.tiles(height).enumerate().map(|(n, tile)| compress(pixels, &tile, n)).collect();
        let longest = compressed.iter().map(Vec::len).max().unwrap_or(0);

        let mut table =
            FitsTable::new(&self.name).column(Column::new("COMPRESSED_DATA", &format!("1PB({longest})")));
        let step = match pixels {
            Pixels::Dithered(_, step, _) | Pixels::Quantised(_, step) => Some(step),
            Pixels::Exact(_) | Pixels::Integers(..) => None,
        };
        if step.is_some() {
            table = table.column(Column::new("ZSCALE", "1D")).column(Column::new("ZZERO", "1D"));
        }
        table = self.keywords(table, pixels, height);
        for (keyword, number, text) in &self.cards {
            table =
                if number.is_empty() { table.text_card(keyword, text) } else { table.card(keyword, number) };
        }
        table.rows(compressed.len(), |n, cells| {
            cells.put(compressed[n].as_slice());
            if let Some(step) = step {
                cells.put(step).put(0.0);
            }
        })
    }

    fn keywords(&self, table: FitsTable, pixels: Pixels<'_>, height: usize) -> FitsTable {
        let bitpix = match pixels {
            Pixels::Integers(_, bits) => i32::from(bits),
            _ => -32,
        };
        let table = table
            .card("ZIMAGE", "T")
            .card("ZBITPIX", bitpix)
            .card("ZNAXIS", 2)
            .card("ZNAXIS1", self.width)
            .card("ZNAXIS2", height)
            .card("ZTILE1", self.tile)
            .card("ZTILE2", self.tile);
        let rice = |table: FitsTable| {
            let table = table.text_card("ZCMPTYPE", "RICE_1").text_card("ZNAME1", "BLOCKSIZE");
            table.card("ZVAL1", rice::BLOCK).text_card("ZNAME2", "BYTEPIX").card("ZVAL2", 4)
        };
        match pixels {
            Pixels::Dithered(_, _, seed) => rice(table)
                .card("ZBLANK", BLANK)
                .text_card("ZQUANTIZ", "SUBTRACTIVE_DITHER_2")
                .card("ZDITHER0", seed),
            Pixels::Quantised(..) => rice(table).text_card("ZQUANTIZ", "NO_DITHER"),
            Pixels::Exact(_) => table.text_card("ZCMPTYPE", "GZIP_1").text_card("ZQUANTIZ", "NONE"),
            Pixels::Integers(..) => table
                .text_card("ZCMPTYPE", "HCOMPRESS_1")
                .text_card("ZNAME1", "SCALE")
                .card("ZVAL1", "0.0")
                .text_card("ZNAME2", "SMOOTH")
                .card("ZVAL2", 0),
        }
    }

    /// The tiles in their order, each as its rows' ranges of pixels.
    fn tiles(&self, height: usize) -> impl Iterator<Item = Vec<std::ops::Range<usize>>> {
        let (width, tile) = (self.width, self.tile);
        (0..height).step_by(tile).flat_map(move |y| {
            (0..width).step_by(tile).map(move |x| {
                let row = |y: usize| y * width + x..y * width + (x + tile).min(width);
                (y..(y + tile).min(height)).map(row).collect()
            })
        })
    }
}

fn compress(pixels: Pixels<'_>, rows: &[std::ops::Range<usize>], number: usize) -> Vec<u8> {
    fn gather<T: Copy>(all: &[T], rows: &[std::ops::Range<usize>]) -> Vec<T> {
        rows.iter().flat_map(|row| &all[row.clone()]).copied().collect()
    }
    match pixels {
        Pixels::Dithered(all, step, seed) => {
            let mut offsets = dither::Offsets::new(number, seed);
            let value = |pixel: f32| {
                // An offset is drawn for every pixel, also for those that do not need it.
                let offset = offsets.next();
                match pixel {
                    p if p.is_nan() => BLANK,
                    0.0 => ZERO,
                    p => nearest(f64::from(p) / step + offset - 0.5),
                }
            };
            rice::encode(&gather(all, rows).into_iter().map(value).collect::<Vec<_>>())
        }
        Pixels::Quantised(all, step) => {
            let values = gather(all, rows).into_iter().map(|pixel| nearest(f64::from(pixel) / step));
            rice::encode(&values.collect::<Vec<_>>())
        }
        Pixels::Exact(all) => {
            gzip(&gather(all, rows).iter().flat_map(|pixel| pixel.to_be_bytes()).collect::<Vec<_>>())
        }
        Pixels::Integers(all, _) => hcompress::encode(&gather(all, rows), rows[0].len()),
    }
}

fn nearest(value: f64) -> i32 {
    assert!(value.abs() < 2.0e9, "{value} steps are too many");
    (value + 0.5).floor() as i32
}
