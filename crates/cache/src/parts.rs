//! Results of parts of a list of bricks, put together; and the texts in which they are kept.

use crate::bricks::BrickList;
use crate::error::CacheError;
use coaddkit_sky::BrickName;
use std::collections::HashMap;

/// Where each brick stands in a list.
pub(crate) struct Places(HashMap<BrickName, usize>);

impl Places {
    pub(crate) fn of(bricks: &BrickList) -> Self {
        Self(bricks.bricks().iter().enumerate().map(|(place, &brick)| (brick, place)).collect())
    }

    pub(crate) fn find(&self, brick: BrickName) -> Result<usize, CacheError> {
        self.0.get(&brick).copied().ok_or(CacheError::Parts { brick, problem: "was not asked for" })
    }

    /// Sorts what there is of each brick into the order of the list; each brick has to be there once.
    pub(crate) fn sort<T>(
        &self,
        bricks: &BrickList,
        all: impl IntoIterator<Item = (BrickName, T)>,
    ) -> Result<Vec<T>, CacheError> {
        let mut sorted: Vec<Option<T>> = bricks.bricks().iter().map(|_| None).collect();
        for (brick, one) in all {
            if sorted[self.find(brick)?].replace(one).is_some() {
                return Err(CacheError::Parts { brick, problem: "is in two parts" });
            }
        }
        let is_there = |(one, &brick): (Option<T>, &BrickName)| {
            one.ok_or(CacheError::Parts { brick, problem: "is in no part" })
        };
        sorted.into_iter().zip(bricks.bricks()).map(is_there).collect()
    }
}

/// Names as the text that they are displayed as.
pub(crate) mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }

    pub(crate) mod list {
        use super::*;

        pub(crate) fn serialize<T: Display, S: Serializer>(list: &[T], to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(list.iter().map(ToString::to_string))
        }

        pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Vec<T>, D::Error> {
            let texts = Vec::<String>::deserialize(from)?;
            texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
        }
    }
}

/// Levels by their names.
pub(crate) mod level {
    use coaddkit_fits::Level;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(level: &Level, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(level.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Level, D::Error> {
        let name = String::deserialize(from)?;
        let all = [Level::Size, Level::Structure, Level::Checksum, Level::Pixels];
        let found = all.into_iter().find(|level| level.name() == name);
        found.ok_or_else(|| D::Error::custom(format!("there is no level {name:?}")))
    }
}
