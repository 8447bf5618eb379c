use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::job::hex;

/// Everything that decides what a run gives: inputs, configuration, code version, seeds.
///
/// It is kept field by field, so that a run that goes on with something else is refused with what differs.
/// Fields of a configuration are named as in JSON Pointer (RFC 6901): `config/bounds/min`.
///
/// ```
/// use coaddkit_tasks::RunKey;
/// # #[derive(serde::Serialize)]
/// # struct Options { bounds: [f64; 2] }
///
/// let one = RunKey::new().code("1.0").config(&Options { bounds: [3600.0, 9800.0] })?;
/// let two = RunKey::new().code("1.0").config(&Options { bounds: [3700.0, 9800.0] })?;
/// assert_ne!(one.digest(), two.digest());
/// let differences = one.differences(&two);
/// assert_eq!(differences[0].to_string(), "config/bounds/0 was 3600.0, is 3700.0");
/// # Ok::<(), coaddkit_tasks::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunKey {
    /// Values as JSON text.
    fields: BTreeMap<String, String>,
}

/// A field that two runs do not have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Its name.
    pub field: String,
    /// What it was, as JSON.
    pub was: Option<String>,
    /// What it is, as JSON.
    pub is: Option<String>,
}

impl RunKey {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version of the code that runs.
    pub fn code(self, version: impl Display) -> Self {
        self.set("code", &Value::from(version.to_string()))
    }

    /// An input that the whole run depends on, and its digest.
    pub fn input(self, name: &str, digest: impl Display) -> Self {
        self.set(&format!("inputs/{}", escaped(name)), &Value::from(digest.to_string()))
    }

    /// A seed.
    pub fn seed(self, name: &str, seed: u64) -> Self {
        self.set(&format!("seeds/{}", escaped(name)), &Value::from(seed))
    }

    /// All parameters, defaults included.
    ///
    /// # Errors
    ///
    /// A configuration that cannot be JSON.
    pub fn config(self, config: &impl Serialize) -> Result<Self, Error> {
        let value = serde_json::to_value(config).map_err(|e| Error::usage("configuration", e))?;
        Ok(self.flatten("config", &value))
    }

    /// SHA-256 over all fields, in hexadecimal digits.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for text in self.fields.iter().flat_map(|(name, value)| [name, value]) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hex(hash)
    }

    /// What another key has that this one, the earlier, has not, and the reverse; by name.
    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let mut names: Vec<_> = self.fields.keys().chain(now.fields.keys()).collect();
        names.sort();
        names.dedup();
        let value = |of: &Self, name| of.fields.get(name).cloned();
        let both = names.into_iter().map(|name| Difference {
            field: name.clone(),
            was: value(self, name),
            is: value(now, name),
        });
        both.filter(|field| field.was != field.is).collect()
    }

    pub(crate) fn set(mut self, field: &str, value: &Value) -> Self {
        self.fields.insert(field.to_owned(), value.to_string());
        self
    }

    fn flatten(mut self, at: &str, value: &Value) -> Self {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (name, value) in map {
                    self = self.flatten(&format!("{at}/{}", escaped(name)), value);
                }
                self
            }
            Value::Array(list) if !list.is_empty() => {
                for (i, value) in list.iter().enumerate() {
                    self = self.flatten(&format!("{at}/{i}"), value);
                }
                self
            }
            leaf => self.set(at, leaf),
        }
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| match value {
            None => "absent".to_owned(),
            // The start of a digest tells it from others.
            Some(text) if is_digest(text) => format!("{}…\"", &text[..13]),
            Some(text) => text.clone(),
        };
        write!(f, "{} was {}, is {}", self.field, shown(&self.was), shown(&self.is))
    }
}

/// A SHA-256 as JSON.
fn is_digest(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
