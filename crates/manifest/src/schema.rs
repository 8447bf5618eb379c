//! Tables described as data: names, types, units, meaning, nulls.

use std::sync::Arc;

use arrow_schema::{DataType, Schema as ArrowSchema, SchemaRef};
use serde_json::{Map, Value, json};

/// The type of a column. Each has one counterpart in Arrow, in Parquet and in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// True or false.
    Bool,
    /// 32-bit signed integers.
    Int32,
    /// 64-bit signed integers.
    Int64,
    /// Single precision.
    Float32,
    /// Double precision.
    Float64,
}

impl Kind {
    /// The type in Arrow.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Bool => DataType::Boolean,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
        }
    }

    /// Its name in schemas and errors: `text`, `bool`, `int32`, `int64`, `float32`, `float64`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }

    fn json(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Bool => "boolean",
            Self::Int32 | Self::Int64 => "integer",
            Self::Float32 | Self::Float64 => "number",
        }
    }
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    name: &'a str,
    kind: Kind,
    unit: &'a str,
    meaning: &'a str,
    null: Option<&'a str>,
}

impl<'a> Field<'a> {
    /// A column without unit that is never null.
    pub const fn new(name: &'a str, kind: Kind, meaning: &'a str) -> Self {
        Self { name, kind, unit: "", meaning, null: None }
    }

    /// With a unit, as FITS writes it: `deg`, `arcsec`, `mag`, `nanomaggy`, `1/nanomaggy^2`.
    #[must_use]
    pub const fn unit(mut self, unit: &'a str) -> Self {
        self.unit = unit;
        self
    }

    /// May be null, and what that means.
    #[must_use]
    pub const fn null(mut self, when: &'a str) -> Self {
        self.null = Some(when);
        self
    }

    /// The name.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The type.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The unit; empty where there is none.
    pub const fn unit_name(&self) -> &'a str {
        self.unit
    }

    /// What the values mean.
    pub const fn meaning(&self) -> &'a str {
        self.meaning
    }

    /// What a null means; `None` where there is never one.
    pub const fn null_rule(&self) -> Option<&'a str> {
        self.null
    }

    fn arrow(&self) -> arrow_schema::Field {
        arrow_schema::Field::new(self.name, self.kind.arrow(), self.null.is_some())
    }
}

/// The columns of a table, in order, under a name and a version.
///
/// # Examples
///
/// ```
/// use coaddkit_manifest::{Field, Kind, Schema};
///
/// const STARS: Schema<'_> = Schema::new("stars", 1, &[
///     Field::new("name", Kind::Text, "designation"),
///     Field::new("ra", Kind::Float64, "right ascension").unit("deg"),
///     Field::new("mag", Kind::Float32, "magnitude in r").unit("mag").null("not measured"),
/// ]);
/// assert_eq!(STARS.index_of("RA"), Some(1));
/// assert_eq!(STARS.json_schema()["properties"]["mag"]["type"][0], "number");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema<'a> {
    name: &'a str,
    version: u32,
    fields: &'a [Field<'a>],
}

impl<'a> Schema<'a> {
    /// A schema; its version grows with each change of a column.
    pub const fn new(name: &'a str, version: u32, fields: &'a [Field<'a>]) -> Self {
        Self { name, version, fields }
    }

    /// Its name.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Its version.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The columns, in order.
    pub const fn fields(&self) -> &'a [Field<'a>] {
        self.fields
    }

    /// Which column has a name, without case.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The schema in Arrow.
    pub fn arrow(&self) -> SchemaRef {
        Arc::new(ArrowSchema::new(self.fields.iter().map(Field::arrow).collect::<Vec<_>>()))
    }

    /// The JSON Schema (draft 2020-12) of a row. `unit`, `storage`, `null` and `columns` are annotations.
    pub fn json_schema(&self) -> Value {
        let mut properties = Map::new();
        for field in self.fields {
            let kind = field.kind.json();
            let mut property = json!({
                "type": if field.null.is_some() { json!([kind, "null"]) } else { json!(kind) },
                "description": field.meaning,
                "storage": field.kind.name(),
            });
            if !field.unit.is_empty() {
                property["unit"] = Value::from(field.unit);
            }
            if let Some(null) = field.null {
                property["null"] = Value::from(null);
            }
            if field.kind == Kind::Int32 {
                property["minimum"] = json!(i32::MIN);
                property["maximum"] = json!(i32::MAX);
            }
            properties.insert(field.name.to_owned(), property);
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("coaddkit:{}/{}", self.name, self.version),
            "title": self.name,
            "type": "object",
            "properties": properties,
            "required": self.fields.iter().map(Field::name).collect::<Vec<_>>(),
            "columns": self.fields.iter().map(Field::name).collect::<Vec<_>>(),
            "additionalProperties": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_says_the_same_in_arrow_and_json() {
        let fields = [
            Field::new("a", Kind::Int32, "count"),
            Field::new("b", Kind::Text, "place").null("unknown").unit("deg"),
        ];
        let schema = Schema::new("t", 3, &fields);
        let arrow = schema.arrow();
        assert_eq!(arrow.field(0).data_type(), &DataType::Int32);
        assert!(!arrow.field(0).is_nullable() && arrow.field(1).is_nullable());
        let json = schema.json_schema();
        assert_eq!(json["$id"], "coaddkit:t/3");
        assert_eq!(json["properties"]["a"]["type"], "integer");
        assert_eq!(json["properties"]["b"]["type"], json!(["string", "null"]));
        assert_eq!(json["properties"]["b"]["unit"], "deg");
    }
}
