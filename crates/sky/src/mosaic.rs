//! Sets of bricks as HEALPix cells.

use std::collections::BTreeSet;

use crate::{Brick, BrickGrid, BrickId, CellSet, Coverage, Error, Healpix};

impl BrickGrid {
    /// The HEALPix cells of bricks together: those that lie wholly in them, also where they lie in several, those whose
    /// centre lies in one, and those that touch one.
    ///
    /// [`in_cells`](Self::in_cells) is the way back.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchBrick`] for a number that the grid does not have, [`Error::TooManyCells`] for an order so fine
    /// that more than `2^24` cells lie on the outline of one brick.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::{BrickGrid, Cone, Healpix, SkyCoord};
    ///
    /// let (grid, cells) = (BrickGrid::legacy(), Healpix::new(8)?);
    /// let cone = Cone::new(SkyCoord::from_degrees(229.3, -5.6)?, 2.0)?;
    /// let found = grid.cells_of(grid.cover(&cone).envelope, cells)?;
    /// // Cells are about as wide as bricks, and yet there are some without a gap in between.
    /// assert!(found.interior.area_deg2() > 12.0);
    /// assert!(found.envelope.holds_all(&cells.cover(&cone)?.envelope));
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn cells_of(
        &self,
        bricks: impl IntoIterator<Item = BrickId>,
        cells: Healpix,
    ) -> Result<Coverage, Error> {
        let own: BTreeSet<BrickId> = bricks.into_iter().collect();
        let (mut parts, mut around) = (Vec::with_capacity(own.len()), BTreeSet::new());
        for &id in &own {
            let brick = self.brick(id).ok_or(Error::NoSuchBrick { id: id.get(), bricks: self.len() })?;
            parts.push(cells.cover(&brick.footprint())?);
            around.extend(self.neighbourhood(&brick).filter(|id| !own.contains(id)));
        }
        // A cell is connected. One that touches the bricks and is not wholly in them crosses their outline, and there
        // it touches a brick next to them.
        let mut outside = Vec::with_capacity(around.len());
        for brick in around.into_iter().filter_map(|id| self.brick(id)) {
            outside.push(cells.cover(&brick.footprint())?.envelope);
        }
        let envelope = CellSet::united(parts.iter().map(|part| &part.envelope));
        Ok(Coverage {
            interior: envelope.difference(&CellSet::united(outside.iter())),
            centered: CellSet::united(parts.iter().map(|part| &part.centered)),
            envelope,
        })
    }

    /// All bricks that share a point with a brick, itself, and some more.
    fn neighbourhood(&self, brick: &Brick) -> impl Iterator<Item = BrickId> + '_ {
        let (west, east) = (brick.ra1_deg / 360.0, brick.ra2_deg / 360.0);
        (brick.row.saturating_sub(1)..=brick.row + 1).flat_map(move |row| {
            // Below 2^32, as all numbers of bricks are; none beyond the pole.
            let columns = self.columns(row as usize).unwrap_or(0) as i64;
            let first = (west * columns as f64).floor() as i64 - 1;
            let last = (east * columns as f64).ceil() as i64 + 1;
            // Once around at most.
            (first..last.min(first + columns))
                .map(move |column| self.cell(row, column.rem_euclid(columns) as u32).id)
        })
    }
}
