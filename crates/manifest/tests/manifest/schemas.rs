use std::path::Path;

use coaddkit_manifest::injection::{
    BRICKS_MANIFEST, BRICKS_WITH_REGION, INJECTION_TASKS, PARENT, REGION_METRICS, REGION_SELECTIONS,
};
use coaddkit_manifest::negatives::{NEGATIVE_POOL, NEGATIVE_SAMPLE, POSITIVES, SamplingConfig};
use coaddkit_manifest::{Kind, Schema};
use serde_json::Value;

const ALL: [Schema<'static>; 9] = [
    BRICKS_MANIFEST,
    BRICKS_WITH_REGION,
    INJECTION_TASKS,
    NEGATIVE_POOL,
    NEGATIVE_SAMPLE,
    PARENT,
    POSITIVES,
    REGION_METRICS,
    REGION_SELECTIONS,
];

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas")
}

/// `COADDKIT_WRITE_SCHEMAS=1` writes what is compared otherwise.
#[test]
fn the_committed_schemas_are_those_of_the_code() {
    for schema in ALL {
        let path = folder().join(format!("{}.json", schema.name()));
        let text = format!("{:#}\n", schema.json_schema());
        if std::env::var_os("COADDKIT_WRITE_SCHEMAS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is not what the code says", path.display());
    }
}

#[test]
fn published_tables_have_their_columns() {
    assert_eq!(INJECTION_TASKS.fields().len(), 42);
    assert_eq!(NEGATIVE_POOL.fields().len(), 48);
    assert_eq!(NEGATIVE_SAMPLE.fields().len(), 50);
    assert_eq!(NEGATIVE_SAMPLE.fields()[..48], *NEGATIVE_POOL.fields());
    let kind = |name: &str| INJECTION_TASKS.fields()[INJECTION_TASKS.index_of(name).unwrap()].kind();
    assert_eq!(
        ["zmag", "psfsize_r", "task_seed64", "psf_bin", "lens_model"].map(kind),
        [Kind::Float32, Kind::Float64, Kind::Int64, Kind::Int32, Kind::Text]
    );
    // The columns that are never null in the published pool.
    let never: Vec<_> =
        NEGATIVE_POOL.fields().iter().filter(|f| f.null_rule().is_none()).map(|f| f.name()).collect();
    let published = [
        "galaxy_id",
        "brickname",
        "objid",
        "ra",
        "dec",
        "type",
        "nobs_z",
        "nobs_z_bin",
        "type_bin",
        "maskbits",
        "healpix_64",
        "healpix_128",
        "split",
        "pool",
        "sweep_file",
        "row_index",
        "pipeline_version",
        "git_commit",
        "extraction_timestamp",
    ];
    assert_eq!(never, published);
    for schema in ALL {
        let described = schema.fields().iter().all(|f| !f.meaning().is_empty());
        assert!(described, "{} has columns without a meaning", schema.name());
    }
}

/// The schema of the configuration knows every key that the code reads, and no other.
#[test]
fn the_schema_of_the_configuration_has_its_keys() {
    let schema: Value =
        serde_json::from_slice(&std::fs::read(folder().join("negative_sampling_config.json")).unwrap())
            .unwrap();
    let example =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/configs/negative_sampling_v1.yaml");
    let config = SamplingConfig::read(&example).unwrap();
    same_keys("", &serde_json::to_value(&config).unwrap(), &schema);
}

fn same_keys(at: &str, value: &Value, schema: &Value) {
    // What is recorded only may hold anything.
    let (Some(map), Some(properties)) = (value.as_object(), schema["properties"].as_object()) else { return };
    assert_eq!(schema["additionalProperties"], false, "{at}");
    let keys =
        |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    let known = keys(properties);
    let written = keys(map);
    assert!(written.is_subset(&known), "{at}: {written:?} against {known:?}");
    for key in schema["required"].as_array().into_iter().flatten() {
        assert!(written.contains(key.as_str().unwrap()), "{at}.{key}");
    }
    for (key, value) in map {
        same_keys(&format!("{at}.{key}"), value, &properties[key]);
    }
}
