//! The checkpoint of the earlier runner.

use crate::alerts::alert;
use crate::inventory::Pixel;
use coaddkit_examples::{Exit, Refused, Run};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The pixels of the inventory that a `completed_tiles.txt` says are done. It knows numbers only: where programs share
/// a number it does not say which of them was done, and they are all done again.
pub fn read(file: &Path, pixels: &[Pixel], run: &mut Run) -> Result<HashSet<String>, Refused> {
    let at = |what: &dyn std::fmt::Display| format!("{}: {what}", file.display());
    let text = std::fs::read_to_string(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => (Exit::BadData, at(&e)),
        kind => (Exit::of_reader(kind), at(&e)),
    })?;
    let mut by_number: HashMap<u32, Vec<String>> = HashMap::new();
    for pixel in pixels {
        let name = pixel.to_string();
        let number = name.rsplit('/').next().and_then(|number| number.parse().ok());
        by_number.entry(number.unwrap_or_default()).or_default().push(name);
    }
    let mut numbers = HashSet::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let pixel: u32 =
            line.trim().parse().map_err(|e| (Exit::BadData, at(&format!("line {number}: {line:?}: {e}"))))?;
        numbers.insert(pixel);
    }
    let (mut done, mut shared, mut unknown) = (HashSet::new(), 0_u32, 0_u32);
    for number in numbers {
        match by_number.get(&number).map(Vec::as_slice) {
            Some([one]) => drop(done.insert(one.clone())),
            Some(_) => shared += 1,
            None => unknown += 1,
        }
    }
    if shared > 0 {
        alert(run, "completed_shared", f64::from(shared), "0 numbers that several programs have");
    }
    if unknown > 0 {
        alert(run, "completed_unknown", f64::from(unknown), "0 numbers that the inventory lacks");
    }
    Ok(done)
}
