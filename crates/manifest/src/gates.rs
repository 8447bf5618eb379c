//! Checks of products, with reasons.

use serde::{Deserialize, Serialize};

/// How bad it is when a gate is not passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The product may be used, with eyes open.
    Warning,
    /// The product must not be used.
    Critical,
}

/// One check of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Gate {
    /// What is checked.
    pub name: String,
    /// How bad it is when it is not passed.
    pub severity: Severity,
    /// Whether it is.
    pub passed: bool,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// Why the check is as it is, where that is not plain.
    pub reason: String,
}

impl Gate {
    /// A gate and how it went.
    pub fn new(
        name: &str,
        severity: Severity,
        passed: bool,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (name, expected, found) = (name.to_owned(), expected.into(), found.into());
        Self { name, severity, passed, expected, found, reason: String::new() }
    }

    /// With a reason.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// Whether the product must not be used.
    pub fn is_fatal(&self) -> bool {
        !self.passed && self.severity == Severity::Critical
    }
}
