//! Which negatives are easily confused with lenses.

use super::config::{Compat, Criteria, EdgeOn, SamplingConfig, Types};

/// What classes are judged by, in the precision that is stored; NaN where not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    pub flux_r: f32,
    pub mag_r: f32,
    pub g_minus_r: f32,
    pub shape_r: f32,
    pub shape_e1: f32,
    pub shape_e2: f32,
    pub sersic: f32,
}

/// Names of the classes, in the order in which they are tried.
pub(super) const CATEGORIES: [&str; 4] = ["ring_proxy", "edge_on_proxy", "blue_clumpy", "large_galaxy"];

/// The classes for galaxies of known types.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    criteria: Criteria,
    /// Whether each type of the configuration may be a ring, and thin.
    rings: Vec<Option<bool>>,
    thin: Vec<bool>,
}

impl Classes {
    pub fn new(config: &SamplingConfig, compat: Option<Compat>) -> Self {
        let criteria =
            compat.map_or_else(|| config.negative_pools.pool_n2.tractor_criteria.clone(), Compat::criteria);
        let types = &config.negative_pools.pool_n1.galaxy_types;
        // For type SER the Sersic index decides, where the configuration has a limit for it.
        let ring = |name: &String| {
            let needs_sersic = name == "SER" && criteria.ring_proxy.sersic_min.is_some();
            criteria.ring_proxy.types.has(name).then_some(needs_sersic)
        };
        let rings = types.iter().map(ring).collect();
        let thin = types.iter().map(|name| criteria.edge_on_proxy.types.has(name)).collect();
        Self { criteria, rings, thin }
    }

    /// Types that a class names but no negative has.
    pub fn idle_types(&self, types: &[String]) -> Vec<String> {
        let idle = |class: &str, of: &Types| -> Vec<String> {
            let names = of.names().iter().filter(|name| !types.contains(name));
            names.map(|name| format!("{class} names type {name}, which galaxy_types leaves out")).collect()
        };
        [
            idle("ring_proxy", &self.criteria.ring_proxy.types),
            idle("edge_on_proxy", &self.criteria.edge_on_proxy.types),
        ]
        .concat()
    }

    /// The class of a galaxy, if it has one. `kind` counts the types of the configuration. What is not known fails every
    /// limit.
    pub fn of(&self, kind: usize, t: &Traits) -> Option<usize> {
        let Criteria { ring_proxy, edge_on_proxy, blue_clumpy_proxy, large_galaxy_proxy } = &self.criteria;
        // Limits in the precision of the columns: a radius that is written 1.8 is 1.8.
        let least = |value: f32, limit: f64| value >= limit as f32;
        let ring = match self.rings.get(kind).copied().flatten() {
            Some(true) => ring_proxy.sersic_min.is_some_and(|min| least(t.sersic, min)),
            Some(false) => true,
            None => false,
        };
        if ring && least(t.flux_r, ring_proxy.flux_r_min) {
            return Some(0);
        }
        if self.thin.get(kind) == Some(&true) && is_thin(edge_on_proxy, t) {
            return Some(1);
        }
        let most = |value: f32, limit: f64| value <= limit as f32;
        if most(t.g_minus_r, blue_clumpy_proxy.g_minus_r_max) && most(t.mag_r, blue_clumpy_proxy.r_mag_max) {
            return Some(2);
        }
        let large =
            |l: &super::config::Large| least(t.shape_r, l.shape_r_min) && least(t.flux_r, l.flux_r_min);
        large_galaxy_proxy.as_ref().is_some_and(large).then_some(3)
    }
}

fn is_thin(rule: &EdgeOn, t: &Traits) -> bool {
    let radius = |limit: f64| t.shape_r >= limit as f32;
    let Some(min) = rule.ellipticity_min else { return radius(rule.shape_r_min) };
    let (e1, e2) = (f64::from(t.shape_e1), f64::from(t.shape_e2));
    let ellipticity = (e1 * e1 + e2 * e2).sqrt();
    if ellipticity.is_nan() {
        return rule.shape_r_min_legacy.is_some_and(radius);
    }
    ellipticity >= min && radius(rule.shape_r_min)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Traits = Traits {
        flux_r: 1.0,
        mag_r: 22.5,
        g_minus_r: 1.0,
        shape_r: 0.5,
        shape_e1: 0.0,
        shape_e2: 0.0,
        sersic: 1.0,
    };

    fn classes(compat: Option<Compat>) -> Classes {
        Classes::new(&super::super::tests::config(), compat)
    }

    #[test]
    fn classes_of_the_configuration_and_of_both_days() {
        let (ser, dev, rex) = (0, 1, 2);
        let (now, old, mid) =
            (classes(None), classes(Some(Compat::D20260207)), classes(Some(Compat::D20260209)));
        let all = |kind: usize, t: Traits| [&now, &old, &mid].map(|c| c.of(kind, &t).map(|i| CATEGORIES[i]));
        assert_eq!(all(ser, NOTHING), [None; 3]);
        let bright = Traits { flux_r: 5.0, ..NOTHING };
        assert_eq!(all(dev, bright), [Some("ring_proxy"), None, Some("ring_proxy")]);
        assert_eq!(all(dev, Traits { flux_r: 10.0, ..NOTHING }), [Some("ring_proxy"); 3]);
        assert_eq!(all(ser, Traits { sersic: 4.0, ..bright }), [Some("ring_proxy"), None, None]);
        assert_eq!(all(ser, Traits { sersic: 3.99, ..bright }), [None; 3]);
        let thin = Traits { shape_e1: 0.3, shape_e2: -0.4, shape_r: 0.7, ..NOTHING };
        assert_eq!(all(ser, thin), [Some("edge_on_proxy"), None, None]);
        assert_eq!(all(rex, thin), [None; 3]);
        let unknown = Traits { shape_e1: f32::NAN, shape_r: 1.8, ..NOTHING };
        assert_eq!(all(dev, unknown), [Some("edge_on_proxy"), None, Some("edge_on_proxy")]);
        let blue = Traits { g_minus_r: 0.3, mag_r: 20.5, ..NOTHING };
        assert_eq!(all(rex, blue), [Some("blue_clumpy"), None, Some("blue_clumpy")]);
        assert_eq!(all(rex, Traits { mag_r: 19.0, ..blue }), [Some("blue_clumpy"); 3]);
        let large = Traits { shape_r: 2.0, flux_r: 3.0, ..NOTHING };
        assert_eq!(all(rex, large), [Some("large_galaxy"), None, Some("large_galaxy")]);
        assert_eq!(all(rex, Traits { flux_r: f32::NAN, ..large }), [None; 3]);
    }
}
