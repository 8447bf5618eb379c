//! From the keywords of a header to a [`Wcs`].

use super::distortion::{Distortion, Polynomial, inverse};
use super::projection::Projection;
use super::sphere::{Reference, Rotation};
use super::zpn::Zpn;
use super::{KeywordValue, Wcs};
use crate::Error;
use crate::error::excerpt;

/// The FITS standard names at most this many axes in two characters, and none of them are needed beyond.
const MOST_AXES: usize = 9;
const MOST_SIP: f64 = 9.0;
const MOST_ZPN: usize = 30;

fn bad(keyword: impl Into<String>, problem: impl Into<String>) -> Error {
    Error::Keyword { keyword: keyword.into(), problem: problem.into() }
}

/// A header, through the caller's closure.
struct Header<F>(F);

impl<F: Fn(&str) -> Option<KeywordValue>> Header<F> {
    fn has(&self, keyword: &str) -> bool {
        (self.0)(keyword).is_some()
    }

    fn number(&self, keyword: &str) -> Result<Option<f64>, Error> {
        match (self.0)(keyword) {
            None => Ok(None),
            Some(KeywordValue::Number(value)) if value.is_finite() => Ok(Some(value)),
            Some(KeywordValue::Number(value)) => Err(bad(keyword, format!("{value} is not finite"))),
            Some(KeywordValue::Text(text)) => {
                Err(bad(keyword, format!("{:?} is text, a number is needed", excerpt(&text))))
            }
        }
    }

    fn text(&self, keyword: &str) -> Result<Option<String>, Error> {
        match (self.0)(keyword) {
            None => Ok(None),
            Some(KeywordValue::Text(text)) => Ok(Some(text.trim().to_owned())),
            Some(KeywordValue::Number(value)) => {
                Err(bad(keyword, format!("{value} is a number, text is needed")))
            }
        }
    }

    /// A whole number from 0 to `most`.
    fn count(&self, keyword: &str, most: f64) -> Result<Option<usize>, Error> {
        let Some(value) = self.number(keyword)? else { return Ok(None) };
        if value.fract() == 0.0 && (0.0..=most).contains(&value) {
            Ok(Some(value as usize))
        } else {
            Err(bad(keyword, format!("{value} is not a whole number from 0 to {most}")))
        }
    }

    fn parameter(&self, axis: usize, m: usize) -> Result<Option<f64>, Error> {
        self.number(&format!("PV{axis}_{m}"))
    }
}

/// What a CTYPE of a celestial axis says.
struct Ctype {
    axis: usize,
    latitude: bool,
    /// Which system of coordinates: the part that both axes share, such as `RA/DEC` or `G`.
    system: String,
    projection: String,
    sip: bool,
    text: String,
}

impl Ctype {
    /// `None` for an axis that is not celestial.
    fn parse(axis: usize, text: &str) -> Result<Option<Self>, Error> {
        let problem = |what: &str| bad(format!("CTYPE{axis}"), format!("{:?}: {what}", excerpt(text)));
        let upper = text.to_ascii_uppercase();
        let (name, rest) = upper.split_once('-').unwrap_or((&upper, ""));
        let (system, latitude) = match name {
            "RA" => ("RA/DEC", false),
            "DEC" => ("RA/DEC", true),
            _ => {
                let parts = [("LON", false), ("LAT", true), ("LN", false), ("LT", true)];
                let part = parts.iter().find_map(|(end, latitude)| {
                    let system = name.strip_suffix(end)?;
                    (name.len() == 4).then_some((system, *latitude))
                });
                match part {
                    Some(part) => part,
                    None => return Ok(None),
                }
            }
        };
        let rest = rest.trim_start_matches('-');
        if rest.is_empty() {
            return Err(problem("it names no projection"));
        }
        let (projection, sip) = match rest.split_once('-') {
            None => (rest, false),
            Some((projection, "SIP")) => (projection, true),
            Some(_) => return Err(problem("its distortion is not supported")),
        };
        let (system, projection) = (system.to_owned(), projection.to_owned());
        Ok(Some(Self { axis, latitude, system, projection, sip, text: text.to_owned() }))
    }
}

pub(super) fn read(keywords: impl Fn(&str) -> Option<KeywordValue>) -> Result<Wcs, Error> {
    let header = Header(keywords);
    let [lon, lat] = celestial_axes(&header)?;
    // Pixel axes are those of the two world axes, in the order of the image.
    let axes = [lon.axis.min(lat.axis), lon.axis.max(lat.axis)];
    let world = [lon.axis, lat.axis];
    for name in ["CPDIS", "CQDIS", "D2IMDIS"] {
        if let Some(keyword) = axes.iter().map(|axis| format!("{name}{axis}")).find(|k| header.has(k)) {
            return Err(bad(keyword, "distortions by tables are not supported"));
        }
    }

    let mut crpix = [0.0; 2];
    for (value, axis) in crpix.iter_mut().zip(axes) {
        *value = header.number(&format!("CRPIX{axis}"))?.unwrap_or(0.0);
    }
    let mut units = [1.0; 2];
    let mut crval = [0.0; 2];
    for k in 0..2 {
        units[k] = degrees_per_unit(&header, world[k])?;
        crval[k] = header.number(&format!("CRVAL{}", world[k]))?.unwrap_or(0.0) * units[k];
    }
    if crval[1].abs() > 90.0 {
        return Err(bad(format!("CRVAL{}", lat.axis), format!("latitude {} is beyond a pole", crval[1])));
    }
    let (mut matrix, first) = linear(&header, axes, world)?;
    for (row, unit) in matrix.iter_mut().zip(units) {
        row.iter_mut().for_each(|value| *value *= unit);
    }
    let from_plane =
        inverse(matrix).ok_or_else(|| bad(first, "the matrix from pixels to the sky has no inverse"))?;

    let pv_distorts = lon.projection == "TPV" || (lon.projection == "TAN" && old_tpv(&header, &lon, &lat)?);
    let (projection, distortion) = project(&header, &lon, &lat, pv_distorts)?;
    let (rotation, plane_origin) = orient(&header, &lon, crval, &projection, pv_distorts)?;
    Ok(Wcs {
        ctype: [lon.text, lat.text],
        axes,
        crpix,
        crval,
        to_plane: matrix,
        from_plane,
        distortion: distortion.map(Box::new),
        plane_origin,
        projection,
        rotation,
    })
}

/// Longitude and latitude.
fn celestial_axes<F: Fn(&str) -> Option<KeywordValue>>(header: &Header<F>) -> Result<[Ctype; 2], Error> {
    let mut found: [Option<Ctype>; 2] = [None, None];
    for axis in 1..=MOST_AXES {
        let keyword = format!("CTYPE{axis}");
        let Some(ctype) = header.text(&keyword)?.map(|text| Ctype::parse(axis, &text)).transpose()?.flatten()
        else {
            continue;
        };
        let slot = &mut found[usize::from(ctype.latitude)];
        if let Some(other) = slot {
            let kind = if ctype.latitude { "latitude" } else { "longitude" };
            return Err(bad(keyword, format!("a second {kind}, after CTYPE{}", other.axis)));
        }
        *slot = Some(ctype);
    }
    match found {
        [Some(lon), Some(lat)] => {
            let keyword = format!("CTYPE{}", lat.axis);
            if lon.system != lat.system {
                return Err(bad(keyword, format!("{:?} does not belong to {:?}", lat.text, lon.text)));
            }
            if (&lon.projection, lon.sip) != (&lat.projection, lat.sip) {
                return Err(bad(keyword, format!("{:?} is not projected as {:?}", lat.text, lon.text)));
            }
            Ok([lon, lat])
        }
        [None, None] => Err(bad("CTYPE1", "no axis is celestial with a projection")),
        [Some(one), None] | [None, Some(one)] => {
            Err(bad(format!("CTYPE{}", one.axis), format!("{:?} has no partner", one.text)))
        }
    }
}

fn degrees_per_unit<F: Fn(&str) -> Option<KeywordValue>>(
    header: &Header<F>,
    axis: usize,
) -> Result<f64, Error> {
    let keyword = format!("CUNIT{axis}");
    Ok(match header.text(&keyword)?.as_deref() {
        None | Some("" | "deg" | "degree" | "degrees" | "DEG") => 1.0,
        Some("arcmin") => 1.0 / 60.0,
        Some("arcsec") => 1.0 / 3600.0,
        Some("mas") => 1.0 / 3_600_000.0,
        Some("rad") => 1.0_f64.to_degrees(),
        Some(other) => return Err(bad(keyword, format!("{:?} is no unit of angle", excerpt(other)))),
    })
}

/// The matrix from pixels to intermediate world coordinates, rows as `world`, and the name of its first keyword.
fn linear<F: Fn(&str) -> Option<KeywordValue>>(
    header: &Header<F>,
    axes: [usize; 2],
    world: [usize; 2],
) -> Result<([[f64; 2]; 2], String), Error> {
    let all = header.count("WCSAXES", 999.0)?.max(header.count("NAXIS", 999.0)?).unwrap_or(2);
    let all = all.clamp(axes[1], MOST_AXES);
    let first_of = |name: &str| {
        world
            .into_iter()
            .flat_map(|i| (1..=all).map(move |j| (i, j)))
            .map(|(i, j)| format!("{name}{i}_{j}"))
            .find(|keyword| header.has(keyword))
    };
    let (pc, cd) = (first_of("PC"), first_of("CD"));
    if let (Some(pc), Some(cd)) = (&pc, &cd) {
        return Err(bad(pc, format!("a header has PC or CD, and this one has {cd} too")));
    }
    let name = if cd.is_some() { "CD" } else { "PC" };
    let element = |i: usize, j: usize| -> Result<f64, Error> {
        let default = if cd.is_none() && i == j { 1.0 } else { 0.0 };
        Ok(header.number(&format!("{name}{i}_{j}"))?.unwrap_or(default))
    };
    let mut matrix = [[0.0; 2]; 2];
    for (row, i) in matrix.iter_mut().zip(world) {
        for j in (1..=all).filter(|j| !axes.contains(j)) {
            if element(i, j)? != 0.0 {
                return Err(bad(format!("{name}{i}_{j}"), "the sky depends on a third pixel axis"));
            }
        }
        for (value, j) in row.iter_mut().zip(axes) {
            *value = element(i, j)?;
        }
    }
    if let Some(cd) = cd {
        return Ok((matrix, cd));
    }
    let mut scale = [1.0; 2];
    for (value, i) in scale.iter_mut().zip(world) {
        *value = header.number(&format!("CDELT{i}"))?.unwrap_or(1.0);
    }
    if pc.is_none() {
        // The older convention, with the angle on the latitude axis.
        if let Some(angle) = header.number(&format!("CROTA{}", world[1]))? {
            let (sin, cos) = super::sphere::sin_cos_deg(angle);
            let swapped = world[0] > world[1];
            let (lon_by_lat, lat_by_lon) = (-sin * scale[1] / scale[0], sin * scale[0] / scale[1]);
            matrix = if swapped {
                [[lon_by_lat, cos], [cos, lat_by_lon]]
            } else {
                [[cos, lon_by_lat], [lat_by_lon, cos]]
            };
        }
    }
    for (row, scale) in matrix.iter_mut().zip(scale) {
        row.iter_mut().for_each(|value| *value *= scale);
    }
    Ok((matrix, pc.unwrap_or_else(|| format!("CDELT{}", world[0]))))
}

/// The projection, and the distortion before it.
fn project<F: Fn(&str) -> Option<KeywordValue>>(
    header: &Header<F>,
    lon: &Ctype,
    lat: &Ctype,
    pv_distorts: bool,
) -> Result<(Projection, Option<Distortion>), Error> {
    let of_lat = |m: usize| header.parameter(lat.axis, m);
    let projection = match lon.projection.as_str() {
        "TPV" => {
            if lon.sip {
                return Err(bad(format!("CTYPE{}", lon.axis), "TPV and SIP exclude each other"));
            }
            return Ok((Projection::Tan, Some(tpv(header, lon, lat)?)));
        }
        "TAN" => Projection::Tan,
        "STG" => Projection::Stg,
        "SIN" => Projection::Sin { xi: of_lat(1)?.unwrap_or(0.0), eta: of_lat(2)?.unwrap_or(0.0) },
        "ARC" => Projection::Arc,
        "ZEA" => Projection::Zea,
        "ZPN" => {
            let coefficients =
                (0..MOST_ZPN).map(|m| Ok(of_lat(m)?.unwrap_or(0.0))).collect::<Result<_, Error>>()?;
            let zpn = Zpn::new(coefficients).ok_or_else(|| {
                bad(format!("PV{}_1", lat.axis), "the polynomial of ZPN does not rise from the pole")
            })?;
            Projection::Zpn(Box::new(zpn))
        }
        "CAR" => Projection::Car,
        "CEA" => {
            let lambda = of_lat(1)?.unwrap_or(1.0);
            if !(lambda > 0.0 && lambda <= 1.0) {
                return Err(bad(
                    format!("PV{}_1", lat.axis),
                    format!("{lambda} is not above 0 and at most 1"),
                ));
            }
            Projection::Cea { lambda }
        }
        "MER" => Projection::Mer,
        "SFL" | "GLS" => Projection::Sfl,
        "AIT" => Projection::Ait,
        "MOL" => Projection::Mol,
        "HPX" => {
            let whole = |m: usize, default: f64| {
                let value = of_lat(m)?.unwrap_or(default);
                if value.fract() == 0.0 && (1.0..=1000.0).contains(&value) {
                    Ok(value)
                } else {
                    Err(bad(format!("PV{}_{m}", lat.axis), format!("{value} is not a whole number from 1")))
                }
            };
            Projection::Hpx { h: whole(1, 4.0)?, k: whole(2, 3.0)? }
        }
        other => {
            let problem =
                format!("{:?}: projection {:?} is not supported", excerpt(&lon.text), excerpt(other));
            return Err(bad(format!("CTYPE{}", lon.axis), problem));
        }
    };
    // Where a TAN has both, they describe the same distortion twice, and SIP is the standing convention.
    match sip(header)? {
        None if pv_distorts => Ok((projection, Some(tpv(header, lon, lat)?))),
        sip => Ok((projection, sip)),
    }
}

fn sip<F: Fn(&str) -> Option<KeywordValue>>(header: &Header<F>) -> Result<Option<Distortion>, Error> {
    let (a, b) = (header.count("A_ORDER", MOST_SIP)?, header.count("B_ORDER", MOST_SIP)?);
    let (a, b) = match (a, b) {
        (None, None) => return Ok(None),
        (Some(a), Some(b)) => (a, b),
        (Some(_), None) => return Err(bad("B_ORDER", "absent, though there is A_ORDER")),
        (None, Some(_)) => return Err(bad("A_ORDER", "absent, though there is B_ORDER")),
    };
    let polynomial = |name: char, order: usize| {
        Polynomial::new(order, |p, q| Ok(header.number(&format!("{name}_{p}_{q}"))?.unwrap_or(0.0)))
    };
    Ok(Some(Distortion::Sip([polynomial('A', a)?, polynomial('B', b)?])))
}

/// Whether PV of a plain TAN are distortions, as SCAMP once wrote them: parameters that TAN cannot have.
fn old_tpv<F: Fn(&str) -> Option<KeywordValue>>(
    header: &Header<F>,
    lon: &Ctype,
    lat: &Ctype,
) -> Result<bool, Error> {
    for axis in [lon.axis, lat.axis] {
        for m in 5..TPV_COUNT {
            if header.parameter(axis, m)?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

const TPV_DEGREE: usize = 7;
const TPV_COUNT: usize = 40;

fn tpv<F: Fn(&str) -> Option<KeywordValue>>(
    header: &Header<F>,
    lon: &Ctype,
    lat: &Ctype,
) -> Result<Distortion, Error> {
    let axis = |axis: usize, latitude: bool| {
        let value = |m: usize| {
            let default = if m == 1 { 1.0 } else { 0.0 };
            Ok(header.parameter(axis, m)?.unwrap_or(default))
        };
        // Of each degree the powers of the axis' own coordinate come first; after an odd degree, the radius.
        let polynomial = Polynomial::new(TPV_DEGREE, |p, q| {
            let (degree, other) = (p + q, if latitude { p } else { q });
            value(degree * (degree + 1) / 2 + degree / 2 + other)
        })?;
        Ok::<_, Error>((polynomial, [value(3)?, value(11)?, value(23)?, value(39)?]))
    };
    if let Some(keyword) =
        [lon.axis, lat.axis].iter().map(|axis| format!("PV{axis}_{TPV_COUNT}")).find(|k| header.has(k))
    {
        return Err(bad(keyword, "TPV ends with parameter 39"));
    }
    Ok(Distortion::Tpv([axis(lon.axis, false)?, axis(lat.axis, true)?]))
}

/// The rotation, and where in the plane (in radians) the reference point lies.
fn orient<F: Fn(&str) -> Option<KeywordValue>>(
    header: &Header<F>,
    lon: &Ctype,
    crval: [f64; 2],
    projection: &Projection,
    pv_distorts: bool,
) -> Result<(Rotation, [f64; 2]), Error> {
    // Parameters 0 to 4 of the longitude axis move the reference point and the poles.
    let parameter = |m: usize| if pv_distorts { Ok(None) } else { header.parameter(lon.axis, m) };
    let native = [parameter(1)?.unwrap_or(0.0), parameter(2)?.unwrap_or(projection.theta0_deg())];
    if native[1].abs() > 90.0 {
        return Err(bad(format!("PV{}_2", lon.axis), format!("latitude {} is beyond a pole", native[1])));
    }
    let lonpole = match parameter(3)? {
        None => header.number("LONPOLE")?,
        given => given,
    };
    let latpole = match parameter(4)? {
        None => header.number("LATPOLE")?,
        given => given,
    };
    let rotation = Rotation::new(Reference { crval, native, lonpole, latpole })?;
    if parameter(0)?.unwrap_or(0.0) == 0.0 {
        return Ok((rotation, [0.0; 2]));
    }
    let ((sin_phi, cos_phi), (sin_theta, cos_theta)) =
        (super::sphere::sin_cos_deg(native[0]), super::sphere::sin_cos_deg(native[1]));
    let origin = projection.plane([cos_theta * cos_phi, cos_theta * sin_phi, sin_theta]);
    let problem = || bad(format!("PV{}_1", lon.axis), "the projection does not reach the reference point");
    Ok((rotation, origin.ok_or_else(problem)?))
}
