//! `desi-tiles emit`: a run in shards, as engines start it.

use crate::run;
use clap::Args as ClapArgs;
use coaddkit_examples::{ClusterArgs, EngineName, Exit, Handed, Needs, emit, emitted};

#[derive(ClapArgs)]
pub struct EmitArgs {
    /// What runs the shards
    engine: EngineName,
    #[command(flatten)]
    run: run::Args,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub fn scripts(args: &EmitArgs) -> Exit {
    let ready = || {
        let EmitArgs { engine, run, cluster } = args;
        run.check()?;
        let units = cluster.units(|| Ok(run.which.read()?.0.len()))?;
        let merged = run.out.join("pixels.csv").to_string_lossy().into_owned();
        let handed = Handed { job: &["run"], named: &[], out: &run.out, merge: &["--out", &merged] };
        // A pair of 150 MB, fetched and converted beside seven others.
        let needs = Needs { units, seconds_a_unit: 5.0, memory_mib: 1024 };
        emit((*engine, &handed), (&run.shards, cluster), needs)
    };
    emitted("desi-tiles emit", ready())
}
