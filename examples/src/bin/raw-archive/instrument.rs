//! Which extensions a raw exposure of a camera has.

use crate::inspect::Flaw;
use coaddkit_examples::{Exit, Refused};
use coaddkit_fits::Hdu;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

const DECAM: &str = include_str!("../../../configs/decam.toml");

/// A camera: as in the file that describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    name: String,
    /// How many extensions there are, the primary HDU not counted, where their names are not known or differ between files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    /// Names of the extensions by group.
    #[serde(default)]
    extensions: BTreeMap<String, Vec<String>>,
}

impl Instrument {
    /// `decam`, `none`, or the path of a description.
    pub fn choose(text: &str) -> Result<Option<Self>, Refused> {
        match text {
            "none" => Ok(None),
            "decam" => Self::parse(DECAM).map(Some).map_err(|why| (Exit::Bug, format!("decam: {why}"))),
            path => {
                let text = std::fs::read_to_string(Path::new(path));
                let text =
                    text.map_err(|e| (Exit::of_reader(e.kind()), format!("--instrument {path}: {e}")))?;
                Self::parse(&text).map(Some).map_err(|why| (Exit::BadData, format!("{path}: {why}")))
            }
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let instrument: Self = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
        let mut seen = BTreeMap::new();
        for (group, name) in instrument.names() {
            if let Some(other) = seen.insert(normal(name), group) {
                return Err(format!("extensions.{group}: {name} stands twice, also in extensions.{other}"));
            }
        }
        match instrument.count {
            None if seen.is_empty() => Err("neither extensions nor count says what a file holds".to_owned()),
            Some(count) if !seen.is_empty() && count != seen.len() => {
                Err(format!("count is {count}, but extensions has {} names", seen.len()))
            }
            _ => Ok(instrument),
        }
    }

    /// What tells it from others: its name, and the start of a digest over all that it says.
    pub fn identity(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        let digest: String = Sha256::digest(text).iter().take(6).map(|b| format!("{b:02x}")).collect();
        format!("{} ({digest})", self.name)
    }

    fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extensions
            .iter()
            .flat_map(|(group, names)| names.iter().map(move |name| (group.as_str(), name.as_str())))
    }

    /// What the HDUs of a whole file differ in.
    pub fn compare(&self, hdus: &[Hdu]) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let wanted = 1 + self.count.unwrap_or_else(|| self.names().count());
        if hdus.len() != wanted {
            flaws.push(Flaw::of_file(format!("{} HDUs, {} has {wanted}", hdus.len(), self.name)));
        }
        if self.extensions.is_empty() {
            return flaws;
        }
        let mut open: BTreeMap<String, (&str, &str)> =
            self.names().map(|(group, name)| (normal(name), (group, name))).collect();
        let mut seen = BTreeMap::new();
        for hdu in hdus.iter().skip(1) {
            let name = normal(&hdu.name());
            let known = open.remove(&name).is_some();
            let what = match seen.insert(name.clone(), hdu.index()) {
                Some(first) if !name.is_empty() => format!("a second extension {name}, after HDU {first}"),
                _ if known => continue,
                _ if name.is_empty() => "this extension has no name".to_owned(),
                _ => format!("{} has no extension {name}", self.name),
            };
            flaws.push(Flaw { hdu: Some(hdu.index()), offset: Some(hdu.offset()), what });
        }
        let missing: Vec<String> = open.values().map(|(group, name)| format!("{name} ({group})")).collect();
        if !missing.is_empty() {
            flaws.push(Flaw::of_file(format!("missing: {}", missing.join(", "))));
        }
        flaws
    }
}

/// Names of extensions are compared without case (FITS 4.0, section 4.4.2.6) and without blanks around them.
fn normal(name: &str) -> String {
    name.trim().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decam_has_62_science_and_8_focus_ccds() {
        let decam = Instrument::choose("decam").unwrap().unwrap();
        let count = |group: &str| decam.extensions[group].len();
        assert_eq!((count("science"), count("focus"), decam.names().count()), (62, 8, 70));
        assert!(Instrument::choose("none").unwrap().is_none());
    }

    #[test]
    fn mistakes_name_the_key() {
        for (text, what) in [
            ("count = 3", "name"),
            ("name = 'X'", "neither extensions nor count"),
            ("name = 'X'\nccds = 3", "ccds"),
            ("name = 'X'\ncount = -1", "count"),
            ("name = 'X'\ncount = 2\n[extensions]\na = ['A']", "count is 2, but extensions has 1"),
            (
                "name = 'X'\n[extensions]\na = ['A']\nb = ['a']",
                "extensions.b: a stands twice, also in extensions.a",
            ),
            ("name = 'X'\n[extensions]\na = 'A'", "a = 'A'"),
        ] {
            let error = Instrument::parse(text).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
