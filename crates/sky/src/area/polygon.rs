//! Polygons.

use std::f64::consts::PI;

use super::{Arc, Area, outlined::Outlined};
use crate::sphere::{UNIT_ERROR, Vector, angle, cross, dot, minus, normal, times, unit};
use crate::{Error, SkyCoord};

/// An area within great circles between successive corners, edges included.
///
/// The inside is the smaller of the two parts into which the outline cuts the sphere, whichever way round the
/// corners are given. The outline may be concave and may go around a pole, but not touch or cross itself.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Area, Polygon, SkyCoord};
///
/// let at = |(ra, dec)| SkyCoord::from_degrees(ra, dec);
/// let corners = [(359.0, -1.0), (1.0, -1.0), (1.0, 1.0), (359.0, 1.0)].map(at);
/// let polygon = Polygon::new(&corners.into_iter().collect::<Result<Vec<_>, _>>()?)?;
/// assert!(polygon.contains(at((0.0, 0.9))?));
/// // Great circles bulge away from the equator, parallels do not.
/// assert!(polygon.contains(at((0.0, 1.00001))?));
/// assert!(!polygon.contains(at((180.0, 0.0))?));
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    corners: Vec<SkyCoord>,
    edges: Vec<Edge>,
    /// The frame whose z axis is far from the outline, at either end.
    axes: [Vector; 3],
    axis_inside: bool,
    area: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Edge {
    from: Vector,
    to: Vector,
    normal: Vector,
    /// Azimuths of the two ends about the axis.
    azimuth: [f64; 2],
}

impl Polygon {
    /// The polygon with these corners, at least three; the last is joined to the first.
    ///
    /// # Errors
    ///
    /// [`Error::Polygon`] says what is wrong: fewer than three corners, neighbouring corners that are equal or opposite
    /// on the sphere, edges that touch or cross, or two parts of the same size.
    pub fn new(corners: &[SkyCoord]) -> Result<Self, Error> {
        let bad = |problem, corner| Error::Polygon { problem, corner };
        if corners.len() < 3 {
            return Err(bad("it needs three corners", corners.len()));
        }
        let points: Vec<Vector> = corners.iter().map(|&corner| unit(corner)).collect();
        let mut edges = Vec::with_capacity(points.len());
        for (i, &from) in points.iter().enumerate() {
            let to = points[(i + 1) % points.len()];
            let length = angle(from, to);
            if length < 8.0 * UNIT_ERROR {
                return Err(bad("the corner equals the next one", i));
            }
            // The great circle between nearly opposite points is a matter of rounding.
            let normal = normal(from, to).filter(|_| length < PI - 1e-9);
            let normal = normal.ok_or_else(|| bad("the corner is opposite to the next one", i))?;
            edges.push(Edge { from, to, normal, azimuth: [0.0; 2] });
        }
        if let Some(i) = crossing(&edges) {
            return Err(bad("the edge from the corner touches or crosses another", i));
        }
        let axes = far_axes(&edges);
        for edge in &mut edges {
            edge.azimuth = [edge.from, edge.to].map(|point| azimuth(&axes, point));
        }
        let (area, turns) = swept(&edges, &axes);
        let area = area.abs();
        if (area - 2.0 * PI).abs() < 1e-9 {
            return Err(bad("both parts of the sphere have the same size", 0));
        }
        if area.min(4.0 * PI - area) < 1e-30 {
            return Err(bad("it has no area", 0));
        }
        // Without a turn around the axis the sum is the part without the axis, else the part with it.
        let axis_inside = (area < 2.0 * PI) == (turns != 0);
        Ok(Self { corners: corners.to_vec(), edges, axes, axis_inside, area: area.min(4.0 * PI - area) })
    }

    /// The corners, as they were given.
    pub fn corners(&self) -> &[SkyCoord] {
        &self.corners
    }

    /// Area on the sphere, in square degrees.
    pub fn area_deg2(&self) -> f64 {
        self.area * (180.0 / PI).powi(2)
    }
}

impl Area for Polygon {
    fn contains(&self, position: SkyCoord) -> bool {
        let point = unit(position);
        let at = azimuth(&self.axes, point);
        let mut inside = self.axis_inside;
        for edge in &self.edges {
            let height = dot(edge.normal, point);
            // On the edge itself, to within rounding.
            if height.abs() <= UNIT_ERROR
                && dot(cross(edge.normal, edge.from), point) >= 0.0
                && dot(cross(edge.to, edge.normal), point) >= 0.0
            {
                return true;
            }
            // Does the way from the point to the axis, along its meridian, cross the edge? Azimuths are compared as they
            // are, so that a corner on the meridian counts once.
            let [from, to] = edge.azimuth.map(|azimuth| ahead(azimuth - at));
            let passes = (from >= 0.0) != (to >= 0.0) && (from - to).abs() < PI;
            let eastwards = to > from;
            // North of the edge is left of it on the way east.
            if passes && (height < 0.0) == eastwards {
                inside = !inside;
            }
        }
        inside
    }
}

impl Outlined for Polygon {
    fn outline(&self) -> Vec<Arc> {
        let arcs = self.edges.iter().zip(&self.corners);
        arcs.map(|(edge, &corner)| Arc::between([edge.from, edge.to], edge.normal, corner)).collect()
    }
}

/// An angle brought to -π to π.
fn ahead(angle: f64) -> f64 {
    if angle > PI {
        angle - 2.0 * PI
    } else if angle < -PI {
        angle + 2.0 * PI
    } else {
        angle
    }
}

fn azimuth(axes: &[Vector; 3], point: Vector) -> f64 {
    dot(axes[1], point).atan2(dot(axes[0], point))
}

/// The index of an edge that meets another one than its neighbours, or folds back on its neighbour.
fn crossing(edges: &[Edge]) -> Option<usize> {
    // Edges sorted by their lowest z, and compared while those overlap.
    let heights = |edge: &Edge| {
        // A great circle reaches √(1 - n_z²) if its highest point lies on the edge; that much is always enough.
        let top = (1.0 - edge.normal[2] * edge.normal[2]).max(0.0).sqrt();
        let (low, high) = (edge.from[2].min(edge.to[2]), edge.from[2].max(edge.to[2]));
        let turns = |sign: f64| {
            let peak = [-edge.normal[2] * edge.normal[0], -edge.normal[2] * edge.normal[1], top * top]
                .map(|x| x * sign);
            dot(cross(edge.normal, edge.from), peak) > 0.0 && dot(cross(edge.to, edge.normal), peak) > 0.0
        };
        let low = if turns(-1.0) { -top } else { low };
        let high = if turns(1.0) { top } else { high };
        (low - 4.0 * UNIT_ERROR, high + 4.0 * UNIT_ERROR)
    };
    let mut sorted: Vec<_> = edges.iter().map(heights).zip(0..edges.len()).collect();
    sorted.sort_by(|a, b| a.0.0.total_cmp(&b.0.0));
    for (k, &((_, high), i)) in sorted.iter().enumerate() {
        for &(_, j) in sorted[k + 1..].iter().take_while(|((low, _), _)| *low <= high) {
            let n = edges.len();
            let meet = if (i + 1) % n == j {
                folded(&edges[i], &edges[j])
            } else if (j + 1) % n == i {
                folded(&edges[j], &edges[i])
            } else {
                meet(&edges[i], &edges[j])
            };
            if meet {
                return Some(i.min(j));
            }
        }
    }
    None
}

/// Whether an edge runs back along the one before it.
fn folded(first: &Edge, second: &Edge) -> bool {
    let along = cross(second.normal, second.from);
    dot(first.normal, along).abs() <= 4.0 * UNIT_ERROR && dot(cross(first.normal, first.to), along) < 0.0
}

/// Whether two edges have a point in common, to within rounding.
fn meet(a: &Edge, b: &Edge) -> bool {
    let tiny = 4.0 * UNIT_ERROR;
    let sides = |edge: &Edge, other: &Edge| [dot(edge.normal, other.from), dot(edge.normal, other.to)];
    let apart = |[x, y]: [f64; 2]| (x > tiny && y > tiny) || (x < -tiny && y < -tiny);
    let (of_b, of_a) = (sides(a, b), sides(b, a));
    if apart(of_b) || apart(of_a) {
        return false;
    }
    // The circles cross at a point and its opposite, and each edge holds at most one of them; or an end lies on the
    // other circle, and then on the edge or not.
    let on = |edge: &Edge, point: Vector| {
        dot(edge.normal, point).abs() <= tiny
            && dot(cross(edge.normal, edge.from), point) >= -tiny
            && dot(cross(edge.to, edge.normal), point) >= -tiny
    };
    if on(a, b.from) || on(a, b.to) || on(b, a.from) || on(b, a.to) {
        return true;
    }
    let crosses = cross(a.normal, b.normal);
    let within = |edge: &Edge, point: Vector| {
        dot(cross(edge.normal, edge.from), point) > 0.0 && dot(cross(edge.to, edge.normal), point) > 0.0
    };
    [1.0, -1.0].iter().any(|&sign| {
        let point = times(crosses, sign);
        within(a, point) && within(b, point)
    })
}

/// A frame whose z axis, at both ends, is as far from the outline as any of a few.
fn far_axes(edges: &[Edge]) -> [Vector; 3] {
    let mut best = ([0.0, 0.0, 1.0], -1.0);
    for (x, y, z) in (-2..=2).flat_map(|x| (-2..=2).flat_map(move |y| (0..=2).map(move |z| (x, y, z)))) {
        // Odd multiples, so that none of the directions is a round number that corners like.
        let v = [f64::from(x) + 0.137, f64::from(y) + 0.219, f64::from(z) + 0.173];
        let axis = times(v, 1.0 / dot(v, v).sqrt());
        let distance = |edge: &Edge| {
            let arc = Arc::between([edge.from, edge.to], edge.normal, SkyCoord::from_valid(0.0, 0.0));
            arc.distance(axis).min(arc.distance(times(axis, -1.0)))
        };
        let distance = edges.iter().map(distance).fold(f64::INFINITY, f64::min);
        if distance > best.1 {
            best = (axis, distance);
        }
    }
    let z = best.0;
    let side = if z[0].abs() < 0.5 { [1.0, 0.0, 0.0] } else { [0.0, 1.0, 0.0] };
    let x = minus(side, times(z, dot(z, side)));
    let x = times(x, 1.0 / dot(x, x).sqrt());
    [x, cross(z, x), z]
}

/// The signed area between the outline and the axis, and how often the outline goes around it.
fn swept(edges: &[Edge], axes: &[Vector; 3]) -> (f64, i64) {
    let (mut area, mut azimuth) = (0.0, 0.0);
    for edge in edges {
        let turn = ahead(edge.azimuth[1] - edge.azimuth[0]);
        azimuth += turn;
        // The spherical triangle of the axis and the edge, by half-angles of the two sides from the axis.
        let half = |point: Vector| (angle(point, axes[2]) / 2.0).sin_cos();
        let ((s1, c1), (s2, c2)) = (half(edge.from), half(edge.to));
        let (sine, cosine) = turn.sin_cos();
        area += 2.0 * (s1 * s2 * sine).atan2(c1 * c2 + s1 * s2 * cosine);
    }
    // A whole number to within rounding.
    (area, (azimuth / (2.0 * PI)).round() as i64)
}
