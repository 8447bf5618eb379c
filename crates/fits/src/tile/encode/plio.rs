//! PLIO_1 (FITS 4.0, section 10.4.3): runs of equal pixels as 16-bit instructions.

/// The most pixels, or the largest step of the value, of one instruction.
const MOST: usize = 4095;

/// Pixels are below this.
pub(crate) const LIMIT: i32 = 1 << 24;

/// Appends the line list of pixels from 0 to [`LIMIT`] − 1; fails with the place of another one.
pub(crate) fn encode(pixels: &[i32], out: &mut Vec<u8>) -> Result<(), usize> {
    if let Some(at) = pixels.iter().position(|p| !(0..LIMIT).contains(p)) {
        return Err(at);
    }
    let start = out.len();
    let mut words: Vec<u16> = vec![0, 7, -100_i16 as u16, 0, 0, 0, 0];
    // The value that the reader holds.
    let mut high = 1;
    let mut rest = pixels;
    while !rest.is_empty() {
        let zeros = rest.iter().take_while(|&&p| p == 0).count();
        let value = rest.get(zeros).copied().unwrap_or(0);
        let run = rest[zeros..].iter().take_while(|&&p| p == value).count();
        rest = &rest[zeros + run..];
        instructions(zeros, run, value, &mut high, &mut words);
    }
    let length = words.len();
    (words[3], words[4]) = ((length % 32_768) as u16, (length / 32_768) as u16);
    out.reserve(2 * length);
    words.iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
    debug_assert_eq!(out.len() - start, 2 * length);
    Ok(())
}

/// Zeros and then a run of one value.
fn instructions(mut zeros: usize, mut run: usize, value: i32, high: &mut i32, words: &mut Vec<u16>) {
    let step = value - *high;
    if run > 0 && step != 0 {
        *high = value;
        if step.unsigned_abs() as usize > MOST {
            words.push(0x1000 | (value & 0xfff) as u16);
            words.push((value >> 12) as u16);
        } else {
            let code = if step < 0 { 0x3000 } else { 0x2000 };
            let single = run == 1 && zeros == 0;
            words.push(code | step.unsigned_abs() as u16 | if single { 0x4000 } else { 0 });
            if single {
                return;
            }
        }
    }
    // A single pixel may end its zeros, unless one more does not fit the instruction.
    let ends = run == 1 && zeros > 0 && !zeros.is_multiple_of(MOST);
    while zeros > 0 {
        let count = zeros.min(MOST);
        zeros -= count;
        words.push(if ends && zeros == 0 { 0x5000 | (count + 1) as u16 } else { count as u16 });
    }
    if ends {
        return;
    }
    while run > 0 {
        let count = run.min(MOST);
        run -= count;
        words.push(0x4000 | count as u16);
    }
}
