//! What a run over regions leaves on disk.

use std::io;
use std::path::Path;

use crate::map;
use crate::publish::publish;
use crate::regions::RegionsFound;

pub(crate) mod report;
pub(crate) mod tables;

/// What to call the inputs in the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputNames<'a> {
    /// The table of bricks, such as its path.
    pub bricks: &'a str,
    /// The table of counts, such as its path.
    pub counts: &'a str,
}

impl RegionsFound {
    /// Writes all products into `folder`, which is made if absent; each is whole or absent, and equal inputs give
    /// equal bytes.
    ///
    /// - `bricks_all.csv`, the bricks in the footprint; `bricks_quality.csv` and `bricks_with_density.csv`, those that
    ///   pass; `primary_region_bricks.csv` and `backup_region_bricks.csv`, only a header if there is no such region;
    /// - `unmatched_counts.csv`, counts for bricks that the table does not have;
    /// - `density_map.png`, and last `phase1p5_region_selection.md`.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path, inputs: InputNames<'_>) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let region = |rank: usize| {
            let region = self.selection.ranked.get(rank).map(|&region| &self.selection.regions[region]);
            region.into_iter().flat_map(|region| &region.members).map(|&member| &self.bricks[member])
        };
        publish(&folder.join("bricks_all.csv"), |out| tables::bricks(out, self.in_footprint()))?;
        publish(&folder.join("bricks_quality.csv"), |out| tables::bricks(out, self.passing()))?;
        publish(&folder.join("bricks_with_density.csv"), |out| tables::bricks(out, self.passing()))?;
        publish(&folder.join("primary_region_bricks.csv"), |out| tables::bricks(out, region(0)))?;
        publish(&folder.join("backup_region_bricks.csv"), |out| tables::bricks(out, region(1)))?;
        publish(&folder.join("unmatched_counts.csv"), |out| tables::counts(out, &self.unmatched))?;
        publish(&folder.join("density_map.png"), |out| map::draw(self).write_png(out))?;
        publish(&folder.join("phase1p5_region_selection.md"), |out| report::write(out, self, inputs))
    }
}
