//! The miniature survey of `fixtures/`: four sweeps that meet at RA 0, Dec 0, and their bricks.

use std::io;
use std::path::{Path, PathBuf};

use crate::bricks::BrickQuality;
use crate::sweep::{Clump, SkyBox, Sweep};
use crate::{bricks_table, gzip};

/// File names of the sweeps, as the survey names the 5 x 5 degree boxes they lie in; the last is gzipped.
pub const MINIATURE_SWEEPS: [&str; 4] = [
    "sweep-355m005-360p000.fits",
    "sweep-355p000-360p005.fits",
    "sweep-000m005-005p000.fits",
    "sweep-000p000-005p005.fits.gz",
];

const BRICKS: &str = "survey-bricks-mini.fits.gz";
const SEED: u64 = 20_261_121;

/// The filled part of the four boxes, in the order of the names.
const AREAS: [SkyBox; 4] = [
    SkyBox { ra_min_deg: 357.5, ra_max_deg: 360.0, dec_min_deg: -2.5, dec_max_deg: 0.0 },
    SkyBox { ra_min_deg: 357.5, ra_max_deg: 360.0, dec_min_deg: 0.0, dec_max_deg: 2.5 },
    SkyBox { ra_min_deg: 0.0, ra_max_deg: 2.5, dec_min_deg: -2.5, dec_max_deg: 0.0 },
    SkyBox { ra_min_deg: 0.0, ra_max_deg: 2.5, dec_min_deg: 0.0, dec_max_deg: 2.5 },
];

const ROWS: [usize; 4] = [1217, 1301, 1260, 1408];

/// Clusters of galaxies; the first lies on the corner where the sweeps meet.
const CLUMPS: [(f64, f64, f64, f64); 5] = [
    (0.0, 0.0, 0.35, 5.0),
    (-1.6, 1.2, 0.3, 9.0),
    (1.9, -1.5, 0.25, 9.0),
    (-0.9, -1.1, 0.3, 6.0),
    (1.7, 1.9, 0.4, 6.0),
];

/// Writes the files into a directory that exists, and returns their names.
///
/// # Errors
///
/// A file cannot be written.
pub fn write_miniature(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    let mut put = |name: &str, bytes: &[u8]| {
        names.push(PathBuf::from(name));
        let bytes = if name.ends_with(".gz") { &gzip(bytes) } else { bytes };
        std::fs::write(dir.join(name), bytes)
    };
    for (i, name) in MINIATURE_SWEEPS.iter().enumerate() {
        put(name, &sweep(i).to_bytes())?;
    }
    put(BRICKS, &bricks_table(&AREAS, |brick| BrickQuality::of(brick, SEED)).to_bytes())?;
    let index = format!(
        "# The sweeps of the miniature survey, one path a line, from the folder of this file.\n{}\n{}\n\n{}\n{}\n",
        MINIATURE_SWEEPS[0], MINIATURE_SWEEPS[1], MINIATURE_SWEEPS[2], MINIATURE_SWEEPS[3],
    );
    put("sweeps.txt", index.as_bytes())?;
    Ok(names)
}

fn sweep(index: usize) -> Sweep {
    let area = AREAS[index];
    let clumps = CLUMPS
        .iter()
        .map(|&(ra, dec_deg, radius_deg, excess)| {
            // Each sweep sees the whole clump, also the part that lies beyond RA 0.
            let ra_deg = if area.ra_min_deg > 180.0 { ra + 360.0 } else { ra };
            Clump { ra_deg, dec_deg, radius_deg, excess }
        })
        .collect();
    Sweep {
        area,
        clumps,
        // Thinned: what is left is mostly red and bright, so that small files hold enough luminous red galaxies.
        red_fraction: 0.72,
        red_limit_mag: 21.3,
        ..Sweep::new(SEED + index as u64, ROWS[index])
    }
}
