//! A second, slow reading of the documented meaning of cuts: no code is shared with the crate.

use proptest::prelude::*;

/// Columns 0..3 are fluxes, 3..6 their transmissions.
pub const NAMES: [&str; 6] =
    ["flux_r", "flux_z", "flux_w1", "mw_transmission_r", "mw_transmission_z", "mw_transmission_w1"];

#[derive(Debug, Clone)]
pub enum Num {
    Value(f64),
    Column(usize),
    Mag(Box<Num>),
    Demag(usize),
    Abs(Box<Num>),
    Neg(Box<Num>),
    Binary(char, Box<Num>, Box<Num>),
}

#[derive(Debug, Clone)]
pub enum Cond {
    Compare(&'static str, Num, Num),
    IsNan(Num),
    And(Box<Cond>, Box<Cond>),
    Or(Box<Cond>, Box<Cond>),
    Not(Box<Cond>),
}

fn mag(x: f64) -> f64 {
    if x > 0.0 { 22.5 - 2.5 * libm::log10(x) } else { f64::NAN }
}

impl Num {
    pub fn text(&self) -> String {
        match self {
            Num::Value(v) => format!("{v:?}"),
            Num::Column(c) => NAMES[*c].to_uppercase(),
            Num::Mag(x) => format!("mag({})", x.text()),
            Num::Demag(c) => format!("demag({})", NAMES[*c]),
            Num::Abs(x) => format!("abs({})", x.text()),
            Num::Neg(x) => format!("-({})", x.text()),
            Num::Binary(op, a, b) => format!("({}) {op} ({})", a.text(), b.text()),
        }
    }

    pub fn value(&self, row: &[f64; 6]) -> f64 {
        match self {
            Num::Value(v) => *v,
            Num::Column(c) => row[*c],
            Num::Mag(x) => mag(x.value(row)),
            Num::Demag(c) => mag(row[*c] / row[*c + 3]),
            Num::Abs(x) => x.value(row).abs(),
            Num::Neg(x) => -x.value(row),
            Num::Binary(op, a, b) => {
                let (a, b) = (a.value(row), b.value(row));
                match op {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    _ => a / b,
                }
            }
        }
    }
}

impl Cond {
    pub fn text(&self) -> String {
        match self {
            Cond::Compare(op, a, b) => format!("{} {op} {}", a.text(), b.text()),
            Cond::IsNan(x) => format!("is_nan({})", x.text()),
            Cond::And(a, b) => format!("({}) & ({})", a.text(), b.text()),
            Cond::Or(a, b) => format!("({}) || ({})", a.text(), b.text()),
            Cond::Not(c) => format!("!({})", c.text()),
        }
    }

    pub fn truth(&self, row: &[f64; 6]) -> bool {
        match self {
            Cond::Compare(op, a, b) => {
                let (a, b) = (a.value(row), b.value(row));
                match *op {
                    "<" => a < b,
                    "<=" => a <= b,
                    ">" => a > b,
                    ">=" => a >= b,
                    "==" => a == b,
                    _ => a != b && !a.is_nan() && !b.is_nan(),
                }
            }
            Cond::IsNan(x) => x.value(row).is_nan(),
            Cond::And(a, b) => a.truth(row) && b.truth(row),
            Cond::Or(a, b) => a.truth(row) || b.truth(row),
            Cond::Not(c) => !c.truth(row),
        }
    }
}

/// So many cases, or what PROPTEST_CASES says, and no file of failures beside the sources: a failure prints its input.
pub fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    ProptestConfig { cases, failure_persistence: None, ..default }
}

const OPS: [&str; 6] = ["<", "<=", ">", ">=", "==", "!="];

fn constant() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => prop::sample::select(vec![0.0, 0.3, 0.4, 0.5, 0.8, 1.0, 1.2, 1.6, 2.0, 2.5, 20.0, 20.4, 21.0, 22.5]),
        1 => -30.0..30.0_f64,
        1 => prop::sample::select(vec![1e-9, 1e9, 1e300, 1e-300, 1e308, 5e-324]),
    ]
}

pub fn num() -> impl Strategy<Value = Num> {
    let leaf = prop_oneof![
        2 => constant().prop_map(Num::Value),
        1 => (0..6_usize).prop_map(Num::Column),
        2 => (0..3_usize).prop_map(|c| Num::Mag(Box::new(Num::Column(c)))),
        2 => (0..3_usize).prop_map(Num::Demag),
        1 => (0..3_usize).prop_map(|c| {
            let quotient = Num::Binary('/', Box::new(Num::Column(c)), Box::new(Num::Column(c + 3)));
            Num::Mag(Box::new(quotient))
        }),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            6 => (prop::sample::select(vec!['+', '-', '*', '/']), inner.clone(), inner.clone())
                .prop_map(|(op, a, b)| Num::Binary(op, Box::new(a), Box::new(b))),
            1 => inner.clone().prop_map(|x| Num::Abs(Box::new(x))),
            1 => inner.clone().prop_map(|x| Num::Neg(Box::new(x))),
            1 => inner.prop_map(|x| Num::Mag(Box::new(x))),
        ]
    })
}

/// A magnitude against a limit, a colour against a limit, or a straight line in two colours.
fn typical() -> impl Strategy<Value = Cond> {
    let mag = prop_oneof![
        (0..3_usize).prop_map(|c| Num::Mag(Box::new(Num::Column(c)))),
        (0..3_usize).prop_map(Num::Demag),
    ];
    let minus = |a, b| Num::Binary('-', Box::new(a), Box::new(b));
    let op = prop::sample::select(OPS.to_vec());
    let limit = prop::sample::select(vec![0.3, 0.4, 0.5, 0.8, 1.6, 20.0, 20.4, 21.0, 21.5]);
    (op, mag.clone(), mag.clone(), mag.clone(), mag, limit, 0..4_u8).prop_map(
        move |(op, a, b, c, d, limit, kind)| match kind {
            0 => Cond::Compare(op, a, Num::Value(limit)),
            1 => Cond::Compare(op, minus(a, b), Num::Value(limit)),
            2 => {
                let slope = Num::Binary('*', Box::new(Num::Value(-1.2)), Box::new(minus(c, d)));
                let line = Num::Binary('+', Box::new(slope), Box::new(Num::Value(limit)));
                Cond::Compare(op, minus(a, b), line)
            }
            _ => Cond::Compare(op, Num::Value(limit), Num::Abs(Box::new(minus(a, b)))),
        },
    )
}

pub fn cond() -> impl Strategy<Value = Cond> {
    let leaf = prop_oneof![
        4 => typical(),
        3 => (prop::sample::select(OPS.to_vec()), num(), num()).prop_map(|(op, a, b)| Cond::Compare(op, a, b)),
        1 => num().prop_map(Cond::IsNan),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Cond::And(Box::new(a), Box::new(b))),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Cond::Or(Box::new(a), Box::new(b))),
            1 => inner.prop_map(|c| Cond::Not(Box::new(c))),
        ]
    })
}

/// The float `ulps` steps away from `x`.
pub fn nudge(x: f32, ulps: i32) -> f32 {
    if x.is_finite() { f32::from_bits(x.to_bits().wrapping_add_signed(ulps)) } else { x }
}

/// Fluxes and transmissions, most of them so that some usual limit is met to within a few ulps.
pub fn row() -> impl Strategy<Value = [f32; 6]> {
    let limits = vec![20.0, 20.4, 21.0, 21.5, 22.5];
    let colours = vec![0.0, 0.3, -0.3, 0.4, -0.4, 0.5, 0.8, -0.8, 1.6, -1.6];
    let transmission = || {
        prop_oneof![
            8 => 0.3..1.0_f32,
            4 => Just(1.0_f32),
            1 => prop::sample::select(vec![
                0.0, -0.0, -0.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, 1e-10, 1e10, f32::MAX
            ]),
        ]
    };
    let odd = prop::sample::select(vec![
        0.0,
        -0.0,
        -1.5,
        f32::NAN,
        -f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e-45,
        1e-40,
        1e-20,
        1e-18,
        1e17,
        1e30,
        f32::MAX,
        f32::MIN_POSITIVE,
        -1e-40,
    ]);
    let ulps = -4..=4_i32;
    (
        (prop::sample::select(limits), -6.0..2.0_f64, any::<bool>()),
        [prop::sample::select(colours.clone()), prop::sample::select(colours)],
        [transmission(), transmission(), transmission()],
        [ulps.clone(), ulps.clone(), ulps],
        prop::option::weighted(0.2, (0..3_usize, odd)),
        (any::<bool>(), prop_oneof![12 => Just(0), 1 => -150..128_i32]),
    )
        .prop_map(|((limit, scatter, at_limit), [rz, zw], mw, ulps, odd, (dusty, scale))| {
            let z = if at_limit { limit } else { limit + scatter };
            let mut row = [0.0; 6];
            for (k, mag) in [z + rz, z, z - zw].into_iter().enumerate() {
                let flux = 10.0_f64.powf((22.5 - mag) / 2.5) * if dusty { f64::from(mw[k]) } else { 1.0 };
                // Colours stay as they are when all three become tiny or huge.
                row[k] = nudge((flux * f64::from(scale).exp2()) as f32, ulps[k]);
                row[k + 3] = mw[k];
            }
            if let Some((k, x)) = odd {
                row[k] = x;
            }
            row
        })
}
