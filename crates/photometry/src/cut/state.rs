//! Three-valued truth per row, in vectors: true, false, or not sure yet.
//!
//! The low half of a word says "true", the high half "true or unsure", each by all of its bits. So `and` and `or` are
//! bitwise, a comparison of vectors is nearly a state already, and the sum over a chunk holds both counts.

pub(crate) const TRUE: u32 = 0xffff_ffff;
pub(crate) const UNSURE: u32 = 0xffff_0000;
pub(crate) const FALSE: u32 = 0;

/// The state of a row that is surely true, or that may be; the first implies the second.
#[inline(always)]
pub(crate) fn state(sure: bool, maybe: bool) -> u32 {
    known(sure) | (known(maybe) & UNSURE)
}

/// The state of a row whose truth is sure.
#[inline(always)]
pub(crate) fn known(truth: bool) -> u32 {
    u32::from(truth).wrapping_neg()
}

/// Rows judged at a time: a few columns of it fit the first-level cache, and its counts fit 16 bits.
pub(crate) const CHUNK: usize = 1024;

/// How a result enters the states that are there already.
pub(crate) trait Join {
    fn join(old: u32, new: u32) -> u32;
    /// The state that a joined result replaces.
    const NEUTRAL: u32;
}

pub(crate) struct And;
pub(crate) struct Or;

impl Join for And {
    #[inline(always)]
    fn join(old: u32, new: u32) -> u32 {
        old & new
    }
    const NEUTRAL: u32 = TRUE;
}

impl Join for Or {
    #[inline(always)]
    fn join(old: u32, new: u32) -> u32 {
        old | new
    }
    const NEUTRAL: u32 = FALSE;
}

/// Joins the new state of each row.
#[inline(always)]
pub(crate) fn put<J: Join>(states: &mut [u32], new: impl Fn(usize) -> u32) {
    for (i, state) in states.iter_mut().enumerate() {
        *state = J::join(*state, new(i));
    }
}

pub(crate) fn put_all<J: Join>(states: &mut [u32], new: &[u32]) {
    for (state, new) in states.iter_mut().zip(new) {
        *state = J::join(*state, *new);
    }
}

/// "May be true" becomes "not surely false", and the other way round.
pub(crate) fn negate(states: &mut [u32]) {
    for state in states {
        *state = state.rotate_left(16) ^ TRUE;
    }
}

/// How many rows are true, and how many unsure.
pub(crate) fn totals(states: &[u32]) -> (u64, u64) {
    // TRUE is -1 and UNSURE is -2^16. Lanes, because one accumulator at a time waits for itself.
    let mut lanes = [0_u32; 16];
    let (groups, rest) = states.as_chunks::<16>();
    for group in groups {
        lanes.iter_mut().zip(group).for_each(|(lane, s)| *lane = lane.wrapping_sub(*s));
    }
    let sum = lanes.iter().fold(0_u32, |sum, lane| sum.wrapping_add(*lane));
    let sum = rest.iter().fold(sum, |sum, s| sum.wrapping_sub(*s));
    (u64::from(sum & 0xffff), u64::from(sum >> 16))
}
