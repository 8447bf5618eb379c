//! Prints the rank of each galaxy id on stdin in Spark's order: `spark_ranks SEED < ids.txt`.

use std::io::{self, BufRead, BufWriter, Write};

use coaddkit_manifest::negatives::Ranking;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seed = std::env::args().nth(1).ok_or("give a seed")?.parse()?;
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", Ranking::SparkMurmur3.rank(&line?, seed)?)?;
    }
    Ok(out.flush()?)
}
