//! What a figure depends on beside the code.

use std::fs;

use crate::tools;

/// Lines of Markdown about the machine, now.
pub fn describe() -> Vec<String> {
    let cpuinfo = read("/proc/cpuinfo");
    let model = field(&cpuinfo, "model name").unwrap_or("unknown").to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kib: f64 = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .unwrap_or(f64::NAN);
    vec![
        format!("- CPU: {model}, {cores} cores; memory: {:.1} GiB", kib / (1024.0 * 1024.0)),
        format!("- Kernel: {}; load average: {}", read("/proc/sys/kernel/osrelease").trim(), load()),
    ]
}

/// The load averages over 1, 5 and 15 minutes.
pub fn load() -> String {
    read("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Today, in UTC.
pub fn date() -> Result<String, String> {
    tools::output(tools::command("date").args(["-u", "+%F"])).map(|date| date.trim().to_owned())
}

/// The first line that a program prints of its version.
pub fn version(program: &str, args: &[&str]) -> String {
    let said = tools::output(tools::command(program).args(args)).unwrap_or_default();
    said.lines().next().unwrap_or("unknown").to_owned()
}

/// The commit that is measured.
pub fn our_version() -> String {
    let commit = version("git", &["rev-parse", "--short", "HEAD"]);
    let changes = tools::output(tools::command("git").args(["status", "--porcelain"]));
    format!("{commit}{}", if changes.is_ok_and(|c| c.is_empty()) { "" } else { " and changes" })
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}
