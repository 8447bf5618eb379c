//! The part of the circle of right ascension that some intervals take up.

/// An arc: `width_deg` degrees eastwards from `start_deg`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RaSpan {
    pub(crate) start_deg: f64,
    pub(crate) width_deg: f64,
}

impl RaSpan {
    /// How far east of the start a right ascension lies, from 0 to below 360.
    pub(crate) fn offset(&self, ra_deg: f64) -> f64 {
        let offset = (ra_deg - self.start_deg).rem_euclid(360.0);
        // A right ascension that rounding put just west of the start belongs to the start.
        if offset > 360.0 - 1e-9 { 0.0 } else { offset }
    }
}

/// The smallest arc that holds all intervals `[west, east]`, of which `east` may be below `west` (through 0): the
/// circle without its largest gap. `None` without intervals.
pub(crate) fn ra_span(intervals: impl Iterator<Item = [f64; 2]>) -> Option<RaSpan> {
    let mut arcs: Vec<[f64; 2]> = intervals
        .filter(|edges| edges.iter().all(|edge| edge.is_finite()))
        .map(|[west, east]| {
            let width = if east - west >= 360.0 { 360.0 } else { (east - west).rem_euclid(360.0) };
            let west = west.rem_euclid(360.0);
            [west, west + width]
        })
        .collect();
    arcs.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let first = *arcs.first()?;
    // What reaches beyond 360 covers the beginning as well.
    let end = arcs.iter().map(|arc| arc[1]).fold(0.0, f64::max);
    let mut reached = (end - 360.0).max(0.0).max(first[0]);
    let (mut gap, mut start) = (first[0] + 360.0 - end, first[0]);
    for [west, east] in arcs {
        if west - reached > gap {
            (gap, start) = (west - reached, west);
        }
        reached = reached.max(east);
    }
    if gap <= 0.0 {
        Some(RaSpan { start_deg: 0.0, width_deg: 360.0 })
    } else {
        Some(RaSpan { start_deg: start, width_deg: 360.0 - gap })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(intervals: &[[f64; 2]]) -> (f64, f64) {
        let RaSpan { start_deg, width_deg } = ra_span(intervals.iter().copied()).unwrap();
        (start_deg, width_deg)
    }

    #[test]
    fn the_largest_gap_is_left_out() {
        assert_eq!(span(&[[10.0, 11.0], [12.0, 13.0]]), (10.0, 3.0));
        assert_eq!(span(&[[0.0, 1.0], [358.0, 360.0]]), (358.0, 3.0));
        assert_eq!(span(&[[359.0, 1.0], [2.0, 3.0], [357.0, 358.0]]), (357.0, 6.0));
        assert_eq!(span(&[[350.0, 20.0], [10.0, 15.0]]), (350.0, 30.0));
        assert_eq!(span(&[[300.0, 301.0], [10.0, 200.0], [20.0, 30.0]]), (300.0, 260.0));
        assert_eq!(span(&[[300.0, 301.0], [10.0, 290.0], [20.0, 30.0]]), (10.0, 291.0));
        assert_eq!(span(&[[5.0, 5.0]]), (5.0, 0.0));
    }

    #[test]
    fn a_full_circle_starts_at_0() {
        assert_eq!(span(&[[0.0, 360.0]]), (0.0, 360.0));
        assert_eq!(span(&[[0.0, 180.0], [180.0, 360.0]]), (0.0, 360.0));
        assert_eq!(span(&[[90.0, 280.0], [270.0, 100.0]]), (0.0, 360.0));
        assert!(ra_span(std::iter::empty()).is_none());
        assert!(ra_span(std::iter::once([f64::NAN, 1.0])).is_none());
    }

    #[test]
    fn offsets_count_from_the_start() {
        let span = ra_span([[358.0, 2.0]].into_iter()).unwrap();
        assert_eq!((span.offset(358.0), span.offset(0.0), span.offset(1.0)), (0.0, 2.0, 3.0));
        assert_eq!(span.offset(358.0_f64.next_down()), 0.0);
    }
}
