use arrow_schema::{ArrowError, DataType};

/// Why something did not cross.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// arrow2 has no such type.
    #[error("{}arrow2 has no type {data_type}", column.as_ref().map_or(String::new(), |name| format!("column {name}: ")))]
    Unsupported {
        /// The column, if it is one of a batch.
        column: Option<String>,
        /// The type, or the part of it that arrow2 lacks.
        data_type: DataType,
    },
    /// arrow refused.
    #[error("arrow: {0}")]
    Arrow(#[from] ArrowError),
    /// arrow2 refused.
    #[error("arrow2: {0}")]
    Arrow2(#[from] arrow2::error::Error),
}

impl Error {
    /// Says which column it is about.
    pub(crate) fn in_column(self, name: &str) -> Self {
        match self {
            Self::Unsupported { data_type, .. } => {
                Self::Unsupported { column: Some(name.to_owned()), data_type }
            }
            other => other,
        }
    }
}
