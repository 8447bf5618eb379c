use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, RecordBatch, StringArray};
use coaddkit_manifest::injection::{Build, Built, INJECTION_TASKS, PARENT, RegionRules, StageConfig};
use coaddkit_manifest::{
    Error, ErrorClass, Field, Kind, Layout, Provenance, Schema, Source, TableWriter, compare,
};
use coaddkit_testkit::{Rng, shared};
use proptest::prelude::*;

use crate::{file, names, on_threads};

mod shards;
mod tables;

const SPLITS: [&str; 3] = ["train", "val", "test"];

/// A survey of so many regions, bricks in each, and galaxies in each brick.
#[derive(Clone, Copy)]
struct Survey {
    regions: i32,
    bricks: i32,
    galaxies: i32,
    sets: i32,
}

const FULL: Survey = Survey { regions: 6, bricks: 24, galaxies: 8, sets: 12 };

#[derive(Clone)]
struct Galaxy {
    brick: String,
    ra: f64,
    dec: f64,
    region: i32,
    split: &'static str,
    mag: Option<f32>,
    flag: bool,
}

impl Survey {
    fn split(region: i32) -> &'static str {
        SPLITS[region as usize % 3]
    }

    fn brick(region: i32, brick: i32) -> String {
        format!("{:04}p{brick:03}", region * 100)
    }

    fn galaxies(self) -> Vec<Galaxy> {
        let mut rng = Rng::new(5);
        let mut all = Vec::new();
        for region in 0..self.regions {
            for brick in 0..self.bricks {
                for _ in 0..self.galaxies {
                    all.push(Galaxy {
                        brick: Self::brick(region, brick),
                        ra: f64::from(region) * 10.0 + rng.unit(),
                        dec: f64::from(brick) * 0.25 + 0.2 * rng.unit(),
                        region,
                        split: Self::split(region),
                        mag: rng.chance(0.95).then(|| 18.0 + 2.0 * rng.unit() as f32),
                        flag: true,
                    });
                }
            }
        }
        all
    }

    fn write(self, dir: &Path) -> PathBuf {
        write_parent(&dir.join("parent.parquet"), &self.galaxies());
        let mut bricks = "brickname,psfsize_r,psfdepth_r,ebv\n".to_owned();
        let mut rng = Rng::new(6);
        for region in 0..self.regions {
            for brick in 0..self.bricks {
                let (psf, depth) = (1.0 + 0.6 * rng.unit(), 23.6 + 2.0 * rng.unit());
                bricks.push_str(&format!("{},{psf:?},{depth:?},0.05\n", Self::brick(region, brick)));
            }
        }
        file(dir, "bricks.csv", &bricks);
        let mut selections =
            "selection_set_id,selection_strategy,ranking_mode,region_id,region_split\n".to_owned();
        for set in 0..self.sets {
            for region in 0..self.regions {
                selections.push_str(&format!("set_{set:02},topk,density,{region},{}\n", Self::split(region)));
            }
        }
        file(dir, "selections.csv", &selections);
        dir.to_owned()
    }
}

fn write_parent(path: &Path, galaxies: &[Galaxy]) {
    let mut fields = PARENT.fields().to_vec();
    fields.push(Field::new("is_v3_color_relaxed", Kind::Bool, ""));
    let schema = Schema::new("parent", 1, &fields);
    let mags = || Arc::new(Float32Array::from_iter(galaxies.iter().map(|g| g.mag))) as ArrayRef;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(galaxies.iter().map(|g| &g.brick))),
        Arc::new(Float64Array::from_iter_values(galaxies.iter().map(|g| g.ra))),
        Arc::new(Float64Array::from_iter_values(galaxies.iter().map(|g| g.dec))),
        Arc::new(Int32Array::from_iter_values(galaxies.iter().map(|g| g.region))),
        Arc::new(StringArray::from_iter_values(galaxies.iter().map(|g| g.split))),
        mags(),
        mags(),
        mags(),
        mags(),
        mags(),
        Arc::new(BooleanArray::from_iter(galaxies.iter().map(|g| Some(g.flag)))),
    ];
    let mut writer = TableWriter::create(path, &schema, &Layout::default(), &Provenance::new()).unwrap();
    let batch = RecordBatch::try_new(schema.arrow(), columns).unwrap();
    // Several row groups, of which the threads get different ones.
    for from in (0..batch.num_rows()).step_by(100) {
        writer.write(&batch.slice(from, 100.min(batch.num_rows() - from))).unwrap();
    }
    writer.finish().unwrap();
}

const TIERS: &str = "[tiers.debug]\n[tiers.grid]\nn_per_config = 3\ncontrol_frac = 0.25\n\
                     [tiers.train]\nn_total_per_split = 100\ncontrol_frac = 0.5\n";

fn config(dir: &Path, tiers: &str) -> StageConfig {
    let path = |name: &str| dir.join(name).display().to_string();
    let (parent, bricks, selections) = (path("parent.parquet"), path("bricks.csv"), path("selections.csv"));
    let text = format!(
        "[inputs]\nparent = '{parent}'\nbricks_with_region = '{bricks}'\nregion_selections = '{selections}'\n{tiers}"
    );
    text.parse().unwrap()
}

fn build(dir: &Path, tiers: &str, out: &Path) -> Result<Built, Error> {
    Build::new(config(dir, tiers)).run(out, &())
}

fn part(out: &Path, experiment: &str) -> PathBuf {
    out.join("manifests").join(experiment).join("part-00000.parquet")
}

fn text(rows: &coaddkit_manifest::Rows, name: &str) -> Vec<String> {
    let column = rows.batch.column(INJECTION_TASKS.index_of(name).unwrap()).as_string::<i32>();
    column.iter().map(|v| v.unwrap().to_owned()).collect()
}

#[test]
fn full_selections_give_the_published_counts() {
    let dir = tempfile::tempdir().unwrap();
    FULL.write(dir.path());
    let out = dir.path().join("out");
    let tiers = "stamp_sizes = [64, 96]\nbandsets = ['grz', 'r']\n[tiers.debug]\n";
    let mut text = toml_of(dir.path(), "[tiers.debug]\n");
    text = text.replace("[inputs]", &format!("{}[inputs]", tiers.strip_suffix("[tiers.debug]\n").unwrap()));
    let built = Build::new(text.parse().unwrap()).run(&out, &()).unwrap();
    assert_eq!(built.experiments.len(), 4);
    for e in &built.experiments {
        // 5 galaxies, 48 configurations, 12 sets, 3 splits, 2 replicates.
        assert_eq!((e.rows, e.controls), (17_280, 0), "{}", e.experiment_id);
        let rows = Source::open(part(&out, &e.experiment_id)).unwrap().rows().unwrap();
        assert_eq!(rows, Some(17_280));
    }
    assert_eq!(built.experiments[0].experiment_id, "debug_stamp64_bandsgrz_gridgrid_small");
    assert!(built.shortfalls.is_empty());
    assert_eq!(
        names(&out),
        ["_stage_config.json", "bricks_manifest.csv", "bricks_manifest.parquet", "manifests"]
    );
    let bricks = std::fs::read_to_string(out.join("bricks_manifest.csv")).unwrap();
    assert_eq!(bricks.lines().count(), 1 + 4 * built.experiments[0].bricks);
    assert!(bricks.starts_with("experiment_id,brickname\ndebug_stamp64_bandsgrz_gridgrid_small,0000p0"));
}

fn toml_of(dir: &Path, tiers: &str) -> String {
    let path = |name: &str| dir.join(name).display().to_string();
    let (parent, bricks, selections) = (path("parent.parquet"), path("bricks.csv"), path("selections.csv"));
    format!(
        "[inputs]\nparent = '{parent}'\nbricks_with_region = '{bricks}'\nregion_selections = '{selections}'\n{tiers}"
    )
}

#[test]
fn rows_say_what_the_design_says() {
    let dir = tempfile::tempdir().unwrap();
    FULL.write(dir.path());
    let out = dir.path().join("out");
    let built = build(dir.path(), TIERS, &out).unwrap();
    let by_name: BTreeMap<_, _> = built.experiments.iter().map(|e| (e.experiment_id.as_str(), e)).collect();
    assert_eq!(by_name["grid_stamp64_bandsgrz_gridgrid_medium"].rows, 3 * 360 * 36 * 2);
    // A region has 192 galaxies, a split has two regions.
    assert_eq!(by_name["train_stamp64_bandsgrz_gridgrid_small"].rows, 100 * 36 * 2);

    for (experiment, paired_rows) in
        [("grid_stamp64_bandsgrz_gridgrid_medium", 720), ("train_stamp64_bandsgrz_gridgrid_small", 2)]
    {
        let (mut ids, mut controls, mut last) = (BTreeSet::new(), BTreeMap::new(), String::new());
        let mut rows_of = BTreeMap::<_, u32>::new();
        for rows in Source::open(part(&out, experiment)).unwrap().read(INJECTION_TASKS.fields()).unwrap() {
            let b = &rows.batch;
            let column = |name: &str| b.column(INJECTION_TASKS.index_of(name).unwrap());
            let (task, set, brick, config, model) = (
                text(&rows, "task_id"),
                text(&rows, "selection_set_id"),
                text(&rows, "brickname"),
                text(&rows, "config_id"),
                text(&rows, "lens_model"),
            );
            let real = |name: &str| column(name).as_primitive::<Float64Type>().clone();
            let (ra, dec, theta, lens_e, x, y) = (
                real("ra"),
                real("dec"),
                real("theta_e_arcsec"),
                real("lens_e"),
                real("src_x_arcsec"),
                real("src_y_arcsec"),
            );
            let control = column("is_control").as_primitive::<Int32Type>();
            for i in 0..b.num_rows() {
                assert_eq!(task[i].len(), 64);
                assert!(ids.insert(task[i].clone()), "{} twice", task[i]);
                assert!(brick[i] >= last, "not sorted");
                last.clone_from(&brick[i]);
                let is_control = control.value(i) == 1;
                assert_eq!(model[i], if is_control { "CONTROL" } else { "SIE" });
                assert!(config[i].starts_with("grid_"), "paired controls keep their configuration");
                let key = (brick[i].clone(), ra.value(i).to_bits(), dec.value(i).to_bits(), set[i].clone());
                *rows_of.entry(key.clone()).or_default() += 1;
                assert_eq!(
                    *controls.entry(key).or_insert(is_control),
                    is_control,
                    "a galaxy is a control or not"
                );
                let inside = x.value(i).hypot(y.value(i)) <= 0.8 * theta.value(i) + 1e-12;
                assert!(inside && (theta.value(i) == 0.0) == is_control);
                assert!(if is_control {
                    lens_e.value(i) == 0.0
                } else {
                    (0.05..0.5).contains(&lens_e.value(i))
                });
            }
        }
        assert!(rows_of.values().all(|&n| n == paired_rows), "{experiment}");
        let share = controls.values().filter(|&&c| c).count() as f64 / controls.len() as f64;
        let wanted = if experiment.starts_with("grid") { 0.25 } else { 0.5 };
        assert!((share - wanted).abs() < 0.15, "{experiment}: {share}");
    }
}

#[test]
fn a_task_is_what_other_programs_compute() {
    // One galaxy, one configuration of one's own: identities, seeds and colours from hashlib, xxhash and math of Python.
    let dir = tempfile::tempdir().unwrap();
    write_parent(
        &dir.path().join("parent.parquet"),
        &[Galaxy {
            brick: "0001m002".into(),
            ra: 0.1234567,
            dec: -0.25,
            region: 7,
            split: "val",
            mag: Some(19.5),
            flag: true,
        }],
    );
    file(dir.path(), "bricks.csv", "brickname,psfsize_r,psfdepth_r,ebv\n0001m002,1.25,24.5,\n");
    file(
        dir.path(),
        "selections.csv",
        "selection_set_id,selection_strategy,ranking_mode,region_id,region_split\ns1,topk,density,7,val\n",
    );
    let tiers = "[tiers.train]\ngrid = 'mine'\n[grids.mine]\ntheta_e_arcsec = [0.6]\nsrc_dmag = [1.5]\nsrc_reff_arcsec = [0.1]\nsrc_e = [0.2]\nshear = [0.03]\n";
    let out = dir.path().join("out");
    build(dir.path(), tiers, &out).unwrap();
    let rows = Source::open(part(&out, "train_stamp64_bandsgrz_gridmine"))
        .unwrap()
        .read(INJECTION_TASKS.fields())
        .unwrap();
    let rows = &rows[0];
    assert_eq!(text(rows, "config_id"), ["mine_0001_te0.6_dm1.5_rf0.1_e0.2_sh0.03"; 2]);
    assert_eq!(text(rows, "task_id"), TASK_IDS);
    let seeds =
        rows.batch.column(INJECTION_TASKS.index_of("task_seed64").unwrap()).as_primitive::<Int64Type>();
    assert_eq!(seeds.values().to_vec(), SEEDS);
    let x =
        rows.batch.column(INJECTION_TASKS.index_of("src_x_arcsec").unwrap()).as_primitive::<Float64Type>();
    assert!((x.value(1) - SRC_X).abs() < 1e-14, "{}", x.value(1));
}

const TASK_IDS: [&str; 2] = [
    "c36e3c21b5029f4bf117f9df25494fbb6d45bef55113a20440c6b83e37966d39",
    "78aa9d8670e45926386b750356288684e9bcb9f7d8683a2c2d97d4ddf6169f1a",
];
const SEEDS: [i64; 2] = [-1872403439508798973, 517139326102620648];
const SRC_X: f64 = -0.11361193531020952;

#[test]
fn threads_and_reruns_change_no_byte_and_files_no_row() {
    let dir = tempfile::tempdir().unwrap();
    FULL.write(dir.path());
    let bytes = |threads: usize, name: &str| {
        let out = dir.path().join(name);
        let built = on_threads(threads, || build(dir.path(), TIERS, &out)).unwrap();
        let mut files = vec![
            out.join("_stage_config.json"),
            out.join("bricks_manifest.parquet"),
            out.join("bricks_manifest.csv"),
        ];
        files.extend(built.experiments.iter().map(|e| part(&out, &e.experiment_id)));
        files.iter().map(|f| std::fs::read(f).unwrap()).collect::<Vec<_>>()
    };
    let one = bytes(1, "one");
    assert!(one == bytes(2, "two"));
    assert!(one == bytes(3, "three"));

    // The same galaxies in another order, in a folder of files.
    let mut galaxies = FULL.galaxies();
    galaxies.reverse();
    let parts = dir.path().join("parts");
    std::fs::create_dir(&parts).unwrap();
    for (i, part) in galaxies.chunks(137).enumerate() {
        write_parent(&parts.join(format!("part-{i}.parquet")), part);
    }
    let mut config = config(dir.path(), TIERS);
    config.inputs.parent = parts;
    let cut = dir.path().join("cut");
    Build::new(config).run(&cut, &()).unwrap();
    let compared = compare(&dir.path().join("one"), &cut, &()).unwrap();
    assert!(compared.is_same(), "{compared:?}");
}

#[test]
fn another_seed_gives_another_sample_and_comparing_says_so() {
    let dir = tempfile::tempdir().unwrap();
    FULL.write(dir.path());
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    build(dir.path(), "[tiers.debug]\n", &a).unwrap();
    build(dir.path(), "[tiers.debug]\n[seeds]\nsplit_seed = 14\n", &b).unwrap();
    let compared = compare(&a, &b, &()).unwrap();
    let e = &compared.experiments[0];
    assert!(!compared.is_same() && e.lost > 10_000 && e.lost == e.gained, "{e:?}");
    assert_eq!((e.old_rows, e.lost_examples.len()), (17_280, 20));
    assert_ne!(e.old_digest, e.new_digest);

    // The same tasks with other controls: no id is lost, columns differ.
    let [c, d] = ["c", "d"].map(|name| dir.path().join(name));
    build(dir.path(), "[tiers.debug]\n", &c).unwrap();
    build(dir.path(), "[tiers.debug]\ncontrol_frac = 0.5\n", &d).unwrap();
    let compared = compare(&c, &d, &()).unwrap();
    let e = &compared.experiments[0];
    assert_eq!((e.lost, e.gained, e.repeated), (0, 0, 0));
    let columns: BTreeMap<_, _> = e.columns.iter().map(|c| (c.column.as_str(), c)).collect();
    let expected = [
        "theta_e_arcsec",
        "src_dmag",
        "src_reff_arcsec",
        "src_e",
        "shear",
        "is_control",
        "src_x_arcsec",
        "lens_model",
        "lens_e",
    ];
    assert!(expected.iter().all(|name| columns.contains_key(name)), "{:?}", columns.keys());
    assert!(!columns.contains_key("task_seed64") && !columns.contains_key("src_gr"));
    let model = columns["lens_model"];
    assert_eq!((model.old.as_str(), model.new.as_str()), ("SIE", "CONTROL"));
    assert_eq!(model.rows % 96, 0);
    assert_eq!(columns["is_control"].rows, model.rows);
}

#[test]
fn unpaired_controls_have_a_name_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    FULL.write(dir.path());
    let out = dir.path().join("out");
    let built =
        build(dir.path(), "[tiers.debug]\ncontrol_frac = 1.0\ncontrols = 'unpaired'\n", &out).unwrap();
    // 5 galaxies, 12 sets, 3 splits, 2 replicates: once a galaxy, not once a configuration.
    assert_eq!((built.experiments[0].rows, built.experiments[0].controls), (360, 360));
    let rows = Source::open(part(&out, &built.experiments[0].experiment_id))
        .unwrap()
        .read(INJECTION_TASKS.fields())
        .unwrap();
    assert!(text(&rows[0], "config_id").iter().all(|id| id == "CONTROL"));
}

#[test]
fn what_is_there_is_not_replaced_by_accident() {
    let dir = tempfile::tempdir().unwrap();
    FULL.write(dir.path());
    let out = dir.path().join("out");
    let first = build(dir.path(), "[tiers.debug]\n", &out).unwrap();
    let path = part(&out, &first.experiments[0].experiment_id);
    let bytes = std::fs::read(&path).unwrap();
    let other = build(dir.path(), "[tiers.debug]\n[seeds]\nsplit_seed = 1\n", &out).unwrap_err();
    assert_eq!(other.class(), ErrorClass::Usage);
    assert!(other.to_string().contains("of another configuration"), "{other}");
    assert!(std::fs::read(&path).unwrap() == bytes);
    let skipped = build(dir.path(), "[tiers.debug]\n[idempotency]\nskip_if_exists = 1\n", &out).unwrap();
    assert!(skipped.experiments[0].skipped && skipped.experiments[0].rows == 17_280);
    let mut forced = Build::new(config(dir.path(), "[tiers.debug]\n[seeds]\nsplit_seed = 1\n"));
    forced.force = true;
    assert!(!forced.run(&out, &()).unwrap().experiments[0].skipped);
    assert!(std::fs::read(&path).unwrap() != bytes);
    // A tier that is asked for no more would be counted with the others.
    let fewer = "[tiers.grid]\n";
    let refused = build(dir.path(), fewer, &out).unwrap_err();
    assert!(refused.to_string().contains("force removes it") && path.exists(), "{refused}");
    let mut forced = Build::new(config(dir.path(), fewer));
    forced.force = true;
    let built = forced.run(&out, &()).unwrap();
    let ids: Vec<&str> = built.experiments.iter().map(|e| e.experiment_id.as_str()).collect();
    assert_eq!(names(&out.join("manifests")), ids);
}

#[test]
fn too_many_tasks_are_refused_before_any_work() {
    let dir = tempfile::tempdir().unwrap();
    FULL.write(dir.path());
    std::fs::remove_file(dir.path().join("parent.parquet")).unwrap();
    let mut build = Build::new(config(dir.path(), "[tiers.debug]\n"));
    build.max_total_tasks = 17_279;
    let error = build.run(&dir.path().join("out"), &()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Limit);
    assert_eq!(error.to_string(), "up to 17280 tasks are asked for, more than the 17279 allowed");
    assert!(!dir.path().join("out").exists());
    build.max_total_tasks = 17_280;
    assert_eq!(build.run(&dir.path().join("out"), &()).unwrap_err().class(), ErrorClass::Missing);
}

#[test]
fn mistakes_in_a_configuration_name_the_key() {
    let refused = |text: &str| {
        let error =
            format!("[inputs]\nparent = 'p'\nbricks_with_region = 'b'\nregion_selections = 'r'\n{text}")
                .parse::<StageConfig>()
                .unwrap_err();
        assert_eq!(error.class(), ErrorClass::BadData);
        error.to_string()
    };
    for (text, says) in [
        ("[tiers.debug]\nn_per_confg = 5\n", "unknown field `n_per_confg`"),
        ("[tiers.debug]\ncontrol_frac = 1.5\n", "tiers.debug.control_frac: is 1.5, must be 0 to 1"),
        ("[tiers.train]\nn_per_config = 5\n", "tiers.train.n_per_config: does not belong to this tier"),
        ("[tiers.debug]\ngrid = 'grid_large'\n", "tiers.debug.grid: there is no grid grid_large"),
        (
            "[tiers.debug]\n[sampling]\npsf_edges = [1, 2, 3, 5, 4]\n",
            "sampling.psf_edges: must be five finite numbers that ascend",
        ),
        ("[tiers]\n", "tiers: names none of debug, grid and train"),
        ("[tiers.debug]\n[idempotency]\nforce = 2\n", "must be 0, 1, false or true"),
    ] {
        let said = refused(text);
        assert!(said.contains(says), "{said}");
    }
    assert!("x".parse::<StageConfig>().is_err());
    let published = shared("data/survey-runs/phase4a_stage_config.json");
    if let Some(path) = published {
        // All keys of the published configuration are keys of ours.
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut json = json;
        json.as_object_mut().unwrap().remove("output_s3");
        let config: StageConfig = serde_json::from_value(json).unwrap();
        assert_eq!(config.tiers.grid.unwrap().n_per_config, Some(40));
        assert_eq!(config.seeds.split_seed, 13);
    }
}
